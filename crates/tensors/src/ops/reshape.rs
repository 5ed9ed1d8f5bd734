//! Other shapes for the same elements, and shapes as values.

use super::{Operator, exact, one};
use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::shape;
use crate::tensor::Tensor;
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "Dropout" => exact(dropout),
        "Flatten" => exact(flatten),
        "Identity" => exact(identity),
        "Reshape" => exact(reshape),
        "Shape" => exact(shape_of),
        "Size" => exact(size),
        "Squeeze" => exact(squeeze),
        "Unsqueeze" => exact(unsqueeze),
        _ => return None,
    })
}

fn identity(call: &Call) -> Outcome<Vec<Value>> {
    Ok(vec![call.some_value(0)?.clone()])
}

/// Nothing is dropped when a model is used.
fn dropout(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    if let Some(training) = call.maybe_tensor(2)?
        && training.values::<bool>().is_some_and(|values| values.contains(&true))
        && call.value(1).map_or(Ok(0.5), |_| call.number(1))? != 0.0
    {
        return Err(Fault::unsupported("it trains; export the model for inference"));
    }
    let mask = call.filled(input.len(), true)?;
    let mask = Tensor::new(input.shape().to_vec(), mask);
    // The first versions give the mask in the type of the data, which nobody reads.
    Ok(vec![input.clone().into(), mask.into()])
}

fn flatten(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let rank = input.rank();
    let axis = match call.int("axis", 1)? {
        axis if axis == rank as i64 => rank,
        axis => shape::axis(axis, rank)?,
    };
    let rows = shape::volume(&input.shape()[..axis])?;
    let columns = shape::volume(&input.shape()[axis..])?;
    one(input.with_shape(vec![rows, columns]))
}

fn reshape(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let wanted = match call.maybe_ints("shape")? {
        Some(shape) if call.opset() < 5 => shape.to_vec(),
        _ => call.integers(1)?,
    };
    let keep_zero = call.flag("allowzero", false)?;
    let mut extents = Vec::with_capacity(wanted.len());
    let mut open = None;
    for (axis, &extent) in wanted.iter().enumerate() {
        extents.push(match extent {
            -1 if open.is_none() => {
                open = Some(axis);
                1
            }
            0 if !keep_zero => *input.shape().get(axis).ok_or_else(|| misfit(input, &wanted))?,
            extent => shape::extent(extent)?,
        });
    }
    if let Some(axis) = open {
        let others = shape::volume(&extents)?;
        extents[axis] = input.len().checked_div(others).ok_or_else(|| misfit(input, &wanted))?;
    }
    if shape::volume(&extents)? != input.len() {
        return Err(misfit(input, &wanted));
    }
    one(input.with_shape(extents))
}

fn misfit(input: &Tensor, wanted: &[i64]) -> Fault {
    Fault::invalid(format!("cannot reshape {:?} to {wanted:?}", input.shape()))
}

fn shape_of(call: &Call) -> Outcome<Vec<Value>> {
    let shape = call.tensor(0)?.shape();
    let rank = shape.len() as i64;
    let bound = |position: i64| (if position < 0 { position.saturating_add(rank) } else { position }).clamp(0, rank);
    let (start, end) = (bound(call.int("start", 0)?) as usize, bound(call.int("end", rank)?) as usize);
    let extents = shape.get(start..end).unwrap_or_default();
    one(Tensor::vector(extents.iter().map(|&extent| extent as i64).collect::<Vec<i64>>()))
}

fn size(call: &Call) -> Outcome<Vec<Value>> {
    one(Tensor::scalar(call.tensor(0)?.len() as i64))
}

/// The axes of Squeeze and Unsqueeze: an attribute at first, an input since version 13.
fn axes(call: &Call) -> Outcome<Option<Vec<i64>>> {
    match call.maybe_integers(1)? {
        Some(axes) => Ok(Some(axes)),
        None => Ok(call.maybe_ints("axes")?.map(<[i64]>::to_vec)),
    }
}

fn squeeze(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let dropped = match axes(call)? {
        Some(axes) => shape::axes(&axes, input.rank())?,
        None => (0..input.rank()).filter(|&axis| input.shape()[axis] == 1).collect(),
    };
    if let Some(&axis) = dropped.iter().find(|&&axis| input.shape()[axis] != 1) {
        return Err(Fault::invalid(format!("axis {axis} of {:?} has more than one place", input.shape())));
    }
    let kept = (0..input.rank()).filter(|axis| !dropped.contains(axis));
    one(input.with_shape(kept.map(|axis| input.shape()[axis]).collect()))
}

fn unsqueeze(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let axes = call.required("axes", axes(call)?)?;
    let rank = input.rank() + axes.len();
    shape::check_rank(rank)?;
    let added = shape::axes(&axes, rank)?;
    let mut own = input.shape().iter();
    let extents = (0..rank).map(|axis| if added.contains(&axis) { 1 } else { own.next().copied().unwrap_or(1) });
    one(input.with_shape(extents.collect()))
}
