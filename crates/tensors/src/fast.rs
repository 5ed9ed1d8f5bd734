//! Which graphs are computed at the speed of kernels.

use crate::element::ElementType;
use crate::plan::{Action, Body, Step};
use crate::value::Value;

/// Operators whose products are those of `foretell-kernels`.
const PRODUCTS: [&str; 2] = ["Gemm", "MatMul"];

/// Operators that move elements, or compute what is small beside products: shapes, masks, the answer of a row.
const OTHERS: [&str; 36] = [
    "And",
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
    "Greater",
    "GreaterOrEqual",
    "Identity",
    "Less",
    "LessOrEqual",
    "Max",
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

/// Whether the time of a graph goes into products of matrices and functions of lines of single precision, which kernels compute.
pub(crate) fn is_fast(body: &Body) -> bool {
    let has = |step: &Step, names: &[&str]| step.node.domain.is_empty() && names.contains(&step.node.op_type.as_str());
    let is_known = |step: &Step| step.lines.is_some() || has(step, &PRODUCTS) || has(step, &OTHERS);
    let is_plain = |step: &Step| matches!(step.action, Action::Operator(_)) && is_known(step);
    body.steps.iter().any(|step| has(step, &PRODUCTS))
        && body.steps.iter().all(is_plain)
        && body.constants.iter().all(|(_, value)| is_single(value))
}

/// Whether a value holds no numbers that are computed in another precision. Scalars are made for the place they stand in.
fn is_single(value: &Value) -> bool {
    let other = [ElementType::F16, ElementType::Bf16, ElementType::F64];
    value.tensor().is_some_and(|tensor| tensor.len() <= 1 || !other.contains(&tensor.element_type()))
}
