//! What classifiers and regressors of ai.onnx.ml do with their scores: post transforms and labels.
//!
//! The rules for two classes are those of ONNX Runtime, which fills in what the ONNX text leaves open: one score for two
//! labels, and which score decides.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float32Array, Int64Array, StringArray};
use arrow::datatypes::DataType;

use crate::error::Result;
use crate::limits::Limits;
use crate::onnx::builder::{Builder, Origin};
use crate::onnx::fact::{Block, Fact};
use crate::onnx::node::Node;
use crate::onnx::ops::broadcast::Element;
use crate::onnx::ops::elements::show;
use crate::onnx::ops::elementwise::binary_column;
use crate::program::{AcrossOp, BinaryOp, ColumnId, LabelChoice, LabelRule, Op, UnaryOp};

/// A function of the scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PostTransform {
    None,
    Logistic,
    Softmax,
    SoftmaxZero,
    Probit,
}

impl PostTransform {
    /// The attribute `post_transform`.
    pub(crate) fn of(node: &Node) -> Result<Self> {
        match node.text("post_transform")?.unwrap_or("NONE") {
            "NONE" => Ok(Self::None),
            "LOGISTIC" => Ok(Self::Logistic),
            "SOFTMAX" => Ok(Self::Softmax),
            "SOFTMAX_ZERO" => Ok(Self::SoftmaxZero),
            "PROBIT" => Ok(Self::Probit),
            other => Err(node.malformed(format!("a post transform `{other}`"))),
        }
    }

    /// Two scores or more, of type `f32`.
    pub(crate) fn apply(self, builder: &mut Builder, node: &Node, scores: &[ColumnId]) -> Result<Vec<ColumnId>> {
        let across = |builder: &mut Builder, op| {
            builder.push(node, Op::Across(op), scores.to_vec(), vec![DataType::Float32; scores.len()])
        };
        let each = |builder: &mut Builder, op| -> Result<Vec<ColumnId>> {
            scores.iter().map(|&score| unary(builder, node, op, score)).collect()
        };
        match self {
            Self::None => Ok(scores.to_vec()),
            Self::Logistic => each(builder, UnaryOp::Logistic),
            Self::Probit => each(builder, UnaryOp::Probit),
            Self::Softmax => across(builder, AcrossOp::Softmax),
            Self::SoftmaxZero => across(builder, AcrossOp::SoftmaxZero),
        }
    }

    /// One score of two classes becomes two. `of_probability` says that the score is a probability as it is.
    pub(crate) fn spread(
        self,
        builder: &mut Builder,
        node: &Node,
        score: ColumnId,
        of_probability: bool,
    ) -> Result<Vec<ColumnId>> {
        let first = match self {
            Self::Probit => return Err(node.unsupported("PROBIT of one score for two classes")),
            Self::Logistic => {
                let opposite = unary(builder, node, UnaryOp::Neg, score)?;
                let both = [opposite, score];
                return both.iter().map(|&score| unary(builder, node, UnaryOp::Logistic, score)).collect();
            }
            _ if of_probability => complement(builder, node, score)?,
            _ => unary(builder, node, UnaryOp::Neg, score)?,
        };
        Ok(vec![first, score])
    }
}

/// A function of one column of scores.
pub(super) fn unary(builder: &mut Builder, node: &Node, op: UnaryOp, column: ColumnId) -> Result<ColumnId> {
    builder.one(node, Op::Unary(op), vec![column], DataType::Float32)
}

/// `1 - score`.
pub(crate) fn complement(builder: &mut Builder, node: &Node, score: ColumnId) -> Result<ColumnId> {
    let one = Element::Value(Arc::new(Float32Array::from(vec![1.0])));
    binary_column(builder, node, BinaryOp::Sub, &one, &Element::Column(score), &DataType::Float32)
}

/// The labels of a classifier, from whichever attribute has them.
pub(crate) fn class_labels(builder: &Builder, node: &Node, integers: &str, texts: &str) -> Result<ArrayRef> {
    let classes: ArrayRef = match (node.texts(texts)?, node.ints(integers)?) {
        (Some(texts), _) if !texts.is_empty() => Arc::new(StringArray::from(texts)),
        (_, Some(integers)) if !integers.is_empty() => Arc::new(Int64Array::from(integers.to_vec())),
        _ => return Err(node.malformed("it has no class labels")),
    };
    Limits::check("classes", "classes", classes.len() as u64, builder.limits.classes)?;
    Ok(classes)
}

/// The label column of a classifier.
pub(crate) fn label(
    builder: &mut Builder,
    node: &Node,
    classes: &ArrayRef,
    choice: LabelChoice,
    scores: &[ColumnId],
) -> Result<ColumnId> {
    let rule = LabelRule { classes: Arc::clone(classes), choice };
    let data_type = classes.data_type().clone();
    let column = builder.one(node, Op::Label(Arc::new(rule)), scores.to_vec(), data_type)?;
    builder.note(&[column], &Origin::Label(Arc::clone(classes)));
    Ok(column)
}

/// The two outputs of a classifier: `[N]` labels, `[N, classes]` scores.
pub(crate) fn classifier_outputs(classes: &ArrayRef, label: ColumnId, scores: Vec<ColumnId>) -> Vec<Fact> {
    let label =
        Block { data_type: classes.data_type().clone(), shape: Vec::new(), batch: Some(0), columns: vec![label] };
    vec![Fact::Block(label), Fact::Block(matrix(scores))]
}

/// `[N, k]` numbers.
pub(crate) fn matrix(columns: Vec<ColumnId>) -> Block {
    Block { data_type: DataType::Float32, shape: vec![columns.len()], batch: Some(0), columns }
}

/// The features of a model of ai.onnx.ml: `[N, k]`, or `[N]` for one feature.
pub(crate) fn features(builder: &mut Builder, node: &Node, fact: &Fact) -> Result<Block> {
    let block = builder.block(node, fact)?;
    let one_row = block.batch.is_none() && block.shape.len() <= 2;
    if !one_row && (block.batch != Some(0) || block.shape.len() > 1) {
        let dims = show(&block.dims());
        return Err(node.unsupported(format!("its input is {dims} instead of [N, k]")));
    }
    Ok(block)
}

/// `f32` features.
pub(crate) fn float_features(builder: &mut Builder, node: &Node, fact: &Fact) -> Result<Vec<ColumnId>> {
    let block = features(builder, node, fact)?;
    if block.data_type == DataType::Utf8 {
        return Err(node.malformed("its input is text"));
    }
    builder.cast(node, &block.columns, &DataType::Float32)
}
