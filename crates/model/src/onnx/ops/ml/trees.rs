//! TreeEnsembleRegressor, TreeEnsembleClassifier and TreeEnsemble: the file's lists become checked ensembles.

use arrow::array::{AsArray, Float32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use foretell_kernels::real::Real;
use foretell_kernels::trees::{Aggregate, Branch, Leaf, LeafWeight, Node as TreeNode, Test, TreeEnsemble, TreeParts};

use super::scores::features;
use super::tree_nodes::TreeNodes;
use crate::error::Result;
use crate::limits::Limits;
use crate::onnx::builder::Builder;
use crate::onnx::fact::Fact;
use crate::onnx::node::Node;
use crate::program::{ColumnId, Op, Precision};

/// Names of the attributes that differ between the regressor and the classifier.
pub(crate) struct LeafAttributes {
    pub(crate) nodes: &'static str,
    pub(crate) trees: &'static str,
    pub(crate) outputs: &'static str,
    pub(crate) weights: &'static str,
}

/// Attribute names of TreeEnsembleRegressor.
pub(crate) const TARGETS: LeafAttributes = LeafAttributes {
    nodes: "target_nodeids",
    trees: "target_treeids",
    outputs: "target_ids",
    weights: "target_weights",
};
/// Attribute names of TreeEnsembleClassifier.
pub(crate) const CLASSES: LeafAttributes =
    LeafAttributes { nodes: "class_nodeids", trees: "class_treeids", outputs: "class_ids", weights: "class_weights" };

/// What a node asks, with its threshold in the precision of the file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Question {
    Leaf,
    Test(Test<f64>),
}

/// Trees as the file has them, numbers in double precision, which holds floats exactly.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawTrees {
    pub(crate) features: Vec<u32>,
    pub(crate) questions: Vec<Question>,
    pub(crate) true_children: Vec<u32>,
    pub(crate) false_children: Vec<u32>,
    pub(crate) missing_tracks_true: Vec<bool>,
    pub(crate) members: Vec<f64>,
    pub(crate) roots: Vec<u32>,
    /// For each node the range of its weights.
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) weights: Vec<(u32, f64)>,
}

/// Numbers of an attribute that is a list of floats or a tensor of doubles.
pub(crate) fn numbers(builder: &Builder, node: &Node, name: &str) -> Result<Vec<f64>> {
    if let Some(tensor) = node.tensor(&format!("{name}_as_tensor"), builder.limits)? {
        let values = cast(&tensor.values, &DataType::Float64)?;
        return Ok(values.as_primitive::<Float64Type>().values().to_vec());
    }
    Ok(node.floats(name)?.unwrap_or_default().iter().map(|&value| f64::from(value)).collect())
}

/// Reads the lists of operator sets 1 to 4 for trees with so many outputs over features of this type.
pub(crate) fn read(
    builder: &Builder,
    node: &Node,
    attributes: &LeafAttributes,
    outputs: usize,
    data_type: Option<&DataType>,
) -> Result<RawTrees> {
    let list = |name: &str| Ok::<_, crate::error::Error>(node.ints(name)?.unwrap_or_default());
    let (tree_ids, node_ids) = (list("nodes_treeids")?, list("nodes_nodeids")?);
    let count = tree_ids.len();
    Limits::check("tree nodes", "tree_nodes", count as u64, builder.limits.tree_nodes)?;
    let modes = node.texts("nodes_modes")?.unwrap_or_default();
    let thresholds = numbers(builder, node, "nodes_values")?;
    let (yes, no) = (list("nodes_truenodeids")?, list("nodes_falsenodeids")?);
    let feature_ids = list("nodes_featureids")?;
    let missing = list("nodes_missing_value_tracks_true")?;
    let lengths = [node_ids.len(), modes.len(), thresholds.len(), yes.len(), no.len(), feature_ids.len()];
    if count == 0 || lengths.iter().any(|&length| length != count) || !(missing.is_empty() || missing.len() == count) {
        return Err(node.malformed("its lists of nodes are empty or differ in length"));
    }
    let nodes = TreeNodes::try_new(tree_ids, node_ids)
        .map_err(|(tree, id)| node.malformed(format!("node {id} of tree {tree} is there twice")))?;
    let mut trees = RawTrees::default();
    trees.roots.extend((0..count).filter(|&at| at == 0 || tree_ids[at] != tree_ids[at - 1]).map(|at| at as u32));
    Limits::check("trees", "trees", trees.roots.len() as u64, builder.limits.trees)?;
    let find = |tree: i64, id: i64| {
        nodes.find(tree, id).ok_or_else(|| node.malformed(format!("tree {tree} has no node {id}")))
    };
    let questions = modes.iter().zip(&thresholds).map(|(mode, &threshold)| question(node, mode, threshold));
    trees.questions = questions.collect::<Result<_>>()?;
    trees.missing_tracks_true = (0..count).map(|at| missing.get(at) == Some(&1)).collect();
    let of_tests = |value: &dyn Fn(usize) -> Result<u32>| -> Result<Vec<u32>> {
        let places = trees.questions.iter().enumerate();
        places.map(|(at, question)| if *question == Question::Leaf { Ok(0) } else { value(at) }).collect()
    };
    let features = of_tests(&|at| feature(builder, node, feature_ids[at]))?;
    let true_children = of_tests(&|at| find(tree_ids[at], yes[at]))?;
    let false_children = of_tests(&|at| find(tree_ids[at], no[at]))?;
    (trees.features, trees.true_children, trees.false_children) = (features, true_children, false_children);
    read_weights(builder, node, attributes, &mut trees, find)?;
    if let Some(at) = trees.weights.iter().position(|(output, _)| *output as usize >= outputs) {
        let output = trees.weights[at].0;
        return Err(node.malformed(format!("output {output} at position {at}: there are only {outputs}")));
    }
    if outputs == 1 {
        trees.keep_one_weight(&thresholds);
    }
    trees.join_sets(if data_type == Some(&DataType::Float64) { u64::BITS } else { u32::BITS });
    Ok(trees)
}

/// A feature's number.
pub(crate) fn feature(builder: &Builder, node: &Node, id: i64) -> Result<u32> {
    let id = u32::try_from(id).map_err(|_| node.malformed(format!("a feature number {id}")))?;
    Limits::check("features", "features", u64::from(id) + 1, builder.limits.features)?;
    Ok(id)
}

fn question(node: &Node, mode: &str, threshold: f64) -> Result<Question> {
    Ok(Question::Test(match mode {
        "LEAF" => return Ok(Question::Leaf),
        "BRANCH_LEQ" => Test::Leq(threshold),
        "BRANCH_LT" => Test::Lt(threshold),
        "BRANCH_GTE" => Test::Gte(threshold),
        "BRANCH_GT" => Test::Gt(threshold),
        "BRANCH_EQ" => Test::Eq(threshold),
        "BRANCH_NEQ" => Test::Neq(threshold),
        other => return Err(node.unsupported(format!("nodes of mode `{other}`"))),
    }))
}

/// Sorts the weights by leaf; the order within a leaf is the file's.
fn read_weights(
    builder: &Builder,
    node: &Node,
    attributes: &LeafAttributes,
    trees: &mut RawTrees,
    find: impl Fn(i64, i64) -> Result<u32>,
) -> Result<()> {
    let list = |name: &str| Ok::<_, crate::error::Error>(node.ints(name)?.unwrap_or_default());
    let (tree_ids, node_ids, outputs) = (list(attributes.trees)?, list(attributes.nodes)?, list(attributes.outputs)?);
    let weights = numbers(builder, node, attributes.weights)?;
    if [node_ids.len(), outputs.len(), weights.len()].iter().any(|&length| length != tree_ids.len()) {
        return Err(node.malformed("its lists of leaf weights differ in length"));
    }
    let mut sorted: Vec<(u32, u32, f64)> = Vec::with_capacity(weights.len());
    for at in 0..weights.len() {
        let leaf = find(tree_ids[at], node_ids[at])?;
        let output = u32::try_from(outputs[at]).map_err(|_| node.malformed(format!("an output {}", outputs[at])))?;
        // Weights of inner nodes come from old exporters and mean nothing.
        if trees.questions[leaf as usize] == Question::Leaf {
            sorted.push((leaf, output, weights[at]));
        }
    }
    sorted.sort_by_key(|(leaf, _, _)| *leaf);
    trees.leaves = vec![Leaf { first: 0, count: 0 }; trees.questions.len()];
    for (at, (leaf, output, weight)) in sorted.into_iter().enumerate() {
        let leaf = &mut trees.leaves[leaf as usize];
        if leaf.count == 0 {
            leaf.first = at as u32;
        }
        leaf.count += 1;
        trees.weights.push((output, weight));
    }
    Ok(())
}

impl RawTrees {
    /// For a single output ONNX Runtime takes the first weight of a leaf whatever output it names, and for a leaf without
    /// weights the value that inner nodes have for their threshold.
    fn keep_one_weight(&mut self, values: &[f64]) {
        let mut kept = Vec::new();
        for (at, leaf) in self.leaves.iter_mut().enumerate().filter(|(at, _)| self.questions[*at] == Question::Leaf) {
            let weight = self.weights.get(leaf.first as usize).filter(|_| leaf.count > 0);
            *leaf = Leaf { first: kept.len() as u32, count: 1 };
            kept.push((0, weight.map_or(values[at], |(_, weight)| *weight)));
        }
        self.weights = kept;
    }

    /// ONNX Runtime makes one question of a chain of `x == category`, for categories that fit a mask of so many bits. Where
    /// a missing value goes is then up to the first of them.
    fn join_sets(&mut self, bits: u32) {
        let category = |at: usize| match self.questions[at] {
            Question::Test(Test::Eq(value)) if value.fract() == 0.0 => (1.0..=f64::from(bits)).contains(&value),
            _ => false,
        };
        let is_next = |at: usize, next: usize| {
            let same_child = self.true_children[next] == self.true_children[at];
            category(at) && category(next) && self.features[next] == self.features[at] && same_child
        };
        let next: Vec<Option<usize>> = (0..self.questions.len())
            .map(|at| Some(self.false_children[at] as usize).filter(|&next| is_next(at, next)))
            .collect();
        let mut is_first = vec![true; next.len()];
        next.iter().flatten().for_each(|&next| is_first[next] = false);
        let mut is_joined = vec![false; next.len()];
        for first in (0..next.len()).filter(|&at| is_first[at]) {
            let mut at = first;
            // Each node joins once: what a hostile file says need not be a chain.
            while let Some(joined) = next[at].filter(|&next| !std::mem::replace(&mut is_joined[next], true)) {
                self.missing_tracks_true[joined] = self.missing_tracks_true[first];
                at = joined;
            }
        }
    }

    /// Number of features that the trees ask about at least.
    pub(crate) fn feature_count(&self) -> usize {
        let asked = self.questions.iter().zip(&self.features).filter(|(question, _)| **question != Question::Leaf);
        asked.map(|(_, &feature)| feature as usize + 1).max().unwrap_or(0)
    }

    /// True if some tree has a weight for this output in each of its leaves, so that every row has a score for it.
    pub(crate) fn always_scores(&self, output: u32) -> bool {
        let ends = self.roots.iter().skip(1).map(|&root| root as usize).chain([self.questions.len()]);
        self.roots.iter().zip(ends).any(|(&root, end)| {
            (root as usize..end).filter(|&at| self.questions[at] == Question::Leaf).all(|at| {
                let leaf = self.leaves[at];
                let weights = &self.weights[leaf.first as usize..(leaf.first + leaf.count) as usize];
                weights.iter().any(|(scored, _)| *scored == output)
            })
        })
    }

    fn parts<T: Real>(
        &self,
        shape: (usize, usize),
        aggregate: Aggregate,
        base_values: &[f64],
        convert: impl Fn(f64) -> T,
    ) -> TreeParts<T> {
        let test = |test: Test<f64>| match test {
            Test::Leq(threshold) => Test::Leq(convert(threshold)),
            Test::Lt(threshold) => Test::Lt(convert(threshold)),
            Test::Gte(threshold) => Test::Gte(convert(threshold)),
            Test::Gt(threshold) => Test::Gt(convert(threshold)),
            Test::Eq(threshold) => Test::Eq(convert(threshold)),
            Test::Neq(threshold) => Test::Neq(convert(threshold)),
            Test::Member { first, count } => Test::Member { first, count },
            Test::IntegerMember { first, count } => Test::IntegerMember { first, count },
            Test::Category { first, count } => Test::Category { first, count },
        };
        let node = |at: usize| match self.questions[at] {
            Question::Leaf => TreeNode::Leaf(self.leaves[at]),
            Question::Test(question) => TreeNode::Branch(Branch {
                feature: self.features[at],
                test: test(question),
                missing_tracks_true: self.missing_tracks_true[at],
                true_child: self.true_children[at],
                false_child: self.false_children[at],
            }),
        };
        let weight = |&(output, weight): &(u32, f64)| LeafWeight { output, weight: convert(weight) };
        TreeParts {
            nodes: (0..self.questions.len()).map(node).collect(),
            roots: self.roots.clone(),
            leaf_weights: self.weights.iter().map(weight).collect(),
            members: self.members.iter().map(|&member| convert(member)).collect(),
            category_bits: Vec::new(),
            features: shape.0,
            outputs: shape.1,
            base_values: base_values.iter().map(|&base| convert(base)).collect(),
            aggregate,
        }
    }
}

/// Whether a row has a score for an output: not so if it meets no weight for it in any tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scored {
    Always,
    Never,
    /// Where this Boolean column says so.
    Sometimes(ColumnId),
}

/// Whether rows have scores for each output. That takes a second look at the trees if some rows have, and some have not.
pub(crate) fn scored(
    builder: &mut Builder,
    node: &Node,
    fact: &Fact,
    trees: &RawTrees,
    outputs: usize,
) -> Result<Vec<Scored>> {
    let mut scored = vec![Scored::Never; outputs];
    for &(output, _) in &trees.weights {
        if let Some(scored) = scored.get_mut(output as usize).filter(|scored| **scored == Scored::Never) {
            *scored = Scored::Always;
        }
    }
    let open: Vec<usize> = (0..outputs)
        .filter(|&output| scored[output] == Scored::Always && !trees.always_scores(output as u32))
        .collect();
    if open.is_empty() {
        return Ok(scored);
    }
    let mut counting = trees.clone();
    counting.weights.iter_mut().for_each(|(_, weight)| *weight = 1.0);
    let ensemble = Ensemble { trees: &counting, outputs, aggregate: Aggregate::Sum, base_values: &[] };
    let counts = push(builder, node, fact, &ensemble)?;
    for output in open {
        let count = builder.cast(node, &[counts[output]], &DataType::Boolean)?;
        scored[output] = Scored::Sometimes(count[0]);
    }
    Ok(scored)
}

/// The scores, or 0 where a row has none.
pub(crate) fn score_or_zero(builder: &mut Builder, node: &Node, score: ColumnId, scored: Scored) -> Result<ColumnId> {
    let data_type = builder.program.data_type(score).clone();
    let zero = |builder: &mut Builder| builder.constant(node, cast(&Float32Array::from(vec![0.0]), &data_type)?);
    match scored {
        Scored::Always => Ok(score),
        Scored::Never => zero(builder),
        Scored::Sometimes(has_score) => {
            let zero = zero(builder)?;
            builder.one(node, Op::Select, vec![has_score, score, zero], data_type.clone())
        }
    }
}

/// How the trees of a node are put together.
pub(crate) struct Ensemble<'t> {
    pub(crate) trees: &'t RawTrees,
    pub(crate) outputs: usize,
    pub(crate) aggregate: Aggregate,
    /// One per output, or none.
    pub(crate) base_values: &'t [f64],
}

/// A step over the features of the node's input. The scores have the input's precision: `f64` for doubles, else `f32`.
pub(crate) fn push(builder: &mut Builder, node: &Node, fact: &Fact, ensemble: &Ensemble) -> Result<Vec<ColumnId>> {
    Limits::check("outputs of one ensemble", "classes", ensemble.outputs as u64, builder.limits.classes)?;
    let block = features(builder, node, fact)?;
    let width = block.columns.len();
    if ensemble.trees.feature_count() > width {
        return Err(node.malformed(format!(
            "its trees ask about {} features, its input has {width}",
            ensemble.trees.feature_count()
        )));
    }
    let double = block.data_type == DataType::Float64;
    let (op, data_type, depth) = if double {
        step::<f64>(node, ensemble, width, |value| value)?
    } else {
        step::<f32>(node, ensemble, width, |value| value as f32)?
    };
    Limits::check("levels of one tree", "tree_depth", depth as u64, builder.limits.tree_depth)?;
    let columns = builder.cast(node, &block.columns, &data_type)?;
    if builder.producer_knows_missing || ensemble.trees.missing_tracks_true.contains(&true) {
        builder.missing_aware.insert(builder.program.steps.len());
    }
    builder.push(node, op, columns, vec![data_type; ensemble.outputs])
}

/// The step of an ensemble, the type of its scores, and its depth.
fn step<T: Precision>(
    node: &Node,
    ensemble: &Ensemble,
    features: usize,
    convert: impl Fn(f64) -> T,
) -> Result<(Op, DataType, usize)> {
    let shape = (features, ensemble.outputs);
    let parts = ensemble.trees.parts(shape, ensemble.aggregate, ensemble.base_values, convert);
    let trees = TreeEnsemble::try_new(parts).map_err(|error| node.malformed(error.to_string()))?;
    let depth = trees.depth();
    Ok((T::step(trees), T::DATA_TYPE, depth))
}
