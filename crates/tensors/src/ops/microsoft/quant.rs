//! Layers of quantised values. Sums of products stay integers, as in ONNX Runtime; elsewhere values are taken as the numbers
//! they stand for and rounded to the scale of the result.

use super::super::product::integer_product;
use super::super::quant::{dynamic_quantize_linear, rounded, singles};
use super::super::recurrent::dynamic_quantize_lstm;
use super::super::{Operator, exact, one};
use super::attention::{Inputs, attended};
use super::fused::{channels_first, channels_last};
use super::{Standard, given, passed};
use crate::call::Call;
use crate::element::ElementType;
use crate::error::{Fault, Outcome};
use crate::shape::{self, Spread};
use crate::tensor::{Data, Tensor};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "DequantizeLinear" => exact(|call| Standard::new("DequantizeLinear").at(21).run(call, call.inputs)),
        "DynamicQuantizeLSTM" => exact(dynamic_quantize_lstm),
        "DynamicQuantizeMatMul" => exact(dynamic_quantize_mat_mul),
        "MatMulIntegerToFloat" => exact(mat_mul_integer_to_float),
        "QAttention" => exact(q_attention),
        "QGemm" => exact(q_gemm),
        "QLinearAdd" => exact(|call| pairwise(call, sum)),
        "QLinearAveragePool" => exact(qlinear_average_pool),
        "QLinearConcat" => exact(qlinear_concat),
        "QLinearConv" => exact(qlinear_conv),
        "QLinearGlobalAveragePool" => exact(qlinear_global_average_pool),
        "QLinearLeakyRelu" => exact(qlinear_leaky_relu),
        "QLinearMul" => exact(|call| pairwise(call, product)),
        "QLinearSigmoid" => exact(|call| mapped(call, |value| 1.0 / (1.0 + (-value).exp()))),
        "QLinearSoftmax" => exact(qlinear_softmax),
        "QLinearWhere" => exact(qlinear_where),
        "QuantizeLinear" => exact(|call| Standard::new("QuantizeLinear").at(21).run(call, call.inputs)),
        _ => return None,
    })
}

/// One scale and one zero point.
#[derive(Debug, Clone, Copy)]
struct Scale {
    scale: f32,
    zero: f32,
}

impl Scale {
    /// From two inputs, of which the zero point may be left out.
    fn new(call: &Call, scale: usize, zero: usize) -> Outcome<Self> {
        let number = |index: usize| -> Outcome<f32> { Ok(call.number(index)? as f32) };
        Ok(Self { scale: number(scale)?, zero: call.value(zero).map_or(Ok(0.0), |_| number(zero))? })
    }

    /// The numbers that a quantised tensor stands for.
    fn numbers(self, call: &Call, tensor: &Tensor) -> Outcome<Vec<f32>> {
        call.room_for(tensor.shape(), ElementType::F32)?;
        Ok(singles(tensor)?.into_iter().map(|value| (value - self.zero) * self.scale).collect())
    }

    /// Numbers rounded to this scale.
    fn rounded(self, values: impl Iterator<Item = f32>, to: ElementType) -> Outcome<Data> {
        rounded(values.map(|value| (value / self.scale, self.zero)), to, true)
    }

    fn tensor(self, shape: &[usize], values: &[f32], to: ElementType) -> Outcome<Tensor> {
        Ok(Tensor::of(shape.to_vec(), self.rounded(values.iter().copied(), to)?))
    }
}

/// A function of two codes that gives the code of the result before it is rounded.
type Combine = Box<dyn Fn(f32, f32) -> f32>;

/// Two quantised inputs combined. Where a result lies between two codes the way to it decides, so that it is that of ONNX
/// Runtime: scales are divided first, and zero points are added before rounding.
fn pairwise(call: &Call, combine: fn(Scale, Scale, Scale) -> Combine) -> Outcome<Vec<Value>> {
    let (left, right) = (call.tensor(0)?, call.tensor(3)?);
    let result = Scale::new(call, 6, 7)?;
    let combine = combine(Scale::new(call, 1, 2)?, Scale::new(call, 4, 5)?, result);
    let shape = shape::broadcast(left.shape(), right.shape())?;
    let count = call.room_for(&shape, ElementType::F64)?;
    let places = (Spread::new(left.shape(), &shape), Spread::new(right.shape(), &shape));
    let (lefts, rights) = (singles(left)?, singles(right)?);
    let all = (0..count).map(|at| (combine(lefts[places.0.at(at)], rights[places.1.at(at)]), 0.0));
    one(Tensor::of(shape, rounded(all, left.element_type(), true)?))
}

#[expect(clippy::disallowed_methods, reason = "ONNX Runtime rounds each product and its sum once")]
fn sum(left: Scale, right: Scale, result: Scale) -> Combine {
    let (of_left, of_right) = (left.scale / result.scale, right.scale / result.scale);
    let fixed = result.zero - (of_left * left.zero + of_right * right.zero);
    Box::new(move |left, right| left.mul_add(of_left, right.mul_add(of_right, fixed)))
}

#[expect(clippy::disallowed_methods, reason = "ONNX Runtime rounds the product and its sum once")]
fn product(left: Scale, right: Scale, result: Scale) -> Combine {
    let factor = left.scale * right.scale / result.scale;
    Box::new(move |a, b| ((a - left.zero) * (b - right.zero)).mul_add(factor, result.zero))
}

/// A function of each value.
fn mapped(call: &Call, function: impl Fn(f32) -> f32) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let values: Vec<f32> = Scale::new(call, 1, 2)?.numbers(call, input)?.into_iter().map(function).collect();
    one(Scale::new(call, 3, 4)?.tensor(input.shape(), &values, input.element_type())?)
}

fn qlinear_leaky_relu(call: &Call) -> Outcome<Vec<Value>> {
    let alpha = call.float("alpha", 0.01)?;
    mapped(call, |value| if value >= 0.0 { value } else { alpha * value })
}

/// An operator of ONNX on the numbers that the input stands for, whose channels may come last.
fn pooled(call: &Call, standard: &Standard) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let numbers = Scale::new(call, 1, 2)?.numbers(call, input)?;
    let numbers = Tensor::new(input.shape().to_vec(), numbers);
    let last = call.flag("channels_last", false)?;
    let numbers = if last { channels_first(call, &numbers)? } else { numbers };
    let result = standard.tensor(call, &[given(&numbers)])?;
    let result = if last { channels_last(call, &result)? } else { result };
    let values = result.values::<f32>().unwrap_or_default();
    one(Scale::new(call, 3, 4)?.tensor(result.shape(), values, input.element_type())?)
}

fn qlinear_average_pool(call: &Call) -> Outcome<Vec<Value>> {
    pooled(call, &Standard::new("AveragePool").at(11))
}

fn qlinear_global_average_pool(call: &Call) -> Outcome<Vec<Value>> {
    pooled(call, &Standard::new("GlobalAveragePool"))
}

fn qlinear_softmax(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let numbers = Scale::new(call, 1, 2)?.numbers(call, input)?;
    let opset = call.required("opset", call.maybe_int("opset")?)?;
    let softmax = Standard::new("Softmax").at(opset);
    let result = softmax.tensor(call, &[given(&Tensor::new(input.shape().to_vec(), numbers))])?;
    let values = result.values::<f32>().unwrap_or_default();
    one(Scale::new(call, 3, 4)?.tensor(input.shape(), values, input.element_type())?)
}

/// Inputs end to end, each with its own scale.
fn qlinear_concat(call: &Call) -> Outcome<Vec<Value>> {
    let result = Scale::new(call, 0, 1)?;
    let to = call.tensor(1)?.element_type();
    if !(call.inputs.len().wrapping_sub(2)).is_multiple_of(3) {
        return Err(Fault::invalid(format!("{} inputs; it takes two and three for each part", call.inputs.len())));
    }
    let mut parts = Vec::with_capacity(call.inputs.len() / 3);
    for index in (2..call.inputs.len()).step_by(3) {
        let part = call.tensor(index)?;
        let numbers = Scale::new(call, index + 1, index + 2)?.numbers(call, part)?;
        parts.push(given(&result.tensor(part.shape(), &numbers, to)?));
    }
    Standard::new("Concat").run(call, &parts)
}

fn qlinear_where(call: &Call) -> Outcome<Vec<Value>> {
    let (left, right) = (call.tensor(1)?, call.tensor(4)?);
    let (result, to) = (Scale::new(call, 7, 8)?, left.element_type());
    let requantised = |tensor: &Tensor, scale: Scale| -> Outcome<Tensor> {
        result.tensor(tensor.shape(), &scale.numbers(call, tensor)?, to)
    };
    let left = requantised(left, Scale::new(call, 2, 3)?)?;
    let right = requantised(right, Scale::new(call, 5, 6)?)?;
    Standard::new("Where").run(call, &[passed(call, 0), given(&left), given(&right)])
}

fn qlinear_conv(call: &Call) -> Outcome<Vec<Value>> {
    let standard = Standard::new("QLinearConv");
    if !call.flag("channels_last", false)? {
        return standard.run(call, call.inputs);
    }
    let mut inputs = call.inputs.to_vec();
    inputs[0] = given(&channels_first(call, call.tensor(0)?)?);
    one(channels_last(call, &standard.tensor(call, &inputs)?)?)
}

/// The product of quantised matrices as the numbers it stands for; the scale of the right one may differ by column.
fn dequantised(sums: &Tensor, left: f32, right: &[f32], factor: f32) -> Outcome<Tensor> {
    let columns = sums.shape().last().copied().unwrap_or(1).max(1);
    if right.len() != 1 && right.len() != columns {
        return Err(Fault::invalid(format!("{} scales for {columns} columns", right.len())));
    }
    let scales: Vec<f32> = right.iter().map(|right| factor * left * right).collect();
    let values = sums.values::<i32>().unwrap_or_default().iter().enumerate();
    let values = values.map(|(at, &sum)| sum as f32 * scales[at % columns % scales.len()]);
    Ok(Tensor::new(sums.shape().to_vec(), values.collect()))
}

/// A result and a bias, if there is one.
fn biased(call: &Call, result: &Tensor, bias: usize) -> Outcome<Tensor> {
    match call.value(bias) {
        Some(_) => Standard::new("Add").tensor(call, &[given(result), passed(call, bias)]),
        None => Ok(result.clone()),
    }
}

fn mat_mul_integer_to_float(call: &Call) -> Outcome<Vec<Value>> {
    let sums =
        integer_product(call, (call.tensor(0)?, call.maybe_tensor(4)?), (call.tensor(1)?, call.maybe_tensor(5)?))?;
    let result = dequantised(&sums, call.number(2)? as f32, &singles(call.tensor(3)?)?, 1.0)?;
    one(biased(call, &result, 6)?)
}

/// A product with quantised weights, for which the input is quantised as a whole.
fn dynamic_quantize_mat_mul(call: &Call) -> Outcome<Vec<Value>> {
    let (codes, scale, zero) = quantised(call, call.tensor(0)?)?;
    let sums = integer_product(call, (&codes, Some(&zero)), (call.tensor(1)?, call.maybe_tensor(3)?))?;
    let result = dequantised(&sums, scale, &singles(call.tensor(2)?)?, 1.0)?;
    one(biased(call, &result, 4)?)
}

/// Numbers as unsigned integers of 8 bits whose scale just fits, the scale, and the zero point.
fn quantised(call: &Call, numbers: &Tensor) -> Outcome<(Tensor, f32, Tensor)> {
    let inputs = [given(numbers)];
    let outputs = dynamic_quantize_linear(&Call { inputs: &inputs, kept: None, ..*call })?;
    match &outputs[..] {
        [Value::Tensor(codes), Value::Tensor(scale), Value::Tensor(zero)] => {
            let scale = scale.values::<f32>().and_then(|scale| scale.first().copied()).unwrap_or(1.0);
            Ok((codes.clone(), scale, zero.clone()))
        }
        _ => Err(Fault::invalid("a quantised value is three tensors")),
    }
}

fn q_gemm(call: &Call) -> Outcome<Vec<Value>> {
    let oriented = |index: usize, flag: &str| -> Outcome<Tensor> {
        let matrix = call.tensor(index)?;
        if matrix.rank() != 2 {
            return Err(Fault::invalid(format!("input {index} of shape {:?} is no matrix", matrix.shape())));
        }
        let order = if call.flag(flag, false)? { [1, 0] } else { [0, 1] };
        super::super::movement::transposed(call, matrix, &order)
    };
    let (left, right) = (oriented(0, "transA")?, oriented(3, "transB")?);
    let mut sums = integer_product(call, (&left, call.maybe_tensor(2)?), (&right, call.maybe_tensor(5)?))?;
    if call.value(6).is_some() {
        sums = Standard::new("Add").tensor(call, &[given(&sums), passed(call, 6)])?;
    }
    let alpha = call.float("alpha", 1.0)?;
    let result = dequantised(&sums, call.number(1)? as f32, &singles(call.tensor(4)?)?, alpha)?;
    if call.value(7).is_none() {
        return one(result);
    }
    let to = call.maybe_tensor(8)?.map_or(ElementType::U8, Tensor::element_type);
    one(Scale::new(call, 7, 8)?.tensor(result.shape(), result.values::<f32>().unwrap_or_default(), to)?)
}

fn q_attention(call: &Call) -> Outcome<Vec<Value>> {
    let sums =
        integer_product(call, (call.tensor(0)?, call.maybe_tensor(6)?), (call.tensor(1)?, call.maybe_tensor(7)?))?;
    let projected = dequantised(&sums, call.number(3)? as f32, &singles(call.tensor(4)?)?, 1.0)?;
    attended(call, &biased(call, &projected, 2)?, 8, Inputs { mask: 5, bias: None })
}
