//! Rows on their way through all layers.
//!
//! A tile is a few strips, each as many rows as the loops take at once; between the layers a strip has its numbers output by
//! output. The rows that the last strip lacks are filled up. Where hardly a row is left, it goes alone.

use std::ops::Range;

use super::Layer;
use crate::forms::Form;
use crate::numbers::Numbers;
use crate::panels::{PANEL, Product, VECTORS_MAX};

/// Numbers of a tile between two layers at most: what one layer reads and writes stays in the second-level cache.
const NUMBERS_MAX: usize = 64 << 10;

/// Strips of a tile at most. Each panel of weights is read once for all of them.
const STRIPS_MAX: usize = 4;

/// Rows of a tile at most, when a row has up to `width` numbers between two layers.
pub(super) fn rows_max(form: Form, width: usize) -> usize {
    let strip = form.lanes() * VECTORS_MAX;
    strip * (NUMBERS_MAX / (strip * width)).clamp(1, STRIPS_MAX)
}

/// Some rows, and the memory for them.
pub(super) struct Tile {
    form: Form,
    /// Numbers of a row between two layers at most.
    width: usize,
    rows_max: usize,
    /// Rows of the batch that are on their way.
    rows: Range<usize>,
    /// What the last layer gave, strip by strip, and room for what the next one gives.
    present: Numbers,
    next: Numbers,
}

impl Tile {
    /// For so many rows.
    pub(super) fn new(form: Form, width: usize, rows: usize) -> Self {
        let rows_max = rows_max(form, width).min(rows.next_multiple_of(form.lanes()));
        let numbers = || Numbers::new(rows_max * width);
        Self { form, width, rows_max, rows: 0..0, present: numbers(), next: numbers() }
    }

    /// Takes as many of these rows as there is room for; their number.
    pub(super) fn begin(&mut self, columns: &[&[f32]], rows: Range<usize>) -> usize {
        let fewest = self.form.lanes() / 2;
        let count = if rows.len() < fewest { 1 } else { rows.len().min(self.rows_max) };
        self.rows = rows.start..rows.start + count;
        let strips = self.strips();
        let numbers = self.present.all();
        // Column by column: memory is read fastest in long runs.
        for (at, column) in columns.iter().enumerate() {
            let column = &column[self.rows.clone()];
            for strip in strips.clone() {
                let target = &mut numbers[strip.first * self.width + at * strip.padded()..][..strip.padded()];
                target[..strip.rows].copy_from_slice(&column[strip.first..strip.first + strip.rows]);
                target[strip.rows..].fill(0.0);
            }
        }
        count
    }

    /// Puts the rows through a layer.
    pub(super) fn advance(&mut self, layer: &Layer) {
        match self.rows.len() {
            1 => self.advance_row(layer),
            _ => self.advance_strips(layer),
        }
        std::mem::swap(&mut self.present, &mut self.next);
    }

    fn advance_row(&mut self, layer: &Layer) {
        let outputs = self.next.all();
        let panels = 0..layer.panels.padded_outputs() / PANEL;
        layer.panels.row::<Product>(self.form, panels, self.present.all(), outputs);
        layer.steps.iter().for_each(|step| step.apply(self.form, 0, 1, &mut outputs[..layer.outputs()]));
    }

    fn advance_strips(&mut self, layer: &Layer) {
        let strips = self.strips();
        let (inputs, outputs) = (self.present.all(), self.next.all());
        for first in (0..layer.outputs()).step_by(PANEL) {
            for strip in strips.clone() {
                let inputs = &inputs[strip.first * self.width..];
                let outputs = &mut outputs[strip.first * self.width + first * strip.padded()..];
                layer.panels.strip::<Product>(self.form, first / PANEL, strip.vectors, inputs, outputs);
                let outputs = &mut outputs[..(layer.outputs() - first).min(PANEL) * strip.padded()];
                layer.steps.iter().for_each(|step| step.apply(self.form, first, strip.padded(), outputs));
            }
        }
    }

    /// Writes what the last layer gave.
    pub(super) fn finish(&mut self, outputs: &mut [&mut [f32]]) {
        for strip in self.strips() {
            let numbers = &self.present.all()[strip.first * self.width..];
            let first = self.rows.start + strip.first;
            for (source, output) in numbers.chunks_exact(strip.padded()).zip(&mut *outputs) {
                output[first..first + strip.rows].copy_from_slice(&source[..strip.rows]);
            }
        }
    }

    /// The strips of the rows on their way; one of one row where that goes alone.
    fn strips(&self) -> impl Iterator<Item = Strip> + Clone + use<> {
        let rows = self.rows.len();
        let lanes = if rows == 1 { 1 } else { self.form.lanes() };
        let full = lanes * VECTORS_MAX;
        (0..rows).step_by(full).map(move |first| {
            let rows = full.min(rows - first);
            Strip { first, rows, vectors: rows.div_ceil(lanes), lanes }
        })
    }
}

/// Rows that the loops take at once.
struct Strip {
    /// The first row, counted from that of the tile.
    first: usize,
    rows: usize,
    vectors: usize,
    lanes: usize,
}

impl Strip {
    /// Rows with those that fill up the last vector.
    fn padded(&self) -> usize {
        self.vectors * self.lanes
    }
}
