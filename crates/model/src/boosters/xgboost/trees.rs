//! `gbtree` and `dart`: the lists of a file's trees become one ensemble.

use std::collections::BTreeMap;

use foretell_kernels::trees::{Aggregate, Branch, Leaf, LeafWeight, Node, Test, TreeParts};

use super::Shape;
use super::categories::Categories;
use super::file::{Model, Tree};
use crate::boosters::Assembly;
use crate::encoding::shortened;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::program::ColumnId;

/// What the file has instead of a child.
const NO_NODE: i32 = -1;

/// Trees, put together.
pub(super) struct Forest {
    parts: TreeParts<f32>,
    /// For the features of which categories are asked: the place of the column without fractions.
    categorical: BTreeMap<u32, u32>,
}

impl Forest {
    /// Reads the trees that count, each with its factor if there are factors.
    pub(super) fn read(assembly: &Assembly, model: &Model, shape: &Shape, factors: Option<&[f32]>) -> Result<Self> {
        let count = trees_used(assembly, model, shape)?;
        check_counts(assembly, model, factors)?;
        let nodes: usize = model.trees.iter().map(|tree| tree.left_children.len()).sum();
        Limits::check("trees", "trees", model.trees.len() as u64, assembly.limits().trees)?;
        // Nodes are numbered with 32 bits.
        let nodes_max = assembly.limits().tree_nodes.min(u64::from(u32::MAX >> 1));
        Limits::check("tree nodes", "tree_nodes", nodes as u64, nodes_max)?;
        let mut forest = Self {
            parts: TreeParts {
                nodes: Vec::with_capacity(nodes + 1),
                roots: Vec::with_capacity(count + 1),
                leaf_weights: Vec::new(),
                members: Vec::new(),
                category_bits: Vec::new(),
                features: shape.features,
                outputs: shape.outputs,
                base_values: Vec::new(),
                aggregate: Aggregate::Sum,
            },
            categorical: BTreeMap::new(),
        };
        for (at, tree) in model.trees.iter().enumerate().take(count) {
            let factor = factors.map_or(1.0, |factors| factors[at]);
            let output = model.tree_info[at];
            forest
                .add(tree, at, output, factor)
                .map_err(|what| assembly.malformed(format!("`learner.gradient_booster.model.trees[{at}]`: {what}")))?;
        }
        Ok(forest)
    }

    /// The sums of each row, which begin with the intercepts.
    pub(super) fn margins(
        mut self,
        assembly: &mut Assembly,
        intercepts: &[f32],
        categories: &Categories,
        mut columns: Vec<ColumnId>,
    ) -> Result<Vec<ColumnId>> {
        // A tree that is one leaf, before all others: the sum runs in XGBoost's order.
        let first = self.parts.leaf_weights.len() as u32;
        let weights = intercepts.iter().zip(0..).map(|(&weight, output)| LeafWeight { output, weight });
        self.parts.leaf_weights.extend(weights);
        self.parts.roots.insert(0, self.parts.nodes.len() as u32);
        self.parts.nodes.push(Node::Leaf(Leaf { first, count: intercepts.len() as u32 }));
        let mut whole: Vec<(u32, u32)> = self.categorical.iter().map(|(&feature, &place)| (place, feature)).collect();
        whole.sort_unstable();
        for (_, feature) in whole {
            let column = columns[feature as usize];
            columns.push(categories.whole(assembly, feature as usize, column)?);
        }
        self.parts.features = columns.len();
        assembly.trees(self.parts, columns)
    }

    fn add(&mut self, tree: &Tree, at: usize, output: u32, factor: f32) -> Result<(), String> {
        let nodes = tree.left_children.len();
        let lengths = [
            ("right_children", tree.right_children.len()),
            ("split_indices", tree.split_indices.len()),
            ("split_conditions", tree.split_conditions.len()),
            ("default_left", tree.default_left.len()),
        ];
        if let Some((name, got)) = lengths.into_iter().find(|(_, got)| *got != nodes) {
            return Err(format!("`{name}` has {got} elements for {nodes} nodes"));
        }
        if nodes == 0 {
            return Err("a tree without nodes".to_string());
        }
        if tree.id != at as u64 {
            return Err(format!("the tree calls itself {}", tree.id));
        }
        let leaves = Leaves::of(tree, output, factor, self.parts.outputs)?;
        let sets = Sets::of(tree)?;
        let first = self.parts.nodes.len() as u32;
        self.parts.roots.push(first);
        for node in 0..nodes {
            let read = match tree.left_children[node] {
                NO_NODE => leaves.leaf(node, &mut self.parts.leaf_weights),
                _ => self.branch(tree, node, first, sets.of_node(node)),
            };
            self.parts.nodes.push(read.map_err(|what| format!("node {node}: {what}"))?);
        }
        Ok(())
    }

    fn branch(&mut self, tree: &Tree, node: usize, first: u32, set: Option<&[u32]>) -> Result<Node<f32>, String> {
        let child = |children: &[i32]| {
            let child = usize::try_from(children[node]).ok().filter(|&child| child < children.len());
            child.map(|child| first + child as u32).ok_or_else(|| format!("there is no child {}", children[node]))
        };
        let (left, right) = (child(&tree.left_children)?, child(&tree.right_children)?);
        let goes_left = tree.default_left[node].0;
        let feature = tree.split_indices[node];
        if feature as usize >= self.parts.features {
            return Err(format!("there is no feature {feature}"));
        }
        let threshold = tree.split_conditions[node];
        let Some(set) = set else {
            if threshold.is_nan() {
                return Err("its threshold is NaN".to_string());
            }
            let test = Test::Lt(threshold);
            let branch = Branch { feature, test, missing_tracks_true: goes_left, true_child: left, false_child: right };
            return Ok(Node::Branch(branch));
        };
        let test = self.category_test(set);
        let place = (self.parts.features + self.categorical.len()) as u32;
        let feature = *self.categorical.entry(feature).or_insert(place);
        // The categories listed go right.
        let branch = Branch { feature, test, missing_tracks_true: !goes_left, true_child: right, false_child: left };
        Ok(Node::Branch(branch))
    }

    /// Whether a feature is one of these categories: by their bits, unless a hostile file asks for too many of them.
    fn category_test(&mut self, set: &[u32]) -> Test<f32> {
        const WORDS_MAX: usize = 4 << 20;
        let words = set.iter().max().map_or(0, |&largest| largest as usize / 32 + 1);
        let count = set.len() as u32;
        match set {
            [category] => Test::Eq(*category as f32),
            _ if words > 2 * set.len() && self.parts.category_bits.len() + words > WORDS_MAX => {
                let first = self.parts.members.len() as u32;
                self.parts.members.extend(set.iter().map(|&category| category as f32));
                Test::Member { first, count }
            }
            _ => {
                let bits = &mut self.parts.category_bits;
                let first = bits.len();
                bits.resize(first + words, 0);
                set.iter().for_each(|&category| bits[first + category as usize / 32] |= 1 << (category % 32));
                Test::Category { first: first as u32, count: words as u32 }
            }
        }
    }
}

/// How many trees the prediction uses.
fn trees_used(assembly: &Assembly, model: &Model, shape: &Shape) -> Result<usize> {
    let all = model.trees.len();
    let Some(best) = shape.best_iteration else { return Ok(all) };
    let used = match &model.iteration_indptr {
        Some(ends) => ends.get(best + 1).copied(),
        None => {
            let parallel = model.gbtree_model_param.as_ref().and_then(|param| param.num_parallel_tree.as_deref());
            let parallel: Option<u64> = parallel.unwrap_or("1").parse().ok();
            parallel.and_then(|parallel| parallel.checked_mul((best as u64 + 1) * shape.outputs as u64))
        }
    };
    let used = used.and_then(|used| usize::try_from(used).ok()).filter(|&used| used <= all);
    used.ok_or_else(|| assembly.malformed(format!("the best iteration is {best}, of {all} trees")))
}

fn check_counts(assembly: &Assembly, model: &Model, factors: Option<&[f32]>) -> Result<()> {
    let trees = model.trees.len();
    let refuse = |what: &str, got: usize| -> Result<(), Error> {
        Err(assembly.malformed(format!("{got} {what} for {trees} trees")))
    };
    match (model.tree_info.len(), factors.map(<[f32]>::len)) {
        (info, _) if info != trees => refuse("outputs in `tree_info`", info),
        (_, Some(factors)) if factors != trees => refuse("weights in `weight_drop`", factors),
        _ => Ok(()),
    }
}

/// The values of a tree's leaves.
enum Leaves<'t> {
    /// One each, for this output.
    Single { values: &'t [f32], output: u32, factor: f32 },
    /// One for each output, at the place that `places` says, or at the node's own.
    Vector { values: &'t [f32], places: Option<&'t [i32]>, outputs: usize },
}

impl<'t> Leaves<'t> {
    fn of(tree: &'t Tree, output: u32, factor: f32, outputs: usize) -> Result<Self, String> {
        let size = tree.tree_param.size_leaf_vector.as_deref().unwrap_or("1");
        match size.parse::<usize>() {
            Ok(0 | 1) if (output as usize) < outputs => {
                Ok(Self::Single { values: &tree.split_conditions, output, factor })
            }
            Ok(0 | 1) => Err(format!("it is for output {output} of {outputs}")),
            Ok(size) if size == outputs && factor == 1.0 => Ok(match &tree.leaf_weights {
                Some(values) => Self::Vector { values, places: Some(&tree.right_children), outputs },
                None => Self::Vector { values: &tree.base_weights, places: None, outputs },
            }),
            _ => Err(format!("its leaves have `{}` values, the model has {outputs} outputs", shortened(size))),
        }
    }

    fn leaf(&self, node: usize, weights: &mut Vec<LeafWeight<f32>>) -> Result<Node<f32>, String> {
        let first = weights.len() as u32;
        match *self {
            Self::Single { values, output, factor } => {
                weights.push(LeafWeight { output, weight: values[node] * factor });
            }
            Self::Vector { values, places, outputs } => {
                let place = match places {
                    Some(places) => usize::try_from(places[node]).ok(),
                    None => Some(node),
                };
                let start = place.and_then(|place| place.checked_mul(outputs));
                let own = start.and_then(|start| values.get(start..start.checked_add(outputs)?));
                let own = own.ok_or("its values are missing")?;
                weights.extend((0..).zip(own).map(|(output, &weight)| LeafWeight { output, weight }));
            }
        }
        Ok(Node::Leaf(Leaf { first, count: weights.len() as u32 - first }))
    }
}

/// The categories that the nodes of a tree ask for.
struct Sets<'t> {
    of: BTreeMap<usize, &'t [u32]>,
}

impl<'t> Sets<'t> {
    fn of(tree: &'t Tree) -> Result<Self, String> {
        /// Larger codes are not exact as numbers of single precision.
        const CATEGORY_MAX: u32 = 1 << 24;
        let nodes = tree.left_children.len();
        let count = tree.categories_nodes.len();
        if tree.categories_segments.len() != count || tree.categories_sizes.len() != count {
            return Err("the lists of categories differ in length".to_string());
        }
        let mut of = BTreeMap::new();
        for at in 0..count {
            let node = tree.categories_nodes[at] as usize;
            let start = usize::try_from(tree.categories_segments[at]).ok();
            let size = usize::try_from(tree.categories_sizes[at]).ok();
            let end = start.zip(size).and_then(|(start, size)| start.checked_add(size));
            let set = start.zip(end).and_then(|(start, end)| tree.categories.get(start..end));
            let set = set.filter(|set| !set.is_empty() && set.iter().all(|&category| category < CATEGORY_MAX));
            let set = set.ok_or_else(|| format!("node {node}: its categories are missing or too large"))?;
            if tree.split_type.get(node) != Some(&1) || of.insert(node, set).is_some() {
                return Err(format!("node {node}: it has categories, but is not categorical"));
            }
        }
        let categorical = tree.split_type.iter().take(nodes).filter(|kind| **kind == 1).count();
        match categorical == of.len() && (tree.split_type.is_empty() || tree.split_type.len() == nodes) {
            true => Ok(Self { of }),
            false => Err("`split_type` does not fit the categories".to_string()),
        }
    }

    fn of_node(&self, node: usize) -> Option<&'t [u32]> {
        self.of.get(&node).copied()
    }
}
