//! Comparison of answers under a tolerance.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};

/// How far an answer may be from the reference's.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// Relative difference that is allowed.
    pub relative: f64,
    /// Difference that is allowed in any case, as a part of the largest number of the column or of 1: what is left of a
    /// difference of large numbers carries their rounding.
    pub floor: f64,
}

/// Between an answer and ONNX Runtime's.
pub const ONNX: Tolerance = Tolerance { relative: 1e-5, floor: 1e-6 };

/// The first row in which two columns differ, in words.
pub fn difference(got: &ArrayRef, expected: &ArrayRef) -> Option<String> {
    difference_within(got, expected, ONNX)
}

/// As [`difference`], with another tolerance.
pub fn difference_within(got: &ArrayRef, expected: &ArrayRef, tolerance: Tolerance) -> Option<String> {
    let (got, expected) = (elements(got), elements(expected));
    if got.len() != expected.len() {
        return Some(format!("{} elements instead of {}", got.len(), expected.len()));
    }
    if expected.data_type().is_floating() {
        return float_difference(&got, &expected, tolerance);
    }
    let got = cast(&got, &DataType::Utf8).expect("labels print");
    let expected = cast(&expected, &DataType::Utf8).expect("labels print");
    let (got, expected) = (got.as_string::<i32>(), expected.as_string::<i32>());
    (0..got.len()).find(|&row| got.is_null(row) || got.value(row) != expected.value(row)).map(|row| {
        format!("element {row}: {:?} instead of {:?}", got.is_valid(row).then(|| got.value(row)), expected.value(row))
    })
}

fn float_difference(got: &ArrayRef, expected: &ArrayRef, tolerance: Tolerance) -> Option<String> {
    let got = cast(got, &DataType::Float64).expect("a number");
    let expected = cast(expected, &DataType::Float64).expect("a number");
    let (got, expected) = (got.as_primitive::<Float64Type>(), expected.as_primitive::<Float64Type>());
    let finite = expected.values().iter().filter(|value| value.is_finite());
    let floor = tolerance.floor * finite.fold(1.0, |largest: f64, value| largest.max(value.abs()));
    let close = |got: f64, expected: f64| {
        let both_nan = got.is_nan() && expected.is_nan();
        got == expected || both_nan || (got - expected).abs() <= (tolerance.relative * expected.abs()).max(floor)
    };
    (0..got.len()).find(|&row| got.is_null(row) || !close(got.value(row), expected.value(row))).map(|row| {
        let got = got.is_valid(row).then(|| got.value(row));
        format!("element {row}: {got:?} instead of {}", expected.value(row))
    })
}

/// All elements of a column, those of lists and structs row by row.
pub fn elements(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::FixedSizeList(..) => {
            let list = array.as_fixed_size_list();
            let width = list.value_length() as usize;
            list.values().slice(list.value_offset(0) as usize, list.len() * width)
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let offsets = list.value_offsets();
            let (first, last) = (offsets[0] as usize, offsets[list.len()] as usize);
            elements(&list.values().slice(first, last - first))
        }
        DataType::Struct(_) => {
            let fields = array.as_struct();
            let columns: Vec<&dyn Array> = fields.columns().iter().map(|column| column.as_ref()).collect();
            let places: Vec<(usize, usize)> =
                (0..array.len()).flat_map(|row| (0..columns.len()).map(move |column| (column, row))).collect();
            arrow::compute::interleave(&columns, &places).expect("fields of one type")
        }
        _ => ArrayRef::clone(array),
    }
}
