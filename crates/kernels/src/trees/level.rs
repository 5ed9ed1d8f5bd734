//! All rows of a block go down a tree together, one level at a time.
//!
//! Following one row at a time, the processor guesses wrong at about every other branch. Here the only branches are those of
//! the loops: each row's next node is selected, not jumped to, and the steps of different rows overlap. A leaf leads to
//! itself, so rows may arrive at different levels.
//!
//! Every test becomes `x <= threshold`. For floating point numbers `x < t` is `x <= (the number below t)`, `>` and `>=` are
//! these with the children swapped, and `x == t` is both in a row. A category is looked up in its set instead; ensembles
//! without such sets have a loop of their own, which does not ask. Ensembles with sets of any numbers are followed row by row.

use super::{Branch, Node, Test, TreeParts, has_category};
use crate::BLOCK_ROWS;
use crate::real::Real;

/// Set in [`Step::offset`] when NaN goes to the first child.
const NAN_FIRST: u32 = 1 << 31;
/// Set in [`Step::offset`] when the step asks for a category.
const CATEGORY: u32 = 1 << 30;
const FLAGS: u32 = NAN_FIRST | CATEGORY;

/// The nodes in the form in which a block of rows goes down together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Levels<T> {
    /// By the index of the node; behind them the second steps of nodes that take two.
    steps: Vec<Step<T>>,
    /// Every leaf has one weight, all for one output, and its step holds it.
    has_weights: bool,
    /// Steps that a branch takes at most.
    steps_per_branch: usize,
    /// For each node the words of its set in `category_bits`, first and count; empty if no node asks for a category.
    sets: Vec<(u32, u32)>,
}

/// A node of which every row of a block asks the same. A leaf has itself as both children.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step<T> {
    /// The threshold; for a leaf with one weight, the weight.
    value: T,
    /// Where the feature's values begin in the tile of a block, [`NAN_FIRST`] and [`CATEGORY`].
    offset: u32,
    /// The next step when `x <= value`, or when the category is in the set, and otherwise.
    children: [u32; 2],
}

impl<T: Real> Levels<T> {
    /// `None` if a test has no such form.
    pub(super) fn of(parts: &TreeParts<T>) -> Option<Self> {
        if parts.features > CATEGORY as usize / BLOCK_ROWS || parts.nodes.len() > u32::MAX as usize / 2 {
            return None;
        }
        let is_single = |node: &Node<T>| match node {
            Node::Leaf(leaf) => leaf.count == 1,
            Node::Branch(_) => true,
        };
        let has_weights = parts.outputs == 1 && parts.nodes.iter().all(is_single);
        let mut steps = Vec::with_capacity(parts.nodes.len());
        let mut second_steps = Vec::new();
        for (at, node) in parts.nodes.iter().enumerate() {
            steps.push(match node {
                Node::Leaf(leaf) => {
                    let value = if has_weights { parts.leaf_weights[leaf.first as usize].weight } else { T::ZERO };
                    Step { value, offset: 0, children: [at as u32; 2] }
                }
                Node::Branch(branch) => {
                    let place = (parts.nodes.len() + second_steps.len()) as u32;
                    let (step, second_step) = branch_steps(branch, place)?;
                    second_steps.extend(second_step);
                    step
                }
            });
        }
        let steps_per_branch = if second_steps.is_empty() { 1 } else { 2 };
        steps.append(&mut second_steps);
        Some(Self { steps, has_weights, steps_per_branch, sets: sets(parts) })
    }

    /// The weights of leaves, if each has just one.
    pub(super) fn weights(&self, leaves: &[u32]) -> Option<impl Iterator<Item = T>> {
        self.has_weights.then(|| leaves.iter().map(|&leaf| self.steps[leaf as usize].value))
    }

    /// Takes the rows `at`, all at the root of a tree of at most `depth` branches, to their leaves.
    pub(super) fn descend(&self, tile: &Tile<T>, category_bits: &[u32], depth: usize, at: &mut [u32]) {
        match self.sets.is_empty() {
            true => self.walk(depth, at, |step, _, row| {
                let x = tile.values[(step.offset & !NAN_FIRST) as usize + row];
                (x <= step.value) | ((step.offset >= NAN_FIRST) & x.is_nan())
            }),
            false => self.walk(depth, at, |step, at, row| {
                let x = tile.values[(step.offset & !FLAGS) as usize + row];
                let is_first = match step.offset & CATEGORY {
                    0 => x <= step.value,
                    _ => {
                        let (first, count) = self.sets[at as usize];
                        has_category(x, &category_bits[first as usize..][..count as usize])
                    }
                };
                is_first | ((step.offset >= NAN_FIRST) & x.is_nan())
            }),
        }
    }

    /// Goes on with every row until all have arrived; `is_first` says which way the row at a step goes.
    #[inline(always)]
    fn walk(&self, depth: usize, at: &mut [u32], is_first: impl Fn(&Step<T>, u32, usize) -> bool) {
        // Once no row moves all have arrived.
        for _ in 0..self.steps_per_branch * depth {
            let mut has_moved = false;
            for (row, at) in at.iter_mut().enumerate() {
                let step = &self.steps[*at as usize];
                let next = step.children[usize::from(!is_first(step, *at, row))];
                has_moved |= next != *at;
                *at = next;
            }
            if !has_moved {
                break;
            }
        }
    }
}

/// The set of each node, if any node has one.
fn sets<T>(parts: &TreeParts<T>) -> Vec<(u32, u32)> {
    let set = |node: &Node<T>| match node {
        Node::Branch(Branch { test: Test::Category { first, count }, .. }) => Some((*first, *count)),
        _ => None,
    };
    match parts.nodes.iter().any(|node| set(node).is_some()) {
        true => parts.nodes.iter().map(|node| set(node).unwrap_or_default()).collect(),
        false => Vec::new(),
    }
}

/// The step of a branch, and a second one if it needs one, which will stand at `place`.
fn branch_steps<T: Real>(branch: &Branch<T>, place: u32) -> Option<(Step<T>, Option<Step<T>>)> {
    let (yes, no, missing) = (branch.true_child, branch.false_child, branch.missing_tracks_true);
    let offset = branch.feature * BLOCK_ROWS as u32;
    let step = |value, children, nan_first| {
        let offset = offset | if nan_first { NAN_FIRST } else { 0 };
        Step { value, offset, children }
    };
    // Where NaN goes: to the true child if the node says so, else to the false one.
    let at_most = |value| step(value, [yes, no], missing);
    let above = |value| step(value, [no, yes], !missing);
    // Nothing compares with NaN.
    let never = at_most(T::NAN);
    let below = |threshold: T| Some(threshold.next_down()).filter(|&below| below < threshold);
    Some(match branch.test {
        Test::Leq(threshold) => (at_most(threshold), None),
        Test::Lt(threshold) => (below(threshold).map_or(never, at_most), None),
        Test::Gt(threshold) if !threshold.is_nan() => (above(threshold), None),
        Test::Gte(threshold) if threshold >= T::LOWEST => (above(threshold.next_down()), None),
        Test::Eq(threshold) => match below(threshold) {
            Some(below) => (step(threshold, [place, no], missing), Some(step(below, [no, yes], false))),
            None => (at_most(threshold), None),
        },
        // NaN differs from everything.
        Test::Neq(threshold) => match below(threshold) {
            Some(below) => (step(threshold, [place, yes], false), Some(step(below, [yes, no], false))),
            None => (step(threshold, [no, yes], false), None),
        },
        Test::Category { .. } => {
            let step = step(T::NAN, [yes, no], missing);
            (Step { offset: step.offset | CATEGORY, ..step }, None)
        }
        Test::Gt(_) | Test::Gte(_) | Test::Member { .. } | Test::IntegerMember { .. } => return None,
    })
}

/// The values of a block: [`BLOCK_ROWS`] for each feature, one feature after the other.
#[derive(Debug)]
pub(super) struct Tile<T> {
    values: Vec<T>,
}

impl<T: Real> Tile<T> {
    pub(super) fn new(features: usize) -> Self {
        // A tree that is one leaf looks at the first value, whatever it is.
        Self { values: vec![T::ZERO; features.max(1) * BLOCK_ROWS] }
    }

    /// Copies the rows from `start` to `end`, at most [`BLOCK_ROWS`].
    pub(super) fn fill(&mut self, columns: &[&[T]], start: usize, end: usize) {
        for (values, column) in self.values.chunks_exact_mut(BLOCK_ROWS).zip(columns) {
            values[..end - start].copy_from_slice(&column[start..end]);
        }
    }
}
