//! The greatest numbers of windows, channel by channel.

use crate::convolution::Axis;
use crate::forms::Form;
use crate::vector::{Loops, Vector};

/// Windows over pictures with the same extents.
pub(super) struct Greatest {
    channels: usize,
    /// Height and width of a picture.
    image: [usize; 2],
    /// For each place along the height, and the width, which of its cells are inside of the picture.
    inside: [Vec<Cells>; 2],
    dilations: [usize; 2],
}

/// Cells of a window along one axis that are inside of the picture: the first, and how many.
#[derive(Clone, Copy)]
struct Cells {
    first: usize,
    count: usize,
}

impl Cells {
    fn of(axis: Axis, place: usize) -> Self {
        let start = place * axis.stride;
        let skipped = axis.before.saturating_sub(start).div_ceil(axis.dilation);
        let first = (start + skipped * axis.dilation).saturating_sub(axis.before);
        let inside = axis.image.saturating_sub(first).div_ceil(axis.dilation);
        Self { first, count: axis.kernel.saturating_sub(skipped).min(inside) }
    }
}

impl Greatest {
    pub(super) fn new(channels: usize, axes: [Axis; 2]) -> Self {
        let inside = axes.map(|axis| (0..axis.outputs).map(|place| Cells::of(axis, place)).collect());
        Self { channels, image: axes.map(|axis| axis.image), inside, dilations: axes.map(|axis| axis.dilation) }
    }

    /// The results of so many pictures; how many numbers they are.
    pub(super) fn run(&self, form: Form, count: usize, pictures: &[f32], result: &mut [f32]) -> usize {
        let [rows, columns] = &self.inside;
        let result = &mut result[..count * rows.len() * columns.len() * self.channels];
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
        let Greatest { channels, image: [height, width], inside: [rows, columns], dilations } = self.layer;
        let line = width * channels;
        let places = rows.len() * columns.len() * channels;
        let steps = [dilations[0] * line, dilations[1] * channels];
        for (at, result) in self.result.chunks_exact_mut(places).enumerate() {
            let picture = &self.pictures[at * height * line..][..height * line];
            let mut places = result.chunks_exact_mut(*channels);
            for row in rows {
                for (column, most) in columns.iter().zip(places.by_ref()) {
                    let counts = [row.count, column.count];
                    if counts.contains(&0) {
                        most.fill(f32::NEG_INFINITY);
                        continue;
                    }
                    let cells = &picture[row.first * line + column.first * channels..];
                    // SAFETY: the caller has the instructions; `Cells` are inside of the picture.
                    unsafe { greatest::<V>(cells, counts, steps, most) };
                }
            }
        }
    }
}

/// The greatest number of each channel of so many rows and columns of cells, which are so far apart.
///
/// # Safety
/// The processor has the instructions of `V`; all channels of all cells are there.
#[inline(always)]
unsafe fn greatest<V: Vector>(cells: &[f32], [rows, columns]: [usize; 2], steps: [usize; 2], most: &mut [f32]) {
    let channels = most.len();
    if channels < V::LANES {
        most.copy_from_slice(&cells[..channels]);
        for cell in (0..rows).flat_map(|row| (0..columns).map(move |column| row * steps[0] + column * steps[1])) {
            let others = &cells[cell..][..channels];
            most.iter_mut().zip(others).for_each(|(most, other)| *most = if *other > *most { *other } else { *most });
        }
        return;
    }
    let mut channel = 0;
    loop {
        // SAFETY: the caller has the instructions and the cells; there is a vector of channels from here on.
        unsafe {
            let mut row = cells.as_ptr().add(channel);
            let mut value = V::load(row);
            for _ in 0..rows {
                let mut cell = row;
                for _ in 0..columns {
                    value = V::load(cell).greater(value);
                    cell = cell.wrapping_add(steps[1]);
                }
                row = row.wrapping_add(steps[0]);
            }
            value.store(most.as_mut_ptr().add(channel));
        }
        if channel + V::LANES >= channels {
            return;
        }
        // The last vector may have channels of the one before; they get the same numbers again.
        channel = (channel + V::LANES).min(channels - V::LANES);
    }
}
