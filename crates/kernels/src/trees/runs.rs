//! Where a test says yes: runs of neighbouring numbers.
//!
//! Every test of a branch, a set as much as a comparison, divides the numbers at a few cuts, and between two cuts its answer
//! does not change. That makes all tests one thing, which can be asked of a value or, the cuts being known, of its code.

use super::{Branch, Test, TreeParts};
use crate::real::Real;

/// The answer to a yes-or-no question about a number, in all cases.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Runs<T> {
    /// The answer for the least number.
    pub(super) starts: bool,
    /// Sorted and distinct; the answer changes above each.
    pub(super) cuts: Vec<T>,
    /// The answer for NaN.
    pub(super) nan: bool,
}

impl<T: Real> Runs<T> {
    /// What a branch asks.
    pub(super) fn of(branch: &Branch<T>, parts: &TreeParts<T>) -> Self {
        let accepts = |x| branch.test.accepts(x, &parts.members, &parts.category_bits);
        let nan = branch.missing_tracks_true | accepts(T::NAN);
        match branch.test {
            Test::Leq(threshold) | Test::Gt(threshold) => Self::between(vec![threshold], accepts, nan),
            Test::Lt(threshold) | Test::Gte(threshold) => Self::between(vec![threshold.next_down()], accepts, nan),
            Test::Eq(threshold) | Test::Neq(threshold) => {
                Self::between(vec![threshold.next_down(), threshold], accepts, nan)
            }
            // A set of many values: to try each value against all others would take too long.
            Test::Member { first, count } => {
                let values = &parts.members[first as usize..][..count as usize];
                let each = |&value: &T| Self::between(vec![value.next_down(), value], |x| x == value, nan);
                Self { nan, ..Self::union(values.iter().map(each)) }
            }
            Test::IntegerMember { first, count } => {
                let values = &parts.members[first as usize..][..count as usize];
                let mut cuts: Vec<T> = values.iter().flat_map(|&value| cuts_of_integer(value)).collect();
                // What is too large for the integer counts as the least one.
                cuts.push(T::from_count(1 << 31).next_down());
                Self::between(cuts, accepts, nan)
            }
            Test::Category { first, count } => {
                let words = &parts.category_bits[first as usize..][..count as usize];
                Self::between(cuts_of_categories(words), accepts, nan)
            }
        }
    }

    /// The answer of `accepts`, which changes at some of the `cuts` and nowhere else.
    fn between(mut cuts: Vec<T>, accepts: impl Fn(T) -> bool, nan: bool) -> Self {
        cuts.retain(|cut| !cut.is_nan());
        sort(&mut cuts);
        // Up to a cut and with it, the answer is that for the cut; above the last it is that for infinity.
        let starts = accepts(cuts.first().copied().unwrap_or(T::INFINITY));
        let mut answer = starts;
        let mut changes = Vec::new();
        for (at, &cut) in cuts.iter().enumerate() {
            let above = accepts(cuts.get(at + 1).copied().unwrap_or(T::INFINITY));
            if above != answer && cut < T::INFINITY {
                changes.push(cut);
                answer = above;
            }
        }
        Self { starts, cuts: changes, nan }
    }

    /// Whether one of them says yes.
    pub(super) fn union(all: impl IntoIterator<Item = Self>) -> Self {
        let (mut count, mut nan) = (0i64, false);
        let mut changes: Vec<(T, i64)> = Vec::new();
        for runs in all {
            nan |= runs.nan;
            count += i64::from(runs.starts);
            let mut answer = runs.starts;
            for cut in runs.cuts {
                answer = !answer;
                changes.push((cut, if answer { 1 } else { -1 }));
            }
        }
        changes.sort_by(|a, b| order(&a.0, &b.0));
        let starts = count > 0;
        let mut answer = starts;
        let mut cuts = Vec::new();
        for (at, &(cut, change)) in changes.iter().enumerate() {
            count += change;
            let is_last_of_cut = changes.get(at + 1).is_none_or(|next| next.0 > cut);
            if is_last_of_cut && (count > 0) != answer {
                answer = !answer;
                cuts.push(cut);
            }
        }
        Self { starts, cuts, nan }
    }

    /// The answer for `x`.
    pub(super) fn accepts(&self, x: T) -> bool {
        if x.is_nan() { self.nan } else { self.starts ^ (self.cuts.partition_point(|&cut| cut < x) % 2 == 1) }
    }
}

/// Sorts numbers, none of them NaN, and drops what is there twice.
pub(super) fn sort<T: Real>(cuts: &mut Vec<T>) {
    cuts.sort_by(order);
    cuts.dedup();
}

fn order<T: Real>(a: &T, b: &T) -> std::cmp::Ordering {
    a.partial_cmp(b).expect("cuts are numbers")
}

/// Below and above what is cut to the integer `value`, or to its neighbours.
fn cuts_of_integer<T: Real>(value: T) -> [T; 5] {
    let next_up = |x: T| -(-x).next_down();
    [value - T::ONE, value.next_down(), value, (value + T::ONE).next_down(), next_up(value)]
}

/// Below the least number of each category that differs from the one before.
fn cuts_of_categories<T: Real>(words: &[u32]) -> Vec<T> {
    let mut cuts = vec![-T::ONE];
    let mut before = 0;
    for (at, &word) in words.iter().chain(&[0]).enumerate() {
        // A bit for each category of the word that differs from the one before it.
        let mut changes = word ^ (word << 1 | before);
        before = word >> 31;
        while changes != 0 {
            let category = at * 32 + changes.trailing_zeros() as usize;
            changes &= changes - 1;
            if category > 0 {
                // The count may be rounded down, and then the next number is the least of the category.
                let least = T::from_count(category);
                cuts.extend([least.next_down(), least]);
            }
        }
    }
    cuts
}
