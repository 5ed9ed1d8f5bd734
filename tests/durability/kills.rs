//! `kill -9` at any instant: afterwards everything is as before the statement, or as after it.

use std::fs;
use std::path::PathBuf;

use super::disk::{assert_explained, entries};
use super::killer::{Killer, kill, wait_until};
use super::{Batch, CONTENT, DATABASE, ask, content, create_model, run};
use crate::util::{Sandbox, repository};

/// Kills per statement.
const KILLS: u64 = 9;
/// Rows of a statement that is killed: enough to be caught at it.
const ROWS: u64 = 300_000;
/// The number of the first batch that is written after a kill, and its rows.
const AFTER: u64 = 1_000;
const ROWS_AFTER: u64 = 10_000;
/// Where a write to `t` shows.
const SIGNS: [&str; 2] = ["pending", "tables/t/_delta_log"];

const FEATURES: &str = "dep_delay, distance, hour, carrier, origin, dest";
/// What is asked of the model `late` after each kill, and what it answers.
const PREDICTION: &str =
    "SELECT late(0, 500, 9, 'UA', 'EWR', 'ORD') AS early, late(90, 500, 18, 'EV', 'LGA', 'ATL') AS late";
const PREDICTED: &str = "early,late\non_time,late\n";

#[test]
fn create_table_as_and_drop_table() {
    let mut database = Database::new();
    let [mut creation, mut removal] = [Killer::new(SIGNS), Killer::new(["tables", "trash"])];
    for number in 1..=KILLS {
        let new = Batch { number, rows: ROWS };
        database.kill(&mut creation, &format!("CREATE TABLE t AS {}", new.query()), vec![new]);
        database.write(AFTER + number);
        database.kill(&mut removal, "DROP TABLE t", vec![]);
        run(&database.sandbox, &["DROP TABLE IF EXISTS t"]).output();
        database.batches.clear();
    }
}

#[test]
fn create_or_replace_table_as() {
    let mut database = Database::new();
    let mut killer = Killer::new(SIGNS);
    for number in 1..=KILLS {
        database.write(AFTER + number);
        let new = Batch { number, rows: ROWS };
        database.kill(&mut killer, &format!("CREATE OR REPLACE TABLE t AS {}", new.query()), vec![new]);
    }
    database.write(AFTER);
}

#[test]
fn insert_into() {
    let mut database = Database::new();
    let mut killer = Killer::new(SIGNS);
    for number in 1..=KILLS {
        database.write(AFTER + number);
        let new = Batch { number, rows: ROWS };
        let more = [database.batches.as_slice(), &[new]].concat();
        database.kill(&mut killer, &format!("INSERT INTO t {}", new.query()), more);
    }
    database.write(AFTER);
}

/// The tests above hit the middle by chance, this one for certain: its rows have no end.
#[test]
fn in_the_middle_of_the_rows() {
    let mut database = Database::new();
    let table = database.sandbox.path("db/tables/t");
    let endless = Batch { number: 1, rows: 1 << 60 }.query();
    for (number, beginning) in ["CREATE TABLE t AS", "INSERT INTO t", "CREATE OR REPLACE TABLE t AS"].iter().enumerate()
    {
        let before = entries(&table);
        let child = database.sandbox.start([DATABASE, "-c", &format!("{beginning} {endless}")]);
        let is_started = |folder: &PathBuf| !before.contains(folder) && !entries(folder).is_empty();
        wait_until(|| entries(&table).iter().any(is_started));
        assert!(!kill(child), "endless rows came to an end");
        assert_eq!(entries(&database.sandbox.path("db/pending")).len(), 1, "one write was under way");
        assert_eq!(database.look(), content(&database.batches));
        database.write(AFTER + number as u64);
    }
}

#[test]
fn the_first_opening() {
    let sandbox = Sandbox::new();
    let mut killer = Killer::new(["", "tables"]);
    let new = Batch { number: 1, rows: ROWS_AFTER };
    for _ in 0..KILLS {
        let is_done = killer.kill(&sandbox, &format!("CREATE TABLE t AS {}", new.query()));
        let found = ask(&sandbox, &[CONTENT]);
        assert!(found == content(&[new]) || (found == content(&[]) && !is_done), "{found}");
        assert_explained(&sandbox.path(DATABASE));
        fs::remove_dir_all(sandbox.path(DATABASE)).expect("the database is removed");
    }
}

#[test]
fn create_and_drop_model() {
    let sandbox = Sandbox::new();
    run(&sandbox, &[&create_model("late", "late.onnx"), &create_model("late_gbm", "late_gbm.onnx")]).output();
    // Which of the two is `m`? It answers as that one does.
    let flights = repository().join("sql/data/flights.parquet");
    let question = format!(
        "SELECT bool_and(predict('m', {FEATURES}) = late({FEATURES})) AS late, \
         bool_and(predict('m', {FEATURES}) = late_gbm({FEATURES})) AS gbm FROM (SELECT * FROM '{}' LIMIT 2000)",
        flights.display()
    );
    let [late, gbm] = ["true,false", "false,true"].map(|answer| format!("late,gbm\n{answer}\n"));
    let none = "no model is called `m`; SHOW MODELS lists those there are\n".to_owned();
    let steps = [
        (create_model("m", "late.onnx"), &late),
        (create_model("m", "late_gbm.onnx"), &gbm),
        (create_model("m", "late.onnx"), &late),
        ("DROP MODEL IF EXISTS m".to_owned(), &none),
    ];
    let mut killer = Killer::new(["models", "models/files"]);
    let mut old = none.clone();
    for (statement, new) in steps.iter().cycle().take(2 * KILLS as usize) {
        let is_done = killer.kill(&sandbox, statement);
        let found = ask(&sandbox, &[&question]);
        assert!(found == **new || (found == old && !is_done), "{statement}: found {found}");
        assert_explained(&sandbox.path(DATABASE));
        old = found;
    }
}

/// A database with the model `late`, and with the table `t` if it has batches.
struct Database {
    sandbox: Sandbox,
    batches: Vec<Batch>,
}

impl Database {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        run(&sandbox, &[&create_model("late", "late.onnx")]).output();
        Self { sandbox, batches: Vec::new() }
    }

    /// Kills a process that runs `statement`, after which `t` holds what it held, or `new`.
    fn kill(&mut self, killer: &mut Killer, statement: &str, new: Vec<Batch>) {
        let is_done = killer.kill(&self.sandbox, statement);
        let found = self.look();
        if found == content(&new) {
            println!("  it has happened");
            self.batches = new;
        } else {
            assert!(!is_done, "`{statement}` was done, and this was left: {found}");
            assert_eq!(found, content(&self.batches), "after `{statement}`");
        }
    }

    /// What `t` holds when a new process opens the database. Its model predicts as ever, and no file is left over.
    fn look(&self) -> String {
        self.look_after(&[], "")
    }

    /// Writes a small batch to `t`, which has to work.
    fn write(&mut self, number: u64) {
        let new = Batch { number, rows: ROWS_AFTER };
        let (beginning, answer) = match self.batches.as_slice() {
            [] => ("CREATE TABLE t AS", String::new()),
            _ => ("INSERT INTO t", format!("count\n{ROWS_AFTER}\n")),
        };
        self.batches.push(new);
        let found = self.look_after(&[&format!("{beginning} {}", new.query())], &answer);
        assert_eq!(found, content(&self.batches));
    }

    fn look_after(&self, statements: &[&str], answers: &str) -> String {
        let found = ask(&self.sandbox, &[statements, &[PREDICTION, CONTENT]].concat());
        assert_explained(&self.sandbox.path(DATABASE));
        let rest = found.strip_prefix(answers).and_then(|found| found.strip_prefix(PREDICTED));
        rest.unwrap_or_else(|| panic!("{statements:?} and the model `late` answer {found}")).to_owned()
    }
}
