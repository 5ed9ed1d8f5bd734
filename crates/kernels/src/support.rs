//! Support vector machines: kernels with support vectors, added up as they are made.
//!
//! A regressor has a coefficient for each vector; a classifier has one for each vector and other class, and compares each pair of
//! classes. The matrix of rows and vectors exists a block at a time, in the fastest cache. Sums are those of ONNX Runtime: the
//! regressor's as in [`crate::linear`], those of pairs in double precision, each in the order of the vectors.
//!
//! Measured on one core of an AMD EPYC (Zen 4) with AVX-512 in turns with ONNX Runtime 1.32, 8192 rows of 28 features, in rows per
//! second of processor time while other programs ran: 1789 vectors with a Gaussian 454,000 against 37,000; 2696 with a cube 608,000
//! against 299,000; 2870 with a hyperbolic tangent 319,000 against 261,000. ONNX Runtime measures squared distances one by one and
//! the rest with a matrix product. What lost: differences that the unit for products and sums helps to take, and sums kept in
//! registers over a block of vectors; neither is faster.
//!
//! Deliberately not here: what becomes of the scores, such as probabilities of classes.

mod kernel;
mod pairs;
mod sum;

use std::error::Error;
use std::fmt;

use crate::forms::Form;
use crate::points::{Measure, Points, PointsError};
pub use kernel::Kernel;
pub use pairs::SupportPairs;
pub use sum::SupportSum;

/// Vectors and how alike a row is to each of them.
#[derive(Debug, Clone, PartialEq)]
pub struct SupportVectors {
    points: Points,
    kernel: Kernel,
}

impl SupportVectors {
    /// Vectors one after the other, each with a number per feature.
    ///
    /// # Errors
    /// When there is no vector or no feature, or the numbers are not a whole number of vectors.
    pub fn try_new(vectors: &[f32], features: usize, kernel: Kernel) -> Result<Self, SupportError> {
        let measure = match kernel {
            Kernel::Gaussian { .. } => Measure::SquaredDistance,
            Kernel::Linear | Kernel::Polynomial { .. } | Kernel::Sigmoid { .. } => Measure::Product,
        };
        Ok(Self { points: Points::try_new(vectors, features, measure)?, kernel })
    }

    /// The same vectors with these instructions, whose answers are the same.
    #[must_use]
    pub fn with_form(self, form: Form) -> Self {
        Self { points: self.points.with_form(form), ..self }
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.points.features()
    }

    /// Number of vectors.
    pub fn count(&self) -> usize {
        self.points.count()
    }
}

/// Why a machine cannot be built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SupportError {
    /// The vectors are none.
    Vectors(PointsError),
    /// Coefficients for another number of vectors.
    Coefficients {
        /// Number of coefficients.
        got: usize,
        /// Number that the vectors need.
        expected: usize,
    },
    /// The classes do not have all vectors, or are fewer than two.
    Classes {
        /// Number of classes.
        classes: usize,
        /// Where the vectors of the last class end.
        end: usize,
        /// Number of vectors.
        vectors: usize,
    },
    /// Constants for another number of pairs.
    Constants {
        /// Number of constants.
        got: usize,
        /// Number of pairs of classes.
        expected: usize,
    },
}

impl fmt::Display for SupportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vectors(error) => error.fmt(f),
            Self::Coefficients { got, expected } => write!(f, "{got} coefficients instead of {expected}"),
            Self::Classes { classes, end, vectors } => {
                write!(f, "{classes} classes have the first {end} of {vectors} support vectors")
            }
            Self::Constants { got, expected } => write!(f, "{got} constants for {expected} pairs of classes"),
        }
    }
}

impl Error for SupportError {}

impl From<PointsError> for SupportError {
    fn from(error: PointsError) -> Self {
        Self::Vectors(error)
    }
}

#[cfg(test)]
mod tests;
