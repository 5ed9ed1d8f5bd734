//! The label of a classifier.

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;

use super::columns::{all_values, for_float, for_number};
use super::reduce::positions;
use super::{wrong_count, wrong_type};
use crate::error::Result;

/// How a classifier of ai.onnx.ml turns scores into a label.
#[derive(Debug, Clone)]
pub(crate) struct LabelRule {
    /// Labels, `Int64` or `Utf8`.
    pub(crate) classes: ArrayRef,
    pub(crate) choice: LabelChoice,
}

/// How scores become the position of a label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum LabelChoice {
    /// The largest score; the first one wins a tie.
    ArgMax,
    /// One score: the second class where `score > threshold`, else the first.
    Above(f32),
}

impl LabelRule {
    pub(super) fn run(&self, scores: &[ArrayRef]) -> Result<ArrayRef> {
        let (expected, classes) = match self.choice {
            LabelChoice::ArgMax => (scores.len().max(1), scores.len()),
            LabelChoice::Above(_) => (1, 2),
        };
        if scores.len() != expected {
            return Err(wrong_count(expected, scores.len()));
        }
        if self.classes.len() < classes {
            return Err(wrong_count(self.classes.len(), classes));
        }
        let data_type = scores[0].data_type();
        let positions = for_float!(
            data_type,
            T => self.positions(&all_values::<T>(scores)?),
            _ => return Err(wrong_type("the label", data_type))
        );
        Ok(take(&self.classes, &UInt32Array::from(positions), None)?)
    }

    fn positions<N: Into<f64> + Copy + PartialOrd>(&self, scores: &[&[N]]) -> Vec<u32> {
        match self.choice {
            LabelChoice::ArgMax => positions(scores, |x, best| x > best).into_iter().map(|at| at as u32).collect(),
            LabelChoice::Above(threshold) => {
                scores[0].iter().map(|&score| u32::from(score.into() > f64::from(threshold))).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Float32Array, StringArray};

    use super::*;

    #[test]
    fn labels_by_the_largest_score_and_by_a_threshold() {
        let classes: ArrayRef = Arc::new(StringArray::from(vec!["no", "yes"]));
        let column = |values: &[f32]| -> ArrayRef { Arc::new(Float32Array::from(values.to_vec())) };
        let rule = LabelRule { classes, choice: LabelChoice::ArgMax };
        let labels = rule.run(&[column(&[0.5, 0.2]), column(&[0.5, 0.8])]).expect("scores");
        assert_eq!(labels.as_string::<i32>(), &StringArray::from(vec!["no", "yes"]));
        let rule = LabelRule { choice: LabelChoice::Above(0.5), ..rule };
        let labels = rule.run(&[column(&[0.5, 0.8, f32::NAN])]).expect("scores");
        assert_eq!(labels.as_string::<i32>(), &StringArray::from(vec!["no", "yes", "no"]));
        assert!(rule.run(&[]).is_err());
    }
}
