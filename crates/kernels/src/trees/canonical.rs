//! Trees in one shape, for all forms of evaluation to start from.
//!
//! However a file put its question, a split here sends a row to the right when the value is above a cut, or when it is in a
//! set. A chain of branches that only spell out a set (exporters write LightGBM's that way) becomes one split, a branch whose
//! answer is always the same vanishes, and what several branches share is there once for each of them.

use super::runs::Runs;
use super::{Branch, Node, Test, TreeParts};
use crate::real::Real;

/// The nodes of one tree, each followed by its left subtree.
#[derive(Debug)]
pub(super) struct Tree<T> {
    pub(super) nodes: Vec<Place<T>>,
}

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place<T> {
    Split(Split<T>),
    /// A leaf, by its index in [`TreeParts::nodes`].
    Leaf(u32),
}

/// A node with two children, of which the left one comes next.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Split<T> {
    pub(super) feature: u32,
    pub(super) question: Question<T>,
    /// Index of the right child.
    pub(super) right: u32,
}

/// What sends a row to the right.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Question<T> {
    /// A number above the cut; NaN if the flag says so.
    Above(T, bool),
    /// What the set accepts.
    In(Box<Runs<T>>),
}

impl<T> Place<T> {
    /// The split, if it is one.
    pub(super) fn split(&self) -> Option<&Split<T>> {
        match self {
            Self::Split(split) => Some(split),
            Self::Leaf(_) => None,
        }
    }
}

impl<T> Split<T> {
    /// Whether it asks for a set.
    pub(super) fn is_set(&self) -> bool {
        matches!(self.question, Question::In(_))
    }

    /// The feature that is asked for, and whether its NaN is above all cuts. That of a set is beyond all numbers, so that it has a
    /// place of its own.
    pub(super) fn column(&self) -> (u32, bool) {
        match self.question {
            Question::Above(_, nan_is_above) => (self.feature, nan_is_above),
            Question::In(_) => (self.feature, true),
        }
    }
}

/// The columns that splits ask for, in their order.
pub(super) fn columns_of<'s, T: 's>(splits: impl Iterator<Item = &'s Split<T>>) -> Vec<(u32, bool)> {
    let mut columns: Vec<(u32, bool)> = splits.map(Split::column).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// The place of what a split asks for, among the columns of all splits.
pub(super) fn place_of<T>(columns: &[(u32, bool)], split: &Split<T>) -> usize {
    columns.binary_search(&split.column()).expect("the columns are those of all splits")
}

/// All trees, or `None` when what they share would make them too large.
pub(super) fn trees<T: Real>(parts: &TreeParts<T>) -> Option<Vec<Tree<T>>> {
    let mut nodes_left = parts.nodes.len().saturating_mul(2).saturating_add(4096);
    let mut trees = Vec::with_capacity(parts.roots.len());
    for &root in &parts.roots {
        let tree = tree(parts, root, nodes_left)?;
        nodes_left -= tree.nodes.len();
        trees.push(tree);
    }
    Some(trees)
}

fn tree<T: Real>(parts: &TreeParts<T>, root: u32, nodes_max: usize) -> Option<Tree<T>> {
    let mut nodes = Vec::new();
    // Nodes that are still to come, each with the split whose right child it is.
    let mut waiting = vec![(root, None)];
    while let Some((node, parent)) = waiting.pop() {
        if nodes.len() == nodes_max {
            return None;
        }
        let place = nodes.len() as u32;
        if let Some(Place::Split(parent)) = parent.and_then(|parent: u32| nodes.get_mut(parent as usize)) {
            parent.right = place;
        }
        match resolve(parts, node) {
            Resolved::Leaf(leaf) => nodes.push(Place::Leaf(leaf)),
            Resolved::Split { feature, question, children: [left, right] } => {
                nodes.push(Place::Split(Split { feature, question, right: 0 }));
                waiting.push((right, Some(place)));
                waiting.push((left, None));
            }
        }
    }
    Some(Tree { nodes })
}

/// A node as it will be, with its children as they are.
enum Resolved<T> {
    Leaf(u32),
    Split { feature: u32, question: Question<T>, children: [u32; 2] },
}

/// What stands at a node, or below it if all rows go the same way there.
fn resolve<T: Real>(parts: &TreeParts<T>, mut node: u32) -> Resolved<T> {
    while let Node::Branch(branch) = &parts.nodes[node as usize] {
        let (yes, no) = (branch.true_child, branch.false_child);
        let split =
            |question, left, right| Resolved::Split { feature: branch.feature, question, children: [left, right] };
        let (runs, no) = match next_in_chain(parts, branch) {
            None => match comparison(branch) {
                Some(Comparison { cut, is_above: true }) => {
                    return split(Question::Above(cut, branch.missing_tracks_true), no, yes);
                }
                Some(Comparison { cut, is_above: false }) => {
                    return split(Question::Above(cut, !branch.missing_tracks_true), yes, no);
                }
                None => (Runs::of(branch, parts), no),
            },
            Some(_) => chain(parts, branch),
        };
        let (low, high) = if runs.starts { (yes, no) } else { (no, yes) };
        match runs.cuts[..] {
            // No number is above infinity, but NaN may be sent there.
            [] if runs.nan != runs.starts => return split(Question::Above(T::INFINITY, true), low, high),
            [] => node = low,
            [cut] => return split(Question::Above(cut, runs.nan != runs.starts), low, high),
            _ => return split(Question::In(Box::new(runs)), no, yes),
        }
    }
    Resolved::Leaf(node)
}

/// A test that compares with a number.
struct Comparison<T> {
    cut: T,
    /// Yes is for what is above the cut, else for the rest.
    is_above: bool,
}

/// The usual tests, which need no more thought. NaN is not above any number, so that a comparison says no.
fn comparison<T: Real>(branch: &Branch<T>) -> Option<Comparison<T>> {
    let (cut, is_above) = match branch.test {
        Test::Leq(threshold) if !threshold.is_nan() => (threshold, false),
        Test::Gt(threshold) if !threshold.is_nan() => (threshold, true),
        Test::Lt(threshold) if threshold >= T::LOWEST => (threshold.next_down(), false),
        Test::Gte(threshold) if threshold >= T::LOWEST => (threshold.next_down(), true),
        _ => return None,
    };
    Some(Comparison { cut, is_above })
}

/// The branch behind the answer no, if it asks the same feature and has the same child for yes.
fn next_in_chain<'a, T: Real>(parts: &'a TreeParts<T>, branch: &Branch<T>) -> Option<&'a Branch<T>> {
    match &parts.nodes[branch.false_child as usize] {
        Node::Branch(next) if next.feature == branch.feature && next.true_child == branch.true_child => Some(next),
        _ => None,
    }
}

/// What a chain of branches accepts, and its last child for no.
fn chain<T: Real>(parts: &TreeParts<T>, first: &Branch<T>) -> (Runs<T>, u32) {
    let chain: Vec<&Branch<T>> = std::iter::successors(Some(first), |branch| next_in_chain(parts, branch)).collect();
    let last = chain.last().map_or(first.false_child, |last| last.false_child);
    (Runs::union(chain.into_iter().map(|branch| Runs::of(branch, parts))), last)
}

impl<T> Tree<T> {
    /// Its leaves in order, by their index in [`TreeParts::nodes`].
    pub(super) fn leaves(&self) -> impl Iterator<Item = u32> {
        self.nodes.iter().filter_map(|place| match place {
            Place::Leaf(leaf) => Some(*leaf),
            Place::Split(_) => None,
        })
    }

    /// Splits on the longest way to a leaf.
    pub(super) fn depth(&self) -> usize {
        let mut depths = vec![0; self.nodes.len()];
        let mut deepest = 0;
        for (at, place) in self.nodes.iter().enumerate() {
            if let Place::Split(split) = place {
                let below = depths[at] + 1;
                depths[at + 1] = below;
                depths[split.right as usize] = below;
                deepest = deepest.max(below);
            }
        }
        deepest
    }

    /// For each node, the leaves below it.
    pub(super) fn leaf_counts(&self) -> Vec<u32> {
        let mut counts = vec![1; self.nodes.len()];
        for (at, place) in self.nodes.iter().enumerate().rev() {
            if let Place::Split(split) = place {
                counts[at] = counts[at + 1] + counts[split.right as usize];
            }
        }
        counts
    }
}
