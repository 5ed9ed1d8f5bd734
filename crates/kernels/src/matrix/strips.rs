//! Some columns of a product, for strips of a few rows at a time: those of a matrix, or of what a convolution sees of a picture.

use super::{LANES_MAX, VECTORS_MAX};
use crate::vector::{Loops, Vector};

/// Where each feature's numbers of all columns begin.
pub(crate) trait Features: Copy {
    /// Where those of a feature do.
    fn start(self, feature: usize) -> usize;

    /// The last place where some of so many features do.
    fn last(self, depth: usize) -> usize;
}

/// So many numbers behind those of the feature before.
#[derive(Clone, Copy)]
pub(crate) struct Even(pub(crate) usize);

impl Features for Even {
    #[inline(always)]
    fn start(self, feature: usize) -> usize {
        feature * self.0
    }

    #[inline(always)]
    fn last(self, depth: usize) -> usize {
        depth.saturating_sub(1) * self.0
    }
}

/// At any place.
#[derive(Clone, Copy)]
pub(crate) struct Anywhere<'a>(pub(crate) &'a [usize]);

impl Features for Anywhere<'_> {
    #[inline(always)]
    fn start(self, feature: usize) -> usize {
        self.0[feature]
    }

    #[inline(always)]
    fn last(self, depth: usize) -> usize {
        self.0[..depth].iter().copied().max().unwrap_or(0)
    }
}

/// Where a row's numbers of all features lie.
pub(crate) trait Rows: Copy {
    /// Where those of a row begin.
    fn row(self, row: usize) -> usize;

    /// How far behind that the number of a feature is.
    fn feature(self, feature: usize) -> usize;

    /// The last place of so many rows and features.
    fn last(self, rows: usize, depth: usize) -> usize;
}

/// One behind the other, so many numbers behind those of the row before.
#[derive(Clone, Copy)]
pub(crate) struct Every(pub(crate) usize);

impl Rows for Every {
    #[inline(always)]
    fn row(self, row: usize) -> usize {
        row * self.0
    }

    #[inline(always)]
    fn feature(self, feature: usize) -> usize {
        feature
    }

    #[inline(always)]
    fn last(self, rows: usize, depth: usize) -> usize {
        (rows - 1) * self.0 + depth - 1
    }
}

/// What a kernel sees: a number for each cell behind each place.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) places: &'a [usize],
    pub(crate) cells: &'a [usize],
}

impl Rows for Seen<'_> {
    #[inline(always)]
    fn row(self, row: usize) -> usize {
        self.places[row]
    }

    #[inline(always)]
    fn feature(self, feature: usize) -> usize {
        self.cells[feature]
    }

    #[inline(always)]
    fn last(self, rows: usize, depth: usize) -> usize {
        let greatest = |numbers: &[usize]| numbers.iter().copied().max().unwrap_or(0);
        greatest(&self.places[..rows]) + greatest(&self.cells[..depth])
    }
}

/// What the sums of a product are added to.
#[derive(Clone, Copy)]
pub(crate) enum First<'a> {
    /// What is there.
    Result,
    /// A number for each row.
    Rows(&'a [f32]),
    /// A number for each column, as many as vectors hold.
    Columns(&'a [f32]),
}

/// Rows of a strip at most. With three vectors of sums for each, the sums, the vectors of columns and one number of a row fill
/// 32 registers. Where there are 16, four rows would fill them as well, but the compiler then keeps a sum in memory: three
/// rows are twice as fast.
const ROWS_MAX: usize = 8;

/// The same where there are 16 registers, for two vectors.
const FEW_ROWS_MAX: usize = 4;

/// Columns that are computed together at most.
const COLUMNS_MAX: usize = VECTORS_MAX * LANES_MAX;

/// What some features contribute to some columns of some rows.
pub(crate) struct Strips<'a, L, F> {
    /// The numbers of all features for each row, which lie where `left_rows` says.
    pub(crate) left: &'a [f32],
    pub(crate) left_rows: L,
    /// The numbers of all columns for each feature, which begin where `features` says.
    pub(crate) right: &'a [f32],
    pub(crate) features: F,
    /// Each row's sums, `result_stride` behind those of the one before.
    pub(crate) result: &'a mut [f32],
    pub(crate) result_stride: usize,
    /// What the sums are added to.
    pub(crate) first: First<'a>,
    pub(crate) rows: usize,
    /// Number of features, at least one.
    pub(crate) depth: usize,
    /// Vectors that the columns fill.
    pub(crate) vectors: usize,
    /// Columns that there are.
    pub(crate) width: usize,
}

impl<L: Rows, F: Features> Loops for Strips<'_, L, F> {
    #[inline(always)]
    unsafe fn run<V: Vector>(mut self) {
        let end = self.features.last(self.depth).checked_add(self.vectors * V::LANES);
        assert!(end.is_some_and(|end| end <= self.right.len()), "all columns of all features");
        assert!((1..=VECTORS_MAX).contains(&self.vectors), "some vectors of columns");
        assert!(self.rows > 0 && self.depth > 0, "some rows of some features");
        assert!(self.left_rows.last(self.rows, self.depth) < self.left.len(), "all features of all rows");
        // SAFETY: the caller has the instructions.
        unsafe {
            match self.vectors {
                1 => self.all_rows::<V, 1>(),
                2 => self.all_rows::<V, 2>(),
                _ => self.all_rows::<V, VECTORS_MAX>(),
            }
        }
    }
}

impl<L: Rows, F: Features> Strips<'_, L, F> {
    /// # Safety
    /// The processor has the instructions of `V`.
    #[inline(always)]
    unsafe fn all_rows<V: Vector, const R: usize>(&mut self) {
        let most = if V::MANY { ROWS_MAX } else { FEW_ROWS_MAX - usize::from(R == VECTORS_MAX) };
        let mut row = 0;
        while row < self.rows {
            let left = self.rows - row;
            // Strips of nearly the same number of rows: a last one of one or two would wait for its sums.
            let count = left.div_ceil(left.div_ceil(most));
            // SAFETY: the caller has the instructions.
            unsafe {
                match count {
                    1 => self.strip::<V, R, 1>(row),
                    2 => self.strip::<V, R, 2>(row),
                    3 => self.strip::<V, R, 3>(row),
                    5 if V::MANY => self.strip::<V, R, 5>(row),
                    6 if V::MANY => self.strip::<V, R, 6>(row),
                    7 if V::MANY => self.strip::<V, R, 7>(row),
                    ROWS_MAX if V::MANY => self.strip::<V, R, ROWS_MAX>(row),
                    _ => self.strip::<V, R, FEW_ROWS_MAX>(row),
                }
            }
            row += count;
        }
    }

    /// `N` rows from this one on.
    ///
    /// # Safety
    /// The processor has the instructions of `V`.
    #[inline(always)]
    unsafe fn strip<V: Vector, const R: usize, const N: usize>(&mut self, row: usize) {
        let (width, stride) = (self.width, self.result_stride);
        let start = row * stride;
        if width == R * V::LANES {
            // SAFETY: the caller has the instructions.
            return unsafe { self.add::<V, R, N>(row, None) };
        }
        // Vectors are wider than the columns: they are written to a place of their own.
        let mut tile = [0.0; ROWS_MAX * COLUMNS_MAX];
        for n in 0..N {
            tile[n * COLUMNS_MAX..][..width].copy_from_slice(&self.result[start + n * stride..][..width]);
        }
        // SAFETY: the caller has the instructions.
        unsafe { self.add::<V, R, N>(row, Some(&mut tile)) };
        for n in 0..N {
            self.result[start + n * stride..][..width].copy_from_slice(&tile[n * COLUMNS_MAX..][..width]);
        }
    }

    /// Adds the sums of `N` rows to the result, or to a tile that has its numbers.
    ///
    /// # Safety
    /// The processor has the instructions of `V`.
    #[inline(always)]
    unsafe fn add<V: Vector, const R: usize, const N: usize>(
        &mut self,
        row: usize,
        tile: Option<&mut [f32; ROWS_MAX * COLUMNS_MAX]>,
    ) {
        const { assert!(N <= ROWS_MAX && R * V::LANES <= COLUMNS_MAX) };
        let (target, stride) = match tile {
            Some(tile) => (&mut tile[..], COLUMNS_MAX),
            None => (&mut self.result[row * self.result_stride..], self.result_stride),
        };
        let target = &mut target[..(N - 1) * stride + R * V::LANES];
        let columns_first = match self.first {
            First::Columns(numbers) => Some(&numbers[..R * V::LANES]),
            First::Rows(_) | First::Result => None,
        };
        // SAFETY: the caller has the instructions; the target and the first numbers have the lengths that are read and written,
        // and `run` has seen to it that all rows and columns of all features are there.
        unsafe {
            let rows: [*const f32; N] = std::array::from_fn(|n| self.left.as_ptr().add(self.left_rows.row(row + n)));
            let mut sums = [[V::all(0.0); R]; N];
            for feature in 0..self.depth {
                let columns = self.right.as_ptr().add(self.features.start(feature));
                let numbers: [V; R] = std::array::from_fn(|r| V::load(columns.add(r * V::LANES)));
                let place = self.left_rows.feature(feature);
                for (row, sums) in rows.iter().zip(&mut sums) {
                    let factor = V::all(*row.add(place));
                    for (sum, &number) in sums.iter_mut().zip(&numbers) {
                        *sum = sum.plus_product(number, factor);
                    }
                }
            }
            for (n, sums) in sums.iter().enumerate() {
                for (r, sum) in sums.iter().enumerate() {
                    let target = target.as_mut_ptr().add(n * stride + r * V::LANES);
                    let before = match (self.first, columns_first) {
                        (First::Rows(numbers), _) => V::all(numbers[row + n]),
                        (_, Some(numbers)) => V::load(numbers.as_ptr().add(r * V::LANES)),
                        _ => V::load(target),
                    };
                    before.plus(*sum).store(target);
                }
            }
        }
    }
}
