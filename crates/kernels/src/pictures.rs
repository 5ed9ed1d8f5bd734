//! Networks for pictures, layer by layer over pictures whose channels lie side by side.
//!
//! Where the numbers of all channels of a pixel follow each other, the filters of a convolution are the columns of a product
//! whose rows are the places: no place between rows of a picture is computed along, windows are compared channel by channel,
//! and each layer writes what the next one reads. A few pictures go through all layers before the next ones, so that what lies
//! in between stays in the cache. Pictures come and go as ONNX has them, channel by channel.
//!
//! A sum takes channels and cells in the order of the weights, as in [`crate::convolution`]: the bits are the same, whatever
//! the instructions and whatever the pictures beside it. Of the numbers of a window the first stays unless a greater one
//! follows, so that NaN stays where it is first and is not looked at elsewhere.
//!
//! Deliberately not here: convolutions with few filters, or few for each group, whose vectors would be nearly empty
//! ([`Layer::is_dense`]); they are for [`crate::convolution`].

mod around;
mod each;
mod filters;
mod greatest;
mod turn;

use crate::convolution::{Axis, Shape};
use crate::forms::Form;
use crate::functions::Function;
use crate::matrix::LANES_MAX;
use around::Around;
use each::EachChannel;
use filters::Filters;
use greatest::Greatest;
use turn::turn;

/// Numbers of the pictures that go through all layers together: they stay in the second-level cache.
const TOGETHER: usize = 96 << 10;

/// Pictures that go through all layers together at most.
const PICTURES_MAX: usize = 64;

/// What a layer does.
#[derive(Debug, Clone, Copy)]
pub enum Layer<'a> {
    /// A convolution with `weights` [filters, channels of a group, height, width of the kernel].
    Convolution {
        /// Its extents.
        shape: Shape,
        /// Its weights.
        weights: &'a [f32],
        /// A number for each filter.
        bias: &'a [f32],
    },
    /// A function of each number.
    Function(Function),
    /// The greatest number of each window, for each channel.
    Greatest {
        /// Channels of the pictures.
        channels: usize,
        /// Height and width.
        axes: [Axis; 2],
    },
}

/// Extents of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extents {
    /// Numbers of a pixel.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
}

impl Extents {
    fn numbers(self) -> Option<usize> {
        self.channels.checked_mul(self.height)?.checked_mul(self.width)
    }
}

impl Layer<'_> {
    /// Whether a convolution fills its vectors better with filters than with places, or takes each of many channels by itself.
    ///
    /// Measured on one core of an AMD EPYC (Zen 4): 100 to 109 GFLOP/s for the layers of a residual network, 98 for 16 filters of
    /// 32 channels, where places make 100, 96, 68 (for 7 x 7) and 92; but 74 for 24 filters over 28 x 28, where they make 96.
    pub fn is_dense(shape: &Shape) -> bool {
        let Shape { channels, filters, groups, axes } = *shape;
        let [outputs, cells] = [axes.map(|axis| axis.outputs), axes.map(|axis| axis.kernel)];
        let outputs = outputs[0].saturating_mul(outputs[1]);
        let vectors = filters.next_multiple_of(LANES_MAX);
        let is_full = vectors.saturating_mul(7) <= filters.saturating_mul(8);
        let is_fuller =
            shape.places().is_some_and(|places| vectors.saturating_mul(outputs) <= filters.saturating_mul(places));
        match groups {
            1 => filters >= LANES_MAX && (is_full || is_fuller),
            _ => {
                let is_small = cells[0].saturating_mul(cells[1]) <= EachChannel::CELLS_MAX;
                groups == channels && groups == filters && channels >= LANES_MAX && is_small
            }
        }
    }

    /// What it makes of pictures with these extents; `None` if it takes others.
    pub fn result(&self, taken: Extents) -> Option<Extents> {
        let (channels, axes, result) = match *self {
            Self::Function(_) => return Some(taken),
            Self::Convolution { shape, .. } => (shape.channels, shape.axes, shape.filters),
            Self::Greatest { channels, axes } => (channels, axes, channels),
        };
        let [height, width] = axes;
        let fits = taken == Extents { channels, height: height.image, width: width.image };
        fits.then_some(Extents { channels: result, height: height.outputs, width: width.outputs })
    }
}

/// Layers, one after the other.
pub struct Network {
    form: Form,
    steps: Vec<Step>,
    taken: Extents,
    sizes: Sizes,
}

/// A layer as it is computed.
enum Step {
    Filters(Filters),
    Each(EachChannel),
    Function(Function),
    Greatest(Greatest),
}

/// What a network takes room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of the network itself, its weights among them.
    pub kept: usize,
    /// Bytes of [`Scratch`] that a run takes.
    pub run: usize,
    /// Extents of the result.
    given: Extents,
    /// Pictures that go through all layers together.
    together: usize,
    /// Numbers of a picture between two layers at most.
    between: usize,
    /// Numbers of a picture with what is around it at most.
    around: usize,
}

impl Sizes {
    /// Of a network of these layers; `None` if they do not follow each other, or are beyond what can be counted.
    pub fn of(taken: Extents, layers: &[Layer]) -> Option<Self> {
        let (mut extents, mut between) = (taken, taken.numbers()?);
        // Numbers of one picture with what lies around it, and of places and cells.
        let (mut around, mut weights, mut places, mut cells) = (0_usize, 0_usize, 0_usize, 0_usize);
        for layer in layers {
            let result = layer.result(extents)?;
            between = between.max(result.numbers()?);
            if let Layer::Convolution { shape, weights: own, .. } = layer {
                let seen = Around::of(shape.axes, shape.channels)?;
                around = around.max(if seen.is_copied { seen.numbers()? } else { 0 });
                // Panels of a whole number of vectors.
                weights = weights.checked_add(own.len().checked_mul(2)?)?.checked_add(shape.filters)?;
                places = places.checked_add(result.height.checked_mul(result.width)?)?;
                cells = cells.checked_add(own.len() / shape.filters.max(1))?;
            }
            if let Layer::Greatest { axes: [height, width], .. } = layer {
                // A first cell and a count for each place along each axis.
                cells = cells.checked_add(height.outputs.checked_add(width.outputs)?.checked_mul(2)?)?;
            }
            extents = result;
        }
        let of_picture = between.checked_mul(2)?.checked_add(around)?;
        let together = (TOGETHER / of_picture.max(1)).clamp(1, PICTURES_MAX);
        let indices = places.checked_mul(together)?.checked_add(cells)?.checked_mul(size_of::<usize>())?;
        let kept = weights.checked_mul(size_of::<f32>())?.checked_add(indices)?;
        let run = of_picture.checked_mul(together)?.checked_mul(size_of::<f32>())?;
        Some(Self { kept, run, given: extents, together, between, around })
    }
}

impl Network {
    /// A network of these layers over pictures with these extents.
    ///
    /// # Panics
    /// When a layer does not take what the one before gives, has other weights than its shape says, is a convolution that is
    /// not dense ([`Layer::is_dense`]), or the extents are beyond what can be counted ([`Sizes::of`]).
    pub fn new(form: Form, taken: Extents, layers: &[Layer]) -> Self {
        let Some(sizes) = Sizes::of(taken, layers) else {
            panic!("layers that follow each other, with extents that can be counted")
        };
        let steps = layers.iter().map(|layer| match *layer {
            Layer::Function(function) => Step::Function(function),
            Layer::Greatest { channels, axes } => Step::Greatest(Greatest::new(channels, axes)),
            Layer::Convolution { shape, weights, bias } => {
                assert!(Layer::is_dense(&shape), "a convolution that fills its vectors");
                match shape.groups {
                    1 => Step::Filters(Filters::new(form, shape, weights, bias, sizes.together)),
                    _ => Step::Each(EachChannel::new(shape, weights, bias, sizes.together)),
                }
            }
        });
        Self { form, steps: steps.collect(), taken, sizes }
    }

    /// Computes the result [pictures, channels, height, width] of `pictures` [pictures, channels, height, width].
    ///
    /// # Panics
    /// When the lengths are not those of a whole number of pictures.
    pub fn evaluate(&self, pictures: &[f32], result: &mut [f32], scratch: &mut Scratch) {
        let numbers = |extents: Extents| extents.channels * extents.height * extents.width;
        let Sizes { given, together, .. } = self.sizes;
        let (taken, given) = (numbers(self.taken), numbers(given));
        if given == 0 {
            return assert!(result.is_empty(), "a result without numbers");
        }
        assert!(result.len().is_multiple_of(given), "results of whole pictures");
        assert_eq!(result.len() / given * taken, pictures.len(), "a result for each picture");
        scratch.grow(&self.sizes, together.min(result.len() / given));
        for (at, result) in result.chunks_mut(together * given).enumerate() {
            let count = result.len() / given;
            let pictures = &pictures[at * together * taken..][..count * taken];
            self.run(count, pictures, result, scratch);
        }
    }

    /// All layers, for a few pictures.
    fn run(&self, count: usize, pictures: &[f32], result: &mut [f32], scratch: &mut Scratch) {
        let Scratch { now, next, around } = scratch;
        let (from, to) = (pictures.len() / count, result.len() / count);
        if let Some(pixels) = from.checked_div(self.taken.channels) {
            for (picture, turned) in pictures.chunks_exact(from.max(1)).zip(now.chunks_exact_mut(from.max(1))) {
                turn(self.form, picture, pixels, turned);
            }
        }
        let mut length = pictures.len();
        for step in &self.steps {
            let taken = &now[..length];
            match step {
                Step::Function(function) => {
                    function.apply_with(self.form, &mut now[..length]);
                    continue;
                }
                Step::Filters(filters) => length = filters.run(count, taken, around, next),
                Step::Each(each) => length = each.run(self.form, count, taken, around, next),
                Step::Greatest(greatest) => length = greatest.run(self.form, count, taken, next),
            }
            std::mem::swap(now, next);
        }
        for (result, turned) in result.chunks_exact_mut(to).zip(now.chunks_exact(to)) {
            turn(self.form, turned, self.sizes.given.channels, result);
        }
    }
}

/// What a few pictures are computed in, for one network after the other.
#[derive(Debug, Default)]
pub struct Scratch {
    now: Vec<f32>,
    next: Vec<f32>,
    /// The pictures with the zeros around them.
    around: Vec<f32>,
}

impl Scratch {
    /// Bytes that it has grown to.
    pub fn bytes(&self) -> usize {
        [&self.now, &self.next, &self.around].map(Vec::len).iter().sum::<usize>() * size_of::<f32>()
    }

    /// Grows to what a network takes for so many pictures.
    fn grow(&mut self, sizes: &Sizes, pictures: usize) {
        let grow = |numbers: &mut Vec<f32>, length: usize| {
            if numbers.len() < length {
                // What was there is of no use: it is not copied.
                *numbers = vec![0.0; length];
            }
        };
        grow(&mut self.now, sizes.between * pictures);
        grow(&mut self.next, sizes.between * pictures);
        grow(&mut self.around, sizes.around * pictures);
    }
}

#[cfg(test)]
mod tests;
