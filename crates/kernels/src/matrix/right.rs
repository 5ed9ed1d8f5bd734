//! A right matrix as it is given, from which columns are packed side by side.

use std::ops::Range;

use super::{LANES_MAX, Order};

/// A right matrix.
pub(super) struct Right<'a> {
    pub(super) numbers: &'a [f32],
    pub(super) depth: usize,
    pub(super) columns: usize,
    pub(super) order: Order,
}

impl Right<'_> {
    /// Writes some columns of some rows to a panel, row by row, each row filled up with zeros.
    pub(super) fn pack(&self, depth: Range<usize>, columns: Range<usize>, padded: usize, panel: &mut [f32]) {
        match self.order {
            Order::Rows => {
                for (row, at) in panel.chunks_exact_mut(padded).zip(depth) {
                    let (own, rest) = row.split_at_mut(columns.len());
                    own.copy_from_slice(&self.numbers[at * self.columns..][columns.clone()]);
                    rest.fill(0.0);
                }
            }
            // A line of the cache of each column at a time.
            Order::Columns => {
                for (rows, at) in panel.chunks_mut(LANES_MAX * padded).zip(depth.clone().step_by(LANES_MAX)) {
                    let features = at..depth.end.min(at + LANES_MAX);
                    for (place, column) in columns.clone().enumerate() {
                        let numbers = &self.numbers[column * self.depth..][features.clone()];
                        let places = rows[place..].iter_mut().step_by(padded);
                        places.zip(numbers).for_each(|(to, number)| *to = *number);
                    }
                    rows.chunks_exact_mut(padded).for_each(|row| row[columns.len()..].fill(0.0));
                }
            }
        }
    }
}
