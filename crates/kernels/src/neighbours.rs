//! The nearest of many constant points, and how far they are.
//!
//! Distances are measured a block of points at a time ([`crate::points`]) and compared with the farthest that is kept so far, for
//! all rows of a vector at once; only what is nearer is looked at again. So the matrix of rows and points never exists.
//! Answers are those of sorting all distances: the first of equal ones comes first, and NaN comes after every number.
//!
//! Measured as [`crate::support`] is, the nearest 5 of 500 points: 1.26 million rows per second against 56,000 with the loop that
//! scikit-learn's models are exported with, 1.29 million against 381,000 with ONNX Runtime's operator for distances; of 5000 points
//! 229,000 against 47,000 with the operator. ONNX Runtime counts the votes as well, which takes it little time. With the nearest
//! 50 of 5000 it is 73,000: most of the time then goes to keeping them. Of 5000 points, 128 are found in a seventh of the time that
//! sorting all distances takes, 500 in two fifths.
//!
//! ```
//! use foretell_kernels::neighbours::{Distance, Neighbours};
//! use foretell_kernels::points::{Measure, Points};
//!
//! let points = Points::try_new(&[0.0, 5.0, 2.0], 1, Measure::SquaredDistance)?;
//! let neighbours = Neighbours::try_new(points, 2, Distance::Root).expect("two of three");
//! let (mut near, mut next) = ([0.0], [0.0]);
//! let (mut nearest, mut second) = ([0], [0]);
//! neighbours.evaluate(&[&[1.5]], &mut [&mut near, &mut next], &mut [&mut nearest, &mut second]);
//! assert_eq!((near, nearest, next, second), ([0.5], [2], [1.5], [0]));
//! # Ok::<(), foretell_kernels::points::PointsError>(())
//! ```

mod keep;

use std::error::Error;
use std::fmt;

use crate::forms::Form;
use crate::points::{Points, Strip, Visitor};
use crate::vector::{Loops, Vector};
use keep::{Gathered, InOrder, Keep};

/// Up to so many neighbours are kept in order: to gather more of them and to choose would take longer.
///
/// `benches/points.rs` measures both ways. Gathering overtakes at about 100 neighbours of points in any order, and at 16 where
/// each point is nearer than all before it.
const IN_ORDER_MAX: usize = 64;

/// Which points are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbours {
    points: Points,
    count: usize,
    distance: Distance,
    in_order_max: usize,
}

/// What is compared, and told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// What was measured.
    Measured,
    /// Its square root. Numbers that differ can have the same one.
    Root,
}

impl Neighbours {
    /// The `count` nearest points.
    ///
    /// # Errors
    /// When none is wanted, or more than there are.
    pub fn try_new(points: Points, count: usize, distance: Distance) -> Result<Self, NeighboursError> {
        if count == 0 || count > points.count() {
            return Err(NeighboursError::Count { wanted: count, points: points.count() });
        }
        Ok(Self { points, count, distance, in_order_max: IN_ORDER_MAX })
    }

    /// The same neighbours with these instructions, whose answers are the same.
    #[must_use]
    pub fn with_form(self, form: Form) -> Self {
        Self { points: self.points.with_form(form), ..self }
    }

    /// The same neighbours, which are kept in order if they are so many at most and gathered if they are more. Answers are the
    /// same; without this, they are kept in the way that was measured to be faster.
    #[must_use]
    pub fn with_in_order_max(self, count: usize) -> Self {
        Self { in_order_max: count, ..self }
    }

    /// The points.
    pub fn points(&self) -> &Points {
        &self.points
    }

    /// Number of points that are wanted.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How they are found on this processor.
    pub fn kernel(&self) -> impl fmt::Display + use<> {
        Kernel { points: self.points.kernel(), count: self.count }
    }

    /// Writes the distances of the nearest points and their positions among all points, a column for each rank.
    ///
    /// # Panics
    /// When the number of columns is not that of the features or of the neighbours, or their lengths differ.
    pub fn evaluate(&self, columns: &[&[f32]], distances: &mut [&mut [f32]], positions: &mut [&mut [i64]]) {
        assert!(distances.len() == self.count && positions.len() == self.count, "one column per neighbour");
        let rows = distances[0].len();
        let mut lengths =
            distances.iter().map(|column| column.len()).chain(positions.iter().map(|column| column.len()));
        assert!(lengths.all(|length| length == rows), "as many distances as positions");
        match self.count <= self.in_order_max {
            true => self.search(InOrder::new(self.count), columns, distances, positions),
            false => self.search(Gathered::new(self.count, self.points.count()), columns, distances, positions),
        }
    }

    fn search(&self, keep: impl Keep, columns: &[&[f32]], distances: &mut [&mut [f32]], positions: &mut [&mut [i64]]) {
        let rows = distances[0].len();
        let mut nearest = Nearest { wanted: self, distances, positions, keep, limits: Vec::new() };
        self.points.measure(columns, rows, &mut nearest);
    }
}

struct Nearest<'a, 'd, 'p, K> {
    wanted: &'a Neighbours,
    distances: &'a mut [&'d mut [f32]],
    positions: &'a mut [&'p mut [i64]],
    /// Of the strip's padded rows.
    keep: K,
    /// What was measured with the last point that is kept, of each row: what is not less is no neighbour.
    limits: Vec<f32>,
}

impl<K: Keep> Visitor for Nearest<'_, '_, '_, K> {
    fn begin(&mut self, strip: &Strip) {
        self.limits.clear();
        self.limits.resize(strip.padded(), f32::NAN);
        self.keep.begin(strip.padded());
    }

    fn visit(&mut self, strip: &Strip, first: usize, values: &mut [f32]) {
        let distance = self.wanted.distance;
        let met = Met { first, values, distance, limits: &mut self.limits, keep: &mut self.keep };
        match strip.is_row() {
            true => met.of_row(),
            false => self.wanted.points.form().run(met),
        }
    }

    fn end(&mut self, strip: &Strip) {
        for (at, row) in strip.rows.clone().enumerate() {
            for (rank, kept) in self.keep.nearest(at).iter().enumerate() {
                self.distances[rank][row] = kept.distance;
                self.positions[rank][row] = kept.place as i64;
            }
        }
    }
}

/// Points that rows meet.
struct Met<'a, K> {
    /// The first of them.
    first: usize,
    /// `[point][row]`
    values: &'a [f32],
    distance: Distance,
    limits: &'a mut [f32],
    keep: &'a mut K,
}

impl<K: Keep> Loops for Met<'_, K> {
    #[inline(always)]
    unsafe fn run<V: Vector>(mut self) {
        let rows = self.limits.len();
        assert!(rows.is_multiple_of(V::LANES), "whole vectors of rows");
        for (at, values) in self.values.chunks_exact(rows).enumerate() {
            for first in (0..rows).step_by(V::LANES) {
                // SAFETY: the caller has the instructions; values and limits have `rows` numbers, a whole number of vectors.
                let mut bits = unsafe {
                    let measured = V::load(values.as_ptr().add(first));
                    measured.not_at_least(V::load(self.limits.as_ptr().add(first)))
                };
                while bits != 0 {
                    let row = first + bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    self.meet(row, self.first + at, values[row]);
                }
            }
        }
    }
}

impl<K: Keep> Met<'_, K> {
    fn of_row(mut self) {
        for (at, &measured) in self.values.iter().enumerate() {
            if not_at_least(measured, self.limits[0]) {
                self.meet(0, self.first + at, measured);
            }
        }
    }

    #[inline(never)]
    fn meet(&mut self, row: usize, place: usize, measured: f32) {
        if let Some(limit) = self.keep.meet(row, self.distance.of(measured, place)) {
            self.limits[row] = limit;
        }
    }
}

#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN is not at least anything")]
fn not_at_least(measured: f32, limit: f32) -> bool {
    !(measured >= limit)
}

/// How neighbours are found, in words.
struct Kernel<P> {
    points: P,
    count: usize,
}

impl<P: fmt::Display> fmt::Display for Kernel<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, of which the nearest {} are kept", self.points, self.count)
    }
}

/// Why there are no neighbours.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NeighboursError {
    /// None is wanted, or more than there are points.
    Count {
        /// How many are wanted.
        wanted: usize,
        /// How many points there are.
        points: usize,
    },
}

impl fmt::Display for NeighboursError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { wanted, points } => write!(f, "the nearest {wanted} of {points} points"),
        }
    }
}

impl Error for NeighboursError {}

#[cfg(test)]
mod tests;
