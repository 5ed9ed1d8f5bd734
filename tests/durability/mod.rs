//! What is kept: after a kill, beside other processes, after a restart, and when somebody else has been in the directory.
//!
//! All of it is seen from outside, by starting the program. The steps by which the directory changes have tests of
//! their own in the crate `foretell-warehouse`.

mod disk;
mod killer;
mod kills;
mod neighbours;
mod refusals;
mod restarts;

use std::path::PathBuf;

use insta::Settings;
use insta::internals::SettingsBindDropGuard;

use crate::util::{Answer, Sandbox, repository};

/// The database directory of a test, in its sandbox.
const DATABASE: &str = "db";

/// Asks the table `t` which batches it holds.
const CONTENT: &str = "SELECT batch, count(*) AS rows, count(DISTINCT id) AS ids, sum(weight) AS weight FROM t \
                       GROUP BY batch ORDER BY batch";

/// Rows that are known by their number: a batch that is lost, cut short or doubled shows in [`CONTENT`].
#[derive(Clone, Copy, Debug, PartialEq)]
struct Batch {
    number: u64,
    rows: u64,
}

impl Batch {
    /// The query that makes the rows.
    fn query(self) -> String {
        let Self { number, rows } = self;
        format!("SELECT value AS id, {number} AS batch, value * {number} AS weight FROM range(0, {rows})")
    }
}

/// What [`CONTENT`] answers, as CSV, when the table holds these batches; with none it does not exist.
fn content(batches: &[Batch]) -> String {
    if batches.is_empty() {
        return "no table is called `t`\n".to_owned();
    }
    let mut batches = batches.to_vec();
    batches.sort_by_key(|batch| batch.number);
    let lines = batches.iter().map(|Batch { number, rows }| {
        let weight = number * (rows * (rows - 1) / 2);
        format!("{number},{rows},{rows},{weight}\n")
    });
    format!("batch,rows,ids,weight\n{}", lines.collect::<String>())
}

/// Runs these statements in a process of their own, on the database of the test. Results are CSV.
fn run(sandbox: &Sandbox, statements: &[&str]) -> Answer {
    let arguments = ["--format", "csv", DATABASE].into_iter();
    sandbox.run(arguments.chain(statements.iter().flat_map(|statement| ["-c", statement])))
}

/// What these statements answer: results, and the words of the error if one fails.
fn ask(sandbox: &Sandbox, statements: &[&str]) -> String {
    let Answer { code, stdout, stderr } = run(sandbox, statements);
    assert!(code.is_some_and(|code| code < 2), "{stdout}{stderr}");
    let words = stderr.rsplit_once(": ").map_or(stderr.as_str(), |(_, words)| words);
    format!("{stdout}{words}")
}

/// The statement that makes the model `name` from `sql/models/<file>`.
fn create_model(name: &str, file: &str) -> String {
    format!("CREATE OR REPLACE MODEL {name} FROM '{}'", model_file(file).display())
}

fn model_file(file: &str) -> PathBuf {
    repository().join("sql/models").join(file)
}

/// Snapshots in which the paths of the sandbox and the digests of model files have names.
fn told(sandbox: &Sandbox) -> SettingsBindDropGuard {
    let mut settings = Settings::clone_current();
    settings.add_filter(&sandbox.path("").display().to_string(), "[sandbox]/");
    settings.add_filter(&format!("{}/", repository().display()), "");
    settings.add_filter("[0-9a-f]{64}", "[sha256]");
    settings.bind_to_scope()
}
