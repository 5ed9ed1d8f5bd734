//! Which graphs are computed at the speed of kernels.

use crate::element::ElementType;
use crate::graph::Attribute;
use crate::plan::{Action, Body, Step};
use crate::value::Value;

/// Operators whose products are those of `foretell-kernels`.
const PRODUCTS: [&str; 6] = ["Conv", "GRU", "Gemm", "LSTM", "MatMul", "RNN"];

/// Axes of the weights of a convolution over volumes: what a place of one sees is written out, but its products are those of the
/// kernels.
const WEIGHT_AXES_MAX: usize = 5;

/// The input of an LSTM that is its peepholes.
const PEEPHOLES: usize = 7;

/// Functions of recurrent layers that exporters write.
const ACTIVATIONS: [&str; 4] = ["HardSigmoid", "Relu", "Sigmoid", "Tanh"];

/// Operators that move elements, or compute what is small beside products: shapes, masks, the answer of a row.
const OTHERS: [&str; 40] = [
    "And",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "ConstantOfShape",
    "CumSum",
    "Dropout",
    "Equal",
    "Expand",
    "Flatten",
    "Gather",
    "GatherElements",
    "GatherND",
    "GlobalAveragePool",
    "Greater",
    "GreaterOrEqual",
    "Identity",
    "Less",
    "LessOrEqual",
    "Max",
    "MaxPool",
    "Min",
    "Not",
    "Or",
    "Range",
    "ReduceL2",
    "ReduceMax",
    "ReduceMin",
    "Reshape",
    "Shape",
    "Size",
    "Slice",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
    "Where",
];

/// Whether the time of a graph goes into products of matrices, convolutions, recurrent layers and functions of lines of single
/// precision, which kernels compute.
pub(crate) fn is_fast(body: &Body) -> bool {
    let has = |step: &Step, names: &[&str]| step.node.domain.is_empty() && names.contains(&step.node.op_type.as_str());
    let is_known = |step: &Step| step.lines.is_some() || has(step, &PRODUCTS) || has(step, &OTHERS);
    let is_plain =
        |step: &Step| matches!(step.action, Action::Operator(_)) && is_known(step) && has_kernel(step, &body.constants);
    body.steps.iter().any(|step| has(step, &PRODUCTS))
        && body.steps.iter().all(is_plain)
        && body.constants.iter().all(|(_, value)| is_single(value))
}

/// Whether the kernels have all of an operator.
fn has_kernel(step: &Step, constants: &[(usize, Value)]) -> bool {
    match step.node.op_type.as_str() {
        "Conv" => has_convolution(step, constants),
        "GRU" | "LSTM" | "RNN" => has_layer(step),
        _ => true,
    }
}

/// Whether they have a recurrent layer: as exporters write them.
fn has_layer(step: &Step) -> bool {
    let has_peepholes = step.inputs.get(PEEPHOLES).is_some_and(Option::is_some);
    let has = |name: &str| step.node.attributes.contains_key(name);
    let are_usual = match step.node.attributes.get("activations") {
        None => true,
        Some(Attribute::Texts(names)) => {
            names.iter().all(|name| ACTIVATIONS.iter().any(|usual| usual.eq_ignore_ascii_case(name)))
        }
        Some(_) => false,
    };
    !has_peepholes && !has("clip") && !has("input_forget") && are_usual
}

/// Whether they have a convolution: over series, pictures or volumes, with constant weights.
fn has_convolution(step: &Step, constants: &[(usize, Value)]) -> bool {
    let weights = step.inputs.get(1).copied().flatten();
    let found = constants.iter().find(|(slot, _)| Some(*slot) == weights);
    found.and_then(|(_, value)| value.tensor()).is_some_and(|weights| weights.rank() <= WEIGHT_AXES_MAX)
}

/// Whether a value holds no numbers that are computed in another precision. Scalars are made for the place they stand in.
fn is_single(value: &Value) -> bool {
    let other = [ElementType::F16, ElementType::Bf16, ElementType::F64];
    value.tensor().is_some_and(|tensor| tensor.len() <= 1 || !other.contains(&tensor.element_type()))
}
