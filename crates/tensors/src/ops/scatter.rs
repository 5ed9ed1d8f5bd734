//! Elements to given positions: Scatter, ScatterElements, ScatterND, TensorScatter.

use super::gather::{element_offsets, tuple_offsets};
use super::{Operator, exact, one};
use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_number};
use crate::shape::{self, around, strides};
use crate::tensor::{Data, Tensor};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "Scatter" | "ScatterElements" => exact(scatter_elements),
        "ScatterND" => exact(scatter_nd),
        "TensorScatter" => exact(tensor_scatter),
        _ => return None,
    })
}

/// What becomes of an element that is written to.
#[derive(Debug, Clone, Copy)]
enum Reduction {
    Replace,
    Add,
    Mul,
    Min,
    Max,
}

impl Reduction {
    fn of(call: &Call) -> Outcome<Self> {
        Ok(match call.text("reduction", "none")? {
            "none" => Self::Replace,
            "add" => Self::Add,
            "mul" => Self::Mul,
            "min" => Self::Min,
            "max" => Self::Max,
            other => return Err(Fault::unsupported(format!("reduction `{other}`"))),
        })
    }

    fn apply<T: Number>(self, old: T, new: T) -> T {
        match self {
            Self::Replace => new,
            Self::Add => old.plus(new),
            Self::Mul => old.times(new),
            Self::Min => old.lesser(new),
            Self::Max => old.greater(new),
        }
    }
}

/// Writes each update to its position, in order.
fn write(call: &Call, input: &Tensor, positions: &[usize], updates: &Tensor) -> Outcome<Tensor> {
    if input.element_type() != updates.element_type() {
        let (own, other) = (input.element_type().name(), updates.element_type().name());
        return Err(Fault::invalid(format!("updates of {other} for a value of {own}")));
    }
    call.room_for(input.shape(), input.element_type())?;
    let reduction = Reduction::of(call)?;
    if let Reduction::Replace = reduction {
        // The updates lie behind the elements, so that each place says where its own comes from.
        let both =
            Data::join(&[input.data(), updates.data()]).ok_or_else(|| Fault::invalid("values of different types"))?;
        let mut sources: Vec<usize> = (0..input.len()).collect();
        for (at, &position) in positions.iter().enumerate() {
            sources[position] = input.len() + at;
        }
        return Ok(Tensor::of(input.shape().to_vec(), both.take(&sources)));
    }
    if input.element_type().is_half() {
        let (wide, more) = (super::widened(input), super::widened(updates));
        return Ok(super::narrowed(&reduced(&wide, positions, &more, reduction)?, input.element_type()));
    }
    reduced(input, positions, updates, reduction)
}

fn reduced(input: &Tensor, positions: &[usize], updates: &Tensor, reduction: Reduction) -> Outcome<Tensor> {
    fn apply<T: Number>(old: &[T], positions: &[usize], updates: &Tensor, reduction: Reduction) -> Outcome<Vec<T>> {
        let new = updates.values::<T>().ok_or_else(|| Fault::invalid("updates of another type"))?;
        let mut values = old.to_vec();
        for (&position, &new) in positions.iter().zip(new) {
            values[position] = reduction.apply(values[position], new);
        }
        Ok(values)
    }
    by_number!(input.data(), values => {
        Ok(Tensor::new(input.shape().to_vec(), apply(values, positions, updates, reduction)?))
    })
}

fn scatter_elements(call: &Call) -> Outcome<Vec<Value>> {
    let (input, indices, updates) = (call.tensor(0)?, call.tensor(1)?, call.tensor(2)?);
    let axis = shape::axis(call.int("axis", 0)?, input.rank())?;
    let fits = |other: usize| other == axis || indices.shape()[other] <= input.shape()[other];
    if indices.rank() != input.rank() || indices.shape() != updates.shape() || !(0..input.rank()).all(fits) {
        return Err(misfit(input, indices, updates));
    }
    let stride = strides(input.shape())[axis];
    let bases = element_offsets(input.shape(), indices.shape(), axis);
    let positions = bases.iter().zip(call.integers(1)?).map(|(base, at)| {
        let at = shape::index(at, input.shape()[axis])?;
        Ok(base + at * stride)
    });
    one(write(call, input, &positions.collect::<Outcome<Vec<usize>>>()?, updates)?)
}

fn misfit(input: &Tensor, indices: &Tensor, updates: &Tensor) -> Fault {
    let shapes = (input.shape(), indices.shape(), updates.shape());
    Fault::invalid(format!("updates of shape {:?} to {:?} at indices of shape {:?}", shapes.2, shapes.0, shapes.1))
}

fn scatter_nd(call: &Call) -> Outcome<Vec<Value>> {
    let (input, indices, updates) = (call.tensor(0)?, call.tensor(1)?, call.tensor(2)?);
    let (&length, places) = indices.shape().split_last().ok_or_else(|| misfit(input, indices, updates))?;
    let inner = input.shape().get(length..).ok_or_else(|| misfit(input, indices, updates))?;
    let expected: Vec<usize> = places.iter().chain(inner).copied().collect();
    if updates.shape() != expected {
        return Err(misfit(input, indices, updates));
    }
    let inner = shape::volume(inner)?;
    let starts = match length {
        0 => vec![0; shape::volume(places)?],
        _ => tuple_offsets(input.shape(), &call.integers(1)?, length)?,
    };
    call.meter.room(updates.len(), size_of::<usize>())?;
    let positions: Vec<usize> = starts.iter().flat_map(|&start| start..start + inner).collect();
    one(write(call, input, &positions, updates)?)
}

/// Writes new steps of a sequence into a cache, for each part of the batch from its own place on.
fn tensor_scatter(call: &Call) -> Outcome<Vec<Value>> {
    let (input, updates) = (call.tensor(0)?, call.tensor(1)?);
    let axis = shape::axis(call.int("axis", -2)?, input.rank())?;
    let circular = match call.text("mode", "linear")? {
        "linear" => false,
        "circular" => true,
        other => return Err(Fault::unsupported(format!("mode `{other}`"))),
    };
    let fits = |other: usize| other == axis || updates.shape()[other] == input.shape()[other];
    if axis == 0 || updates.rank() != input.rank() || !(0..input.rank()).all(fits) {
        return Err(misfit(input, updates, updates));
    }
    let batch = input.shape()[0];
    let starts = call.maybe_integers(2)?.unwrap_or_else(|| vec![0; batch]);
    if starts.len() != batch {
        return Err(Fault::invalid(format!("{} places to write from for a batch of {batch}", starts.len())));
    }
    let (outer, extent, inner) = around(input.shape(), axis);
    let steps = updates.shape()[axis];
    let mut positions = Vec::with_capacity(updates.len());
    for row in 0..outer {
        let start = shape::extent(starts[row * batch / outer])?;
        for step in 0..steps {
            let at = if circular { (start + step) % extent.max(1) } else { start + step };
            if at >= extent {
                return Err(Fault::invalid(format!("step {at} of an axis with {extent} places")));
            }
            positions.extend((0..inner).map(|along| (row * extent + at) * inner + along));
        }
    }
    one(write(call, input, &positions, updates)?)
}
