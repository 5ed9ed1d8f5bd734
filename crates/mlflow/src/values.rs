//! JSON values as Arrow columns.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListArray, MapArray, NullArray, StringArray,
    StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Fields, Float64Type};
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
    if let DataType::Map(entries, _) = &feature.data_type {
        return maps(values, entries.data_type());
    }
    if !feature.shape.is_empty() {
        // Where each row has its own lengths, they are known from the nesting alone.
        return lists(values, if feature.fixed_shape().is_some() { 1 } else { feature.shape.len() });
    }
    if declared.is_some_and(DataType::is_numeric)
        && let Some(text) = values.iter().find(|value| value.is_string())
    {
        return Err(format!("{} is not a number", shown(text)));
    }
    let array = scalars(values)?;
    match declared {
        Some(integer) if integer.is_integer() => cast(&whole(array)?, integer),
        Some(DataType::List(_) | DataType::Binary) | None if feature.data_type.is_integer() => whole(array),
        Some(DataType::List(_) | DataType::Binary) | None => Ok(array),
        Some(data_type) => cast(&array, data_type),
    }
}

fn cast(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, String> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, data_type, &options).map_err(|error| error.to_string())
}

/// Numbers that were floats in Python, as an array of them or a column with missing values is, as integers.
fn whole(array: ArrayRef) -> Result<ArrayRef, String> {
    let Some(floats) = array.as_primitive_opt::<Float64Type>() else { return Ok(array) };
    match floats.iter().flatten().find(|value| value.fract() != 0.0) {
        Some(value) => Err(format!("{value} is no whole number")),
        None => cast(&array, &DataType::Int64),
    }
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
        Some(several @ (Value::Array(_) | Value::Object(_))) => {
            return Err(format!("{} is not one value", shown(several)));
        }
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
        return Err(format!("{} is not {kind}", shown(value)));
    }
    Ok(found)
}

/// The beginning of a value, as it is written in JSON.
fn shown(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}

/// Each value as lists nested so deep, the innermost of which hold whatever is nested deeper; null stays null.
fn lists(values: &[&Value], depth: usize) -> Result<ArrayRef, String> {
    let mut parts = Vec::new();
    let mut lengths = Vec::with_capacity(values.len());
    for value in values {
        let before = parts.len();
        match value {
            Value::Null => {}
            Value::Array(items) if depth > 1 => parts.extend(items),
            Value::Array(items) => items.iter().for_each(|item| flatten(item, &mut parts)),
            value => return Err(format!("{} is not a list", shown(value))),
        }
        lengths.push(parts.len() - before);
    }
    let items = if depth > 1 { lists(&parts, depth - 1)? } else { scalars(&parts)? };
    let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
    let list = ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), items, nulls(values));
    Ok(Arc::new(list.map_err(|error| error.to_string())?))
}

/// Each value, an object, as a map whose keys are of the type that the model's `entries` have.
fn maps(values: &[&Value], entries: &DataType) -> Result<ArrayRef, String> {
    let (mut keys, mut items, mut lengths) = (Vec::new(), Vec::new(), Vec::with_capacity(values.len()));
    for value in values {
        let object = of_kind(value, "an object", value.as_object())?;
        lengths.push(object.map_or(0, serde_json::Map::len));
        for (key, item) in object.into_iter().flatten() {
            keys.push(key.as_str());
            items.push(item);
        }
    }
    let mut keys: ArrayRef = Arc::new(StringArray::from(keys));
    if let DataType::Struct(fields) = entries
        && let Some(key) = fields.first()
    {
        keys = cast(&keys, key.data_type())?;
    }
    let items = scalars(&items)?;
    let key = Field::new("key", keys.data_type().clone(), false);
    let fields = Fields::from(vec![key, Field::new("value", items.data_type().clone(), true)]);
    let map = StructArray::try_new(fields.clone(), vec![keys, items], None).and_then(|entries| {
        let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
        MapArray::try_new(field, OffsetBuffer::from_lengths(lengths), entries, nulls(values), false)
    });
    Ok(Arc::new(map.map_err(|error| error.to_string())?))
}

/// Which values are there.
fn nulls(values: &[&Value]) -> Option<NullBuffer> {
    Some(values.iter().map(|value| !value.is_null()).collect::<NullBuffer>()).filter(|nulls| nulls.null_count() > 0)
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
    fn lists_are_nested_where_each_row_has_its_own_lengths() {
        let values: Vec<Value> = serde_json::from_str("[[[1, 2], [3]], null, []]").expect("JSON");
        let values: Vec<&Value> = values.iter().collect();
        let nested = lists(&values, 2).expect("lists");
        let nested = nested.as_list::<i32>();
        assert_eq!(
            (0..3).map(|row| (nested.is_null(row), nested.value_length(row))).collect::<Vec<_>>(),
            [(false, 2), (true, 0), (false, 0)]
        );
        assert_eq!(lists(&values, 1).expect("lists").as_list::<i32>().value_length(0), 3);
        let flat: Vec<Value> = serde_json::from_str("[[1, 2]]").expect("JSON");
        assert_eq!(lists(&[&flat[0]], 2).expect_err("flat"), "1 is not a list");
    }

    #[test]
    fn values_of_two_kinds_are_no_column() {
        let values: Vec<Value> = serde_json::from_str(r#"[1, null, "two"]"#).expect("JSON");
        let values: Vec<&Value> = values.iter().collect();
        assert_eq!(scalars(&values).expect_err("mixed"), "\"two\" is not a number");
        assert_eq!(scalars(&values[1..]).expect("text").len(), 2);
    }
}
