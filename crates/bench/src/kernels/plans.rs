//! How many rows tract is to compute at once, and whether its plan is to be made for that number.
//!
//! What is found here is what `island/` and `network/` of `foretell-model` go by.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

use super::cases::{CASES, Case, Kind};
use super::rows;
use super::tract::{PlanKind, TractEngine};
use super::worker::{Predictor, Timing};
use crate::Result;
use crate::measure::Sample;
use crate::report::{Grid, Report, locked_version, per_second};

const ROWS: [usize; 9] = [1, 4, 8, 16, 32, 128, 512, 1024, 4096];
const KINDS: [PlanKind; 2] = [PlanKind::Specialised, PlanKind::Symbolic];
const ROUNDS: usize = 3;
/// How long a plan computes in one round.
const SECONDS: f64 = 0.2;
/// Trees take seconds for a row.
const TOO_SLOW: &str = "digits";

/// `plans DIR [--models A,B] [--results PATH]`
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
    let mut report = Report::new("Plans of tract")?;
    report.version("tract-onnx", &locked_version("tract-onnx"));
    for case in CASES.iter().filter(|case| case.name != TOO_SLOW) {
        let is_wanted = models.as_ref().is_none_or(|models| models.iter().any(|name| name == case.name));
        let Some(engine) = case.engines.iter().find(|engine| engine.kind == Kind::Tract && is_wanted) else { continue };
        let rows = rows::matrices(&rows::read(&folder.join("data").join(case.rows), "Utf8View", usize::MAX)?)?;
        let model = folder.join("models").join(engine.model);
        report.title(case.title);
        report.grid(&measure(case, |rows_at_once, kind| TractEngine::new(&model, &rows, 1, rows_at_once, kind))?);
    }
    report.finish(results.as_deref())
}

/// Whether tract has such a plan: where it cannot, it panics.
fn compiles(engine: &mut TractEngine, rows: usize) -> bool {
    catch_unwind(AssertUnwindSafe(|| engine.plan(rows).is_ok())).unwrap_or(false)
}

/// Rows per second of plans for each number of rows, by one thread.
fn measure(case: &Case, engine: impl Fn(usize, PlanKind) -> TractEngine) -> Result<Grid> {
    let mut grid = Grid::new(["rows at once", "for that number", "for any number"].map(str::to_owned).to_vec());
    for rows in ROWS.into_iter().filter(|rows| *rows <= case.batches[2]) {
        let mut engines = KINDS.map(|kind| engine(rows, kind));
        let can_compile = engines.each_mut().map(|engine| compiles(engine, rows));
        let mut samples = KINDS.map(|_| Sample::default());
        for round in 0..=ROUNDS {
            for ((engine, sample), _) in engines.iter_mut().zip(&mut samples).zip(can_compile).filter(|(_, can)| *can) {
                let Timing { rows, seconds } = engine.run(rows, SECONDS)?;
                // The first round warms up.
                if round > 0 {
                    sample.push(seconds / rows as f64);
                }
            }
        }
        let cells = samples.iter().map(|sample| match sample.len() {
            0 => "none".to_owned(),
            _ => per_second(1.0 / sample.median()),
        });
        grid.push(std::iter::once(rows.to_string()).chain(cells).collect());
    }
    Ok(grid)
}
