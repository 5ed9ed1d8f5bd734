//! Arrow columns to what a program reads: one type, no nulls.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, StringArray, downcast_primitive_array,
    new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use half::f16;

use super::accept::{is_moment, value_type};
use super::list::import_list;
use super::map::import_map;
use super::ragged::import_ragged;
use crate::error::{Error, Result};
use crate::signature::{Feature, NullPolicy};

/// What a program reads in the place of a text that is NULL, when the model understands missing values. No table holds it.
pub(crate) const MISSING_TEXT: &str = "\u{0}foretell: missing\u{0}";

/// A feature as the program reads it.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) column: ArrayRef,
    /// Rows whose answers are NULL, if there are any: false there.
    pub(crate) answered: Option<NullBuffer>,
    /// Rows that cannot be computed, with the reason.
    pub(crate) refused: Vec<(usize, String)>,
}

/// Which columns of a feature the program reads as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// Those of the feature's own type.
    Own,
    /// Text however Arrow holds it, since it is only looked up.
    AnyText,
}

/// Converts the column given for a feature.
pub(crate) fn import(feature: &Feature, spelling: Spelling, array: &ArrayRef) -> Result<Imported> {
    if let Some(imported) = in_place(feature, spelling, array) {
        return Ok(imported);
    }
    feature.accepts(array.data_type())?;
    let array = decoded(array)?;
    match feature.fixed_shape() {
        None => return import_ragged(feature, &array),
        Some(shape) if !shape.is_empty() => return import_list(feature, &shape, &array),
        Some(_) => {}
    }
    if matches!(feature.data_type, DataType::Map(..)) {
        return import_map(feature, &array);
    }
    let (converted, mut refused) = convert(feature, &array)?;
    let missing = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
    let answered = apply_policy(feature, missing, &mut refused);
    Ok(Imported { column: without_nulls(&converted, feature.null_policy)?, answered, refused })
}

/// Whether the program reads the column as it is, and no value is missing.
pub(crate) fn takes_as_given(feature: &Feature, spelling: Spelling, array: &dyn Array) -> bool {
    is_spelt(feature, spelling, array) && has_all_values(spelling, array)
}

/// The column as it is, if the program can read it so. What is NULL stays NULL where its row has no answer anyway.
fn in_place(feature: &Feature, spelling: Spelling, array: &ArrayRef) -> Option<Imported> {
    if !is_spelt(feature, spelling, array) {
        return None;
    }
    let imported = |answered| Imported { column: Arc::clone(array), answered, refused: Vec::new() };
    if has_all_values(spelling, array) {
        return Some(imported(None));
    }
    let missing = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
    match (feature.null_policy, spelling) {
        (NullPolicy::Null, Spelling::AnyText) => Some(imported(missing)),
        _ => None,
    }
}

/// Whether the column holds the feature's values as the program reads them.
fn is_spelt(feature: &Feature, spelling: Spelling, array: &dyn Array) -> bool {
    let given = array.data_type();
    let fits = match spelling {
        Spelling::Own => *given == feature.data_type && given.is_primitive(),
        Spelling::AnyText => feature.data_type == DataType::Utf8 && is_text(given),
    };
    fits && feature.shape.is_empty()
}

/// Whether no value is missing, not even behind a key of a dictionary.
fn has_all_values(spelling: Spelling, array: &dyn Array) -> bool {
    let texts_are_there = || array.as_any_dictionary_opt().is_none_or(|texts| !texts.values().is_nullable());
    array.nulls().is_none() && (spelling != Spelling::AnyText || texts_are_there())
}

/// Text, or a dictionary of texts.
fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => values.is_string(),
        other => other.is_string(),
    }
}

/// Rows that a NULL leaves without an answer; refuses them where the policy says so.
pub(super) fn apply_policy(
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

/// The column without its dictionary or run ends; any other as it is.
pub(super) fn decoded(array: &ArrayRef) -> Result<ArrayRef> {
    match value_type(array.data_type()) {
        plain if plain == array.data_type() => Ok(Arc::clone(array)),
        plain => Ok(cast_with_options(array, plain, &cast_options())?),
    }
}

/// A value that does not fit becomes NULL, and is told apart from those that were.
fn cast_options() -> CastOptions<'static> {
    CastOptions { safe: true, format_options: FormatOptions::new() }
}

/// The column in the type that the model computes with, and the positions of the values that do not fit it.
pub(super) fn convert(feature: &Feature, array: &ArrayRef) -> Result<(ArrayRef, Vec<(usize, String)>)> {
    let to = &feature.data_type;
    if array.data_type() == to {
        return Ok((Arc::clone(array), Vec::new()));
    }
    if *array.data_type() == DataType::Null {
        return Ok((new_null_array(to, array.len()), Vec::new()));
    }
    if let Some(floats) = to_floats(array, to) {
        return Ok((floats, Vec::new()));
    }
    let (plain, converted) = match is_moment(array.data_type()) {
        true => {
            let counts = cast_with_options(array, &DataType::Int64, &cast_options())?;
            let converted = if *to == DataType::Utf8 { texts(array)? } else { convert(feature, &counts)?.0 };
            (counts, converted)
        }
        false => (Arc::clone(array), cast_with_options(array, to, &cast_options())?),
    };
    let mut refused = Vec::new();
    if converted.null_count() > plain.null_count() {
        let formatter = ArrayFormatter::try_new(&plain, &FormatOptions::new())?;
        for row in (0..plain.len()).filter(|&row| converted.is_null(row) && plain.is_valid(row)) {
            let value = formatter.value(row);
            refused.push((row, format!("feature `{}` is {value}, which does not fit {to}", feature.name)));
        }
    }
    Ok((converted, refused))
}

/// Integers and floats as the nearest floats, in one pass; `None` for other types. Each of them has a nearest float.
fn to_floats(array: &ArrayRef, to: &DataType) -> Option<ArrayRef> {
    macro_rules! convert {
        ($($from:ident),*) => {
            match (array.data_type(), to) {
                $(
                    (&$from::DATA_TYPE, DataType::Float32) => {
                        Some(Arc::new(array.as_primitive::<$from>().unary::<_, Float32Type>(|x| x as f32)))
                    }
                    (&$from::DATA_TYPE, DataType::Float64) => {
                        Some(Arc::new(array.as_primitive::<$from>().unary::<_, Float64Type>(|x| x as f64)))
                    }
                )*
                _ => None,
            }
        };
    }
    convert!(
        Int8Type,
        Int16Type,
        Int32Type,
        Int64Type,
        UInt8Type,
        UInt16Type,
        UInt32Type,
        UInt64Type,
        Float32Type,
        Float64Type
    )
}

/// Dates and timestamps in ISO form; NULL where there is none, as for a year of a million.
fn texts(array: &ArrayRef) -> Result<ArrayRef> {
    let formatter = ArrayFormatter::try_new(array, &FormatOptions::new().with_display_error(false))?;
    let text = |row: usize| array.is_valid(row).then(|| formatter.value(row).try_to_string().ok()).flatten();
    Ok(Arc::new((0..array.len()).map(text).collect::<StringArray>()))
}

/// NULL replaced by NaN, 0, false or a text: whether that counts was decided before.
pub(super) fn without_nulls(array: &ArrayRef, policy: NullPolicy) -> Result<ArrayRef> {
    let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) else {
        return Ok(strip(array));
    };
    Ok(match array.data_type() {
        DataType::Utf8 => {
            let fill = if policy == NullPolicy::Missing { MISSING_TEXT } else { "" };
            let texts = array.as_string::<i32>().iter().map(|text| text.unwrap_or(fill));
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
    let array = array.as_primitive::<T>();
    let mut values = array.values().to_vec();
    if let Some(nulls) = array.nulls() {
        let missing = !nulls.inner();
        missing.set_indices().for_each(|row| values[row] = fill);
    }
    Arc::new(PrimitiveArray::<T>::new(values.into(), None))
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
