//! Linear maps over columns.
//!
//! The sum of a row runs in the order of the features, in `f32`, as [`Rounding`] says; by default as ONNX Runtime's product
//! with a constant matrix does it, so that the two agree to the bit. Rows go in tiles whose sums stay in the fastest cache while
//! the columns go by, a few at a time, each in a long run of memory. No column is copied, unless it has to be imputed.

mod codes;
mod fused;
mod stages;
mod tiles;

use std::error::Error;
use std::fmt;

use crate::forms::Form;
use codes::LookUp;
pub use fused::{FusedColumn, FusedInput, FusedLinear, PreStep};
use stages::Stages;
use tiles::Columns;

/// Features whose products are summed before they meet the sum of those before them.
const BLOCK_FEATURES: usize = 256;

/// How the terms of a sum are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rounding {
    /// A product and its addition are rounded once. Features go in blocks of 256: a block's sum starts at zero and is then
    /// added to what was before, the intercept first.
    #[default]
    Once,
    /// A product is rounded, and then its addition: a plain loop over all features, the intercept last.
    Twice,
}

impl Rounding {
    /// Features of a block.
    fn block_features(self) -> usize {
        match self {
            Self::Once => BLOCK_FEATURES,
            Self::Twice => usize::MAX,
        }
    }
}

/// `scores[j] = intercepts[j] + sum over i of x[i] * weights[i][j]`, summed in the order of the features.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearModel {
    weights: Vec<f32>,
    intercepts: Vec<f32>,
    features: usize,
    rounding: Rounding,
    stages: Stages,
    /// The second output, if the first is the same with the opposite sign: so classifiers of two classes are exported.
    mirrored: Option<Box<LinearModel>>,
}

impl LinearModel {
    /// A model with one output per intercept and `weights[feature * outputs + output]`.
    ///
    /// # Errors
    /// When there is no output or the weights are not a whole number of features.
    pub fn try_new(weights: Vec<f32>, intercepts: Vec<f32>) -> Result<Self, LinearError> {
        let outputs = intercepts.len();
        if outputs == 0 || !weights.len().is_multiple_of(outputs) {
            return Err(LinearError::Shape { weights: weights.len(), outputs });
        }
        let features = weights.len() / outputs;
        let rounding = Rounding::default();
        let stages = Stages::of_features(features, rounding);
        let mirrored = second_of_opposites(&weights, &intercepts).map(|(weights, intercept)| {
            let (intercepts, stages) = (vec![intercept], stages.clone());
            Box::new(Self { weights, intercepts, features, rounding, stages, mirrored: None })
        });
        Ok(Self { weights, intercepts, features, rounding, stages, mirrored })
    }

    /// The same model with sums that are rounded so.
    #[must_use]
    pub fn with_rounding(self, rounding: Rounding) -> Self {
        let stages = Stages::of_features(self.features, rounding);
        let mirrored = self.mirrored.map(|second| Box::new(second.with_rounding(rounding)));
        Self { rounding, stages, mirrored, ..self }
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.intercepts.len()
    }

    /// The weights of one feature, one per output.
    ///
    /// # Panics
    /// When there is no such feature.
    pub fn weights_of(&self, feature: usize) -> &[f32] {
        &self.weights[feature * self.outputs()..][..self.outputs()]
    }

    /// The intercept of each output.
    pub fn intercepts(&self) -> &[f32] {
        &self.intercepts
    }

    /// How its sums are rounded.
    pub fn rounding(&self) -> Rounding {
        self.rounding
    }

    /// How the model is evaluated on this processor.
    pub fn kernel(&self) -> LinearKernel {
        LinearKernel { form: Form::best(), tile_rows: tiles::rows(self.outputs()) }
    }

    /// Bytes of memory that the model occupies.
    pub fn bytes(&self) -> usize {
        let mirrored = self.mirrored.as_ref().map_or(0, |second| second.bytes());
        size_of::<f32>() * (self.weights.len() + self.intercepts.len()) + self.stages.bytes() + mirrored
    }

    /// Computes every output column from the feature columns.
    ///
    /// # Panics
    /// When the number of columns is not that of the model, or their lengths differ.
    pub fn evaluate(&self, columns: &[&[f32]], outputs: &mut [&mut [f32]]) {
        let rows = rows_of(self, outputs);
        check_columns(columns.len(), self.features, columns.iter().map(|column| column.len()), rows);
        if let (Some(second), [opposite, outputs @ ..]) = (&self.mirrored, &mut *outputs) {
            second.evaluate(columns, outputs);
            return negate(outputs[0], opposite);
        }
        tiles::run(Form::best(), self, &self.stages, &Features(columns), outputs);
    }
}

/// The second of two outputs, if the weights and intercepts of the first are those of the second with the opposite sign. Every
/// sum and every rounding is the same then, but for its sign.
fn second_of_opposites(weights: &[f32], intercepts: &[f32]) -> Option<(Vec<f32>, f32)> {
    let &[first, second] = intercepts else { return None };
    let (pairs, _) = weights.as_chunks::<2>();
    let are_opposite = first == -second && pairs.iter().all(|[first, second]| *first == -*second);
    are_opposite.then(|| (pairs.iter().map(|[_, second]| *second).collect(), second))
}

/// The numbers with the opposite sign; a sum that is zero has none.
fn negate(numbers: &[f32], opposites: &mut [f32]) {
    opposites.iter_mut().zip(numbers).for_each(|(opposite, &number)| *opposite = 0.0 - number);
}

/// Columns that are the features as they are.
struct Features<'a>(&'a [&'a [f32]]);

impl Columns for Features<'_> {
    #[inline(always)]
    fn numbers(&self, input: usize) -> &[f32] {
        self.0[input]
    }

    fn add_category<L: LookUp>(&self, _: usize, _: usize, _: usize, _: &mut [f32]) {
        unreachable!("a feature as it is has no categories")
    }
}

/// How a linear model is evaluated on this processor: see its `Display`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinearKernel {
    form: Form,
    tile_rows: usize,
}

impl fmt::Display for LinearKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, tiles of {} rows", self.form, self.tile_rows)
    }
}

fn rows_of(model: &LinearModel, outputs: &[&mut [f32]]) -> usize {
    assert_eq!(outputs.len(), model.outputs(), "one column per output");
    let rows = outputs.first().map_or(0, |output| output.len());
    assert!(outputs.iter().all(|output| output.len() == rows), "all outputs have the same number of rows");
    rows
}

fn check_columns(got: usize, expected: usize, mut lengths: impl Iterator<Item = usize>, rows: usize) {
    assert_eq!(got, expected, "one column per feature");
    assert!(lengths.all(|length| length == rows), "features and outputs have the same number of rows");
}

/// Why a linear model cannot be built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinearError {
    /// The weights are not a matrix with one column per output.
    Shape {
        /// Number of weights.
        weights: usize,
        /// Number of intercepts.
        outputs: usize,
    },
    /// The inputs do not make up all features.
    Inputs {
        /// Features that the inputs stand for, as far as they were counted.
        got: usize,
        /// Features of the model.
        features: usize,
    },
    /// A category has a weight that is not finite.
    CategoryWeight {
        /// The first feature of the input.
        feature: usize,
    },
}

impl fmt::Display for LinearError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { weights, outputs } => {
                write!(f, "{weights} weights are not a whole number of features with {outputs} outputs each")
            }
            Self::Inputs { got, features } => write!(f, "the inputs give {got} features, the model has {features}"),
            Self::CategoryWeight { feature } => {
                write!(f, "the categories from feature {feature} on have a weight that is not finite")
            }
        }
    }
}

impl Error for LinearError {}

#[cfg(test)]
mod tests;
