//! Where a value stands in a list of keys: one hash look-up per row, or per distinct value of a dictionary.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};

use super::columns::{Number, for_float, for_number, values};
use super::wrong_type;
use crate::error::Result;

/// The position of a value that is no key.
pub(super) const NOT_FOUND: u32 = u32::MAX;

/// The position of each key.
#[derive(Debug, Clone)]
pub(super) enum KeyIndex {
    Text(HashMap<Box<str>, u32>),
    Integer(HashMap<i64, u32>),
    /// Unsigned integers above the signed ones.
    Unsigned(HashMap<u64, u32>),
    /// By bits, after [`canonical_bits`].
    Float(HashMap<u64, u32>),
}

impl KeyIndex {
    /// An index in which the first of equal keys counts.
    pub(super) fn first_of(keys: &ArrayRef) -> Result<Self> {
        Self::build(keys, (0..keys.len()).rev())
    }

    /// An index in which the last of equal keys counts.
    pub(super) fn last_of(keys: &ArrayRef) -> Result<Self> {
        Self::build(keys, 0..keys.len())
    }

    /// An index of the keys in this order; a later one replaces an equal one.
    fn build(keys: &ArrayRef, order: impl Iterator<Item = usize>) -> Result<Self> {
        // Limits keep lists far below 2^32 elements.
        let order = order.map(|at| (at, at as u32));
        Ok(match keys.data_type() {
            DataType::Utf8 => {
                let keys = keys.as_string::<i32>();
                Self::Text(order.map(|(at, position)| (Box::from(keys.value(at)), position)).collect())
            }
            DataType::Boolean => {
                let keys = keys.as_boolean();
                Self::Integer(order.map(|(at, position)| (i64::from(keys.value(at)), position)).collect())
            }
            DataType::UInt64 => {
                let keys = values::<arrow::datatypes::UInt64Type>(keys)?;
                Self::Unsigned(order.map(|(at, position)| (keys[at], position)).collect())
            }
            DataType::Float32 | DataType::Float64 => {
                let bits = float_bits(keys)?;
                Self::Float(order.map(|(at, position)| (bits[at], position)).collect())
            }
            _ => {
                let integers = integers(keys)?;
                Self::Integer(order.map(|(at, position)| (integers[at], position)).collect())
            }
        })
    }

    /// The position of each value, or [`NOT_FOUND`].
    pub(super) fn positions(&self, input: &ArrayRef) -> Result<Vec<u32>> {
        if let Some(dictionary) = input.as_any_dictionary_opt() {
            let positions = self.positions(dictionary.values())?;
            return Ok(dictionary.normalized_keys().into_iter().map(|key| positions[key]).collect());
        }
        Ok(match self {
            Self::Text(map) => texts(map, input)?,
            Self::Integer(map) => integers(input)?.iter().map(|key| position(map.get(key))).collect(),
            Self::Unsigned(map) => {
                values::<arrow::datatypes::UInt64Type>(input)?.iter().map(|key| position(map.get(key))).collect()
            }
            Self::Float(map) => float_bits(input)?.iter().map(|key| position(map.get(key))).collect(),
        })
    }
}

fn position(found: Option<&u32>) -> u32 {
    found.copied().unwrap_or(NOT_FOUND)
}

fn texts(map: &HashMap<Box<str>, u32>, input: &ArrayRef) -> Result<Vec<u32>> {
    let find = |key: Option<&str>| position(key.and_then(|key| map.get(key)));
    match input.data_type() {
        DataType::Utf8 => Ok(input.as_string::<i32>().iter().map(find).collect()),
        DataType::LargeUtf8 => Ok(input.as_string::<i64>().iter().map(find).collect()),
        DataType::Utf8View => Ok(input.as_string_view().iter().map(find).collect()),
        other => Err(wrong_type("the text keys", other)),
    }
}

fn integers(input: &ArrayRef) -> Result<Vec<i64>> {
    if let Some(bits) = input.as_boolean_opt() {
        return Ok(bits.values().iter().map(i64::from).collect());
    }
    if let Some(integers) = input.as_primitive_opt::<Int64Type>() {
        return Ok(integers.values().to_vec());
    }
    if input.data_type().is_floating() {
        return Err(wrong_type("the integer keys", input.data_type()));
    }
    for_number!(
        input.data_type(),
        T => Ok(values::<T>(input)?.iter().map(|key| key.convert()).collect()),
        _ => Err(wrong_type("the integer keys", input.data_type()))
    )
}

/// Bits that are equal when the numbers are, and for all NaN.
fn float_bits(input: &ArrayRef) -> Result<Vec<u64>> {
    for_float!(
        input.data_type(),
        T => Ok(values::<T>(input)?.iter().map(|key| canonical_bits(key.convert())).collect()),
        _ => Err(wrong_type("the float keys", input.data_type()))
    )
}

fn canonical_bits(key: f64) -> u64 {
    if key.is_nan() { f64::NAN.to_bits() } else { (key + 0.0).to_bits() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{DictionaryArray, Float32Array, Int32Array, Int64Array, StringArray, StringViewArray};
    use arrow::datatypes::Int8Type;

    use super::*;

    #[test]
    fn texts_of_every_kind() {
        let keys: ArrayRef = Arc::new(StringArray::from(vec!["b", "a", "b"]));
        let index = KeyIndex::first_of(&keys).expect("text keys");
        let plain = StringArray::from(vec!["a", "x", "b"]);
        let view: StringViewArray = plain.iter().collect();
        let dictionary: DictionaryArray<Int8Type> = plain.iter().flatten().collect();
        for input in [Arc::new(plain) as ArrayRef, Arc::new(view), Arc::new(dictionary)] {
            assert_eq!(index.positions(&input).expect("texts"), [1, NOT_FOUND, 0]);
        }
        let last = KeyIndex::last_of(&keys).expect("text keys");
        assert_eq!(last.positions(&keys).expect("texts"), [2, 1, 2]);
        let integers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        assert!(index.positions(&integers).is_err());
    }

    #[test]
    fn equal_numbers_are_found() {
        let keys: ArrayRef = Arc::new(Float32Array::from(vec![0.0, f32::NAN, 1.5]));
        let input: ArrayRef = Arc::new(Float32Array::from(vec![-0.0, -f32::NAN, 1.5, 2.0]));
        let index = KeyIndex::first_of(&keys).expect("float keys");
        assert_eq!(index.positions(&input).expect("floats"), [0, 1, 2, NOT_FOUND]);
        let keys: ArrayRef = Arc::new(Int64Array::from(vec![7, -1]));
        let input: ArrayRef = Arc::new(Int32Array::from(vec![-1, 0]));
        assert_eq!(
            KeyIndex::first_of(&keys).expect("integer keys").positions(&input).expect("integers"),
            [1, NOT_FOUND]
        );
    }
}
