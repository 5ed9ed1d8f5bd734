//! Values side by side, and apart again: Concat, Split, and the results of a loop.

use std::ops::Range;

use arrow::array::Array;

use super::axes::{attribute_or_input, axis_of, input};
use super::elements::{along, movable, pick, show};
use crate::error::Result;
use crate::onnx::builder::{Builder, integers};
use crate::onnx::fact::{Axis, Block, Dim, Dims, Fact, volume};
use crate::onnx::node::Node;
use crate::program::Tensor;

/// Concat.
pub(crate) fn concat(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    if inputs.iter().any(|fact| matches!(fact, Fact::Dims(_))) {
        return concat_dims(node, inputs);
    }
    let first = input(node, inputs, 0)?.dims().ok_or_else(|| node.unsupported("it joins the maps of a ZipMap"))?;
    // The default is the one of the first operator set.
    let axis = axis_of(node, node.int_or("axis", 1)?, first.len())?;
    if inputs.iter().all(Fact::is_constant) {
        return concat_constants(builder, node, inputs, axis);
    }
    let blocks: Vec<Block> = inputs.iter().map(|fact| builder.block(node, fact)).collect::<Result<_>>()?;
    let batch = blocks.iter().find_map(|block| block.batch);
    let model = blocks.iter().find(|block| block.batch.is_some()).unwrap_or(&blocks[0]);
    let Axis::Inner(inner) = model.axis(axis) else {
        return Err(node.unsupported("it mixes rows: it joins along the batch"));
    };
    let (mut shape, data_type) = (model.shape.clone(), model.data_type.clone());
    shape[inner] = 0;
    let outer = volume(&shape[..inner]);
    let mut parts = Vec::with_capacity(blocks.len());
    for block in &blocks {
        let mut same = block.shape.clone();
        let fits = block.batch == batch && same.len() == shape.len() && block.data_type == data_type;
        if !fits || {
            same[inner] = 0;
            same != shape_without(&model.shape, inner)
        } {
            return Err(node.malformed(format!("cannot join {} with {}", show(&model.dims()), show(&block.dims()))));
        }
        parts.push((block, volume(&block.shape[inner..])));
    }
    let total: usize = blocks.iter().map(|block| block.shape[inner]).sum();
    let mut columns = Vec::new();
    for row in 0..outer {
        for (block, width) in &parts {
            columns.extend_from_slice(&block.columns[row * width..(row + 1) * width]);
        }
    }
    shape[inner] = total;
    Ok(vec![Fact::Block(Block { data_type, shape, batch, columns })])
}

fn shape_without(shape: &[usize], axis: usize) -> Vec<usize> {
    let mut shape = shape.to_vec();
    shape[axis] = 0;
    shape
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

fn concat_constants(builder: &Builder, node: &Node, inputs: &[Fact], axis: usize) -> Result<Vec<Fact>> {
    let tensors: Vec<&Tensor> =
        inputs.iter().filter_map(|fact| if let Fact::Constant(tensor) = fact { Some(tensor) } else { None }).collect();
    let mut shape = tensors[0].shape.clone();
    let fits = |tensor: &&&Tensor| {
        tensor.shape.len() == shape.len() && (0..shape.len()).all(|at| at == axis || tensor.shape[at] == shape[at])
    };
    if tensors.iter().filter(fits).count() != tensors.len() {
        return Err(node.malformed("cannot join constants of different shapes"));
    }
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
            let parts = node.int("num_outputs")?.unwrap_or(node.proto.output.len() as i64).max(1);
            let size = extent / parts + i64::from(extent % parts != 0);
            (0..parts).map(|part| size.min(extent - part * size).max(0)).collect()
        }
    };
    if sizes.iter().any(|&size| size < 0) || sizes.iter().sum::<i64>() != extent {
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
