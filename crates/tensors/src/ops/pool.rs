//! Poolings: the most, the mean or a norm of each window.

use foretell_kernels::convolution::Axis;
use foretell_kernels::pooling::Greatest;

use super::pad::enlarged;
use super::window::{OUTSIDE, WASTE_MAX, Window};
use super::{Operator, one, single};
use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_number, by_real};
use crate::shape::{self, Places};
use crate::tensor::Tensor;
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "AveragePool" => single(|call| pool(call, Pooling::Average)),
        "GlobalAveragePool" => single(|call| pool_all(call, Pooling::Average)),
        "GlobalLpPool" => single(|call| pool_all(call, Pooling::Lp)),
        "GlobalMaxPool" => single(|call| pool_all(call, Pooling::Max)),
        "LpPool" => single(|call| pool(call, Pooling::Lp)),
        "MaxPool" => single(max_pool),
        "MaxUnpool" => single(max_unpool),
        _ => return None,
    })
}

/// All numbers are looked at, so that several are at once.
fn has_nan(values: &[f32]) -> bool {
    values.iter().fold(false, |is_there, value| is_there | value.is_nan())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pooling {
    Average,
    Lp,
    Max,
}

/// A value [N, C, ...] and the window that slides over it.
struct Shapes {
    /// Batch times channels.
    planes: usize,
    image: Vec<usize>,
    window: Window,
    outputs: Vec<usize>,
    result: Vec<usize>,
}

impl Shapes {
    /// From the shape of the value.
    fn new(call: &Call, input: &[usize]) -> Outcome<Self> {
        let [batch, channels, image @ ..] = input else {
            return Err(Fault::invalid(format!("a value of shape {input:?}; it takes [N, C, ...]")));
        };
        let kernel = call.required("kernel_shape", call.maybe_ints("kernel_shape")?)?;
        let window = Window::new(call, image, shape::extents(kernel)?)?;
        let outputs = window.outputs(image, call.flag("ceil_mode", false)?)?;
        let result = [&[*batch, *channels], &outputs[..]].concat();
        Ok(Self { planes: shape::volume(&[*batch, *channels])?, image: image.to_vec(), window, outputs, result })
    }
}

fn pool(call: &Call, pooling: Pooling) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T], pooling: Pooling) -> Outcome<Tensor> {
        let shapes = Shapes::new(call, call.tensor(0)?.shape())?;
        let (pixels, places) = (shape::volume(&shapes.image)?, shape::volume(&shapes.outputs)?);
        let offsets = shapes.window.offsets(call, &shapes.image, &shapes.outputs)?;
        call.meter.work((offsets.len() as u64).saturating_mul(shapes.planes as u64))?;
        let mut result = call.filled(shape::volume(&shapes.result)?, T::ZERO)?;
        let power = f64::from(i32::try_from(call.int("p", 2)?).unwrap_or(i32::MAX));
        let counts = counts(call, &shapes, &offsets)?;
        let mut sums = vec![0.0; places];
        for (plane, result) in result.chunks_mut(places.max(1)).enumerate() {
            let values = &values[plane * pixels..][..pixels];
            sums.fill(0.0);
            for offsets in offsets.chunks(places.max(1)) {
                for (sum, &offset) in sums.iter_mut().zip(offsets) {
                    let Some(value) = values.get(offset) else { continue };
                    let value = value.to_f64();
                    *sum += if pooling == Pooling::Lp { value.abs().powf(power) } else { value };
                }
            }
            for ((result, sum), count) in result.iter_mut().zip(&sums).zip(&counts) {
                *result = T::from_f64(if pooling == Pooling::Lp { sum.powf(power.recip()) } else { sum / count });
            }
        }
        Ok(Tensor::new(shapes.result, result))
    }
    one(by_real!(call.tensor(0)?.data(), values => typed(call, values, pooling))?)
}

/// How many cells of each window count for a mean.
fn counts(call: &Call, shapes: &Shapes, offsets: &[usize]) -> Outcome<Vec<f64>> {
    let places = shape::volume(&shapes.outputs)?;
    if !call.flag("count_include_pad", false)? {
        let mut counts = vec![0.0; places];
        offsets
            .iter()
            .enumerate()
            .filter(|(_, offset)| **offset != OUTSIDE)
            .for_each(|(at, _)| counts[at % places] += 1.0);
        return Ok(counts);
    }
    // Pads count, but not what a window that was rounded up reaches beyond them.
    let window = &shapes.window;
    let mut counts = Vec::with_capacity(places);
    let mut outputs = Places::new(&shapes.outputs);
    while let Some(place) = outputs.next() {
        let along = |axis: usize| {
            let end = shapes.image[axis] + window.before[axis] + window.after[axis];
            let start = place[axis] * window.strides[axis];
            (0..window.kernel[axis]).filter(|cell| start + cell * window.dilations[axis] < end).count()
        };
        counts.push((0..place.len()).map(along).product::<usize>() as f64);
    }
    Ok(counts)
}

fn are_places_asked(call: &Call) -> bool {
    call.node.outputs.get(1).is_some_and(|name| !name.is_empty())
}

/// The windows of a `MaxPool` over pictures, a value of this shape, where nobody asks for the places of the greatest numbers; `None`
/// for others.
pub(crate) fn greatest_axes(call: &Call, input: &[usize]) -> Option<[Axis; 2]> {
    let Shapes { image, window, outputs, .. } = Shapes::new(call, input).ok()?;
    window.axes_of_pictures(&image, &outputs).filter(|_| !are_places_asked(call))
}

/// The greatest numbers of windows over pictures of single precision without NaN, where nobody asks for their places; `None`
/// for others.
fn greatest_of_pictures(call: &Call) -> Outcome<Option<Tensor>> {
    let Some(values) = call.tensor(0)?.values::<f32>() else { return Ok(None) };
    let Shapes { planes, image, window, outputs, result } = Shapes::new(call, call.tensor(0)?.shape())?;
    if are_places_asked(call) || image.len() != 2 || has_nan(values) {
        return Ok(None);
    }
    let axes = [window.axis(0, &image, &outputs), window.axis(1, &image, &outputs)];
    let Some(numbers) = Greatest::numbers(axes) else { return Ok(None) };
    let places = shape::volume(&image)?.saturating_add(shape::volume(&outputs)?);
    // What lies between and around the windows is looked at along with them.
    if numbers > places.saturating_mul(WASTE_MAX) {
        return Ok(None);
    }
    let count = shape::volume(&result)?;
    call.meter.room(count.saturating_add(numbers), size_of::<f32>())?;
    let along = (numbers as u64).saturating_mul(window.kernel[1] as u64).saturating_mul(planes as u64);
    call.meter.work(along.saturating_add((count as u64).saturating_mul(window.kernel[0] as u64)))?;
    let mut greatest = call.filled(count, 0.0)?;
    Greatest::new(axes).evaluate(values, &mut greatest);
    Ok(Some(Tensor::new(result, greatest)))
}

fn max_pool(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Vec<Value>> {
        let shapes = Shapes::new(call, call.tensor(0)?.shape())?;
        let (pixels, places) = (shape::volume(&shapes.image)?, shape::volume(&shapes.outputs)?);
        let offsets = shapes.window.offsets(call, &shapes.image, &shapes.outputs)?;
        call.meter.work((offsets.len() as u64).saturating_mul(shapes.planes as u64))?;
        let count = shape::volume(&shapes.result)?;
        let mut result = call.filled(count, T::LOWEST)?;
        let mut found = call.filled(count, -1_i64)?;
        let by_column = call.flag("storage_order", false)?;
        for plane in 0..if places == 0 { 0 } else { shapes.planes } {
            let values = &values[plane * pixels..][..pixels];
            let results = &mut result[plane * places..][..places];
            let found = &mut found[plane * places..][..places];
            for (at, &offset) in offsets.iter().enumerate() {
                let place = at % places;
                if offset != OUTSIDE && (found[place] < 0 || values[offset] > results[place]) {
                    results[place] = values[offset];
                    found[place] = offset as i64;
                }
            }
            for found in found.iter_mut().filter(|found| **found >= 0) {
                let inside = *found as usize;
                let inside = if by_column { column_major(inside, &shapes.image) } else { inside };
                *found = (plane * pixels + inside) as i64;
            }
        }
        Ok(vec![Tensor::new(shapes.result.clone(), result).into(), Tensor::new(shapes.result, found).into()])
    }
    match greatest_of_pictures(call)? {
        Some(greatest) => one(greatest),
        None => by_number!(call.tensor(0)?.data(), values => typed(call, values)),
    }
}

/// The position of an element if the first axis runs fastest.
fn column_major(at: usize, extents: &[usize]) -> usize {
    let (mut rest, mut position) = (at, 0);
    for (axis, &extent) in extents.iter().enumerate().rev() {
        position += rest % extent * extents[..axis].iter().product::<usize>();
        rest /= extent;
    }
    position
}

/// Pooling over all places of each channel.
fn pool_all(call: &Call, pooling: Pooling) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(values: &[T], planes: usize, pooling: Pooling, power: f64) -> Vec<T> {
        let plane = |values: &[T]| match pooling {
            Pooling::Max => values.iter().copied().fold(T::LOWEST, T::greater),
            Pooling::Average => {
                T::from_f64(values.iter().map(|value| value.to_f64()).sum::<f64>() / values.len() as f64)
            }
            Pooling::Lp => {
                let sum: f64 = values.iter().map(|value| value.to_f64().abs().powf(power)).sum();
                T::from_f64(sum.powf(power.recip()))
            }
        };
        let pixels = values.len().checked_div(planes).unwrap_or(0);
        (0..planes).map(|at| plane(&values[at * pixels..][..pixels])).collect()
    }
    let input = call.tensor(0)?;
    let [batch, channels, image @ ..] = input.shape() else {
        return Err(Fault::invalid(format!("a value of shape {:?}; it takes [N, C, ...]", input.shape())));
    };
    let planes = batch * channels;
    let result = [&[*batch, *channels], &vec![1; image.len()][..]].concat();
    let power = f64::from(i32::try_from(call.int("p", 2)?).unwrap_or(i32::MAX));
    one(by_real!(input.data(), values => Ok(Tensor::new(result, typed(values, planes, pooling, power))))?)
}

/// Puts the greatest numbers back where MaxPool found them.
fn max_unpool(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Tensor> {
        let input = call.tensor(0)?.shape();
        let [batch, channels, outputs @ ..] = input else {
            return Err(Fault::invalid(format!("a value of shape {input:?}; it takes [N, C, ...]")));
        };
        let kernel = call.required("kernel_shape", call.maybe_ints("kernel_shape")?)?;
        let window = Window::new(call, outputs, shape::extents(kernel)?)?;
        let inferred: Vec<usize> = (0..outputs.len())
            .map(|axis| {
                let full = outputs[axis].saturating_sub(1) * window.strides[axis] + window.kernel[axis];
                full.saturating_sub(window.before[axis] + window.after[axis])
            })
            .collect();
        let inferred = [&[*batch, *channels], &inferred[..]].concat();
        let mut result = call.filled(shape::volume(&inferred)?, T::ZERO)?;
        for (&value, position) in values.iter().zip(call.integers(1)?) {
            let position = shape::index(position, result.len())?;
            result[position] = value;
        }
        let result = Tensor::new(inferred, result);
        match call.maybe_integers(2)? {
            Some(shape) => enlarged(call, &result, &shape::extents(&shape)?),
            None => Ok(result),
        }
    }
    one(by_real!(call.tensor(0)?.data(), values => typed(call, values))?)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use crate::{Attribute, Budget, Data, Graph, Node, Program, Tensor, Value};

    /// Windows so far apart that nearly all that is around the pictures lies between them.
    #[test]
    fn windows_far_apart_take_no_more_work_than_they_have_cells() {
        let list = |values: &[i64]| Attribute::Ints(values.to_vec());
        let pool = Node {
            op_type: "MaxPool".to_string(),
            opset: 12,
            inputs: vec!["x".to_string()],
            outputs: vec!["y".to_string()],
            attributes: HashMap::from([
                ("kernel_shape".to_string(), list(&[1, 100])),
                ("strides".to_string(), list(&[100, 1])),
                ("pads".to_string(), list(&[50, 50, 49, 49])),
            ]),
            ..Node::default()
        };
        let graph = Graph {
            inputs: vec!["x".to_string()],
            nodes: vec![pool],
            outputs: vec!["y".to_string()],
            ..Graph::default()
        };
        let program = Program::new(graph).expect("a graph");
        let numbers: Vec<f32> = (0..50).map(|at| at as f32 - 25.0).collect();
        let value =
            |shape: Vec<usize>| Value::from(Tensor::try_new(shape, Data::F32(numbers.clone())).expect("numbers"));
        let budget = Budget { bytes: 1 << 20, work: 20_000 };
        // The one window of a picture lies in its pads.
        let answers = program.run(vec![value(vec![1, 50, 1, 1])], budget).expect("as many operations as cells");
        let lowest = [f32::NEG_INFINITY; 50];
        assert_eq!(answers[0].tensor().and_then(Tensor::values::<f32>), Some(&lowest[..]));
    }
}
