//! The operations of a program: a closed set, so that passes can look inside.
//!
//! An operation gets whole columns and returns whole columns. Semantics are those of ONNX Runtime where the ONNX text leaves
//! room, since that is what users compare with. Columns never hold nulls; a missing number is NaN. A row that an operation
//! refuses is noted in [`RowFailures`] and gets any value; the other rows go on.

mod across;
mod binary;
mod cast;
mod city;
mod columns;
mod dense;
mod encode;
mod gather;
mod keys;
mod label;
mod linear;
mod maps;
mod pack;
mod points;
mod reduce;
mod statistics;
mod support;
mod trees;
mod unary;
mod widen;

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, UInt32Type};
use foretell_kernels::dense::DenseNetwork;
use foretell_kernels::linear::LinearModel;
use foretell_kernels::neighbours::Neighbours;
use foretell_kernels::points::Points;
use foretell_kernels::support::{SupportPairs, SupportSum};
use foretell_kernels::trees::{LinearLeaves, TreeEnsemble};

use super::RowFailures;
use crate::error::{Error, Result};

pub(crate) use encode::{LookupTable, OneHot};
pub(crate) use label::{LabelChoice, LabelRule};
pub(crate) use linear::{EncodedLinear, LinearInput};
pub(crate) use maps::{MapColumns, MapForm};
pub(crate) use pack::{COLUMNS_MAX, packed_type};
pub(crate) use statistics::{CategoryStatistics, KeyElement, Share, Whole};
pub(crate) use support::PairwiseCoupling;
pub(crate) use trees::Precision;

/// What a step computes. `k→m` is the number of columns read and written.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// 0→1: the same value in every row. An array of length one.
    Constant(ArrayRef),
    /// 1→1: conversion with the rules of ONNX `Cast` (float to integer truncates, float to text as ONNX Runtime prints it).
    Cast(DataType),
    /// 1→1
    Unary(UnaryOp),
    /// 2→1, or 1→1 when one operand is a constant. Both operands have the same type.
    Binary(BinaryOp, Operands),
    /// 3→1: `if condition then a else b`.
    Select,
    /// k→1: over the columns of a row, in order.
    Reduce(ReduceOp),
    /// k→1 (`Int64`): position of the largest or smallest column; the first one wins a tie, or the last.
    ArgExtreme { largest: bool, last: bool },
    /// k→2·`take`: the `take` largest or smallest columns of a row, values first and then their positions (`Int64`).
    TopK { take: usize, largest: bool },
    /// k→k: across the columns of a row.
    Across(AcrossOp),
    /// 1→1: `table[index]`; a negative index counts from the end.
    Take(ArrayRef),
    /// 1+k→1: the column whose position the first input gives.
    PickColumn,
    /// 1→1: `(x - offset) * scale`, in `f32` (ai.onnx.ml Scaler).
    Scale { offset: f32, scale: f32 },
    /// 1→1: `replaced` (NaN matches NaN) becomes `fill` (ai.onnx.ml Imputer). Both have length one and the column's type.
    Impute { replaced: ArrayRef, fill: ArrayRef },
    /// 1→1 (`f32`): 1 where `x > threshold`, else 0 (ai.onnx.ml Binarizer).
    Binarize { threshold: f64 },
    /// 1→1: the value beside the key, or the default (ai.onnx.ml LabelEncoder, CategoryMapper). A NaN key matches NaN.
    Lookup(Arc<LookupTable>),
    /// 1→k: the values of some keys of a map (ai.onnx.ml DictVectorizer, CastMap).
    MapColumns(Arc<MapColumns>),
    /// 1→c (`f32`): one column per category (ai.onnx.ml OneHotEncoder).
    OneHot(Arc<OneHot>),
    /// 1→1 (`UInt32`): the position of the category, or [`encode::NO_CATEGORY`]; what [`Op::OneHot`] spreads over columns.
    CategoryCode(Arc<OneHot>),
    /// 1→1 (`f64`): what CatBoost makes of a text that is a category.
    CategoryHash,
    /// k→m (`f64`): numbers that CatBoost kept for categories and combinations of them.
    CategoryStatistics(Arc<CategoryStatistics>),
    /// k→m (`f32`): a linear map, before any post transform.
    Linear(Arc<LinearModel>),
    /// k→m (`f32`): a linear map over columns that are to be imputed, scaled or encoded first.
    FusedLinear(Arc<EncodedLinear>),
    /// k→m (`f32`): linear maps one after the other, with functions and arithmetic between them.
    Dense(Arc<DenseNetwork>),
    /// k→m (`f32`): sums (or averages, minima, maxima) over trees, base values added, before any post transform.
    Trees(Arc<TreeEnsemble>),
    /// k→m (`f64`): as [`Op::Trees`] with thresholds and weights of double precision.
    Trees64(Arc<TreeEnsemble<f64>>),
    /// k→m (`f64`): sums over trees whose leaves are linear functions.
    LinearTrees(Arc<LinearLeaves<f64>>),
    /// k→m (`f32`): the distance from each of some constant points.
    Distances(Arc<Points>),
    /// k→2·n: the distances of the nearest of some constant points (`f32`), and then their positions (`Int64`).
    Neighbours(Arc<Neighbours>),
    /// k→1 (`f32`): a sum over kernels with support vectors.
    SupportSum(Arc<SupportSum>),
    /// k→p+1 (`f32`, the last `Int64`): the scores of all pairs of classes, and the position of the class they vote for.
    SupportPairs(Arc<SupportPairs>),
    /// k→c (`f32`): class probabilities from the scores of all pairs of classes.
    PairwiseCoupling(Arc<PairwiseCoupling>),
    /// k→1: the label of a classifier from its scores.
    Label(Arc<LabelRule>),
    /// k→1 (`FixedSizeList`): columns side by side.
    Pack,
    /// 1→k: the columns of a `FixedSizeList`.
    Unpack,
    /// k→m: general tensor operators, run by tract or the tensor evaluator.
    Island(Arc<crate::island::Island>),
    /// k→m: a graph of tensor operators as a whole.
    Network(Arc<crate::network::Network>),
}

/// Elementwise functions of one column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum UnaryOp {
    Abs,
    Ceil,
    Cos,
    /// `alpha (exp(x) - 1)` below zero.
    Elu(f32),
    Erf,
    Exp,
    Floor,
    /// `x` times the share of a normal distribution that is below it.
    Gelu,
    /// `alpha x + beta`, cut off at 0 and 1.
    HardSigmoid {
        alpha: f32,
        beta: f32,
    },
    IsNan,
    IsInf,
    LeakyRelu(f32),
    Log,
    /// `ln(1 + x)`, exact for small numbers.
    Log1p,
    Neg,
    Not,
    Reciprocal,
    Relu,
    Round,
    /// `gamma` times [`UnaryOp::Elu`].
    Selu {
        alpha: f32,
        gamma: f32,
    },
    Sigmoid,
    Sign,
    Sin,
    Softplus,
    /// `x / (1 + |x|)`
    Softsign,
    Sqrt,
    Tanh,
    /// `1 / (1 + exp(-x))` as the ai.onnx.ml post transform LOGISTIC computes it.
    Logistic,
    /// `1 / (1 + exp(-x))` as it stands, which is what XGBoost computes.
    PlainLogistic,
    /// `sqrt(2) * erf_inv(2 x - 1)` as the ai.onnx.ml post transform PROBIT computes it.
    Probit,
}

/// Elementwise functions of two columns. Comparisons give `Boolean` and follow IEEE 754: NaN equals nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    /// Remainder with the sign of the divisor (`fmod = 0`).
    Mod,
    /// Remainder with the sign of the dividend (`fmod = 1`).
    Fmod,
    Min,
    Max,
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Xor,
}

/// Where the operands of a [`Op::Binary`] come from. A constant has length one.
#[derive(Debug, Clone)]
pub(crate) enum Operands {
    Columns,
    ConstantLeft(ArrayRef),
    ConstantRight(ArrayRef),
}

/// Reductions over the columns of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReduceOp {
    Sum,
    Mean,
    Prod,
    Min,
    Max,
    L1,
    L2,
    SumSquare,
    LogSum,
    LogSumExp,
}

/// Functions of all columns of a row together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AcrossOp {
    Softmax,
    /// Softmax of `f32` whose sum is taken in double precision, which is what XGBoost computes.
    SoftmaxWide,
    LogSoftmax,
    /// Softmax in which zeros stay zero (ai.onnx.ml SOFTMAX_ZERO).
    SoftmaxZero,
    /// ai.onnx.ml Normalizer MAX: divided by the largest absolute value... as ONNX Runtime computes it.
    NormMax,
    /// ai.onnx.ml Normalizer L1.
    NormL1,
    /// ai.onnx.ml Normalizer L2.
    NormL2,
    /// 1 for the largest value, 0 for the others.
    Hardmax,
    /// Running sum over the columns, in order.
    CumSum,
}

impl AcrossOp {
    /// Type of the results, when the columns read have this one.
    pub(crate) fn output_type(self, input: &DataType) -> DataType {
        match self {
            Self::NormMax | Self::NormL1 | Self::NormL2 => DataType::Float32,
            _ => input.clone(),
        }
    }
}

impl Op {
    /// The kind of step, as plans show it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Constant(_) => "Constant",
            Self::Cast(_) => "Cast",
            Self::Unary(_) => "Unary",
            Self::Binary(..) => "Binary",
            Self::Select => "Select",
            Self::Reduce(_) => "Reduce",
            Self::ArgExtreme { .. } => "ArgExtreme",
            Self::TopK { .. } => "TopK",
            Self::Across(_) => "Across",
            Self::Take(_) => "Take",
            Self::PickColumn => "PickColumn",
            Self::Scale { .. } => "Scale",
            Self::Impute { .. } => "Impute",
            Self::Binarize { .. } => "Binarize",
            Self::Lookup(_) => "Lookup",
            Self::MapColumns(_) => "MapColumns",
            Self::OneHot(_) => "OneHot",
            Self::CategoryCode(_) => "CategoryCode",
            Self::CategoryHash => "CategoryHash",
            Self::CategoryStatistics(_) => "CategoryStatistics",
            Self::Linear(_) => "Linear",
            Self::FusedLinear(_) => "FusedLinear",
            Self::Dense(_) => "Dense",
            Self::Trees(_) | Self::Trees64(_) => "Trees",
            Self::LinearTrees(_) => "LinearTrees",
            Self::Distances(_) => "Distances",
            Self::Neighbours(_) => "Neighbours",
            Self::SupportSum(_) | Self::SupportPairs(_) => "SupportVectors",
            Self::PairwiseCoupling(_) => "PairwiseCoupling",
            Self::Label(_) => "Label",
            Self::Pack => "Pack",
            Self::Unpack => "Unpack",
            Self::Island(_) => "Island",
            Self::Network(_) => "Network",
        }
    }

    /// Computes the output columns for `rows` rows.
    pub(crate) fn run(&self, inputs: &[ArrayRef], rows: usize, failures: &mut RowFailures) -> Result<Vec<ArrayRef>> {
        if let Some(outputs) = widen::run(self, inputs, rows, failures)? {
            return Ok(outputs);
        }
        match self {
            Self::Constant(value) => Ok(vec![columns::repeat(value, rows)?]),
            Self::Cast(to) => Ok(vec![cast::run(one(inputs)?, to, failures)?]),
            Self::Unary(op) => Ok(vec![unary::run(*op, one(inputs)?)?]),
            Self::Binary(op, operands) => Ok(vec![binary::run(*op, operands, inputs, rows, failures)?]),
            Self::Select => Ok(vec![gather::select(inputs)?]),
            Self::Reduce(op) => Ok(vec![reduce::run(*op, inputs)?]),
            Self::ArgExtreme { largest, last } => Ok(vec![reduce::position_of_extreme(inputs, *largest, *last)?]),
            Self::TopK { take, largest } => reduce::top(inputs, *take, *largest),
            Self::Across(op) => across::run(*op, inputs),
            Self::Take(table) => Ok(vec![gather::from_table(table, one(inputs)?, failures)?]),
            Self::PickColumn => Ok(vec![gather::pick_column(inputs, failures)?]),
            Self::Scale { offset, scale } => Ok(vec![encode::scale(one(inputs)?, *offset, *scale)?]),
            Self::Impute { replaced, fill } => Ok(vec![encode::impute(one(inputs)?, replaced, fill)?]),
            Self::Binarize { threshold } => Ok(vec![encode::binarize(one(inputs)?, *threshold, failures)?]),
            Self::Lookup(table) => Ok(vec![table.run(one(inputs)?)?]),
            Self::MapColumns(columns) => columns.run(one(inputs)?, failures),
            Self::OneHot(one_hot) => one_hot.indicators(one(inputs)?, failures),
            Self::CategoryCode(one_hot) => {
                Ok(vec![columns::column::<UInt32Type>(one_hot.codes(one(inputs)?, failures)?)])
            }
            Self::CategoryHash => Ok(vec![statistics::hashes(one(inputs)?)?]),
            Self::CategoryStatistics(statistics) => statistics.run(inputs, rows),
            Self::Linear(model) => linear::run(model, inputs, rows),
            Self::FusedLinear(model) => model.run(inputs, rows, failures),
            Self::Dense(network) => dense::run(network, inputs, rows),
            Self::Trees(ensemble) => trees::run(ensemble, inputs, rows),
            Self::Trees64(ensemble) => trees::run_double(ensemble, inputs, rows),
            Self::LinearTrees(trees) => trees::run_linear(trees, inputs, rows),
            Self::Distances(points) => points::distances(points, inputs, rows),
            Self::Neighbours(neighbours) => points::nearest(neighbours, inputs, rows),
            Self::SupportSum(machine) => support::sum(machine, inputs, rows),
            Self::SupportPairs(machine) => support::pairs(machine, inputs, rows),
            Self::PairwiseCoupling(coupling) => coupling.run(inputs, rows),
            Self::Label(rule) => Ok(vec![rule.run(inputs, failures)?]),
            Self::Pack => Ok(vec![pack::pack(inputs)?]),
            Self::Unpack => pack::unpack(one(inputs)?),
            Self::Island(island) => island.run(inputs, rows, failures),
            Self::Network(network) => network.run(inputs, rows, failures),
        }
    }
}

impl Op {
    /// Whether the input at this place is only looked up in a list of keys, so that text may come in any spelling.
    pub(crate) fn looks_up(&self, place: usize) -> bool {
        match self {
            Self::Lookup(_) | Self::OneHot(_) | Self::CategoryCode(_) => true,
            Self::FusedLinear(model) => model.encodes(place),
            _ => false,
        }
    }

    /// How this is computed on this processor, where there was a choice.
    pub(crate) fn choice(&self) -> Option<String> {
        match self {
            Self::Linear(model) => Some(model.kernel().to_string()),
            Self::FusedLinear(model) => Some(model.linear().kernel().to_string()),
            Self::Dense(network) => Some(network.kernel().to_string()),
            Self::Trees(ensemble) => Some(ensemble.kernel().to_string()),
            Self::Trees64(ensemble) => Some(ensemble.kernel().to_string()),
            Self::LinearTrees(trees) => Some(trees.trees().kernel().to_string()),
            Self::Distances(points) => Some(points.kernel().to_string()),
            Self::Neighbours(neighbours) => Some(neighbours.kernel().to_string()),
            Self::SupportSum(machine) => Some(machine.kernel().to_string()),
            Self::SupportPairs(machine) => Some(machine.kernel().to_string()),
            Self::OneHot(one_hot) | Self::CategoryCode(one_hot) => Some(one_hot.choice()),
            Self::Lookup(table) => Some(table.choice()),
            Self::Island(island) => island.choice(),
            Self::Network(network) => network.choice(),
            _ => None,
        }
    }

    /// Bytes of memory that the parameters of the operation occupy.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Constant(values) | Self::Take(values) => values.get_array_memory_size(),
            Self::Lookup(table) => table.bytes(),
            Self::OneHot(one_hot) | Self::CategoryCode(one_hot) => one_hot.bytes(),
            Self::Linear(model) => model.bytes(),
            Self::FusedLinear(model) => model.bytes(),
            Self::Dense(network) => network.bytes(),
            Self::Trees(ensemble) => ensemble.bytes(),
            Self::Trees64(ensemble) => ensemble.bytes(),
            Self::LinearTrees(trees) => trees.bytes(),
            Self::Distances(points) => points.bytes(),
            Self::Neighbours(neighbours) => neighbours.points().bytes(),
            Self::SupportSum(machine) => machine.bytes(),
            Self::SupportPairs(machine) => machine.bytes(),
            _ => 0,
        }
    }

    /// Whether some value can make this operation refuse a row, when it reads columns of these types.
    pub(crate) fn may_refuse<'t>(&self, mut inputs: impl Iterator<Item = &'t DataType>) -> bool {
        match self {
            Self::Cast(to) => *to != DataType::Utf8 && inputs.any(|from| *from == DataType::Utf8),
            Self::Binary(BinaryOp::Div | BinaryOp::Mod | BinaryOp::Fmod, _) => inputs.any(|from| !from.is_floating()),
            Self::OneHot(one_hot) | Self::CategoryCode(one_hot) => one_hot.refuses_unknown(),
            Self::FusedLinear(model) => model.refuses_unknown(),
            Self::Label(rule) => rule.choice == LabelChoice::ArgMaxOfScored,
            Self::MapColumns(_) | Self::Take(_) | Self::PickColumn | Self::Binarize { .. } => true,
            Self::Island(_) | Self::Network(_) => true,
            _ => false,
        }
    }
}

fn one(inputs: &[ArrayRef]) -> Result<&ArrayRef> {
    match inputs {
        [input] => Ok(input),
        _ => Err(wrong_count(1, inputs.len())),
    }
}

fn wrong_count(expected: usize, got: usize) -> Error {
    Error::Internal(format!("an operation over {expected} columns got {got}"))
}

fn wrong_type(what: &str, got: &DataType) -> Error {
    Error::Internal(format!("{what} of a column of type {got}"))
}
