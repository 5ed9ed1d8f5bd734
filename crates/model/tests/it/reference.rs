//! Every fixture: labels equal on every row, numbers within the tolerance, and the same bits for any batch.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::concat;
use foretell_model::{Answer, LoadOptions, Model, NullPolicy, OnRefusedRow, PassOptions};

use crate::compare::{ONNX, Tolerance, difference_within};
use crate::fixtures::{Fixture, load};

/// The models' NULL is NaN in the reference.
fn options() -> LoadOptions {
    LoadOptions { on_null: Some(NullPolicy::Missing), ..LoadOptions::default() }
}

#[test]
fn flights_answer_as_onnxruntime_does() {
    check_all(&load("flights"), &options(), tolerance);
}

#[test]
fn the_zoo_answers_as_onnxruntime_does() {
    check_all(&load("zoo"), &options(), tolerance);
}

/// Checks all fixtures, each under the tolerance for its name, and prints how many there are.
pub fn check_all(fixtures: &[Fixture], options: &LoadOptions, tolerance: fn(&str) -> Tolerance) {
    assert!(!fixtures.is_empty(), "there are fixtures");
    let failures: Vec<String> = fixtures
        .iter()
        .filter_map(|fixture| {
            check(fixture, options, tolerance(&fixture.name))
                .err()
                .map(|failure| format!("{}: {failure}", fixture.name))
        })
        .collect();
    let (failed, all) = (failures.len(), fixtures.len());
    assert!(failures.is_empty(), "{failed} of {all} fixtures differ:\n{}", failures.join("\n"));
    println!("{all} files answer as the reference does");
}

/// The tolerance of a model. Some subtract large numbers from each other in single precision, so that the
/// rounding of either side is larger than the rule allows.
fn tolerance(name: &str) -> Tolerance {
    match name {
        // The distance to a centre is the root of a difference of squares a thousand times as large.
        "kmeans_iris" => Tolerance { relative: 2e-4, ..ONNX },
        _ => ONNX,
    }
}

fn check(fixture: &Fixture, options: &LoadOptions, tolerance: Tolerance) -> Result<(), String> {
    let model = Model::from_bytes(&fixture.model, options).map_err(|error| error.to_string())?;
    let raw = raw_answer(&model, &fixture.features, fixture.rows)?;
    for (name, expected) in &fixture.expected {
        let got = raw.as_struct().column_by_name(name).ok_or_else(|| format!("no output {name}"))?;
        if let Some(difference) = difference_within(got, expected, tolerance) {
            return Err(format!("{name}: {difference}"));
        }
    }
    let plain = LoadOptions { passes: PassOptions::NONE, ..options.clone() };
    let plain = Model::from_bytes(&fixture.model, &plain).map_err(|error| error.to_string())?;
    if raw_answer(&plain, &fixture.features, fixture.rows)?.as_ref() != raw.as_ref() {
        return Err("the passes change the answer".to_string());
    }
    check_batches(&model, fixture, &raw)
}

fn raw_answer(model: &Model, features: &[ArrayRef], rows: usize) -> Result<ArrayRef, String> {
    let mut answers =
        model.run(features, rows, &[Answer::Raw], OnRefusedRow::Fail).map_err(|error| error.to_string())?;
    answers.pop().ok_or_else(|| "no answer".to_string())
}

/// Rows one by one, and in slices, have the bits of the whole batch.
fn check_batches(model: &Model, fixture: &Fixture, whole: &ArrayRef) -> Result<(), String> {
    for size in [1, 7] {
        let mut parts = Vec::new();
        for start in (0..fixture.rows.min(200)).step_by(size) {
            let rows = size.min(fixture.rows - start);
            let features: Vec<ArrayRef> = fixture.features.iter().map(|column| column.slice(start, rows)).collect();
            parts.push(raw_answer(model, &features, rows)?);
        }
        let parts: Vec<&dyn Array> = parts.iter().map(|part| part.as_ref()).collect();
        let joined = concat(&parts).map_err(|error| error.to_string())?;
        let same = if model.backend() == "native" {
            joined == whole.slice(0, joined.len())
        } else {
            let (got, expected) = (joined.as_struct(), whole.slice(0, joined.len()));
            let fields = got.columns().iter().zip(expected.as_struct().columns());
            fields
                .into_iter()
                .all(|(got, expected)| difference_within(got, expected, Tolerance { relative: 1e-6, ..ONNX }).is_none())
        };
        if !same {
            return Err(format!("batches of {size} rows answer differently"));
        }
    }
    Ok(())
}
