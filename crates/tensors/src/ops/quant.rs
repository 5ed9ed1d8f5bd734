//! Quantised values: integers with a scale and a zero point.

use half::{bf16, f16};

use super::conv::{Shapes, by_filter, convolve, less_zero};
use super::product::integer_product;
use super::{Operator, exact, one, widened};
use crate::call::{Call, no_such_type};
use crate::element::ElementType;
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_number};
use crate::shape::{self, around};
use crate::tensor::{Data, Tensor};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "DequantizeLinear" => exact(dequantize_linear),
        "DynamicQuantizeLinear" => exact(dynamic_quantize_linear),
        "QLinearConv" => exact(qlinear_conv),
        "QLinearMatMul" => exact(qlinear_mat_mul),
        "QuantizeLinear" => exact(quantize_linear),
        _ => return None,
    })
}

/// The numbers of a tensor of any type that has some, in single precision.
pub(super) fn singles(tensor: &Tensor) -> Outcome<Vec<f32>> {
    match tensor.data() {
        Data::Narrow(kind, values) => Ok(values.iter().map(|&value| kind.to_f32(value)).collect()),
        Data::F16(_) | Data::Bf16(_) => Ok(widened(tensor).values::<f32>().unwrap_or_default().to_vec()),
        data => by_number!(data, values => Ok(values.iter().map(|value| value.to_f32()).collect())),
    }
}

/// Which of the scales holds for each element: one for all, one per place of an axis, or one per block along it.
struct Grid {
    scales: usize,
    outer: usize,
    extent: usize,
    inner: usize,
    block: usize,
}

impl Grid {
    fn new(call: &Call, input: &Tensor, scale: &Tensor) -> Outcome<Self> {
        let misfit = || Fault::invalid(format!("scales of shape {:?} for {:?}", scale.shape(), input.shape()));
        if scale.len() == 1 {
            return Ok(Self { scales: 1, outer: 1, extent: 1, inner: input.len().max(1), block: 1 });
        }
        let axis = shape::axis(call.int("axis", 1)?, input.rank())?;
        let (outer, extent, inner) = around(input.shape(), axis);
        let block = shape::extent(call.int("block_size", 0)?)?;
        let expected = match block {
            0 => vec![extent],
            _ => {
                let mut shape = input.shape().to_vec();
                shape[axis] = extent.div_ceil(block);
                shape
            }
        };
        if scale.shape() != expected {
            return Err(misfit());
        }
        Ok(Self { scales: scale.len(), outer, extent, inner, block })
    }

    #[inline]
    fn at(&self, at: usize) -> usize {
        match (self.scales, self.block) {
            (1, _) => 0,
            (_, 0) => at / self.inner % self.extent,
            (_, block) => {
                let (row, rest) = (at / (self.inner * self.extent), at % (self.inner * self.extent));
                let blocks = self.extent.div_ceil(block);
                debug_assert!(row < self.outer, "the input has {} rows", self.outer);
                (row * blocks + rest / self.inner / block) * self.inner + rest % self.inner
            }
        }
    }
}

/// The zero points, as many as scales.
fn zeros(call: &Call, index: usize, scales: usize) -> Outcome<Vec<f32>> {
    let Some(zero) = call.maybe_tensor(index)? else { return Ok(vec![0.0; scales]) };
    let zeros = singles(zero)?;
    if zeros.len() != scales {
        return Err(Fault::invalid(format!("{} zero points for {scales} scales", zeros.len())));
    }
    Ok(zeros)
}

fn quantize_linear(call: &Call) -> Outcome<Vec<Value>> {
    let (input, scale) = (call.tensor(0)?, call.tensor(1)?);
    let to = match (call.maybe_tensor(2)?, call.element_attribute("output_dtype")?) {
        (Some(zero), _) => zero.element_type(),
        (None, Some(to)) => to,
        (None, None) => ElementType::U8,
    };
    call.room_for(input.shape(), ElementType::F64)?;
    let grid = Grid::new(call, input, scale)?;
    let (scales, zeros) = (singles(scale)?, zeros(call, 2, scale.len())?);
    let precision = match call.element_attribute("precision")? {
        Some(precision) => precision,
        None => scale.element_type(),
    };
    let quotients: Vec<f32> = match (input.data(), precision) {
        (Data::F64(values), _) => {
            values.iter().enumerate().map(|(at, value)| (value / f64::from(scales[grid.at(at)])) as f32).collect()
        }
        (_, ElementType::F16) => {
            let values = singles(input)?;
            let quotient = |at: usize, value: f32| f16::from_f32(value / scales[grid.at(at)]).to_f32();
            values.into_iter().enumerate().map(|(at, value)| quotient(at, value)).collect()
        }
        _ => singles(input)?.into_iter().enumerate().map(|(at, value)| value / scales[grid.at(at)]).collect(),
    };
    let saturate = call.flag("saturate", true)?;
    let placed = quotients.iter().enumerate().map(|(at, &quotient)| (quotient, zeros[grid.at(at)]));
    one(Tensor::of(input.shape().to_vec(), rounded(placed, to, saturate)?))
}

/// Quotients plus zero points in a type of few bits: integers rounded to even and cut to their range.
pub(super) fn rounded(placed: impl Iterator<Item = (f32, f32)>, to: ElementType, saturate: bool) -> Outcome<Data> {
    let integer =
        |(quotient, zero): (f32, f32), low: f32, high: f32| (quotient.round_ties_even() + zero).clamp(low, high);
    macro_rules! integers {
        ($native:ty) => {
            placed.map(|pair| integer(pair, <$native>::MIN as f32, <$native>::MAX as f32) as $native).collect()
        };
    }
    Ok(match to {
        ElementType::U8 => Data::U8(integers!(u8)),
        ElementType::I8 => Data::I8(integers!(i8)),
        ElementType::U16 => Data::U16(integers!(u16)),
        ElementType::I16 => Data::I16(integers!(i16)),
        ElementType::I32 => Data::I32(integers!(i32)),
        ElementType::Narrow(kind) if kind.is_integer() => {
            let (low, high) = kind.integer_range();
            let cut = |pair| kind.wrap(integer(pair, low as f32, high as f32) as i64);
            Data::Narrow(kind, placed.map(cut).collect())
        }
        ElementType::Narrow(kind) => {
            Data::Narrow(kind, placed.map(|(quotient, zero)| kind.nearest(quotient + zero, saturate)).collect())
        }
        other => return Err(no_such_type(other)),
    })
}

fn dequantize_linear(call: &Call) -> Outcome<Vec<Value>> {
    let (input, scale) = (call.tensor(0)?, call.tensor(1)?);
    let to = call.element_attribute("output_dtype")?.unwrap_or_else(|| scale.element_type());
    call.room_for(input.shape(), ElementType::F64)?;
    let grid = Grid::new(call, input, scale)?;
    let zeros = zeros(call, 2, scale.len())?;
    let differences: Vec<f32> = match input.data() {
        // 32 bits do not fit into a float, but their difference mostly does.
        Data::I32(values) => values
            .iter()
            .enumerate()
            .map(|(at, &value)| (f64::from(value) - f64::from(zeros[grid.at(at)])) as f32)
            .collect(),
        _ => singles(input)?.into_iter().enumerate().map(|(at, value)| value - zeros[grid.at(at)]).collect(),
    };
    let shape = input.shape().to_vec();
    let scales = singles(scale)?;
    let products = differences.iter().enumerate().map(|(at, &value)| value * scales[grid.at(at)]);
    one(match to {
        ElementType::F32 => Tensor::new(shape, products.collect()),
        ElementType::F16 => Tensor::new(shape, products.map(f16::from_f32).collect()),
        ElementType::Bf16 => Tensor::new(shape, products.map(bf16::from_f32).collect()),
        ElementType::F64 => Tensor::new(shape, products.map(f64::from).collect()),
        other => return Err(no_such_type(other)),
    })
}

/// Chooses scale and zero point so that the numbers, and zero, just fit.
pub(super) fn dynamic_quantize_linear(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let values = call.elements::<f32>(0)?;
    call.room_for(input.shape(), ElementType::U8)?;
    let (scale, zero) = fitting(values);
    let data = rounded(values.iter().map(|value| (value / scale, zero)), ElementType::U8, true)?;
    let quantised = Tensor::of(input.shape().to_vec(), data);
    Ok(vec![quantised.into(), Tensor::scalar(scale).into(), Tensor::scalar(zero as u8).into()])
}

/// The scale and the zero point with which numbers, and zero, just fit into 8 bits.
pub(super) fn fitting(values: &[f32]) -> (f32, f32) {
    let low = values.iter().copied().fold(0.0, f32::min);
    let high = values.iter().copied().fold(0.0, f32::max);
    let scale = if low == high { 1.0 } else { (high - low) / 255.0 };
    (scale, (-low / scale).clamp(0.0, 255.0).round_ties_even())
}

/// One number of a scale, or all of them.
fn scales(call: &Call, index: usize) -> Outcome<Vec<f32>> {
    singles(call.tensor(index)?)
}

fn one_scale(call: &Call, index: usize) -> Outcome<f32> {
    match scales(call, index)?[..] {
        [scale] => Ok(scale),
        ref other => Err(Fault::invalid(format!("input {index} must be one number, got {}", other.len()))),
    }
}

/// Sums of integers as quantised values of another scale, which may differ by the place `line` gives.
fn requantised(sums: &Tensor, factors: &[f32], zero: &Tensor, line: impl Fn(usize) -> usize) -> Outcome<Tensor> {
    let offset = match singles(zero)?[..] {
        [offset] => offset,
        ref other => return Err(Fault::invalid(format!("{} zero points of the result", other.len()))),
    };
    let values = sums.values::<i32>().unwrap_or_default().iter().enumerate();
    let placed = values.map(|(at, &sum)| (sum as f32 * factors[line(at) % factors.len().max(1)], offset));
    Ok(Tensor::of(sums.shape().to_vec(), rounded(placed, zero.element_type(), true)?))
}

fn qlinear_mat_mul(call: &Call) -> Outcome<Vec<Value>> {
    let (left, right) = (call.tensor(0)?, call.tensor(3)?);
    let sums = integer_product(call, (left, call.maybe_tensor(2)?), (right, call.maybe_tensor(5)?))?;
    let (left_scales, right_scales) = (scales(call, 1)?, scales(call, 4)?);
    let result_scale = one_scale(call, 6)?;
    let columns = sums.shape().last().copied().unwrap_or(1).max(1);
    let zero = call.tensor(7)?;
    // One of the scales may differ: by row on the left, by column on the right.
    if left_scales.len() > 1 {
        let right = *right_scales.first().ok_or_else(|| Fault::invalid("a scale without numbers"))?;
        let factors: Vec<f32> = left_scales.iter().map(|left| left * right / result_scale).collect();
        return one(requantised(&sums, &factors, zero, |at| at / columns)?);
    }
    let left = *left_scales.first().ok_or_else(|| Fault::invalid("a scale without numbers"))?;
    let factors: Vec<f32> = right_scales.iter().map(|right| left * right / result_scale).collect();
    one(requantised(&sums, &factors, zero, |at| at % columns)?)
}

fn qlinear_conv(call: &Call) -> Outcome<Vec<Value>> {
    let (input, weights) = (call.tensor(0)?, call.tensor(3)?);
    let shapes = Shapes::new(call, input.shape(), weights.shape())?;
    let values = less_zero(input, call.maybe_tensor(2)?)?;
    let filters = shapes.filters();
    let weight_values = by_filter(weights, call.maybe_tensor(5)?)?;
    let mut sums = convolve(call, &values, &weight_values, &shapes)?;
    let places = shape::volume(&sums.shape()[2..])?.max(1);
    if call.value(8).is_some() {
        let biases = call.elements::<i32>(8)?;
        if biases.len() != filters {
            return Err(Fault::invalid(format!("{} biases for {filters} filters", biases.len())));
        }
        let values = sums.values::<i32>().unwrap_or_default().iter().enumerate();
        let biased = values.map(|(at, sum)| sum.wrapping_add(biases[at / places % filters])).collect();
        sums = Tensor::new(sums.shape().to_vec(), biased);
    }
    let (input_scale, result_scale) = (one_scale(call, 1)?, one_scale(call, 6)?);
    let factors: Vec<f32> = scales(call, 4)?.iter().map(|scale| input_scale * scale / result_scale).collect();
    if factors.len() != 1 && factors.len() != filters {
        return Err(Fault::invalid(format!("{} scales for {filters} filters", factors.len())));
    }
    one(requantised(&sums, &factors, call.tensor(7)?, |at| at / places % filters)?)
}
