//! A picture with the zeros around it that windows see.

use crate::convolution::Axis;

/// What windows see of a picture.
#[derive(Clone, Copy)]
pub(super) struct Around {
    axes: [Axis; 2],
    channels: usize,
    /// Rows, and pixels of a row.
    extents: [usize; 2],
    /// Whether there is something around the picture, so that it is copied.
    pub(super) is_copied: bool,
}

impl Around {
    /// `None` if the extents are beyond what can be counted.
    pub(super) fn of(axes: [Axis; 2], channels: usize) -> Option<Self> {
        let seen = [axes[0].seen()?, axes[1].seen()?];
        let is_copied = !axes.iter().zip(seen).all(|(axis, seen)| axis.is_inside(seen));
        let extents = if is_copied { seen } else { axes.map(|axis| axis.image) };
        Some(Self { axes, channels, extents, is_copied }).filter(|around| around.numbers().is_some())
    }

    /// Numbers of a picture; `None` if they are beyond what can be counted.
    pub(super) fn numbers(&self) -> Option<usize> {
        self.extents[0].checked_mul(self.extents[1])?.checked_mul(self.channels)
    }

    /// So many pictures with the zeros that are around them.
    pub(super) fn pictures<'a>(&self, count: usize, pictures: &'a [f32], memory: &'a mut [f32]) -> &'a [f32] {
        if !self.is_copied {
            return pictures;
        }
        let [height, width] = self.axes;
        let [rows, columns] = self.extents;
        let line = columns * self.channels;
        let memory = &mut memory[..count * rows * line];
        let (above, seen) = inside(height, rows);
        let (left, right) = inside(width, columns);
        let (left, right) = (left * self.channels, right * self.channels);
        let (of_row, of_picture) = (width.image * self.channels, height.image * width.image * self.channels);
        for (picture, around) in memory.chunks_exact_mut(rows * line).enumerate() {
            for (row, to) in around.chunks_exact_mut(line).enumerate() {
                if !(above..seen).contains(&row) {
                    to.fill(0.0);
                    continue;
                }
                let from = &pictures[picture * of_picture + (row - above) * of_row..][..right - left];
                to[..left].fill(0.0);
                to[left..right].copy_from_slice(from);
                to[right..].fill(0.0);
            }
        }
        memory
    }

    /// Where the first cell of each place of so many pictures is.
    pub(super) fn places(&self, pictures: usize) -> Vec<usize> {
        let [height, width] = self.axes;
        let [rows, columns] = self.extents;
        let mut places = Vec::with_capacity(pictures * height.outputs * width.outputs);
        for picture in 0..pictures {
            for y in 0..height.outputs {
                let row = (picture * rows + y * height.stride) * columns;
                places.extend((0..width.outputs).map(|x| (row + x * width.stride) * self.channels));
            }
        }
        places
    }

    /// How far behind the first cell each one is, row by row of the kernel.
    pub(super) fn cells(&self) -> Vec<usize> {
        let [height, width] = self.axes;
        let of_row = |y: usize| {
            (0..width.kernel).map(move |x| (y * height.dilation * self.extents[1] + x * width.dilation) * self.channels)
        };
        (0..height.kernel).flat_map(of_row).collect()
    }
}

/// Where the picture begins and ends in what is seen along an axis.
fn inside(axis: Axis, extent: usize) -> (usize, usize) {
    let start = axis.before.min(extent);
    (start, (start + axis.image).min(extent))
}
