//! A whole ensemble, ready to run: the one place that chooses between the ways to evaluate it.
//!
//! Many rows go in blocks through a [`Plan`]; a few go down the trees one by one, since asking all questions costs the same for
//! one row as for 64. Either way the leaves are the same, and their weights are added in the same order.

use std::ops::Range;

use super::TreeParts;
use super::blocks::{self, Codes, REGISTER_ROWS};
use super::canonical;
use super::instructions::Instructions;
use super::plan::{Form, Plan, PlannedTree};
use super::steps::{Keys, Steps};
use super::weights::{Leaves, Sums, Weights, leaf_weights};
use crate::real::Real;

/// Sums that need no memory of their own.
const SUMS_ON_STACK: usize = 512;

/// Keys of a row that need no memory of their own.
const KEYS_ON_STACK: usize = 128;

/// What an ensemble becomes before its first row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Engine<T: Real> {
    pub(super) instructions: Instructions,
    pub(super) plan: Plan<T>,
    steps: Steps<T>,
    weights: Weights<T>,
    /// For each leaf of all trees its index in [`TreeParts::nodes`].
    leaf_nodes: Vec<u32>,
    /// Fewer rows than these go one by one.
    pub(super) block_rows_min: usize,
}

/// What a block of rows becomes on its way.
#[derive(Debug)]
pub(super) struct Scratch<T: Real> {
    codes: Codes,
    /// For rows that go on from the exit of a tree; empty if none does.
    keys: Vec<T::Key>,
    exits: Vec<u8>,
    ways: Vec<u32>,
}

impl<T: Real> Engine<T> {
    /// `None` when the trees share so much that they would be too large with nothing shared.
    pub(super) fn of(parts: &TreeParts<T>, instructions: Instructions) -> Option<Self> {
        let trees = canonical::trees(parts)?;
        let (steps, places) = Steps::of(&trees)?;
        let plan = Plan::of(&trees, &places, &steps, instructions);
        let leaf_nodes: Vec<Vec<u32>> = trees.iter().map(|tree| tree.leaves().collect()).collect();
        let weights = Weights::of(parts, &leaf_nodes, &plan.program, instructions);
        let leaf_nodes = leaf_nodes.concat();
        let mut engine = Self { instructions, plan, steps, weights, leaf_nodes, block_rows_min: 1 };
        engine.block_rows_min = engine.break_even(parts.outputs == 1);
        Some(engine)
    }

    /// Bytes of memory that the questions, the steps and the weights occupy; thresholds of features are few beside them.
    pub(super) fn bytes(&self) -> usize {
        self.plan.program.bytes() + self.steps.bytes() + self.weights.bytes() + size_of_val(&self.leaf_nodes[..])
    }

    /// The number of rows from which on a block costs less than rows one by one. Costs are in tenths of a nanosecond, as
    /// `benches/trees.rs` measures them.
    fn break_even(&self, has_one_output: bool) -> usize {
        const CODE_COST: usize = 6;
        // With few rows there is nothing to do while a divided tree waits for the answer to its last question.
        const WAITING: usize = 3;
        // Of adding the weights of a tree.
        const WEIGHTS_COST: usize = 150;
        // Of a row that goes on below the questions.
        const GOING_ON_COST: usize = 300;
        let program = &self.plan.program;
        let weighed = |tree: &PlannedTree| match tree.form {
            Form::Divided => WAITING * tree.questions.len(),
            Form::Symmetric | Form::Complete(_) => tree.questions.len(),
        };
        let questions: usize = program.trees.iter().map(|tree| weighed(tree) + tree.sets.len()).sum();
        let codes: usize = self.plan.groups.iter().map(|group| group.columns.len() * REGISTER_ROWS).sum();
        let going_on = program.trees.iter().filter(|tree| tree.goes_on).count() * REGISTER_ROWS;
        let block = questions * self.instructions.question_cost()
            + codes * CODE_COST
            + program.trees.len() * WEIGHTS_COST
            + going_on * GOING_ON_COST;
        (block / self.row_cost(has_one_output).max(1)).clamp(1, REGISTER_ROWS)
    }

    /// What a row costs that goes down the trees by itself.
    fn row_cost(&self, has_one_output: bool) -> usize {
        const STEP_COST: usize = 15;
        let weights_cost = match &self.weights {
            Weights::One { .. } if has_one_output => 0,
            Weights::One { .. } => 40,
            Weights::Vectors { .. } | Weights::Listed => 160,
        };
        self.steps.roots().iter().map(|root| root.depth as usize * STEP_COST + weights_cost).sum()
    }

    /// Puts the weights of all trees together, beginning with `initial`.
    pub(super) fn fold(
        &self,
        parts: &TreeParts<T>,
        columns: &[&[T]],
        outputs: &mut [&mut [T]],
        initial: T,
        combine: impl Fn(T, T) -> T,
    ) {
        let rows = outputs.first().map_or(0, |output| output.len());
        let stride = if rows < self.block_rows_min { 1 } else { self.padded(rows).min(self.plan.program.block_rows) };
        let (mut few, mut many) = ([T::ZERO; SUMS_ON_STACK], Vec::new());
        let sums = match self.weights.width(parts.outputs) * stride {
            count @ 0..=SUMS_ON_STACK => &mut few[..count],
            count => {
                many.resize(count, T::ZERO);
                &mut many[..]
            }
        };
        let mut scratch = None;
        for block in self.blocks(rows) {
            sums.fill(initial);
            let mut block_sums = Sums { sums: &mut *sums, stride, rows: block.len() };
            match (&self.weights, block.len()) {
                // Said once for all trees: to ask for each of them would take longer than to add its weight.
                (Weights::One { weights, .. }, 1) if parts.outputs == 1 => {
                    let mut sum = initial;
                    self.visit_row(columns, block.start, |_, leaf| sum += weights[leaf as usize]);
                    block_sums.sums[0] = sum;
                }
                _ => self.visit(columns, block.clone(), &mut scratch, |tree, leaves| {
                    let list = |leaf: u32| leaf_weights(parts, self.leaf_nodes[leaf as usize]);
                    self.weights.add(tree, leaves, &mut block_sums, list, &combine);
                }),
            }
            self.weights.write(&block_sums, outputs, block.start);
        }
    }

    /// The blocks of so many rows; a block of one row goes down the trees.
    pub(super) fn blocks(&self, rows: usize) -> impl Iterator<Item = Range<usize>> + use<'_, T> {
        let block_rows = self.plan.program.block_rows;
        let mut start = 0;
        std::iter::from_fn(move || {
            let left = rows - start;
            let count = if left < self.block_rows_min { left.min(1) } else { left.min(block_rows) };
            start += count;
            (count > 0).then(|| start - count..start)
        })
    }

    /// Shows the leaves of a block's rows, tree by tree.
    #[inline]
    pub(super) fn visit(
        &self,
        columns: &[&[T]],
        block: Range<usize>,
        scratch: &mut Option<Scratch<T>>,
        mut show: impl FnMut(usize, Leaves<'_>),
    ) {
        match block.len() {
            1 => self.visit_row(columns, block.start, |tree, leaf| show(tree, Leaves::Numbers(&[leaf]))),
            _ => self.visit_block(columns, block, scratch.get_or_insert_with(|| self.scratch()), show),
        }
    }

    /// Shows the leaf of a row in each tree.
    #[inline]
    fn visit_row(&self, columns: &[&[T]], row: usize, show: impl FnMut(usize, u32)) {
        let (mut few, mut many) = ([T::Key::default(); KEYS_ON_STACK], Vec::new());
        let keys = match self.steps.columns() {
            count @ 0..=KEYS_ON_STACK => &mut few[..count],
            count => {
                many.resize(count, T::Key::default());
                &mut many[..]
            }
        };
        self.steps.write_row_keys(columns, row, keys);
        self.steps.descend_row(keys, show);
    }

    fn visit_block(
        &self,
        columns: &[&[T]],
        block: Range<usize>,
        scratch: &mut Scratch<T>,
        mut show: impl FnMut(usize, Leaves<'_>),
    ) {
        let program = &self.plan.program;
        let Scratch { codes, keys, exits, ways } = scratch;
        let exits = &mut exits[..self.padded(block.len())];
        if !keys.is_empty() {
            self.steps.write_keys(columns, block.start, &mut keys[..block.len() * self.steps.columns()]);
        }
        for group in &self.plan.groups {
            codes.fill(self.instructions, group, columns, block.clone());
            for at in group.trees.clone() {
                let tree = &program.trees[at];
                blocks::exits(self.instructions, program, tree, codes, exits);
                let ends = &program.exits[tree.exits.clone()];
                if tree.goes_on {
                    let ways = &mut ways[..block.len()];
                    ways.iter_mut().zip(&*exits).for_each(|(way, &exit)| *way = ends[usize::from(exit)]);
                    let depth = self.steps.roots()[at].depth;
                    self.steps.descend(ways, depth, Keys { keys, stride: self.steps.columns() });
                    ways.iter_mut().for_each(|way| *way = self.steps.leaf(*way));
                    show(at, Leaves::Numbers(ways));
                } else {
                    show(at, Leaves::Exits { exits, leaves: ends });
                }
            }
        }
    }

    fn scratch(&self) -> Scratch<T> {
        let program = &self.plan.program;
        let goes_on = program.trees.iter().any(|tree| tree.goes_on);
        let ways = if goes_on { program.block_rows } else { 0 };
        Scratch {
            codes: Codes::new(program),
            keys: vec![T::Key::default(); ways * self.steps.columns()],
            exits: vec![0; program.block_rows],
            ways: vec![0; ways],
        }
    }

    /// Whole registers of rows.
    fn padded(&self, rows: usize) -> usize {
        rows.next_multiple_of(REGISTER_ROWS)
    }

    /// Shows the leaf nodes of some rows of one tree, each tree in its turn, with the first of the rows.
    pub(super) fn visit_nodes(&self, columns: &[&[T]], rows: usize, mut show: impl FnMut(usize, &[u32])) {
        let mut scratch = None;
        let mut nodes = vec![0; rows.min(self.plan.program.block_rows)];
        for block in self.blocks(rows) {
            let nodes = &mut nodes[..block.len()];
            self.visit(columns, block.clone(), &mut scratch, |_, leaves| {
                leaves.each(nodes.len(), |row, leaf| nodes[row] = self.leaf_nodes[leaf as usize]);
                show(block.start, nodes);
            });
        }
    }
}
