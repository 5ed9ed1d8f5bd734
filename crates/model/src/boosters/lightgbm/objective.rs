//! What an objective makes of the sums of the trees.

use std::sync::Arc;

use arrow::array::Float64Array;
use arrow::datatypes::DataType;

use super::file::{Block, shortened};
use crate::boosters::Assembly;
use crate::error::{Error, Result};
use crate::program::{AcrossOp, BinaryOp, ColumnId, Op, Operands, UnaryOp};

/// A function of the sums.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Link {
    Identity,
    /// `x²` with the sign of `x`.
    SignedSquare,
    Exp,
    /// `ln(1 + exp(x))`.
    Log1pExp,
    /// `1 / (1 + exp(-slope * x))`.
    Sigmoid {
        slope: f64,
    },
    Softmax,
}

/// An objective: its link, and whether it tells classes apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Objective {
    pub(super) link: Link,
    pub(super) kind: Kind,
}

/// What the answers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Numbers,
    /// The one output is the probability of the second of two classes.
    Binary,
    /// Every output is the probability of a class.
    Multiclass,
}

impl Objective {
    /// The objective of a header. One without is a custom objective, whose link nobody knows.
    pub(super) fn read(header: &Block) -> Result<Self> {
        let text = header.get("objective").unwrap_or("custom");
        let mut words = text.split_ascii_whitespace();
        let name = words.next().unwrap_or_default();
        let parameters: Vec<&str> = words.collect();
        let numbers = |link| Ok(Self { link, kind: Kind::Numbers });
        match name {
            "regression" if parameters.contains(&"sqrt") => numbers(Link::SignedSquare),
            "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape" | "lambdarank" | "rank_xendcg"
            | "custom" | "none" => numbers(Link::Identity),
            "poisson" | "gamma" | "tweedie" => numbers(Link::Exp),
            "cross_entropy" | "xentropy" => numbers(Link::Sigmoid { slope: 1.0 }),
            "cross_entropy_lambda" | "xentlambda" => numbers(Link::Log1pExp),
            "multiclass" => Ok(Self { link: Link::Softmax, kind: Kind::Multiclass }),
            "binary" | "multiclassova" => {
                let kind = if name == "binary" { Kind::Binary } else { Kind::Multiclass };
                Ok(Self { link: Link::Sigmoid { slope: slope(header, &parameters)? }, kind })
            }
            other => {
                let what = format!("has the objective `{}`, which is not supported", shortened(other));
                Err(Error::Unsupported { format: super::FORMAT, what })
            }
        }
    }
}

/// The parameter `sigmoid`.
fn slope(header: &Block, parameters: &[&str]) -> Result<f64> {
    let Some(text) = parameters.iter().find_map(|parameter| parameter.strip_prefix("sigmoid:")) else {
        return Err(header.malformed("the objective has no `sigmoid`"));
    };
    let slope = text.parse().ok().filter(|slope: &f64| slope.is_finite() && *slope > 0.0);
    slope.ok_or_else(|| header.malformed(format!("the objective's `sigmoid` is `{}`", shortened(text))))
}

impl Link {
    /// The answers for these sums, one for each of them.
    pub(super) fn apply(self, assembly: &mut Assembly, sums: &[ColumnId]) -> Result<Vec<ColumnId>> {
        if self == Self::Softmax {
            let types = vec![DataType::Float64; sums.len()];
            return assembly.push(Op::Across(AcrossOp::Softmax), sums.to_vec(), types);
        }
        sums.iter().map(|&sum| self.of_one(assembly, sum)).collect()
    }

    fn of_one(self, assembly: &mut Assembly, sum: ColumnId) -> Result<ColumnId> {
        match self {
            Self::Identity | Self::Softmax => Ok(sum),
            Self::SignedSquare => {
                let size = assembly.unary(UnaryOp::Abs, sum)?;
                assembly.one(Op::Binary(BinaryOp::Mul, Operands::Columns), vec![size, sum], DataType::Float64)
            }
            Self::Exp => assembly.unary(UnaryOp::Exp, sum),
            Self::Log1pExp => {
                let exp = assembly.unary(UnaryOp::Exp, sum)?;
                assembly.unary(UnaryOp::Log1p, exp)
            }
            Self::Sigmoid { slope } => {
                let scaled = scaled(assembly, BinaryOp::Mul, sum, slope)?;
                assembly.unary(UnaryOp::PlainLogistic, scaled)
            }
        }
    }
}

/// The column multiplied with or divided by a number.
pub(super) fn scaled(assembly: &mut Assembly, op: BinaryOp, column: ColumnId, by: f64) -> Result<ColumnId> {
    if by == 1.0 {
        return Ok(column);
    }
    let operand = Arc::new(Float64Array::from(vec![by]));
    assembly.one(Op::Binary(op, Operands::ConstantRight(operand)), vec![column], DataType::Float64)
}
