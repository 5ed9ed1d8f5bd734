//! Whether answers are the same: to the bit for rows of two runs of one engine, but for rounding for two engines.

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::compute::take;
use foretell_tensors::{Data, Tensor};

use crate::elements::array_of;

/// The rows of a tensor, which lie along one of its axes.
pub(crate) struct RowsAlong {
    elements: ArrayRef,
    rows: usize,
    /// Extents of a row.
    extents: Vec<usize>,
    /// How many elements of a row stand side by side.
    inner: usize,
}

/// The elements of a row, with their extents. Two are equal if they are to the bit.
#[derive(Debug)]
pub(crate) struct Row {
    extents: Vec<usize>,
    elements: ArrayRef,
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.extents == other.extents && *self.elements == *other.elements
    }
}

impl RowsAlong {
    /// `None` if the tensor has no such axis, or elements that no column has.
    pub(crate) fn new(tensor: &Tensor, axis: usize) -> Option<Self> {
        let mut extents = tensor.shape().to_vec();
        let rows = (axis < extents.len()).then(|| extents.remove(axis))?;
        let inner = extents[axis..].iter().product();
        Some(Self { elements: array_of(tensor.data().clone())?, rows, extents, inner })
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// The row at this place; `None` if there are not so many.
    pub(crate) fn get(&self, row: usize) -> Option<Row> {
        let width: usize = self.extents.iter().product();
        if row >= self.rows {
            return None;
        }
        let elements = if width == self.inner {
            self.elements.slice(row * width, width)
        } else {
            // A run of elements for each place along the axes before.
            let position = |at: usize| ((at / self.inner * self.rows + row) * self.inner + at % self.inner) as u64;
            take(&self.elements, &(0..width).map(position).collect::<UInt64Array>(), None).ok()?
        };
        Some(Row { extents: self.extents.clone(), elements })
    }
}

/// How far apart two engines may be, whose sums run in different orders.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tolerance {
    /// As a share of the number.
    pub(crate) of_number: f64,
    /// As a share of the largest number of the tensor.
    pub(crate) of_largest: f64,
    /// As a share of the largest number of the tensor, where numbers have 16 bits.
    pub(crate) of_largest_half: f64,
    /// Where numbers are quantised to 8 bits.
    pub(crate) steps: f64,
}

/// The place of the first tensor that is not the one expected, or is missing.
pub(super) fn first_difference(got: &[Tensor], expected: &[Tensor], tolerance: &Tolerance) -> Option<usize> {
    let same = |(got, expected): (&Tensor, &Tensor)| {
        got.shape() == expected.shape() && are_close(got.data(), expected.data(), tolerance)
    };
    let missing = (got.len() != expected.len()).then_some(got.len().min(expected.len()));
    got.iter().zip(expected).position(|pair| !same(pair)).or(missing)
}

/// Whether elements are the same but for rounding.
pub(crate) fn are_close(got: &Data, expected: &Data, tolerance: &Tolerance) -> bool {
    let (Some(got_numbers), Some(numbers)) = (numbers(got), numbers(expected)) else { return got == expected };
    let largest =
        numbers.iter().filter(|number| number.is_finite()).fold(0.0_f64, |most, number| most.max(number.abs()));
    let (of_number, allowed) = match expected {
        Data::F32(_) | Data::F64(_) => (tolerance.of_number, tolerance.of_largest * largest),
        Data::F16(_) | Data::Bf16(_) => (0.0, tolerance.of_largest_half * largest),
        _ => (0.0, tolerance.steps),
    };
    let close = |(got, expected): (&f64, &f64)| {
        let allowed = allowed.max(of_number * expected.abs());
        got == expected || (got.is_nan() && expected.is_nan()) || (got - expected).abs() <= allowed
    };
    got.element_type() == expected.element_type()
        && got_numbers.len() == numbers.len()
        && got_numbers.iter().zip(&numbers).all(close)
}

/// The elements, if they are numbers that are rounded.
fn numbers(data: &Data) -> Option<Vec<f64>> {
    Some(match data {
        Data::F32(values) => values.iter().map(|&value| f64::from(value)).collect(),
        Data::F64(values) => values.clone(),
        Data::F16(values) => values.iter().map(|value| value.to_f64()).collect(),
        Data::Bf16(values) => values.iter().map(|value| value.to_f64()).collect(),
        Data::I8(values) => values.iter().map(|&value| f64::from(value)).collect(),
        Data::U8(values) => values.iter().map(|&value| f64::from(value)).collect(),
        _ => return None,
    })
}

/// Bits that look random, always the same for the same seed (SplitMix64): rows to try are made of them.
pub(crate) fn mixed(seed: u64) -> u64 {
    let bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE: Tolerance = Tolerance { of_number: 0.0, of_largest: 2e-3, of_largest_half: 2e-2, steps: 1.0 };

    fn close(got: &Data, expected: &Data) -> bool {
        are_close(got, expected, &TOLERANCE)
    }

    fn floats(values: &[f32]) -> Data {
        Data::F32(values.to_vec())
    }

    #[test]
    fn numbers_are_close_by_the_largest_of_them() {
        assert!(close(&floats(&[1000.0, 0.5]), &floats(&[1000.5, 0.0])));
        assert!(!close(&floats(&[1.0, 0.5]), &floats(&[1.0, 0.0])));
        assert!(close(&floats(&[f32::NAN, f32::INFINITY]), &floats(&[f32::NAN, f32::INFINITY])));
        assert!(!close(&floats(&[f32::NAN]), &floats(&[1.0])));
        assert!(close(&Data::U8(vec![3]), &Data::U8(vec![4])) && !close(&Data::I64(vec![3]), &Data::I64(vec![4])));
        assert!(!close(&Data::I64(vec![1]), &floats(&[1.0])));
    }

    #[test]
    fn a_missing_tensor_is_a_difference() {
        let tensor = Tensor::vector(vec![1.0_f32]);
        let both = [tensor.clone(), tensor.clone()];
        assert_eq!(first_difference(&both, &both, &TOLERANCE), None);
        assert_eq!(first_difference(&both[..1], &both, &TOLERANCE), Some(1));
        assert_eq!(first_difference(&[Tensor::scalar(1.0_f32)], &both[..1], &TOLERANCE), Some(0));
    }

    #[test]
    fn rows_lie_along_any_axis() {
        // Two rows of 2 x 2 elements along the second of three axes.
        let tensor = Tensor::try_new(vec![2, 2, 2], Data::I64((0..8).collect())).expect("as many elements");
        let row = |tensor: &Tensor, axis, row| RowsAlong::new(tensor, axis).and_then(|rows| rows.get(row));
        let alone = |values: Vec<i64>| Tensor::try_new(vec![1, 2, 2], Data::I64(values)).expect("as many elements");
        assert_eq!(row(&tensor, 1, 0), row(&alone(vec![0, 1, 4, 5]), 0, 0));
        assert_eq!(row(&tensor, 1, 1), row(&alone(vec![2, 3, 6, 7]), 0, 0));
        assert_eq!(row(&tensor, 2, 1), row(&alone(vec![1, 3, 5, 7]), 0, 0));
        assert!(row(&tensor, 1, 1).is_some() && row(&tensor, 1, 2).is_none() && row(&tensor, 3, 0).is_none());
        // The sign of zero is a bit.
        assert_ne!(row(&Tensor::vector(vec![0.0_f32]), 0, 0), row(&Tensor::vector(vec![-0.0_f32]), 0, 0));
    }

    #[test]
    fn rows_without_elements_cost_nothing() {
        let rows = RowsAlong::new(&Tensor::try_new(vec![1 << 40, 0], Data::F32(Vec::new())).expect("no elements"), 0);
        let rows = rows.expect("there is such an axis");
        assert_eq!(rows.len(), 1 << 40);
        assert!(rows.get(1 << 39).is_some());
    }
}
