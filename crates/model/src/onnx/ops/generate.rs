//! Values that are not computed from elements: constants, shapes, ranges.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float32Array, Int64Array, StringArray};
use arrow::compute::{cast, concat};
use arrow::datatypes::DataType;

use super::axes::{check_rank, input};
use crate::error::Result;
use crate::limits::Limits;
use crate::onnx::builder::{Builder, integers};
use crate::onnx::fact::{Block, Dim, Dims, Fact, known_volume, span, volume};
use crate::onnx::node::Node;
use crate::program::Tensor;

/// Constant, in each of its spellings.
pub(crate) fn constant(builder: &Builder, node: &Node) -> Result<Vec<Fact>> {
    let scalar = |values: ArrayRef| Tensor { shape: Vec::new(), values };
    let list = |values: ArrayRef| Tensor { shape: vec![values.len()], values };
    let tensor = if let Some(tensor) = node.tensor("value", builder.limits)? {
        tensor
    } else if let Some(value) = node.float("value_float")? {
        scalar(Arc::new(Float32Array::from(vec![value])))
    } else if let Some(value) = node.int("value_int")? {
        scalar(Arc::new(Int64Array::from(vec![value])))
    } else if let Some(value) = node.text("value_string")? {
        scalar(Arc::new(StringArray::from(vec![value])))
    } else if let Some(values) = node.floats("value_floats")? {
        list(Arc::new(Float32Array::from(values.to_vec())))
    } else if let Some(values) = node.ints("value_ints")? {
        list(Arc::new(Int64Array::from(values.to_vec())))
    } else if let Some(values) = node.texts("value_strings")? {
        list(Arc::new(StringArray::from(values)))
    } else {
        return Err(node.unsupported("its value is of a kind that is not supported"));
    };
    Ok(vec![Fact::Constant(tensor)])
}

/// Shape.
pub(crate) fn shape(node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let dims = input(node, inputs, 0)?.dims().ok_or_else(|| node.unsupported("it asks for the shape of a map"))?;
    let rank = dims.len() as i64;
    let bound = |position: i64| (if position < 0 { position + rank } else { position }).clamp(0, rank) as usize;
    let (start, end) = (bound(node.int_or("start", 0)?), bound(node.int_or("end", rank)?));
    let values = dims.get(start..end).unwrap_or_default().to_vec();
    Ok(vec![Dims { values, scalar: false }.into_fact()])
}

/// Size.
pub(crate) fn size(node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let dims = input(node, inputs, 0)?.dims().unwrap_or_default();
    let value = match (dims.contains(&Dim::Batch), known_volume(&dims)) {
        (false, known) => Dim::Known(known),
        (true, 1) => Dim::Batch,
        (true, _) => return Err(node.unsupported("it computes with the number of rows")),
    };
    Ok(vec![Dims { values: vec![value], scalar: true }.into_fact()])
}

/// ConstantOfShape.
pub(crate) fn constant_of_shape(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let dims = match input(node, inputs, 0)? {
        Fact::Dims(dims) => dims.values.clone(),
        constant => integers(node, constant, "shape")?.into_iter().map(Dim::Known).collect(),
    };
    let value = match node.tensor("value", builder.limits)? {
        Some(tensor) if *tensor.values.data_type() == DataType::Utf8 => {
            return Err(node.malformed("attribute `value` is a text; it must be a number"));
        }
        Some(tensor) if tensor.values.len() == 1 => tensor.values,
        Some(_) => return Err(node.malformed("attribute `value` must have one element")),
        None => Arc::new(Float32Array::from(vec![0.0])),
    };
    check_rank(node, dims.len())?;
    let mut extents = Vec::with_capacity(dims.len());
    for dim in &dims {
        if let Dim::Known(extent) = dim {
            let extent = usize::try_from(*extent).map_err(|_| node.malformed(format!("a dimension of {extent}")))?;
            extents.push(extent);
        }
    }
    let elements = volume(&extents);
    if !dims.contains(&Dim::Batch) {
        builder.make(span(&extents))?;
        let constant = Fact::Constant(Tensor { shape: extents, values: repeated(&value, elements)? });
        builder.give(&constant);
        return Ok(vec![constant]);
    }
    Limits::check("columns", "columns", span(&extents), builder.limits.columns)?;
    let data_type = value.data_type().clone();
    let column = builder.constant(node, value)?;
    let batch = dims.iter().position(|dim| *dim == Dim::Batch);
    let columns = vec![column; elements];
    Ok(vec![Fact::Block(Block { data_type, shape: extents, batch, columns })])
}

/// The one element of an array, so many times.
fn repeated(value: &ArrayRef, elements: usize) -> Result<ArrayRef> {
    let mut values = value.slice(0, elements.min(1));
    while values.len() < elements {
        let more = values.slice(0, values.len().min(elements - values.len()));
        values = concat(&[&values, &more])?;
    }
    Ok(values)
}

/// Range of constants.
pub(crate) fn range(builder: &Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let data_type = input(node, inputs, 0)?.data_type().cloned().unwrap_or(DataType::Int64);
    let mut numbers = Vec::new();
    for index in 0..3 {
        numbers.extend(integers(node, input(node, inputs, index)?, "bound")?);
    }
    let [start, limit, step] = numbers[..] else { return Err(node.malformed("bounds must be numbers")) };
    if step == 0 {
        return Err(node.malformed("a step of 0"));
    }
    let count = ((i128::from(limit) - i128::from(start)).unsigned_abs()).div_ceil(u128::from(step.unsigned_abs()));
    let count = if (limit > start) == (step > 0) { count as u64 } else { 0 };
    Limits::check("columns", "columns", count, builder.limits.columns)?;
    // The product may leave the range of the type where the sum does not.
    let values: Int64Array = (0..count as i64).map(|index| start.wrapping_add(index.wrapping_mul(step))).collect();
    let values = cast(&values, &data_type)?;
    Ok(vec![Fact::Constant(Tensor { shape: vec![values.len()], values })])
}
