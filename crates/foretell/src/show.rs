//! Answers of `SHOW MODELS` and `DESCRIBE MODEL`, and what `EXPLAIN` says of a model.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::Result;
use foretell_model::{Answer, Model};
use foretell_udfs::NamedModel;

use crate::error::told;

/// One row per model. A model whose file cannot be read says so in `status`.
pub(crate) fn models(models: &[NamedModel]) -> Result<RecordBatch> {
    let loaded: Vec<Result<Arc<Model>>> = models.iter().map(NamedModel::model).collect();
    let text = |of: &dyn Fn(&Model) -> String| -> ArrayRef {
        Arc::new(loaded.iter().map(|model| model.as_ref().ok().map(|model| of(model))).collect::<StringArray>())
    };
    let status = loaded.iter().map(|model| match model {
        Ok(_) => "ready".to_owned(),
        Err(error) => told(error),
    });
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("name", Arc::new(models.iter().map(|model| Some(model.name.to_string())).collect::<StringArray>())),
        ("task", text(&|model| model.signature().task.as_str().to_owned())),
        ("prediction", text(&|model| model.signature().prediction.to_string())),
        ("features", Arc::new(models.iter().map(|model| model.details.features.len() as i64).collect::<Int64Array>())),
        ("backend", text(&|model| model.backend().to_owned())),
        ("format", text(&|model| model.signature().format.to_owned())),
        ("source", Arc::new(models.iter().map(|model| Some(source(model))).collect::<StringArray>())),
        ("temporary", Arc::new(models.iter().map(|model| Some(model.details.temporary)).collect::<BooleanArray>())),
        ("status", Arc::new(status.map(Some).collect::<StringArray>())),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))?)
}

/// The address a model came from, and what it meant then.
fn source(model: &NamedModel) -> String {
    let uri = &model.details.uri;
    model.details.resolved.as_ref().map_or_else(|| uri.clone(), |resolved| format!("{uri} ({resolved})"))
}

/// What a model takes and returns, a row each.
pub(crate) fn describe(named: &NamedModel) -> Result<RecordBatch> {
    let model = named.model()?;
    let signature = model.signature();
    let mut rows = Rows::default();
    for feature in &signature.features {
        rows.push("feature", &feature.name, &feature.type_text(), Some(feature.null_policy.as_str()));
    }
    rows.push("prediction", &format!("predicted_{}", named.details.label), &signature.prediction.to_string(), None);
    if let Some(classes) = &signature.classes {
        let formatter = ArrayFormatter::try_new(classes, &FormatOptions::default())?;
        for class in 0..classes.len() {
            let probability = if signature.has_probabilities { DataType::Float32.to_string() } else { String::new() };
            rows.push("class", &formatter.value(class).to_string(), &probability, None);
        }
    }
    for output in &signature.outputs {
        rows.push("output", &output.name, &output.data_type.to_string(), None);
    }
    let facts = [
        ("task", signature.task.as_str().to_owned()),
        ("format", signature.format.to_owned()),
        ("producer", signature.producer.clone()),
        ("backend", model.backend().to_owned()),
        ("source", named.details.uri.clone()),
        ("resolved", named.details.resolved.clone().unwrap_or_default()),
        ("sha256", signature.sha256.clone()),
        ("bytes", signature.file_bytes.to_string()),
        ("memory_bytes", model.bytes().map(|bytes| bytes.to_string()).unwrap_or_default()),
        ("load_ms", format!("{:.3}", model.load_time().as_secs_f64() * 1e3)),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        rows.push("fact", name, value, None);
    }
    for line in model.describe() {
        let times = times(line.steps);
        rows.push("step", line.kernel, &format!("{}{times}, from node {}", line.backend, line.node), None);
    }
    for line in model.describe() {
        if let Some(choice) = &line.choice {
            rows.push("kernel", line.kernel, choice, None);
        }
    }
    rows.into_batch()
}

/// How a model computes these answers on this processor: a line for each kind of step.
pub(crate) fn computation(model: &Model, answers: &[Answer]) -> String {
    let lines = model.describe_answers(answers).into_iter().map(|line| {
        let times = times(line.steps);
        let choice = line.choice.map_or_else(String::new, |choice| format!(": {choice}"));
        format!("{}{times} ({}){choice}", line.kernel, line.backend)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// How often a step is there, behind its name.
fn times(steps: usize) -> String {
    if steps == 1 { String::new() } else { format!(" x {steps}") }
}

#[derive(Default)]
struct Rows {
    part: Vec<String>,
    name: Vec<String>,
    value: Vec<String>,
    on_null: Vec<Option<String>>,
}

impl Rows {
    fn push(&mut self, part: &str, name: &str, value: &str, on_null: Option<&str>) {
        self.part.push(part.to_owned());
        self.name.push(name.to_owned());
        self.value.push(value.to_owned());
        self.on_null.push(on_null.map(str::to_owned));
    }

    fn into_batch(self) -> Result<RecordBatch> {
        let columns: [(&str, ArrayRef); 4] = [
            ("part", Arc::new(StringArray::from(self.part))),
            ("name", Arc::new(StringArray::from(self.name))),
            ("value", Arc::new(StringArray::from(self.value))),
            ("on_null", Arc::new(StringArray::from(self.on_null))),
        ];
        Ok(RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))?)
    }
}
