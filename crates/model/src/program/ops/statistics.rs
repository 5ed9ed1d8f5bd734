//! Categories as CatBoost sees them: hashes of texts, and what the training knew about a category or a combination of them.
//!
//! A category is the lower half of the text's hash as a signed number.

use std::collections::HashMap;
use std::ops::Range;

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

/// Numbers that a training kept for keys, and what becomes of them; a key is made of categories and of answers to questions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CategoryStatistics {
    /// What makes the key, in order, with the input that it reads.
    pub(crate) elements: Vec<(usize, KeyElement)>,
    /// Place of each key in the numbers.
    pub(crate) places: HashMap<u64, u32>,
    /// As many numbers for each key.
    pub(crate) numbers: Vec<f64>,
    pub(crate) per_key: usize,
    /// One for each output.
    pub(crate) shares: Vec<Share>,
}

/// The share of some numbers of a key in others, with a prior, in single precision.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Share {
    pub(crate) part: Range<usize>,
    pub(crate) whole: Whole,
    /// What is added to the part and to the whole.
    pub(crate) prior: (f32, f32),
    pub(crate) shift: f32,
    pub(crate) scale: f32,
}

/// What something is a share of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Whole {
    /// The sum of some numbers of the key.
    Sum(Range<usize>),
    /// The same for all keys.
    Constant(f32),
}

impl Share {
    /// The share for a key with these numbers, or for a key that is not known.
    fn of(&self, numbers: Option<&[f64]>) -> f32 {
        let sum =
            |range: &Range<usize>| numbers.map_or(0.0, |numbers| numbers[range.clone()].iter().sum::<f64>()) as f32;
        let whole = match &self.whole {
            Whole::Sum(range) => sum(range),
            Whole::Constant(whole) => *whole,
        };
        let share = (sum(&self.part) + self.prior.0) / (whole + self.prior.1);
        (share + self.shift) * self.scale
    }
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
    /// One column of `f64` per share.
    pub(super) fn run(&self, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
        let columns = all_values::<Float64Type>(inputs)?;
        let mut keys = vec![0_u64; rows];
        for &(input, element) in &self.elements {
            let column = columns.get(input).ok_or_else(|| wrong_count(input + 1, columns.len()))?;
            for (key, &x) in keys.iter_mut().zip(*column) {
                *key = extended(*key, element.of(x));
            }
        }
        let numbers = |key: &u64| {
            let start = *self.places.get(key)? as usize * self.per_key;
            Some(&self.numbers[start..start + self.per_key])
        };
        let known: Vec<Option<&[f64]>> = keys.iter().map(numbers).collect();
        let output = |share: &Share| -> ArrayRef {
            column::<Float64Type>(known.iter().map(|numbers| f64::from(share.of(*numbers))).collect())
        };
        Ok(self.shares.iter().map(output).collect())
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
        let share = |part, whole| Share { part, whole, prior: (1.0, 2.0), shift: 0.5, scale: 10.0 };
        let statistics = CategoryStatistics {
            elements: vec![(0, KeyElement::Category), (1, above)],
            places: HashMap::from([(key("a", 0), 0), (key("b", 1), 1)]),
            numbers: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            per_key: 3,
            shares: vec![share(1..3, Whole::Sum(0..3)), share(0..1, Whole::Constant(7.0))],
        };
        let outputs = statistics.run(&[categories, numbers], 3).expect("two inputs");
        let expected = [(5.0 + 1.0) / (6.0 + 2.0), (11.0 + 1.0) / (15.0 + 2.0), 1.0 / 2.0_f32];
        let expected = expected.map(|share| f64::from((share + 0.5) * 10.0));
        assert_eq!(outputs[0].as_primitive::<Float64Type>().values(), &expected);
        let expected = [2.0 / 9.0, 5.0 / 9.0, 1.0 / 9.0_f32].map(|share| f64::from((share + 0.5) * 10.0));
        assert_eq!(outputs[1].as_primitive::<Float64Type>().values(), &expected);
        assert!(statistics.run(&[texts], 3).is_err());
    }
}
