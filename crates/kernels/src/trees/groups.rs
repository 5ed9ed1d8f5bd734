//! Trees that share the codes of their features.
//!
//! A code is a byte, so that a feature may have 255 cuts. When the cuts of the trees so far and the next one's do not fit, a
//! new group begins and features are coded anew. That costs less than a handful of trees, and trees stay in their order.

use std::collections::BTreeMap;
use std::ops::Range;

use super::canonical::{Split, Tree, columns_of, place_of};
use super::codes::{CUTS_MAX, Cuts};
use super::runs;
use super::upper::Upper;
use crate::real::Real;

/// Trees that share codes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group<T> {
    pub(super) trees: Range<usize>,
    /// In the order of their places.
    pub(super) columns: Vec<Column<T>>,
    /// The feature of each, and whether NaN is above its cuts.
    asked: Vec<(u32, bool)>,
}

/// A feature's codes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column<T> {
    pub(super) feature: u32,
    /// The code of NaN: below all cuts or above them.
    pub(super) nan: u8,
    pub(super) cuts: Cuts<T>,
}

/// Divides trees, of which these parts are asked by codes, among groups.
pub(super) fn groups<T: Real>(trees: &[Tree<T>], uppers: &[Upper<T>]) -> Vec<Group<T>> {
    let mut groups = Vec::new();
    let mut first = 0;
    let mut cuts = BTreeMap::new();
    for (at, upper) in uppers.iter().enumerate() {
        if !add(&mut cuts, upper) {
            groups.push(Group::new(first..at, &cuts, trees, uppers));
            first = at;
            cuts.clone_from(&upper.cuts);
        }
    }
    groups.push(Group::new(first..trees.len(), &cuts, trees, uppers));
    groups
}

/// Adds the cuts of a tree, unless some feature had too many then.
fn add<T: Real>(cuts: &mut BTreeMap<u32, Vec<T>>, upper: &Upper<T>) -> bool {
    let mut changed = Vec::new();
    for (feature, more) in &upper.cuts {
        let known = cuts.get(feature).map_or(&[][..], Vec::as_slice);
        let is_known = |cut: T| known.get(known.partition_point(|&other| other < cut)) == Some(&cut);
        let new: Vec<T> = more.iter().copied().filter(|&cut| !is_known(cut)).collect();
        if known.len() + new.len() > CUTS_MAX {
            return false;
        }
        if !new.is_empty() {
            let mut all = [known, &new].concat();
            runs::sort(&mut all);
            changed.push((*feature, all));
        }
    }
    cuts.extend(changed);
    true
}

impl<T: Real> Group<T> {
    fn new(trees: Range<usize>, cuts: &BTreeMap<u32, Vec<T>>, all: &[Tree<T>], uppers: &[Upper<T>]) -> Self {
        let asked = columns_of(trees.clone().flat_map(|at| uppers[at].splits(&all[at])));
        let column = |&(feature, nan_is_above): &(u32, bool)| {
            let cuts = Cuts::new(cuts.get(&feature).cloned().unwrap_or_default());
            Column { feature, nan: if nan_is_above { cuts.count() } else { 0 }, cuts }
        };
        Self { trees, columns: asked.iter().map(column).collect(), asked }
    }

    /// The place of the codes that a split asks.
    pub(super) fn place(&self, split: &Split<T>) -> usize {
        place_of(&self.asked, split)
    }
}
