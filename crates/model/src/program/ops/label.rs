//! The label of a classifier.

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::Int64Type;

use super::columns::{all_values, column, for_float, for_number, values};
use super::{wrong_count, wrong_type};
use crate::error::Result;
use crate::program::RowFailures;

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
    /// As [`LabelChoice::ArgMax`], but a score that is NaN wins, as it does in NumPy.
    ArgMaxOrNan,
    /// As many scores as Boolean columns behind them: the largest score of those that a row has. A row without any is
    /// refused.
    ArgMaxOfScored,
    /// One score: the second class where `score > threshold`, else the first.
    Above(f32),
}

impl LabelRule {
    pub(super) fn run(&self, inputs: &[ArrayRef], failures: &mut RowFailures) -> Result<ArrayRef> {
        let (scores, scored) = match self.choice {
            LabelChoice::ArgMaxOfScored => inputs.split_at(inputs.len() / 2),
            _ => (inputs, &[][..]),
        };
        let (expected, classes) = match self.choice {
            LabelChoice::ArgMax | LabelChoice::ArgMaxOrNan => (scores.len().max(1), scores.len()),
            LabelChoice::ArgMaxOfScored => (scored.len().max(1), scores.len()),
            LabelChoice::Above(_) => (1, 2),
        };
        if scores.len() != expected {
            return Err(wrong_count(expected, scores.len()));
        }
        if self.classes.len() < classes {
            return Err(wrong_count(self.classes.len(), classes));
        }
        let data_type = scores[0].data_type();
        if let (LabelChoice::Above(threshold), Some(labels)) =
            (self.choice, self.classes.as_primitive_opt::<Int64Type>())
        {
            let (below, above) = (labels.value(0), labels.value(1));
            return for_float!(
                data_type,
                T => Ok(column::<Int64Type>(above_or_below(values::<T>(&scores[0])?, threshold, below, above))),
                _ => Err(wrong_type("the label", data_type))
            );
        }
        let positions = for_float!(
            data_type,
            T => self.positions(&all_values::<T>(scores)?, scored, failures)?,
            _ => return Err(wrong_type("the label", data_type))
        );
        match self.classes.as_primitive_opt::<Int64Type>() {
            Some(labels) => {
                let labels = labels.values();
                Ok(column::<Int64Type>(positions.into_iter().map(|at| labels[at as usize]).collect()))
            }
            None => Ok(take(&self.classes, &UInt32Array::from(positions), None)?),
        }
    }

    fn positions<N: Into<f64> + Copy + PartialOrd>(
        &self,
        scores: &[&[N]],
        scored: &[ArrayRef],
        failures: &mut RowFailures,
    ) -> Result<Vec<u32>> {
        match self.choice {
            LabelChoice::ArgMax => Ok(winners(scores, |x, best| x > best)),
            LabelChoice::ArgMaxOrNan => {
                let is_nan = |x: N| x.into().is_nan();
                let beats = |x, best| x > best || (is_nan(x) && !is_nan(best));
                Ok(winners(scores, beats))
            }
            LabelChoice::ArgMaxOfScored => positions_of_scored(scores, scored, failures),
            LabelChoice::Above(threshold) => {
                Ok(scores[0].iter().map(|&score| u32::from(score.into() > f64::from(threshold))).collect())
            }
        }
    }
}

/// The position of the score in each row that no later one beats.
fn winners<N: Copy>(scores: &[&[N]], beats: impl Fn(N, N) -> bool) -> Vec<u32> {
    match scores {
        [] => Vec::new(),
        [first, second] => first.iter().zip(*second).map(|(&best, &score)| u32::from(beats(score, best))).collect(),
        [first, others @ ..] => {
            let (mut best, mut winners) = (first.to_vec(), vec![0; first.len()]);
            for (scores, position) in others.iter().zip(1..) {
                for ((best, winner), &score) in best.iter_mut().zip(&mut winners).zip(*scores) {
                    let wins = beats(score, *best);
                    *best = if wins { score } else { *best };
                    *winner = if wins { position } else { *winner };
                }
            }
            winners
        }
    }
}

/// `above` where a score is above the threshold, else `below`.
fn above_or_below<N: Copy + PartialOrd + From<f32>>(scores: &[N], threshold: f32, below: i64, above: i64) -> Vec<i64> {
    let threshold = N::from(threshold);
    scores.iter().map(|&score| if score > threshold { above } else { below }).collect()
}

fn positions_of_scored<N: Copy + PartialOrd>(
    scores: &[&[N]],
    scored: &[ArrayRef],
    failures: &mut RowFailures,
) -> Result<Vec<u32>> {
    let mut best: Vec<Option<(u32, N)>> = vec![None; scores[0].len()];
    for (at, (scores, scored)) in scores.iter().zip(scored).enumerate() {
        let scored = scored.as_boolean_opt().ok_or_else(|| wrong_type("a condition", scored.data_type()))?;
        for ((best, &score), has_score) in best.iter_mut().zip(*scores).zip(scored.values()) {
            if has_score && best.is_none_or(|(_, greatest)| score > greatest) {
                *best = Some((at as u32, score));
            }
        }
    }
    for (row, _) in best.iter().enumerate().filter(|(_, best)| best.is_none()) {
        failures.refuse(row, || String::from("no tree has a weight for any class"));
    }
    Ok(best.into_iter().map(|best| best.map_or(0, |(at, _)| at)).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Float32Array, StringArray};

    use super::*;

    #[test]
    fn labels_by_the_largest_score_and_by_a_threshold() {
        let classes: ArrayRef = Arc::new(StringArray::from(vec!["no", "yes"]));
        let column = |values: &[f32]| -> ArrayRef { Arc::new(Float32Array::from(values.to_vec())) };
        let mut failures = RowFailures::default();
        let rule = LabelRule { classes, choice: LabelChoice::ArgMax };
        let labels = rule.run(&[column(&[0.5, 0.2]), column(&[0.5, 0.8])], &mut failures).expect("scores");
        assert_eq!(labels.as_string::<i32>(), &StringArray::from(vec!["no", "yes"]));
        let rule = LabelRule { choice: LabelChoice::ArgMaxOrNan, ..rule };
        let scores = [column(&[0.5, f32::NAN, 0.1]), column(&[f32::NAN, f32::NAN, 0.8])];
        let labels = rule.run(&scores, &mut failures).expect("scores");
        assert_eq!(labels.as_string::<i32>(), &StringArray::from(vec!["yes", "no", "yes"]));
        let rule = LabelRule { choice: LabelChoice::Above(0.5), ..rule };
        let labels = rule.run(&[column(&[0.5, 0.8, f32::NAN])], &mut failures).expect("scores");
        assert_eq!(labels.as_string::<i32>(), &StringArray::from(vec!["no", "yes", "no"]));
        assert!(rule.run(&[], &mut failures).is_err() && failures.is_empty());
    }
    #[test]
    fn a_class_without_a_score_does_not_win() {
        let classes: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        let scores = |values: &[f32]| -> ArrayRef { Arc::new(Float32Array::from(values.to_vec())) };
        let flags = |values: &[bool]| -> ArrayRef { Arc::new(BooleanArray::from(values.to_vec())) };
        let rule = LabelRule { classes, choice: LabelChoice::ArgMaxOfScored };
        let columns = [
            scores(&[0.0, 2.0, 0.0]),
            scores(&[f32::NEG_INFINITY, 1.0, 0.0]),
            flags(&[false, true, false]),
            flags(&[true, true, false]),
        ];
        let mut failures = RowFailures::default();
        let labels = rule.run(&columns, &mut failures).expect("scores and flags");
        assert_eq!(labels.as_string::<i32>(), &StringArray::from(vec!["b", "a", "a"]));
        assert_eq!(failures.first().map(|(row, _)| row), Some(2));
    }
}
