//! Distances from constant points, a column for each.

use arrow::array::ArrayRef;
use arrow::datatypes::Float32Type;
use foretell_kernels::points::Points;

use super::columns::all_values;
use super::linear::outputs;
use super::wrong_count;
use crate::error::Result;

/// One column per point.
pub(super) fn distances(points: &Points, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
    let columns = features(points, inputs)?;
    Ok(outputs(points.count(), rows, |outputs| points.evaluate(&columns, outputs)))
}

fn features<'a>(points: &Points, inputs: &'a [ArrayRef]) -> Result<Vec<&'a [f32]>> {
    match inputs.len() == points.features() {
        true => all_values::<Float32Type>(inputs),
        false => Err(wrong_count(points.features(), inputs.len())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Float32Array};
    use foretell_kernels::points::Measure;

    use super::*;

    #[test]
    fn checks_its_inputs() {
        let points = Points::try_new(&[0.0, 0.0, 3.0, 4.0], 2, Measure::SquaredDistance).expect("two points");
        let column = |value: f32| -> ArrayRef { Arc::new(Float32Array::from(vec![value])) };
        let measured = distances(&points, &[column(3.0), column(4.0)], 1).expect("two features");
        assert_eq!(measured[0].as_primitive::<Float32Type>().values(), &[25.0]);
        assert!(distances(&points, &[column(3.0)], 1).is_err());
    }
}
