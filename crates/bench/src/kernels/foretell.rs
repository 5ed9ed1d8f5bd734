//! foretell as an engine: through SQL over a table in memory, and without.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, RecordBatch};
use datafusion::datasource::MemTable;
use datafusion::physical_plan::SendableRecordBatchStream;
use foretell::Session;
use foretell::model::{Answer, Model, OnRefusedRow};
use futures::StreamExt;
use tokio::runtime::{Builder, Runtime};

use super::rows;
use super::worker::{Answers, Predictor, Timing, path_text};
use crate::Result;

/// Batches that are told apart in a table of small ones; their memory is that of all rows in a table of large ones.
const DISTINCT_BATCHES: usize = 4096;
/// DataFusion cuts batches that are larger than this, unless it is told otherwise.
const USUAL_BATCH_ROWS: usize = 8192;

/// `SELECT predict('m', ...) FROM rows`, with as many partitions as there are threads.
///
/// A run is one statement, from its text to its last batch, over a table that has as many batches as fill the time. A table
/// that needs more than there are has the same ones again.
pub struct SqlEngine {
    session: Session,
    runtime: Runtime,
    rows: RecordBatch,
    threads: usize,
    /// What `CREATE MODEL` took.
    pub load_seconds: f64,
    /// The statement that is measured.
    measured: String,
    /// The statement whose answers are compared.
    compared: String,
    /// Rows of a batch and batches of the table, once that is known.
    table: Option<(usize, usize)>,
}

/// How [`SqlEngine`] is called.
pub struct Call<'a> {
    pub function: &'a str,
    /// Type of text columns.
    pub text: &'a str,
    /// Classifiers are compared by their probabilities.
    pub is_classifier: bool,
}

impl SqlEngine {
    pub fn open(model: &Path, file: &Path, threads: usize, call: &Call<'_>) -> Result<Self> {
        let runtime = if threads == 1 {
            Builder::new_current_thread().enable_all().build()?
        } else {
            Builder::new_multi_thread().worker_threads(threads).enable_all().build()?
        };
        let rows = rows::read(file, call.text, usize::MAX)?;
        let session = Session::in_memory()?;
        let load_seconds = runtime.block_on(async {
            session.sql(&format!("SET datafusion.execution.target_partitions = {threads}")).await?;
            let start = Instant::now();
            session.sql(&format!("CREATE MODEL m FROM '{}'", path_text(model)?)).await?;
            Ok::<_, Box<dyn Error>>(start.elapsed().as_secs_f64())
        })?;
        let names: Vec<&str> = rows.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
        let features = names.join(", ");
        let statement = |function: &str| format!("SELECT {function}('m', {features}) AS answer FROM rows");
        let compared = statement(if call.is_classifier { "predict_proba" } else { call.function });
        let measured = statement(call.function);
        Ok(Self { session, runtime, rows, threads, load_seconds, measured, compared, table: None })
    }

    /// Makes the table `rows`, its batches dealt to as many partitions as there are threads.
    fn make_table(&self, batch: usize, count: usize) -> Result<()> {
        let each = count.div_ceil(self.threads);
        let partition = |at: usize| -> Result<Vec<RecordBatch>> {
            let batches = rows::batches(&self.rows, batch, at * each, DISTINCT_BATCHES.min(each))?;
            Ok(batches.iter().cycle().take(each).cloned().collect())
        };
        let partitions = (0..self.threads).map(partition).collect::<Result<_>>()?;
        let table = MemTable::try_new(self.rows.schema(), partitions)?;
        let context = self.session.context();
        context.deregister_table("rows")?;
        context.register_table("rows", Arc::new(table))?;
        let batch_size = batch.max(USUAL_BATCH_ROWS);
        let setting = format!("SET datafusion.execution.batch_size = {batch_size}");
        self.runtime.block_on(self.session.sql(&setting))?;
        Ok(())
    }

    /// Runs the statement once, and reads what it gives.
    fn measure(&self) -> Result<Timing> {
        let start = Instant::now();
        let rows = self.runtime.block_on(async {
            let frame = self.session.sql(&self.measured).await?;
            let mut streams = frame.execute_stream_partitioned().await?;
            if streams.len() == 1 {
                return drain(streams.remove(0)).await;
            }
            let tasks: Vec<_> = streams.into_iter().map(|stream| tokio::spawn(counted(stream))).collect();
            let mut rows = 0;
            for task in tasks {
                rows += task.await??;
            }
            Ok(rows)
        })?;
        Ok(Timing { rows, seconds: start.elapsed().as_secs_f64() })
    }

    /// Makes a table that takes about so many seconds.
    fn fill(&mut self, batch: usize, seconds: f64) -> Result<()> {
        let mut count = self.threads;
        loop {
            self.make_table(batch, count)?;
            // The faster of two: a pause of the machine would look like a table that is long enough.
            let taken = self.measure()?.seconds.min(self.measure()?.seconds);
            if taken >= seconds {
                break;
            }
            // What a statement takes besides its rows makes a small table look slower than it is.
            let wanted = count as f64 * (seconds / taken).clamp(1.2, 16.0);
            count = (wanted as usize).max(count + self.threads);
        }
        self.table = Some((batch, count));
        Ok(())
    }
}

async fn drain(mut stream: SendableRecordBatchStream) -> Result<usize> {
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        rows += std::hint::black_box(batch?).num_rows();
    }
    Ok(rows)
}

/// [`drain`] with an error that may go from one thread to another.
async fn counted(stream: SendableRecordBatchStream) -> Result<usize, String> {
    drain(stream).await.map_err(|error| error.to_string())
}

impl Predictor for SqlEngine {
    fn run(&mut self, batch: usize, seconds: f64) -> Result<Timing> {
        if self.table.is_none_or(|(table_batch, _)| table_batch != batch) {
            self.fill(batch, seconds)?;
        }
        self.measure()
    }

    fn answers(&mut self, rows: usize) -> Result<Answers> {
        self.table = None;
        let table = MemTable::try_new(self.rows.schema(), vec![vec![self.rows.slice(0, rows)]])?;
        self.session.context().deregister_table("rows")?;
        self.session.context().register_table("rows", Arc::new(table))?;
        let frame = self.runtime.block_on(self.session.sql(&self.compared))?;
        let batches = self.runtime.block_on(frame.collect())?;
        let arrays: Vec<ArrayRef> = batches.iter().map(|batch| Arc::clone(batch.column(0))).collect();
        rows::answers(&arrays)
    }
}

/// `Model::run` on batches that are there already.
pub struct ModelEngine {
    model: Model,
    rows: RecordBatch,
    is_classifier: bool,
    batches: (usize, Vec<RecordBatch>),
    at: usize,
}

impl ModelEngine {
    pub fn new(model: Model, rows: RecordBatch, is_classifier: bool) -> Self {
        Self { model, rows, is_classifier, batches: (0, Vec::new()), at: 0 }
    }

    /// Predicts so many rows, one by one.
    pub fn repeat(&self, count: usize) -> Result<()> {
        let batches = rows::batches(&self.rows, 1, 0, DISTINCT_BATCHES)?;
        for batch in batches.iter().cycle().take(count) {
            std::hint::black_box(self.predict(batch, Answer::Prediction)?);
        }
        Ok(())
    }

    fn predict(&self, batch: &RecordBatch, answer: Answer) -> Result<ArrayRef> {
        let answers = self.model.run(batch.columns(), batch.num_rows(), &[answer], OnRefusedRow::Fail)?;
        Ok(answers.into_iter().next().ok_or("no answer")?)
    }
}

impl Predictor for ModelEngine {
    fn run(&mut self, batch: usize, seconds: f64) -> Result<Timing> {
        if self.batches.0 != batch {
            self.batches = (batch, rows::batches(&self.rows, batch, 0, DISTINCT_BATCHES)?);
        }
        let start = Instant::now();
        let mut rows = 0;
        loop {
            let batches = &self.batches.1;
            std::hint::black_box(self.predict(&batches[self.at % batches.len()], Answer::Prediction)?);
            self.at += 1;
            rows += batch;
            let elapsed = start.elapsed().as_secs_f64();
            if elapsed >= seconds {
                return Ok(Timing { rows, seconds: elapsed });
            }
        }
    }

    fn answers(&mut self, rows: usize) -> Result<Answers> {
        let answer = if self.is_classifier { Answer::Probabilities } else { Answer::Prediction };
        rows::answers(&[self.predict(&self.rows.slice(0, rows), answer)?])
    }
}
