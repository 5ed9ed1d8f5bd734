//! What an objective makes of the sums: the link function, its inverse for the intercept, and whether it classifies.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array};
use arrow::datatypes::DataType;

use crate::boosters::Assembly;
use crate::encoding::shortened;
use crate::error::Result;
use crate::program::{AcrossOp, BinaryOp, ColumnId, Op, Operands, UnaryOp};

/// A function of the sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Identity,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `exp(x)`.
    Exp,
    /// 1 where `x > 0`, else 0.
    Step,
    /// Probabilities over the outputs.
    Softmax,
    /// As [`Link::Softmax`], but the prediction is the output with the largest sum.
    ArgMax,
}

/// An objective by its name.
#[derive(Debug)]
pub(super) struct Objective {
    pub(super) link: Link,
    /// Whether the answer is a class when the file does not say.
    pub(super) is_classifier: bool,
    /// Whether the intercept in the file is on the other side of the link.
    inverts_intercept: bool,
    /// Whether a probability of 0 or 1 as intercept is moved into the range.
    clamps_intercept: bool,
}

impl Objective {
    /// The objective, or why it is not supported.
    pub(super) fn named(name: &str, version: &[u32]) -> Result<Self, String> {
        let (link, is_classifier) = match name {
            "reg:squarederror"
            | "reg:linear"
            | "reg:squaredlogerror"
            | "reg:pseudohubererror"
            | "reg:absoluteerror" => (Link::Identity, false),
            "rank:pairwise" | "rank:ndcg" | "rank:map" | "binary:logitraw" | "reg:quantileerror" => {
                (Link::Identity, false)
            }
            "reg:logistic" => (Link::Sigmoid, false),
            "binary:logistic" => (Link::Sigmoid, true),
            "count:poisson" | "reg:gamma" | "reg:tweedie" | "survival:cox" | "survival:aft" => (Link::Exp, false),
            "binary:hinge" => (Link::Step, true),
            "multi:softprob" => (Link::Softmax, true),
            "multi:softmax" => (Link::ArgMax, true),
            other => return Err(format!("has the objective `{}`, which is not supported", shortened(other))),
        };
        let inverts_intercept = matches!(link, Link::Sigmoid | Link::Exp);
        Ok(Self { link, is_classifier, inverts_intercept, clamps_intercept: version >= &[3, 2] })
    }

    /// What the sums begin with when this intercept stands in the file; `None` if it is out of range.
    pub(super) fn margin(&self, intercept: f32) -> Option<f32> {
        /// How far a probability stays away from 0 and 1.
        const LEAST: f32 = 1e-6;
        match self.link {
            _ if !self.inverts_intercept => Some(intercept),
            Link::Exp => (intercept > 0.0).then(|| intercept.ln()),
            _ if self.clamps_intercept => {
                let is_probability = (0.0..=1.0).contains(&intercept);
                is_probability.then(|| logit(intercept.clamp(LEAST, 1.0 - LEAST)))
            }
            _ => (intercept > 0.0 && intercept < 1.0).then(|| logit(intercept)),
        }
    }

    /// Whether a classifier of this objective gives probabilities.
    pub(super) fn has_probabilities(&self) -> bool {
        self.link != Link::Identity
    }
}

fn logit(probability: f32) -> f32 {
    -(1.0 / probability - 1.0).ln()
}

impl Link {
    /// The answers for these sums, one for each of them.
    pub(super) fn apply(self, assembly: &mut Assembly, margins: &[ColumnId]) -> Result<Vec<ColumnId>> {
        let each = |assembly: &mut Assembly, step: fn(&mut Assembly, ColumnId) -> Result<ColumnId>| {
            margins.iter().map(|&margin| step(assembly, margin)).collect()
        };
        match self {
            Self::Identity => Ok(margins.to_vec()),
            Self::Sigmoid => each(assembly, sigmoid),
            Self::Exp => each(assembly, |assembly, margin| assembly.unary(UnaryOp::Exp, margin)),
            Self::Step => each(assembly, |assembly, margin| {
                assembly.one(Op::Binarize { threshold: 0.0 }, vec![margin], DataType::Float32)
            }),
            Self::Softmax | Self::ArgMax => {
                let types = vec![DataType::Float32; margins.len()];
                assembly.push(Op::Across(AcrossOp::SoftmaxWide), margins.to_vec(), types)
            }
        }
    }
}

/// XGBoost keeps the argument of the exponential function below its overflow.
fn sigmoid(assembly: &mut Assembly, margin: ColumnId) -> Result<ColumnId> {
    let least: ArrayRef = Arc::new(Float32Array::from(vec![-88.7]));
    let op = Op::Binary(BinaryOp::Max, Operands::ConstantRight(least));
    let bounded = assembly.one(op, vec![margin], DataType::Float32)?;
    assembly.unary(UnaryOp::PlainLogistic, bounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intercepts_become_margins() {
        let margin = |name: &str, version: &[u32], intercept| {
            Objective::named(name, version).expect("a known objective").margin(intercept)
        };
        assert_eq!(margin("reg:squarederror", &[3, 2, 0], 0.5), Some(0.5));
        assert_eq!(margin("binary:logitraw", &[1, 7, 6], 0.5), Some(0.5));
        assert_eq!(margin("binary:logistic", &[1, 7, 6], 0.5), Some(0.0));
        assert_eq!(margin("binary:logistic", &[3, 1, 3], 0.0), None);
        assert_eq!(margin("binary:logistic", &[3, 2, 0], 0.0), margin("binary:logistic", &[3, 1, 3], 1e-6));
        assert_eq!(margin("count:poisson", &[2, 0, 3], 1.0), Some(0.0));
        assert_eq!(margin("count:poisson", &[2, 0, 3], -1.0), None);
    }
}
