//! What the outputs of boosted trees are for.
//!
//! `predict_raw` has the answer, the probabilities and, last, the margin: the sum of the trees before the link function.

use arrow::array::{Array, ArrayRef};

use crate::error::{Error, Result};
use crate::interface::{Outcome, OutputColumns};
use crate::program::ColumnId;
use crate::signature::Task;

/// A label of one of these classes; one probability per class if there are any.
pub(crate) fn classification(
    label: ColumnId,
    classes: ArrayRef,
    probabilities: Option<Vec<ColumnId>>,
    margins: Vec<ColumnId>,
) -> Result<Outcome> {
    let mut outputs = vec![("label".to_string(), OutputColumns::One(label))];
    if let Some(probabilities) = &probabilities {
        outputs.push(("probabilities".to_string(), some(probabilities.clone())?));
    }
    outputs.push(("margin".to_string(), some(margins)?));
    let task = if classes.len() == 2 { Task::BinaryClassification } else { Task::MulticlassClassification };
    Ok(Outcome { task, outputs, prediction: 0, classes: Some(classes), probabilities })
}

/// One number, or several.
pub(crate) fn numbers(predictions: Vec<ColumnId>, margins: Vec<ColumnId>) -> Result<Outcome> {
    let task = if predictions.len() == 1 { Task::Regression } else { Task::MultiOutput };
    let outputs = vec![("prediction".to_string(), some(predictions)?), ("margin".to_string(), some(margins)?)];
    Ok(Outcome { task, outputs, prediction: 0, classes: None, probabilities: None })
}

fn some(columns: Vec<ColumnId>) -> Result<OutputColumns> {
    OutputColumns::of(columns).ok_or_else(|| Error::Internal("an output without a column".to_string()))
}
