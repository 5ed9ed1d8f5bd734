//! Operators that only rename, reorder, drop or repeat elements. They leave no step: column ids move, and the elements
//! of constants are taken along the same positions.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Int64Array, UInt64Array};
use arrow::compute::take;

use super::axes::{attribute_or_input, axis_of, input, optional_ints};
use crate::error::Result;
use crate::limits::Limits;
use crate::onnx::builder::{Builder, integers};
use crate::onnx::fact::{Axis, Block, Dim, Dims, Fact, normal_axis, strides, volume};
use crate::onnx::node::Node;
use crate::program::Tensor;

/// A value whose elements can be picked by position: a constant or a block.
fn movable(builder: &mut Builder, node: &Node, fact: &Fact) -> Result<Fact> {
    match fact {
        Fact::Constant(_) | Fact::Block(_) => Ok(fact.clone()),
        other => builder.block(node, other).map(Fact::Block),
    }
}

/// Extents without the batch dimension, and where that stands.
fn layout(fact: &Fact) -> (Vec<usize>, Option<usize>) {
    match fact {
        Fact::Constant(tensor) => (tensor.shape.clone(), None),
        Fact::Block(block) => (block.shape.clone(), block.batch),
        _ => (Vec::new(), None),
    }
}

/// The elements at these positions, in a new layout.
fn pick(builder: &Builder, fact: &Fact, shape: Vec<usize>, batch: Option<usize>, positions: &[usize]) -> Result<Fact> {
    Limits::check("elements in one tensor", "tensor_elements", positions.len() as u64, builder.limits.tensor_elements)?;
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

fn all(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().map(|&extent| (0..extent).collect()).collect()
}

/// Shape of the inner axes and the batch after the full dimensions are given.
fn split_batch(dims: &[Dim]) -> (Vec<usize>, Option<usize>) {
    let batch = dims.iter().position(|dim| *dim == Dim::Batch);
    let shape = dims.iter().filter_map(|dim| match dim {
        Dim::Known(extent) => Some(*extent as usize),
        Dim::Batch => None,
    });
    (shape.collect(), batch)
}

/// The same elements under other dimensions.
fn reshaped(fact: &Fact, dims: &[Dim]) -> Fact {
    let (shape, batch) = split_batch(dims);
    match fact {
        Fact::Constant(tensor) => Fact::Constant(Tensor { shape, values: Arc::clone(&tensor.values) }),
        Fact::Block(block) => Fact::Block(Block { shape, batch, ..block.clone() }),
        other => other.clone(),
    }
}

/// Identity, and Dropout as it is at prediction time.
pub(crate) fn identity(node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    if node.has_output(1) {
        return Err(node.unsupported("its second output is read"));
    }
    Ok(vec![input(node, inputs, 0)?.clone()])
}

/// Reshape.
pub(crate) fn reshape(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let target = match (inputs.get(1), node.ints("shape")?) {
        (Some(Fact::Dims(dims)), _) => dims.values.clone(),
        (Some(constant), _) => integers(node, constant, "shape")?.into_iter().map(Dim::Known).collect(),
        (None, Some(shape)) => shape.iter().copied().map(Dim::Known).collect(),
        (None, None) => return Err(node.malformed("the shape is missing")),
    };
    if let Fact::Dims(dims) = &inputs[0] {
        let scalar = target.is_empty();
        return Ok(vec![Dims { values: dims.values.clone(), scalar }.into_fact()]);
    }
    let value = movable(builder, node, &inputs[0])?;
    let dims = target_dims(builder, node, &value, &target, node.flag("allowzero", false)?)?;
    Ok(vec![reshaped(&value, &dims)])
}

/// The dimensions a Reshape asks for, with `0`, `-1` and the batch resolved.
fn target_dims(builder: &Builder, node: &Node, value: &Fact, target: &[Dim], allow_zero: bool) -> Result<Vec<Dim>> {
    let source = value.dims().unwrap_or_default();
    let mut dims = target.to_vec();
    for (axis, dim) in dims.iter_mut().enumerate() {
        if *dim == Dim::Known(0) && !allow_zero {
            *dim = *source.get(axis).ok_or_else(|| node.malformed("the shape copies a dimension that is not there"))?;
        }
    }
    let (shape, batch) = layout(value);
    let elements = volume(&shape) as i64;
    let known = |dims: &[Dim]| {
        dims.iter().fold(1_i64, |product, dim| match dim {
            Dim::Known(extent) if *extent >= 0 => product.saturating_mul(*extent),
            _ => product,
        })
    };
    let misfit = || node.malformed(format!("cannot reshape {} to {}", show(&source), show(&dims)));
    let wildcard = dims.iter().position(|dim| *dim == Dim::Known(-1));
    let has_batch = dims.contains(&Dim::Batch);
    let product = known(&dims);
    let resolved = match (wildcard, batch) {
        (Some(at), Some(_)) if !has_batch && product == elements => with(&dims, at, Dim::Batch),
        (Some(at), Some(_)) if !has_batch => {
            // The file repeats the batch size it was exported with, and `-1` is the rest.
            let first = dims
                .iter()
                .position(|dim| matches!(dim, Dim::Known(extent) if Some(*extent) == builder.declared_batch));
            let Some(first) = first else { return Err(mixes(node, &source, &dims)) };
            let rest = with(&dims, first, Dim::Batch);
            let product = known(&rest);
            if product == 0 || elements % product != 0 {
                return Err(misfit());
            }
            with(&rest, at, Dim::Known(elements / product))
        }
        (Some(at), _) => {
            if product == 0 || elements % product != 0 {
                return Err(misfit());
            }
            with(&dims, at, Dim::Known(elements / product))
        }
        (None, Some(_)) if !has_batch => {
            let declared = builder.declared_batch.unwrap_or(1);
            let candidates = dims.iter().enumerate().filter(|(_, dim)| **dim == Dim::Known(declared));
            let fits = candidates.map(|(at, _)| with(&dims, at, Dim::Batch)).find(|dims| keeps_rows(&source, dims));
            fits.ok_or_else(|| mixes(node, &source, &dims))?
        }
        (None, _) => dims.clone(),
    };
    if known(&resolved) != elements || resolved.contains(&Dim::Batch) != batch.is_some() {
        return Err(misfit());
    }
    if !keeps_rows(&source, &resolved) {
        return Err(mixes(node, &source, &resolved));
    }
    Ok(resolved)
}

fn with(dims: &[Dim], at: usize, dim: Dim) -> Vec<Dim> {
    let mut dims = dims.to_vec();
    dims[at] = dim;
    dims
}

/// True if as many elements stand before the batch dimension as before, so that rows stay whole.
fn keeps_rows(from: &[Dim], to: &[Dim]) -> bool {
    let before = |dims: &[Dim]| {
        let known = dims.iter().take_while(|dim| **dim != Dim::Batch).map(|dim| match dim {
            Dim::Known(extent) => *extent,
            Dim::Batch => 1,
        });
        known.product::<i64>()
    };
    !from.contains(&Dim::Batch) || before(from) == before(to)
}

fn mixes(node: &Node, from: &[Dim], to: &[Dim]) -> crate::error::Error {
    node.unsupported(format!("it mixes rows: reshapes {} to {}", show(from), show(to)))
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

/// Flatten: two dimensions, split at `axis`.
pub(crate) fn flatten(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let value = movable(builder, node, input(node, inputs, 0)?)?;
    let dims = value.dims().unwrap_or_default();
    let axis = node.int_or("axis", 1)?;
    let split = if axis == dims.len() as i64 { dims.len() } else { axis_of(node, axis, dims.len())? };
    let part = |dims: &[Dim]| {
        let known: i64 = dims.iter().map(|dim| if let Dim::Known(extent) = dim { *extent } else { 1 }).product();
        match (dims.contains(&Dim::Batch), known) {
            (true, 1) => Ok(Dim::Batch),
            (true, _) => Err(node.unsupported("it mixes rows")),
            (false, known) => Ok(Dim::Known(known)),
        }
    };
    let target = [part(&dims[..split])?, part(&dims[split..])?];
    Ok(vec![reshaped(&value, &target)])
}

/// Squeeze.
pub(crate) fn squeeze(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let axes = attribute_or_input(node, inputs, "axes", 1)?;
    if let Fact::Dims(dims) = &inputs[0] {
        let scalar = dims.values.len() == 1;
        return Ok(vec![Dims { values: dims.values.clone(), scalar }.into_fact()]);
    }
    let value = movable(builder, node, input(node, inputs, 0)?)?;
    let dims = value.dims().unwrap_or_default();
    let dropped: Vec<usize> = match axes {
        Some(axes) => axes.iter().map(|&axis| axis_of(node, axis, dims.len())).collect::<Result<_>>()?,
        None => (0..dims.len()).filter(|&axis| dims[axis] == Dim::Known(1)).collect(),
    };
    if let Some(&axis) = dropped.iter().find(|&&axis| dims[axis] != Dim::Known(1)) {
        return Err(node.unsupported(format!("it drops axis {axis} of {}", show(&dims))));
    }
    let kept: Vec<Dim> = (0..dims.len()).filter(|axis| !dropped.contains(axis)).map(|axis| dims[axis]).collect();
    Ok(vec![reshaped(&value, &kept)])
}

/// Unsqueeze.
pub(crate) fn unsqueeze(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let axes = attribute_or_input(node, inputs, "axes", 1)?.ok_or_else(|| node.malformed("`axes` is missing"))?;
    if let Fact::Dims(dims) = &inputs[0] {
        return match dims.scalar {
            true => Ok(vec![Dims { values: dims.values.clone(), scalar: false }.into_fact()]),
            false => Err(node.unsupported("it computes with the number of rows")),
        };
    }
    let value = movable(builder, node, input(node, inputs, 0)?)?;
    let mut dims = value.dims().unwrap_or_default();
    let rank = dims.len() + axes.len();
    let mut added: Vec<usize> = axes.iter().map(|&axis| axis_of(node, axis, rank)).collect::<Result<_>>()?;
    added.sort_unstable();
    added.dedup();
    if added.len() != axes.len() {
        return Err(node.malformed("`axes` names an axis twice"));
    }
    for axis in added {
        dims.insert(axis, Dim::Known(1));
    }
    Ok(vec![reshaped(&value, &dims)])
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

/// The part of `value` whose positions along `axis` are `indices`.
fn along(builder: &Builder, node: &Node, value: &Fact, axis: usize, indices: Vec<usize>) -> Result<Fact> {
    let (mut shape, batch) = layout(value);
    let inner = match batch {
        Some(batch) if axis == batch => return Err(node.unsupported("it mixes rows: it picks rows by position")),
        Some(batch) if axis > batch => axis - 1,
        _ => axis,
    };
    let mut picked = all(&shape);
    picked[inner] = indices;
    shape[inner] = picked[inner].len();
    let source = layout(value).0;
    pick(builder, value, shape, batch, &positions(&source, &picked))
}

/// The part of a value at one position of an axis, which is gone then.
pub(crate) fn pick_along(builder: &mut Builder, node: &Node, fact: &Fact, axis: i64, position: usize) -> Result<Fact> {
    let index = Int64Array::from(vec![position as i64]);
    gather_constant(builder, node, fact, &Tensor { shape: Vec::new(), values: Arc::new(index) }, axis)
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

/// Slice.
pub(crate) fn slice(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let starts = attribute_or_input(node, inputs, "starts", 1)?.ok_or_else(|| node.malformed("`starts` is missing"))?;
    let ends = slice_ends(node, inputs)?;
    let axes = attribute_or_input(node, inputs, "axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = optional_ints(node, inputs, 4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
        return Err(node.malformed("`starts`, `ends`, `axes` and `steps` differ in length"));
    }
    if let Fact::Dims(dims) = &inputs[0] {
        let range = slice_range(node, starts[0], ends[0], steps[0], dims.values.len())?;
        let values = range.into_iter().map(|index| dims.values[index]).collect();
        return Ok(vec![Dims { values, scalar: false }.into_fact()]);
    }
    let mut value = movable(builder, node, input(node, inputs, 0)?)?;
    for (position, &axis) in axes.iter().enumerate() {
        let dims = value.dims().unwrap_or_default();
        let axis = axis_of(node, axis, dims.len())?;
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
            let (first, last) = (from_end(start).clamp(-1, extent - 1), from_end(end).clamp(-1, extent - 1));
            let mut indices = Vec::new();
            let mut index = first;
            while index > last {
                indices.push(index as usize);
                index = index.saturating_add(step);
            }
            Ok(indices)
        }
    }
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
    let arrays: Vec<&dyn arrow::array::Array> = tensors.iter().map(|tensor| tensor.values.as_ref()).collect();
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
    let gathered = along(builder, node, &value, axis, picked)?;
    let mut target = dims[..axis].to_vec();
    target.extend(indices.shape.iter().map(|&extent| Dim::Known(extent as i64)));
    target.extend(&dims[axis + 1..]);
    Ok(reshaped(&gathered, &target))
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
    let elements = shape.iter().fold(1_u64, |product, &extent| product.saturating_mul(extent as u64));
    Limits::check("columns", "columns", elements, builder.limits.columns)?;
    let index = super::broadcast::source_positions(&dims, &source);
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
