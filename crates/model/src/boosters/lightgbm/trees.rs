//! The trees of a file become one ensemble.

use foretell_kernels::trees::{Aggregate, Branch, Leaf, LeafWeight, Line, Node, Term, Test, TreeParts};

use super::file::Block;
use super::split::{Missing, Split};
use crate::error::Result;
use crate::limits::Limits;

/// Bits of `decision_type`; the third and the fourth say what is missing.
const CATEGORICAL: u8 = 1;
const DEFAULT_LEFT: u8 = 2;

/// Trees, put together.
pub(super) struct Forest {
    pub(super) parts: TreeParts<f64>,
    /// Beside every leaf weight: what counts where no feature is missing.
    pub(super) lines: Vec<Line<f64>>,
    pub(super) terms: Vec<Term<f64>>,
}

impl Forest {
    /// Reads all trees; the outputs take turns.
    pub(super) fn read(trees: &[Block], features: usize, outputs: usize, limits: &Limits) -> Result<Self> {
        let mut forest = Self {
            parts: TreeParts {
                nodes: Vec::new(),
                roots: Vec::with_capacity(trees.len()),
                leaf_weights: Vec::new(),
                members: Vec::new(),
                category_bits: Vec::new(),
                features,
                outputs,
                base_values: Vec::new(),
                aggregate: Aggregate::Sum,
            },
            lines: Vec::new(),
            terms: Vec::new(),
        };
        for (at, block) in trees.iter().enumerate() {
            forest.add(block, (at % outputs) as u32)?;
            // Nodes are numbered with 32 bits.
            let nodes_max = limits.tree_nodes.min(u64::from(u32::MAX >> 1));
            Limits::check("tree nodes", "tree_nodes", forest.parts.nodes.len() as u64, nodes_max)?;
        }
        Ok(forest)
    }

    /// Whether some leaf is a linear function.
    pub(super) fn is_linear(&self) -> bool {
        !self.terms.is_empty()
    }

    /// Leaves come first, then branches, then the further nodes that some branches need.
    fn add(&mut self, block: &Block, output: u32) -> Result<()> {
        let leaves = block.count("num_leaves")?;
        let values: Vec<f64> = block.list("leaf_value", leaves)?;
        let place = Place { first: self.parts.nodes.len() as u32, leaves };
        let Some(root) = place.node(if leaves == 1 { -1 } else { 0 }) else {
            return Err(block.malformed("a tree without leaves"));
        };
        self.parts.roots.push(root);
        let first = self.parts.leaf_weights.len() as u32;
        self.parts.nodes.extend((first..).take(leaves).map(|first| Node::Leaf(Leaf { first, count: 1 })));
        self.parts.leaf_weights.extend(values.iter().map(|&weight| LeafWeight { output, weight }));
        if leaves > 1 {
            self.add_branches(block, place)?;
        }
        match block.get("is_linear") {
            None | Some("0") => self.lines.extend(values.iter().map(|&constant| Line { constant, first: 0, count: 0 })),
            Some(_) => self.add_lines(block, leaves)?,
        }
        Ok(())
    }

    fn add_branches(&mut self, block: &Block, place: Place) -> Result<()> {
        let count = place.leaves - 1;
        let features: Vec<u32> = block.list("split_feature", count)?;
        let thresholds: Vec<f64> = block.list("threshold", count)?;
        let kinds: Vec<u8> = block.list("decision_type", count)?;
        let lefts: Vec<i32> = block.list("left_child", count)?;
        let rights: Vec<i32> = block.list("right_child", count)?;
        let sets = self.add_sets(block)?;
        let mut further = Vec::new();
        for node in 0..count {
            let refuse = |what: String| block.malformed(format!("node {node}: {what}"));
            let child = |child: i32| place.node(child).ok_or_else(|| refuse(format!("there is no child {child}")));
            let (left, right) = (child(lefts[node])?, child(rights[node])?);
            let (feature, threshold, kind) = (features[node], thresholds[node], kinds[node]);
            if feature as usize >= self.parts.features {
                return Err(refuse(format!("there is no feature {feature}")));
            }
            let test = |test, missing_tracks_true, true_child, false_child| {
                Node::Branch(Branch { feature, test, missing_tracks_true, true_child, false_child })
            };
            if kind & CATEGORICAL != 0 {
                // The threshold is the number of a set.
                let set = sets.get(threshold as usize).filter(|_| threshold >= 0.0);
                let &(first, count) =
                    set.ok_or_else(|| refuse(format!("there is no set of categories {threshold}")))?;
                self.parts.nodes.push(test(Test::Category { first, count }, false, left, right));
                continue;
            }
            if threshold.is_nan() {
                return Err(refuse("its threshold is NaN".to_string()));
            }
            let missing = Missing::of(kind >> 2).ok_or_else(|| refuse(format!("there is no decision type {kind}")))?;
            let split = Split { threshold, missing, default_left: kind & DEFAULT_LEFT != 0 };
            let place_further = place.further(further.len());
            let (branch, more) = split.nodes(place_further, [left, right], test);
            self.parts.nodes.push(branch);
            further.extend(more.into_iter().flatten());
        }
        self.parts.nodes.append(&mut further);
        Ok(())
    }

    /// The sets of categories of a tree, as ranges of words.
    fn add_sets(&mut self, block: &Block) -> Result<Vec<(u32, u32)>> {
        let count = block.count("num_cat")?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let ends: Vec<u32> = block.list("cat_boundaries", count + 1)?;
        if ends[0] != 0 || ends.windows(2).any(|ends| ends[0] > ends[1]) {
            return Err(block.malformed("`cat_boundaries` does not rise from 0"));
        }
        let words: Vec<u32> = block.list("cat_threshold", ends[count] as usize)?;
        let before = self.parts.category_bits.len();
        let Ok(start) = u32::try_from(before + words.len()).map(|_| before as u32) else {
            return Err(block.malformed("its sets of categories are too large"));
        };
        self.parts.category_bits.extend(words);
        Ok(ends.windows(2).map(|ends| (start + ends[0], ends[1] - ends[0])).collect())
    }

    /// The linear functions of a tree's leaves.
    fn add_lines(&mut self, block: &Block, leaves: usize) -> Result<()> {
        let constants: Vec<f64> = block.list("leaf_const", leaves)?;
        let counts: Vec<u32> = block.list("num_features", leaves)?;
        let all = counts.iter().fold(0, |sum: usize, &count| sum.saturating_add(count as usize));
        let features: Vec<u32> = block.list("leaf_features", all)?;
        let coefficients: Vec<f64> = block.list("leaf_coeff", all)?;
        let mut first = self.terms.len() as u32;
        for (constant, count) in constants.into_iter().zip(counts) {
            self.lines.push(Line { constant, first, count });
            first = first.saturating_add(count);
        }
        let terms = features.into_iter().zip(coefficients);
        self.terms.extend(terms.map(|(feature, coefficient)| Term { feature, coefficient }));
        Ok(())
    }
}

/// Where the nodes of a tree stand.
#[derive(Debug, Clone, Copy)]
struct Place {
    first: u32,
    leaves: usize,
}

impl Place {
    /// The node that the file calls so: branches from 0 on, leaves from -1 down.
    fn node(self, name: i32) -> Option<u32> {
        let (index, count, start) = match usize::try_from(name) {
            Ok(branch) => (branch, self.leaves.checked_sub(1)?, self.leaves),
            Err(_) => (usize::try_from(!name).ok()?, self.leaves, 0),
        };
        (index < count).then_some(self.first + (start + index) as u32)
    }

    /// The node behind the branches and `count` further nodes.
    fn further(self, count: usize) -> u32 {
        self.first + (2 * self.leaves - 1 + count) as u32
    }
}
