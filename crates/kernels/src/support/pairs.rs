//! A score for each pair of classes, and votes.

use std::fmt;
use std::ops::Range;

use super::{SupportError, SupportVectors};
use crate::points::{Strip, Visitor};
use crate::vector::{Loops, Vector};

/// The scores of all pairs of classes, and which class wins most of them. The vectors of a class lie together.
#[derive(Debug, Clone, PartialEq)]
pub struct SupportPairs {
    vectors: SupportVectors,
    starts: Vec<usize>,
    coefficients: Vec<f32>,
    constants: Vec<f32>,
}

impl SupportPairs {
    /// `starts` says where the vectors of each class begin, and then where the last ones end. Coefficients come in a row for
    /// each other class: those of class `i` against `j > i` lie in row `j - 1`, those of `j` against `i` in row `i`. There is a
    /// constant for each pair, in the order (0, 1), (0, 2), ..., (1, 2), ...
    ///
    /// # Errors
    /// When one of them does not fit the others.
    pub fn try_new(
        vectors: SupportVectors,
        starts: Vec<usize>,
        coefficients: Vec<f32>,
        constants: Vec<f32>,
    ) -> Result<Self, SupportError> {
        let (classes, count) = (starts.len().saturating_sub(1), vectors.count());
        let end = starts.last().copied().unwrap_or(0);
        if classes < 2 || starts[0] != 0 || end != count || !starts.is_sorted() {
            return Err(SupportError::Classes { classes, end, vectors: count });
        }
        let expected = count.saturating_mul(classes - 1);
        if coefficients.len() != expected {
            return Err(SupportError::Coefficients { got: coefficients.len(), expected });
        }
        let expected = classes * (classes - 1) / 2;
        if constants.len() != expected {
            return Err(SupportError::Constants { got: constants.len(), expected });
        }
        Ok(Self { vectors, starts, coefficients, constants })
    }

    /// The vectors.
    pub fn vectors(&self) -> &SupportVectors {
        &self.vectors
    }

    /// Number of pairs of classes.
    pub fn pairs(&self) -> usize {
        self.constants.len()
    }

    /// Bytes of memory that the machine occupies.
    pub fn bytes(&self) -> usize {
        self.vectors.points.bytes() + size_of::<f32>() * (self.coefficients.len() + self.constants.len())
    }

    /// How it is computed on this processor.
    pub fn kernel(&self) -> impl fmt::Display + use<> {
        self.vectors.points.kernel()
    }

    /// Computes the score of each pair of classes, summed in double precision, and the position of the class with the most votes,
    /// the first of equal ones. A vote is for the first class of a pair where its sum is above 0.
    ///
    /// # Panics
    /// When the number of columns is not that of the features or of the pairs, or their lengths differ.
    pub fn evaluate(&self, columns: &[&[f32]], scores: &mut [&mut [f32]], winners: &mut [i64]) {
        assert_eq!(scores.len(), self.pairs(), "one column per pair");
        let rows = winners.len();
        assert!(scores.iter().all(|scores| scores.len() == rows), "as many scores as winners");
        let mut sums = Sums { machine: self, scores, winners, sums: Vec::new() };
        self.vectors.points.measure(columns, rows, &mut sums);
    }

    fn classes(&self) -> usize {
        self.starts.len() - 1
    }

    /// All pairs of classes.
    fn each_pair(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let classes = self.classes();
        (0..classes).flat_map(move |first| (first + 1..classes).map(move |second| (first, second)))
    }

    /// The position of a pair of classes, in any order.
    fn pair(&self, one: usize, other: usize) -> usize {
        let (first, second) = (one.min(other), one.max(other));
        first * (2 * self.classes() - first - 1) / 2 + second - first - 1
    }

    /// The coefficients of these vectors, which are of `class`, against another class.
    fn coefficients_of(&self, vectors: Range<usize>, class: usize, other: usize) -> &[f32] {
        let row = if other > class { other - 1 } else { other };
        &self.coefficients[row * self.vectors.count()..][vectors]
    }
}

struct Sums<'a, 'b> {
    machine: &'a SupportPairs,
    scores: &'a mut [&'b mut [f32]],
    winners: &'a mut [i64],
    /// `[pair][row]`, with the strip's padded rows.
    sums: Vec<f64>,
}

impl Visitor for Sums<'_, '_> {
    fn begin(&mut self, strip: &Strip) {
        self.sums.clear();
        self.sums.resize(self.machine.pairs() * strip.padded(), 0.0);
    }

    fn visit(&mut self, strip: &Strip, first: usize, values: &mut [f32]) {
        let (machine, rows) = (self.machine, strip.padded());
        let form = machine.vectors.points.form();
        machine.vectors.kernel.apply(form, values);
        let block = first..first + values.len() / rows;
        for class in 0..machine.classes() {
            let own = machine.starts[class].max(block.start)..machine.starts[class + 1].min(block.end);
            if own.is_empty() {
                continue;
            }
            let values = &values[(own.start - first) * rows..(own.end - first) * rows];
            for other in (0..machine.classes()).filter(|&other| other != class) {
                let sums = &mut self.sums[machine.pair(class, other) * rows..][..rows];
                let coefficients = machine.coefficients_of(own.clone(), class, other);
                form.run(AddProducts { sums, values, coefficients });
            }
        }
    }

    fn end(&mut self, strip: &Strip) {
        let (machine, rows) = (self.machine, strip.padded());
        let mut votes = vec![0_u32; machine.classes()];
        for (at, row) in strip.rows.clone().enumerate() {
            votes.fill(0);
            for (pair, (first, second)) in machine.each_pair().enumerate() {
                let sum = self.sums[pair * rows + at] + f64::from(machine.constants[pair]);
                self.scores[pair][row] = sum as f32;
                votes[if sum > 0.0 { first } else { second }] += 1;
            }
            let most = votes.iter().copied().max().unwrap_or(0);
            self.winners[row] = votes.iter().position(|&votes| votes == most).unwrap_or(0) as i64;
        }
    }
}

/// Adds the product of each kernel, `values[vector][row]`, and its vector's coefficient to the sum of its row. The product is
/// rounded.
struct AddProducts<'a> {
    sums: &'a mut [f64],
    values: &'a [f32],
    coefficients: &'a [f32],
}

impl Loops for AddProducts<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let (rows, sums) = (self.sums.len(), self.sums);
        for (values, &coefficient) in self.values.chunks_exact(rows).zip(self.coefficients) {
            for (sum, &value) in sums.iter_mut().zip(values) {
                *sum += f64::from(coefficient * value);
            }
        }
    }
}
