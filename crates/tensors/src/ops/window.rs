//! Windows that slide over the last axes of a value: where each of their cells lies. Shared by convolutions and poolings.

use foretell_kernels::convolution::Axis;

use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::shape::{self, Places, strides};

/// Marks a cell outside of the value.
pub(super) const OUTSIDE: usize = usize::MAX;

/// Kernels look at most at so many times what a value and a result have; where pads, strides and dilations would make it more,
/// each cell is looked up by itself.
pub(super) const WASTE_MAX: usize = 4;

/// A window and how it moves, along each axis.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub(super) kernel: Vec<usize>,
    pub(super) strides: Vec<usize>,
    pub(super) dilations: Vec<usize>,
    /// Cells added before the first and after the last.
    pub(super) before: Vec<usize>,
    pub(super) after: Vec<usize>,
}

/// A list of one positive number per axis; all ones if it is not there.
fn per_axis(call: &Call, name: &str, axes: usize) -> Outcome<Vec<usize>> {
    let Some(values) = call.maybe_ints(name)? else { return Ok(vec![1; axes]) };
    let values = shape::extents(values)?;
    if values.len() != axes || values.contains(&0) {
        return Err(Fault::invalid(format!("attribute `{name}` is {values:?} for {axes} axes")));
    }
    Ok(values)
}

impl Window {
    /// The window of a node whose value has these extents along the axes it slides over.
    pub(super) fn new(call: &Call, image: &[usize], kernel: Vec<usize>) -> Outcome<Self> {
        let axes = image.len();
        if kernel.len() != axes || kernel.contains(&0) {
            return Err(Fault::invalid(format!("a window of {kernel:?} over {image:?}")));
        }
        let (strides, dilations) = (per_axis(call, "strides", axes)?, per_axis(call, "dilations", axes)?);
        let mut window = Self { kernel, strides, dilations, before: vec![0; axes], after: vec![0; axes] };
        if window.reach().is_none() {
            return Err(Fault::invalid(format!("a window of {:?} over {image:?}", window.kernel)));
        }
        match call.text("auto_pad", "NOTSET")? {
            "NOTSET" | "" => (window.before, window.after) = pads(call, axes)?,
            "VALID" => {}
            "SAME_UPPER" => window.pad_to_same(image, false),
            "SAME_LOWER" => window.pad_to_same(image, true),
            other => return Err(Fault::invalid(format!("attribute `auto_pad` is `{other}`"))),
        }
        Ok(window)
    }

    /// The extents of the window with its gaps; `None` if they do not fit.
    fn reach(&self) -> Option<Vec<usize>> {
        let cells = self.kernel.iter().zip(&self.dilations);
        cells.map(|(&kernel, &dilation)| (kernel - 1).checked_mul(dilation)?.checked_add(1)).collect()
    }

    fn pad_to_same(&mut self, image: &[usize], more_before: bool) {
        let reach = self.reach().unwrap_or_default();
        for axis in 0..image.len() {
            let outputs = image[axis].div_ceil(self.strides[axis]);
            let needed = (outputs.saturating_sub(1) * self.strides[axis]).saturating_add(reach[axis]);
            let total = needed.saturating_sub(image[axis]);
            let (less, more) = (total / 2, total - total / 2);
            (self.before[axis], self.after[axis]) = if more_before { (more, less) } else { (less, more) };
        }
    }

    /// How many places the window has along each axis.
    pub(super) fn outputs(&self, image: &[usize], ceil: bool) -> Outcome<Vec<usize>> {
        let reach = self.reach().unwrap_or_default();
        (0..image.len())
            .map(|axis| {
                let padded =
                    image[axis].checked_add(self.before[axis]).and_then(|sum| sum.checked_add(self.after[axis]));
                let stride = self.strides[axis];
                let span = padded.and_then(|padded| padded.checked_sub(reach[axis]));
                // Rounded up, a window that is too large by less than a stride has one place.
                let is_one = || padded.is_some_and(|padded| padded > 0 && reach[axis] - padded < stride);
                let span = match span {
                    None if ceil && is_one() => return Ok(1),
                    span => span.ok_or_else(|| {
                        Fault::invalid(format!("a window of {:?} is larger than {image:?} with its pads", self.kernel))
                    })?,
                };
                if !ceil {
                    return Ok(span / stride + 1);
                }
                let outputs = span.div_ceil(stride) + 1;
                // A window must not begin in the pads behind the value.
                let beyond = (outputs - 1) * stride >= image[axis] + self.before[axis];
                Ok(if beyond { outputs - 1 } else { outputs })
            })
            .collect()
    }

    /// What the kernels are told about an axis of an image.
    pub(super) fn axis(&self, at: usize, image: &[usize], outputs: &[usize]) -> Axis {
        Axis {
            image: image[at],
            kernel: self.kernel[at],
            stride: self.strides[at],
            dilation: self.dilations[at],
            before: self.before[at],
            outputs: outputs[at],
        }
    }

    /// As [`Self::axis`], for both axes of pictures; a series is a picture of one row.
    pub(super) fn axes_of_pictures(&self, image: &[usize], outputs: &[usize]) -> Option<[Axis; 2]> {
        let axis = |at: usize| self.axis(at, image, outputs);
        match image.len() {
            1 => Some([Axis { image: 1, kernel: 1, stride: 1, dilation: 1, before: 0, outputs: 1 }, axis(0)]),
            2 => Some([axis(0), axis(1)]),
            _ => None,
        }
    }

    /// Number of cells of the window.
    pub(super) fn cells(&self) -> Outcome<usize> {
        shape::volume(&self.kernel)
    }

    /// The offset in `image` of every cell of every window, or [`OUTSIDE`]: all places of the first cell, then of the second.
    pub(super) fn offsets(&self, call: &Call, image: &[usize], outputs: &[usize]) -> Outcome<Vec<usize>> {
        let all = [&self.kernel[..], outputs].concat();
        let count = shape::volume(&all)?;
        call.meter.room(count, size_of::<usize>())?;
        call.meter.work(count as u64)?;
        let moves = strides(image);
        let mut offsets = Vec::with_capacity(count);
        let mut cells = Places::new(&self.kernel);
        while let Some(cell) = cells.next() {
            // Along each axis, the offset of each place of the window, or `None`.
            let tables: Vec<Vec<Option<usize>>> = (0..image.len())
                .map(|axis| {
                    let place = |output: usize| {
                        let padded = output * self.strides[axis] + cell[axis] * self.dilations[axis];
                        let at = padded.checked_sub(self.before[axis]).filter(|&at| at < image[axis]);
                        at.map(|at| at * moves[axis])
                    };
                    (0..outputs[axis]).map(place).collect()
                })
                .collect();
            let mut places = Places::new(outputs);
            while let Some(place) = places.next() {
                let offset = place.iter().zip(&tables).try_fold(0, |sum, (&at, table)| table[at].map(|at| sum + at));
                offsets.push(offset.unwrap_or(OUTSIDE));
            }
        }
        Ok(offsets)
    }
}

/// The pads of a node, before and after; one of the first versions of an operator has none.
fn pads(call: &Call, axes: usize) -> Outcome<(Vec<usize>, Vec<usize>)> {
    let Some(pads) = call.maybe_ints("pads")? else { return Ok((vec![0; axes], vec![0; axes])) };
    if pads.len() != 2 * axes {
        return Err(Fault::invalid(format!("attribute `pads` has {} numbers for {axes} axes", pads.len())));
    }
    let pads = shape::extents(pads)?;
    Ok((pads[..axes].to_vec(), pads[axes..].to_vec()))
}
