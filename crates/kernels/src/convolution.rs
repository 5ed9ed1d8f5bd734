//! Convolutions of pictures: what networks for pictures, and for series, spend their time with.
//!
//! A convolution is a product of the filters' weights with what each cell of the kernel sees at each place. What it sees is
//! never written out. The picture is copied into planes with the zeros around it, one plane for each remainder that places
//! and cells have when the stride divides them, so that a cell sees the numbers of a plane one after the other, from an
//! offset of its own on. All rows of a plane, and all pictures, are one long row of places then; the few places between two
//! rows are computed along and left out.
//!
//! A sum takes channels and cells in the order of the weights, with one rounding for a product and its addition; it starts
//! at zero for every 256 of them and joins the bias and the sums before it, as in [`crate::matrix`]. A picture has the same
//! bits whatever the instructions and whatever the pictures beside it.
//!
//! Deliberately not here: more than two axes, numbers that are not `f32`, and windows of one cell that see everything as it
//! is, which are a [`crate::matrix::Product`].
//!
//! ```
//! use foretell_kernels::convolution::{Axis, Convolution, Shape};
//!
//! // A window of 1 x 2 that moves over a row of four numbers.
//! let height = Axis { image: 1, kernel: 1, stride: 1, dilation: 1, before: 0, outputs: 1 };
//! let width = Axis { image: 4, kernel: 2, outputs: 3, ..height };
//! let mut convolution = Convolution::new(Shape { channels: 1, filters: 1, groups: 1, axes: [height, width] });
//! let mut result = [0.0; 3];
//! convolution.evaluate(&[1.0, 2.0, 4.0, 8.0], &[-1.0, 1.0], &[0.5], &mut result);
//! assert_eq!(result, [1.5, 2.5, 4.5]);
//! ```

use std::ops::Range;

use crate::forms::Form;
use crate::matrix::strips::{Anywhere, Every, First, Strips};
use crate::matrix::{BLOCK_DEPTH, LANES_MAX, VECTORS_MAX, blocks, panel_columns};
use crate::numbers::{Numbers, copy_few};

/// Filters that are computed before the next ones: their weights of one block stay in the second-level cache.
const BLOCK_FILTERS: usize = 64;

/// Places that several small pictures have together, so that weights are read seldom.
const PLACES: usize = 512;

/// What is read beyond the last place of a plane at most.
const BEYOND: usize = VECTORS_MAX * LANES_MAX;

/// What a convolution does along one axis of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// Extent of the picture.
    pub image: usize,
    /// Cells of the kernel, at least one.
    pub kernel: usize,
    /// How far the kernel moves from one place to the next, at least one.
    pub stride: usize,
    /// How far a cell is from the one before it, at least one.
    pub dilation: usize,
    /// Zeros before the picture.
    pub before: usize,
    /// Places of the kernel. Behind the picture are as many zeros as they see.
    pub outputs: usize,
}

impl Axis {
    /// Extent from the first cell of the first place to the last cell of the last one; `None` if it is beyond what can be counted.
    pub(crate) fn seen(self) -> Option<usize> {
        let last = self.outputs.saturating_sub(1).checked_mul(self.stride)?;
        last.checked_add((self.kernel - 1).checked_mul(self.dilation)?)?.checked_add(1)
    }

    /// Whether so much, if that is what is seen, lies in the picture.
    pub(crate) fn is_inside(self, seen: usize) -> bool {
        self.before == 0 && seen <= self.image
    }
}

/// Extents of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Channels of the picture, at least one; a multiple of the groups.
    pub channels: usize,
    /// Channels of the result; a multiple of the groups.
    pub filters: usize,
    /// Parts of the channels, each of which has filters of its own. At least one.
    pub groups: usize,
    /// Height and width.
    pub axes: [Axis; 2],
}

/// How an axis is cut into planes.
struct Cut {
    axis: Axis,
    /// Extent of a plane.
    extent: usize,
    /// Remainders that have a plane.
    phases: Vec<usize>,
    /// For each cell its plane, and how far behind the place it sees.
    cells: Vec<(usize, usize)>,
}

/// Extents of an axis in planes, as far as they can be counted.
#[derive(Clone, Copy)]
struct Extents {
    plane: usize,
    phases: usize,
    /// Bytes of a [`Cut`].
    bytes: usize,
}

impl Extents {
    fn of(axis: Axis) -> Option<Self> {
        let reach = (axis.kernel - 1).checked_mul(axis.dilation)? / axis.stride;
        axis.image.checked_add(axis.before)?;
        let phases = axis.kernel.min(axis.stride / greatest_common_divisor(axis.stride, axis.dilation));
        let bytes = axis.kernel.checked_mul(size_of::<usize>() + size_of::<(usize, usize)>())?;
        Some(Self { plane: axis.outputs.checked_add(reach)?, phases, bytes })
    }
}

fn greatest_common_divisor(mut a: usize, mut b: usize) -> usize {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Cut {
    /// Of an axis that has [`Extents`].
    fn new(axis: Axis) -> Self {
        let distance = |cell: usize| cell * axis.dilation;
        let mut phases: Vec<usize> = (0..axis.kernel).map(|cell| distance(cell) % axis.stride).collect();
        phases.sort_unstable();
        phases.dedup();
        let cell = |cell: usize| {
            let (shift, phase) = (distance(cell) / axis.stride, distance(cell) % axis.stride);
            (phases.partition_point(|&other| other < phase), shift)
        };
        let cells: Vec<(usize, usize)> = (0..axis.kernel).map(cell).collect();
        let reach = cells.iter().map(|(_, shift)| *shift).max().unwrap_or(0);
        Self { axis, extent: axis.outputs + reach, phases, cells }
    }

    /// The places of a plane that lie in the picture, and where the first of them does.
    fn inside(&self, phase: usize) -> (Range<usize>, usize) {
        let Axis { image, stride, before, .. } = self.axis;
        let phase = self.phases[phase];
        let first = before.saturating_sub(phase).div_ceil(stride).min(self.extent);
        let end = (image + before).saturating_sub(phase).div_ceil(stride).clamp(first, self.extent);
        (first..end, (first * stride + phase).saturating_sub(before))
    }
}

/// Convolutions of pictures with the same extents.
pub struct Convolution {
    shape: Shape,
    form: Form,
    cuts: [Cut; 2],
    /// Pictures that are computed together.
    together: usize,
    /// For each channel its planes, for each plane that of each picture.
    planes: Numbers,
    /// Where each cell of each channel of a group sees the first place.
    offsets: Vec<usize>,
    /// For each filter of a group the sums of all places.
    sums: Numbers,
}

/// What a convolution needs room for: numbers of planes and sums, offsets, and how axes are cut.
struct Sizes {
    together: usize,
    planes: usize,
    offsets: usize,
    sums: usize,
    cuts: usize,
}

impl Sizes {
    /// `None` if they are beyond what can be counted.
    fn of(shape: &Shape) -> Option<Self> {
        let Shape { channels, filters, groups, axes } = *shape;
        let (height, width) = (Extents::of(axes[0])?, Extents::of(axes[1])?);
        let plane = height.plane.checked_mul(width.plane)?;
        let together = (PLACES / plane.max(1)).max(1);
        let phases = height.phases.checked_mul(width.phases)?;
        let places = plane.checked_mul(together)?;
        let cells = axes[0].kernel.checked_mul(axes[1].kernel)?;
        Some(Self {
            together,
            planes: places.checked_mul(phases)?.checked_mul(channels)?.checked_add(BEYOND)?,
            offsets: (channels / groups).checked_mul(cells)?,
            sums: places.checked_next_multiple_of(LANES_MAX)?.checked_mul(filters / groups)?,
            cuts: height.bytes.checked_add(width.bytes)?,
        })
    }
}

impl Shape {
    /// Places that are computed for each filter of a picture, those between two rows included; `None` if they are beyond what
    /// can be counted.
    pub fn places(&self) -> Option<usize> {
        let [height, width] = self.axes.map(Extents::of);
        height?.plane.checked_mul(width?.plane)
    }

    /// Bytes that a [`Convolution`] of this shape takes; `None` if they are beyond what can be counted.
    pub fn bytes(&self) -> Option<usize> {
        let Sizes { planes, offsets, sums, cuts, .. } = Sizes::of(self)?;
        let numbers = planes.checked_add(sums)?.checked_mul(size_of::<f32>())?;
        numbers.checked_add(offsets.checked_mul(size_of::<usize>())?)?.checked_add(cuts)
    }
}

impl Convolution {
    /// Convolutions of pictures with these extents.
    ///
    /// # Panics
    /// When a kernel has no cells, strides or dilations are zero, there is no channel or no group, channels or filters are no
    /// multiple of the groups, or the extents are beyond what can be counted ([`Shape::bytes`]).
    pub fn new(shape: Shape) -> Self {
        let Shape { channels, filters, groups, axes } = shape;
        assert!(axes.iter().all(|axis| axis.kernel > 0 && axis.stride > 0 && axis.dilation > 0), "a kernel that moves");
        assert!(
            channels > 0 && groups > 0 && channels.is_multiple_of(groups) && filters.is_multiple_of(groups),
            "groups alike"
        );
        let Some(sizes) = Sizes::of(&shape) else { panic!("extents that can be counted") };
        let cuts = axes.map(Cut::new);
        let [height, width] = &cuts;
        let plane = height.extent * width.extent * sizes.together;
        let mut offsets = Vec::with_capacity(sizes.offsets);
        for channel in 0..channels / groups {
            for (row_phase, row) in &height.cells {
                for (phase, column) in &width.cells {
                    let number = (channel * height.phases.len() + row_phase) * width.phases.len() + phase;
                    offsets.push(number * plane + row * width.extent + column);
                }
            }
        }
        let (planes, sums) = (Numbers::new(sizes.planes), Numbers::new(sizes.sums));
        Self { shape, form: Form::best(), cuts, together: sizes.together, planes, offsets, sums }
    }

    /// The same convolutions with these instructions, whose results are the same.
    #[must_use]
    pub fn with_form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// Computes the result [pictures, filters, height, width] of `pictures` [pictures, channels, height, width] with
    /// `weights` [filters, channels of a group, height, width of the kernel] and a bias for each filter.
    ///
    /// # Panics
    /// When the lengths are not those of the shape, for a whole number of pictures.
    pub fn evaluate(&mut self, pictures: &[f32], weights: &[f32], bias: &[f32], result: &mut [f32]) {
        let Shape { channels, filters, axes: [height, width], .. } = self.shape;
        let (pixels, places) = (channels * height.image * width.image, filters * height.outputs * width.outputs);
        assert_eq!(weights.len(), self.offsets.len() * filters, "weights of all filters");
        assert_eq!(bias.len(), filters, "a bias for each filter");
        if places == 0 {
            return assert!(result.is_empty(), "a result without places");
        }
        assert!(result.len().is_multiple_of(places), "results of whole pictures");
        assert_eq!(result.len() / places * pixels, pictures.len(), "a result for each picture");
        for (at, result) in result.chunks_mut(self.together * places).enumerate() {
            let count = result.len() / places;
            let first = at * self.together;
            for picture in 0..count {
                self.fill(picture, &pictures[(first + picture) * pixels..][..pixels]);
            }
            for group in 0..self.shape.groups {
                self.add_group(group, count, weights, bias);
                self.take_group(group, result);
            }
        }
    }

    /// Numbers of a plane of all pictures.
    fn plane(&self) -> usize {
        self.cuts[0].extent * self.cuts[1].extent * self.together
    }

    /// Copies a picture into its planes. The zeros around it are there from the beginning.
    fn fill(&mut self, picture: usize, pixels: &[f32]) {
        let plane = self.plane();
        let [height, width] = &self.cuts;
        let start = picture * height.extent * width.extent;
        let planes = self.planes.all();
        let mut number = 0;
        for channel in pixels.chunks_exact((height.axis.image * width.axis.image).max(1)) {
            for row_phase in 0..height.phases.len() {
                let (rows, top) = height.inside(row_phase);
                for phase in 0..width.phases.len() {
                    let (columns, left) = width.inside(phase);
                    for (row, place) in rows.clone().enumerate() {
                        let line = &channel[(top + row * height.axis.stride) * width.axis.image..][..width.axis.image];
                        let at = number * plane + start + place * width.extent;
                        let places = &mut planes[at + columns.start..at + columns.end];
                        match width.axis.stride {
                            1 => copy_few(&line[left..], places),
                            stride => {
                                let seen = line[left.min(line.len())..].iter().step_by(stride);
                                places.iter_mut().zip(seen).for_each(|(place, pixel)| *place = *pixel);
                            }
                        }
                    }
                    number += 1;
                }
            }
        }
    }

    /// The sums of a group of filters for so many pictures.
    fn add_group(&mut self, group: usize, pictures: usize, weights: &[f32], bias: &[f32]) {
        let [height, width] = &self.cuts;
        let plane = self.plane();
        let group_planes = self.shape.channels / self.shape.groups * height.phases.len() * width.phases.len();
        let places = ((pictures - 1) * height.extent + height.axis.outputs - 1) * width.extent + width.axis.outputs;
        let (filters, depth) = (self.shape.filters / self.shape.groups, self.offsets.len());
        let stride = plane.next_multiple_of(LANES_MAX);
        let lanes = self.form.lanes();
        let right = &self.planes.all()[group * group_planes * plane..];
        let sums = self.sums.all();
        for features in blocks(depth, BLOCK_DEPTH) {
            for rows in blocks(filters, BLOCK_FILTERS) {
                let own = group * filters + rows.start;
                for Range { start: place, end } in panel_columns(places, lanes) {
                    let vectors = (end - place).div_ceil(lanes);
                    self.form.run(Strips {
                        left: &weights[own * depth + features.start..],
                        left_rows: Every(depth),
                        right: &right[place..],
                        features: Anywhere(&self.offsets[features.clone()]),
                        result: &mut sums[rows.start * stride + place..],
                        result_stride: stride,
                        first: if features.start == 0 {
                            First::Rows(&bias[own..][..rows.len()])
                        } else {
                            First::Result
                        },
                        rows: rows.len(),
                        depth: features.len(),
                        vectors,
                        width: vectors * lanes,
                    });
                }
            }
        }
    }

    /// Takes the places of a group of filters out of the sums.
    fn take_group(&mut self, group: usize, result: &mut [f32]) {
        let stride = self.plane().next_multiple_of(LANES_MAX);
        let [height, width] = &self.cuts;
        let (rows, columns) = (height.axis.outputs, width.axis.outputs);
        let filters = self.shape.filters / self.shape.groups;
        let sums = self.sums.all();
        for (picture, result) in result.chunks_exact_mut(self.shape.filters * rows * columns).enumerate() {
            let of_group = result.chunks_exact_mut(rows * columns).skip(group * filters).take(filters);
            for (filter, result) in of_group.enumerate() {
                let from = &sums[filter * stride + picture * height.extent * width.extent..];
                for (row, result) in result.chunks_exact_mut(columns).enumerate() {
                    copy_few(&from[row * width.extent..], result);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
