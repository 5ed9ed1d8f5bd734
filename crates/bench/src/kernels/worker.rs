//! An engine in a process of its own, which is told line by line what to do.
//!
//! The process stays, so that engines can take turns and nothing is measured that happens once. `peers/kernels.py` speaks
//! the same lines: `run BATCH SECONDS` predicts batch after batch for at least so long, `answers ROWS PATH` writes the
//! answers to the first rows as little-endian float32. Every line of output is JSON; the first says that the model is loaded.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::Result;

/// What a run of an engine took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    pub rows: usize,
    pub seconds: f64,
}

/// Answers, row after row.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    pub values: Vec<f32>,
    /// Numbers of one row.
    pub width: usize,
}

/// What a process of ours runs.
pub trait Predictor {
    /// Predicts batch after batch, for about so many seconds.
    fn run(&mut self, batch: usize, seconds: f64) -> Result<Timing>;
    /// The answers to the first rows.
    fn answers(&mut self, rows: usize) -> Result<Answers>;
}

/// Obeys the lines of standard input until it ends.
pub fn serve(predictor: &mut dyn Predictor, version: &str, load_seconds: f64) -> Result<()> {
    say(&json!({ "version": version, "load_seconds": load_seconds }))?;
    for line in std::io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        match words[..] {
            ["run", batch, seconds] => {
                let Timing { rows, seconds } = predictor.run(batch.parse()?, seconds.parse()?)?;
                say(&json!({ "rows": rows, "seconds": seconds }))?;
            }
            ["answers", rows, path] => {
                let Answers { values, width } = predictor.answers(rows.parse()?)?;
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                std::fs::write(path, bytes)?;
                say(&json!({ "width": width }))?;
            }
            _ => return Err(format!("`{line}` is neither `run BATCH SECONDS` nor `answers ROWS PATH`").into()),
        }
    }
    Ok(())
}

fn say(line: &Value) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}

/// The other end of [`serve`].
pub struct Worker {
    name: &'static str,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Version of the library.
    pub version: String,
    /// What reading the model took.
    pub load_seconds: f64,
}

impl Worker {
    /// Starts the process and waits until its model is loaded.
    pub fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("cannot start {command:?}: {error}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("{command:?} has no pipes").into());
        };
        let mut worker =
            Self { name, child, input, output: BufReader::new(output), version: String::new(), load_seconds: 0.0 };
        let ready = worker.read().map_err(|error| format!("{error}; it was started as {command:?}"))?;
        worker.version = ready["version"].as_str().unwrap_or("unknown").to_owned();
        worker.load_seconds = ready["load_seconds"].as_f64().unwrap_or(f64::NAN);
        Ok(worker)
    }

    /// Predicts batch after batch for about so many seconds.
    pub fn run(&mut self, batch: usize, seconds: f64) -> Result<Timing> {
        let answer = self.ask(&format!("run {batch} {seconds}"))?;
        match (answer["rows"].as_u64(), answer["seconds"].as_f64()) {
            (Some(rows), Some(seconds)) => Ok(Timing { rows: usize::try_from(rows)?, seconds }),
            _ => Err(format!("{} said {answer} instead of rows and seconds", self.name).into()),
        }
    }

    /// The answers to the first rows.
    pub fn answers(&mut self, rows: usize) -> Result<Answers> {
        let file = tempfile::NamedTempFile::new()?;
        let answer = self.ask(&format!("answers {rows} {}", path_text(file.path())?))?;
        let width = answer["width"].as_u64().ok_or_else(|| format!("{} said {answer} instead of width", self.name))?;
        let bytes = std::fs::read(file.path())?;
        let (values, _) = bytes.as_chunks::<4>();
        let values: Vec<f32> = values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Ok(Answers { values, width: usize::try_from(width)? })
    }

    fn ask(&mut self, line: &str) -> Result<Value> {
        writeln!(self.input, "{line}").map_err(|error| format!("{} ended before `{line}`: {error}", self.name))?;
        self.input.flush()?;
        self.read()
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err(format!("{} ended: {}", self.name, self.child.wait()?).into());
        }
        serde_json::from_str(&line).map_err(|_| format!("{} said no JSON: {line}", self.name).into())
    }
}

impl Drop for Worker {
    /// Nothing is lost with the process: what it measured has been said.
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
    }
}

/// A path as a part of a line.
pub fn path_text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| format!("{} is not UTF-8", path.display()).into())
}
