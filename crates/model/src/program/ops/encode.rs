//! The encoders of ai.onnx.ml: look-up, one-hot, imputer, scaler, binarizer.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, StringArray, UInt32Array};
use arrow::compute::{concat, take};
use arrow::datatypes::{Float32Type, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::columns::{Number, column, for_number, values};
use super::keys::{KeyIndex, NOT_FOUND};
use super::{wrong_count, wrong_type};
use crate::error::{Error, Result};
use crate::program::RowFailures;

/// The code of a value that is no category.
pub(crate) const NO_CATEGORY: u32 = NOT_FOUND;

/// A map from keys to values with a default.
#[derive(Debug, Clone)]
pub(crate) struct LookupTable {
    index: KeyIndex,
    /// The value beside each key, then the default.
    values: ArrayRef,
}

impl LookupTable {
    /// The keys have the type of the column read; `default`, an array of length one, has the type of `values`. The first
    /// of equal keys counts.
    pub(crate) fn try_new(keys: &ArrayRef, values: &ArrayRef, default: &ArrayRef) -> Result<Self> {
        Self::of(KeyIndex::first_of(keys)?, keys.len(), values, default)
    }

    /// As [`Self::try_new`], but the last of equal keys counts.
    pub(crate) fn of_last(keys: &ArrayRef, values: &ArrayRef, default: &ArrayRef) -> Result<Self> {
        Self::of(KeyIndex::last_of(keys)?, keys.len(), values, default)
    }

    fn of(index: KeyIndex, keys: usize, values: &ArrayRef, default: &ArrayRef) -> Result<Self> {
        if keys != values.len() {
            let what = format!("{keys} keys beside {} values", values.len());
            return Err(Error::Malformed { format: "ONNX", what });
        }
        if default.len() != 1 {
            let what = format!("a default of {} values instead of one", default.len());
            return Err(Error::Malformed { format: "ONNX", what });
        }
        Ok(Self { index, values: concat(&[values.as_ref(), default.as_ref()])? })
    }

    /// How keys are found.
    pub(crate) fn choice(&self) -> String {
        self.index.choice()
    }

    /// Bytes of memory that the table occupies.
    pub(super) fn bytes(&self) -> usize {
        self.index.bytes() + self.values.get_array_memory_size()
    }

    pub(super) fn run(&self, input: &ArrayRef) -> Result<ArrayRef> {
        let default = (self.values.len() - 1) as u32;
        let positions = self.index.positions(input)?.into_iter().map(|position| position.min(default));
        Ok(take(&self.values, &UInt32Array::from_iter_values(positions), None)?)
    }
}

/// One column per category.
#[derive(Debug, Clone)]
pub(crate) struct OneHot {
    categories: ArrayRef,
    index: KeyIndex,
    unknown_is_zeros: bool,
}

impl OneHot {
    /// The categories have the type of the column read; the last of equal ones counts. An unknown value gives zeros, or
    /// else (`zeros = 0`) the row is refused.
    pub(crate) fn try_new(categories: ArrayRef, unknown_is_zeros: bool) -> Result<Self> {
        Ok(Self { index: KeyIndex::last_of(&categories)?, categories, unknown_is_zeros })
    }

    /// Number of categories.
    pub(crate) fn len(&self) -> usize {
        self.categories.len()
    }

    /// Whether an unknown value refuses its row.
    pub(crate) fn refuses_unknown(&self) -> bool {
        !self.unknown_is_zeros
    }

    /// How categories are found.
    pub(crate) fn choice(&self) -> String {
        self.index.choice()
    }

    /// Bytes of memory that the encoder occupies.
    pub(super) fn bytes(&self) -> usize {
        self.index.bytes() + self.categories.get_array_memory_size()
    }

    /// Appends the position of each value's category, or [`NO_CATEGORY`]; refuses none.
    pub(super) fn append_positions(&self, values: &ArrayRef, codes: &mut Vec<u32>) -> Result<()> {
        self.index.append_positions(values, codes)
    }

    /// The position of each row's category, or [`NO_CATEGORY`].
    pub(super) fn codes(&self, input: &ArrayRef, failures: &mut RowFailures) -> Result<Vec<u32>> {
        let mut codes = Vec::with_capacity(input.len());
        self.append_codes(input, &mut codes, failures)?;
        Ok(codes)
    }

    /// Appends the position of each row's category, or [`NO_CATEGORY`].
    pub(super) fn append_codes(
        &self,
        input: &ArrayRef,
        codes: &mut Vec<u32>,
        failures: &mut RowFailures,
    ) -> Result<()> {
        let start = codes.len();
        self.index.append_positions(input, codes)?;
        let codes = &codes[start..];
        if !self.unknown_is_zeros && codes.contains(&NO_CATEGORY) {
            let formatter = ArrayFormatter::try_new(input, &FormatOptions::default())?;
            let unknown = codes.iter().enumerate().filter(|(_, code)| **code == NO_CATEGORY);
            unknown
                .for_each(|(row, _)| failures.refuse(row, || format!("unknown category `{}`", formatter.value(row))));
        }
        Ok(())
    }

    /// 1 in the column of each row's category and 0 in the others.
    pub(super) fn indicators(&self, input: &ArrayRef, failures: &mut RowFailures) -> Result<Vec<ArrayRef>> {
        let codes = self.codes(input, failures)?;
        let mut indicators = vec![vec![0.0; codes.len()]; self.len()];
        for (row, &code) in codes.iter().enumerate() {
            if let Some(indicator) = indicators.get_mut(code as usize) {
                indicator[row] = 1.0;
            }
        }
        Ok(indicators.into_iter().map(column::<Float32Type>).collect())
    }
}

/// `(x - offset) * scale`: doubles in double precision, other numbers in single precision; the answer is single.
pub(super) fn scale(input: &ArrayRef, offset: f32, scale: f32) -> Result<ArrayRef> {
    if let Some(input) = input.as_primitive_opt::<Float64Type>() {
        let scaled = |x: &f64| ((x - f64::from(offset)) * f64::from(scale)) as f32;
        return Ok(column::<Float32Type>(input.values().iter().map(scaled).collect()));
    }
    let scaled = |x: f32| (x - offset) * scale;
    for_number!(
        input.data_type(),
        T => Ok(column::<Float32Type>(values::<T>(input)?.iter().map(|x| scaled(x.convert())).collect())),
        _ => Err(wrong_type("the scale", input.data_type()))
    )
}

/// `fill` in the place of `replaced`; NaN equals NaN here.
pub(super) fn impute(input: &ArrayRef, replaced: &ArrayRef, fill: &ArrayRef) -> Result<ArrayRef> {
    if let (Some(input), Some(replaced), Some(fill)) =
        (input.as_string_opt::<i32>(), replaced.as_string_opt::<i32>(), fill.as_string_opt::<i32>())
    {
        let (replaced, fill) = (the_one(replaced.iter().flatten())?, the_one(fill.iter().flatten())?);
        let filled = input.iter().flatten().map(|x| if x == replaced { fill } else { x });
        return Ok(Arc::new(StringArray::from_iter_values(filled)));
    }
    for_number!(
        input.data_type(),
        T => impute_numbers::<T>(input, replaced, fill),
        _ => Err(wrong_type("the missing values", input.data_type()))
    )
}

fn impute_numbers<T>(input: &ArrayRef, replaced: &ArrayRef, fill: &ArrayRef) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType<Native: Number>,
{
    let replaced = the_one(values::<T>(replaced)?.iter().copied())?;
    let fill = the_one(values::<T>(fill)?.iter().copied())?;
    let is_missing = |x: T::Native| x == replaced || (x.is_nan() && replaced.is_nan());
    let filled = values::<T>(input)?.iter().map(|&x| if is_missing(x) { fill } else { x });
    Ok(column::<T>(filled.collect()))
}

fn the_one<V>(mut values: impl Iterator<Item = V>) -> Result<V> {
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        (first, _) => Err(wrong_count(1, if first.is_some() { 2 } else { 0 })),
    }
}

/// 1 where `x > threshold`, else 0. ONNX Runtime refuses NaN here, and so do we.
pub(super) fn binarize(input: &ArrayRef, threshold: f64, failures: &mut RowFailures) -> Result<ArrayRef> {
    for_number!(
        input.data_type(),
        T => {
            let input = values::<T>(input)?;
            for (row, _) in input.iter().enumerate().filter(|(_, x)| Number::is_nan(**x)) {
                failures.refuse(row, || String::from("a missing value where the model needs a number to binarize"));
            }
            let bits = input.iter().map(|x| if x.convert::<f64>() > threshold { 1.0 } else { 0.0 });
            Ok(column::<Float32Type>(bits.collect()))
        },
        _ => Err(wrong_type("the threshold", input.data_type()))
    )
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float32Array, Float64Array, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn floats(values: &[f32]) -> ArrayRef {
        Arc::new(Float32Array::from(values.to_vec()))
    }

    fn texts(values: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    #[test]
    fn look_up_with_a_default() {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![10, 20]));
        let default: ArrayRef = Arc::new(Int64Array::from(vec![-1]));
        let table = LookupTable::try_new(&texts(&["a", "b"]), &values, &default).expect("a table");
        let output = table.run(&texts(&["b", "c", "a"])).expect("texts");
        assert_eq!(output.as_primitive::<Int64Type>().values(), &[20, -1, 10]);
        assert!(LookupTable::try_new(&texts(&["a"]), &values, &default).is_err());
    }

    #[test]
    fn one_hot_and_unknown_categories() {
        let mut failures = RowFailures::default();
        let input = texts(&["y", "z", "x"]);
        let lenient = OneHot::try_new(texts(&["x", "y"]), true).expect("categories");
        let columns = lenient.indicators(&input, &mut failures).expect("texts");
        assert_eq!(columns[0].as_primitive::<Float32Type>().values(), &[0.0, 0.0, 1.0]);
        assert_eq!(columns[1].as_primitive::<Float32Type>().values(), &[1.0, 0.0, 0.0]);
        assert!(failures.is_empty());
        let strict = OneHot::try_new(texts(&["x", "y"]), false).expect("categories");
        strict.indicators(&input, &mut failures).expect("texts");
        assert_eq!(failures.first(), Some((1, "unknown category `z`")));
    }

    #[test]
    fn scale_impute_binarize() {
        let scaled = scale(&floats(&[3.0, 1.0]), 1.0, 0.5).expect("numbers");
        assert_eq!(scaled.as_primitive::<Float32Type>().values(), &[1.0, 0.0]);
        let doubles: ArrayRef = Arc::new(Float64Array::from(vec![1e-9 + 1.0]));
        let scaled = scale(&doubles, 1.0, 1.0).expect("numbers");
        assert!(scaled.as_primitive::<Float32Type>().value(0) > 0.0, "the difference is taken in double precision");

        let filled = impute(&floats(&[f32::NAN, 2.0]), &floats(&[f32::NAN]), &floats(&[7.0])).expect("numbers");
        assert_eq!(filled.as_primitive::<Float32Type>().values(), &[7.0, 2.0]);
        let filled = impute(&texts(&["", "b"]), &texts(&[""]), &texts(&["a"])).expect("texts");
        assert_eq!(filled.as_string::<i32>(), &StringArray::from(vec!["a", "b"]));

        let mut failures = RowFailures::default();
        let bits = binarize(&floats(&[0.5, 0.6, f32::NAN]), 0.5, &mut failures).expect("numbers");
        assert_eq!(bits.as_primitive::<Float32Type>().values(), &[0.0, 1.0, 0.0]);
        assert_eq!(failures.first().map(|(row, _)| row), Some(2));
    }
}
