//! Convolutions that take each channel by itself.

use super::around::Around;
use crate::convolution::Shape;
use crate::forms::Form;
use crate::matrix::{BLOCK_DEPTH, LANES_MAX};
use crate::vector::{Loops, Vector};

/// A filter for each channel.
pub(super) struct EachChannel {
    around: Around,
    channels: usize,
    /// For each cell the weights of all channels.
    weights: Vec<f32>,
    bias: Vec<f32>,
    places: Vec<usize>,
    of_picture: usize,
    cells: Vec<usize>,
}

impl EachChannel {
    /// Cells of a sum that starts at zero once.
    pub(super) const CELLS_MAX: usize = BLOCK_DEPTH;

    pub(super) fn new(shape: Shape, weights: &[f32], bias: &[f32], together: usize) -> Self {
        let Shape { channels, axes, .. } = shape;
        let Some(around) = Around::of(axes, channels) else { panic!("extents that can be counted") };
        let cells = around.cells();
        assert_eq!(weights.len(), channels * cells.len(), "weights of all channels");
        assert_eq!(bias.len(), channels, "a bias for each channel");
        let of_cell = |cell: usize| weights.iter().skip(cell).step_by(cells.len()).copied();
        Self {
            around,
            channels,
            weights: (0..cells.len()).flat_map(of_cell).collect(),
            bias: bias.to_vec(),
            places: around.places(together),
            of_picture: axes[0].outputs * axes[1].outputs,
            cells,
        }
    }

    /// The results of so many pictures; how many numbers they are.
    pub(super) fn run(
        &self,
        form: Form,
        count: usize,
        pictures: &[f32],
        memory: &mut [f32],
        result: &mut [f32],
    ) -> usize {
        let places = &self.places[..count * self.of_picture];
        let result = &mut result[..places.len() * self.channels];
        let length = result.len();
        if length > 0 {
            form.run(Channels { layer: self, places, pictures: self.around.pictures(count, pictures, memory), result });
        }
        length
    }
}

/// Places that are computed together.
const PLACES: usize = 4;

/// Some places of pictures.
struct Channels<'a> {
    layer: &'a EachChannel,
    places: &'a [usize],
    pictures: &'a [f32],
    result: &'a mut [f32],
}

impl Loops for Channels<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(mut self) {
        const { assert!(V::LANES <= LANES_MAX) };
        let EachChannel { channels, weights, bias, cells, .. } = self.layer;
        let greatest = |numbers: &[usize]| numbers.iter().copied().max().unwrap_or(0);
        assert!(greatest(self.places) + greatest(cells) + channels <= self.pictures.len(), "all that is seen");
        assert!(*channels >= LANES_MAX && self.result.len() == self.places.len() * channels, "a result for each place");
        assert!(weights.len() == cells.len() * channels && bias.len() == *channels, "weights of all channels");
        let pairs = channels / (2 * V::LANES) * 2 * V::LANES;
        // SAFETY: the caller has the instructions.
        unsafe {
            (0..pairs).step_by(2 * V::LANES).for_each(|channel| self.all_places::<V, 2>(channel));
            // The last vectors may have channels of those before; they get the same numbers again.
            (pairs..*channels)
                .step_by(V::LANES)
                .for_each(|channel| self.all_places::<V, 1>(channel.min(channels - V::LANES)));
        }
    }
}

impl Channels<'_> {
    /// Some channels from this one on.
    ///
    /// # Safety
    /// The processor has the instructions of `V`; there are as many channels.
    #[inline(always)]
    unsafe fn all_places<V: Vector, const R: usize>(&mut self, channel: usize) {
        let whole = self.places.len() / PLACES * PLACES;
        // SAFETY: the caller has the instructions and the channels.
        unsafe {
            (0..whole).step_by(PLACES).for_each(|place| self.strip::<V, R, PLACES>(place, channel));
            (whole..self.places.len()).for_each(|place| self.strip::<V, R, 1>(place, channel));
        }
    }

    /// `N` places from this one on.
    ///
    /// # Safety
    /// The processor has the instructions of `V`; there are as many channels and places.
    #[inline(always)]
    unsafe fn strip<V: Vector, const R: usize, const N: usize>(&mut self, place: usize, channel: usize) {
        let EachChannel { channels, weights, bias, cells, .. } = self.layer;
        // SAFETY: the caller has the instructions; `run` has seen to it that all cells of all places are there, each with all
        // channels.
        unsafe {
            let seen: [*const f32; N] =
                std::array::from_fn(|n| self.pictures.as_ptr().add(self.places[place + n] + channel));
            let mut sums = [[V::all(0.0); R]; N];
            let mut factors = weights.as_ptr().add(channel);
            for &cell in cells {
                let own: [V; R] = std::array::from_fn(|r| V::load(factors.add(r * V::LANES)));
                for (seen, sums) in seen.iter().zip(&mut sums) {
                    for (r, sum) in sums.iter_mut().enumerate() {
                        *sum = sum.plus_product(V::load(seen.add(cell + r * V::LANES)), own[r]);
                    }
                }
                factors = factors.wrapping_add(*channels);
            }
            for (n, sums) in sums.iter().enumerate() {
                for (r, sum) in sums.iter().enumerate() {
                    let before = V::load(bias.as_ptr().add(channel + r * V::LANES));
                    let target = self.result.as_mut_ptr().add((place + n) * channels + channel + r * V::LANES);
                    before.plus(*sum).store(target);
                }
            }
        }
    }
}
