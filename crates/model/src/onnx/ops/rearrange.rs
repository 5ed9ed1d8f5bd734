//! Operators that reorder, drop or repeat elements: Transpose, Slice, Gather at constant positions, Expand, Tile.

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array};

use super::axes::{attribute_or_input, axis_of, check_rank, input, optional_ints};
use super::broadcast::source_positions;
use super::elements::{along, layout, movable, pick, reshaped, show, split_batch};
use crate::error::Result;
use crate::limits::Limits;
use crate::onnx::builder::{Builder, integers};
use crate::onnx::fact::{Block, Dim, Dims, Fact, normal_axis, span, strides};
use crate::onnx::graph::unique;
use crate::onnx::node::Node;
use crate::program::Tensor;

/// Identity, and Dropout as it is at prediction time.
pub(crate) fn identity(node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    if node.has_output(1) {
        return Err(node.unsupported("its second output is read"));
    }
    if inputs.get(2).is_some_and(may_train) {
        return Err(node.unsupported("it trains; export the model for inference"));
    }
    Ok(vec![input(node, inputs, 0)?.clone()])
}

/// Whether the third input of a Dropout is anything but a constant that says no.
fn may_train(training: &Fact) -> bool {
    match training {
        Fact::Constant(tensor) => {
            tensor.values.as_boolean_opt().is_none_or(|flags| flags.iter().any(|flag| flag != Some(false)))
        }
        other => !other.is_absent(),
    }
}

/// Transpose.
pub(crate) fn transpose(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let value = movable(builder, node, input(node, inputs, 0)?)?;
    let dims = value.dims().unwrap_or_default();
    let order: Vec<usize> = match node.ints("perm")? {
        Some(order) => order.iter().map(|&axis| axis_of(node, axis, dims.len())).collect::<Result<_>>()?,
        None => (0..dims.len()).rev().collect(),
    };
    let mut seen = vec![false; dims.len()];
    order.iter().for_each(|&axis| seen[axis] = true);
    if order.len() != dims.len() || seen.contains(&false) {
        return Err(node.malformed(format!("`perm` must be an order of {} axes", dims.len())));
    }
    let (shape, batch) = layout(&value);
    let inner = |axis: usize| match batch {
        Some(batch) if axis == batch => None,
        Some(batch) if axis > batch => Some(axis - 1),
        _ => Some(axis),
    };
    let inner_order: Vec<usize> = order.iter().filter_map(|&axis| inner(axis)).collect();
    let strides = strides(&shape);
    let mut result = vec![0];
    for &axis in &inner_order {
        let stride = strides[axis];
        result = result.iter().flat_map(|base| (0..shape[axis]).map(move |index| base + index * stride)).collect();
    }
    let new_shape = inner_order.iter().map(|&axis| shape[axis]).collect();
    let new_batch = batch.and_then(|batch| order.iter().position(|&axis| axis == batch));
    Ok(vec![pick(builder, &value, new_shape, new_batch, &result)?])
}

/// A block with its axes in reverse order.
pub(crate) fn transpose_block(block: &Block) -> Block {
    let strides = strides(&block.shape);
    let mut positions = vec![0];
    for axis in (0..block.shape.len()).rev() {
        let stride = strides[axis];
        let extent = block.shape[axis];
        positions = positions.iter().flat_map(|base| (0..extent).map(move |index| base + index * stride)).collect();
    }
    Block {
        data_type: block.data_type.clone(),
        shape: block.shape.iter().rev().copied().collect(),
        batch: block.batch.map(|batch| block.rank() - 1 - batch),
        columns: positions.into_iter().map(|position| block.columns[position]).collect(),
    }
}

/// Slice.
pub(crate) fn slice(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let starts = attribute_or_input(node, inputs, "starts", 1)?.ok_or_else(|| node.malformed("`starts` is missing"))?;
    let ends = slice_ends(node, inputs)?;
    let axes = attribute_or_input(node, inputs, "axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = optional_ints(node, inputs, 4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
        return Err(node.malformed("`starts`, `ends`, `axes` and `steps` differ in length"));
    }
    if let (Fact::Dims(dims), [start], [end], [step]) = (input(node, inputs, 0)?, &starts[..], &ends[..], &steps[..]) {
        let range = slice_range(node, *start, *end, *step, dims.values.len())?;
        let values = range.into_iter().map(|index| dims.values[index]).collect();
        return Ok(vec![Dims { values, scalar: false }.into_fact()]);
    }
    let mut value = movable(builder, node, input(node, inputs, 0)?)?;
    let rank = value.dims().unwrap_or_default().len();
    let axes: Vec<usize> = axes.iter().map(|&axis| axis_of(node, axis, rank)).collect::<Result<_>>()?;
    unique(format_args!("node `{}`: axis", node.name), axes.iter().copied())?;
    for (position, axis) in axes.into_iter().enumerate() {
        let dims = value.dims().unwrap_or_default();
        match dims[axis] {
            // All rows are taken: nothing to do.
            Dim::Batch if starts[position] == 0 && ends[position] >= i64::from(i32::MAX) && steps[position] == 1 => {}
            Dim::Batch => return Err(node.unsupported("it mixes rows: it picks rows by position")),
            Dim::Known(extent) => {
                let range = slice_range(node, starts[position], ends[position], steps[position], extent as usize)?;
                value = along(builder, node, &value, axis, range)?;
            }
        }
    }
    Ok(vec![value])
}

/// The ends of a Slice; the number of rows stands for "to the end".
fn slice_ends(node: &Node, inputs: &[Fact]) -> Result<Vec<i64>> {
    if let Some(Fact::Dims(dims)) = inputs.get(2) {
        let end = |dim: &Dim| if let Dim::Known(value) = dim { *value } else { i64::MAX };
        return Ok(dims.values.iter().map(end).collect());
    }
    attribute_or_input(node, inputs, "ends", 2)?.ok_or_else(|| node.malformed("`ends` is missing"))
}

fn slice_range(node: &Node, start: i64, end: i64, step: i64, extent: usize) -> Result<Vec<usize>> {
    let extent = extent as i64;
    let from_end = |position: i64| if position < 0 { position.saturating_add(extent) } else { position };
    match step {
        0 => Err(node.malformed("a step of 0")),
        1.. => {
            let range = from_end(start).clamp(0, extent)..from_end(end).clamp(0, extent);
            Ok(range.step_by(step as usize).map(|index| index as usize).collect())
        }
        _ => {
            // The greatest integers mean no end, in this direction as well.
            let is_open = [i64::from(i32::MAX), i64::MAX].contains(&end);
            let last = if is_open { -1 } else { from_end(end).clamp(-1, extent - 1) };
            let mut indices = Vec::new();
            let mut index = from_end(start).clamp(0.min(extent - 1), extent - 1);
            while index > last {
                indices.push(index as usize);
                index = index.saturating_add(step);
            }
            Ok(indices)
        }
    }
}

/// Gather with constant indices: positions along an axis.
pub(crate) fn gather_constant(
    builder: &mut Builder,
    node: &Node,
    value: &Fact,
    indices: &Tensor,
    axis: i64,
) -> Result<Fact> {
    let numbers = integers(node, &Fact::Constant(indices.clone()), "indices")?;
    if let Fact::Dims(dims) = value {
        let picked: Option<Vec<Dim>> = numbers
            .iter()
            .map(|&index| normal_axis(index, dims.values.len()).map(|index| dims.values[index]))
            .collect();
        let values = picked.ok_or_else(|| node.malformed("an index is outside the shape"))?;
        return Ok(Dims { values, scalar: indices.shape.is_empty() }.into_fact());
    }
    let value = movable(builder, node, value)?;
    let dims = value.dims().unwrap_or_default();
    let axis = axis_of(node, axis, dims.len())?;
    let Dim::Known(extent) = dims[axis] else {
        return Err(node.unsupported("it mixes rows: it picks rows by position"));
    };
    let picked: Vec<usize> = numbers
        .iter()
        .map(|&index| {
            normal_axis(index, extent as usize)
                .ok_or_else(|| node.malformed(format!("index {index} is outside {extent} elements")))
        })
        .collect::<Result<_>>()?;
    check_rank(node, dims.len() + indices.shape.len())?;
    let gathered = along(builder, node, &value, axis, picked)?;
    let mut target = dims[..axis].to_vec();
    target.extend(indices.shape.iter().map(|&extent| Dim::Known(extent as i64)));
    target.extend(&dims[axis + 1..]);
    Ok(reshaped(&gathered, &target))
}

/// The part of a value at one position of an axis, which is gone then.
pub(crate) fn pick_along(builder: &mut Builder, node: &Node, fact: &Fact, axis: i64, position: usize) -> Result<Fact> {
    let index = Int64Array::from(vec![position as i64]);
    gather_constant(builder, node, fact, &Tensor { shape: Vec::new(), values: Arc::new(index) }, axis)
}

/// Expand and Tile of constants and blocks, along axes other than the batch.
pub(crate) fn expand(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let target = match input(node, inputs, 1)? {
        Fact::Dims(dims) => dims.values.clone(),
        constant => integers(node, constant, "shape")?.into_iter().map(Dim::Known).collect(),
    };
    let mut value = movable(builder, node, input(node, inputs, 0)?)?;
    if target.contains(&Dim::Batch) && value.is_constant() {
        value = Fact::Block(builder.block(node, &value)?);
    }
    let source = value.dims().unwrap_or_default();
    let rank = source.len().max(target.len());
    check_rank(node, rank)?;
    let padded = |dims: &[Dim]| [vec![Dim::Known(1); rank - dims.len()], dims.to_vec()].concat();
    let (from, to) = (padded(&source), padded(&target));
    let mut dims = Vec::with_capacity(rank);
    for (from, to) in from.iter().zip(&to) {
        dims.push(match (from, to) {
            (Dim::Batch, _) | (_, Dim::Known(1)) => *from,
            (Dim::Known(1), to) => *to,
            (from, to) if from == to => *from,
            _ => return Err(node.malformed(format!("cannot expand {} to {}", show(&source), show(&target)))),
        });
    }
    let (shape, batch) = split_batch(&dims);
    Limits::check("columns", "columns", span(&shape), builder.limits.columns)?;
    let index = source_positions(&dims, &source);
    Ok(vec![pick(builder, &value, shape, batch, &index)?])
}

/// Tile.
pub(crate) fn tile(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let repeats = integers(node, input(node, inputs, 1)?, "repeats")?;
    let mut value = movable(builder, node, input(node, inputs, 0)?)?;
    for (axis, &times) in repeats.iter().enumerate() {
        let dims = value.dims().unwrap_or_default();
        match dims.get(axis) {
            _ if times == 1 => {}
            Some(Dim::Known(extent)) if times >= 0 => {
                let total = (*extent as u64).saturating_mul(times as u64);
                Limits::check("columns", "columns", total, builder.limits.columns)?;
                let indices = (0..total as usize).map(|index| index % (*extent).max(1) as usize).collect();
                value = along(builder, node, &value, axis, indices)?;
            }
            Some(Dim::Batch) => return Err(node.unsupported("it mixes rows: it repeats them")),
            _ => return Err(node.malformed("`repeats` does not fit the input")),
        }
    }
    Ok(vec![value])
}
