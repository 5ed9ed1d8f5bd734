//! Every fixture: labels equal on every row, numbers within the tolerance, and the same bits for any batch.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::concat;
use foretell_model::{Answer, LoadOptions, Model, NullPolicy, OnRefusedRow, PassOptions};
use foretell_testing::counts::{self, report};
use serde_json::Value;

use crate::compare::{ONNX, Tolerance, difference_within};
use crate::fixtures::{Fixture, load, text_of};

/// The models' NULL is NaN in the reference.
pub fn options() -> LoadOptions {
    LoadOptions { on_null: Some(NullPolicy::Missing), ..LoadOptions::default() }
}

#[test]
fn flights_answer_as_onnxruntime_does() {
    let fixtures = load("flights");
    let checked = check_all(&fixtures);
    report("Zoo of ONNX exports", "flights", &checked.counts(|_| "the scripts' models of flights".to_string()));
    checked.assert_good();
}

#[test]
fn the_zoo_answers_as_onnxruntime_does() {
    let fixtures = load("zoo");
    let checked = check_all(&fixtures);
    report_zoo(&checked);
    checked.assert_good();
}

/// Checks all fixtures, each under the tolerance for its name.
fn check_all(fixtures: &[Fixture]) -> Checked<'_> {
    let mut checked = Checked::default();
    for fixture in fixtures {
        checked.check(fixture, &options(), tolerance(&fixture.name));
    }
    checked
}

/// Counts models by the program that exported them, and the classes that skl2onnx converts.
fn report_zoo(checked: &Checked) {
    let parse = |name: &str| -> Value { serde_json::from_str(&text_of("zoo", name)).expect("valid JSON") };
    let strings = |list: &Value| -> Vec<String> {
        let list = list.as_array().expect("a list").iter();
        list.map(|item| item.as_str().expect("a name").to_string()).collect()
    };
    let manifest = parse("manifest.json");
    let line = |fixture: &Fixture| {
        let lines = manifest.as_array().expect("a list");
        lines.iter().find(|line| line["name"] == *fixture.name).expect("a line of the manifest")
    };
    let classes: BTreeSet<String> = checked.good().flat_map(|fixture| strings(&line(fixture)["converters"])).collect();
    let convertible = strings(&parse("converters.json"));
    let without: Vec<&str> = convertible.iter().map(String::as_str).filter(|class| !classes.contains(*class)).collect();
    let covered = counts::of(convertible.len() - without.len(), convertible.len());
    let mut lines = checked.counts(|_| "models equal to onnxruntime".to_string());
    lines.extend(checked.counts(|fixture| {
        let estimator = line(fixture)["estimator"].as_str().expect("a name");
        let libraries = [("LGBM", "LightGBM"), ("XGB", "XGBoost"), ("CatBoost", "CatBoost")];
        let library = libraries.iter().find(|(prefix, _)| estimator.contains(prefix));
        format!("  of {}", library.map_or("scikit-learn", |(_, library)| library))
    }));
    lines.push(("classes that skl2onnx converts".to_string(), format!("{covered}; without {}", without.join(", "))));
    report("Zoo of ONNX exports", "zoo", &lines);
}

/// The fixtures that were checked, and what is wrong with some of them.
#[derive(Default)]
pub struct Checked<'f> {
    fixtures: Vec<&'f Fixture>,
    failures: BTreeMap<&'f str, String>,
}

impl<'f> Checked<'f> {
    /// Checks one more.
    pub fn check(&mut self, fixture: &'f Fixture, options: &LoadOptions, tolerance: Tolerance) {
        self.fixtures.push(fixture);
        if let Err(failure) = check(fixture, options, tolerance) {
            self.failures.insert(&fixture.name, failure);
        }
    }

    /// Those that answer as the reference does.
    pub fn good(&self) -> impl Iterator<Item = &Fixture> {
        self.fixtures.iter().copied().filter(|fixture| !self.failures.contains_key(&*fixture.name))
    }

    /// How many of each kind there are and how many are good, by the name of the kind.
    pub fn counts(&self, kind: impl Fn(&Fixture) -> String) -> Vec<(String, String)> {
        let mut kinds: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for fixture in &self.fixtures {
            let (good, all) = kinds.entry(kind(fixture)).or_default();
            *good += usize::from(!self.failures.contains_key(&*fixture.name));
            *all += 1;
        }
        kinds.into_iter().map(|(kind, (good, all))| (kind, counts::of(good, all))).collect()
    }

    /// Fails unless all are good.
    pub fn assert_good(&self) {
        let (failed, all) = (self.failures.len(), self.fixtures.len());
        let failures: Vec<String> = self.failures.iter().map(|(name, failure)| format!("{name}: {failure}")).collect();
        assert!(failures.is_empty(), "{failed} of {all} fixtures differ:\n{}", failures.join("\n"));
    }
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

pub fn check(fixture: &Fixture, options: &LoadOptions, tolerance: Tolerance) -> Result<(), String> {
    let (model, raw) = answers_agree(fixture, options, tolerance)?;
    let plain = LoadOptions { passes: PassOptions::NONE, ..options.clone() };
    let plain = Model::from_bytes(&fixture.model, &plain).map_err(|error| error.to_string())?;
    if raw_answer(&plain, &fixture.features, fixture.rows)?.as_ref() != raw.as_ref() {
        return Err("the passes change the answer".to_string());
    }
    check_batches(&model, fixture, &raw)
}

/// The model and its answers to all rows, if these are the reference's.
pub fn answers_agree(
    fixture: &Fixture,
    options: &LoadOptions,
    tolerance: Tolerance,
) -> Result<(Model, ArrayRef), String> {
    let model = Model::from_bytes(&fixture.model, options).map_err(|error| error.to_string())?;
    let raw = raw_answer(&model, &fixture.features, fixture.rows)?;
    for (name, expected) in &fixture.expected {
        let got = raw.as_struct().column_by_name(name).ok_or_else(|| format!("no output {name}"))?;
        if let Some(difference) = difference_within(got, expected, tolerance) {
            return Err(format!("{name}: {difference}"));
        }
    }
    Ok((model, raw))
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
