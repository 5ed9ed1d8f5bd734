//! Tree ensembles: the answer of every tree, put together.
//!
//! The meaning is that of the ai.onnx.ml tree operators (TreeEnsembleRegressor and TreeEnsembleClassifier of opsets 1 and 3,
//! TreeEnsemble of opset 5) before their post transform, and the arithmetic is that of ONNX Runtime: weights are added in
//! the type of the thresholds, tree by tree in the order of the file, starting at zero; an average is that sum divided by
//! the number of trees; base values are added last. A comparison with NaN is false (and `Neq` true) unless the node sends
//! missing values to its true child.
//!
//! [`TreeEnsemble::try_new`] checks everything once, so that evaluation needs no checks and always ends. Children may be
//! shared: exporters write the set membership of LightGBM as a chain of `Eq` nodes with one common true child.

mod blocks;
mod bytes;
mod canonical;
mod check;
mod codes;
mod engine;
mod groups;
mod instructions;
mod kernel;
pub(crate) mod lanes;
mod linear_leaves;
mod lookup;
mod plan;
mod questions;
mod row_by_row;
mod runs;
mod steps;
mod upper;
mod weights;

use std::sync::OnceLock;

use self::engine::Engine;
use self::instructions::Instructions;
use crate::real::Real;

pub use check::TreeError;
pub use kernel::Kernel;
pub use linear_leaves::{Line, LinearLeaves, Term};

/// A node of a tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node<T> {
    /// Goes on to one of two nodes.
    Branch(Branch<T>),
    /// Ends the way of a row.
    Leaf(Leaf),
}

/// A node that asks something about one feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Branch<T> {
    /// The feature asked about.
    pub feature: u32,
    /// What is asked.
    pub test: Test<T>,
    /// A missing value (NaN) goes to the true child whatever the test says.
    pub missing_tracks_true: bool,
    /// The next node when the answer is yes: an index into [`TreeParts::nodes`].
    pub true_child: u32,
    /// The next node when the answer is no: an index into [`TreeParts::nodes`].
    pub false_child: u32,
}

/// What a branch asks about the value `x` of its feature. Comparisons follow IEEE 754.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Test<T> {
    /// `x <= threshold` (BRANCH_LEQ)
    Leq(T),
    /// `x < threshold` (BRANCH_LT)
    Lt(T),
    /// `x >= threshold` (BRANCH_GTE)
    Gte(T),
    /// `x > threshold` (BRANCH_GT)
    Gt(T),
    /// `x == threshold` (BRANCH_EQ)
    Eq(T),
    /// `x != threshold` (BRANCH_NEQ)
    Neq(T),
    /// `x` equals one of `count` values from `first` on in [`TreeParts::members`] (BRANCH_MEMBER).
    Member {
        /// Index of the first value.
        first: u32,
        /// Number of values.
        count: u32,
    },
    /// `x`, cut to an integer of 32 bits as C does it on x86-64 (what does not fit becomes the least one), equals one of
    /// `count` values from `first` on in [`TreeParts::members`], which are sorted.
    IntegerMember {
        /// Index of the first value.
        first: u32,
        /// Number of values.
        count: u32,
    },
    /// The integer part of `x` is a category of a set: bit `n` of the `count` words from `first` on in
    /// [`TreeParts::category_bits`] stands for category `n`. What lies above `-1` has the integer part 0; a smaller value
    /// and NaN belong to no set.
    Category {
        /// Index of the first word.
        first: u32,
        /// Number of words.
        count: u32,
    },
}

/// A leaf: `count` weights from `first` on in [`TreeParts::leaf_weights`]; none is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// Index of the first weight.
    pub first: u32,
    /// Number of weights.
    pub count: u32,
}

/// What a leaf adds to one output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeafWeight<T> {
    /// The output, counted from zero.
    pub output: u32,
    /// The value.
    pub weight: T,
}

/// How the weights of all trees become one number per output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// Their sum.
    Sum,
    /// Their sum divided by the number of trees.
    Average,
    /// The least one.
    Min,
    /// The greatest one.
    Max,
}

/// What an ensemble consists of, before it is checked.
#[derive(Debug, Clone, PartialEq)]
pub struct TreeParts<T> {
    /// All nodes of all trees.
    pub nodes: Vec<Node<T>>,
    /// The root of each tree, in the order in which the trees are added.
    pub roots: Vec<u32>,
    /// Weights of all leaves.
    pub leaf_weights: Vec<LeafWeight<T>>,
    /// The values of all [`Test::Member`] and [`Test::IntegerMember`] sets.
    pub members: Vec<T>,
    /// The bits of all [`Test::Category`] sets.
    pub category_bits: Vec<u32>,
    /// Number of features.
    pub features: usize,
    /// Number of outputs.
    pub outputs: usize,
    /// Added to each output at the end; empty for none.
    pub base_values: Vec<T>,
    /// How the trees are put together.
    pub aggregate: Aggregate,
}

impl<T> TreeParts<T> {
    fn bytes(&self) -> usize {
        size_of_val(&self.nodes[..])
            + size_of_val(&self.roots[..])
            + size_of_val(&self.leaf_weights[..])
            + size_of_val(&self.members[..])
            + size_of_val(&self.category_bits[..])
    }
}

/// Trees over feature columns that were found to be sound; the answer before any post transform.
#[derive(Debug, Clone)]
pub struct TreeEnsemble<T: Real = f32> {
    parts: TreeParts<T>,
    /// Branches on the longest way from a root to a leaf.
    depth: usize,
    /// The trees in the form in which rows go through them, made for the first row; none if they have no such form.
    engine: OnceLock<Option<Engine<T>>>,
}

impl<T: Real> PartialEq for TreeEnsemble<T> {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl<T: Real> TreeEnsemble<T> {
    /// Checks that every index points to something, that every way from a root ends in a leaf, and that the values fit the
    /// aggregate.
    ///
    /// # Errors
    /// The first thing that is wrong, with its node.
    pub fn try_new(parts: TreeParts<T>) -> Result<Self, TreeError> {
        let depth = check::depth(&parts)?;
        Ok(Self { parts, depth, engine: OnceLock::new() })
    }

    /// What the ensemble consists of.
    pub fn parts(&self) -> &TreeParts<T> {
        &self.parts
    }

    /// Branches on the longest way from a root to a leaf.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.parts.features
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.parts.outputs
    }

    /// Which features are asked about anywhere.
    pub fn used_features(&self) -> Vec<bool> {
        let mut used = vec![false; self.parts.features];
        for node in &self.parts.nodes {
            if let Node::Branch(branch) = node {
                used[branch.feature as usize] = true;
            }
        }
        used
    }

    /// Bytes of memory that the ensemble occupies, with the form in which rows go through it.
    pub fn bytes(&self) -> usize {
        self.parts.bytes() + self.engine().map_or(0, Engine::bytes)
    }

    /// How the ensemble is evaluated on this processor, and why.
    pub fn kernel(&self) -> Kernel {
        Kernel::of(self.engine())
    }

    /// Computes every output column from the feature columns.
    ///
    /// # Panics
    /// When the number of columns is not that of the ensemble, or their lengths differ.
    pub fn evaluate(&self, columns: &[&[T]], outputs: &mut [&mut [T]]) {
        match self.parts.aggregate {
            Aggregate::Sum | Aggregate::Average => self.fold(columns, outputs, T::ZERO, |sum, weight| sum + weight),
            Aggregate::Min => {
                self.fold(
                    columns,
                    outputs,
                    T::NAN,
                    |least, weight| {
                        if least.is_nan() || weight < least { weight } else { least }
                    },
                )
            }
            Aggregate::Max => self.fold(columns, outputs, T::NAN, |greatest, weight| {
                if greatest.is_nan() || weight > greatest { weight } else { greatest }
            }),
        }
        self.finish(outputs);
    }

    /// What rows go through, made when it is needed first: passes that rewrite ensembles make many that never see a row.
    fn engine(&self) -> Option<&Engine<T>> {
        self.engine.get_or_init(|| Engine::of(&self.parts, Instructions::best())).as_ref()
    }

    /// The number of rows of a call whose columns fit the ensemble.
    fn rows(&self, columns: &[&[T]], outputs: &[&mut [T]]) -> usize {
        assert_eq!(columns.len(), self.parts.features, "one column per feature");
        assert_eq!(outputs.len(), self.parts.outputs, "one column per output");
        let rows = outputs.first().map_or(0, |output| output.len());
        assert!(columns.iter().all(|column| column.len() == rows), "features and outputs have the same number of rows");
        assert!(outputs.iter().all(|output| output.len() == rows), "all outputs have the same number of rows");
        rows
    }

    /// Puts the weights of all trees together.
    fn fold(&self, columns: &[&[T]], outputs: &mut [&mut [T]], initial: T, combine: impl Fn(T, T) -> T) {
        self.rows(columns, outputs);
        match self.engine() {
            Some(engine) => engine.fold(&self.parts, columns, outputs, initial, combine),
            None => row_by_row::fold(&self.parts, columns, outputs, initial, combine),
        }
    }

    /// Shows the leaf nodes of some rows of one tree, each tree in its turn, with the first of the rows.
    fn visit_leaves(&self, columns: &[&[T]], rows: usize, visit: impl FnMut(usize, &[u32])) {
        match self.engine() {
            Some(engine) => engine.visit_nodes(columns, rows, visit),
            None => row_by_row::visit(&self.parts, columns, rows, visit),
        }
    }

    fn finish(&self, outputs: &mut [&mut [T]]) {
        match self.parts.aggregate {
            Aggregate::Sum => {}
            Aggregate::Average => {
                let trees = T::from_count(self.parts.roots.len());
                outputs.iter_mut().for_each(|output| output.iter_mut().for_each(|value| *value /= trees));
            }
            // An output that no leaf of the row mentions is zero.
            Aggregate::Min | Aggregate::Max => {
                let values = outputs.iter_mut().flat_map(|output| output.iter_mut());
                values.filter(|value| value.is_nan()).for_each(|value| *value = T::ZERO);
            }
        }
        for (output, &base) in outputs.iter_mut().zip(&self.parts.base_values) {
            output.iter_mut().for_each(|value| *value += base);
        }
    }
}

impl<T: Real> Test<T> {
    /// The answer for `x`; `members` and `category_bits` are those of the same ensemble's [`TreeParts`].
    ///
    /// # Panics
    /// When the set of the test is not in them.
    #[inline]
    pub fn accepts(&self, x: T, members: &[T], category_bits: &[u32]) -> bool {
        match *self {
            Self::Leq(threshold) => x <= threshold,
            Self::Lt(threshold) => x < threshold,
            Self::Gte(threshold) => x >= threshold,
            Self::Gt(threshold) => x > threshold,
            Self::Eq(threshold) => x == threshold,
            Self::Neq(threshold) => x != threshold,
            Self::Member { first, count } => members[first as usize..][..count as usize].contains(&x),
            Self::IntegerMember { first, count } => {
                let x = x.cut_to_i32();
                let members = &members[first as usize..][..count as usize];
                members.get(members.partition_point(|&member| member < x)) == Some(&x)
            }
            Self::Category { first, count } => has_category(x, &category_bits[first as usize..][..count as usize]),
        }
    }
}

/// Whether the integer part of `x` is a category of this set.
#[inline]
fn has_category<T: Real>(x: T, set: &[u32]) -> bool {
    let category = x.integer_part();
    let word = usize::try_from(category / 32).ok().and_then(|word| set.get(word));
    x > -T::ONE && word.is_some_and(|word| word >> (category % 32) & 1 == 1)
}

#[cfg(test)]
mod tests;
