//! DeformConv: a convolution whose windows are bent.

use super::conv::add_bias;
use super::product::{Extents, add_product};
use super::window::Window;
use super::{Operator, one, single};
use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_real};
use crate::shape;
use crate::tensor::Tensor;
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    match op_type {
        "DeformConv" => Some(single(deform_conv)),
        _ => None,
    }
}

/// The extents of a deformed convolution of images.
struct Shapes {
    batch: usize,
    channels: usize,
    filters: usize,
    groups: usize,
    /// Groups of channels that are bent alike.
    bends: usize,
    image: [usize; 2],
    outputs: [usize; 2],
    cells: usize,
    window: Window,
}

impl Shapes {
    fn new(call: &Call) -> Outcome<Self> {
        let (input, weights, offsets) = (call.tensor(0)?.shape(), call.tensor(1)?.shape(), call.tensor(2)?.shape());
        let misfit = || Fault::invalid(format!("weights of {weights:?} and offsets of {offsets:?} for {input:?}"));
        let (&[batch, channels, height, width], &[filters, per_group, rows, columns]) = (input, weights) else {
            return Err(misfit());
        };
        let count = |name: &str| -> Outcome<usize> { shape::extent(call.int(name, 1)?) };
        let (groups, bends) = (count("group")?, count("offset_group")?);
        let window = Window::new(call, &[height, width], vec![rows, columns])?;
        let outputs = window.outputs(&[height, width], false)?;
        let cells = shape::volume(&[rows, columns])?;
        let fits = groups > 0
            && bends > 0
            && per_group.checked_mul(groups) == Some(channels)
            && filters.is_multiple_of(groups)
            && channels.is_multiple_of(bends);
        let bent = shape::volume(&[bends, cells, 2])?;
        let fits = fits && offsets == [batch, bent, outputs[0], outputs[1]];
        let masked = call.maybe_tensor(4)?.map(Tensor::shape);
        if !fits || masked.is_some_and(|mask| mask != [batch, bent / 2, outputs[0], outputs[1]]) {
            return Err(misfit());
        }
        let (image, outputs) = ([height, width], [outputs[0], outputs[1]]);
        Ok(Self { batch, channels, filters, groups, bends, image, outputs, cells, window })
    }

    fn places(&self) -> usize {
        self.outputs[0] * self.outputs[1]
    }

    /// Where a cell of the window lies without its bend.
    fn origin(&self, cell: usize, place: usize) -> [f64; 2] {
        let columns = self.window.kernel[1];
        let (cell, place) = ([cell / columns, cell % columns], [place / self.outputs[1], place % self.outputs[1]]);
        [0, 1].map(|axis| {
            let at = place[axis] * self.window.strides[axis] + cell[axis] * self.window.dilations[axis];
            at as f64 - self.window.before[axis] as f64
        })
    }
}

/// The value between four places of an image, outside of which it is zero.
fn between<T: Number>(plane: &[T], [height, width]: [usize; 2], [row, column]: [f64; 2]) -> f64 {
    let outside = |at: f64, extent: usize| at.is_nan() || at <= -1.0 || at >= extent as f64;
    if outside(row, height) || outside(column, width) {
        return 0.0;
    }
    let (top, left) = (row.floor(), column.floor());
    let at = |row: f64, column: f64| match row < 0.0 || column < 0.0 || row >= height as f64 || column >= width as f64 {
        true => 0.0,
        false => plane[row as usize * width + column as usize].to_f64(),
    };
    let (down, right) = (row - top, column - left);
    let upper = at(top, left) * (1.0 - right) + at(top, left + 1.0) * right;
    let lower = at(top + 1.0, left) * (1.0 - right) + at(top + 1.0, left + 1.0) * right;
    upper * (1.0 - down) + lower * down
}

fn deform_conv(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Tensor> {
        let shapes = Shapes::new(call)?;
        let (weights, offsets) = (call.elements::<T>(1)?, call.elements::<T>(2)?);
        let mask = call.maybe_tensor(4)?.map(|_| call.elements::<T>(4)).transpose()?;
        let (cells, places) = (shapes.cells, shapes.places());
        let (channels, filters) = (shapes.channels / shapes.groups, shapes.filters / shapes.groups);
        let result_shape = vec![shapes.batch, shapes.filters, shapes.outputs[0], shapes.outputs[1]];
        let mut result = call.filled(shape::volume(&result_shape)?, T::ZERO)?;
        let extents = Extents { rows: filters, depth: channels * cells, columns: places };
        call.meter.work(extents.work().saturating_mul((shapes.batch * shapes.groups) as u64))?;
        let mut unfolded = call.filled(shape::volume(&[channels, cells, places])?, T::ZERO)?;
        call.meter.work((unfolded.len() as u64).saturating_mul(8 * (shapes.batch * shapes.groups) as u64))?;
        let pixels = shapes.image[0] * shapes.image[1];
        for (part, result) in result.chunks_mut((filters * places).max(1)).enumerate() {
            let (row, group) = (part / shapes.groups, part % shapes.groups);
            for (at, value) in unfolded.iter_mut().enumerate() {
                let (channel, cell, place) = (group * channels + at / places / cells, at / places % cells, at % places);
                let bend = row * shapes.bends + channel / (shapes.channels / shapes.bends);
                let [down, right] = shapes.origin(cell, place);
                let moved = |axis: usize| offsets[((bend * cells + cell) * 2 + axis) * places + place].to_f64();
                let plane = &values[(row * shapes.channels + channel) * pixels..][..pixels];
                let sample = between(plane, shapes.image, [down + moved(0), right + moved(1)]);
                let weight = mask.map_or(1.0, |mask| mask[(bend * cells + cell) * places + place].to_f64());
                *value = T::from_f64(sample * weight);
            }
            let own = &weights[group * filters * channels * cells..][..filters * channels * cells];
            add_product(own, &unfolded, extents, result);
        }
        add_bias::<T>(&Tensor::new(result_shape, result), call.maybe_tensor(3)?)
    }
    one(by_real!(call.tensor(0)?.data(), values => typed(call, values))?)
}
