//! Rows that the loops take at once.

use std::ops::Range;

use crate::forms::Form;
use crate::panels::VECTORS_MAX;

/// Some neighbouring rows of a batch. Those that the last vector lacks are filled up; where hardly a row is left, it goes
/// alone, and points lie in the vectors instead of rows.
pub(crate) struct Strip {
    /// Where they are in the batch.
    pub(crate) rows: Range<usize>,
    /// Vectors that they fill.
    pub(super) vectors: usize,
    /// Rows of a vector.
    lanes: usize,
}

impl Strip {
    /// As many of these rows as go at once.
    pub(super) fn next(form: Form, rows: Range<usize>) -> Self {
        let lanes = form.lanes();
        if rows.len() < lanes / 2 {
            return Self { rows: rows.start..rows.start + 1, vectors: 1, lanes: 1 };
        }
        let count = rows.len().min(lanes * VECTORS_MAX);
        Self { rows: rows.start..rows.start + count, vectors: count.div_ceil(lanes), lanes }
    }

    /// Rows with those that fill up the last vector.
    pub(crate) fn padded(&self) -> usize {
        self.vectors * self.lanes
    }

    /// Whether it is a row that goes alone.
    pub(crate) fn is_row(&self) -> bool {
        self.lanes == 1
    }

    /// Copies the rows of these columns: `numbers[column][row]`.
    pub(super) fn copy<'a>(&self, columns: &[&[f32]], numbers: &'a mut [f32]) -> &'a [f32] {
        let numbers = &mut numbers[..columns.len() * self.padded()];
        for (column, numbers) in columns.iter().zip(numbers.chunks_exact_mut(self.padded())) {
            let (own, filling) = numbers.split_at_mut(self.rows.len());
            own.copy_from_slice(&column[self.rows.clone()]);
            filling.fill(0.0);
        }
        numbers
    }
}
