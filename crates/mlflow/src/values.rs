//! JSON values as Arrow columns.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListArray, NullArray, StringArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Float64Type};
use foretell_model::Feature;
use serde_json::Value;

/// JSON text with `null` for the numbers that Python writes and JSON does not have: NaN and the infinities.
pub(crate) fn strict_json(text: &[u8]) -> Cow<'_, [u8]> {
    const LOOSE: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let mut strict = Vec::new();
    let (mut copied, mut at, mut in_text) = (0, 0, false);
    while at < text.len() {
        let loose = LOOSE.iter().find(|word| !in_text && text[at..].starts_with(word));
        match (text[at], loose) {
            (_, Some(word)) => {
                strict.extend_from_slice(&text[copied..at]);
                strict.extend_from_slice(b"null");
                at += word.len() - 1;
                copied = at + 1;
            }
            (b'\\', _) if in_text => at += 1,
            (b'"', _) => in_text = !in_text,
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    strict.extend_from_slice(&text[copied..]);
    Cow::Owned(strict)
}

/// A column of these values for `feature`, of the declared type if there is one.
pub(crate) fn column(values: &[&Value], feature: &Feature, declared: Option<&DataType>) -> Result<ArrayRef, String> {
    if !feature.shape.is_empty() {
        return lists(values);
    }
    let array = scalars(values)?;
    match declared {
        Some(DataType::List(_) | DataType::Binary) | None if feature.data_type.is_integer() => whole(array),
        Some(DataType::List(_) | DataType::Binary) | None => Ok(array),
        Some(data_type) => cast(&array, data_type),
    }
}

fn cast(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, String> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, data_type, &options).map_err(|error| error.to_string())
}

/// Numbers without a fraction as integers: those of an array that was one of floats in Python.
fn whole(array: ArrayRef) -> Result<ArrayRef, String> {
    let Some(floats) = array.as_primitive_opt::<Float64Type>() else { return Ok(array) };
    let is_whole = floats.iter().flatten().all(|value| value.fract() == 0.0);
    if is_whole { cast(&array, &DataType::Int64) } else { Ok(array) }
}

/// Values of one kind: numbers, text or booleans, and nulls among them.
fn scalars(values: &[&Value]) -> Result<ArrayRef, String> {
    let present = || values.iter().filter(|value| !value.is_null());
    Ok(match present().next() {
        None => Arc::new(NullArray::new(values.len())),
        Some(Value::String(_)) => Arc::new(
            values.iter().map(|value| of_kind(value, "text", value.as_str())).collect::<Result<StringArray, _>>()?,
        ),
        Some(Value::Bool(_)) => Arc::new(
            values
                .iter()
                .map(|value| of_kind(value, "a boolean", value.as_bool()))
                .collect::<Result<BooleanArray, _>>()?,
        ),
        Some(Value::Number(_)) if present().all(|value| value.is_i64()) => {
            Arc::new(values.iter().map(|value| value.as_i64()).collect::<Int64Array>())
        }
        Some(_) => Arc::new(
            values
                .iter()
                .map(|value| of_kind(value, "a number", value.as_f64()))
                .collect::<Result<Float64Array, _>>()?,
        ),
    })
}

fn of_kind<T>(value: &Value, kind: &str, found: Option<T>) -> Result<Option<T>, String> {
    if found.is_none() && !value.is_null() {
        let shown: String = value.to_string().chars().take(60).collect();
        return Err(format!("{shown} is not {kind}"));
    }
    Ok(found)
}

/// Each value as a list, whatever its nesting.
fn lists(values: &[&Value]) -> Result<ArrayRef, String> {
    let mut leaves = Vec::new();
    let mut lengths = Vec::with_capacity(values.len());
    for value in values {
        let before = leaves.len();
        flatten(value, &mut leaves);
        lengths.push(leaves.len() - before);
    }
    let items = scalars(&leaves)?;
    let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
    let list = ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), items, None);
    Ok(Arc::new(list.map_err(|error| error.to_string())?))
}

fn flatten<'v>(value: &'v Value, leaves: &mut Vec<&'v Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| flatten(item, leaves)),
        leaf => leaves.push(leaf),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_numbers_become_null() {
        let text = br#"{"NaN \" NaN": [NaN, -Infinity, Infinity, 1.5, "Infinity\\"], "x": NaN}"#;
        let strict = br#"{"NaN \" NaN": [null, null, null, 1.5, "Infinity\\"], "x": null}"#;
        assert_eq!(strict_json(text).as_ref(), strict);
        assert!(matches!(strict_json(b"[1, 2]"), Cow::Borrowed(_)));
        for broken in [&b"\""[..], b"\"\\", b"Na", b"\\"] {
            strict_json(broken);
        }
    }

    #[test]
    fn values_of_two_kinds_are_no_column() {
        let values: Vec<Value> = serde_json::from_str(r#"[1, null, "two"]"#).expect("JSON");
        let values: Vec<&Value> = values.iter().collect();
        assert_eq!(scalars(&values).expect_err("mixed"), "\"two\" is not a number");
        assert_eq!(scalars(&values[1..]).expect("text").len(), 2);
    }
}
