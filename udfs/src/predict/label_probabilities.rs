//! `label_probabilities(model, predict_proba(...))`: class probabilities as BigQuery's array of label and probability.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray, UInt32Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_datafusion_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// Turns the answer of `predict_proba` into a list of `{label, prob}`, as `ML.PREDICT` of BigQuery returns it.
///
/// Tied to the labels of one model; a NULL row stays NULL.
#[derive(Debug)]
pub struct LabelProbabilitiesFunc {
    classes: ArrayRef,
    signature: Signature,
}

impl LabelProbabilitiesFunc {
    /// For a model with these class labels.
    pub fn new(classes: ArrayRef) -> Self {
        Self { classes, signature: Signature::any(1, Volatility::Immutable) }
    }

    fn fields(&self) -> Fields {
        Fields::from(vec![
            Field::new("label", self.classes.data_type().clone(), true),
            Field::new("prob", DataType::Float32, true),
        ])
    }

    fn item(&self) -> FieldRef {
        Arc::new(Field::new_list_field(DataType::Struct(self.fields()), true))
    }

    fn pairs(&self, answer: &ArrayRef) -> Result<ArrayRef> {
        let rows = answer.len();
        let classes = self.classes.len();
        let (probabilities, nulls) = by_row(answer, classes)?;
        let positions: UInt32Array = (0..rows).flat_map(|_| (0..classes).map(|class| class as u32)).collect();
        let labels = take(&self.classes, &positions, None)?;
        let pairs = StructArray::try_new(self.fields(), vec![labels, probabilities], None)?;
        let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(classes, rows));
        Ok(Arc::new(ListArray::try_new(self.item(), offsets, Arc::new(pairs), nulls)?))
    }
}

/// The probabilities row by row, and which rows are NULL.
fn by_row(answer: &ArrayRef, classes: usize) -> Result<(ArrayRef, Option<NullBuffer>)> {
    if let Some(list) = answer.as_list_opt::<i32>() {
        let dense: Vec<ArrayRef> = (0..list.len())
            .map(|row| {
                if list.is_null(row) {
                    arrow::array::new_null_array(&DataType::Float32, classes)
                } else {
                    list.value(row)
                }
            })
            .collect();
        let parts: Vec<&dyn Array> = dense.iter().map(AsRef::as_ref).collect();
        let values = if parts.is_empty() { arrow::array::new_empty_array(&DataType::Float32) } else { concat(&parts)? };
        return Ok((values, list.nulls().cloned()));
    }
    let columns = answer.as_struct_opt().ok_or_else(|| {
        exec_datafusion_err!("label probabilities need the answer of predict_proba, got {}", answer.data_type())
    })?;
    let rows = columns.len();
    let one_after_other: Vec<&dyn Array> = columns.columns().iter().map(AsRef::as_ref).collect();
    let by_class = concat(&one_after_other)?;
    let order: UInt32Array =
        (0..rows).flat_map(|row| (0..classes).map(move |class| (class * rows + row) as u32)).collect();
    Ok((take(&by_class, &order, None)?, columns.nulls().cloned()))
}

impl PartialEq for LabelProbabilitiesFunc {
    fn eq(&self, other: &Self) -> bool {
        self.classes.as_ref() == other.classes.as_ref()
    }
}

impl Eq for LabelProbabilitiesFunc {}

impl Hash for LabelProbabilitiesFunc {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.classes.len().hash(state);
    }
}

impl ScalarUDFImpl for LabelProbabilitiesFunc {
    fn name(&self) -> &str {
        "label_probabilities"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(self.item()))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [answer] = take_function_args(self.name(), args.args)?;
        Ok(ColumnarValue::Array(self.pairs(&answer.into_array(rows)?)?))
    }
}
