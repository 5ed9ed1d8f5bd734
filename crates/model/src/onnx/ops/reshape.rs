//! The same elements under other dimensions: Reshape, Flatten, Squeeze, Unsqueeze.
//!
//! A row must stay whole: as many elements stand before the batch dimension as before.

use super::axes::{attribute_or_input, axis_of, check_rank, input};
use super::elements::{layout, movable, reshaped, show};
use crate::error::{Error, Result};
use crate::onnx::builder::{Builder, integers};
use crate::onnx::fact::{Dim, Dims, Fact, known_volume, span, volume};
use crate::onnx::node::Node;

/// Reshape.
pub(crate) fn reshape(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let target = match (inputs.get(1), node.ints("shape")?) {
        (Some(Fact::Dims(dims)), _) => dims.values.clone(),
        (Some(constant), _) => integers(node, constant, "shape")?.into_iter().map(Dim::Known).collect(),
        (None, Some(shape)) => shape.iter().copied().map(Dim::Known).collect(),
        (None, None) => return Err(node.malformed("the shape is missing")),
    };
    if let Fact::Dims(dims) = input(node, inputs, 0)? {
        let scalar = target.is_empty();
        return Ok(vec![Dims { values: dims.values.clone(), scalar }.into_fact()]);
    }
    check_rank(node, target.len())?;
    let value = movable(builder, node, input(node, inputs, 0)?)?;
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
    // Dimensions that are not known yet are negative.
    let known = |dims: &[Dim]| {
        let extents: Vec<Dim> = dims.iter().filter(|dim| !matches!(dim, Dim::Known(..0))).copied().collect();
        known_volume(&extents)
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
    let extents: Option<Vec<usize>> = resolved
        .iter()
        .filter(|dim| **dim != Dim::Batch)
        .map(|dim| if let Dim::Known(extent) = dim { usize::try_from(*extent).ok() } else { None })
        .collect();
    let fits = extents.is_some_and(|extents| {
        volume(&extents) == volume(&shape) && span(&extents) <= builder.limits.columns.max(span(&shape))
    });
    if !fits || resolved.contains(&Dim::Batch) != batch.is_some() {
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
    let before =
        |dims: &[Dim]| known_volume(&dims.iter().take_while(|dim| **dim != Dim::Batch).copied().collect::<Vec<_>>());
    !from.contains(&Dim::Batch) || before(from) == before(to)
}

fn mixes(node: &Node, from: &[Dim], to: &[Dim]) -> Error {
    node.unsupported(format!("it mixes rows: reshapes {} to {}", show(from), show(to)))
}

/// Flatten: two dimensions, split at `axis`.
pub(crate) fn flatten(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let value = movable(builder, node, input(node, inputs, 0)?)?;
    let dims = value.dims().unwrap_or_default();
    let axis = node.int_or("axis", 1)?;
    let split = if axis == dims.len() as i64 { dims.len() } else { axis_of(node, axis, dims.len())? };
    let part = |dims: &[Dim]| {
        let known = known_volume(dims);
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
    if let Fact::Dims(dims) = input(node, inputs, 0)? {
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
    if let Fact::Dims(dims) = input(node, inputs, 0)? {
        return match dims.scalar {
            true => Ok(vec![Dims { values: dims.values.clone(), scalar: false }.into_fact()]),
            false => Err(node.unsupported("it computes with the number of rows")),
        };
    }
    let value = movable(builder, node, input(node, inputs, 0)?)?;
    let mut dims = value.dims().unwrap_or_default();
    let rank = dims.len() + axes.len();
    check_rank(node, rank)?;
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
