//! Arrow columns to what a program reads: one type, no nulls.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, FixedSizeListArray, PrimitiveArray, StringArray,
    UInt64Array, downcast_primitive_array, new_null_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::{CastOptions, cast_with_options, take};
use arrow::datatypes::{DataType, Float16Type, Float32Type, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use half::f16;

use super::accept::value_type;
use crate::error::{Error, Result};
use crate::program::packed_type;
use crate::signature::{Feature, NullPolicy};

/// A feature as the program reads it.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) column: ArrayRef,
    /// Rows whose answers are NULL, if there are any: false there.
    pub(crate) answered: Option<NullBuffer>,
    /// Rows that cannot be computed, with the reason.
    pub(crate) refused: Vec<(usize, String)>,
}

/// Converts the column given for a feature.
pub(crate) fn import(feature: &Feature, array: &ArrayRef) -> Result<Imported> {
    feature.accepts(array.data_type())?;
    if !feature.shape.is_empty() {
        return import_list(feature, array);
    }
    let (converted, mut refused) = convert(feature, array, &feature.data_type)?;
    let missing = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
    let answered = apply_policy(feature, missing, &mut refused);
    Ok(Imported { column: without_nulls(&converted)?, answered, refused })
}

/// Rows that a NULL leaves without an answer; refuses them where the policy says so.
fn apply_policy(
    feature: &Feature,
    missing: Option<NullBuffer>,
    refused: &mut Vec<(usize, String)>,
) -> Option<NullBuffer> {
    match feature.null_policy {
        NullPolicy::Missing => None,
        NullPolicy::Null => missing,
        NullPolicy::Error => {
            let rows = missing.iter().flat_map(|missing| (0..missing.len()).filter(|&row| missing.is_null(row)));
            refused.extend(rows.map(|row| (row, format!("feature `{}` is NULL", feature.name))));
            None
        }
    }
}

/// The column in another type, and the rows whose value does not fit it.
fn convert(feature: &Feature, array: &ArrayRef, to: &DataType) -> Result<(ArrayRef, Vec<(usize, String)>)> {
    if array.data_type() == to {
        return Ok((Arc::clone(array), Vec::new()));
    }
    if *array.data_type() == DataType::Null {
        return Ok((new_null_array(to, array.len()), Vec::new()));
    }
    // A value that does not fit becomes NULL, and is told apart from those that were.
    let options = CastOptions { safe: true, format_options: FormatOptions::default() };
    let plain = cast_with_options(array, value_type(array.data_type()), &options)?;
    let converted = cast_with_options(&plain, to, &options)?;
    let mut refused = Vec::new();
    if converted.null_count() > plain.logical_null_count() {
        let formatter = ArrayFormatter::try_new(&plain, &FormatOptions::default())?;
        for row in (0..plain.len()).filter(|&row| converted.is_null(row) && plain.is_valid(row)) {
            let value = formatter.value(row);
            refused.push((row, format!("feature `{}` is {value}, which does not fit {to}", feature.name)));
        }
    }
    Ok((converted, refused))
}

/// NULL replaced by NaN, 0, false or the empty text: whether that counts was decided before.
fn without_nulls(array: &ArrayRef) -> Result<ArrayRef> {
    let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) else {
        return Ok(strip(array));
    };
    Ok(match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string::<i32>().iter().map(|text| text.unwrap_or(""));
            Arc::new(StringArray::from_iter_values(texts))
        }
        DataType::Boolean => Arc::new(BooleanArray::new(array.as_boolean().values() & nulls.inner(), None)),
        DataType::Float16 => filled::<Float16Type>(array, f16::NAN),
        DataType::Float32 => filled::<Float32Type>(array, f32::NAN),
        DataType::Float64 => filled::<Float64Type>(array, f64::NAN),
        _ => zeroed(array)?,
    })
}

fn filled<T: ArrowPrimitiveType>(array: &ArrayRef, fill: T::Native) -> ArrayRef {
    let values = array.as_primitive::<T>().iter().map(|value| value.unwrap_or(fill));
    Arc::new(PrimitiveArray::<T>::from_iter_values(values))
}

fn zeroed(array: &ArrayRef) -> Result<ArrayRef> {
    fn zeros<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::from_iter_values(array.iter().map(Option::unwrap_or_default)))
    }
    downcast_primitive_array! {
        array => Ok(zeros(array)),
        other => Err(Error::Internal(format!("a feature of type {other}")))
    }
}

/// The same array without a null buffer.
fn strip(array: &ArrayRef) -> ArrayRef {
    if array.nulls().is_none() {
        return Arc::clone(array);
    }
    let data = array.to_data().into_builder().nulls(None);
    data.build().map_or_else(|_| Arc::clone(array), arrow::array::make_array)
}

/// Lists of numbers: each row has as many elements as the feature, all of them valid, or counts as NULL.
fn import_list(feature: &Feature, array: &ArrayRef) -> Result<Imported> {
    let width: usize = feature.shape.iter().product();
    let rows = array.len();
    let Some((values, starts, lengths)) = list_parts(array) else {
        let column = new_null_array(&feature.data_type, rows * width);
        let mut refused = Vec::new();
        let nulls = (rows > 0).then(|| NullBuffer::new_null(rows));
        let answered = apply_policy(feature, nulls, &mut refused);
        return Ok(Imported { column: packed(feature, width, rows, &column)?, answered, refused });
    };
    let mut refused: Vec<(usize, String)> = Vec::new();
    let mut misfits = vec![false; rows];
    let mut positions: Vec<Option<u64>> = Vec::with_capacity(rows * width);
    for row in 0..rows {
        let fits = lengths[row] == width && array.is_valid(row);
        if array.is_valid(row) && !fits {
            let got = lengths[row];
            misfits[row] = true;
            refused.push((row, format!("feature `{}` is a list of {got} elements instead of {width}", feature.name)));
        }
        positions.extend((0..width).map(|at| fits.then_some((starts[row] + at) as u64)));
    }
    let (converted, _) = convert(feature, &values, &feature.data_type)?;
    let elements = take(&converted, &UInt64Array::from(positions), None)?;
    let whole = |row: usize| misfits[row] || elements.slice(row * width, width).null_count() == 0;
    let missing = match feature.null_policy {
        NullPolicy::Missing => array.logical_nulls(),
        _ if elements.null_count() == 0 => None,
        _ => Some(NullBuffer::new(BooleanBuffer::collect_bool(rows, whole))),
    };
    let answered = apply_policy(feature, missing.filter(|nulls| nulls.null_count() > 0), &mut refused);
    Ok(Imported { column: packed(feature, width, rows, &elements)?, answered, refused })
}

fn packed(feature: &Feature, width: usize, rows: usize, elements: &ArrayRef) -> Result<ArrayRef> {
    let DataType::FixedSizeList(item, size) = packed_type(&feature.data_type, width)? else {
        return Err(Error::Internal("a packed type that is no list".to_string()));
    };
    let elements = without_nulls(elements)?;
    debug_assert_eq!(elements.len(), rows * width, "every row has all its elements");
    Ok(Arc::new(FixedSizeListArray::try_new(item, size, elements, None)?))
}

/// The values of a list column, and where each row's begin and how many there are.
pub(super) fn list_parts(array: &ArrayRef) -> Option<(ArrayRef, Vec<usize>, Vec<usize>)> {
    let rows = array.len();
    if let Some(list) = array.as_list_opt::<i32>() {
        let starts = list.value_offsets()[..rows].iter().map(|&start| start as usize).collect();
        return Some((
            Arc::clone(list.values()),
            starts,
            (0..rows).map(|row| list.value_length(row) as usize).collect(),
        ));
    }
    if let Some(list) = array.as_list_opt::<i64>() {
        let starts = list.value_offsets()[..rows].iter().map(|&start| start as usize).collect();
        return Some((
            Arc::clone(list.values()),
            starts,
            (0..rows).map(|row| list.value_length(row) as usize).collect(),
        ));
    }
    let list = array.as_fixed_size_list_opt()?;
    let width = list.value_length() as usize;
    let starts = (0..rows).map(|row| list.value_offset(row) as usize).collect();
    Some((Arc::clone(list.values()), starts, vec![width; rows]))
}
