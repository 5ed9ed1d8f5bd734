//! `gblinear`: a sum of weighted features, of which missing ones count for nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array};
use arrow::datatypes::DataType;
use foretell_kernels::linear::{LinearModel, Rounding};

use crate::boosters::Assembly;
use crate::error::Result;
use crate::program::{ColumnId, Op};

/// The sums of each row. They begin with bias and intercept, so these are the weights of a feature that is always 1.
///
/// XGBoost takes the first of several intercepts for all outputs, and so do we.
pub(super) fn margins(
    assembly: &mut Assembly,
    weights: &[f32],
    intercept: f32,
    outputs: usize,
    columns: Vec<ColumnId>,
) -> Result<Vec<ColumnId>> {
    if weights.len() != (columns.len() + 1) * outputs {
        let (got, features) = (weights.len(), columns.len());
        return Err(assembly.malformed(format!(
            "`learner.gradient_booster.model.weights` has {got} weights for {features} features and {outputs} outputs"
        )));
    }
    let (weights, biases) = weights.split_at(columns.len() * outputs);
    let mut all: Vec<f32> = biases.iter().map(|bias| bias + intercept).collect();
    all.extend(weights);
    let model = LinearModel::try_new(all, vec![0.0; outputs]).map_err(|error| assembly.malformed(error.to_string()))?;
    let model = model.with_rounding(Rounding::Twice);
    let number = |number: f32| -> ArrayRef { Arc::new(Float32Array::from(vec![number])) };
    let mut inputs = vec![assembly.one(Op::Constant(number(1.0)), Vec::new(), DataType::Float32)?];
    for column in columns {
        let present = Op::Impute { replaced: number(f32::NAN), fill: number(0.0) };
        inputs.push(assembly.one(present, vec![column], DataType::Float32)?);
    }
    assembly.push(Op::Linear(Arc::new(model)), inputs, vec![DataType::Float32; outputs])
}
