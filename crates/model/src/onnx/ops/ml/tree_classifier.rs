//! TreeEnsembleClassifier: scores of classes, and which of them is the label.
//!
//! Two classes follow ONNX Runtime: if the file has weights for one class only, that score alone decides, against 0.5 when no
//! weight is negative (it is a probability) and else against 0. If it has weights for both, the second score decides,
//! against 0. A row may have no score for a class, since its leaves have no weight for it; then the class cannot win, its
//! score is 0, and of two classes the first one decides in the place of the second.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array};
use arrow::compute::{cast, concat};
use arrow::datatypes::DataType;
use foretell_kernels::trees::Aggregate;

use super::scores::{PostTransform, class_labels, classifier_outputs, label, unary};
use super::trees::{CLASSES, Ensemble, RawTrees, Scored, numbers, push, read, score_or_zero, scored};
use crate::error::Result;
use crate::onnx::builder::Builder;
use crate::onnx::fact::Fact;
use crate::onnx::node::Node;
use crate::onnx::ops::axes::input;
use crate::onnx::ops::broadcast::Element;
use crate::onnx::ops::elementwise::binary_column;
use crate::program::{BinaryOp, ColumnId, LabelChoice, Op, UnaryOp};

/// TreeEnsembleClassifier.
pub(crate) fn classifier(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let classes = class_labels(builder, node, "classlabels_int64s", "classlabels_strings")?;
    let fact = input(node, inputs, 0)?;
    let trees = read(builder, node, &CLASSES, classes.len(), fact.data_type())?;
    let base_values = numbers(builder, node, "base_values")?;
    let transform = PostTransform::of(node)?;
    match classes.len() {
        1 => one_class(builder, node, fact, &trees, &base_values, &classes),
        2 => {
            let two = TwoClasses::new(builder, node, base_values, transform)?;
            two.lower(builder, node, fact, &trees, &classes)
        }
        _ => many_classes(builder, node, fact, &trees, &base_values, &classes),
    }
}

/// The sums of all weights, the base values added.
fn sums(
    builder: &mut Builder,
    node: &Node,
    fact: &Fact,
    trees: &RawTrees,
    outputs: usize,
    base_values: &[f64],
) -> Result<Vec<ColumnId>> {
    push(builder, node, fact, &Ensemble { trees, outputs, aggregate: Aggregate::Sum, base_values })
}

/// One class: its score as it is. The label is 1 or 0, whatever the file calls it, if it calls it by a number.
fn one_class(
    builder: &mut Builder,
    node: &Node,
    fact: &Fact,
    trees: &RawTrees,
    base_values: &[f64],
    classes: &ArrayRef,
) -> Result<Vec<Fact>> {
    let score = sums(builder, node, fact, trees, 1, base_values)?;
    let labels: ArrayRef = match classes.data_type() {
        DataType::Utf8 => concat(&[classes.as_ref(), classes.as_ref()])?,
        _ => Arc::new(Int64Array::from(vec![0, 1])),
    };
    let label = label(builder, node, &labels, LabelChoice::Above(0.0), &score)?;
    let score = builder.cast(node, &score, &DataType::Float32)?;
    let scores = match PostTransform::of(node)? {
        PostTransform::Probit => vec![unary(builder, node, UnaryOp::Probit, score[0])?],
        _ => score,
    };
    Ok(classifier_outputs(&labels, label, scores))
}

/// Three classes or more: the greatest score wins.
fn many_classes(
    builder: &mut Builder,
    node: &Node,
    fact: &Fact,
    trees: &RawTrees,
    base_values: &[f64],
    classes: &ArrayRef,
) -> Result<Vec<Fact>> {
    let scores = sums(builder, node, fact, trees, classes.len(), base_values)?;
    let scored = match base_values.is_empty() {
        true => scored(builder, node, fact, trees, classes.len())?,
        false => vec![Scored::Always; classes.len()],
    };
    let label = if scored.iter().all(|scored| *scored == Scored::Always) {
        label(builder, node, classes, LabelChoice::ArgMax, &scores)?
    } else {
        let mut columns = scores.clone();
        for scored in scored {
            columns.push(match scored {
                Scored::Always => builder.constant(node, Arc::new(BooleanArray::from(vec![true])))?,
                Scored::Never => builder.constant(node, Arc::new(BooleanArray::from(vec![false])))?,
                Scored::Sometimes(has_score) => has_score,
            });
        }
        label(builder, node, classes, LabelChoice::ArgMaxOfScored, &columns)?
    };
    let scores = builder.cast(node, &scores, &DataType::Float32)?;
    let scores = PostTransform::of(node)?.apply(builder, node, &scores)?;
    Ok(classifier_outputs(classes, label, scores))
}

/// What decides between two classes.
struct TwoClasses {
    base_values: Vec<f64>,
    transform: PostTransform,
    /// The file has weights for one of the classes only.
    weighs_one: bool,
    /// No weight is negative.
    of_probability: bool,
}

/// The score that decides, and the scores that are the answer.
struct Decision {
    deciding: ColumnId,
    scores: Vec<ColumnId>,
}

impl TwoClasses {
    /// What the file's weights say counts, even of those that stand at inner nodes.
    fn new(builder: &Builder, node: &Node, base_values: Vec<f64>, transform: PostTransform) -> Result<Self> {
        let weighed: HashSet<&i64> = node.ints(CLASSES.outputs)?.unwrap_or_default().iter().collect();
        let weights = numbers(builder, node, CLASSES.weights)?;
        if weighed.is_empty() || weighed.iter().any(|&&class| class != 0 && class != 1) || base_values.len() > 2 {
            return Err(node.malformed("no weights, or some for a class that is not there, or too many base values"));
        }
        let of_probability = weights.iter().all(|weight| *weight >= 0.0);
        Ok(Self { base_values, transform, weighs_one: weighed.len() == 1, of_probability })
    }

    fn lower(
        &self,
        builder: &mut Builder,
        node: &Node,
        fact: &Fact,
        trees: &RawTrees,
        classes: &ArrayRef,
    ) -> Result<Vec<Fact>> {
        let sums = sums(builder, node, fact, trees, 2, &[])?;
        let scored = scored(builder, node, fact, trees, 2)?;
        let decision = match scored[1] {
            Scored::Always => self.with_second(builder, node, &sums, scored[0])?,
            Scored::Never => self.without_second(builder, node, sums[0], scored[0])?,
            Scored::Sometimes(has_second) => {
                let with = self.with_second(builder, node, &sums, scored[0])?;
                let without = self.without_second(builder, node, sums[0], scored[0])?;
                with.or(&without, builder, node, has_second)?
            }
        };
        let threshold = if self.weighs_one && self.of_probability { 0.5 } else { 0.0 };
        let labels: ArrayRef = match classes.data_type() {
            DataType::Int64 if !self.weighs_one => Arc::new(Int64Array::from(vec![0, 1])),
            _ => Arc::clone(classes),
        };
        let label = label(builder, node, &labels, LabelChoice::Above(threshold), &[decision.deciding])?;
        Ok(classifier_outputs(&labels, label, decision.scores))
    }

    /// Rows that have a score for the second class: it decides.
    fn with_second(
        &self,
        builder: &mut Builder,
        node: &Node,
        sums: &[ColumnId],
        first_scored: Scored,
    ) -> Result<Decision> {
        let (first, deciding) = match self.base_values[..] {
            // The sum of the second class does not count, and the first base value neither.
            [_, base] => {
                let first = score_or_zero(builder, node, sums[0], first_scored)?;
                let second = add(builder, node, first, base)?;
                let data_type = builder.program.data_type(second).clone();
                (builder.one(node, Op::Unary(UnaryOp::Neg), vec![second], data_type)?, second)
            }
            [base] => (add(builder, node, sums[0], base)?, sums[1]),
            _ => (sums[0], sums[1]),
        };
        let first = score_or_zero(builder, node, first, first_scored)?;
        let scores = builder.cast(node, &[first, deciding], &DataType::Float32)?;
        Ok(Decision { deciding, scores: self.transform.apply(builder, node, &scores)? })
    }

    /// Rows that have none: the first score decides, and stands for both.
    fn without_second(
        &self,
        builder: &mut Builder,
        node: &Node,
        sum: ColumnId,
        first_scored: Scored,
    ) -> Result<Decision> {
        let sum = match self.base_values.first() {
            Some(&base) => add(builder, node, sum, base)?,
            None => sum,
        };
        let deciding = score_or_zero(builder, node, sum, first_scored)?;
        let score = builder.cast(node, &[deciding], &DataType::Float32)?[0];
        let scores = match self.base_values.len() {
            2 => {
                let nothing = score_or_zero(builder, node, score, Scored::Never)?;
                self.transform.apply(builder, node, &[score, nothing])?
            }
            // ONNX Runtime leaves the second score uninitialised.
            1 if !self.weighs_one => return Err(node.unsupported("one base value, and rows without a second score")),
            _ => self.transform.spread(builder, node, score, self.weighs_one && self.of_probability)?,
        };
        Ok(Decision { deciding, scores })
    }
}

impl Decision {
    /// This one where the condition holds, else the other.
    fn or(&self, other: &Self, builder: &mut Builder, node: &Node, condition: ColumnId) -> Result<Self> {
        let mut select = |this: ColumnId, other: ColumnId| {
            let data_type = builder.program.data_type(this).clone();
            builder.one(node, Op::Select, vec![condition, this, other], data_type)
        };
        let deciding = select(self.deciding, other.deciding)?;
        let scores = self.scores.iter().zip(&other.scores).map(|(&this, &other)| select(this, other));
        Ok(Self { deciding, scores: scores.collect::<Result<_>>()? })
    }
}

/// `score + base`, in the precision of the score.
fn add(builder: &mut Builder, node: &Node, score: ColumnId, base: f64) -> Result<ColumnId> {
    let data_type = builder.program.data_type(score).clone();
    let base = Element::Value(cast(&Float64Array::from(vec![base]), &data_type)?);
    binary_column(builder, node, BinaryOp::Add, &Element::Column(score), &base, &data_type)
}
