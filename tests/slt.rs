//! Runs every `tests/slt/**/*.slt` file in a session of its own, in memory or on a fresh database directory.
//!
//! `cargo test --test slt -- predict` runs the files whose path contains `predict`. `UPDATE_SLT=1` writes the answers of the
//! engine into the files: read the difference before you commit it.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use foretell::{Outcome, Session};
use libtest_mimic::{Arguments, Failed, Trial};
use sqllogictest::{
    AsyncDB, DBOutput, DefaultColumnType, Runner, default_column_validator, default_normalizer, default_validator,
};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let trials = files
        .into_iter()
        .map(|file| {
            let name = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
            Trial::test(name, move || run(&file))
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("tests/slt is a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "slt") {
            files.push(path);
        }
    }
}

/// Files under `tables/` run on a database directory, the others in memory.
fn run(file: &Path) -> Result<(), Failed> {
    // Planning is recursive, and unoptimised frames are large.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(16 << 20)
        .enable_all()
        .build()?;
    let directory = tempfile::tempdir()?;
    let on_disk = file.parent().is_some_and(|parent| parent.ends_with("tables"));
    let file = file.to_owned();
    let task = runtime.spawn(async move {
        let database = on_disk.then(|| directory.path().join("db"));
        let mut runner = Runner::new(|| {
            let database = database.clone();
            async move { Engine::open(database) }
        });
        runner.with_column_validator(default_column_validator);
        runner.set_var("DIR".to_owned(), directory.path().display().to_string());
        let result = if std::env::var_os("UPDATE_SLT").is_some() {
            runner
                .update_test_file(&file, " ", default_validator, default_normalizer, default_column_validator)
                .await
                .map_err(|error| Failed::from(error.to_string()))
        } else {
            runner.run_file_async(&file).await.map_err(|error| Failed::from(error.display(false).to_string()))
        };
        runner.shutdown_async().await;
        result
    });
    runtime.block_on(task)?
}

struct Engine {
    session: Session,
    database: Option<PathBuf>,
}

impl Engine {
    fn open(database: Option<PathBuf>) -> Result<Self, foretell::Error> {
        let session = match &database {
            Some(directory) => Session::open(directory)?,
            None => Session::in_memory()?,
        };
        Ok(Self { session, database })
    }
}

#[async_trait]
impl AsyncDB for Engine {
    type Error = foretell::Error;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, foretell::Error> {
        // Not SQL: closes the session and opens the directory again, as a restarted program would.
        if sql.trim().eq_ignore_ascii_case("restart") {
            *self = Self::open(self.database.take())?;
            return Ok(DBOutput::StatementComplete(0));
        }
        match self.session.execute(sql).await? {
            Outcome::Done { .. } => Ok(DBOutput::StatementComplete(0)),
            Outcome::Rows(frame) => {
                let types = frame.schema().fields().iter().map(|field| column_type(field.data_type())).collect();
                let batches = frame.collect().await?;
                let mut rows = Vec::new();
                for batch in &batches {
                    format_rows(batch, &mut rows)?;
                }
                Ok(DBOutput::Rows { types, rows })
            }
        }
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "foretell"
    }
}

fn column_type(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        data_type if data_type.is_integer() => DefaultColumnType::Integer,
        data_type if data_type.is_floating() => DefaultColumnType::FloatingPoint,
        data_type if data_type.is_string() => DefaultColumnType::Text,
        _ => DefaultColumnType::Any,
    }
}

/// Cells as text; floats with six significant digits, so that files hold what every machine prints.
fn format_rows(batch: &RecordBatch, rows: &mut Vec<Vec<String>>) -> Result<(), datafusion::error::DataFusionError> {
    let options = FormatOptions::default().with_null("NULL");
    let columns = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options))
        .collect::<Result<Vec<_>, _>>()?;
    for row in 0..batch.num_rows() {
        let cells = columns.iter().zip(batch.columns()).map(|(column, array)| {
            let text = column.value(row).to_string();
            match (array.data_type().is_floating(), text.parse::<f64>()) {
                (true, Ok(number)) if number.is_finite() => rounded(number),
                _ if text.is_empty() => "(empty)".to_owned(),
                _ => text.replace('\n', "\\n"),
            }
        });
        rows.push(cells.collect());
    }
    rows.iter_mut().for_each(|row| hide_machine(row));
    Ok(())
}

/// Takes out of `DESCRIBE MODEL` and `EXPLAIN` what differs from processor to processor.
fn hide_machine(row: &mut [String]) {
    const HIDDEN: &str = "(this machine's)";
    match row {
        [part, name, value, _] if is_of_machine(part, name) => {
            *value = HIDDEN.to_owned();
        }
        [part, steps] if part.starts_with("model ") => {
            let hidden = |step: &str| match step.split_once(": ") {
                Some((step, _)) => format!("{step}: {HIDDEN}"),
                None => step.to_owned(),
            };
            *steps = steps.split("\\n").map(hidden).collect::<Vec<_>>().join("\\n");
        }
        _ => {}
    }
}

fn is_of_machine(part: &str, name: &str) -> bool {
    part == "kernel" || (part == "fact" && matches!(name, "memory_bytes" | "load_ms"))
}

fn rounded(number: f64) -> String {
    let short: f64 = format!("{number:.5e}").parse().unwrap_or(number);
    short.to_string()
}
