//! Values side by side, and apart again: Concat, Split, and the results of a loop.

use std::ops::Range;

use arrow::array::Array;

use super::axes::{attribute_or_input, axis_of, input};
use super::elements::{along, check_growth, movable, pick, show};
use crate::error::Result;
use crate::onnx::builder::{Builder, integers};
use crate::onnx::fact::{Axis, Block, Dim, Dims, Fact, span, volume};
use crate::onnx::node::Node;
use crate::program::Tensor;

/// Concat.
pub(crate) fn concat(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    if inputs.iter().any(|fact| matches!(fact, Fact::Dims(_))) {
        return concat_dims(node, inputs);
    }
    // The default axis is the one of the first operator set.
    let axis = node.int_or("axis", 1)?;
    if inputs.iter().all(Fact::is_constant) {
        return concat_constants(builder, node, inputs, axis);
    }
    let blocks: Vec<Block> = inputs.iter().map(|fact| builder.block(node, fact)).collect::<Result<_>>()?;
    let Some(model) = blocks.iter().find(|block| block.batch.is_some()).or_else(|| blocks.first()) else {
        return Err(node.malformed("it joins nothing"));
    };
    let Axis::Inner(inner) = model.axis(axis_of(node, axis, model.rank())?) else {
        return Err(node.unsupported("it mixes rows: it joins along the batch"));
    };
    let differs = |block: &&Block| {
        let same_shape = same_but_for(inner, &block.shape, &model.shape);
        block.batch != model.batch || block.data_type != model.data_type || !same_shape
    };
    if let Some(block) = blocks.iter().find(differs) {
        return Err(node.malformed(format!("cannot join {} with {}", show(&model.dims()), show(&block.dims()))));
    }
    let mut shape = model.shape.clone();
    shape[inner] = blocks.iter().map(|block| block.shape[inner]).sum();
    check_growth(builder, 0, span(&shape))?;
    let mut columns = Vec::with_capacity(volume(&shape));
    for row in 0..volume(&shape[..inner]) {
        for block in &blocks {
            let width = volume(&block.shape[inner..]);
            columns.extend_from_slice(&block.columns[row * width..(row + 1) * width]);
        }
    }
    Ok(vec![Fact::Block(Block { data_type: model.data_type.clone(), shape, batch: model.batch, columns })])
}

/// True if two shapes are the same on all axes but one.
fn same_but_for(axis: usize, one: &[usize], other: &[usize]) -> bool {
    one.len() == other.len() && (0..one.len()).all(|at| at == axis || one[at] == other[at])
}

fn concat_dims(node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let mut values = Vec::new();
    for fact in inputs {
        match fact {
            Fact::Dims(dims) => values.extend(&dims.values),
            constant => values.extend(integers(node, constant, "shape")?.into_iter().map(Dim::Known)),
        }
    }
    Ok(vec![Dims { values, scalar: false }.into_fact()])
}

fn concat_constants(builder: &Builder, node: &Node, inputs: &[Fact], axis: i64) -> Result<Vec<Fact>> {
    let tensors: Vec<&Tensor> =
        inputs.iter().filter_map(|fact| if let Fact::Constant(tensor) = fact { Some(tensor) } else { None }).collect();
    let Some(first) = tensors.first() else { return Err(node.malformed("it joins nothing")) };
    let axis = axis_of(node, axis, first.shape.len())?;
    let mut shape = first.shape.clone();
    if tensors.iter().any(|tensor| !same_but_for(axis, &tensor.shape, &shape)) {
        return Err(node.malformed("cannot join constants of different shapes"));
    }
    let largest = tensors.iter().map(|tensor| tensor.values.len()).max().unwrap_or(0);
    check_growth(builder, largest, tensors.iter().map(|tensor| tensor.values.len() as u64).sum())?;
    let arrays: Vec<&dyn Array> = tensors.iter().map(|tensor| tensor.values.as_ref()).collect();
    let end_to_end = arrow::compute::concat(&arrays)?;
    let outer = volume(&shape[..axis]);
    let mut picked = Vec::with_capacity(end_to_end.len());
    for row in 0..outer {
        let mut start = 0;
        for tensor in &tensors {
            let width = volume(&tensor.shape[axis..]);
            picked.extend(start + row * width..start + (row + 1) * width);
            start += tensor.values.len();
        }
    }
    shape[axis] = tensors.iter().map(|tensor| tensor.shape[axis]).sum();
    let flat = Fact::Constant(Tensor { shape: vec![end_to_end.len()], values: end_to_end });
    Ok(vec![pick(builder, &flat, shape, None, &picked)?])
}

/// SequenceAt: a tensor at a constant position.
pub(crate) fn sequence_at(node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let Fact::Sequence(tensors) = input(node, inputs, 0)? else {
        return Err(node.unsupported("it reads a sequence that is not put together here"));
    };
    let position = integers(node, input(node, inputs, 1)?, "position")?;
    let position = position.first().ok_or_else(|| node.malformed("it has no position"))?;
    let at = axis_of(node, *position, tensors.len())?;
    Ok(vec![tensors[at].clone()])
}

/// Split.
pub(crate) fn split(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let value = movable(builder, node, input(node, inputs, 0)?)?;
    let dims = value.dims().unwrap_or_default();
    let axis = axis_of(node, node.int_or("axis", 0)?, dims.len())?;
    let Dim::Known(extent) = dims[axis] else {
        return Err(node.unsupported("it mixes rows: it splits the batch"));
    };
    let sizes = match attribute_or_input(node, inputs, "split", 1)? {
        Some(sizes) => sizes,
        None => {
            let parts = node.proto.output.len().max(1) as i64;
            if let Some(count) = node.int("num_outputs")?.filter(|&count| count != parts) {
                return Err(node.malformed(format!("`num_outputs` is {count}, but it has {parts} outputs")));
            }
            let size = extent / parts + i64::from(extent % parts != 0);
            (0..parts).map(|part| size.min(extent - part * size).max(0)).collect()
        }
    };
    if sizes.iter().any(|&size| size < 0) || sizes.iter().copied().fold(0, i64::saturating_add) != extent {
        return Err(node.malformed(format!("cannot split {extent} elements into parts of {sizes:?}")));
    }
    let mut start = 0;
    let mut parts = Vec::with_capacity(sizes.len());
    for size in sizes {
        let range: Range<usize> = start..start + size as usize;
        start = range.end;
        parts.push(along(builder, node, &value, axis, range.collect())?);
    }
    Ok(parts)
}

/// Blocks of one layout along a new first axis.
pub(crate) fn stack(node: &Node, blocks: &[Block]) -> Result<Fact> {
    let Some(first) = blocks.first() else { return Err(node.unsupported("a loop of no steps")) };
    if blocks.iter().any(|block| block.shape != first.shape || block.batch != first.batch) {
        return Err(node.unsupported("a loop whose results change their shape"));
    }
    Ok(Fact::Block(Block {
        data_type: first.data_type.clone(),
        shape: [&[blocks.len()], &first.shape[..]].concat(),
        batch: first.batch.map(|batch| batch + 1),
        columns: blocks.iter().flat_map(|block| block.columns.iter().copied()).collect(),
    }))
}
