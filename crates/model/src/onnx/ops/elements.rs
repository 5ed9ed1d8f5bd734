//! Picking of elements by position: what the operators that only move elements have in common. Column ids move, and the
//! elements of constants are taken along the same positions; no step is left.

use std::sync::Arc;

use arrow::array::UInt64Array;
use arrow::compute::take;

use crate::error::Result;
use crate::limits::Limits;
use crate::onnx::builder::Builder;
use crate::onnx::fact::{Block, Dim, Fact, span, strides, volume};
use crate::onnx::node::Node;
use crate::program::Tensor;

/// A value whose elements can be picked by position: a constant or a block.
pub(super) fn movable(builder: &mut Builder, node: &Node, fact: &Fact) -> Result<Fact> {
    match fact {
        Fact::Constant(_) | Fact::Block(_) => Ok(fact.clone()),
        other => builder.block(node, other).map(Fact::Block),
    }
}

/// Extents without the batch dimension, and where that stands.
pub(super) fn layout(fact: &Fact) -> (Vec<usize>, Option<usize>) {
    match fact {
        Fact::Constant(tensor) => (tensor.shape.clone(), None),
        Fact::Block(block) => (block.shape.clone(), block.batch),
        _ => (Vec::new(), None),
    }
}

/// Moving elements costs nothing, but repeating them does: a small file could ask for any number.
pub(super) fn check_growth(builder: &Builder, before: usize, after: u64) -> Result<()> {
    match after > before as u64 {
        true => Limits::check("columns", "columns", after, builder.limits.columns),
        false => Ok(()),
    }
}

/// The elements at these positions, in a new layout.
pub(super) fn pick(
    builder: &Builder,
    fact: &Fact,
    shape: Vec<usize>,
    batch: Option<usize>,
    positions: &[usize],
) -> Result<Fact> {
    check_growth(builder, volume(&layout(fact).0), positions.len() as u64)?;
    Ok(match fact {
        Fact::Constant(tensor) => {
            let identity =
                positions.len() == tensor.values.len() && positions.iter().enumerate().all(|(at, &p)| at == p);
            let values = if identity {
                Arc::clone(&tensor.values)
            } else {
                let positions: UInt64Array = positions.iter().map(|&position| position as u64).collect();
                take(&tensor.values, &positions, None)?
            };
            Fact::Constant(Tensor { shape, values })
        }
        Fact::Block(block) => Fact::Block(Block {
            data_type: block.data_type.clone(),
            shape,
            batch,
            columns: positions.iter().map(|&position| block.columns[position]).collect(),
        }),
        other => other.clone(),
    })
}

/// Positions of all elements whose index along each axis is taken from `indices[axis]`, in row-major order.
pub(crate) fn positions(shape: &[usize], indices: &[Vec<usize>]) -> Vec<usize> {
    let strides = strides(shape);
    let mut result = vec![0];
    for (axis, picked) in indices.iter().enumerate() {
        let stride = strides[axis];
        result = result.iter().flat_map(|base| picked.iter().map(move |index| base + index * stride)).collect();
    }
    result
}

/// Shape of the inner axes and the batch after the full dimensions are given.
pub(super) fn split_batch(dims: &[Dim]) -> (Vec<usize>, Option<usize>) {
    let batch = dims.iter().position(|dim| *dim == Dim::Batch);
    let shape = dims.iter().filter_map(|dim| match dim {
        Dim::Known(extent) => Some(*extent as usize),
        Dim::Batch => None,
    });
    (shape.collect(), batch)
}

/// The same elements under other dimensions.
pub(super) fn reshaped(fact: &Fact, dims: &[Dim]) -> Fact {
    let (shape, batch) = split_batch(dims);
    match fact {
        Fact::Constant(tensor) => Fact::Constant(Tensor { shape, values: Arc::clone(&tensor.values) }),
        Fact::Block(block) => Fact::Block(Block { shape, batch, ..block.clone() }),
        other => other.clone(),
    }
}

/// The part of `value` whose positions along `axis` are `indices`.
pub(super) fn along(builder: &Builder, node: &Node, value: &Fact, axis: usize, indices: Vec<usize>) -> Result<Fact> {
    let (mut shape, batch) = layout(value);
    let inner = match batch {
        Some(batch) if axis == batch => return Err(node.unsupported("it mixes rows: it picks rows by position")),
        Some(batch) if axis > batch => axis - 1,
        _ => axis,
    };
    let source = shape.clone();
    shape[inner] = indices.len();
    check_growth(builder, volume(&source), span(&shape))?;
    // The places of the axis itself are not counted: a loop picks from a long one again and again.
    let mut picked: Vec<Vec<usize>> =
        shape.iter().enumerate().map(|(axis, &extent)| (0..if axis == inner { 0 } else { extent }).collect()).collect();
    picked[inner] = indices;
    pick(builder, value, shape, batch, &positions(&source, &picked))
}

/// Dimensions as messages show them: `[N, 3]`.
pub(crate) fn show(dims: &[Dim]) -> String {
    let texts: Vec<String> = dims
        .iter()
        .map(|dim| match dim {
            Dim::Batch => "N".to_string(),
            Dim::Known(extent) => extent.to_string(),
        })
        .collect();
    format!("[{}]", texts.join(", "))
}
