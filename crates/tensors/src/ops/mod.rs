//! The operators, one function each, in files along the families of the ONNX text.
//!
//! To add one: write the function in its family's file, and a line in that file's `find`.

mod attention;
mod binary;
mod cast;
mod conv;
mod deform;
mod einsum;
mod gather;
mod generate;
mod heads;
mod linear_attention;
mod logic;
mod loss;
mod microsoft;
mod movement;
mod norm;
mod pad;
mod pool;
mod product;
mod quant;
mod recurrent;
mod reduce;
mod reshape;
mod resize;
mod sample;
mod scatter;
mod search;
mod sequence;
mod signal;
mod text;
mod unary;
mod window;

use half::{bf16, f16};

pub(crate) use attention::flex_attention;
pub(crate) use binary::clip_bounds;
pub(crate) use conv::{bias_of, convolution_of_pictures};
pub(crate) use movement::{pick, stack};
pub(crate) use pool::greatest_axes;
pub(crate) use reduce::reduced_axes;

use crate::call::{Call, Kernel};
use crate::element::ElementType;
use crate::error::{Fault, Outcome};
use crate::tensor::{Data, Tensor};
use crate::value::Value;

/// A function and what it does about half precision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operator {
    kernel: Kernel,
    halves: Halves,
}

/// What an operator does about inputs of half precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Halves {
    /// It takes them as they are.
    Taken,
    /// It computes in single precision; its results have the type of its first input of half precision.
    Widened,
    /// As `Widened`, but only the first result is rounded to half precision.
    FirstRounded,
}

/// An operator over elements of every type.
fn exact(kernel: Kernel) -> Operator {
    Operator { kernel, halves: Halves::Taken }
}

/// An operator that computes in single precision at least.
fn single(kernel: Kernel) -> Operator {
    Operator { kernel, halves: Halves::Widened }
}

impl Operator {
    /// Runs the operator.
    pub(crate) fn run(&self, call: &Call) -> Outcome<Vec<Value>> {
        let half = |value: &Option<Value>| value.as_ref().and_then(Value::tensor).map(Tensor::element_type);
        let half = call.inputs.iter().filter_map(half).find(|element| element.is_half());
        let Some(half) = half.filter(|_| self.halves != Halves::Taken) else { return (self.kernel)(call) };
        let inputs: Vec<Option<Value>> = call
            .inputs
            .iter()
            .map(|value| match value {
                Some(Value::Tensor(tensor)) => Some(Value::Tensor(widened(tensor))),
                other => other.clone(),
            })
            .collect();
        let outputs = (self.kernel)(&Call { inputs: &inputs, ..*call })?;
        let rounded = if self.halves == Halves::FirstRounded { 1 } else { outputs.len() };
        Ok(outputs
            .into_iter()
            .enumerate()
            .map(|(at, value)| match value {
                Value::Tensor(tensor) if at < rounded => Value::Tensor(narrowed(&tensor, half)),
                other => other,
            })
            .collect())
    }
}

/// A tensor of half precision in single precision; others as they are.
fn widened(tensor: &Tensor) -> Tensor {
    let values: Vec<f32> = match tensor.data() {
        Data::F16(values) => values.iter().map(|value| value.to_f32()).collect(),
        Data::Bf16(values) => values.iter().map(|value| value.to_f32()).collect(),
        _ => return tensor.clone(),
    };
    Tensor::new(tensor.shape().to_vec(), values)
}

/// A tensor of single precision in half precision; others as they are.
fn narrowed(tensor: &Tensor, half: ElementType) -> Tensor {
    let Data::F32(values) = tensor.data() else { return tensor.clone() };
    let shape = tensor.shape().to_vec();
    match half {
        ElementType::F16 => Tensor::new(shape, values.iter().map(|&value| f16::from_f32(value)).collect()),
        _ => Tensor::new(shape, values.iter().map(|&value| bf16::from_f32(value)).collect()),
    }
}

/// What a precision makes of the result of a step; numbers of single and double precision are rounded by their type.
fn rounding(element: ElementType) -> fn(f64) -> f64 {
    match element {
        ElementType::F16 => |value| f16::from_f32(value as f32).to_f64(),
        ElementType::Bf16 => |value| bf16::from_f32(value as f32).to_f64(),
        _ => |value| value,
    }
}

/// A tensor rounded to the type it had before it was widened.
fn restored(tensor: &Tensor, element: ElementType) -> Tensor {
    if element.is_half() { narrowed(tensor, element) } else { tensor.clone() }
}

/// One tensor as the outputs of a node.
fn one(tensor: Tensor) -> Outcome<Vec<Value>> {
    Ok(vec![tensor.into()])
}

/// Whether an operator exists here; one that is deliberately refused does not.
pub fn is_known(domain: &str, op_type: &str) -> bool {
    let domain = if domain == "ai.onnx" { "" } else { domain };
    crate::control::Control::find(domain, op_type).is_some() || find(domain, op_type).is_ok()
}

/// The operator of this name.
pub(crate) fn find(domain: &str, op_type: &str) -> Outcome<Operator> {
    let found = match domain {
        "" => general(op_type),
        "com.microsoft" => microsoft::find(op_type),
        _ => None,
    };
    found.ok_or_else(|| Fault::unsupported(refusal(domain, op_type)))
}

fn general(op_type: &str) -> Option<Operator> {
    const FAMILIES: [fn(&str) -> Option<Operator>; 28] = [
        reshape::find,
        movement::find,
        pad::find,
        gather::find,
        scatter::find,
        search::find,
        generate::find,
        unary::find,
        binary::find,
        logic::find,
        reduce::find,
        cast::find,
        sequence::find,
        text::find,
        product::find,
        einsum::find,
        conv::find,
        pool::find,
        norm::find,
        quant::find,
        resize::find,
        attention::find,
        linear_attention::find,
        recurrent::find,
        loss::find,
        signal::find,
        sample::find,
        deform::find,
    ];
    FAMILIES.iter().find_map(|family| family(op_type))
}

/// Why an operator is left out on purpose; empty if it is not.
pub fn refusal(domain: &str, op_type: &str) -> &'static str {
    match (domain, op_type) {
        (
            "",
            "Bernoulli" | "Multinomial" | "RandomNormal" | "RandomNormalLike" | "RandomUniform" | "RandomUniformLike",
        ) => "it draws random numbers, so that the same row would have another answer each time",
        ("ai.onnx.preview.training" | "ai.onnx.training", _) => "it trains; export the model for inference",
        ("", "ImageDecoder") => "it decodes pictures",
        _ => "",
    }
}
