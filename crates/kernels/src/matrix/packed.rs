//! A right matrix that is packed once for products with many left ones, such as those of the steps of a recurrent layer.

use super::right::Right;
use super::strips::{Even, Strips};
use super::{BLOCK_DEPTH, LANES_MAX, Order, blocks, panel_width};
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
            let mut column = 0;
            while column < columns {
                let width = panel_width(columns - column, form.lanes());
                let padded = width.next_multiple_of(form.lanes());
                let (panel, others) = rest.split_at_mut(depth.len() * padded);
                right.pack(depth.clone(), column..column + width, padded, panel);
                rest = others;
                column += width;
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
        let lanes = self.form.lanes();
        let mut rest = self.panels.read();
        for depth in blocks(self.depth, BLOCK_DEPTH) {
            let mut column = 0;
            while column < self.columns {
                let width = panel_width(self.columns - column, lanes);
                let padded = width.next_multiple_of(lanes);
                let (panel, others) = rest.split_at(depth.len() * padded);
                self.form.run(Strips {
                    left: &left[depth.start.min(left.len())..],
                    left_stride: self.depth,
                    right: panel,
                    features: Even(padded),
                    result: &mut result[column.min(rows * self.columns)..],
                    result_stride: self.columns,
                    first: None,
                    rows,
                    depth: depth.len(),
                    vectors: padded / lanes,
                    width,
                });
                rest = others;
                column += width;
            }
        }
    }
}
