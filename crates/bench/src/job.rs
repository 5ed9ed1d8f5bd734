//! A job for foretell in a process of its own: statements on a new database, of which the last makes the table `scored`.
//!
//! The clock runs from opening the database to the end of the last statement, so it counts the reading of the model and
//! of the data, and that all rows are on disk. Peers in `peers/` print the same line of JSON.

use std::ffi::OsString;
use std::process::Command;
use std::time::Instant;

use foretell::Session;
use lexopt::{Parser, ValueExt};
use serde_json::json;

use crate::Result;
use crate::measure::{Run, own_peak_mb};

/// The command that this is.
pub const NAME: &str = "job";

/// Runs the statements in a new process, on as many threads as `threads` says.
pub fn start(statements: &[String], threads: usize) -> Result<Run> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(NAME).arg(folder.path().join("db")).arg(threads.to_string()).args(statements);
    Run::of(&mut command)
}

/// `job DIR THREADS STATEMENT...`
pub fn run(mut parser: Parser) -> Result<()> {
    let directory = parser.value()?;
    let threads: usize = parser.value()?.parse()?;
    let statements = parser.values()?.map(ValueExt::string).collect::<Result<Vec<String>, _>>()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    println!("{}", runtime.block_on(execute(directory, threads, &statements))?);
    Ok(())
}

async fn execute(directory: OsString, threads: usize, statements: &[String]) -> Result<serde_json::Value> {
    let start = Instant::now();
    let session = Session::open(directory)?;
    session.sql(&format!("SET datafusion.execution.target_partitions = {threads}")).await?;
    for statement in statements {
        session.sql(statement).await?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let peak_rss_mb = own_peak_mb();
    let rows = session.context().table("scored").await?.count().await?;
    Ok(json!({ "rows": rows, "seconds": seconds, "peak_rss_mb": peak_rss_mb }))
}
