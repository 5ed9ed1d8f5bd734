//! TreeEnsembleRegressor, and TreeEnsemble of operator set 5: trees whose scores are the answer.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, UInt8Type};
use foretell_kernels::trees::{Aggregate, Leaf, Test};

use super::scores::{PostTransform, matrix};
use super::trees::{Ensemble, Question, RawTrees, TARGETS, feature, numbers, push, read, score_or_zero, scored};
use crate::error::Result;
use crate::limits::Limits;
use crate::onnx::builder::{Builder, Origin};
use crate::onnx::fact::Fact;
use crate::onnx::node::Node;
use crate::onnx::ops::axes::input;
use crate::program::ColumnId;

/// TreeEnsembleRegressor.
pub(crate) fn regressor(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let targets = usize::try_from(node.int_or("n_targets", 1)?).unwrap_or(0);
    let fact = input(node, inputs, 0)?;
    let trees = read(builder, node, &TARGETS, targets, fact.data_type())?;
    let aggregate = match node.text("aggregate_function")?.unwrap_or("SUM") {
        "SUM" => Aggregate::Sum,
        "AVERAGE" => Aggregate::Average,
        "MIN" => Aggregate::Min,
        "MAX" => Aggregate::Max,
        other => return Err(node.malformed(format!("an aggregate function `{other}`"))),
    };
    let base_values = numbers(builder, node, "base_values")?;
    let ensemble = Ensemble { trees: &trees, outputs: targets, aggregate, base_values: &base_values };
    let mut scores = push(builder, node, fact, &ensemble)?;
    if !base_values.is_empty() {
        // A target without a score is 0, whatever its base value.
        for (score, scored) in scores.iter_mut().zip(scored(builder, node, fact, &trees, targets)?) {
            *score = score_or_zero(builder, node, *score, scored)?;
        }
    }
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

    /// A value is looked for as it is. In a set with a category beyond [`Self::CATEGORY_MAX`] or below 0 ONNX Runtime looks
    /// for its integer part; it refuses sets with other numbers.
    fn next(&mut self, node: &Node) -> Result<Test<f64>> {
        let rest = self.values.get_mut(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|value| !value.is_nan()).count();
        if length == 0 {
            return Err(node.malformed("`membership_values` has fewer sets than there are nodes"));
        }
        let set = &mut rest[..length];
        let (first, count) = (self.at as u32, length as u32);
        self.at += length + 1;
        let is_small = length <= Self::CATEGORY_MAX as usize
            && set.iter().all(|member| (0.0..=Self::CATEGORY_MAX).contains(member));
        if is_small || set.iter().any(|&member| member != f64::from(member as i32)) {
            return Ok(Test::Member { first, count });
        }
        set.sort_by(f64::total_cmp);
        Ok(Test::IntegerMember { first, count })
    }

    const CATEGORY_MAX: f64 = 30.0;
}
