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

/// Rows of a strip at most. With three vectors of sums for each, the sums, the vectors of columns and one number of a row fill
/// 32 registers. Where there are 16, four rows would fill them as well, but the compiler then keeps a sum in memory: three
/// rows are twice as fast.
const ROWS_MAX: usize = 8;

/// Columns that are computed together at most.
const COLUMNS_MAX: usize = VECTORS_MAX * LANES_MAX;

/// What some features contribute to some columns of some rows.
pub(crate) struct Strips<'a, F> {
    /// Each row's features, `left_stride` behind those of the one before.
    pub(crate) left: &'a [f32],
    pub(crate) left_stride: usize,
    /// The numbers of all columns for each feature, which begin where `features` says.
    pub(crate) right: &'a [f32],
    pub(crate) features: F,
    /// Each row's sums, `result_stride` behind those of the one before.
    pub(crate) result: &'a mut [f32],
    pub(crate) result_stride: usize,
    /// What the sums of each row are added to, instead of those that are there.
    pub(crate) first: Option<&'a [f32]>,
    pub(crate) rows: usize,
    /// Number of features.
    pub(crate) depth: usize,
    /// Vectors that the columns fill.
    pub(crate) vectors: usize,
    /// Columns that there are.
    pub(crate) width: usize,
}

impl<F: Features> Loops for Strips<'_, F> {
    #[inline(always)]
    unsafe fn run<V: Vector>(mut self) {
        let end = self.features.last(self.depth).checked_add(self.vectors * V::LANES);
        assert!(end.is_some_and(|end| end <= self.right.len()), "all columns of all features");
        assert!((1..=VECTORS_MAX).contains(&self.vectors), "some vectors of columns");
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

impl<F: Features> Strips<'_, F> {
    /// # Safety
    /// The processor has the instructions of `V`.
    #[inline(always)]
    unsafe fn all_rows<V: Vector, const R: usize>(&mut self) {
        let mut row = 0;
        while row < self.rows {
            // SAFETY: the caller has the instructions.
            row += unsafe {
                match self.rows - row {
                    1 => self.strip::<V, R, 1>(row),
                    2 => self.strip::<V, R, 2>(row),
                    ROWS_MAX.. if V::MANY => self.strip::<V, R, ROWS_MAX>(row),
                    4.. if V::MANY || R < VECTORS_MAX => self.strip::<V, R, 4>(row),
                    _ => self.strip::<V, R, 3>(row),
                }
            };
        }
    }

    /// `N` rows from this one on; their number.
    ///
    /// # Safety
    /// The processor has the instructions of `V`.
    #[inline(always)]
    unsafe fn strip<V: Vector, const R: usize, const N: usize>(&mut self, row: usize) -> usize {
        let (width, stride) = (self.width, self.result_stride);
        let start = row * stride;
        if width == R * V::LANES {
            // SAFETY: the caller has the instructions.
            unsafe { self.add::<V, R, N>(row, None) };
            return N;
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
        N
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
        let left_stride = self.left_stride;
        let left = &self.left[row * left_stride..][..(N - 1) * left_stride + self.depth];
        let first = self.first.map(|first| &first[row..][..N]);
        let (target, stride) = match tile {
            Some(tile) => (&mut tile[..], COLUMNS_MAX),
            None => (&mut self.result[row * self.result_stride..], self.result_stride),
        };
        let target = &mut target[..(N - 1) * stride + R * V::LANES];
        // SAFETY: the caller has the instructions; the slices have the lengths that are read and written, and `run` has seen
        // to it that all columns of all features are there.
        unsafe {
            let mut sums = [[V::all(0.0); R]; N];
            let mut factors = left.as_ptr();
            for feature in 0..self.depth {
                let columns = self.right.as_ptr().add(self.features.start(feature));
                let numbers: [V; R] = std::array::from_fn(|r| V::load(columns.add(r * V::LANES)));
                for (n, sums) in sums.iter_mut().enumerate() {
                    let factor = V::all(*factors.add(n * left_stride));
                    for (sum, &number) in sums.iter_mut().zip(&numbers) {
                        *sum = sum.plus_product(number, factor);
                    }
                }
                factors = factors.wrapping_add(1);
            }
            for (n, sums) in sums.iter().enumerate() {
                for (r, sum) in sums.iter().enumerate() {
                    let target = target.as_mut_ptr().add(n * stride + r * V::LANES);
                    let before = match first {
                        Some(first) => V::all(first[n]),
                        None => V::load(target),
                    };
                    before.plus(*sum).store(target);
                }
            }
        }
    }
}
