//! A right matrix that is packed once for products with many left ones, such as those of the steps of a recurrent layer.

use std::ops::Range;

use super::right::Right;
use super::strips::{Even, Every, First, Seen, Strips};
use super::{BLOCK_DEPTH, LANES_MAX, Order, blocks, panel_columns};
use crate::forms::Form;
use crate::numbers::Numbers;

/// A right matrix, packed for a set of instructions. Its products have the bits of [`super::Product`].
pub struct Packed {
    depth: usize,
    columns: usize,
    form: Form,
    /// Panel by panel of columns for one block of the depth after the other.
    panels: Numbers,
}

impl Packed {
    /// Packs a matrix of `depth` rows and `columns` columns that lies in this order.
    ///
    /// # Panics
    /// When the matrix does not have as many elements as its extents say.
    pub fn new(form: Form, [depth, columns]: [usize; 2], order: Order, matrix: &[f32]) -> Self {
        assert_eq!(matrix.len(), depth * columns, "elements of the matrix");
        let right = Right { numbers: matrix, depth, columns, order };
        let mut panels = Numbers::new(Self::numbers([depth, columns]));
        let mut rest = panels.all();
        for depth in blocks(depth, BLOCK_DEPTH) {
            for own in panel_columns(columns, form.lanes()) {
                let padded = own.len().next_multiple_of(form.lanes());
                let (panel, others) = rest.split_at_mut(depth.len() * padded);
                right.pack(depth.clone(), own, padded, panel);
                rest = others;
            }
        }
        Self { depth, columns, form, panels }
    }

    /// Numbers that are kept of a matrix with these extents, whatever the instructions.
    pub fn numbers([depth, columns]: [usize; 2]) -> usize {
        columns.div_ceil(LANES_MAX).saturating_mul(LANES_MAX).saturating_mul(depth)
    }

    /// Columns of the matrix and of its products.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Adds the product of a matrix and this one to `result`, which has as many rows.
    ///
    /// # Panics
    /// When the left matrix does not have as many elements as the result has rows and this matrix has.
    pub fn add(&self, left: &[f32], result: &mut [f32]) {
        if [self.depth, self.columns].contains(&0) {
            return;
        }
        let rows = result.len() / self.columns;
        assert_eq!(result.len(), rows * self.columns, "elements of the result");
        assert_eq!(left.len(), rows * self.depth, "elements of the left matrix");
        if rows == 0 {
            return;
        }
        for Panel { numbers, depth, columns, padded } in self.panels() {
            self.form.run(Strips {
                left: &left[depth.start..],
                left_rows: Every(self.depth),
                right: numbers,
                features: Even(padded),
                result: &mut result[columns.start..],
                result_stride: self.columns,
                first: First::Result,
                rows,
                depth: depth.len(),
                vectors: padded / self.form.lanes(),
                width: columns.len(),
            });
        }
    }

    /// Sets `result` to the products of what is seen of `left` and this matrix, and `bias`, which has as many numbers as vectors
    /// hold.
    ///
    /// # Panics
    /// When there is nothing to multiply, something is not there that is seen, or the result is not as large.
    pub(crate) fn set(&self, left: &[f32], seen: Seen, bias: &[f32], result: &mut [f32]) {
        assert_eq!(seen.cells.len(), self.depth, "a cell for each row of the matrix");
        for Panel { numbers, depth, columns, padded } in self.panels() {
            let first = if depth.start == 0 { First::Columns(&bias[columns.start..]) } else { First::Result };
            self.form.run(Strips {
                left,
                left_rows: Seen { cells: &seen.cells[depth.clone()], ..seen },
                right: numbers,
                features: Even(padded),
                result: &mut result[columns.start..],
                result_stride: self.columns,
                first,
                rows: seen.places.len(),
                depth: depth.len(),
                vectors: padded / self.form.lanes(),
                width: columns.len(),
            });
        }
    }

    /// All panels, those of the first rows first.
    fn panels(&self) -> impl Iterator<Item = Panel<'_>> {
        let lanes = self.form.lanes();
        let mut rest = self.panels.read();
        blocks(self.depth, BLOCK_DEPTH)
            .flat_map(move |depth| panel_columns(self.columns, lanes).map(move |columns| (depth.clone(), columns)))
            .map(move |(depth, columns)| {
                let padded = columns.len().next_multiple_of(lanes);
                let numbers;
                (numbers, rest) = rest.split_at(depth.len() * padded);
                Panel { numbers, depth, columns, padded }
            })
    }
}

/// Some columns of some rows, side by side.
struct Panel<'a> {
    numbers: &'a [f32],
    depth: Range<usize>,
    columns: Range<usize>,
    /// Columns that vectors hold.
    padded: usize,
}
