//! Support vector machines over columns, and class probabilities from pairwise scores.

use arrow::array::ArrayRef;
use arrow::datatypes::{Float32Type, Int64Type};
use foretell_kernels::support::{SupportPairs, SupportSum, SupportVectors};

use super::columns::{all_values, column};
use super::linear::outputs;
use super::wrong_count;
use crate::error::Result;

pub(super) fn sum(machine: &SupportSum, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
    let columns = features(machine.vectors(), inputs)?;
    let mut scores = vec![0.0; rows];
    machine.evaluate(&columns, &mut scores);
    Ok(vec![column::<Float32Type>(scores)])
}

/// One column per pair of classes, then the position of the class that wins most of them.
pub(super) fn pairs(machine: &SupportPairs, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
    let columns = features(machine.vectors(), inputs)?;
    let mut winners = vec![0; rows];
    let mut scores = outputs(machine.pairs(), rows, |scores| machine.evaluate(&columns, scores, &mut winners));
    scores.push(column::<Int64Type>(winners));
    Ok(scores)
}

fn features<'a>(vectors: &SupportVectors, inputs: &'a [ArrayRef]) -> Result<Vec<&'a [f32]>> {
    match inputs.len() == vectors.features() {
        true => all_values::<Float32Type>(inputs),
        false => Err(wrong_count(vectors.features(), inputs.len())),
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
    use foretell_kernels::support::Kernel;

    use super::*;

    #[test]
    fn checks_its_inputs() {
        let vectors =
            || SupportVectors::try_new(&[1.0, 2.0, 0.0, 0.0], 2, Kernel::Gaussian { gamma: 0.5 }).expect("two");
        let column = |value: f32| -> ArrayRef { Arc::new(Float32Array::from(vec![value])) };
        let machine = SupportSum::try_new(vectors(), vec![2.0, 0.0], 1.0).expect("a coefficient each");
        let scores = sum(&machine, &[column(1.0), column(2.0)], 1).expect("two features");
        assert_eq!(scores[0].as_primitive::<Float32Type>().values(), &[3.0]);
        assert!(sum(&machine, &[column(1.0)], 1).is_err());
        let machine = SupportPairs::try_new(vectors(), vec![0, 1, 2], vec![1.0, -1.0], vec![0.0]).expect("two classes");
        let scores = pairs(&machine, &[column(0.0), column(0.0)], 1).expect("two features");
        assert!(scores[0].as_primitive::<Float32Type>().value(0) < 0.0);
        assert_eq!(scores[1].as_primitive::<Int64Type>().values(), &[1]);
        assert!(pairs(&machine, &[column(1.0)], 1).is_err());
    }

    #[test]
    fn coupled_probabilities_sum_to_one_and_follow_the_pairs() {
        let pairs = [0.0, 0.9, 0.8, 0.1, 0.0, 0.4, 0.2, 0.6, 0.0];
        let probabilities = couple(&pairs, 3);
        assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(probabilities[0] > probabilities[2] && probabilities[2] > probabilities[1]);
    }
}
