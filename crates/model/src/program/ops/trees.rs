//! Tree ensembles over columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use foretell_kernels::real::Real;
use foretell_kernels::trees::{LinearLeaves, TreeEnsemble};

use super::columns::{all_values, column};
use super::{Op, wrong_count};
use crate::error::Result;

/// The type that an ensemble computes with.
pub(crate) trait Precision: Real {
    /// Type of the columns read and written.
    const DATA_TYPE: DataType;

    /// The step that evaluates an ensemble.
    fn step(ensemble: TreeEnsemble<Self>) -> Op;
}

impl Precision for f32 {
    const DATA_TYPE: DataType = DataType::Float32;

    fn step(ensemble: TreeEnsemble) -> Op {
        Op::Trees(Arc::new(ensemble))
    }
}

impl Precision for f64 {
    const DATA_TYPE: DataType = DataType::Float64;

    fn step(ensemble: TreeEnsemble<f64>) -> Op {
        Op::Trees64(Arc::new(ensemble))
    }
}

pub(super) fn run(ensemble: &TreeEnsemble, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
    evaluate::<Float32Type>(ensemble, inputs, rows)
}

pub(super) fn run_double(ensemble: &TreeEnsemble<f64>, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
    evaluate::<Float64Type>(ensemble, inputs, rows)
}

pub(super) fn run_linear(trees: &LinearLeaves<f64>, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
    scores::<Float64Type>(trees.trees(), inputs, rows, |columns, outputs| trees.evaluate(columns, outputs))
}

fn evaluate<T>(ensemble: &TreeEnsemble<T::Native>, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>>
where
    T: ArrowPrimitiveType<Native: Real>,
{
    scores::<T>(ensemble, inputs, rows, |columns, outputs| ensemble.evaluate(columns, outputs))
}

/// The output columns that `evaluate` fills.
fn scores<T>(
    ensemble: &TreeEnsemble<T::Native>,
    inputs: &[ArrayRef],
    rows: usize,
    evaluate: impl FnOnce(&[&[T::Native]], &mut [&mut [T::Native]]),
) -> Result<Vec<ArrayRef>>
where
    T: ArrowPrimitiveType<Native: Real>,
{
    if inputs.len() != ensemble.features() {
        return Err(wrong_count(ensemble.features(), inputs.len()));
    }
    let columns = all_values::<T>(inputs)?;
    let mut outputs = vec![vec![T::Native::ZERO; rows]; ensemble.outputs()];
    evaluate(&columns, &mut outputs.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>());
    Ok(outputs.into_iter().map(column::<T>).collect())
}
