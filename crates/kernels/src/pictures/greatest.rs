//! The greatest numbers of windows, channel by channel.

use std::ops::Range;

use crate::convolution::Axis;
use crate::forms::Form;
use crate::vector::{Loops, Vector};

/// Windows over pictures with the same extents.
pub(super) struct Greatest {
    pub(super) channels: usize,
    pub(super) axes: [Axis; 2],
}

impl Greatest {
    /// The results of so many pictures; how many numbers they are.
    pub(super) fn run(&self, form: Form, count: usize, pictures: &[f32], result: &mut [f32]) -> usize {
        let [height, width] = self.axes;
        let result = &mut result[..count * height.outputs * width.outputs * self.channels];
        let length = result.len();
        if length > 0 {
            form.run(Windows { layer: self, pictures, result });
        }
        length
    }
}

/// All windows of some pictures.
struct Windows<'a> {
    layer: &'a Greatest,
    pictures: &'a [f32],
    result: &'a mut [f32],
}

impl Loops for Windows<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Greatest { channels, axes: [height, width] } = *self.layer;
        let pixels = height.image * width.image * channels;
        let mut places = self.result.chunks_exact_mut(channels);
        let mut picture = self.pictures;
        while places.len() > 0 {
            for y in 0..height.outputs {
                let rows = inside(height, y);
                for (x, most) in places.by_ref().take(width.outputs).enumerate() {
                    let columns = inside(width, x);
                    let lines = rows.clone().step_by(height.dilation);
                    let cells = lines
                        .flat_map(|row| columns.clone().step_by(width.dilation).map(move |x| row * width.image + x));
                    greatest(picture, cells, most);
                }
            }
            picture = picture.get(pixels..).unwrap_or_default();
        }
    }
}

/// The greatest number of each channel; minus infinity if there are no cells.
#[inline(always)]
fn greatest(picture: &[f32], mut cells: impl Iterator<Item = usize>, most: &mut [f32]) {
    let channels = most.len();
    let Some(first) = cells.next() else { return most.fill(f32::NEG_INFINITY) };
    most.copy_from_slice(&picture[first * channels..][..channels]);
    for cell in cells {
        let others = &picture[cell * channels..][..channels];
        most.iter_mut().zip(others).for_each(|(most, other)| *most = if *other > *most { *other } else { *most });
    }
}

/// Where the cells of a window lie that are inside of the picture, of which every dilation-th is one.
#[inline(always)]
fn inside(axis: Axis, place: usize) -> Range<usize> {
    let start = place * axis.stride;
    let end = (start + (axis.kernel - 1) * axis.dilation + 1).saturating_sub(axis.before).min(axis.image);
    let before = axis.before.saturating_sub(start).div_ceil(axis.dilation);
    let first = (start + before * axis.dilation).saturating_sub(axis.before);
    first.min(end)..end
}
