//! Convolutions: Conv, ConvTranspose, ConvInteger, CausalConvWithState, Col2Im.

use foretell_kernels::convolution::{self, Convolution};

use super::movement::{joined, span};
use super::product::{Extents, add_product, small_integers};
use super::window::{OUTSIDE, WASTE_MAX, Window};
use super::{Operator, exact, one, single};
use crate::call::{Call, wrong_type};
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_real};
use crate::shape;
use crate::tensor::{Data, Tensor};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "CausalConvWithState" => single(causal_conv_with_state),
        "Col2Im" => single(col2im),
        "Conv" => single(conv),
        "ConvInteger" => exact(conv_integer),
        "ConvTranspose" => single(conv_transpose),
        _ => return None,
    })
}

/// The shapes of a convolution.
pub(super) struct Shapes {
    batch: usize,
    channels: usize,
    filters: usize,
    groups: usize,
    image: Vec<usize>,
    outputs: Vec<usize>,
    window: Window,
}

impl Shapes {
    /// From the shapes of a value [N, C, ...] and its weights [M, C / groups, ...].
    pub(super) fn new(call: &Call, input: &[usize], weights: &[usize]) -> Outcome<Self> {
        let misfit = || Fault::invalid(format!("weights of shape {weights:?} for a value of shape {input:?}"));
        let groups = shape::extent(call.int("group", 1)?)?;
        let ([batch, channels, image @ ..], [filters, per_group, kernel @ ..]) = (input, weights) else {
            return Err(misfit());
        };
        let declared = call.maybe_ints("kernel_shape")?.map(shape::extents).transpose()?;
        let fits = image.len() == kernel.len()
            && groups > 0
            && per_group.checked_mul(groups) == Some(*channels)
            && filters % groups == 0
            && declared.is_none_or(|declared| declared == kernel);
        if !fits {
            return Err(misfit());
        }
        let window = Window::new(call, image, kernel.to_vec())?;
        let outputs = window.outputs(image, false)?;
        Ok(Self {
            batch: *batch,
            channels: *channels,
            filters: *filters,
            groups,
            image: image.to_vec(),
            outputs,
            window,
        })
    }

    pub(super) fn filters(&self) -> usize {
        self.filters
    }

    fn result_shape(&self) -> Vec<usize> {
        [&[self.batch, self.filters], &self.outputs[..]].concat()
    }

    /// Whether the kernel is one cell that sees every place as it is.
    fn is_product(&self) -> bool {
        let Window { kernel, strides, before, after, .. } = &self.window;
        let is = |extents: &[usize], all: usize| extents.iter().all(|&extent| extent == all);
        is(kernel, 1) && is(strides, 1) && is(before, 0) && is(after, 0)
    }

    /// The shape for the kernels, which have pictures and series.
    fn for_kernels(&self) -> Option<convolution::Shape> {
        let Self { channels, filters, groups, image, outputs, window, .. } = self;
        let axes = window.axes_of_pictures(image, outputs)?;
        let has_sums = *channels > 0 && *filters > 0;
        has_sums.then_some(convolution::Shape { channels: *channels, filters: *filters, groups: *groups, axes })
    }
}

/// A convolution without its bias.
pub(super) fn convolve<T: Number>(call: &Call, input: &[T], weights: &[T], shapes: &Shapes) -> Outcome<Tensor> {
    let Shapes { batch, channels, filters, groups, image, outputs, window } = shapes;
    let result_shape = shapes.result_shape();
    let mut result = call.filled(shape::volume(&result_shape)?, T::ZERO)?;
    let offsets = window.offsets(call, image, outputs)?;
    let (cells, pixels, places) = (window.cells()?, shape::volume(image)?, shape::volume(outputs)?);
    let (channels, filters) = (channels / groups, filters / groups);
    let depth = channels * cells;
    let extents = Extents { rows: filters, depth, columns: places };
    call.meter.work(extents.work().saturating_mul(*batch as u64).saturating_mul(*groups as u64))?;
    let mut unfolded = call.filled(depth.saturating_mul(places), T::ZERO)?;
    if places == 0 || filters == 0 {
        return Ok(Tensor::new(result_shape, result));
    }
    for (part, result) in result.chunks_mut(filters * places).enumerate() {
        let group = part % groups;
        for channel in 0..channels {
            let plane = &input[(part * channels + channel) * pixels..][..pixels];
            let lines = &mut unfolded[channel * cells * places..][..cells * places];
            for (value, &offset) in lines.iter_mut().zip(&offsets) {
                *value = if offset == OUTSIDE { T::ZERO } else { plane[offset] };
            }
        }
        add_product(&weights[group * filters * depth..][..filters * depth], &unfolded, extents, result);
    }
    Ok(Tensor::new(result_shape, result))
}

/// The numbers of a bias, one for each channel.
fn by_channel<T: Number>(bias: &Tensor, channels: usize) -> Outcome<&[T]> {
    let values = bias.values::<T>().ok_or_else(|| wrong_type(2, T::TYPE, bias.element_type()))?;
    match values.len() == channels {
        true => Ok(values),
        false => Err(Fault::invalid(format!("{} biases for {channels} channels", values.len()))),
    }
}

/// Adds one number per channel, the second axis.
pub(super) fn add_bias<T: Number>(result: &Tensor, bias: Option<&Tensor>) -> Outcome<Tensor> {
    let values = result.values::<T>().unwrap_or_default();
    let Some(bias) = bias else { return Ok(result.clone()) };
    let channels = result.shape()[1];
    let addends = by_channel::<T>(bias, channels)?;
    let places = shape::volume(&result.shape()[2..])?.max(1);
    let sums = values.chunks(places).enumerate().flat_map(|(plane, values)| {
        let addend = addends[plane % channels];
        values.iter().map(move |value| value.plus(addend))
    });
    Ok(Tensor::new(result.shape().to_vec(), sums.collect()))
}

/// The number of pictures and the shape of a convolution along one or two axes, of a value of this shape; `None` if it is another
/// one.
pub(crate) fn convolution_of_pictures(
    call: &Call,
    input: &[usize],
    weights: &[usize],
) -> Option<(usize, convolution::Shape)> {
    let shapes = Shapes::new(call, input, weights).ok()?;
    shapes.for_kernels().map(|shape| (shapes.batch, shape))
}

/// A convolution of single precision along one or two axes, bias included, by the kernels; `None` if it is another one.
fn convolved_by_kernels(call: &Call) -> Outcome<Option<Tensor>> {
    let (input, weights) = (call.tensor(0)?, call.tensor(1)?);
    let (Some(values), Some(factors)) = (input.values::<f32>(), weights.values::<f32>()) else { return Ok(None) };
    let shapes = Shapes::new(call, input.shape(), weights.shape())?;
    if shapes.is_product() {
        let result = product_of_channels(call, values, factors, &shapes)?;
        return add_bias::<f32>(&result, call.maybe_tensor(2)?).map(Some);
    }
    let Some(shape) = shapes.for_kernels() else { return Ok(None) };
    let (Some(bytes), Some(places)) = (shape.bytes(), shape.places()) else { return Ok(None) };
    let Shapes { batch, filters, outputs, .. } = &shapes;
    // Places between the rows of a picture are computed along.
    if places > shape::volume(outputs)?.saturating_mul(WASTE_MAX) {
        return Ok(None);
    }
    let bias = bias_of(call, *filters)?;
    let (result_shape, depth) = (shapes.result_shape(), factors.len() / filters);
    let count = shape::volume(&result_shape)?;
    call.meter.room(bytes.saturating_add(count.saturating_mul(size_of::<f32>())), 1)?;
    call.meter.work(bytes as u64)?;
    call.meter.work(Extents { rows: *filters, depth, columns: places }.work().saturating_mul(*batch as u64))?;
    let mut result = call.filled(count, 0.0_f32)?;
    Convolution::new(shape).evaluate(values, factors, &bias, &mut result);
    Ok(Some(Tensor::new(result_shape, result)))
}

/// The bias of each filter; zeros if there is none.
pub(crate) fn bias_of(call: &Call, filters: usize) -> Outcome<Vec<f32>> {
    let Some(bias) = call.maybe_tensor(2)? else { return call.filled(filters, 0.0) };
    by_channel::<f32>(bias, filters).map(<[f32]>::to_vec)
}

/// A convolution whose kernel is one cell that sees every place as it is: the product of the weights and the channels.
fn product_of_channels(call: &Call, input: &[f32], weights: &[f32], shapes: &Shapes) -> Outcome<Tensor> {
    let Shapes { batch, channels, filters, groups, image, .. } = shapes;
    let result_shape = shapes.result_shape();
    let mut result = call.filled(shape::volume(&result_shape)?, 0.0)?;
    let (places, channels, filters) = (shape::volume(image)?, channels / groups, filters / groups);
    let extents = Extents { rows: filters, depth: channels, columns: places };
    call.meter.work(extents.work().saturating_mul(*batch as u64).saturating_mul(*groups as u64))?;
    if places * filters > 0 {
        for (part, result) in result.chunks_mut(filters * places).enumerate() {
            let weights = &weights[part % groups * filters * channels..][..filters * channels];
            add_product(weights, &input[part * channels * places..][..channels * places], extents, result);
        }
    }
    Ok(Tensor::new(result_shape, result))
}

fn conv(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Tensor> {
        let weights = call.tensor(1)?;
        let shapes = Shapes::new(call, call.tensor(0)?.shape(), weights.shape())?;
        let result = convolve(call, values, call.elements::<T>(1)?, &shapes)?;
        add_bias::<T>(&result, call.maybe_tensor(2)?)
    }
    match convolved_by_kernels(call)? {
        Some(result) => one(result),
        None => one(by_real!(call.tensor(0)?.data(), values => typed(call, values))?),
    }
}

fn conv_integer(call: &Call) -> Outcome<Vec<Value>> {
    let (input, weights) = (call.tensor(0)?, call.tensor(1)?);
    let input_zero = call.maybe_tensor(2)?;
    let shapes = Shapes::new(call, input.shape(), weights.shape())?;
    let values = less_zero(input, input_zero)?;
    let weights = by_filter(weights, call.maybe_tensor(3)?)?;
    one(convolve(call, &values, &weights, &shapes)?)
}

/// The integers of a quantised value less its one zero point.
pub(super) fn less_zero(input: &Tensor, zero: Option<&Tensor>) -> Outcome<Vec<i32>> {
    let values = small_integers(input)?;
    let zero = zero.map(small_integers).transpose()?.unwrap_or_else(|| vec![0]);
    match zero[..] {
        [zero] => Ok(values.iter().map(|value| value - zero).collect()),
        _ => Err(Fault::invalid(format!("{} zero points", zero.len()))),
    }
}

/// The integers of quantised weights less their zero point, one for all or one for each filter.
pub(super) fn by_filter(weights: &Tensor, zero: Option<&Tensor>) -> Outcome<Vec<i32>> {
    let values = small_integers(weights)?;
    let zeros = zero.map(small_integers).transpose()?.unwrap_or_else(|| vec![0]);
    let filters = weights.shape().first().copied().unwrap_or(0);
    if zeros.len() != 1 && zeros.len() != filters {
        return Err(Fault::invalid(format!("{} zero points for {filters} filters", zeros.len())));
    }
    let per_filter = (values.len() / filters.max(1)).max(1);
    Ok(values.iter().enumerate().map(|(at, value)| value - zeros[at / per_filter % zeros.len()]).collect())
}

fn conv_transpose(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Tensor> {
        let shapes = transposed_shapes(call)?;
        let result = spread_out(call, values, call.elements::<T>(1)?, &shapes)?;
        add_bias::<T>(&result, call.maybe_tensor(2)?)
    }
    one(by_real!(call.tensor(0)?.data(), values => typed(call, values))?)
}

/// The shapes of a ConvTranspose as of the convolution it is the transpose of: its value is that one's result.
fn transposed_shapes(call: &Call) -> Outcome<Shapes> {
    let (input, weights) = (call.tensor(0)?.shape(), call.tensor(1)?.shape());
    let misfit = || Fault::invalid(format!("weights of shape {weights:?} for a value of shape {input:?}"));
    let groups = shape::extent(call.int("group", 1)?)?;
    let ([batch, channels, outputs @ ..], [filters, per_group, kernel @ ..]) = (input, weights) else {
        return Err(misfit());
    };
    if outputs.len() != kernel.len() || channels != filters || groups == 0 || channels % groups != 0 {
        return Err(misfit());
    }
    let axes = outputs.len();
    // The pads follow from the wanted extents below, whatever the attribute says now.
    let mut window = Window::new(call, outputs, kernel.to_vec())?;
    let extra = call.maybe_ints("output_padding")?.map(shape::extents).transpose()?.unwrap_or_else(|| vec![0; axes]);
    let wanted = call.maybe_ints("output_shape")?.map(shape::extents).transpose()?;
    let wanted = wanted.map(|wanted| wanted[wanted.len().saturating_sub(axes)..].to_vec());
    if extra.len() != axes || wanted.as_ref().is_some_and(|wanted| wanted.len() != axes) {
        return Err(Fault::invalid("`output_padding` or `output_shape` does not fit its axes"));
    }
    let same = matches!(call.text("auto_pad", "NOTSET")?, "SAME_UPPER" | "SAME_LOWER");
    let upper = call.text("auto_pad", "NOTSET")? == "SAME_UPPER";
    let mut image = Vec::with_capacity(axes);
    for axis in 0..axes {
        let moved = outputs[axis].saturating_sub(1).checked_mul(window.strides[axis]).ok_or_else(misfit)?;
        let reach = (window.kernel[axis] - 1) * window.dilations[axis] + 1;
        let full = moved.checked_add(reach + extra[axis]).ok_or_else(misfit)?;
        let explicit = match (&wanted, same) {
            (Some(wanted), _) => Some(wanted[axis]),
            (None, true) => Some(outputs[axis].saturating_mul(window.strides[axis])),
            (None, false) => None,
        };
        match explicit {
            Some(extent) => {
                let total = full.saturating_sub(extent);
                window.before[axis] = if upper { total / 2 } else { total - total / 2 };
                window.after[axis] = total - window.before[axis];
                image.push(extent);
            }
            None => {
                let cut = window.before[axis].saturating_add(window.after[axis]);
                image.push(full.checked_sub(cut).ok_or_else(misfit)?);
            }
        }
    }
    Ok(Shapes {
        batch: *batch,
        channels: per_group * groups,
        filters: *channels,
        groups,
        image,
        outputs: outputs.to_vec(),
        window,
    })
}

/// Adds what every place of the value contributes to the cells of its window.
fn spread_out<T: Number>(call: &Call, input: &[T], weights: &[T], shapes: &Shapes) -> Outcome<Tensor> {
    let Shapes { batch, channels, filters, groups, image, outputs, window } = shapes;
    let result_shape = [&[*batch, *channels], &image[..]].concat();
    let mut result = call.filled(shape::volume(&result_shape)?, T::ZERO)?;
    let offsets = window.offsets(call, image, outputs)?;
    let (cells, pixels, places) = (window.cells()?, shape::volume(image)?, shape::volume(outputs)?);
    let (channels, filters) = (channels / groups, filters / groups);
    let lines = channels * cells;
    let extents = Extents { rows: lines, depth: filters, columns: places };
    call.meter.work(extents.work().saturating_mul(*batch as u64).saturating_mul(*groups as u64))?;
    call.meter.room(lines.saturating_mul(places), T::TYPE.width())?;
    if channels == 0 || pixels == 0 {
        return Ok(Tensor::new(result_shape, result));
    }
    for (part, result) in result.chunks_mut(channels * pixels).enumerate() {
        let own = &weights[part % groups * filters * lines..][..filters * lines];
        let turned: Vec<T> = (0..lines).flat_map(|line| (0..filters).map(move |at| own[at * lines + line])).collect();
        let mut unfolded = vec![T::ZERO; lines * places];
        add_product(&turned, &input[part * filters * places..][..filters * places], extents, &mut unfolded);
        fold(&unfolded, &offsets, pixels, result);
    }
    Ok(Tensor::new(result_shape, result))
}

/// Adds the cells of all windows to the planes they lie in.
fn fold<T: Number>(unfolded: &[T], offsets: &[usize], pixels: usize, planes: &mut [T]) {
    for (values, plane) in unfolded.chunks(offsets.len().max(1)).zip(planes.chunks_mut(pixels.max(1))) {
        for (value, &offset) in values.iter().zip(offsets) {
            if offset != OUTSIDE {
                plane[offset] = plane[offset].plus(*value);
            }
        }
    }
}

fn col2im(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Tensor> {
        let input = call.tensor(0)?.shape();
        let (image, block) = (shape::extents(&call.integers(1)?)?, shape::extents(&call.integers(2)?)?);
        let window = Window::new(call, &image, block)?;
        let outputs = window.outputs(&image, false)?;
        let (cells, pixels, places) = (window.cells()?, shape::volume(&image)?, shape::volume(&outputs)?);
        let [batch, lines, columns] = *input else {
            return Err(Fault::invalid(format!("a value of shape {input:?}; it takes [N, C, L]")));
        };
        if lines % cells != 0 || columns != places {
            return Err(Fault::invalid(format!("a value of shape {input:?} for {cells} cells at {places} places")));
        }
        let result_shape = [&[batch, lines / cells], &image[..]].concat();
        let mut result = call.filled(shape::volume(&result_shape)?, T::ZERO)?;
        fold(values, &window.offsets(call, &image, &outputs)?, pixels, &mut result);
        Ok(Tensor::new(result_shape, result))
    }
    one(by_real!(call.tensor(0)?.data(), values => typed(call, values))?)
}

/// A convolution of each channel over itself and what came before, of which it keeps the end.
fn causal_conv_with_state(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, padded: &[T], shape: &[usize]) -> Outcome<Tensor> {
        let weights = call.tensor(1)?;
        let (&[batch, channels, length], &[_, 1, kernel]) = (shape, weights.shape()) else {
            return Err(Fault::invalid(format!("weights of shape {:?} for {shape:?}", weights.shape())));
        };
        let window =
            Window { kernel: vec![kernel], strides: vec![1], dilations: vec![1], before: vec![0], after: vec![0] };
        let outputs = window.outputs(&[length], false)?;
        let shapes =
            Shapes { batch, channels, filters: channels, groups: channels, image: vec![length], outputs, window };
        let result = convolve(call, padded, call.elements::<T>(1)?, &shapes)?;
        let result = add_bias::<T>(&result, call.maybe_tensor(2)?)?;
        match call.text("activation", "none")? {
            "none" => Ok(result),
            "silu" | "swish" => {
                let values = result.values::<T>().unwrap_or_default().iter();
                let activated = values.map(|value| T::from_f64(value.to_f64() / (1.0 + (-value.to_f64()).exp())));
                Ok(Tensor::new(result.shape().to_vec(), activated.collect()))
            }
            other => Err(Fault::invalid(format!("attribute `activation` is `{other}`"))),
        }
    }
    let (input, weights) = (call.tensor(0)?, call.tensor(1)?);
    let (&[batch, channels, _], &[filters, 1, kernel]) = (input.shape(), weights.shape()) else {
        return Err(Fault::invalid(format!("weights of shape {:?} for {:?}", weights.shape(), input.shape())));
    };
    if filters != channels || kernel == 0 {
        return Err(Fault::invalid(format!("{filters} filters for {channels} channels")));
    }
    let missing = vec![batch, channels, kernel - 1];
    let state = match call.maybe_tensor(3)? {
        Some(state) if state.shape() == missing => state.clone(),
        Some(state) => return Err(Fault::invalid(format!("a state of shape {:?}", state.shape()))),
        None => {
            let count = call.room_for(&missing, input.element_type())?;
            Tensor::of(missing, Data::zeros(input.element_type(), count))
        }
    };
    let padded = joined(call, &[&state, input], 2)?;
    let length = padded.shape()[2];
    let kept = span(call, &padded, 2, length - (kernel - 1), kernel - 1)?;
    let result = by_real!(padded.data(), values => typed(call, values, padded.shape()))?;
    Ok(vec![result.into(), kept.into()])
}
