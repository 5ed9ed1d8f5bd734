//! Convolutions whose filters lie in vectors.

use super::around::Around;
use crate::convolution::Shape;
use crate::forms::Form;
use crate::matrix::strips::Seen;
use crate::matrix::{LANES_MAX, Order, Packed};

/// The filters of a convolution, all of which see all channels.
pub(super) struct Filters {
    around: Around,
    weights: Packed,
    bias: Vec<f32>,
    filters: usize,
    /// Where what a place sees begins.
    places: Vec<usize>,
    of_picture: usize,
    /// Where each number that is multiplied lies.
    cells: Vec<usize>,
}

impl Filters {
    pub(super) fn new(form: Form, shape: Shape, weights: &[f32], bias: &[f32], together: usize) -> Self {
        let Shape { channels, filters, axes, .. } = shape;
        let Some(around) = Around::of(axes, channels) else { panic!("extents that can be counted") };
        let cells = around.cells();
        let depth = channels * cells.len();
        assert!(depth > 0, "something to multiply");
        assert_eq!(bias.len(), filters, "a bias for each filter");
        let mut bias = bias.to_vec();
        bias.resize(filters.next_multiple_of(LANES_MAX), 0.0);
        Self {
            around,
            weights: Packed::new(form, [depth, filters], Order::Columns, weights),
            bias,
            filters,
            places: around.places(together),
            of_picture: axes[0].outputs * axes[1].outputs,
            cells: (0..channels).flat_map(|channel| cells.iter().map(move |cell| cell + channel)).collect(),
        }
    }

    /// The results of so many pictures; how many numbers they are.
    pub(super) fn run(&self, count: usize, pictures: &[f32], memory: &mut [f32], result: &mut [f32]) -> usize {
        let seen = Seen { places: &self.places[..count * self.of_picture], cells: &self.cells };
        let length = seen.places.len() * self.filters;
        if length > 0 {
            let pictures = self.around.pictures(count, pictures, memory);
            self.weights.set(pictures, seen, &self.bias, &mut result[..length]);
        }
        length
    }
}
