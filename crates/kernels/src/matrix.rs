//! The product of two matrices that are both computed: what networks of tensors spend their time with.
//!
//! Both matrices and the result have their rows one behind the other. Columns of the right matrix lie in the vectors, rows of
//! the left one behind the other in registers; a few columns of the right matrix, of as many features as a sum takes at
//! once, are packed side by side and serve all rows. A sum starts at zero, takes the features in their order with one
//! rounding for a product and its addition, and joins the result after every 256 features, as in
//! [`crate::dense`] and in ONNX Runtime: one order, whatever the instructions and whatever the rows around.
//!
//! Measured on one core of an AMD EPYC (Zen 4), which has 118 GFLOP/s: 116 for 32 to 128 rows with 384 by 384 or 1536 by 384
//! weights, 111 for 1024 rows, 106 for matrices of 32 by 32; with AVX2 89 for 32 rows, 102 for 128 and 1024, 82 for 32 by 32.
//! Packing is what few rows lose by, so that they do without it; 128 rows lose nothing that 1024 do not, so weights are not kept
//! packed, which would take their memory twice, but where one matrix meets few rows many times: [`Packed`].
//! Weights that come from memory, those of a MiniLM one after the other, are multiplied at 101; packing eight panels at once, so
//! that they are read in longer runs, lost 3 of those. A right matrix that is given transposed costs 10 in 100 for 128 rows.
//!
//! Deliberately not here: matrices whose elements are not `f32`, and what happens to the result afterwards ([`crate::lines`]).
//!
//! ```
//! use foretell_kernels::matrix::{Extents, Product};
//!
//! let mut result = [0.0; 4];
//! let extents = Extents { rows: 2, depth: 3, columns: 2 };
//! Product::new(extents).add(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0], &mut result);
//! assert_eq!(result, [4.0, 5.0, 10.0, 11.0]);
//! ```

mod packed;
mod right;
pub(crate) mod strips;

use std::ops::Range;

use crate::forms::Form;
use crate::numbers::Numbers;
use right::Right;
use strips::{Even, Every, First, Strips};

pub use packed::Packed;

/// Features whose products are summed before they join the result.
pub(crate) const BLOCK_DEPTH: usize = 256;

/// Rows of the left matrix that are computed before the next ones: their features of one block stay in the second-level cache.
const BLOCK_ROWS: usize = 256;

/// Vectors of columns that are computed together at most.
pub(crate) const VECTORS_MAX: usize = 3;

/// Numbers of a page of memory: what lies so far apart displaces each other in the fastest cache.
const PAGE: usize = 1024;

/// Numbers of a vector at most.
pub(crate) const LANES_MAX: usize = 16;

/// Extents of a product: `rows` × `depth` times `depth` × `columns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extents {
    /// Rows of the left matrix and of the result.
    pub rows: usize,
    /// Columns of the left matrix, rows of the right one.
    pub depth: usize,
    /// Columns of the right matrix and of the result.
    pub columns: usize,
}

/// How the right matrix lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Its rows one behind the other.
    Rows,
    /// Its columns one behind the other: it is given transposed.
    Columns,
}

/// Products of matrices with the same extents.
pub struct Product {
    extents: Extents,
    order: Order,
    form: Form,
    /// Rows up to which columns are read where they lie, if not those that were measured.
    direct_rows_max: Option<usize>,
    /// Columns that are computed together, row by row.
    panel: Numbers,
}

impl Product {
    /// Products of matrices with these extents, with rows one behind the other.
    pub fn new(extents: Extents) -> Self {
        let width = extents.columns.next_multiple_of(LANES_MAX).min(VECTORS_MAX * LANES_MAX);
        let panel = Numbers::new(width * extents.depth.min(BLOCK_DEPTH));
        Self { extents, order: Order::Rows, form: Form::best(), direct_rows_max: None, panel }
    }

    /// The same products of right matrices that lie in this order.
    #[must_use]
    pub fn with_order(self, order: Order) -> Self {
        Self { order, ..self }
    }

    /// The same products with these instructions, whose results are the same.
    #[must_use]
    pub fn with_form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// The same products, which read the right matrix where it lies for up to so many rows and pack it for more. Results are
    /// the same; without this, products take the way that was measured to be faster.
    #[must_use]
    pub fn with_direct_rows_max(self, rows: usize) -> Self {
        Self { direct_rows_max: Some(rows), ..self }
    }

    /// Adds the product of two matrices to `result`.
    ///
    /// # Panics
    /// When a matrix does not have as many elements as its extents say.
    pub fn add(&mut self, left: &[f32], right: &[f32], result: &mut [f32]) {
        let Extents { rows, depth, columns } = self.extents;
        assert_eq!(left.len(), rows * depth, "elements of the left matrix");
        assert_eq!(right.len(), depth * columns, "elements of the right matrix");
        assert_eq!(result.len(), rows * columns, "elements of the result");
        // Without one extent there is nothing to add, however large the others are.
        if [rows, depth, columns].contains(&0) {
            return;
        }
        for rows in blocks(rows, BLOCK_ROWS) {
            for depth in blocks(depth, BLOCK_DEPTH) {
                self.add_block(rows.clone(), depth, left, right, result);
            }
        }
    }

    /// Adds what some features contribute to some rows.
    fn add_block(&mut self, rows: Range<usize>, depth: Range<usize>, left: &[f32], right: &[f32], result: &mut [f32]) {
        let (form, lanes, all) = (self.form, self.form.lanes(), self.extents);
        let direct_rows_max = self.direct_rows_max.unwrap_or_else(|| direct_rows_max(form, all.columns));
        let is_direct = self.order == Order::Rows && rows.len() <= direct_rows_max;
        for own in panel_columns(all.columns, lanes) {
            let (column, width) = (own.start, own.len());
            let padded = width.next_multiple_of(lanes);
            let (right, right_stride) = match is_direct && width == padded {
                true => (&right[depth.start * all.columns + column..], all.columns),
                false => {
                    let matrix = Right { numbers: right, depth: all.depth, columns: all.columns, order: self.order };
                    let panel = &mut self.panel.all()[..depth.len() * padded];
                    matrix.pack(depth.clone(), own, padded, panel);
                    (&*panel, padded)
                }
            };
            form.run(Strips {
                left: &left[rows.start * all.depth + depth.start..],
                left_rows: Every(all.depth),
                right,
                features: Even(right_stride),
                result: &mut result[rows.start * all.columns + column..],
                result_stride: all.columns,
                first: First::Result,
                rows: rows.len(),
                depth: depth.len(),
                vectors: padded / lanes,
                width,
            });
        }
    }
}

/// Up to so many rows, columns are read where they lie: packing them would take longer than it saves.
///
/// `benches/matrix.rs` measures both ways. With AVX-512, where a vector is a line of the cache, packing takes 1.05 times as long
/// for 128 rows and as long for 256. With AVX2, whose strips of three rows each read the columns anew, it overtakes at 16 rows
/// where weights are in the second-level cache and at 32 where they are not, but above four where rows are whole pages apart.
fn direct_rows_max(form: Form, columns: usize) -> usize {
    match form.lanes() {
        LANES_MAX => 128,
        _ if columns.is_multiple_of(PAGE) => 4,
        _ => 16,
    }
}

/// `0..extent` in parts of at most `length`.
pub(crate) fn blocks(extent: usize, length: usize) -> impl Iterator<Item = Range<usize>> {
    (0..extent).step_by(length).map(move |start| start..extent.min(start + length))
}

/// How many of the columns that are left are computed together: two pairs of vectors are faster than three and one.
pub(crate) fn panel_width(columns: usize, lanes: usize) -> usize {
    let vectors = match columns.div_ceil(lanes) {
        4 => 2,
        vectors => vectors.min(VECTORS_MAX),
    };
    columns.min(vectors * lanes)
}

/// The columns of each panel.
pub(crate) fn panel_columns(columns: usize, lanes: usize) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let width = panel_width(columns - start, lanes);
        start += width;
        (width > 0).then(|| start - width..start)
    })
}

#[cfg(test)]
mod tests;
