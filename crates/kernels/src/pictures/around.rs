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
        let seen = |axis: Axis| {
            let last = axis.outputs.saturating_sub(1).checked_mul(axis.stride)?;
            last.checked_add((axis.kernel - 1).checked_mul(axis.dilation)?)?.checked_add(1)
        };
        let seen = [seen(axes[0])?, seen(axes[1])?];
        let is_inside = |(axis, seen): (&Axis, usize)| axis.before == 0 && seen <= axis.image;
        let is_copied = !axes.iter().zip(seen).all(is_inside);
        let extents = if is_copied { seen } else { axes.map(|axis| axis.image) };
        Some(Self { axes, channels, extents, is_copied }).filter(|around| around.numbers().is_some())
    }

    /// Numbers of a picture; `None` if they are beyond what can be counted.
    pub(super) fn numbers(&self) -> Option<usize> {
        self.extents[0].checked_mul(self.extents[1])?.checked_mul(self.channels)
    }

    /// Memory for so many pictures, if they are copied.
    pub(super) fn memory(&self, pictures: usize) -> Vec<f32> {
        vec![0.0; if self.is_copied { self.numbers().unwrap_or(0) * pictures } else { 0 }]
    }

    /// The pictures with what is around them. The zeros are there from the beginning.
    pub(super) fn pictures<'a>(&self, pictures: &'a [f32], memory: &'a mut [f32]) -> &'a [f32] {
        if !self.is_copied {
            return pictures;
        }
        let [height, width] = self.axes;
        let [rows, columns] = self.extents;
        let line = columns * self.channels;
        let (seen, start) = (width.image.min(columns.saturating_sub(width.before)), width.before.min(columns));
        let of_picture = height.image * width.image * self.channels;
        for (picture, around) in pictures.chunks_exact(of_picture.max(1)).zip(memory.chunks_exact_mut(rows * line)) {
            let lines = picture.chunks_exact(width.image * self.channels);
            for (from, to) in lines.zip(around.chunks_exact_mut(line).skip(height.before)) {
                to[start * self.channels..][..seen * self.channels].copy_from_slice(&from[..seen * self.channels]);
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
