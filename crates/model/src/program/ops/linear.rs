//! Linear models over columns.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray};
use arrow::datatypes::{Float32Type, Int32Type};
use foretell_kernels::linear::{FusedColumn, FusedInput, FusedLinear, LinearError, LinearModel};

use super::columns::{all_values, column, values};
use super::encode::OneHot;
use super::wrong_count;
use crate::error::Result;
use crate::program::RowFailures;

/// A linear map over columns as they were before they were imputed, scaled or encoded.
#[derive(Debug, Clone)]
pub(crate) struct EncodedLinear {
    linear: FusedLinear,
    /// For each input that is a category, what finds its code.
    encoders: Vec<Option<Arc<OneHot>>>,
}

/// What one column means for an [`EncodedLinear`].
#[derive(Debug, Clone)]
pub(crate) enum LinearInput {
    /// One feature.
    Number(FusedInput),
    /// As many features as there are categories.
    Category(Arc<OneHot>),
}

impl LinearInput {
    fn fused(&self) -> FusedInput {
        match self {
            Self::Number(input) => input.clone(),
            Self::Category(encoder) => FusedInput::Category { categories: encoder.len() },
        }
    }

    /// Number of features of the model that the column stands for.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Number(_) => 1,
            Self::Category(encoder) => encoder.len(),
        }
    }
}

impl EncodedLinear {
    /// # Errors
    /// When the inputs do not make up all features of the model, or the weight of a category is not finite.
    pub(crate) fn try_new(model: LinearModel, inputs: &[LinearInput]) -> std::result::Result<Self, LinearError> {
        let linear = FusedLinear::try_new(model, inputs.iter().map(LinearInput::fused).collect())?;
        let encoder = |input: &LinearInput| match input {
            LinearInput::Number(_) => None,
            LinearInput::Category(encoder) => Some(Arc::clone(encoder)),
        };
        Ok(Self { linear, encoders: inputs.iter().map(encoder).collect() })
    }

    /// The model behind the inputs.
    pub(crate) fn linear(&self) -> &FusedLinear {
        &self.linear
    }

    /// What each column means.
    pub(crate) fn inputs(&self) -> Vec<LinearInput> {
        let input = |(fused, encoder): (&FusedInput, &Option<Arc<OneHot>>)| match encoder {
            Some(encoder) => LinearInput::Category(Arc::clone(encoder)),
            None => LinearInput::Number(fused.clone()),
        };
        self.linear.inputs().iter().zip(&self.encoders).map(input).collect()
    }

    /// Whether some value of a column can make the model refuse a row.
    pub(crate) fn refuses_unknown(&self) -> bool {
        self.encoders.iter().flatten().any(|encoder| encoder.refuses_unknown())
    }

    /// Whether the column at this place is a category.
    pub(crate) fn encodes(&self, place: usize) -> bool {
        self.encoders.get(place).is_some_and(Option::is_some)
    }

    /// Bytes of memory that the model occupies.
    pub(crate) fn bytes(&self) -> usize {
        self.linear.bytes() + self.encoders.iter().flatten().map(|encoder| encoder.bytes()).sum::<usize>()
    }

    pub(super) fn run(&self, inputs: &[ArrayRef], rows: usize, failures: &mut RowFailures) -> Result<Vec<ArrayRef>> {
        if inputs.len() != self.encoders.len() {
            return Err(wrong_count(self.encoders.len(), inputs.len()));
        }
        let mut codes = Vec::with_capacity(rows * self.encoders.iter().flatten().count());
        let mut sources = Vec::with_capacity(inputs.len());
        for (input, encoder) in inputs.iter().zip(&self.encoders) {
            sources.push(match encoder {
                None => Source::Numbers(values::<Float32Type>(input)?),
                Some(encoder) => Source::of_category(input, encoder, &mut codes, failures)?,
            });
        }
        let columns: Vec<FusedColumn> = sources.iter().map(|source| source.column(&codes)).collect();
        Ok(outputs(self.linear.model().outputs(), rows, |outputs| self.linear.evaluate(&columns, outputs)))
    }
}

/// A column, and what was found for it: a range of the codes of all columns.
enum Source<'a> {
    Numbers(&'a [f32]),
    Codes(Range<usize>),
    Dictionary(&'a [i32], Range<usize>),
}

impl<'a> Source<'a> {
    /// A dictionary is read in place, with a code for each of its values, where no row needs a closer look and there are
    /// fewer values than rows.
    fn of_category(
        input: &'a ArrayRef,
        encoder: &OneHot,
        codes: &mut Vec<u32>,
        failures: &mut RowFailures,
    ) -> Result<Self> {
        let start = codes.len();
        let dictionary: Option<&DictionaryArray<Int32Type>> = input.as_dictionary_opt();
        if let Some(dictionary) = dictionary
            && dictionary.values().len() <= dictionary.len()
            && !encoder.refuses_unknown()
        {
            encoder.append_positions(dictionary.values(), codes)?;
            return Ok(Self::Dictionary(dictionary.keys().values(), start..codes.len()));
        }
        encoder.append_codes(input, codes, failures)?;
        Ok(Self::Codes(start..codes.len()))
    }

    fn column<'c>(&self, codes: &'c [u32]) -> FusedColumn<'c>
    where
        'a: 'c,
    {
        match self {
            Self::Numbers(values) => FusedColumn::Numbers(values),
            Self::Codes(range) => FusedColumn::Codes(&codes[range.clone()]),
            Self::Dictionary(keys, range) => FusedColumn::Dictionary { keys, codes: &codes[range.clone()] },
        }
    }
}

pub(super) fn run(model: &LinearModel, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
    if inputs.len() != model.features() {
        return Err(wrong_count(model.features(), inputs.len()));
    }
    let columns = all_values::<Float32Type>(inputs)?;
    Ok(outputs(model.outputs(), rows, |outputs| model.evaluate(&columns, outputs)))
}

pub(super) fn outputs(count: usize, rows: usize, evaluate: impl FnOnce(&mut [&mut [f32]])) -> Vec<ArrayRef> {
    let mut outputs = vec![vec![0.0; rows]; count];
    evaluate(&mut outputs.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>());
    outputs.into_iter().map(column::<Float32Type>).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Float32Array, Int64Array};

    use super::*;

    #[test]
    fn checks_its_inputs() {
        let model = LinearModel::try_new(vec![2.0, 3.0], vec![1.0]).expect("a model");
        let column: ArrayRef = Arc::new(Float32Array::from(vec![1.0, 2.0]));
        let outputs = run(&model, &[Arc::clone(&column), Arc::clone(&column)], 2).expect("two columns");
        assert_eq!(outputs[0].as_primitive::<Float32Type>().values(), &[6.0, 11.0]);
        assert!(run(&model, &[Arc::clone(&column)], 2).is_err());
        let integers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        assert!(run(&model, &[column, integers], 2).is_err());
    }
}
