//! Elements by their positions: Gather, GatherElements, GatherND, Compress, Where, OneHot.

use super::{Operator, exact, one, single};
use crate::call::{Call, no_such_type};
use crate::element::ElementType;
use crate::error::{Fault, Outcome};
use crate::shape::{self, Spread, around, strides};
use crate::tensor::{Data, Tensor};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "Compress" => exact(compress),
        "Gather" => exact(gather),
        "GatherElements" => exact(gather_elements),
        "GatherND" => exact(gather_nd),
        "OneHot" => exact(one_hot),
        "Where" => exact(select),
        "Clip" => single(super::binary::clip),
        _ => return None,
    })
}

fn gather(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let indices = call.tensor(1)?;
    let axis = shape::axis(call.int("axis", 0)?, input.rank())?;
    let (outer, extent, inner) = around(input.shape(), axis);
    let mut extents = input.shape()[..axis].to_vec();
    extents.extend(indices.shape());
    extents.extend(&input.shape()[axis + 1..]);
    call.room_for(&extents, input.element_type())?;
    let picked = positions(&call.integers(1)?, extent)?;
    let starts: Vec<usize> =
        (0..outer).flat_map(|row| picked.iter().map(move |&at| (row * extent + at) * inner)).collect();
    one(Tensor::of(extents, input.data().take_runs(&starts, inner)))
}

fn positions(indices: &[i64], extent: usize) -> Outcome<Vec<usize>> {
    indices.iter().map(|&index| shape::index(index, extent)).collect()
}

/// For every place of `indices`, the offset in `shape` of the same place but along `axis`.
pub(super) fn element_offsets(own: &[usize], indices: &[usize], axis: usize) -> Vec<usize> {
    let mut moves = strides(own);
    moves[axis] = 0;
    shape::offsets(indices, &moves)
}

fn gather_elements(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let indices = call.tensor(1)?;
    let rank = input.rank();
    let axis = shape::axis(call.int("axis", 0)?, rank)?;
    let fits = |other: usize| other == axis || indices.shape()[other] <= input.shape()[other];
    if indices.rank() != rank || !(0..rank).all(fits) {
        let (own, other) = (input.shape(), indices.shape());
        return Err(Fault::invalid(format!("indices of shape {other:?} for a value of shape {own:?}")));
    }
    call.room_for(indices.shape(), input.element_type())?;
    let picked = positions(&call.integers(1)?, input.shape()[axis])?;
    let stride = strides(input.shape())[axis];
    let bases = element_offsets(input.shape(), indices.shape(), axis);
    let offsets: Vec<usize> = bases.iter().zip(picked).map(|(base, at)| base + at * stride).collect();
    one(call.taken(input, &offsets, indices.shape().to_vec())?)
}

/// The offsets that tuples of indices name, the tuples along the last axis of `indices`.
pub(super) fn tuple_offsets(own: &[usize], indices: &[i64], length: usize) -> Outcome<Vec<usize>> {
    let moves = strides(own);
    indices
        .chunks_exact(length.max(1))
        .map(|tuple| {
            let places = tuple.iter().zip(own).zip(&moves);
            places.map(|((&at, &extent), stride)| Ok(shape::index(at, extent)? * stride)).sum()
        })
        .collect()
}

fn gather_nd(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let indices = call.tensor(1)?;
    let batch_dims = shape::extent(call.int("batch_dims", 0)?)?;
    let misfit = || {
        let (own, other) = (input.shape(), indices.shape());
        Fault::invalid(format!("indices of shape {other:?} for a value of shape {own:?} with {batch_dims} batch dims"))
    };
    let (&length, places) = indices.shape().split_last().ok_or_else(misfit)?;
    let fits = batch_dims <= places.len()
        && batch_dims + length <= input.rank()
        && places[..batch_dims] == input.shape()[..batch_dims];
    if !fits {
        return Err(misfit());
    }
    let own = &input.shape()[batch_dims..];
    let inner = shape::volume(&own[length..])?;
    let batch = shape::volume(own)?;
    let batches = shape::volume(&places[..batch_dims])?;
    let mut extents = places.to_vec();
    extents.extend(&own[length..]);
    call.room_for(&extents, input.element_type())?;
    let mut starts = match length {
        0 => vec![0; shape::volume(places)?],
        _ => tuple_offsets(own, &call.integers(1)?, length)?,
    };
    let per_batch = starts.len().checked_div(batches).unwrap_or(0);
    for (at, start) in starts.iter_mut().enumerate() {
        *start += at / per_batch.max(1) * batch;
    }
    one(Tensor::of(extents, input.data().take_runs(&starts, inner)))
}

fn compress(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let chosen: Vec<usize> =
        call.elements::<bool>(1)?.iter().enumerate().filter(|(_, chosen)| **chosen).map(|(at, _)| at).collect();
    let flat = input.with_shape(vec![input.len()]);
    let (input, axis) = match call.maybe_int("axis")? {
        Some(axis) => (input, shape::axis(axis, input.rank())?),
        None => (&flat, 0),
    };
    let (outer, extent, inner) = around(input.shape(), axis);
    if chosen.last().is_some_and(|&last| last >= extent) {
        return Err(Fault::invalid(format!("a condition longer than its axis of {extent} places")));
    }
    let mut extents = input.shape().to_vec();
    extents[axis] = chosen.len();
    call.room_for(&extents, input.element_type())?;
    let starts: Vec<usize> =
        (0..outer).flat_map(|row| chosen.iter().map(move |&at| (row * extent + at) * inner)).collect();
    one(Tensor::of(extents, input.data().take_runs(&starts, inner)))
}

fn select(call: &Call) -> Outcome<Vec<Value>> {
    let (condition, then, other) = (call.tensor(0)?, call.tensor(1)?, call.tensor(2)?);
    let extents = shape::broadcast_all([condition.shape(), then.shape(), other.shape()])?;
    let count = call.room_for(&extents, then.element_type())?;
    let chosen = call.elements::<bool>(0)?;
    let both = Data::join(&[then.data(), other.data()]).ok_or_else(|| {
        let (then, other) = (then.element_type().name(), other.element_type().name());
        Fault::invalid(format!("a choice between {then} and {other}"))
    })?;
    let spread = |tensor: &Tensor| Spread::new(tensor.shape(), &extents);
    let (of_condition, of_then, of_other) = (spread(condition), spread(then), spread(other));
    let positions: Vec<usize> = (0..count)
        .map(|at| if chosen[of_condition.at(at)] { of_then.at(at) } else { then.len() + of_other.at(at) })
        .collect();
    one(Tensor::of(extents, both.take(&positions)))
}

fn one_hot(call: &Call) -> Outcome<Vec<Value>> {
    let indices = call.tensor(0)?;
    let values = call.tensor(2)?;
    let depth = call.number(1)?;
    if !(0.0..9e15).contains(&depth) || values.len() != 2 {
        return Err(Fault::invalid(format!("a depth of {depth} with {} values", values.len())));
    }
    let depth = depth as usize;
    let rank = indices.rank() + 1;
    let axis = shape::axis(call.int("axis", -1)?, rank)?;
    let mut extents = indices.shape().to_vec();
    extents.insert(axis, depth);
    let count = call.room_for(&extents, values.element_type())?;
    let classes: Vec<i64> = match indices.data() {
        Data::F32(values) => values.iter().map(|&value| value as i64).collect(),
        Data::F64(values) => values.iter().map(|&value| value as i64).collect(),
        Data::U64(values) => values.iter().map(|&value| value as i64).collect(),
        _ if indices.element_type() == ElementType::Text => return Err(no_such_type(ElementType::Text)),
        _ => call.integers(0)?,
    };
    let (_, _, inner) = around(&extents, axis);
    let mut hot = vec![false; count];
    for (at, &class) in classes.iter().enumerate() {
        let class = if class < 0 { class + depth as i64 } else { class };
        // What is out of range has no hot place.
        if let Ok(class) = usize::try_from(class)
            && class < depth
        {
            hot[(at / inner * depth + class) * inner + at % inner] = true;
        }
    }
    let positions: Vec<usize> = hot.into_iter().map(usize::from).collect();
    one(call.taken(values, &positions, extents)?)
}
