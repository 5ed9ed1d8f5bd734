//! Categories as CatBoost sees them: hashes of texts, and what the training knew about a category or a combination of them.
//!
//! A category is the lower half of the text's hash as a signed number.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Float64Type;

use super::city::city_hash;
use super::columns::{all_values, column};
use super::{wrong_count, wrong_type};
use crate::error::Result;

/// The hash of each text as a number.
pub(super) fn hashes(input: &ArrayRef) -> Result<ArrayRef> {
    let texts = input.as_string_opt::<i32>().ok_or_else(|| wrong_type("hashes", input.data_type()))?;
    let hash = |row: usize| f64::from(category_hash(texts.value(row)));
    Ok(column::<Float64Type>((0..texts.len()).map(hash).collect()))
}

fn category_hash(text: &str) -> i32 {
    (city_hash(text.as_bytes()) as u32).cast_signed()
}

/// Numbers that a training kept for keys; a key is made of categories and of answers to questions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CategoryStatistics {
    /// What makes the key, in order.
    elements: Vec<(usize, KeyElement)>,
    /// Place of each key in the values.
    places: HashMap<u64, u32>,
    /// For each output the values of all keys, and then the value of a key that is not known.
    values: Vec<Vec<f32>>,
}

/// What an input gives to a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum KeyElement {
    /// The category.
    Category,
    /// 1 for this category, else 0.
    Equals(f64),
    /// 1 above the border, else 0.
    Above { border: f64, nan_is_above: bool },
}

impl KeyElement {
    fn of(self, x: f64) -> u64 {
        match self {
            Self::Category => i64::from(x as i32).cast_unsigned(),
            Self::Equals(category) => u64::from(x == category),
            Self::Above { border, nan_is_above } => u64::from(x > border || (nan_is_above && x.is_nan())),
        }
    }
}

impl CategoryStatistics {
    /// Elements with the input that each reads, keys, and for each output one value more than there are keys. The last of
    /// equal keys counts.
    pub(crate) fn new(elements: Vec<(usize, KeyElement)>, keys: &[u64], values: Vec<Vec<f32>>) -> Self {
        Self { elements, places: keys.iter().zip(0..).map(|(&key, place)| (key, place)).collect(), values }
    }

    /// One column of `f64` per output.
    pub(super) fn run(&self, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
        let columns = all_values::<Float64Type>(inputs)?;
        let mut keys = vec![0_u64; rows];
        for &(input, element) in &self.elements {
            let column = columns.get(input).ok_or_else(|| wrong_count(input + 1, columns.len()))?;
            for (key, &x) in keys.iter_mut().zip(*column) {
                *key = extended(*key, element.of(x));
            }
        }
        let unknown = self.places.len();
        let places: Vec<usize> =
            keys.iter().map(|key| self.places.get(key).map_or(unknown, |&place| place as usize)).collect();
        let output = |values: &Vec<f32>| -> ArrayRef {
            column::<Float64Type>(places.iter().map(|&place| f64::from(values[place.min(values.len() - 1)])).collect())
        };
        Ok(self.values.iter().map(output).collect())
    }
}

/// A key with another element, as CatBoost combines them.
fn extended(key: u64, element: u64) -> u64 {
    const FACTOR: u64 = 0x4906_ba49_4954_cb65;
    FACTOR.wrapping_mul(key.wrapping_add(FACTOR.wrapping_mul(element)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, StringArray};

    use super::*;

    #[test]
    fn keys_are_found_and_others_have_a_value_of_their_own() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
        let categories = hashes(&texts).expect("texts");
        assert_eq!(categories.as_primitive::<Float64Type>().value(0), f64::from(3_489_901_818_u32.cast_signed()));
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![1.0, f64::NAN, 3.0]));
        let above = KeyElement::Above { border: 2.0, nan_is_above: true };
        let key = |text: &str, above: u64| extended(extended(0, i64::from(category_hash(text)).cast_unsigned()), above);
        let statistics = CategoryStatistics::new(
            vec![(0, KeyElement::Category), (1, above)],
            &[key("a", 0), key("b", 1)],
            vec![vec![0.1, 0.2, 0.9], vec![1.0, 2.0, 9.0]],
        );
        let outputs = statistics.run(&[categories, numbers], 3).expect("two inputs");
        assert_eq!(outputs[0].as_primitive::<Float64Type>().values(), &[0.1_f32, 0.2, 0.9].map(f64::from));
        assert_eq!(outputs[1].as_primitive::<Float64Type>().values(), &[1.0, 2.0, 9.0]);
        assert!(statistics.run(&[texts], 3).is_err());
    }
}
