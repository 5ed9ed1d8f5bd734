//! Distances from constant points, and the nearest of them.

use arrow::array::ArrayRef;
use arrow::datatypes::{Float32Type, Int64Type};
use foretell_kernels::neighbours::Neighbours;
use foretell_kernels::points::Points;

use super::columns::{all_values, column};
use super::linear::outputs;
use super::wrong_count;
use crate::error::Result;

/// One column per point.
pub(super) fn distances(points: &Points, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
    let columns = features(points, inputs)?;
    Ok(outputs(points.count(), rows, |outputs| points.evaluate(&columns, outputs)))
}

/// The distances of the nearest points, and then their positions.
pub(super) fn nearest(neighbours: &Neighbours, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
    let columns = features(neighbours.points(), inputs)?;
    let mut positions = vec![vec![0; rows]; neighbours.count()];
    let mut found = outputs(neighbours.count(), rows, |distances| {
        let mut positions: Vec<&mut [i64]> = positions.iter_mut().map(Vec::as_mut_slice).collect();
        neighbours.evaluate(&columns, distances, &mut positions);
    });
    found.extend(positions.into_iter().map(column::<Int64Type>));
    Ok(found)
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
    use foretell_kernels::neighbours::Distance;
    use foretell_kernels::points::Measure;

    use super::*;

    #[test]
    fn checks_its_inputs() {
        let points = Points::try_new(&[0.0, 0.0, 3.0, 4.0], 2, Measure::SquaredDistance).expect("two points");
        let column = |value: f32| -> ArrayRef { Arc::new(Float32Array::from(vec![value])) };
        let measured = distances(&points, &[column(3.0), column(4.0)], 1).expect("two features");
        assert_eq!(measured[0].as_primitive::<Float32Type>().values(), &[25.0]);
        assert!(distances(&points, &[column(3.0)], 1).is_err());
        let neighbours = Neighbours::try_new(points, 2, Distance::Root).expect("two neighbours");
        let found = nearest(&neighbours, &[column(3.0), column(4.0)], 1).expect("two features");
        assert_eq!(found[1].as_primitive::<Float32Type>().values(), &[5.0]);
        assert_eq!(found[2].as_primitive::<Int64Type>().values(), &[1]);
        assert!(nearest(&neighbours, &[column(3.0)], 1).is_err());
    }
}
