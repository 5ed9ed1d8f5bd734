//! foretell's side: statements in a process of its own, of which one is measured.
//!
//! What the peers do before their clock starts is done before it here as well: the model is loaded, and a small table has
//! been scored. `peers/tables.py` prints the same line of JSON.

use std::process::Command;
use std::time::Instant;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type};
use foretell::Session;
use lexopt::{Parser, ValueExt};
use serde_json::{Value, json};

use super::cases::Task;
use crate::Result;
use crate::measure::{json_of, own_peak_mb};

/// The command that this is.
pub const NAME: &str = "table-job";

/// What a job does.
pub struct Job {
    pub threads: usize,
    pub task: Task,
    /// Before the clock starts.
    pub setup: Vec<String>,
    /// What is measured.
    pub work: String,
    /// The file that the work writes, if it does.
    pub output: String,
}

impl Job {
    /// Runs the job in a process of its own.
    pub fn start(&self) -> Result<Value> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([NAME, &self.threads.to_string(), self.task.name(), &self.output, &self.work]).args(&self.setup);
        json_of(&mut command)
    }
}

/// `table-job THREADS save|filter OUTPUT WORK SETUP...`
pub fn run(mut parser: Parser) -> Result<()> {
    let threads: usize = parser.value()?.parse()?;
    let task = match parser.value()?.string()?.as_str() {
        "save" => Task::Save,
        "filter" => Task::Filter,
        other => return Err(format!("no task `{other}`; there are save and filter").into()),
    };
    let output = parser.value()?.string()?;
    let work = parser.value()?.string()?;
    let setup = parser.values()?.map(ValueExt::string).collect::<Result<_, _>>()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    println!("{}", runtime.block_on(execute(&Job { threads, task, setup, work, output }))?);
    Ok(())
}

async fn execute(job: &Job) -> Result<Value> {
    let session = Session::in_memory()?;
    session.sql(&format!("SET datafusion.execution.target_partitions = {}", job.threads)).await?;
    for statement in &job.setup {
        session.sql(statement).await?.collect().await?;
    }
    let start = Instant::now();
    let answer = session.sql(&job.work).await?.collect().await?;
    let seconds = start.elapsed().as_secs_f64();
    let mut line = json!({ "seconds": seconds, "peak_rss_mb": own_peak_mb() });
    match job.task {
        Task::Save => {
            let summary = format!(
                "SELECT count(*), avg(CAST(score AS DOUBLE)), avg(CAST(score AS DOUBLE) * CAST(f0 AS DOUBLE)) FROM '{}'",
                job.output
            );
            let summary = session.sql(&summary).await?.collect().await?;
            let row = summary.first().ok_or("the summary has no row")?;
            line["rows"] = row.column(0).as_primitive::<Int64Type>().value(0).into();
            line["mean"] = row.column(1).as_primitive::<Float64Type>().value(0).into();
            line["weighted_mean"] = row.column(2).as_primitive::<Float64Type>().value(0).into();
        }
        Task::Filter => {
            let row = answer.first().ok_or("the count has no row")?;
            line["count"] = row.column(0).as_primitive::<Int64Type>().value(0).into();
        }
    }
    Ok(line)
}
