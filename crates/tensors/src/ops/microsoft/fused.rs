//! Layers with their bias or activation in one node, and operators of ONNX under another name.

use super::super::{Operator, exact, one, single};
use super::{Standard, given, passed};
use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::graph::Attribute;
use crate::number::{Number, by_real};
use crate::tensor::Tensor;
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "BiasGelu" => single(bias_gelu),
        "ExpandDims" => exact(expand_dims),
        "FastGelu" => single(fast_gelu),
        "FusedConv" => single(fused_conv),
        "FusedGemm" => single(fused_gemm),
        "Gelu" => single(|call| Standard::new("Gelu").at(20).run(call, call.inputs)),
        "GatherND" => exact(|call| Standard::new("GatherND").run(call, call.inputs)),
        "GridSample" => single(|call| Standard::new("GridSample").at(16).run(call, call.inputs)),
        "NhwcMaxPool" => exact(nhwc_max_pool),
        "Pad" => exact(|call| Standard::new("Pad").run(call, call.inputs)),
        "QuickGelu" => single(quick_gelu),
        "Range" => exact(range),
        "Trilu" => exact(|call| Standard::new("Trilu").at(14).run(call, call.inputs)),
        "Unique" => exact(unique),
        _ => return None,
    })
}

/// The first two inputs, added if the second is there.
fn biased(call: &Call) -> Outcome<Tensor> {
    match call.value(1) {
        Some(_) => Standard::new("Add").tensor(call, &[passed(call, 0), passed(call, 1)]),
        None => call.tensor(0).cloned(),
    }
}

fn bias_gelu(call: &Call) -> Outcome<Vec<Value>> {
    Standard::new("Gelu").at(20).run(call, &[given(&biased(call)?)])
}

fn fast_gelu(call: &Call) -> Outcome<Vec<Value>> {
    let tanh = Attribute::Text("tanh".to_string());
    Standard::new("Gelu").at(20).with("approximate", tanh).run(call, &[given(&biased(call)?)])
}

/// A number times the sigmoid of itself.
fn quick_gelu(call: &Call) -> Outcome<Vec<Value>> {
    let alpha = Attribute::Float(call.float("alpha", 1.702)?);
    Standard::new("Swish").at(24).with("alpha", alpha).run(call, call.inputs)
}

/// A tensor with an axis more.
fn expand_dims(call: &Call) -> Outcome<Vec<Value>> {
    let axis = Tensor::vector(vec![call.integer(1)?]);
    Standard::new("Unsqueeze").run(call, &[passed(call, 0), given(&axis)])
}

/// Range with a step of one unless it is given.
fn range(call: &Call) -> Outcome<Vec<Value>> {
    let mut inputs = call.inputs.to_vec();
    if call.value(2).is_none() {
        let one = Tensor::vector(vec![1_i64]);
        let like = Standard::new("CastLike").at(15).tensor(call, &[given(&one), passed(call, 0)])?;
        inputs.truncate(2);
        inputs.push(given(&like));
    }
    Standard::new("Range").run(call, &inputs)
}

/// The distinct values in the order they come, where each value stands among them, and how often it comes.
fn unique(call: &Call) -> Outcome<Vec<Value>> {
    let outputs = Standard::new("Unique").with("sorted", Attribute::Int(0)).run(call, call.inputs)?;
    match &outputs[..] {
        [values, _, places, counts] => Ok(vec![values.clone(), places.clone(), counts.clone()]),
        _ => Err(Fault::invalid("Unique gives four values")),
    }
}

fn nhwc_max_pool(call: &Call) -> Outcome<Vec<Value>> {
    let first = channels_first(call, call.tensor(0)?)?;
    let pooled = Standard::new("MaxPool").at(12).tensor(call, &[given(&first)])?;
    one(channels_last(call, &pooled)?)
}

/// [N, ..., C] as [N, C, ...].
pub(super) fn channels_first(call: &Call, tensor: &Tensor) -> Outcome<Tensor> {
    if tensor.rank() < 2 {
        return Err(Fault::invalid(format!("a value of shape {:?}; it takes [N, ..., C]", tensor.shape())));
    }
    let order: Vec<usize> = [0, tensor.rank() - 1].into_iter().chain(1..tensor.rank() - 1).collect();
    super::super::movement::transposed(call, tensor, &order)
}

/// [N, C, ...] as [N, ..., C].
pub(super) fn channels_last(call: &Call, tensor: &Tensor) -> Outcome<Tensor> {
    let order: Vec<usize> = [0].into_iter().chain(2..tensor.rank()).chain([1]).collect();
    super::super::movement::transposed(call, tensor, &order)
}

fn fused_conv(call: &Call) -> Outcome<Vec<Value>> {
    let result = Standard::new("Conv").run(call, &[passed(call, 0), passed(call, 1), passed(call, 2)])?;
    let result = match (call.value(3), result.into_iter().next()) {
        (Some(_), result) => Standard::new("Add").tensor(call, &[result, passed(call, 3)])?,
        (None, Some(Value::Tensor(result))) => result,
        _ => return Err(Fault::invalid("Conv gives no tensor")),
    };
    let parameters = call.maybe_floats("activation_params")?.unwrap_or_default();
    activated(call, &result, &parameters.iter().map(|&value| Some(value)).collect::<Vec<_>>())
}

fn fused_gemm(call: &Call) -> Outcome<Vec<Value>> {
    let result = Standard::new("Gemm").tensor(call, call.inputs)?;
    let parameter = |name: &str| call.maybe_float(name);
    activated(call, &result, &[parameter("activation_alpha")?, parameter("activation_beta")?])
}

/// The function that the attribute `activation` names, with its parameters as far as they are given.
fn activated(call: &Call, tensor: &Tensor, parameters: &[Option<f32>]) -> Outcome<Vec<Value>> {
    let parameter = |at: usize, usual: f32| parameters.get(at).copied().flatten().unwrap_or(usual);
    let named = |name: &str| -> Outcome<Vec<Value>> {
        let alpha = if name == "HardSigmoid" { parameter(0, 0.2) } else { parameter(0, 0.01) };
        let function = Standard::new(name).with("alpha", Attribute::Float(alpha));
        function.with("beta", Attribute::Float(parameter(1, 0.5))).run(call, &[given(tensor)])
    };
    match call.text("activation", "")? {
        "" => one(tensor.clone()),
        name @ ("Relu" | "Tanh" | "Sigmoid" | "LeakyRelu" | "HardSigmoid" | "Softplus" | "Softsign") => named(name),
        "Clip" => {
            let (low, high) = (parameter(0, f32::MIN), parameter(1, f32::MAX));
            one(by_real!(tensor.data(), values => Ok(clipped(values, tensor.shape(), low, high)))?)
        }
        other => Err(Fault::unsupported(format!("activation `{other}`"))),
    }
}

fn clipped<T: Number>(values: &[T], shape: &[usize], low: f32, high: f32) -> Tensor {
    let (low, high) = (T::from_f64(f64::from(low)), T::from_f64(f64::from(high)));
    let cut = |value: T| {
        let raised = if value < low { low } else { value };
        if raised > high { high } else { raised }
    };
    Tensor::new(shape.to_vec(), values.iter().map(|&value| cut(value)).collect())
}
