//! Rows measured against constant points: distances from each of them, or products with each of them.
//!
//! Rows go in strips, as many as the registers take at once, and points in blocks small enough that what was measured is
//! still in the fastest cache when it is used. Whoever needs no column per point looks at a block and forgets it: support
//! vectors ([`crate::support`]) add it up, neighbours ([`crate::neighbours`]) keep the nearest. Sums take the features in
//! their order, so a row's answer does not depend on the rows around it, nor on the instructions at hand.
//!
//! Deliberately not here: points that depend on the row, and trees over the points: with more than a few features they come
//! too close to looking at every point, and the answer would have to be the same in every bit.
//!
//! ```
//! use foretell_kernels::points::{Measure, Points};
//!
//! let points = Points::try_new(&[0.0, 0.0, 3.0, 4.0], 2, Measure::SquaredDistance)?;
//! let (mut first, mut second) = ([0.0], [0.0]);
//! points.evaluate(&[&[3.0], &[0.0]], &mut [&mut first, &mut second]);
//! assert_eq!((first, second), ([9.0], [16.0]));
//! # Ok::<(), foretell_kernels::points::PointsError>(())
//! ```

mod expanded;
mod strip;

use std::error::Error;
use std::fmt;
use std::ops::Range;

use crate::forms::Form;
use crate::numbers::Numbers;
use crate::panels::{Difference, PANEL, Panels, Product, SquaredDifference, VECTORS_MAX};
use expanded::{Expand, square_norms};
pub(crate) use strip::Strip;

/// Points of a block at most: a whole part of the features of a block of sums, and few enough that the block and the panels
/// that it is made of stay in the fastest cache.
pub(crate) const BLOCK: usize = 64;

/// What is measured between a row `x` and a point `p`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// `x·p`, as a matrix product has it: rounded once for a product and its addition, in blocks of 256 features.
    Product,
    /// `|x - p|²`; the differences are squared and then summed.
    SquaredDistance,
    /// `|x - p|²` as `x·x - 2 x·p + p·p`, as ONNX Runtime's CDist has it: a distance of almost nothing is mostly rounding.
    ExpandedDistance,
    /// The sum of the absolute differences of `x` and `p`.
    ManhattanDistance,
}

/// Constant points, and what is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    panels: Panels,
    measure: Measure,
    /// `p·p` of each point, if the measure needs it.
    norms: Vec<f32>,
    form: Form,
}

/// Who looks at what was measured.
pub(crate) trait Visitor {
    /// A strip begins.
    fn begin(&mut self, strip: &Strip);

    /// What was measured with the points from `first` on: `values[point][row]`, with the strip's padded rows.
    fn visit(&mut self, strip: &Strip, first: usize, values: &mut [f32]);

    /// All points were visited.
    fn end(&mut self, strip: &Strip);
}

impl Points {
    /// Points one after the other, each with a number per feature.
    ///
    /// # Errors
    /// When there is no point or no feature, or the numbers are not a whole number of points.
    pub fn try_new(points: &[f32], features: usize, measure: Measure) -> Result<Self, PointsError> {
        if points.is_empty() || features == 0 || !points.len().is_multiple_of(features) {
            return Err(PointsError::Shape { numbers: points.len(), features });
        }
        let norms = match measure {
            Measure::ExpandedDistance => points.chunks_exact(features).map(|point| square_norms(point, 1)[0]).collect(),
            _ => Vec::new(),
        };
        Ok(Self { panels: Panels::of_vectors(points, features), measure, norms, form: Form::best() })
    }

    /// The same points with these instructions, whose answers are the same.
    #[must_use]
    pub fn with_form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.panels.features()
    }

    /// Number of points.
    pub fn count(&self) -> usize {
        self.panels.outputs()
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Bytes of memory that the points occupy.
    pub fn bytes(&self) -> usize {
        size_of::<f32>() * (self.panels.numbers() + self.norms.len())
    }

    /// How they are measured on this processor.
    pub fn kernel(&self) -> impl fmt::Display + use<> {
        Kernel { form: self.form, points: self.count() }
    }

    /// Writes a column for each point.
    ///
    /// # Panics
    /// When the number of columns is not that of the features or of the points, or their lengths differ.
    pub fn evaluate(&self, columns: &[&[f32]], outputs: &mut [&mut [f32]]) {
        assert_eq!(outputs.len(), self.count(), "one column per point");
        let rows = outputs.first().map_or(0, |output| output.len());
        assert!(outputs.iter().all(|output| output.len() == rows), "the same number of rows for each point");
        self.measure(columns, rows, &mut Columns { outputs });
    }

    /// Measures all rows and shows a visitor what was measured.
    ///
    /// # Panics
    /// When the number of columns is not that of the features, or a column has another number of rows.
    pub(crate) fn measure(&self, columns: &[&[f32]], rows: usize, visitor: &mut impl Visitor) {
        assert_eq!(columns.len(), self.features(), "one column per feature");
        assert!(columns.iter().all(|column| column.len() == rows), "as many rows in each column");
        let rows_max = (self.form.lanes() * VECTORS_MAX).min(rows.next_multiple_of(self.form.lanes()));
        let mut inputs = Numbers::new(rows_max * self.features());
        let mut values = Numbers::new(rows_max.max(1) * BLOCK);
        let mut start = 0;
        while start < rows {
            let strip = Strip::next(self.form, start..rows);
            let inputs = strip.copy(columns, inputs.all());
            self.measure_strip(&strip, inputs, values.all(), visitor);
            start = strip.rows.end;
        }
    }

    fn measure_strip(&self, strip: &Strip, inputs: &[f32], values: &mut [f32], visitor: &mut impl Visitor) {
        let row_norms = match self.measure {
            Measure::ExpandedDistance => square_norms(inputs, strip.padded()),
            _ => expanded::NO_NORMS,
        };
        visitor.begin(strip);
        for first in (0..self.count()).step_by(BLOCK) {
            let count = BLOCK.min(self.count() - first);
            self.measure_block(strip, first..first + count, inputs, values);
            let values = &mut values[..count * strip.padded()];
            if self.measure == Measure::ExpandedDistance {
                let norms = &self.norms[first..first + count];
                self.form.run(Expand { row_norms: &row_norms[..strip.padded()], norms, values });
            }
            visitor.visit(strip, first, values);
        }
        visitor.end(strip);
    }

    /// The sums of these points.
    fn measure_block(&self, strip: &Strip, points: Range<usize>, inputs: &[f32], values: &mut [f32]) {
        let panels = points.start / PANEL..points.end.div_ceil(PANEL);
        let (form, all) = (self.form, &self.panels);
        if strip.is_row() {
            return match self.measure {
                Measure::Product | Measure::ExpandedDistance => all.row::<Product>(form, panels, inputs, values),
                Measure::SquaredDistance => all.row::<SquaredDifference>(form, panels, inputs, values),
                Measure::ManhattanDistance => all.row::<Difference>(form, panels, inputs, values),
            };
        }
        for (panel, values) in panels.zip(values.chunks_mut(PANEL * strip.padded())) {
            let vectors = strip.vectors;
            match self.measure {
                Measure::Product | Measure::ExpandedDistance => {
                    all.strip::<Product>(form, panel, vectors, inputs, values);
                }
                Measure::SquaredDistance => all.strip::<SquaredDifference>(form, panel, vectors, inputs, values),
                Measure::ManhattanDistance => all.strip::<Difference>(form, panel, vectors, inputs, values),
            }
        }
    }
}

/// Everything that is measured goes into columns.
struct Columns<'a, 'b> {
    outputs: &'a mut [&'b mut [f32]],
}

impl Visitor for Columns<'_, '_> {
    fn begin(&mut self, _: &Strip) {}

    fn visit(&mut self, strip: &Strip, first: usize, values: &mut [f32]) {
        for (output, values) in self.outputs[first..].iter_mut().zip(values.chunks_exact(strip.padded())) {
            output[strip.rows.clone()].copy_from_slice(&values[..strip.rows.len()]);
        }
    }

    fn end(&mut self, _: &Strip) {}
}

/// How points are measured, in words.
struct Kernel {
    form: Form,
    points: usize,
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { form, points } = self;
        write!(f, "{form}, {points} points over strips of {} rows", form.lanes() * VECTORS_MAX)
    }
}

/// Why there are no points.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PointsError {
    /// The numbers are no points.
    Shape {
        /// How many there are.
        numbers: usize,
        /// Features of a point.
        features: usize,
    },
}

impl fmt::Display for PointsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { numbers, features } => write!(f, "{numbers} numbers are no points of {features} features"),
        }
    }
}

impl Error for PointsError {}

#[cfg(test)]
pub(crate) mod tests;
