//! Support vector machines: kernels with the support vectors, and class probabilities from pairwise scores.

use arrow::array::ArrayRef;
use arrow::datatypes::{Float32Type, Int64Type};
use foretell_kernels::fused::add_product;

use super::columns::{all_values, column};
use super::reduce::positions;
use super::wrong_count;
use crate::error::Result;

/// A kernel between a row and each of some vectors.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SupportVectors {
    /// All vectors, one after the other.
    pub(crate) vectors: Vec<f32>,
    /// Length of each vector.
    pub(crate) features: usize,
    pub(crate) kernel: Kernel,
}

/// How alike two vectors are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kernel {
    /// `x·v`
    Linear,
    /// `(gamma x·v + offset)^degree`
    Polynomial { gamma: f32, offset: f32, degree: f32 },
    /// `exp(-gamma |x - v|²)`
    Gaussian { gamma: f32 },
    /// `tanh(gamma x·v + offset)`
    Sigmoid { gamma: f32, offset: f32 },
    /// `|x - v|²`
    SquaredDistance,
    /// `|x - v|²` as `x·x - 2 x·v + v·v`, as ONNX Runtime's CDist has it: a distance of almost nothing is mostly rounding.
    ExpandedDistance,
    /// The sum of the absolute differences of `x` and `v`.
    ManhattanDistance,
}

impl SupportVectors {
    /// One column per vector.
    pub(super) fn run(&self, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
        if inputs.len() != self.features {
            return Err(wrong_count(self.features, inputs.len()));
        }
        let columns = all_values::<Float32Type>(inputs)?;
        let norms = match self.kernel {
            Kernel::ExpandedDistance => square_norms(&columns, rows),
            _ => Vec::new(),
        };
        let kernel = |vector: &[f32]| {
            let mut sums = vec![0.0; rows];
            for (values, &coordinate) in columns.iter().zip(vector) {
                match self.kernel {
                    Kernel::Gaussian { .. } | Kernel::SquaredDistance => {
                        add(&mut sums, values, |x| (x - coordinate) * (x - coordinate))
                    }
                    Kernel::ManhattanDistance => add(&mut sums, values, |x| (x - coordinate).abs()),
                    _ => add_product(&mut sums, values, coordinate),
                }
            }
            if self.kernel == Kernel::ExpandedDistance {
                let coordinates: Vec<&[f32]> = vector.iter().map(std::slice::from_ref).collect();
                let norm = square_norms(&coordinates, 1)[0];
                let distance = |dot: f32, row_norm: f32| (row_norm + -2.0 * dot + norm).abs();
                sums.iter_mut().zip(&norms).for_each(|(sum, &row_norm)| *sum = distance(*sum, row_norm));
            }
            sums.iter_mut().for_each(|sum| *sum = self.kernel.finish(*sum));
            column::<Float32Type>(sums)
        };
        Ok(self.vectors.chunks_exact(self.features.max(1)).map(kernel).collect())
    }
}

fn add(sums: &mut [f32], values: &[f32], term: impl Fn(f32) -> f32) {
    for (sum, &x) in sums.iter_mut().zip(values) {
        *sum += term(x);
    }
}

/// `x·x` of each row, summed in the order of ONNX Runtime: four running sums of every fourth feature, each of two halves,
/// and the features left over at the end.
fn square_norms(columns: &[&[f32]], rows: usize) -> Vec<f32> {
    const LANES: usize = 4;
    let whole = columns.len() / LANES * LANES;
    let pairs = columns.len() / (2 * LANES) * (2 * LANES);
    let squares = |sums: &mut [f32], at: usize| add(sums, columns[at], |x| x * x);
    let lane = |lane: usize| {
        let (mut even, mut odd) = (vec![0.0; rows], vec![0.0; rows]);
        (lane..pairs).step_by(2 * LANES).for_each(|at| squares(&mut even, at));
        (lane + LANES..pairs).step_by(2 * LANES).for_each(|at| squares(&mut odd, at));
        add_all(&mut even, &odd);
        (pairs + lane..whole).for_each(|at| {
            if at % LANES == lane {
                squares(&mut even, at)
            }
        });
        even
    };
    let mut sums = vec![0.0; rows];
    if whole > 0 {
        let [first, second, third, fourth] = [0, 1, 2, 3].map(lane);
        sums = first;
        add_all(&mut sums, &third);
        let mut others = second;
        add_all(&mut others, &fourth);
        add_all(&mut sums, &others);
    }
    (whole..columns.len()).for_each(|at| squares(&mut sums, at));
    sums
}

fn add_all(sums: &mut [f32], values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

impl Kernel {
    fn finish(self, sum: f32) -> f32 {
        match self {
            Self::Linear | Self::SquaredDistance | Self::ExpandedDistance | Self::ManhattanDistance => sum,
            Self::Polynomial { gamma, offset, degree } => (gamma * sum + offset).powf(degree),
            Self::Gaussian { gamma } => (-gamma * sum).exp(),
            Self::Sigmoid { gamma, offset } => (gamma * sum + offset).tanh(),
        }
    }
}

/// The scores of all pairs of classes from the kernels with their support vectors, and which class wins most of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PairwiseScores {
    /// Where the support vectors of each class begin; then where the last ones end.
    pub(crate) starts: Vec<usize>,
    /// A row of coefficients for each other class: those of class `i` against `j > i` lie in row `j - 1`, those of `j`
    /// against `i` in row `i`.
    pub(crate) coefficients: Vec<f32>,
    /// The constant of each pair, in the order (0, 1), (0, 2), ..., (1, 2), ...
    pub(crate) constants: Vec<f32>,
}

impl PairwiseScores {
    /// One column per pair, then the position of the class with the most votes; the first of equal ones. Sums are taken in
    /// double precision, and a vote is for the first class of a pair where its sum is above 0.
    pub(super) fn run(&self, kernels: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
        let (classes, vectors) = (self.starts.len().saturating_sub(1), self.starts.last().copied().unwrap_or(0));
        if kernels.len() != vectors {
            return Err(wrong_count(vectors, kernels.len()));
        }
        let kernels = all_values::<Float32Type>(kernels)?;
        let mut votes = vec![vec![0_u32; rows]; classes];
        let mut outputs = Vec::with_capacity(self.constants.len() + 1);
        let pairs = (0..classes).flat_map(|i| (i + 1..classes).map(move |j| (i, j)));
        for ((i, j), &constant) in pairs.zip(&self.constants) {
            let mut sums = vec![0.0_f64; rows];
            for (class, row) in [(i, j - 1), (j, i)] {
                let own = self.starts[class]..self.starts[class + 1];
                let coefficients = &self.coefficients[row * vectors..][own.clone()];
                for (kernel, coefficient) in kernels[own].iter().zip(coefficients) {
                    sums.iter_mut().zip(*kernel).for_each(|(sum, x)| *sum += f64::from(coefficient * x));
                }
            }
            sums.iter_mut().for_each(|sum| *sum += f64::from(constant));
            for (row, &sum) in sums.iter().enumerate() {
                votes[if sum > 0.0 { i } else { j }][row] += 1;
            }
            outputs.push(column::<Float32Type>(sums.into_iter().map(|sum| sum as f32).collect()));
        }
        let votes: Vec<&[u32]> = votes.iter().map(Vec::as_slice).collect();
        outputs.push(column::<Int64Type>(positions(&votes, |votes, most| votes > most)));
        Ok(outputs)
    }
}

/// Probabilities of classes from the scores of all pairs of them: Platt's sigmoid for each pair, then the coupling of Wu,
/// Lin and Weng (2004, second method) with the starting point, the tolerance and the steps of ONNX Runtime, since it stops
/// before it has converged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PairwiseCoupling {
    pub(crate) classes: usize,
    /// Slope and offset of the sigmoid of each pair, in the order (0, 1), (0, 2), ..., (1, 2), ...
    pub(crate) sigmoids: Vec<(f32, f32)>,
}

/// Pairwise probabilities stay this far from 0 and 1.
const PROBABILITY_MIN: f32 = 1.0e-7;
const STEPS_MAX: usize = 100;

impl PairwiseCoupling {
    /// One column per class.
    pub(super) fn run(&self, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
        if inputs.len() != self.sigmoids.len() {
            return Err(wrong_count(self.sigmoids.len(), inputs.len()));
        }
        let scores = all_values::<Float32Type>(inputs)?;
        let mut outputs = vec![vec![0.0; rows]; self.classes];
        let mut pairs = vec![0.0; self.classes * self.classes];
        for row in 0..rows {
            let mut pair = scores.iter().zip(&self.sigmoids);
            for i in 0..self.classes {
                for j in i + 1..self.classes {
                    let Some((scores, &(slope, offset))) = pair.next() else { continue };
                    let probability = 1.0 - foretell_kernels::activation::logistic(scores[row] * slope + offset);
                    let probability = probability.clamp(PROBABILITY_MIN, 1.0 - PROBABILITY_MIN);
                    pairs[i * self.classes + j] = probability;
                    pairs[j * self.classes + i] = 1.0 - probability;
                }
            }
            for (output, probability) in outputs.iter_mut().zip(couple(&pairs, self.classes)) {
                output[row] = probability;
            }
        }
        Ok(outputs.into_iter().map(column::<Float32Type>).collect())
    }
}

/// Minimises the disagreement with the pairwise probabilities, coordinate by coordinate.
fn couple(pairs: &[f32], classes: usize) -> Vec<f32> {
    let mut quadratic = vec![0.0; classes * classes];
    for i in 0..classes {
        for j in (0..classes).filter(|&j| j != i) {
            quadratic[i * classes + i] += pairs[j * classes + i] * pairs[j * classes + i];
            quadratic[i * classes + j] = match j < i {
                true => quadratic[j * classes + i],
                false => -pairs[j * classes + i] * pairs[i * classes + j],
            };
        }
    }
    let tolerance = 0.005 / classes as f32;
    let mut probabilities = vec![1.0 / classes as f32; classes];
    for _ in 0..STEPS_MAX {
        let mut products = vec![0.0; classes];
        let mut value = 0.0;
        for i in 0..classes {
            for j in 0..classes {
                products[i] += quadratic[i * classes + j] * probabilities[j];
            }
            value += probabilities[i] * products[i];
        }
        let error = products.iter().map(|product: &f32| (product - value).abs()).fold(0.0, f32::max);
        if error < tolerance {
            break;
        }
        for i in 0..classes {
            let diagonal = quadratic[i * classes + i];
            let step = (-products[i] + value) / diagonal;
            probabilities[i] += step;
            value = (value + step * (step * diagonal + 2.0 * products[i])) / (1.0 + step) / (1.0 + step);
            for j in 0..classes {
                products[j] = (products[j] + step * quadratic[i * classes + j]) / (1.0 + step);
                probabilities[j] /= 1.0 + step;
            }
        }
    }
    probabilities
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Float32Array};

    use super::*;

    #[test]
    fn a_gaussian_is_one_at_its_vector() {
        let vectors =
            SupportVectors { vectors: vec![1.0, 2.0, 0.0, 0.0], features: 2, kernel: Kernel::Gaussian { gamma: 0.5 } };
        let column = |value: f32| -> ArrayRef { Arc::new(Float32Array::from(vec![value])) };
        let kernels = vectors.run(&[column(1.0), column(2.0)], 1).expect("two features");
        assert_eq!(kernels[0].as_primitive::<Float32Type>().value(0), 1.0);
        assert_eq!(kernels[1].as_primitive::<Float32Type>().value(0), (-2.5_f32).exp());
        assert!(vectors.run(&[column(1.0)], 1).is_err());
    }

    #[test]
    fn each_pair_sums_the_vectors_of_its_classes_only() {
        let scores =
            PairwiseScores { starts: vec![0, 1, 2, 3], coefficients: vec![1.0; 6], constants: vec![0.0, -5.0, -5.0] };
        let kernel = |value: f32| -> ArrayRef { Arc::new(Float32Array::from(vec![value])) };
        let outputs = scores.run(&[kernel(1.0), kernel(2.0), kernel(f32::INFINITY)], 1).expect("three vectors");
        let score = |at: usize| outputs[at].as_primitive::<Float32Type>().value(0);
        assert_eq!([score(0), score(1), score(2)], [3.0, f32::INFINITY, f32::INFINITY]);
        assert_eq!(outputs[3].as_primitive::<Int64Type>().value(0), 0);
    }

    #[test]
    fn coupled_probabilities_sum_to_one_and_follow_the_pairs() {
        let pairs = [0.0, 0.9, 0.8, 0.1, 0.0, 0.4, 0.2, 0.6, 0.0];
        let probabilities = couple(&pairs, 3);
        assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(probabilities[0] > probabilities[2] && probabilities[2] > probabilities[1]);
    }
}
