//! One sum over all support vectors: regressors, and what tells the usual from the unusual.

use std::fmt;

use super::{SupportError, SupportVectors};
use crate::points::{BLOCK, Strip, Visitor};
use crate::vector::{Loops, Vector};

/// Vectors whose terms are summed before they meet the sum of those before them, as [`crate::linear`] and ONNX Runtime do.
const SUM_VECTORS: usize = 256;

const _: () = assert!(SUM_VECTORS.is_multiple_of(BLOCK), "a sum ends with a block");

/// `constant + sum over all vectors of coefficient * kernel`.
#[derive(Debug, Clone, PartialEq)]
pub struct SupportSum {
    vectors: SupportVectors,
    coefficients: Vec<f32>,
    constant: f32,
}

impl SupportSum {
    /// A coefficient for each vector.
    ///
    /// # Errors
    /// When there are more or fewer.
    pub fn try_new(vectors: SupportVectors, coefficients: Vec<f32>, constant: f32) -> Result<Self, SupportError> {
        if coefficients.len() != vectors.count() {
            return Err(SupportError::Coefficients { got: coefficients.len(), expected: vectors.count() });
        }
        Ok(Self { vectors, coefficients, constant })
    }

    /// The vectors.
    pub fn vectors(&self) -> &SupportVectors {
        &self.vectors
    }

    /// Bytes of memory that the machine occupies.
    pub fn bytes(&self) -> usize {
        self.vectors.points.bytes() + size_of::<f32>() * self.coefficients.len()
    }

    /// How it is computed on this processor.
    pub fn kernel(&self) -> impl fmt::Display + use<> {
        self.vectors.points.kernel()
    }

    /// Computes the score of each row from the feature columns.
    ///
    /// # Panics
    /// When the number of columns is not that of the features, or their lengths differ.
    pub fn evaluate(&self, columns: &[&[f32]], scores: &mut [f32]) {
        let rows = scores.len();
        let mut sums = Sums { machine: self, scores, sums: Vec::new() };
        self.vectors.points.measure(columns, rows, &mut sums);
    }
}

struct Sums<'a> {
    machine: &'a SupportSum,
    scores: &'a mut [f32],
    /// The sums at hand, of the strip's padded rows.
    sums: Vec<f32>,
}

impl Sums<'_> {
    /// The sums at hand meet what was before.
    fn settle(&mut self, strip: &Strip) {
        for (score, sum) in self.scores[strip.rows.clone()].iter_mut().zip(&mut self.sums) {
            *score += std::mem::take(sum);
        }
    }
}

impl Visitor for Sums<'_> {
    fn begin(&mut self, strip: &Strip) {
        self.scores[strip.rows.clone()].fill(self.machine.constant);
        self.sums.clear();
        self.sums.resize(strip.padded(), 0.0);
    }

    fn visit(&mut self, strip: &Strip, first: usize, values: &mut [f32]) {
        if first > 0 && first.is_multiple_of(SUM_VECTORS) {
            self.settle(strip);
        }
        let SupportSum { vectors, coefficients, .. } = self.machine;
        let form = vectors.points.form();
        vectors.kernel.apply(form, values);
        form.run(AddProducts { sums: &mut self.sums, values, coefficients: &coefficients[first..] });
    }

    fn end(&mut self, strip: &Strip) {
        self.settle(strip);
    }
}

/// Adds the product of each kernel, `values[vector][row]`, and its vector's coefficient to the sum of its row.
struct AddProducts<'a> {
    sums: &'a mut [f32],
    values: &'a [f32],
    coefficients: &'a [f32],
}

impl Loops for AddProducts<'_> {
    #[inline(always)]
    #[expect(
        clippy::disallowed_methods,
        reason = "the products of matrices are where the reference runtime rounds once, too"
    )]
    unsafe fn run<V: Vector>(self) {
        let (rows, sums) = (self.sums.len(), self.sums);
        for (values, &coefficient) in self.values.chunks_exact(rows).zip(self.coefficients) {
            for (sum, &value) in sums.iter_mut().zip(values) {
                *sum = value.mul_add(coefficient, *sum);
            }
        }
    }
}
