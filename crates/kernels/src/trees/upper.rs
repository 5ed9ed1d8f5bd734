//! The part of a tree that is asked of all rows at once.

use std::collections::{BTreeMap, BinaryHeap};

use super::canonical::{Place, Question, Split, Tree};
use super::codes::CUTS_MAX;
use super::runs;
use crate::real::Real;

/// Exits are numbered by a byte.
const EXITS_MAX: usize = 256;
/// Exits of the upper part of a tree that has more leaves.
const UPPER_EXITS: usize = 256;

/// Some splits of a tree, each of them below another one of them or the root.
#[derive(Debug)]
pub(super) struct Upper<T> {
    /// For each node, whether it is one of these splits.
    asked: Vec<bool>,
    /// The cuts of each feature, sorted and distinct.
    pub(super) cuts: BTreeMap<u32, Vec<T>>,
}

impl<T: Real> Upper<T> {
    /// All splits of a tree, or the best ones: those with the most leaves below them.
    pub(super) fn of(tree: &Tree<T>) -> Self {
        let splits = tree.nodes.len() / 2;
        match Self::whole(tree).filter(|_| splits < EXITS_MAX) {
            Some(whole) => whole,
            None => Self::best(tree, if splits < EXITS_MAX { EXITS_MAX } else { UPPER_EXITS }),
        }
    }

    /// All splits, if no feature has too many cuts.
    fn whole(tree: &Tree<T>) -> Option<Self> {
        let mut cuts: BTreeMap<u32, Vec<T>> = BTreeMap::new();
        for split in tree.nodes.iter().filter_map(Place::split) {
            add_cuts(cuts.entry(split.feature).or_default(), split);
        }
        cuts.values_mut().for_each(runs::sort);
        let fits = cuts.values().all(|cuts| cuts.len() <= CUTS_MAX);
        fits.then(|| Self { asked: tree.nodes.iter().map(|place| place.split().is_some()).collect(), cuts })
    }

    /// The splits with the most leaves below them, as many as there may be exits.
    fn best(tree: &Tree<T>, exits_max: usize) -> Self {
        let leaf_counts = tree.leaf_counts();
        let mut upper = Self { asked: vec![false; tree.nodes.len()], cuts: BTreeMap::new() };
        let mut waiting = BinaryHeap::from([(leaf_counts[0], 0)]);
        let mut exits = 1;
        while let Some((_, node)) = waiting.pop().filter(|_| exits < exits_max) {
            let Some(split) = tree.nodes[node as usize].split() else { continue };
            let mut cuts = upper.cuts.get(&split.feature).cloned().unwrap_or_default();
            add_cuts(&mut cuts, split);
            runs::sort(&mut cuts);
            if cuts.len() > CUTS_MAX {
                continue;
            }
            upper.cuts.insert(split.feature, cuts);
            upper.asked[node as usize] = true;
            exits += 1;
            waiting.extend([node + 1, split.right].map(|child| (leaf_counts[child as usize], child)));
        }
        upper
    }

    /// The split at a node, if it is one of these.
    pub(super) fn split<'a>(&self, tree: &'a Tree<T>, node: u32) -> Option<&'a Split<T>> {
        tree.nodes[node as usize].split().filter(|_| self.asked[node as usize])
    }

    /// All of these splits.
    pub(super) fn splits<'a>(&'a self, tree: &'a Tree<T>) -> impl Iterator<Item = &'a Split<T>> {
        (0..tree.nodes.len() as u32).filter_map(|node| self.split(tree, node))
    }

    /// Whether these are all splits of the tree.
    pub(super) fn is_whole(&self, tree: &Tree<T>) -> bool {
        self.splits(tree).count() == tree.nodes.len() / 2
    }
}

fn add_cuts<T: Real>(cuts: &mut Vec<T>, split: &Split<T>) {
    match &split.question {
        Question::Above(cut, _) => cuts.push(*cut),
        Question::In(runs) => {
            cuts.extend(&runs.cuts);
            // No number is above infinity, so that the code there is NaN's alone.
            cuts.push(T::INFINITY);
        }
    }
}
