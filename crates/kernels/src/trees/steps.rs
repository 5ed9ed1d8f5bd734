//! Going down: each row's next node is selected, not jumped to.
//!
//! This is the form for a single row, for which there is nothing to share, and for the lower part of trees that are too large
//! to ask all of their questions. A processor guesses wrong at about every other branch of a tree; here the only jumps are
//! those of the loops, and the steps of [`LANES`] ways overlap. A leaf leads to itself, so ways may end at different levels.
//!
//! Numbers are compared as integers in the same order, their *keys*, where NaN is the least or the greatest of all: it takes
//! its way without a thought.

use super::canonical::{Place, Question, Split, Tree, columns_of, place_of};
use crate::real::Real;

/// Ways that go down together.
const LANES: usize = 16;

/// As many, for the trees of a row that are left over.
const LANES_FEW: usize = 4;

/// Set in [`Step::column`] when the step asks for a set.
const IN_SET: u32 = 1 << 31;

/// The nodes of all trees.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Steps<T: Real> {
    /// Siblings stand side by side, and what is below them close behind.
    steps: Vec<Step<T::Key>>,
    /// For each step that is a leaf, which leaf of all trees' it is.
    leaves: Vec<u32>,
    roots: Vec<Root>,
    /// The features that are asked for, and whether their NaN is above all cuts.
    columns: Vec<(u32, bool)>,
    /// For each step the set it asks for; empty if none does.
    set_of: Vec<u32>,
    sets: Vec<KeySet<T::Key>>,
}

/// A node. A leaf has itself as its next node, and no key is above its cut.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step<K> {
    cut: K,
    column: u32,
    /// The left child; the right one stands behind it.
    next: u32,
}

/// Where a tree begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Root {
    pub(super) step: u32,
    /// Steps on the longest way.
    pub(super) depth: u32,
}

/// As `Runs`, of keys.
#[derive(Debug, Clone, PartialEq)]
struct KeySet<K> {
    starts: bool,
    cuts: Vec<K>,
}

/// The keys of some rows, all columns of a row side by side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys<'a, K> {
    pub(super) keys: &'a [K],
    /// From one way's row to the next one's.
    pub(super) stride: usize,
}

impl<T: Real> Steps<T> {
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.steps[..])
            + size_of_val(&self.leaves[..])
            + size_of_val(&self.set_of[..])
            + size_of_val(&self.sets[..])
    }

    /// The steps of these trees, and where each of the trees' nodes went; `None` when there are too many.
    pub(super) fn of(trees: &[Tree<T>]) -> Option<(Self, Vec<Vec<u32>>)> {
        let nodes: usize = trees.iter().map(|tree| tree.nodes.len()).sum();
        u32::try_from(nodes).ok()?;
        let splits = || trees.iter().flat_map(|tree| &tree.nodes).filter_map(Place::split);
        let leaf = Step { cut: T::KEY_MAX, column: 0, next: 0 };
        let mut all = Self {
            steps: Vec::with_capacity(nodes),
            leaves: vec![u32::MAX; nodes],
            roots: Vec::with_capacity(trees.len()),
            columns: columns_of(splits()),
            set_of: if splits().any(Split::is_set) { vec![0; nodes] } else { Vec::new() },
            sets: Vec::new(),
        };
        let mut leaf_count = 0;
        let mut places = Vec::with_capacity(trees.len());
        for tree in trees {
            let root = all.steps.len() as u32;
            all.steps.resize(all.steps.len() + tree.nodes.len(), leaf);
            all.roots.push(Root { step: root, depth: tree.depth() as u32 });
            let steps = step_places(tree, root);
            for (node, &step) in tree.nodes.iter().zip(&steps) {
                all.steps[step as usize] = match node {
                    Place::Split(split) => all.step(split, step, steps[split.right as usize] - 1),
                    Place::Leaf(_) => {
                        all.leaves[step as usize] = leaf_count;
                        leaf_count += 1;
                        Step { next: step, ..leaf }
                    }
                };
            }
            places.push(steps);
        }
        Some((all, places))
    }

    fn step(&mut self, split: &Split<T>, step: u32, next: u32) -> Step<T::Key> {
        let column = place_of(&self.columns, split) as u32;
        match &split.question {
            Question::Above(cut, _) => Step { cut: cut.key(false), column, next },
            Question::In(runs) => {
                let mut cuts: Vec<T::Key> = runs.cuts.iter().map(|cut| cut.key(false)).collect();
                // NaN is above infinity.
                let ends = runs.starts ^ (cuts.len() % 2 == 1);
                if ends != runs.nan {
                    cuts.push(T::INFINITY.key(false));
                }
                self.set_of[step as usize] = self.sets.len() as u32;
                self.sets.push(KeySet { starts: runs.starts, cuts });
                Step { cut: T::KEY_MAX, column: column | IN_SET, next }
            }
        }
    }

    /// Where the trees begin, in their order.
    pub(super) fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// Which leaf a step is.
    pub(super) fn leaf(&self, step: u32) -> u32 {
        self.leaves[step as usize]
    }

    /// Keys per row.
    pub(super) fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Writes the keys of some rows, beginning with the row `start`.
    pub(super) fn write_keys(&self, columns: &[&[T]], start: usize, keys: &mut [T::Key]) {
        let width = self.columns.len();
        for (column, &(feature, nan_is_above)) in self.columns.iter().enumerate() {
            let values = &columns[feature as usize][start..];
            for (keys, x) in keys.chunks_exact_mut(width).zip(values) {
                keys[column] = x.key(nan_is_above);
            }
        }
    }

    /// Writes the keys of one row.
    pub(super) fn write_row_keys(&self, columns: &[&[T]], row: usize, keys: &mut [T::Key]) {
        for (key, &(feature, nan_is_above)) in keys.iter_mut().zip(&self.columns) {
            *key = columns[feature as usize][row].key(nan_is_above);
        }
    }

    /// Shows the leaf that a row of these keys comes to in each tree.
    #[inline(always)]
    pub(super) fn descend_row(&self, keys: &[T::Key], mut show: impl FnMut(usize, u32)) {
        assert!(keys.len() >= self.columns.len(), "a key for each column");
        let (many, few) = self.roots.as_chunks::<LANES>();
        for (chunk, roots) in many.iter().enumerate() {
            self.descend_trees(chunk * LANES, roots, roots, keys, &mut show);
        }
        for (chunk, trees) in few.chunks(LANES_FEW).enumerate() {
            // Lanes without a tree of their own go with the first one.
            let mut roots = [trees[0]; LANES_FEW];
            roots[..trees.len()].copy_from_slice(trees);
            self.descend_trees(many.len() * LANES + chunk * LANES_FEW, trees, &roots, keys, &mut show);
        }
    }

    /// [`Self::descend_row`] for `trees` from `first` on, whose roots come first in `roots`.
    #[inline(always)]
    fn descend_trees<const N: usize>(
        &self,
        first: usize,
        trees: &[Root],
        roots: &[Root; N],
        keys: &[T::Key],
        show: &mut impl FnMut(usize, u32),
    ) {
        let mut at = roots.map(|root| root.step);
        let depth = roots.iter().map(|root| root.depth).max().unwrap_or(0);
        // SAFETY: roots are steps, and there is a key for each column.
        unsafe {
            match self.sets.is_empty() {
                true => self.walk::<N, false>(&mut at, depth, keys, |_| 0),
                false => self.walk::<N, true>(&mut at, depth, keys, |_| 0),
            }
        }
        at[..trees.len()].iter().zip(first..).for_each(|(&step, tree)| show(tree, self.leaf(step)));
    }

    /// Takes every way to its leaf, at most `depth` steps down.
    pub(super) fn descend(&self, ways: &mut [u32], depth: u32, keys: Keys<'_, T::Key>) {
        if self.columns.is_empty() {
            return;
        }
        let end = ways.len().saturating_sub(1) * keys.stride + self.columns.len();
        assert!(keys.keys.len() >= end, "a key for each column and way");
        for (chunk, ways) in ways.chunks_mut(LANES).enumerate() {
            // Lanes without a way of their own go with the first one.
            let mut lanes = [ways[0]; LANES];
            lanes[..ways.len()].copy_from_slice(ways);
            assert!(lanes.iter().all(|&step| (step as usize) < self.steps.len()), "ways begin at steps");
            let first = chunk * LANES * keys.stride;
            let rows: [usize; LANES] =
                std::array::from_fn(|lane| first + if lane < ways.len() { lane * keys.stride } else { 0 });
            // SAFETY: all ways begin at steps, and for each there is a key for each column.
            unsafe {
                match self.sets.is_empty() {
                    true => self.walk::<LANES, false>(&mut lanes, depth, keys.keys, |lane| rows[lane]),
                    false => self.walk::<LANES, true>(&mut lanes, depth, keys.keys, |lane| rows[lane]),
                }
            }
            ways.copy_from_slice(&lanes[..ways.len()]);
        }
    }

    /// # Safety
    /// `at` are steps, and from the `row` of each lane on there is a key for each column.
    #[inline(always)]
    unsafe fn walk<const N: usize, const HAS_SETS: bool>(
        &self,
        at: &mut [u32; N],
        depth: u32,
        keys: &[T::Key],
        row: impl Fn(usize) -> usize,
    ) {
        for _ in 0..depth {
            let mut moved = 0;
            for (lane, at) in at.iter_mut().enumerate() {
                // SAFETY: the first step is one by the caller's promise, and each leads to steps.
                let step = unsafe { self.steps.get_unchecked(*at as usize) };
                let column = if HAS_SETS { step.column & !IN_SET } else { step.column };
                // SAFETY: the caller's promise, and the column of a step is one of all columns.
                let key = unsafe { *keys.get_unchecked(row(lane) + column as usize) };
                let goes_right = match HAS_SETS && step.column & IN_SET != 0 {
                    true => self.sets[self.set_of[*at as usize] as usize].accepts(key),
                    false => key > step.cut,
                };
                let next = step.next + u32::from(goes_right);
                moved |= next ^ *at;
                *at = next;
            }
            if moved == 0 {
                break;
            }
        }
    }
}

impl<K: Ord + Copy> KeySet<K> {
    fn accepts(&self, key: K) -> bool {
        self.starts ^ (self.cuts.partition_point(|cut| *cut < key) % 2 == 1)
    }
}

/// The step of each node of a tree whose root is the step `root`: children side by side, subtrees together.
fn step_places<T>(tree: &Tree<T>, root: u32) -> Vec<u32> {
    let mut places = vec![root; tree.nodes.len()];
    let mut next = root + 1;
    // Nodes are in the order in which their children are due.
    for (at, node) in tree.nodes.iter().enumerate() {
        if let Place::Split(split) = node {
            places[at + 1] = next;
            places[split.right as usize] = next + 1;
            next += 2;
        }
    }
    places
}
