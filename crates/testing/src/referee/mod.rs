//! The meaning of a model, one row at a time.
//!
//! A [`Pipeline`] is what exporters write: numbers through a few steps, categories through encoders, all side by side into
//! trees, a linear model or nothing. [`Pipeline::answer`] computes a row in the plainest form there is, and
//! [`Pipeline::to_onnx`] writes the same model as a file. The rules are those of the ONNX text, and of ONNX Runtime where
//! the text leaves room; the order of each sum is that of the engine: features from first to last, trees in the order of the
//! file, intercepts and base values last.
//!
//! All numbers here are doubles. An operation of single precision is done in double precision and then rounded, which gives
//! the single result to the bit for sums, products, quotients and roots. Only the functions of the mathematical library
//! (the exponential and the logarithm, in the post transforms) are not fixed to the bit; [`Pipeline::transform`] tells where they are used.

mod encode;
mod linear;
mod steps;
mod transform;
mod trees;
mod write;

pub use encode::{Category, CategoryColumn, Encoder, Keys};
pub use linear::Linear;
pub use steps::{Norm, Step};
pub use transform::Transform;
pub use trees::{Aggregate, Branch, Forest, Test, Tree};

/// How wide numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// `float`
    Single,
    /// `double`
    Double,
}

impl Precision {
    /// The nearest number of this precision.
    pub fn round(self, x: f64) -> f64 {
        match self {
            Self::Single => f64::from(x as f32),
            Self::Double => x,
        }
    }
}

/// A model.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Number of numeric features, the input `x`; there is no such input if it is zero.
    pub numbers: usize,
    /// Type of the input `x`.
    pub precision: Precision,
    /// What is done to the numbers, in order.
    pub steps: Vec<Step>,
    /// Categories: the inputs `c0`, `c1` and so on. What they become stands behind the numbers.
    pub categories: Vec<CategoryColumn>,
    /// What the features are for.
    pub end: End,
}

/// What the features of a [`Pipeline`] are for.
#[derive(Debug, Clone)]
pub enum End {
    /// They are the answer.
    Features,
    /// Numbers from trees, as TreeEnsembleRegressor.
    TreeRegressor(Forest, Transform),
    /// Numbers from trees, as TreeEnsemble. Each leaf has one weight.
    TreeEnsemble(Forest, Transform),
    /// A label and scores from trees.
    TreeClassifier(Forest, Classes),
    /// Numbers from a linear model.
    LinearRegressor(Linear, Transform),
    /// A label and scores from a linear model.
    LinearClassifier(Linear, Classes),
}

/// What a classifier does with its scores.
#[derive(Debug, Clone)]
pub struct Classes {
    /// The labels in the order of the scores.
    pub labels: Keys,
    /// The function of the scores.
    pub transform: Transform,
    /// Whether a ZipMap gives the scores their names.
    pub zip_map: bool,
}

/// The features of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The numbers, NaN where one is missing, in the precision of the pipeline.
    pub numbers: Vec<f64>,
    /// The categories; without one there is no answer.
    pub categories: Vec<Option<Category>>,
}

/// The answer for one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The class, from a classifier.
    pub label: Option<Category>,
    /// All numbers.
    pub scores: Vec<f64>,
}

impl Pipeline {
    /// The answer for a row; `None` if a category is missing or the model refuses the row.
    pub fn answer(&self, row: &Row) -> Option<Answer> {
        let (features, precision) = self.features(row)?;
        let numbers = |scores| Answer { label: None, scores };
        let singles = |scores: Vec<f64>| scores.into_iter().map(|score| Precision::Single.round(score)).collect();
        Some(match &self.end {
            End::Features => numbers(features),
            End::TreeRegressor(forest, transform) => {
                numbers(transform.targets(singles(forest.scores(&features, precision))))
            }
            End::TreeEnsemble(forest, transform) => numbers(transform.targets(forest.scores(&features, precision))),
            End::LinearRegressor(linear, transform) => numbers(transform.targets(linear.scores(&features))),
            End::TreeClassifier(forest, classes) => forest.classify(&features, precision, classes),
            End::LinearClassifier(linear, classes) => linear.classify(&features, classes),
        })
    }

    /// All features of a row side by side, as the end of the pipeline reads them.
    fn features(&self, row: &Row) -> Option<(Vec<f64>, Precision)> {
        let mut features = row.numbers.clone();
        let mut precision = self.precision;
        for step in &self.steps {
            features = step.apply(&features, precision)?;
            precision = step.precision_after(precision);
        }
        if !self.categories.is_empty() {
            precision = Precision::Single;
            features.iter_mut().for_each(|feature| *feature = precision.round(*feature));
        }
        for (column, category) in self.categories.iter().zip(&row.categories) {
            features.extend(column.encode(category.as_ref()?)?);
        }
        Some((features, precision))
    }

    /// How many features the end of the pipeline reads.
    pub fn width(&self) -> usize {
        self.numbers + self.categories.iter().map(CategoryColumn::width).sum::<usize>()
    }

    /// The post transform that makes the scores; without one they are fixed to the bit.
    pub fn transform(&self) -> Transform {
        match &self.end {
            End::Features => Transform::None,
            End::TreeRegressor(forest, transform) | End::TreeEnsemble(forest, transform) => {
                transform.of_targets(forest.outputs)
            }
            End::LinearRegressor(linear, transform) => transform.of_targets(linear.intercepts.len()),
            End::TreeClassifier(_, classes) | End::LinearClassifier(_, classes) => classes.transform,
        }
    }
}
