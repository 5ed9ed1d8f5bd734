//! The product of two matrices of one type of number: `foretell-kernels` for single precision, plain loops for the others.

use foretell_kernels::matrix::{self, Product};

use crate::number::Number;

/// Rows and columns that plain loops compute together, in registers.
const TILE_ROWS: usize = 4;
const TILE_COLUMNS: usize = 8;

/// Extents of a product: `rows` × `depth` times `depth` × `columns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extents {
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    pub(crate) columns: usize,
}

impl Extents {
    pub(crate) fn work(&self) -> u64 {
        (self.rows as u64).saturating_mul(self.depth as u64).saturating_mul(self.columns as u64)
    }
}

/// A type of number that matrices are multiplied of.
pub(crate) trait Multiply: Sized {
    /// Adds the product of two matrices to `result`. An element's sum runs in one order whatever the rows around.
    fn add_product(left: &[Self], right: &[Self], extents: Extents, result: &mut [Self]);
}

impl Multiply for f32 {
    fn add_product(left: &[Self], right: &[Self], extents: Extents, result: &mut [Self]) {
        let Extents { rows, depth, columns } = extents;
        let product = &mut Product::new(matrix::Extents { rows, depth, columns });
        product.add(&left[..rows * depth], &right[..depth * columns], &mut result[..rows * columns]);
    }
}

macro_rules! plain {
    ($($native:ty),*) => {$(
        impl Multiply for $native {
            fn add_product(left: &[Self], right: &[Self], extents: Extents, result: &mut [Self]) {
                plain(left, right, extents, result);
            }
        }
    )*};
}

plain!(i8, i16, i32, i64, u8, u16, u32, u64, f64);

/// Adds the product of two matrices to `result`. Each element is a sum over the depth from the first to the last, so that
/// it does not depend on the rows around.
fn plain<T: Number>(left: &[T], right: &[T], extents: Extents, result: &mut [T]) {
    let Extents { depth, columns, .. } = extents;
    if depth == 0 || columns == 0 {
        return;
    }
    let mut panel = vec![[T::ZERO; TILE_COLUMNS]; depth];
    for column in (0..columns).step_by(TILE_COLUMNS) {
        let width = TILE_COLUMNS.min(columns - column);
        for (at, packed) in panel.iter_mut().enumerate() {
            packed[..width].copy_from_slice(&right[at * columns + column..][..width]);
        }
        let blocks = left.chunks(depth * TILE_ROWS).zip(result.chunks_mut(columns * TILE_ROWS));
        for (left, result) in blocks {
            let rows = left.len() / depth;
            if rows == TILE_ROWS {
                tile(left, &panel, &mut result[column..], columns, width);
            } else {
                for row in 0..rows {
                    line(&left[row * depth..][..depth], &panel, &mut result[row * columns + column..][..width]);
                }
            }
        }
    }
}

/// Four rows of one panel.
fn tile<T: Number>(left: &[T], panel: &[[T; TILE_COLUMNS]], result: &mut [T], columns: usize, width: usize) {
    let depth = panel.len();
    let mut sums = [[T::ZERO; TILE_COLUMNS]; TILE_ROWS];
    let (first, rest) = left.split_at(depth);
    let (second, rest) = rest.split_at(depth);
    let (third, fourth) = rest.split_at(depth);
    let rows = first.iter().zip(second).zip(third.iter().zip(fourth));
    for (packed, ((a, b), (c, d))) in panel.iter().zip(rows) {
        for (sums, factor) in sums.iter_mut().zip([a, b, c, d]) {
            for (sum, value) in sums.iter_mut().zip(packed) {
                *sum = sum.plus(factor.times(*value));
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        for (result, sum) in result[row * columns..][..width].iter_mut().zip(sums) {
            *result = result.plus(*sum);
        }
    }
}

fn line<T: Number>(left: &[T], panel: &[[T; TILE_COLUMNS]], result: &mut [T]) {
    let mut sums = [T::ZERO; TILE_COLUMNS];
    for (packed, factor) in panel.iter().zip(left) {
        for (sum, value) in sums.iter_mut().zip(packed) {
            *sum = sum.plus(factor.times(*value));
        }
    }
    for (result, sum) in result.iter_mut().zip(sums) {
        *result = result.plus(sum);
    }
}
