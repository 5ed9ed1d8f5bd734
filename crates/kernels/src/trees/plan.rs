//! How each tree is evaluated: which of its splits are asked of all rows at once, in which form, by which codes.

use std::ops::Range;

use super::bytes::CodeSet;
use super::canonical::{Question, Split, Tree};
use super::groups::{self, Group};
use super::instructions::Instructions;
use super::questions::{Ask, AskSet, COMPLETE_DEPTH_MAX, Divide, LOWER_LEVELS, four};
use super::steps::Steps;
use super::upper::Upper;
use crate::real::Real;

/// Rows that are coded and asked together, when their codes fit the second cache. The more they are, the less often the trees
/// have to come from further away; what few rows need at a time is in the fastest cache in any case.
const BLOCK_ROWS_MAX: usize = 2048;
/// The fewest such rows.
const BLOCK_ROWS_MIN: usize = 64;
/// Bytes of codes for which a block has all those rows.
const BLOCK_BYTES: usize = 128 << 10;

/// Levels of the deepest tree whose exits are all numbered by a byte.
const EXIT_BITS: usize = COMPLETE_DEPTH_MAX as usize;
/// What a question of a complete tree costs beside one of a divided tree, measured.
const COMPLETE_COST: usize = 2;
const DIVIDED_COST: usize = 3;

/// How all trees are evaluated.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan<T> {
    pub(super) groups: Vec<Group<T>>,
    pub(super) program: Program,
}

/// The questions of all trees.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Program {
    /// Rows that are coded and asked together.
    pub(super) block_rows: usize,
    /// Columns of codes: the features of a group and the sets of a tree.
    pub(super) columns: usize,
    pub(super) trees: Vec<PlannedTree>,
    pub(super) asks: Vec<Ask>,
    pub(super) divides: Vec<Divide>,
    pub(super) sets: Vec<AskSet>,
    /// For each exit of each tree which leaf of all trees' it is, or the step from which a row goes on.
    pub(super) exits: Vec<u32>,
}

impl Program {
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.trees[..])
            + size_of_val(&self.asks[..])
            + size_of_val(&self.divides[..])
            + size_of_val(&self.sets[..])
            + size_of_val(&self.exits[..])
    }

    /// From the codes of one column to those of the next one: a line of the cache more than rows, since a power of two would
    /// send the same row of all columns to the same few places of the fastest cache.
    pub(super) fn stride(&self) -> usize {
        self.block_rows + 64
    }
}

/// The form of a tree's questions, as [`super::questions`] describes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Symmetric,
    /// Of this depth.
    Complete(u32),
    Divided,
}

/// Where the questions and exits of a tree stand.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PlannedTree {
    pub(super) form: Form,
    /// In [`Program::divides`] for a divided tree, else in [`Program::asks`].
    pub(super) questions: Range<usize>,
    pub(super) sets: Range<usize>,
    pub(super) exits: Range<usize>,
    /// Some exits are not leaves: rows go down from there.
    pub(super) goes_on: bool,
}

impl<T: Real> Plan<T> {
    /// A plan for these trees, whose nodes stand at these places among the steps.
    pub(super) fn of(trees: &[Tree<T>], places: &[Vec<u32>], steps: &Steps<T>, instructions: Instructions) -> Self {
        let uppers: Vec<Upper<T>> = trees.iter().map(Upper::of).collect();
        let groups = groups::groups(trees, &uppers);
        let sets =
            trees.iter().zip(&uppers).map(|(tree, upper)| upper.splits(tree).filter(|split| split.is_set()).count());
        let columns = groups.iter().map(|group| group.columns.len()).max().unwrap_or(0) + sets.max().unwrap_or(0);
        let fitting = 1 << (BLOCK_BYTES / columns.max(1)).max(1).ilog2();
        let mut program = Program {
            block_rows: usize::clamp(fitting, BLOCK_ROWS_MIN, BLOCK_ROWS_MAX),
            columns: columns.max(1),
            trees: Vec::with_capacity(trees.len()),
            asks: vec![],
            divides: vec![],
            sets: vec![],
            exits: vec![],
        };
        for group in &groups {
            for at in group.trees.clone() {
                let (tree, upper, places, bias) = (&trees[at], &uppers[at], &places[at], instructions.bias());
                Writer { program: &mut program, group, bias, tree, upper, places, first_set: 0 }.write();
                let planned = &program.trees[at];
                if !planned.goes_on {
                    let exits = &mut program.exits[planned.exits.clone()];
                    exits.iter_mut().for_each(|exit| *exit = steps.leaf(*exit));
                }
            }
        }
        Self { groups, program }
    }
}

/// Writes the questions of one tree.
struct Writer<'a, T> {
    program: &'a mut Program,
    group: &'a Group<T>,
    bias: u8,
    tree: &'a Tree<T>,
    upper: &'a Upper<T>,
    /// The step of each node.
    places: &'a [u32],
    /// Where the sets of the tree begin.
    first_set: usize,
}

impl<'a, T: Real> Writer<'a, T> {
    fn write(mut self) {
        let form = self.form();
        let program = &self.program;
        let (asks, divides, sets, exits) =
            (program.asks.len(), program.divides.len(), program.sets.len(), program.exits.len());
        self.first_set = sets;
        match form {
            Form::Symmetric => self.symmetric(),
            Form::Complete(depth) => self.complete(0, depth),
            Form::Divided => self.divided(0, exits),
        }
        let goes_on = !self.upper.is_whole(self.tree);
        let program = self.program;
        let questions = match form {
            Form::Divided => divides..program.divides.len(),
            Form::Symmetric | Form::Complete(_) => asks..program.asks.len(),
        };
        let (sets, exits) = (sets..program.sets.len(), exits..program.exits.len());
        program.trees.push(PlannedTree { form, questions, sets, exits, goes_on });
    }

    /// The cheapest form.
    fn form(&self) -> Form {
        let mut levels = Vec::new();
        self.collect_levels(0, 0, &mut levels);
        let is_full = levels.iter().enumerate().all(|(level, splits)| splits.len() == 1 << level.min(EXIT_BITS + 1));
        let depth = levels.len();
        let is_alike = |splits: &Vec<&'a Split<T>>| {
            splits.iter().all(|split| split.feature == splits[0].feature && split.question == splits[0].question)
        };
        if depth > EXIT_BITS {
            Form::Divided
        } else if is_full && levels.iter().all(is_alike) {
            Form::Symmetric
        } else {
            let splits: usize = levels.iter().map(Vec::len).sum();
            let is_cheaper = ((1 << depth) - 1) * COMPLETE_COST < splits * DIVIDED_COST;
            if is_cheaper { Form::Complete(depth as u32) } else { Form::Divided }
        }
    }

    /// The splits of each level, down to the first one that is too deep for a complete tree.
    fn collect_levels(&self, node: u32, level: usize, levels: &mut Vec<Vec<&'a Split<T>>>) {
        let Some(split) = self.upper.split(self.tree, node) else { return };
        if level == levels.len() {
            levels.push(Vec::new());
        }
        levels[level].push(split);
        if level < EXIT_BITS {
            self.collect_levels(node + 1, level + 1, levels);
            self.collect_levels(split.right, level + 1, levels);
        }
    }

    /// One question per level, and all exits.
    fn symmetric(&mut self) {
        let mut node = 0;
        while let Some(split) = self.upper.split(self.tree, node) {
            let ask = self.ask(split);
            self.program.asks.push(ask);
            node += 1;
        }
        self.exits_below(0);
    }

    fn exits_below(&mut self, node: u32) {
        match self.upper.split(self.tree, node) {
            None => self.program.exits.push(self.places[node as usize]),
            Some(split) => {
                self.exits_below(node + 1);
                self.exits_below(split.right);
            }
        }
    }

    /// The questions from a node on, of `depth` levels, in the order of [`super::questions::complete`]. Whatever is asked below a
    /// leaf leads to the leaf.
    fn complete(&mut self, node: u32, depth: u32) {
        if depth == 0 {
            self.program.exits.push(self.places[node as usize]);
            return;
        }
        let split = self.upper.split(self.tree, node);
        let ask = split.map_or(Ask { column: 0, cut: 0 }, |split| self.ask(split));
        let [left, right] = split.map_or([node; 2], |split| [node + 1, split.right]);
        if depth <= LOWER_LEVELS {
            self.program.asks.push(ask);
        }
        self.complete(left, depth - 1);
        self.complete(right, depth - 1);
        if depth > LOWER_LEVELS {
            self.program.asks.push(ask);
        }
    }

    /// The questions from a node on, for a tree whose exits begin at `first`.
    fn divided(&mut self, node: u32, first: usize) {
        let number = |exits: &[u32]| four((exits.len() - first) as u8);
        match self.upper.split(self.tree, node) {
            None => self.program.exits.push(self.places[node as usize]),
            Some(split) => {
                let at = self.program.divides.len();
                let (ask, here) = (self.ask(split), number(&self.program.exits));
                self.program.divides.push(Divide { ask, here, right: 0 });
                self.divided(node + 1, first);
                self.program.divides[at].right = number(&self.program.exits);
                self.divided(split.right, first);
            }
        }
    }

    fn ask(&mut self, split: &Split<T>) -> Ask {
        let place = self.group.place(split);
        let cuts = &self.group.columns[place].cuts;
        let offset = |place: usize| (place * self.program.stride()) as u32;
        match &split.question {
            Question::Above(cut, _) => Ask { column: offset(place), cut: four(cuts.place(*cut) ^ self.bias) },
            Question::In(runs) => {
                // Of the numbers with a code, the cut above them is one; the code above all cuts is NaN's.
                let has = |code: u8| cuts.sorted().get(usize::from(code)).map_or(runs.nan, |&cut| runs.accepts(cut));
                let answers = offset(self.group.columns.len() + self.program.sets.len() - self.first_set);
                let set = CodeSet::new(self.bias, has);
                self.program.sets.push(AskSet { column: offset(place), answers, set });
                Ask { column: answers, cut: four(self.bias) }
            }
        }
    }
}
