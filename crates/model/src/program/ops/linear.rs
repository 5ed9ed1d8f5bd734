//! Linear models over columns.

use arrow::array::ArrayRef;
use arrow::datatypes::{Float32Type, UInt32Type};
use foretell_kernels::linear::{FusedColumn, FusedInput, FusedLinear, LinearModel};

use super::columns::{all_values, column, values};
use super::wrong_count;
use crate::error::Result;

pub(super) fn run(model: &LinearModel, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
    if inputs.len() != model.features() {
        return Err(wrong_count(model.features(), inputs.len()));
    }
    let columns = all_values::<Float32Type>(inputs)?;
    Ok(outputs(model.outputs(), rows, |outputs| model.evaluate(&columns, outputs)))
}

pub(super) fn run_fused(model: &FusedLinear, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
    if inputs.len() != model.inputs().len() {
        return Err(wrong_count(model.inputs().len(), inputs.len()));
    }
    let typed = model.inputs().iter().zip(inputs).map(|(kind, input)| match kind {
        FusedInput::Number(_) => values::<Float32Type>(input).map(FusedColumn::Numbers),
        FusedInput::Category { .. } => values::<UInt32Type>(input).map(FusedColumn::Codes),
    });
    let columns = typed.collect::<Result<Vec<_>>>()?;
    Ok(outputs(model.model().outputs(), rows, |outputs| model.evaluate(&columns, outputs)))
}

fn outputs(count: usize, rows: usize, evaluate: impl FnOnce(&mut [&mut [f32]])) -> Vec<ArrayRef> {
    let mut outputs = vec![vec![0.0; rows]; count];
    evaluate(&mut outputs.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>());
    outputs.into_iter().map(column::<Float32Type>).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Float32Array, Int64Array};

    use super::*;

    #[test]
    fn checks_its_inputs() {
        let model = LinearModel::try_new(vec![2.0, 3.0], vec![1.0]).expect("a model");
        let column: ArrayRef = Arc::new(Float32Array::from(vec![1.0, 2.0]));
        let outputs = run(&model, &[Arc::clone(&column), Arc::clone(&column)], 2).expect("two columns");
        assert_eq!(outputs[0].as_primitive::<Float32Type>().values(), &[6.0, 11.0]);
        assert!(run(&model, &[Arc::clone(&column)], 2).is_err());
        let integers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        assert!(run(&model, &[column, integers], 2).is_err());
    }
}
