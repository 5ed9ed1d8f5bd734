//! One function per operator: from the facts about its inputs to the facts about its outputs, steps left on the way.

pub(crate) mod axes;
pub(crate) mod broadcast;
mod dense;
mod elements;
mod elementwise;
mod generate;
mod join;
mod lookup;
mod ml;
mod rearrange;
mod reduce;
mod reshape;

pub(crate) use dense::distances_to;
pub(crate) use join::stack;
pub(crate) use rearrange::pick_along;

use arrow::datatypes::DataType;

use super::builder::{Builder, evaluated};
use super::fact::Fact;
use super::node::Node;
use crate::error::Result;
use crate::program::{AcrossOp, BinaryOp};

/// Lowers a node whose inputs are known.
pub(crate) fn lower(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let reads_map = inputs.iter().any(|fact| matches!(fact.data_type(), Some(DataType::Map(..))));
    if reads_map && !matches!(node.op_type(), "CastMap" | "DictVectorizer" | "Identity") {
        return Err(node.unsupported("it reads a map"));
    }
    if node.domain().is_empty()
        && let Some(facts) = rearranged(builder, node, inputs)?
    {
        return Ok(facts);
    }
    let all_constant = !inputs.is_empty() && inputs.iter().all(|fact| fact.is_constant() || fact.is_absent());
    if all_constant {
        return evaluated(builder.limits, node, |scratch| {
            // Only the first input becomes columns: the others may be axes, shapes or positions.
            let mut facts = inputs.to_vec();
            facts[0] = scratch.block(node, &inputs[0]).map(Fact::Block)?;
            computed(scratch, node, &facts)
        });
    }
    computed(builder, node, inputs)
}

/// Operators that move elements, make constants, or compute them at once.
fn rearranged(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Option<Vec<Fact>>> {
    if let (Some(op), [Fact::Constant(_)]) = (elementwise::unary_op(node)?, inputs) {
        return elementwise::unary(builder, node, inputs, op).map(Some);
    }
    Ok(Some(match node.op_type() {
        "Cast" => elementwise::cast_op(builder, node, inputs)?,
        "Concat" => join::concat(builder, node, inputs)?,
        "Constant" => generate::constant(builder, node)?,
        "ConstantOfShape" => generate::constant_of_shape(builder, node, inputs)?,
        "Dropout" | "Identity" => rearrange::identity(node, inputs)?,
        "Expand" => rearrange::expand(builder, node, inputs)?,
        "Flatten" => reshape::flatten(builder, node, inputs)?,
        "Gather" => lookup::gather(builder, node, inputs)?,
        "Range" => generate::range(builder, node, inputs)?,
        "Reshape" => reshape::reshape(builder, node, inputs)?,
        "SequenceAt" => join::sequence_at(node, inputs)?,
        "SequenceConstruct" => vec![Fact::Sequence(inputs.to_vec())],
        "Shape" => generate::shape(node, inputs)?,
        "Size" => generate::size(node, inputs)?,
        "Slice" => rearrange::slice(builder, node, inputs)?,
        "Split" => join::split(builder, node, inputs)?,
        "Squeeze" => reshape::squeeze(builder, node, inputs)?,
        "Tile" => rearrange::tile(builder, node, inputs)?,
        "Transpose" => rearrange::transpose(builder, node, inputs)?,
        "Unsqueeze" => reshape::unsqueeze(builder, node, inputs)?,
        _ => return Ok(None),
    }))
}

/// Operators that leave steps.
fn computed(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let facts = match node.domain() {
        "" => general(builder, node, inputs)?,
        "ai.onnx.ml" => ml::lower(builder, node, inputs)?,
        "com.microsoft" if node.op_type() == "CDist" => Some(dense::distances(builder, node, inputs)?),
        _ => None,
    };
    facts.ok_or_else(|| node.unsupported(foretell_tensors::refusal(node.domain(), node.op_type())))
}

/// Refuses types for which an operator has no columns: what computes knows no half precision.
fn check_types(node: &Node, inputs: &[Fact]) -> Result<()> {
    if inputs.iter().any(|input| input.data_type() == Some(&DataType::Float16)) {
        return Err(node.unsupported("half precision over columns"));
    }
    match (node.op_type(), inputs.first().and_then(Fact::data_type)) {
        ("ReduceMax" | "ReduceMin", Some(DataType::Boolean)) => Err(node.unsupported("it orders truth values")),
        _ => Ok(()),
    }
}

fn general(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Option<Vec<Fact>>> {
    check_types(node, inputs)?;
    if let Some(op) = elementwise::unary_op(node)? {
        return elementwise::unary(builder, node, inputs, op).map(Some);
    }
    if let Some(op) = elementwise::binary_op(node)? {
        return elementwise::binary(builder, node, inputs, op).map(Some);
    }
    if let Some(op) = reduce::reduce_op(node) {
        return reduce::reduce(builder, node, inputs, op).map(Some);
    }
    Ok(Some(match node.op_type() {
        "ArgMax" => reduce::arg_extreme(builder, node, inputs, true)?,
        "ArgMin" => reduce::arg_extreme(builder, node, inputs, false)?,
        "BatchNormalization" => dense::normalize(builder, node, inputs)?,
        "Clip" => elementwise::clip(builder, node, inputs)?,
        "CumSum" => reduce::cum_sum(builder, node, inputs)?,
        "GatherElements" => lookup::gather_elements(builder, node, inputs)?,
        "Gemm" => dense::gemm(builder, node, inputs)?,
        "Hardmax" => reduce::softmax(builder, node, inputs, AcrossOp::Hardmax)?,
        "LogSoftmax" => reduce::softmax(builder, node, inputs, AcrossOp::LogSoftmax)?,
        "MatMul" => dense::mat_mul(builder, node, inputs)?,
        "Mean" => elementwise::binary(builder, node, inputs, BinaryOp::Add)?,
        "OneHot" => lookup::one_hot(builder, node, inputs)?,
        "PRelu" => elementwise::prelu(builder, node, inputs)?,
        "Softmax" => reduce::softmax(builder, node, inputs, AcrossOp::Softmax)?,
        "TopK" => reduce::top_k(builder, node, inputs)?,
        "Where" => elementwise::select(builder, node, inputs)?,
        _ => return Ok(None),
    }))
}
