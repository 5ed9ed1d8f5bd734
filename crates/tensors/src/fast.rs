//! Which graphs are computed at the speed of kernels.

use crate::element::ElementType;
use crate::plan::{Action, Body, Step};
use crate::value::Value;

/// Operators whose products are those of `foretell-kernels`.
const PRODUCTS: [&str; 3] = ["Conv", "Gemm", "MatMul"];

/// Axes of the weights of a convolution over pictures.
const WEIGHT_AXES_MAX: usize = 4;

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

/// Whether the time of a graph goes into products of matrices, convolutions and functions of lines of single precision, which kernels
/// compute.
pub(crate) fn is_fast(body: &Body) -> bool {
    let has = |step: &Step, names: &[&str]| step.node.domain.is_empty() && names.contains(&step.node.op_type.as_str());
    let is_known = |step: &Step| step.lines.is_some() || has(step, &PRODUCTS) || has(step, &OTHERS);
    let is_plain =
        |step: &Step| matches!(step.action, Action::Operator(_)) && is_known(step) && has_kernel(step, &body.constants);
    body.steps.iter().any(|step| has(step, &PRODUCTS))
        && body.steps.iter().all(is_plain)
        && body.constants.iter().all(|(_, value)| is_single(value))
}

/// Whether the kernels have such a convolution: over pictures or series, with constant weights.
fn has_kernel(step: &Step, constants: &[(usize, Value)]) -> bool {
    if step.node.op_type != "Conv" {
        return true;
    }
    let weights = step.inputs.get(1).copied().flatten();
    let found = constants.iter().find(|(slot, _)| Some(*slot) == weights);
    found.and_then(|(_, value)| value.tensor()).is_some_and(|weights| weights.rank() <= WEIGHT_AXES_MAX)
}

/// Whether a value holds no numbers that are computed in another precision. Scalars are made for the place they stand in.
fn is_single(value: &Value) -> bool {
    let other = [ElementType::F16, ElementType::Bf16, ElementType::F64];
    value.tensor().is_some_and(|tensor| tensor.len() <= 1 || !other.contains(&tensor.element_type()))
}
