//! What a model is for: its task, and which columns answer `predict`, `predict_proba` and `predict_raw`.
//!
//! The rules, the first that fits:
//! 1. An output that is a classifier's label, the element of a table of labels at the largest score, the position of that
//!    score, or a single column beside a ZipMap of its type: **classification**, binary for two classes.
//! 2. The position of the smallest of several distances: **clustering**.
//! 3. A single integer column that is no label, beside a single float column called `scores`: **anomaly detection**.
//! 4. An output called `sentence_embedding`, wherever it stands: **embedding**. Exporters of text models put the states of all
//!    tokens before it.
//! 5. A first output of one number: **regression**.
//! 6. A first output of several columns: **multi-output** when a regressor made them or there are at most sixteen, else
//!    **embedding**.
//!
//! Probabilities are those of the ZipMap; without one, the first float output with one column per class; without one, as
//! many float outputs of one column as there are classes.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;

use super::builder::Origin;
use super::fact::Fact;
use super::lower::Lowered;
use crate::error::{Error, Result};
use crate::interface::{Features, Interface, Outcome, OutputColumns};
use crate::program::{ColumnId, Program};
use crate::signature::{Feature, NullPolicy, Task};

/// Vectors of up to this many numbers are several answers, longer ones an embedding.
const MULTI_OUTPUT_MAX: usize = 16;
/// What exporters of text models call the vector of a whole text.
const SENTENCE: &str = "sentence_embedding";

struct Output {
    name: String,
    columns: OutputColumns,
    /// Type of each column, or of each element of a list column.
    data_type: DataType,
}

impl Output {
    fn new(name: String, fact: Fact) -> Result<Self> {
        let (columns, data_type) = match fact {
            Fact::Block(block) => {
                let empty = || Error::Signature(format!("output `{name}` has no elements"));
                (OutputColumns::of(block.columns).ok_or_else(empty)?, block.data_type)
            }
            Fact::Packed(packed) => (OutputColumns::Packed(packed.column), packed.data_type),
            Fact::Ragged(ragged) => (OutputColumns::Ragged(ragged.column), ragged.data_type),
            Fact::Sequence(facts) => lists(&name, facts)?,
            Fact::Map { classes, columns } => (OutputColumns::Classes(classes, columns), DataType::Float32),
            Fact::Absent | Fact::Constant(_) | Fact::Dims(_) => {
                return Err(Error::Signature(format!("output `{name}` depends on the number of rows")));
            }
        };
        Ok(Self { name, columns, data_type })
    }

    fn one(&self) -> Option<ColumnId> {
        match self.columns {
            OutputColumns::One(column) => Some(column),
            _ => None,
        }
    }

    fn is_float(&self) -> bool {
        self.data_type.is_floating()
    }
}

/// Decides what the model is for.
pub(crate) fn interface(
    origins: &HashMap<ColumnId, Origin>,
    program: &Program,
    lowered: Lowered,
    nulls: &[NullPolicy],
    producer: String,
) -> Result<Interface> {
    let outputs: Vec<Output> =
        lowered.outputs.into_iter().map(|(name, fact)| Output::new(name, fact)).collect::<Result<_>>()?;
    let role = Role::find(&outputs, origins);
    let features = lowered.features.into_iter().zip(nulls).map(|(feature, &null_policy)| Feature {
        name: feature.name,
        data_type: feature.data_type,
        shape: feature.shape,
        null_policy,
    });
    let features = Features { list: features.collect(), are_named: lowered.named };
    let outcome = Outcome {
        task: role.task,
        outputs: outputs.into_iter().map(|output| (output.name, output.columns)).collect(),
        prediction: role.prediction,
        classes: role.classes,
        probabilities: role.probabilities,
    };
    Interface::try_new(program, features, outcome, "ONNX", producer)
}

/// The elements of a sequence's tensors, each a list in the list of a row.
fn lists(name: &str, facts: Vec<Fact>) -> Result<(OutputColumns, DataType)> {
    let (mut lengths, mut columns, mut data_type) = (Vec::new(), Vec::new(), None);
    for fact in facts {
        let Fact::Block(block) = fact else {
            return Err(Error::Signature(format!("output `{name}` is a sequence of something other than tensors")));
        };
        lengths.push(block.columns.len());
        columns.extend(block.columns);
        data_type = Some(block.data_type);
    }
    match data_type.filter(|_| !columns.is_empty()) {
        Some(data_type) => Ok((OutputColumns::Lists(lengths, columns), data_type)),
        None => Err(Error::Signature(format!("output `{name}` has no elements"))),
    }
}

/// Which output says what.
struct Role {
    task: Task,
    prediction: usize,
    classes: Option<ArrayRef>,
    probabilities: Option<Vec<ColumnId>>,
}

impl Role {
    fn find(outputs: &[Output], origins: &HashMap<ColumnId, Origin>) -> Self {
        let origin = |output: &Output| output.one().and_then(|column| origins.get(&column));
        if let Some((prediction, classes)) = find_label(outputs, &origin) {
            let probabilities = find_probabilities(outputs, prediction, &classes);
            let task = if classes.len() == 2 { Task::BinaryClassification } else { Task::MulticlassClassification };
            return Self { task, prediction, classes: Some(classes), probabilities };
        }
        let alone = |task, prediction| Self { task, prediction, classes: None, probabilities: None };
        if let Some(prediction) = outputs.iter().position(|output| matches!(origin(output), Some(Origin::Cluster))) {
            return alone(Task::Clustering, prediction);
        }
        let flag = outputs.iter().position(|output| output.one().is_some() && output.data_type.is_integer());
        let is_score = |output: &Output| output.one().is_some() && output.is_float() && output.name == "scores";
        if let Some(flag) = flag.filter(|_| outputs.iter().any(is_score)) {
            return alone(Task::AnomalyDetection, flag);
        }
        if let Some(prediction) = outputs.iter().position(|output| output.name == SENTENCE) {
            return alone(Task::Embedding, prediction);
        }
        let first = &outputs[0];
        let of_regressor = |column: &ColumnId| matches!(origins.get(column), Some(Origin::Target));
        let task = match &first.columns {
            OutputColumns::One(_) => Task::Regression,
            OutputColumns::Classes(classes, columns) => {
                return Self {
                    task: Task::MulticlassClassification,
                    prediction: 0,
                    classes: Some(Arc::clone(classes)),
                    probabilities: Some(columns.clone()),
                };
            }
            OutputColumns::Lists(..) => Task::MultiOutput,
            OutputColumns::List(columns) if columns.len() <= MULTI_OUTPUT_MAX || columns.iter().all(of_regressor) => {
                Task::MultiOutput
            }
            _ => Task::Embedding,
        };
        alone(task, 0)
    }
}

fn find_label<'o>(outputs: &[Output], origin: &impl Fn(&Output) -> Option<&'o Origin>) -> Option<(usize, ArrayRef)> {
    let label = outputs.iter().enumerate().find_map(|(at, output)| match origin(output) {
        Some(Origin::Label(classes)) => Some((at, Arc::clone(classes))),
        _ => None,
    });
    let mapped = outputs.iter().find_map(|output| match &output.columns {
        OutputColumns::Classes(classes, _) => Some(classes),
        _ => None,
    });
    match (label, mapped) {
        // The order of probabilities is that of the ZipMap.
        (Some((at, classes)), Some(mapped)) if classes.len() == mapped.len() => Some((at, Arc::clone(mapped))),
        (Some(label), _) => Some(label),
        (None, Some(mapped)) => {
            let same_type = |output: &Output| output.one().is_some() && output.data_type == *mapped.data_type();
            outputs.iter().position(same_type).map(|at| (at, Arc::clone(mapped)))
        }
        (None, None) => None,
    }
}

fn find_probabilities(outputs: &[Output], label: usize, classes: &ArrayRef) -> Option<Vec<ColumnId>> {
    let others = || outputs.iter().enumerate().filter(|(at, _)| *at != label).map(|(_, output)| output);
    let mapped = others().find_map(|output| match &output.columns {
        OutputColumns::Classes(_, columns) => Some(columns.clone()),
        _ => None,
    });
    let listed = || {
        others().find_map(|output| match &output.columns {
            OutputColumns::List(columns) if columns.len() == classes.len() && output.is_float() => {
                Some(columns.clone())
            }
            _ => None,
        })
    };
    let apart = || {
        let columns: Vec<ColumnId> = others().filter(|output| output.is_float()).filter_map(Output::one).collect();
        Some(columns).filter(|columns| columns.len() == classes.len() && columns.len() > 1)
    };
    mapped.or_else(listed).or_else(apart)
}
