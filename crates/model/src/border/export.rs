//! Columns of a program to answers.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray, make_array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields};

use crate::error::{Error, Result};
use crate::interface::OutputColumns;
use crate::program::{Op, RowFailures};

/// More classes than this are a list and no struct: a struct of a thousand fields is of no use to anybody.
const STRUCT_CLASSES_MAX: usize = 256;

/// Type of `predict_proba`: a struct with one float per class, or a list of floats where there are too many.
pub(crate) fn probabilities_type(classes: &ArrayRef) -> Result<DataType> {
    match classes.len() {
        0..=STRUCT_CLASSES_MAX => struct_of_classes(classes),
        _ => Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Float32, true)))),
    }
}

/// A struct with one float per class, called as the class is.
pub(crate) fn struct_of_classes(classes: &ArrayRef) -> Result<DataType> {
    let names = cast(classes, &DataType::Utf8)?;
    let names = names.as_string::<i32>();
    let fields: Fields =
        names.iter().map(|name| Field::new(name.unwrap_or_default(), DataType::Float32, true)).collect();
    Ok(DataType::Struct(fields))
}

/// The answer of `predict`: a value, or a list where it has several elements.
pub(crate) fn answer_array(
    columns: &OutputColumns,
    arrays: &[ArrayRef],
    data_type: &DataType,
    answered: Option<&NullBuffer>,
) -> Result<ArrayRef> {
    match (columns, arrays) {
        (OutputColumns::One(_), [array]) => with_nulls(array, answered),
        (OutputColumns::Packed(_), [array]) => list_array(array, data_type, answered),
        (OutputColumns::Ragged(_), [array]) => with_nulls(&cast(array, data_type)?, answered),
        (OutputColumns::List(_), arrays) => list_array(&packed(arrays)?, data_type, answered),
        (OutputColumns::Lists(lengths, _), arrays) => lists_array(arrays, lengths, data_type, answered),
        (OutputColumns::Classes(..), arrays) => probabilities_array(arrays, data_type, answered),
        _ => Err(Error::Internal(format!("{} columns for one answer", arrays.len()))),
    }
}

/// The answer of `predict_proba`.
pub(crate) fn probabilities_array(
    arrays: &[ArrayRef],
    data_type: &DataType,
    answered: Option<&NullBuffer>,
) -> Result<ArrayRef> {
    let float = |array: &ArrayRef| match array.data_type() {
        DataType::Float32 => Ok(Arc::clone(array)),
        _ => cast(array, &DataType::Float32),
    };
    let floats: Vec<ArrayRef> = arrays.iter().map(float).collect::<Result<_, _>>()?;
    match data_type {
        DataType::Struct(fields) => struct_array(fields, &floats, answered),
        _ => list_array(&packed(&floats)?, data_type, answered),
    }
}

/// One field of `predict_raw`.
pub(crate) fn raw_array(columns: &OutputColumns, arrays: &[ArrayRef], data_type: &DataType) -> Result<ArrayRef> {
    match (columns, data_type) {
        (OutputColumns::List(_), _) => packed(arrays),
        (OutputColumns::Lists(lengths, _), _) => lists_array(arrays, lengths, data_type, None),
        (OutputColumns::Ragged(_), _) => answer_array(columns, arrays, data_type, None),
        (OutputColumns::Classes(..), DataType::Struct(fields)) => struct_array(fields, arrays, None),
        _ => arrays.first().cloned().ok_or_else(|| Error::Internal("an output without a column".to_string())),
    }
}

/// A struct of these columns. A row without an answer is NULL, and so are its fields: who reads one may not ask the struct.
pub(crate) fn struct_array(fields: &Fields, arrays: &[ArrayRef], answered: Option<&NullBuffer>) -> Result<ArrayRef> {
    let arrays = arrays.iter().map(|array| with_nulls(array, answered)).collect::<Result<_>>()?;
    Ok(Arc::new(StructArray::try_new(fields.clone(), arrays, answered.cloned())?))
}

fn packed(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let rows = arrays.first().map_or(0, |array| array.len());
    let mut columns = Op::Pack.run(arrays, rows, &mut RowFailures::default())?;
    columns.pop().ok_or_else(|| Error::Internal("packing gave no column".to_string()))
}

/// Lists of one length as lists of any.
fn list_array(array: &ArrayRef, data_type: &DataType, answered: Option<&NullBuffer>) -> Result<ArrayRef> {
    let (Some(list), DataType::List(item)) = (array.as_fixed_size_list_opt(), data_type) else {
        return Err(Error::Internal(format!("{} for an answer of type {data_type}", array.data_type())));
    };
    let width = list.value_length() as usize;
    let values = list.values().slice(list.value_offset(0) as usize, list.len() * width);
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(width, list.len()));
    Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, answered.cloned())?))
}

/// Lists of these lengths in the list of a row.
fn lists_array(
    arrays: &[ArrayRef],
    lengths: &[usize],
    data_type: &DataType,
    answered: Option<&NullBuffer>,
) -> Result<ArrayRef> {
    let elements = packed(arrays)?;
    let (Some(elements), DataType::List(outer)) = (elements.as_fixed_size_list_opt(), data_type) else {
        return Err(Error::Internal(format!("{} for an answer of type {data_type}", elements.data_type())));
    };
    let DataType::List(inner) = outer.data_type() else {
        return Err(Error::Internal(format!("an answer of type {data_type}")));
    };
    let all_lengths = (0..elements.len()).flat_map(|_| lengths.iter().copied());
    let values = Arc::clone(elements.values());
    let lists = ListArray::try_new(Arc::clone(inner), OffsetBuffer::from_lengths(all_lengths), values, None)?;
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(lengths.len(), elements.len()));
    Ok(Arc::new(ListArray::try_new(Arc::clone(outer), offsets, Arc::new(lists), answered.cloned())?))
}

/// `array` with these NULLs, at every level of a struct.
fn with_nulls(array: &ArrayRef, answered: Option<&NullBuffer>) -> Result<ArrayRef> {
    match (answered, array.as_struct_opt()) {
        (None, _) => Ok(Arc::clone(array)),
        (Some(_), Some(inner)) => struct_array(inner.fields(), inner.columns(), answered),
        (Some(answered), None) => Ok(make_array(array.to_data().into_builder().nulls(Some(answered.clone())).build()?)),
    }
}
