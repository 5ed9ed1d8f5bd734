//! Is an ensemble sound? Linear in its size, and without recursion: depth is the file's to choose.

use std::error::Error;
use std::fmt;

use super::{Aggregate, Node, Test, TreeParts};
use crate::real::Real;

/// Why an ensemble cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TreeError {
    /// An index points beyond the end of what it points into.
    Index {
        /// What the index is, such as `true child`.
        what: &'static str,
        /// The node or position that holds the index.
        at: usize,
        /// The index.
        index: u64,
        /// The number of things there are.
        count: usize,
    },
    /// A way from the root of a tree comes back to a node.
    Cycle {
        /// The node.
        node: usize,
    },
    /// There is no output.
    NoOutput,
    /// There are base values, but not one per output.
    BaseValues {
        /// How many there are.
        got: usize,
        /// The number of outputs.
        outputs: usize,
    },
    /// There are linear leaves, but not one per leaf weight.
    Lines {
        /// How many there are.
        got: usize,
        /// The number of leaf weights.
        weights: usize,
    },
    /// A minimum or maximum over linear leaves.
    LineExtreme,
    /// A minimum or maximum over a weight that is no number.
    NanWeight {
        /// Position of the weight.
        at: usize,
    },
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index { what, at, index, count } => {
                write!(f, "{what} {index} at position {at}: there are only {count}")
            }
            Self::Cycle { node } => write!(f, "node {node} is its own descendant"),
            Self::NoOutput => write!(f, "the trees have no output"),
            Self::BaseValues { got, outputs } => write!(f, "{got} base values for {outputs} outputs"),
            Self::Lines { got, weights } => write!(f, "{got} linear leaves for {weights} leaf weights"),
            Self::LineExtreme => write!(f, "linear leaves have no minimum or maximum"),
            Self::NanWeight { at } => {
                write!(f, "the leaf weight at position {at} is NaN, which has no minimum or maximum")
            }
        }
    }
}

impl Error for TreeError {}

/// Checks all parts and returns the number of branches on the longest way from a root to a leaf.
pub(super) fn depth<T: Real>(parts: &TreeParts<T>) -> Result<usize, TreeError> {
    if parts.outputs == 0 {
        return Err(TreeError::NoOutput);
    }
    if !parts.base_values.is_empty() && parts.base_values.len() != parts.outputs {
        return Err(TreeError::BaseValues { got: parts.base_values.len(), outputs: parts.outputs });
    }
    for (at, weight) in parts.leaf_weights.iter().enumerate() {
        index("output", at, weight.output, parts.outputs)?;
        if weight.weight.is_nan() && matches!(parts.aggregate, Aggregate::Min | Aggregate::Max) {
            return Err(TreeError::NanWeight { at });
        }
    }
    for (at, node) in parts.nodes.iter().enumerate() {
        check_node(parts, at, node)?;
    }
    for (tree, &root) in parts.roots.iter().enumerate() {
        index("root", tree, root, parts.nodes.len())?;
    }
    deepest(parts)
}

fn check_node<T: Real>(parts: &TreeParts<T>, at: usize, node: &Node<T>) -> Result<(), TreeError> {
    match node {
        Node::Leaf(leaf) => range("leaf weight", at, leaf.first, leaf.count, parts.leaf_weights.len()),
        Node::Branch(branch) => {
            index("feature", at, branch.feature, parts.features)?;
            index("true child", at, branch.true_child, parts.nodes.len())?;
            index("false child", at, branch.false_child, parts.nodes.len())?;
            match branch.test {
                Test::Member { first, count } | Test::IntegerMember { first, count } => {
                    range("set member", at, first, count, parts.members.len())
                }
                Test::Category { first, count } => range("set word", at, first, count, parts.category_bits.len()),
                _ => Ok(()),
            }
        }
    }
}

pub(super) fn index(what: &'static str, at: usize, index: u32, count: usize) -> Result<(), TreeError> {
    if (index as usize) < count { Ok(()) } else { Err(TreeError::Index { what, at, index: index.into(), count }) }
}

pub(super) fn range(what: &'static str, at: usize, first: u32, length: u32, count: usize) -> Result<(), TreeError> {
    let end = u64::from(first) + u64::from(length);
    // The end fits the type of the indices, so that evaluation may add them.
    if end <= count as u64 && end <= u64::from(u32::MAX) {
        Ok(())
    } else {
        Err(TreeError::Index { what, at, index: end.saturating_sub(1), count })
    }
}

/// How far the walk over a node's descendants has come.
#[derive(Clone, Copy, PartialEq)]
enum Height {
    Unknown,
    /// On the way from the root to the present node.
    Open,
    Known(usize),
}

/// Branches on the longest way from a root to a leaf; an error if some way never ends.
fn deepest<T: Real>(parts: &TreeParts<T>) -> Result<usize, TreeError> {
    let mut heights = vec![Height::Unknown; parts.nodes.len()];
    let mut path: Vec<usize> = Vec::new();
    let mut deepest = 0;
    for &root in &parts.roots {
        path.push(root as usize);
        while let Some(&node) = path.last() {
            match descend(parts, &mut heights, node) {
                Some(child) if heights[child] == Height::Open => return Err(TreeError::Cycle { node: child }),
                Some(child) => path.push(child),
                None => {
                    path.pop();
                }
            }
        }
        if let Height::Known(height) = heights[root as usize] {
            deepest = deepest.max(height);
        }
    }
    Ok(deepest)
}

/// A child whose height must be known first, or `None` when the node's own height is known now.
fn descend<T: Real>(parts: &TreeParts<T>, heights: &mut [Height], node: usize) -> Option<usize> {
    let Node::Branch(branch) = &parts.nodes[node] else {
        heights[node] = Height::Known(0);
        return None;
    };
    let mut height = 0;
    for child in [branch.true_child as usize, branch.false_child as usize] {
        match heights[child] {
            Height::Known(below) => height = height.max(below + 1),
            Height::Unknown | Height::Open => {
                heights[node] = Height::Open;
                return Some(child);
            }
        }
    }
    heights[node] = Height::Known(height);
    None
}
