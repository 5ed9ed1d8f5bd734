//! The tree operators: which scores they give, and what their labels are.
//!
//! A classifier of two labels follows ONNX Runtime: if the file has weights for one class only, that score alone decides,
//! against 0.5 when no weight is negative (it is a probability) and else against 0.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, UInt8Type};
use foretell_kernels::trees::{Aggregate, Leaf, Test};

use super::partial;
use super::scores::{PostTransform, class_labels, classifier_outputs, label, matrix};
use super::trees::{CLASSES, Ensemble, Question, RawTrees, TARGETS, feature, numbers, push, read};
use crate::error::Result;
use crate::limits::Limits;
use crate::onnx::builder::{Builder, Origin};
use crate::onnx::fact::Fact;
use crate::onnx::node::Node;
use crate::onnx::ops::axes::input;
use crate::onnx::ops::broadcast::Element;
use crate::onnx::ops::elementwise::binary_column;
use crate::program::{BinaryOp, ColumnId, LabelChoice, Op, UnaryOp};

/// TreeEnsembleRegressor.
pub(crate) fn regressor(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let targets = usize::try_from(node.int_or("n_targets", 1)?).unwrap_or(0);
    let trees = read(builder, node, &TARGETS, targets)?;
    let aggregate = match node.text("aggregate_function")?.unwrap_or("SUM") {
        "SUM" => Aggregate::Sum,
        "AVERAGE" => Aggregate::Average,
        "MIN" => Aggregate::Min,
        "MAX" => Aggregate::Max,
        other => return Err(node.malformed(format!("an aggregate function `{other}`"))),
    };
    let base_values = numbers(builder, node, "base_values")?;
    let ensemble = Ensemble { trees: &trees, outputs: targets, aggregate, base_values: &base_values };
    let fact = input(node, inputs, 0)?;
    let partial = !base_values.is_empty() && (0..targets as u32).any(|target| !trees.always_scores(target));
    let scores = match partial {
        true => partial::targets(builder, node, fact, &ensemble)?,
        false => push(builder, node, fact, &ensemble)?,
    };
    finish_targets(builder, node, &scores, PostTransform::of(node)?, &DataType::Float32)
}

/// The targets of a regression in the type of the output.
fn finish_targets(
    builder: &mut Builder,
    node: &Node,
    scores: &[ColumnId],
    transform: PostTransform,
    data_type: &DataType,
) -> Result<Vec<Fact>> {
    let columns = match (transform, scores) {
        (PostTransform::None, _) => builder.cast(node, scores, data_type)?,
        // ONNX Runtime leaves one target as it is, except for PROBIT.
        (transform, [_]) if transform != PostTransform::Probit => builder.cast(node, scores, data_type)?,
        _ => {
            let scores = builder.cast(node, scores, &DataType::Float32)?;
            let transformed = transform.apply(builder, node, &scores)?;
            builder.cast(node, &transformed, data_type)?
        }
    };
    builder.note(&columns, &Origin::Target);
    let mut block = matrix(columns);
    block.data_type = data_type.clone();
    Ok(vec![Fact::Block(block)])
}

/// TreeEnsembleClassifier.
pub(crate) fn classifier(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let classes = class_labels(builder, node, "classlabels_int64s", "classlabels_strings")?;
    let trees = read(builder, node, &CLASSES, classes.len())?;
    let base_values = numbers(builder, node, "base_values")?;
    let transform = PostTransform::of(node)?;
    let fact = input(node, inputs, 0)?;
    match classes.len() {
        1 => one_class(builder, node, fact, &classes, &trees, &base_values),
        2 => TwoClasses { classes, trees, base_values, transform }.lower(builder, node, fact),
        outputs => {
            let negative = trees.weights.iter().any(|(_, weight)| *weight <= 0.0);
            let unscored = (0..outputs as u32).any(|output| !trees.always_scores(output));
            if negative && unscored && base_values.is_empty() {
                // Their label depends on which classes a row has a score for.
                return partial::several(builder, node, fact, &trees, &classes, transform);
            }
            let ensemble = Ensemble { trees: &trees, outputs, aggregate: Aggregate::Sum, base_values: &base_values };
            let scores = push(builder, node, fact, &ensemble)?;
            let label = label(builder, node, &classes, LabelChoice::ArgMax, &scores)?;
            let scores = builder.cast(node, &scores, &DataType::Float32)?;
            let scores = transform.apply(builder, node, &scores)?;
            Ok(classifier_outputs(&classes, label, scores))
        }
    }
}

/// A classifier of one label: its only score says whether it is 1 or 0, whatever the file calls it.
fn one_class(
    builder: &mut Builder,
    node: &Node,
    fact: &Fact,
    classes: &ArrayRef,
    trees: &RawTrees,
    base_values: &[f64],
) -> Result<Vec<Fact>> {
    let base = base_values.last().copied();
    let ensemble = Ensemble { trees, outputs: 1, aggregate: Aggregate::Sum, base_values: base.as_slice() };
    let scores = push(builder, node, fact, &ensemble)?;
    let labels: ArrayRef = match classes.data_type() {
        DataType::Utf8 => arrow::compute::concat(&[classes.as_ref(), classes.as_ref()])?,
        _ => Arc::new(Int64Array::from(vec![0, 1])),
    };
    let label = label(builder, node, &labels, LabelChoice::Above(0.0), &scores)?;
    let transform = PostTransform::of(node)?;
    let mut scores = builder.cast(node, &scores, &DataType::Float32)?;
    if base_values.len() == 2 {
        // Two base values make it the score of a second class; what is left is the first one's, its opposite.
        scores.insert(0, builder.one(node, Op::Unary(UnaryOp::Neg), scores.clone(), DataType::Float32)?);
        scores = transform.apply(builder, node, &scores)?;
        scores.truncate(1);
    } else if transform == PostTransform::Probit {
        scores = vec![builder.one(node, Op::Unary(UnaryOp::Probit), scores, DataType::Float32)?];
    }
    Ok(classifier_outputs(&labels, label, scores))
}

/// A classifier of two labels.
struct TwoClasses {
    classes: ArrayRef,
    trees: RawTrees,
    base_values: Vec<f64>,
    transform: PostTransform,
}

impl TwoClasses {
    fn lower(&self, builder: &mut Builder, node: &Node, fact: &Fact) -> Result<Vec<Fact>> {
        let scored: HashSet<u32> = self.trees.weights.iter().map(|(output, _)| *output).collect();
        if scored.is_empty() || scored.iter().any(|&output| output > 1) {
            return Err(node.malformed("no weights, or some for a class that is not there"));
        }
        let always = [self.trees.always_scores(0), self.trees.always_scores(1)];
        if (0..2).any(|output| scored.contains(&output) && !always[output as usize]) {
            return self.partial(builder, node, fact, scored.len() == 1);
        }
        match (scored.len(), always[1]) {
            (1, false) => self.first_only(builder, node, fact),
            (1, true) => self.second_only(builder, node, fact),
            _ => self.both(builder, node, fact),
        }
    }

    /// True if the weights are those of a probability.
    fn of_probability(&self) -> bool {
        self.trees.weights.iter().all(|(_, weight)| *weight >= 0.0)
    }

    /// Some rows have no score for a class that others have one for.
    fn partial(&self, builder: &mut Builder, node: &Node, fact: &Fact, one_scored: bool) -> Result<Vec<Fact>> {
        let classes = if one_scored { Arc::clone(&self.classes) } else { self.labels_of_both() };
        let alone_is_probability = match (one_scored, self.base_values.len()) {
            (true, _) => Some(self.of_probability()),
            (false, 1) => None,
            (false, _) => Some(false),
        };
        let two = partial::TwoClasses {
            classes: &classes,
            trees: &self.trees,
            base_values: &self.base_values,
            transform: self.transform,
            threshold: if one_scored { self.threshold() } else { LabelChoice::Above(0.0) },
            alone_is_probability,
        };
        two.lower(builder, node, fact)
    }

    /// Where both classes have weights, integer labels are 0 and 1 whatever the file calls them.
    fn labels_of_both(&self) -> ArrayRef {
        match self.classes.data_type() {
            DataType::Utf8 => Arc::clone(&self.classes),
            _ => Arc::new(Int64Array::from(vec![0, 1])),
        }
    }

    fn threshold(&self) -> LabelChoice {
        LabelChoice::Above(if self.of_probability() { 0.5 } else { 0.0 })
    }

    /// Scores with these base values, one output or two.
    fn scores(&self, builder: &mut Builder, node: &Node, fact: &Fact, base_values: &[f64]) -> Result<Vec<ColumnId>> {
        let outputs = self.trees.weights.iter().map(|(output, _)| *output as usize + 1).max().unwrap_or(1);
        let mut base = base_values.to_vec();
        base.resize(if base.is_empty() { 0 } else { outputs }, 0.0);
        let ensemble = Ensemble { trees: &self.trees, outputs, aggregate: Aggregate::Sum, base_values: &base };
        push(builder, node, fact, &ensemble)
    }

    /// Weights for the first class only, which then stand for the second one.
    fn first_only(&self, builder: &mut Builder, node: &Node, fact: &Fact) -> Result<Vec<Fact>> {
        let base = self.base_values.first().copied();
        let scores = self.scores(builder, node, fact, base.as_slice())?;
        let label = label(builder, node, &self.classes, self.threshold(), &scores)?;
        let score = builder.cast(node, &scores, &DataType::Float32)?[0];
        let scores = match self.base_values.len() {
            // Two base values make two scores; the second class has no weights, and so none.
            2 => {
                let nothing = zero(builder, node)?;
                self.transform.apply(builder, node, &[score, nothing])?
            }
            _ => self.transform.spread(builder, node, score, self.of_probability())?,
        };
        Ok(classifier_outputs(&self.classes, label, scores))
    }

    /// Weights for the second class only.
    fn second_only(&self, builder: &mut Builder, node: &Node, fact: &Fact) -> Result<Vec<Fact>> {
        if self.base_values.len() == 2 {
            return Err(node.unsupported("two base values, but weights for the second class only"));
        }
        let scores = self.scores(builder, node, fact, &[])?;
        let label = label(builder, node, &self.classes, self.threshold(), &scores[1..])?;
        let score = builder.cast(node, &scores[1..], &DataType::Float32)?[0];
        let nothing = zero(builder, node)?;
        let scores = self.transform.apply(builder, node, &[nothing, score])?;
        Ok(classifier_outputs(&self.classes, label, scores))
    }

    /// Weights for both classes: the second score decides.
    fn both(&self, builder: &mut Builder, node: &Node, fact: &Fact) -> Result<Vec<Fact>> {
        let base = match self.base_values.len() {
            2 => Vec::new(),
            _ => self.base_values.clone(),
        };
        let mut scores = self.scores(builder, node, fact, &base)?;
        if let [_, base] = self.base_values[..] {
            let data_type = builder.program.data_type(scores[0]).clone();
            let base = arrow::compute::cast(&arrow::array::Float64Array::from(vec![base]), &data_type)?;
            let second = binary_column(
                builder,
                node,
                BinaryOp::Add,
                &Element::Value(base),
                &Element::Column(scores[0]),
                &data_type,
            )?;
            scores = vec![builder.one(node, Op::Unary(UnaryOp::Neg), vec![second], data_type)?, second];
        }
        let classes = self.labels_of_both();
        let label = label(builder, node, &classes, LabelChoice::Above(0.0), &scores[1..])?;
        let scores = builder.cast(node, &scores, &DataType::Float32)?;
        let scores = self.transform.apply(builder, node, &scores)?;
        Ok(classifier_outputs(&classes, label, scores))
    }
}

fn zero(builder: &mut Builder, node: &Node) -> Result<ColumnId> {
    builder.constant(node, Arc::new(arrow::array::Float32Array::from(vec![0.0])))
}

/// TreeEnsemble of operator set 5.
pub(crate) fn ensemble(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let trees = read_v5(builder, node)?;
    let outputs = usize::try_from(node.int_or("n_targets", 1)?).unwrap_or(0);
    let aggregate = match node.int_or("aggregate_function", 1)? {
        0 => Aggregate::Average,
        1 => Aggregate::Sum,
        2 => Aggregate::Min,
        3 => Aggregate::Max,
        other => return Err(node.malformed(format!("an aggregate function {other}"))),
    };
    let transform = match node.int_or("post_transform", 0)? {
        0 => PostTransform::None,
        // The ONNX text has 1 for SOFTMAX and 2 for LOGISTIC; ONNX Runtime, which answers are compared with, has it so.
        1 => PostTransform::Logistic,
        2 => PostTransform::Softmax,
        3 => PostTransform::SoftmaxZero,
        4 => PostTransform::Probit,
        other => return Err(node.malformed(format!("a post transform {other}"))),
    };
    let fact = input(node, inputs, 0)?;
    let data_type = if fact.data_type() == Some(&DataType::Float64) { DataType::Float64 } else { DataType::Float32 };
    let ensemble = Ensemble { trees: &trees, outputs, aggregate, base_values: &[] };
    let scores = push(builder, node, fact, &ensemble)?;
    finish_targets(builder, node, &scores, transform, &data_type)
}

/// Reads the lists of operator set 5: inner nodes first, then one node per leaf.
fn read_v5(builder: &Builder, node: &Node) -> Result<RawTrees> {
    let list = |name: &str| Ok::<_, crate::error::Error>(node.ints(name)?.unwrap_or_default());
    let tensor = |name: &str| {
        let tensor =
            node.tensor(name, builder.limits)?.ok_or_else(|| node.malformed(format!("`{name}` is missing")))?;
        Ok::<_, crate::error::Error>(tensor.values)
    };
    let doubles = |values: ArrayRef| -> Result<Vec<f64>> {
        let values = arrow::compute::cast(&values, &DataType::Float64)?;
        Ok(values.as_primitive::<arrow::datatypes::Float64Type>().values().to_vec())
    };
    let modes = tensor("nodes_modes")?;
    let modes = modes.as_primitive_opt::<UInt8Type>().ok_or_else(|| node.malformed("`nodes_modes` must be uint8"))?;
    let splits = doubles(tensor("nodes_splits")?)?;
    let weights = doubles(tensor("leaf_weights")?)?;
    let leaf_outputs = list("leaf_targetids")?;
    let (yes, no) = (list("nodes_truenodeids")?, list("nodes_falsenodeids")?);
    let (yes_leaf, no_leaf) = (list("nodes_trueleafs")?, list("nodes_falseleafs")?);
    let feature_ids = list("nodes_featureids")?;
    let missing = list("nodes_missing_value_tracks_true")?;
    let count = modes.len();
    let total = (count + weights.len()) as u64;
    Limits::check("tree nodes", "tree_nodes", total, builder.limits.tree_nodes)?;
    let lengths = [splits.len(), yes.len(), no.len(), yes_leaf.len(), no_leaf.len(), feature_ids.len()];
    if lengths.iter().any(|&length| length != count) || leaf_outputs.len() != weights.len() {
        return Err(node.malformed("its lists differ in length"));
    }
    let mut sets = MemberSets::read(node, builder)?;
    let child = |id: i64, is_leaf: i64| {
        let (offset, limit) = if is_leaf == 0 { (0, count) } else { (count, weights.len()) };
        let id = usize::try_from(id).ok().filter(|&id| id < limit);
        id.map(|id| (offset + id) as u32).ok_or_else(|| node.malformed("a child that is not there"))
    };
    let mut trees = RawTrees::default();
    for at in 0..count {
        let test = match modes.value(at) {
            0 => Test::Leq(splits[at]),
            1 => Test::Lt(splits[at]),
            2 => Test::Gte(splits[at]),
            3 => Test::Gt(splits[at]),
            4 => Test::Eq(splits[at]),
            5 => Test::Neq(splits[at]),
            6 => sets.next(node)?,
            other => return Err(node.unsupported(format!("nodes of mode {other}"))),
        };
        trees.questions.push(Question::Test(test));
        trees.features.push(feature(builder, node, feature_ids[at])?);
        trees.missing_tracks_true.push(missing.get(at).is_some_and(|&flag| flag == 1));
        trees.true_children.push(child(yes[at], yes_leaf[at])?);
        trees.false_children.push(child(no[at], no_leaf[at])?);
        trees.leaves.push(Leaf { first: 0, count: 0 });
    }
    for (at, (&output, &weight)) in leaf_outputs.iter().zip(&weights).enumerate() {
        let output = u32::try_from(output).map_err(|_| node.malformed(format!("an output {output}")))?;
        trees.questions.push(Question::Leaf);
        trees.features.push(0);
        trees.missing_tracks_true.push(false);
        trees.true_children.push(0);
        trees.false_children.push(0);
        trees.leaves.push(Leaf { first: at as u32, count: 1 });
        trees.weights.push((output, weight));
    }
    trees.members = sets.values;
    for &root in list("tree_roots")? {
        trees.roots.push(child(root, 0)?);
    }
    Limits::check("trees", "trees", trees.roots.len() as u64, builder.limits.trees)?;
    Ok(trees)
}

/// The sets of membership nodes, one after the other, NaN between them.
struct MemberSets {
    values: Vec<f64>,
    at: usize,
}

impl MemberSets {
    fn read(node: &Node, builder: &Builder) -> Result<Self> {
        let values = match node.tensor("membership_values", builder.limits)? {
            Some(tensor) => {
                let values = arrow::compute::cast(&tensor.values, &DataType::Float64)?;
                values.as_primitive::<arrow::datatypes::Float64Type>().values().to_vec()
            }
            None => Vec::new(),
        };
        Ok(Self { values, at: 0 })
    }

    fn next(&mut self, node: &Node) -> Result<Test<f64>> {
        let rest = self.values.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|value| !value.is_nan()).count();
        if count == 0 {
            return Err(node.malformed("`membership_values` has fewer sets than there are nodes"));
        }
        let test = Test::Member { first: self.at as u32, count: count as u32 };
        self.at += count + 1;
        Ok(test)
    }
}
