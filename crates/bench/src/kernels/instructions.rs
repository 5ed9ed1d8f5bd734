//! Instructions of one row through `Model::run`, counted by valgrind: a number that a busy machine does not change.
//!
//! What a process does besides is left out by subtraction. Valgrind knows no AVX-512, so that what is counted is the way of a
//! processor with AVX2.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use foretell::model::{LoadOptions, Model};
use lexopt::{Arg, Parser, ValueExt};

use super::cases::{CASES, Case, WITHOUT_SQL};
use super::foretell::ModelEngine;
use super::rows;
use crate::Result;
use crate::report::{Grid, Report};

/// The command that valgrind runs.
pub const ONE_ROW: &str = "one-row";

/// Rows that come first, so that nothing is counted that happens once.
const ROWS_BEFORE: usize = 100;
const ROWS: usize = 200;
/// Rows that are told apart.
const DISTINCT_ROWS: usize = 1000;

/// Valgrind takes minutes to load it, and for each of its rows.
const TOO_LARGE: &str = "minilm";

/// `instructions DIR [--models A,B] [--results PATH]`
pub fn run(mut parser: Parser) -> Result<()> {
    let (mut folder, mut models, mut results) = (PathBuf::new(), None, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Value(value) if folder.as_os_str().is_empty() => folder = value.into(),
            Arg::Long("models") => models = Some(crate::list(&parser.value()?.string()?)),
            Arg::Long("results") => results = Some(PathBuf::from(parser.value()?)),
            other => return Err(other.unexpected().into()),
        }
    }
    let folder = crate::made_folder(&folder)?;
    crate::check_names("model", models.as_deref(), &CASES.map(|case| case.name))?;
    if models.is_none() && results.is_none() {
        results = Some(crate::report::results_file());
    }
    let mut report = Report::new("Instructions")?;
    let mut grid = Grid::new(["one row of", "instructions"].map(str::to_owned).to_vec());
    for case in CASES.iter().filter(|case| match &models {
        Some(models) => models.iter().any(|name| name == case.name),
        None => case.name != TOO_LARGE,
    }) {
        let before = count(&folder, case, ROWS_BEFORE)?;
        let after = count(&folder, case, ROWS_BEFORE + ROWS)?;
        grid.push(vec![case.title.to_owned(), ((after - before) / ROWS as u64).to_string()]);
    }
    report.title("One row through `Model::run`, with AVX2, counted by valgrind");
    report.grid(&grid);
    report.finish(results.as_deref())
}

/// Instructions of a process that answers so many rows one by one.
fn count(folder: &Path, case: &Case, rows: usize) -> Result<u64> {
    let engine = case.engines.iter().find(|engine| engine.name == WITHOUT_SQL).ok_or("a model without `Model::run`")?;
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(std::env::current_exe()?);
    command.arg(ONE_ROW).arg(folder.join("models").join(engine.model)).arg(folder.join("data").join(case.rows));
    let output = command.arg(rows.to_string()).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot run valgrind, which `instructions` needs: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    collected(&text).ok_or_else(|| format!("{command:?} counted nothing: {text}").into())
}

/// "==7== Collected : 123"
fn collected(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit_once(": ")?.1.trim().parse().ok()
}

/// `one-row MODEL ROWS COUNT`
pub fn one_row(mut parser: Parser) -> Result<()> {
    let model = Model::from_bytes(&std::fs::read(parser.value()?)?, &LoadOptions::default())?;
    let rows = rows::read(&PathBuf::from(parser.value()?), "Utf8View", DISTINCT_ROWS)?;
    ModelEngine::new(model, rows, false).repeat(parser.value()?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valgrind_says_what_it_collected() {
        assert_eq!(collected("==7== Events    : Ir\n==7== Collected : 4123\n==7==\n"), Some(4123));
        assert_eq!(collected("==7== no such file"), None);
    }
}
