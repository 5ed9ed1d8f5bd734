//! Trees that leave some rows without a score for some output.
//!
//! ONNX Runtime tells an output without a score from one with a score of zero: it takes no base value, and labels and the
//! second score of two classes follow other rules. Which of them holds depends on the row, so that both are computed and
//! one is picked. Exporters write such trees seldom: a second ensemble that counts the scores of each output is good enough.

use arrow::array::{ArrayRef, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use foretell_kernels::trees::Aggregate;

use super::scores::{PostTransform, classifier_outputs, label};
use super::trees::{Ensemble, RawTrees, push};
use crate::error::Result;
use crate::onnx::builder::Builder;
use crate::onnx::fact::Fact;
use crate::onnx::node::Node;
use crate::onnx::ops::broadcast::Element;
use crate::onnx::ops::elementwise::binary_column;
use crate::program::{BinaryOp, ColumnId, LabelChoice, Op, UnaryOp};

/// The targets of a regression; base values count for those that a row has a score for.
pub(crate) fn targets(builder: &mut Builder, node: &Node, fact: &Fact, ensemble: &Ensemble) -> Result<Vec<ColumnId>> {
    let scores = Scores::new(builder, node, fact, &Ensemble { base_values: &[], ..*ensemble })?;
    let zero = scores.constant(builder, node, 0.0)?;
    let mut targets = Vec::with_capacity(ensemble.outputs);
    for (at, &base) in ensemble.base_values.iter().enumerate() {
        let raised = scores.plus(builder, node, scores.values[at], base)?;
        targets.push(scores.select(builder, node, [scores.present[at], raised, zero])?);
    }
    Ok(targets)
}

/// The scores of each output and whether a row has them.
struct Scores {
    values: Vec<ColumnId>,
    present: Vec<ColumnId>,
    data_type: DataType,
}

impl Scores {
    fn of_classes(builder: &mut Builder, node: &Node, fact: &Fact, trees: &RawTrees, classes: usize) -> Result<Self> {
        let ensemble = Ensemble { trees, outputs: classes, aggregate: Aggregate::Sum, base_values: &[] };
        Self::new(builder, node, fact, &ensemble)
    }

    fn new(builder: &mut Builder, node: &Node, fact: &Fact, ensemble: &Ensemble) -> Result<Self> {
        let values = push(builder, node, fact, ensemble)?;
        let counting = Ensemble { trees: &ensemble.trees.counting(), aggregate: Aggregate::Sum, ..*ensemble };
        let counts = push(builder, node, fact, &counting)?;
        let data_type = builder.program.data_type(values[0]).clone();
        let zero = Element::Value(number(0.0, &data_type)?);
        let present = counts.into_iter().map(|count| {
            binary_column(builder, node, BinaryOp::Greater, &Element::Column(count), &zero, &DataType::Boolean)
        });
        Ok(Self { present: present.collect::<Result<_>>()?, values, data_type })
    }

    fn constant(&self, builder: &mut Builder, node: &Node, value: f64) -> Result<ColumnId> {
        builder.constant(node, number(value, &self.data_type)?)
    }

    /// `if condition then yes else no`.
    fn select(&self, builder: &mut Builder, node: &Node, choice: [ColumnId; 3]) -> Result<ColumnId> {
        builder.one(node, Op::Select, choice.to_vec(), self.data_type.clone())
    }

    fn plus(&self, builder: &mut Builder, node: &Node, score: ColumnId, base: f64) -> Result<ColumnId> {
        let base = Element::Value(number(base, &self.data_type)?);
        binary_column(builder, node, BinaryOp::Add, &base, &Element::Column(score), &self.data_type)
    }
}

fn number(value: f64, data_type: &DataType) -> Result<ArrayRef> {
    Ok(cast(&Float64Array::from(vec![value]), data_type)?)
}

/// The label of the largest score that a row has; the scores of the others are zero.
pub(crate) fn several(
    builder: &mut Builder,
    node: &Node,
    fact: &Fact,
    trees: &RawTrees,
    classes: &ArrayRef,
    transform: PostTransform,
) -> Result<Vec<Fact>> {
    let scores = Scores::of_classes(builder, node, fact, trees, classes.len())?;
    let least = scores.constant(builder, node, f64::NEG_INFINITY)?;
    let mut candidates = Vec::with_capacity(classes.len());
    for (&present, &score) in scores.present.iter().zip(&scores.values) {
        candidates.push(scores.select(builder, node, [present, score, least])?);
    }
    let label = label(builder, node, classes, LabelChoice::ArgMax, &candidates)?;
    let scores = builder.cast(node, &scores.values, &DataType::Float32)?;
    let scores = transform.apply(builder, node, &scores)?;
    Ok(classifier_outputs(classes, label, scores))
}

/// A classifier of two labels.
pub(crate) struct TwoClasses<'t> {
    pub(crate) classes: &'t ArrayRef,
    pub(crate) trees: &'t RawTrees,
    pub(crate) base_values: &'t [f64],
    pub(crate) transform: PostTransform,
    /// A score above this is the second label.
    pub(crate) threshold: LabelChoice,
    /// How a score alone becomes two: `Some(true)` if it is a probability, `None` where ONNX Runtime leaves it open.
    pub(crate) alone_is_probability: Option<bool>,
}

impl TwoClasses<'_> {
    pub(crate) fn lower(&self, builder: &mut Builder, node: &Node, fact: &Fact) -> Result<Vec<Fact>> {
        let scores = Scores::of_classes(builder, node, fact, self.trees, 2)?;
        let (paired, alone) = self.forms(builder, node, &scores)?;
        let decisive = scores.select(builder, node, [scores.present[1], paired[1], alone[0]])?;
        let label = label(builder, node, self.classes, self.threshold, &[decisive])?;
        let paired = builder.cast(node, &paired, &DataType::Float32)?;
        let paired = self.transform.apply(builder, node, &paired)?;
        let alone = builder.cast(node, &alone, &DataType::Float32)?;
        let alone = match (&alone[..], self.alone_is_probability) {
            ([_, _], _) => self.transform.apply(builder, node, &alone)?,
            ([score], Some(of_probability)) => self.transform.spread(builder, node, *score, of_probability)?,
            _ => {
                return Err(
                    node.unsupported("one base value for two classes, the second of which some rows have no score for")
                );
            }
        };
        let mut outputs = Vec::with_capacity(2);
        for (paired, alone) in paired.into_iter().zip(alone) {
            outputs.push(builder.one(node, Op::Select, vec![scores.present[1], paired, alone], DataType::Float32)?);
        }
        Ok(classifier_outputs(self.classes, label, outputs))
    }

    /// The scores where the second class has one, and where it has none; base values count for scores that are there.
    fn forms(&self, builder: &mut Builder, node: &Node, scores: &Scores) -> Result<(Vec<ColumnId>, Vec<ColumnId>)> {
        let (first, second) = (scores.values[0], scores.values[1]);
        let zero = scores.constant(builder, node, 0.0)?;
        let Some(&base) = self.base_values.first() else { return Ok((vec![first, second], vec![first])) };
        let raised = scores.plus(builder, node, first, base)?;
        let raised = scores.select(builder, node, [scores.present[0], raised, zero])?;
        let Some(&base) = self.base_values.get(1) else { return Ok((vec![raised, second], vec![raised])) };
        let second = scores.plus(builder, node, first, base)?;
        let opposite = builder.one(node, Op::Unary(UnaryOp::Neg), vec![second], scores.data_type.clone())?;
        let opposite = scores.select(builder, node, [scores.present[0], opposite, zero])?;
        Ok((vec![opposite, second], vec![raised, zero]))
    }
}
