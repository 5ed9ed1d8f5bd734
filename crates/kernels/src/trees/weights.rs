//! What the leaves of trees are worth, and the sums of a block of rows.

use std::ops::Range;

use super::instructions::Instructions;
use super::plan::Program;
use super::{Aggregate, LeafWeight, Node, TreeParts};
use crate::real::Real;

/// The most numbers of a leaf that is added as a whole.
const VECTOR_MAX: usize = 256;
/// How much larger the weights may become when every leaf has one for each output.
const VECTOR_GROWTH_MAX: usize = 4;

/// The leaves of some rows of one tree.
#[derive(Debug, Clone, Copy)]
pub(super) enum Leaves<'a> {
    /// The exit of each row, and of as many more as fill registers; the leaf at each exit.
    Exits { exits: &'a [u8], leaves: &'a [u32] },
    /// The leaf of each row.
    Numbers(&'a [u32]),
}

impl Leaves<'_> {
    /// Calls `function` with each of the rows and its leaf.
    #[inline(always)]
    pub(super) fn each(self, rows: usize, mut function: impl FnMut(usize, u32)) {
        match self {
            Self::Exits { exits, leaves } => {
                for (row, &exit) in exits[..rows].iter().enumerate() {
                    function(row, leaves[usize::from(exit)]);
                }
            }
            Self::Numbers(leaves) => {
                for (row, &leaf) in leaves[..rows].iter().enumerate() {
                    function(row, leaf);
                }
            }
        }
    }
}

/// The weights of all leaves, in the form in which they are added fastest.
///
/// A leaf that does not mention an output has the weight -0 for it: adding that changes nothing, not even the sign of a zero.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Weights<T> {
    /// Each leaf of a tree has one weight, for an output that is the tree's.
    One {
        instructions: Instructions,
        /// By tree.
        outputs: Vec<u32>,
        /// By leaf.
        weights: Vec<T>,
        /// By exit, laid out for the instructions, and where those of each tree are.
        packed: Vec<T>,
        places: Vec<Range<usize>>,
    },
    /// Each leaf has a weight for each output, and some more zeros.
    Vectors {
        /// Numbers per leaf.
        width: usize,
        /// By leaf.
        weights: Vec<T>,
    },
    /// Leaves are lists of weights, or weights are not added but compared.
    Listed,
}

impl<T> Weights<T> {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::One { outputs, weights, packed, places, .. } => {
                size_of_val(&outputs[..])
                    + size_of_val(&weights[..])
                    + size_of_val(&packed[..])
                    + size_of_val(&places[..])
            }
            Self::Vectors { weights, .. } => size_of_val(&weights[..]),
            Self::Listed => 0,
        }
    }
}

/// The sums of the rows of a block.
#[derive(Debug)]
pub(super) struct Sums<'a, T> {
    /// Output by output with one weight or lists of weights, row by row with vectors.
    pub(super) sums: &'a mut [T],
    /// From one output's sums to the next one's.
    pub(super) stride: usize,
    pub(super) rows: usize,
}

/// The list of weights of a leaf node.
pub(super) fn leaf_weights<T>(parts: &TreeParts<T>, node: u32) -> &[LeafWeight<T>] {
    match &parts.nodes[node as usize] {
        Node::Leaf(leaf) => &parts.leaf_weights[leaf.first as usize..][..leaf.count as usize],
        Node::Branch(_) => &[],
    }
}

impl<T: Real> Weights<T> {
    /// The weights of each tree's leaves, which are these nodes.
    pub(super) fn of(
        parts: &TreeParts<T>,
        leaf_nodes: &[Vec<u32>],
        program: &Program,
        instructions: Instructions,
    ) -> Self {
        if matches!(parts.aggregate, Aggregate::Min | Aggregate::Max) {
            return Self::Listed;
        }
        Self::one(parts, leaf_nodes, program, instructions)
            .or_else(|| Self::vectors(parts, leaf_nodes))
            .unwrap_or(Self::Listed)
    }

    fn one(
        parts: &TreeParts<T>,
        leaf_nodes: &[Vec<u32>],
        program: &Program,
        instructions: Instructions,
    ) -> Option<Self> {
        let (mut outputs, mut weights) = (Vec::with_capacity(leaf_nodes.len()), Vec::new());
        for nodes in leaf_nodes {
            let mut output = None;
            for &node in nodes {
                weights.push(match leaf_weights(parts, node) {
                    [] => -T::ZERO,
                    [weight] if *output.get_or_insert(weight.output) == weight.output => weight.weight,
                    _ => return None,
                });
            }
            outputs.push(output.unwrap_or(0));
        }
        let (mut packed, mut places) = (Vec::new(), Vec::with_capacity(outputs.len()));
        for tree in &program.trees {
            let begin = packed.len();
            if !tree.goes_on {
                let leaves = &program.exits[tree.exits.clone()];
                let by_exit: Vec<T> = leaves.iter().map(|&leaf| weights[leaf as usize]).collect();
                packed.append(&mut T::pack_weights(instructions, &by_exit));
            }
            places.push(begin..packed.len());
        }
        Some(Self::One { instructions, outputs, weights, packed, places })
    }

    fn vectors(parts: &TreeParts<T>, leaf_nodes: &[Vec<u32>]) -> Option<Self> {
        let width = parts.outputs.next_multiple_of(4);
        let leaves: usize = leaf_nodes.iter().map(Vec::len).sum();
        let numbers = width.checked_mul(leaves)?;
        if width > VECTOR_MAX || numbers > parts.leaf_weights.len().saturating_mul(VECTOR_GROWTH_MAX) {
            return None;
        }
        let mut weights = vec![-T::ZERO; numbers];
        for (&node, vector) in leaf_nodes.iter().flatten().zip(weights.chunks_exact_mut(width)) {
            let mut seen = [false; VECTOR_MAX];
            for weight in leaf_weights(parts, node) {
                if std::mem::replace(&mut seen[weight.output as usize], true) {
                    return None;
                }
                vector[weight.output as usize] = weight.weight;
            }
        }
        Some(Self::Vectors { width, weights })
    }

    /// Sums per row.
    pub(super) fn width(&self, outputs: usize) -> usize {
        match self {
            Self::Vectors { width, .. } => *width,
            Self::One { .. } | Self::Listed => outputs,
        }
    }

    /// Adds the weights of leaves of a tree to the sums. `list` has a leaf's weights, which are put to a sum by `combine` when
    /// they are no plain summands.
    #[inline(always)]
    pub(super) fn add<'p>(
        &self,
        tree: usize,
        leaves: Leaves<'_>,
        block: &mut Sums<'_, T>,
        list: impl Fn(u32) -> &'p [LeafWeight<T>],
        combine: impl Fn(T, T) -> T,
    ) {
        let (sums, stride, rows) = (&mut *block.sums, block.stride, block.rows);
        match self {
            Self::One { instructions, outputs, weights, packed, places } => {
                let sums = &mut sums[outputs[tree] as usize * stride..][..stride];
                match leaves {
                    Leaves::Exits { exits, .. } => {
                        T::add_weights(*instructions, &packed[places[tree].clone()], exits, &mut sums[..exits.len()]);
                    }
                    Leaves::Numbers(_) => leaves.each(rows, |row, leaf| sums[row] += weights[leaf as usize]),
                }
            }
            Self::Vectors { width: 4, weights } => add_vectors::<T, 4>(weights, leaves, sums, rows),
            Self::Vectors { width: 8, weights } => add_vectors::<T, 8>(weights, leaves, sums, rows),
            Self::Vectors { width: 12, weights } => add_vectors::<T, 12>(weights, leaves, sums, rows),
            Self::Vectors { width, weights } => leaves.each(rows, |row, leaf| {
                let vector = &weights[leaf as usize * width..][..*width];
                sums[row * width..][..*width].iter_mut().zip(vector).for_each(|(sum, &weight)| *sum += weight);
            }),
            Self::Listed => leaves.each(rows, |row, leaf| {
                for weight in list(leaf) {
                    let sum = &mut sums[weight.output as usize * stride + row];
                    *sum = combine(*sum, weight.weight);
                }
            }),
        }
    }

    /// Writes the sums of a block to the outputs, from the row `start` on.
    pub(super) fn write(&self, block: &Sums<'_, T>, outputs: &mut [&mut [T]], start: usize) {
        for (at, output) in outputs.iter_mut().enumerate() {
            let output = &mut output[start..start + block.rows];
            match self {
                Self::Vectors { width, .. } => {
                    let sums = block.sums.iter().skip(at).step_by(*width);
                    output.iter_mut().zip(sums).for_each(|(value, &sum)| *value = sum);
                }
                Self::One { .. } | Self::Listed => {
                    output.copy_from_slice(&block.sums[at * block.stride..][..block.rows])
                }
            }
        }
    }
}

/// Adds the vector of each leaf to the sums of its row.
fn add_vectors<T: Real, const WIDTH: usize>(weights: &[T], leaves: Leaves<'_>, sums: &mut [T], rows: usize) {
    let (weights, _) = weights.as_chunks::<WIDTH>();
    let (sums, _) = sums.as_chunks_mut::<WIDTH>();
    leaves.each(rows, |row, leaf| {
        sums[row].iter_mut().zip(&weights[leaf as usize]).for_each(|(sum, &weight)| *sum += weight);
    });
}
