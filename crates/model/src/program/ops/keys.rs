//! Where a value stands in a list of keys: one look-up per row, or per distinct value of a dictionary.
//!
//! Columns of text are read as they are held, in place: offsets or views, in a dictionary or not.

use arrow::array::{Array, ArrayRef, AsArray, GenericStringArray, OffsetSizeTrait};
use arrow::compute::take;
use arrow::datatypes::{DataType, UInt64Type};
use foretell_kernels::keys::{NOT_FOUND as NO_KEY, TextTable, WordTable};

use super::columns::{Number, for_float, for_number, values};
use super::wrong_type;
use crate::error::Result;

/// The position of a value that is no key.
pub(super) const NOT_FOUND: u32 = NO_KEY;

/// Where a dictionary has more values than so many for each row, the rows' own are looked up.
const VALUES_PER_ROW_MAX: usize = 64;

/// The position of each key.
#[derive(Debug, Clone)]
pub(super) enum KeyIndex {
    Text(TextTable),
    Integer(WordTable),
    /// Unsigned integers above the signed ones.
    Unsigned(WordTable),
    /// By bits, after [`canonical_bits`].
    Float(WordTable),
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
        if let Some(keys) = keys.as_string_opt::<i32>() {
            let keys: Vec<(&str, u32)> = order.map(|(at, position)| (keys.value(at), position)).collect();
            return Ok(Self::Text(TextTable::of(&keys)));
        }
        let (words, index): (_, fn(WordTable) -> Self) = match keys.data_type() {
            DataType::UInt64 => (unsigned_words(keys)?, Self::Unsigned),
            DataType::Float32 | DataType::Float64 => (float_words(keys)?, Self::Float),
            _ => (integer_words(keys)?, Self::Integer),
        };
        Ok(index(WordTable::of(&order.map(|(at, position)| (words[at], position)).collect::<Vec<_>>())))
    }

    /// The position of each value, or [`NOT_FOUND`].
    pub(super) fn positions(&self, input: &ArrayRef) -> Result<Vec<u32>> {
        let mut positions = Vec::with_capacity(input.len());
        self.append_positions(input, &mut positions)?;
        Ok(positions)
    }

    /// Appends the position of each value, or [`NOT_FOUND`].
    pub(super) fn append_positions(&self, input: &ArrayRef, positions: &mut Vec<u32>) -> Result<()> {
        if let Some(dictionary) = input.as_any_dictionary_opt() {
            if dictionary.values().len() > VALUES_PER_ROW_MAX * input.len() {
                return self.append_positions(&take(dictionary.values(), dictionary.keys(), None)?, positions);
            }
            let of_values = self.positions(dictionary.values())?;
            match of_values.is_empty() {
                // Without a value every key is NULL.
                true => positions.extend(std::iter::repeat_n(NOT_FOUND, input.len())),
                false => positions.extend(dictionary.normalized_keys().into_iter().map(|key| of_values[key])),
            }
            return Ok(());
        }
        let mut find = |table: &WordTable, words: Vec<u128>| {
            positions.extend(words.into_iter().map(|word| table.find(word)));
        };
        match self {
            Self::Text(table) => append_texts(table, input, positions)?,
            Self::Integer(table) => find(table, integer_words(input)?),
            Self::Unsigned(table) => find(table, unsigned_words(input)?),
            Self::Float(table) => find(table, float_words(input)?),
        }
        Ok(())
    }

    /// How keys are found, in words.
    pub(super) fn choice(&self) -> String {
        match self {
            Self::Text(table) => format!("a table of {} texts, once for each value of a dictionary", table.keys()),
            Self::Integer(table) | Self::Unsigned(table) | Self::Float(table) => {
                format!("a table of {} numbers, once for each value of a dictionary", table.keys())
            }
        }
    }

    /// Bytes of memory that the index occupies.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Text(table) => table.bytes(),
            Self::Integer(table) | Self::Unsigned(table) | Self::Float(table) => table.bytes(),
        }
    }
}

fn append_texts(table: &TextTable, input: &ArrayRef, positions: &mut Vec<u32>) -> Result<()> {
    match input.data_type() {
        DataType::Utf8 => append_parts(table, input.as_string::<i32>(), positions),
        DataType::LargeUtf8 => append_parts(table, input.as_string::<i64>(), positions),
        DataType::Utf8View => {
            let input = input.as_string_view();
            table.find_views(input.views(), input.data_buffers(), positions);
        }
        other => return Err(wrong_type("the text keys", other)),
    }
    Ok(())
}

fn append_parts<O: OffsetSizeTrait>(table: &TextTable, input: &GenericStringArray<O>, positions: &mut Vec<u32>) {
    let parts = input.value_offsets().windows(2).map(|ends| ends[0].as_usize()..ends[1].as_usize());
    table.find_parts(input.values().as_slice(), parts, positions);
}

fn integer_word(key: i64) -> u128 {
    u128::from(key.cast_unsigned())
}

fn unsigned_words(input: &ArrayRef) -> Result<Vec<u128>> {
    Ok(values::<UInt64Type>(input)?.iter().map(|&key| u128::from(key)).collect())
}

fn integer_words(input: &ArrayRef) -> Result<Vec<u128>> {
    if let Some(bits) = input.as_boolean_opt() {
        return Ok(bits.values().iter().map(|bit| integer_word(i64::from(bit))).collect());
    }
    if input.data_type().is_floating() {
        return Err(wrong_type("the integer keys", input.data_type()));
    }
    for_number!(
        input.data_type(),
        T => Ok(values::<T>(input)?.iter().map(|key| integer_word(key.convert())).collect()),
        _ => Err(wrong_type("the integer keys", input.data_type()))
    )
}

/// Words that are equal when the numbers are, and for all NaN.
fn float_words(input: &ArrayRef) -> Result<Vec<u128>> {
    for_float!(
        input.data_type(),
        T => Ok(values::<T>(input)?.iter().map(|key| u128::from(canonical_bits(key.convert()))).collect()),
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
        let empty: DictionaryArray<Int8Type> = [None::<&str>].into_iter().collect();
        assert_eq!(index.positions(&(Arc::new(empty) as ArrayRef)).expect("texts"), [NOT_FOUND]);
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
