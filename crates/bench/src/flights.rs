//! The flights of 2013, scored and saved: by foretell, and by what a Python user would write.
//!
//! Both do the same work and save the same columns. They take turns, so that whatever else the machine does meets both.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;

use lexopt::{Arg, Parser, ValueExt};

use crate::measure::{Run, sql_folder};
use crate::{Result, job};

/// One comparison.
struct Case {
    name: &'static str,
    model: &'static str,
    /// The columns that a model makes; `*` stands for its features.
    predictions: &'static str,
    /// What the peer is told beside model and rows.
    peer: &'static [&'static str],
}

const CASES: [Case; 3] = [
    Case {
        name: "late, label",
        model: "late",
        predictions: "predict('late', *) AS prediction",
        peer: &["--prediction-only"],
    },
    Case {
        name: "late, label and probability",
        model: "late",
        predictions: "predict('late', *) AS prediction, greatest(predict_proba('late', *)['late'], \
                      predict_proba('late', *)['on_time']) AS probability",
        peer: &[],
    },
    Case {
        name: "delay, value",
        model: "delay",
        predictions: "predict('delay', *) AS prediction",
        peer: &["--prediction-only"],
    },
];

/// What the flags say.
struct Options {
    /// How many times the flights are taken.
    repeat: usize,
    /// How many times each runs.
    pairs: usize,
    threads: usize,
    /// A Python that has what the peer requires.
    python: Option<PathBuf>,
}

/// `flights [--repeat N] [--pairs N] [--threads N] [--python PATH]`
pub fn run(parser: Parser) -> Result<()> {
    let options = Options::parse(parser)?;
    for case in &CASES {
        println!("{}", case.name);
        let (ours, theirs) = options.measure(case)?;
        let ours = Run::median(&ours)?;
        println!("  {:<12} {ours}", "foretell");
        if theirs.is_empty() {
            continue;
        }
        let theirs = Run::median(&theirs)?;
        println!("  {:<12} {theirs}", "onnxruntime");
        if ours.rows != theirs.rows {
            return Err(format!("foretell saved {} rows, onnxruntime {}", ours.rows, theirs.rows).into());
        }
        println!("  {:<12} {:.2} x the time of foretell", "", theirs.seconds / ours.seconds);
    }
    Ok(())
}

impl Options {
    fn parse(mut parser: Parser) -> Result<Self> {
        let threads = available_parallelism()?.get();
        let mut options = Self { repeat: 10, pairs: 5, threads, python: None };
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("repeat") => options.repeat = parser.value()?.parse()?,
                Arg::Long("pairs") => options.pairs = parser.value()?.parse()?,
                Arg::Long("threads") => options.threads = parser.value()?.parse()?,
                Arg::Long("python") => options.python = Some(parser.value()?.into()),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(options)
    }

    fn measure(&self, case: &Case) -> Result<(Vec<Run>, Vec<Run>)> {
        let statements = statements(case.model, case.predictions, self.repeat)?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..self.pairs {
            ours.push(job::start(&statements, self.threads)?);
            if let Some(python) = &self.python {
                theirs.push(self.run_peer(python, case)?);
            }
        }
        Ok((ours, theirs))
    }

    fn run_peer(&self, python: &Path, case: &Case) -> Result<Run> {
        let mut command = Command::new(python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/score_flights.py"));
        command.arg(model_file(case.model)).args(case.peer);
        command.args(["--repeat", &self.repeat.to_string(), "--threads", &self.threads.to_string()]);
        Run::of(&mut command)
    }
}

/// Makes the model, and the table `scored` from the flights, `repeat` times over.
pub fn statements(model: &str, predictions: &str, repeat: usize) -> Result<Vec<String>> {
    let predictions = predictions.replace('*', &features(model)?);
    let flights = sql_folder().join("data/flights.parquet");
    Ok(vec![
        format!("CREATE MODEL {model} FROM '{}'", model_file(model).display()),
        format!(
            "CREATE TABLE scored AS SELECT year, month, day, carrier, flight, {predictions} \
             FROM range(0, {repeat}) CROSS JOIN '{}' AS flights",
            flights.display()
        ),
    ])
}

fn model_file(model: &str) -> PathBuf {
    sql_folder().join("models").join(model).with_extension("onnx")
}

/// The columns that are the model's features, as the peer reads them, too.
fn features(model: &str) -> Result<String> {
    let path = sql_folder().join("models/features.json");
    let lists: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
    let list = lists[model].as_array().ok_or_else(|| format!("{} has no features of `{model}`", path.display()))?;
    Ok(list.iter().filter_map(|name| name.as_str()).collect::<Vec<_>>().join(", "))
}
