//! Some columns of a product, for strips of a few rows at a time.

use super::{LANES_MAX, VECTORS_MAX};
use crate::vector::{Loops, Vector};

/// Rows of a strip at most. With three vectors of sums for each, the sums, the vectors of columns and one number of a row fill
/// 32 registers. Where there are 16, four rows would fill them as well, but the compiler then keeps a sum in memory: three
/// rows are twice as fast.
const ROWS_MAX: usize = 8;

/// Columns that are computed together at most.
const COLUMNS_MAX: usize = VECTORS_MAX * LANES_MAX;

/// What some features contribute to some columns of some rows.
pub(super) struct Strips<'a> {
    /// Each row's features, `left_stride` behind those of the one before.
    pub(super) left: &'a [f32],
    pub(super) left_stride: usize,
    /// Each feature's numbers of all columns, `right_stride` behind those of the one before.
    pub(super) right: &'a [f32],
    pub(super) right_stride: usize,
    /// Each row's sums, `result_stride` behind those of the one before.
    pub(super) result: &'a mut [f32],
    pub(super) result_stride: usize,
    pub(super) rows: usize,
    /// Number of features.
    pub(super) depth: usize,
    /// Vectors that the columns fill.
    pub(super) vectors: usize,
    /// Columns that there are.
    pub(super) width: usize,
}

impl Loops for Strips<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(mut self) {
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

impl Strips<'_> {
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
        let (left_stride, right_stride) = (self.left_stride, self.right_stride);
        let left = &self.left[row * left_stride..][..(N - 1) * left_stride + self.depth];
        let right = &self.right[..self.depth.saturating_sub(1) * right_stride + R * V::LANES];
        let (target, stride) = match tile {
            Some(tile) => (&mut tile[..], COLUMNS_MAX),
            None => (&mut self.result[row * self.result_stride..], self.result_stride),
        };
        let target = &mut target[..(N - 1) * stride + R * V::LANES];
        // SAFETY: the caller has the instructions; the slices have the lengths that are read and written.
        unsafe {
            let mut sums = [[V::all(0.0); R]; N];
            let (mut factors, mut columns) = (left.as_ptr(), right.as_ptr());
            for _ in 0..self.depth {
                let numbers: [V; R] = std::array::from_fn(|r| V::load(columns.add(r * V::LANES)));
                for (n, sums) in sums.iter_mut().enumerate() {
                    let factor = V::all(*factors.add(n * left_stride));
                    for (sum, &number) in sums.iter_mut().zip(&numbers) {
                        *sum = sum.plus_product(number, factor);
                    }
                }
                factors = factors.wrapping_add(1);
                columns = columns.wrapping_add(right_stride);
            }
            for (n, sums) in sums.iter().enumerate() {
                for (r, sum) in sums.iter().enumerate() {
                    let target = target.as_mut_ptr().add(n * stride + r * V::LANES);
                    V::load(target).plus(*sum).store(target);
                }
            }
        }
    }
}
