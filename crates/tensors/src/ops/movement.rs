//! Elements at other places: Transpose, Concat, Split, Slice, Tile, Expand and their kin.

use super::{Operator, exact, one};
use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::shape::{self, around, strides};
use crate::tensor::{Data, Tensor};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "Concat" => exact(concat),
        "DepthToSpace" => exact(depth_to_space),
        "Expand" => exact(expand),
        "ReverseSequence" => exact(reverse_sequence),
        "Slice" => exact(slice),
        "SpaceToDepth" => exact(space_to_depth),
        "Split" => exact(split),
        "Tile" => exact(tile),
        "Transpose" => exact(transpose),
        "Trilu" => exact(trilu),
        _ => return None,
    })
}

/// The tensor with its axes in another order.
pub(crate) fn transposed(call: &Call, tensor: &Tensor, order: &[usize]) -> Outcome<Tensor> {
    let own = strides(tensor.shape());
    let extents: Vec<usize> = order.iter().map(|&axis| tensor.shape()[axis]).collect();
    let moved: Vec<usize> = order.iter().map(|&axis| own[axis]).collect();
    call.room_for(&extents, tensor.element_type())?;
    call.walked(tensor, extents, &moved)
}

/// The part of a tensor at one position of an axis, without that axis.
pub(crate) fn pick(call: &Call, tensor: &Tensor, axis: usize, at: usize) -> Outcome<Tensor> {
    let (outer, extent, inner) = around(tensor.shape(), axis);
    let mut extents = tensor.shape().to_vec();
    extents.remove(axis);
    call.room_for(&extents, tensor.element_type())?;
    let starts: Vec<usize> = (0..outer).map(|row| (row * extent + at) * inner).collect();
    Ok(Tensor::of(extents, tensor.data().take_runs(&starts, inner)))
}

/// Tensors of one shape side by side along a new axis.
pub(crate) fn stack(call: &Call, parts: &[&Tensor], axis: usize) -> Outcome<Tensor> {
    let widened: Vec<Tensor> = parts
        .iter()
        .map(|part| {
            let mut extents = part.shape().to_vec();
            extents.insert(axis, 1);
            part.with_shape(extents)
        })
        .collect();
    joined(call, &widened.iter().collect::<Vec<_>>(), axis)
}

/// Tensors end to end along an axis.
pub(crate) fn joined(call: &Call, parts: &[&Tensor], axis: usize) -> Outcome<Tensor> {
    let first = parts.first().ok_or_else(|| Fault::invalid("there is nothing to join"))?;
    let rank = first.rank();
    for part in parts {
        let fits = part.rank() == rank
            && (0..rank).all(|other| other == axis || part.shape()[other] == first.shape()[other])
            && part.element_type() == first.element_type();
        if !fits {
            let message = format!("cannot join {} along axis {axis}", kinds(parts));
            return Err(Fault::invalid(message));
        }
    }
    let mut extents = first.shape().to_vec();
    extents[axis] = parts.iter().fold(0, |sum: usize, part| sum.saturating_add(part.shape()[axis]));
    call.room_for(&extents, first.element_type())?;
    let all: Vec<&Data> = parts.iter().map(|part| part.data()).collect();
    let end_to_end = Data::join(&all).ok_or_else(|| Fault::invalid("values of different types"))?;
    let (outer, _, inner) = around(&extents, axis);
    if outer <= 1 {
        return Ok(Tensor::of(extents, end_to_end));
    }
    let mut positions = Vec::with_capacity(end_to_end.len());
    for row in 0..outer {
        let mut base = 0;
        for part in parts {
            let run = part.shape()[axis] * inner;
            positions.extend(base + row * run..base + (row + 1) * run);
            base += part.len();
        }
    }
    Ok(Tensor::of(extents, end_to_end.take(&positions)))
}

fn kinds(parts: &[&Tensor]) -> String {
    let kinds: Vec<String> =
        parts.iter().take(4).map(|part| format!("{} {:?}", part.element_type().name(), part.shape())).collect();
    kinds.join(" and ")
}

/// The part of a tensor from `start` on, `length` places along an axis.
pub(crate) fn span(call: &Call, tensor: &Tensor, axis: usize, start: usize, length: usize) -> Outcome<Tensor> {
    let (outer, extent, inner) = around(tensor.shape(), axis);
    let mut extents = tensor.shape().to_vec();
    extents[axis] = length;
    call.room_for(&extents, tensor.element_type())?;
    let starts: Vec<usize> = (0..outer).map(|row| (row * extent + start) * inner).collect();
    Ok(Tensor::of(extents, tensor.data().take_runs(&starts, length * inner)))
}

fn concat(call: &Call) -> Outcome<Vec<Value>> {
    let parts = call.tensors()?;
    let rank = parts.first().map_or(0, |part| part.rank());
    let axis = call.maybe_int("axis")?.or_else(|| (call.opset() < 4).then_some(1));
    one(joined(call, &parts, shape::axis(call.required("axis", axis)?, rank)?)?)
}

fn transpose(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let order = match call.maybe_ints("perm")? {
        Some(order) => shape::axes(order, input.rank())?,
        None => (0..input.rank()).rev().collect(),
    };
    if order.len() != input.rank() {
        return Err(Fault::invalid(format!("`perm` {order:?} for a value with {} dimensions", input.rank())));
    }
    one(transposed(call, input, &order)?)
}

fn split(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let axis = shape::axis(call.int("axis", 0)?, input.rank())?;
    let extent = input.shape()[axis];
    let given = match call.maybe_integers(1)? {
        Some(lengths) => Some(lengths),
        None => call.maybe_ints("split")?.map(<[i64]>::to_vec),
    };
    let lengths = match given {
        Some(lengths) => shape::extents(&lengths)?,
        None => {
            let named = call.node.outputs.len();
            match call.maybe_int("num_outputs")? {
                Some(parts) if parts != named as i64 => {
                    return Err(Fault::invalid(format!("`num_outputs` is {parts}, it has {named} outputs")));
                }
                _ => even_parts(extent, named),
            }
        }
    };
    if lengths.iter().try_fold(0_usize, |sum, &length| sum.checked_add(length)) != Some(extent) {
        return Err(Fault::invalid(format!("parts of {lengths:?} for an axis with {extent} places")));
    }
    let mut start = 0;
    let mut parts = Vec::with_capacity(lengths.len());
    for length in lengths {
        parts.push(span(call, input, axis, start, length)?.into());
        start += length;
    }
    Ok(parts)
}

/// Parts of equal length, the last one shorter if need be.
fn even_parts(extent: usize, parts: usize) -> Vec<usize> {
    let length = extent.div_ceil(parts.max(1));
    (0..parts).map(|part| length.min(extent.saturating_sub(part * length))).collect()
}

/// The positions that a slice takes along an axis.
fn sliced_positions(extent: usize, start: i64, end: i64, step: i64) -> Outcome<(i64, usize)> {
    let length = extent as i64;
    let from_end = |position: i64| if position < 0 { position.saturating_add(length) } else { position };
    let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let start = if step > 0 { from_end(start).clamp(0, length) } else { from_end(start).clamp(0, (length - 1).max(0)) };
    // The greatest integers mean no end, in either direction.
    let is_open = [i64::from(i32::MAX), i64::MAX].contains(&end);
    let end = if is_open && step < 0 { low } else { from_end(end).clamp(low, high.max(low)) };
    let distance = if step > 0 { end - start } else { start - end };
    if length == 0 || distance <= 0 {
        return Ok((0, 0));
    }
    let count = (distance as u64).div_ceil(step.unsigned_abs());
    Ok((start, count as usize))
}

fn slice(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let read = |index: usize, name: &str| -> Outcome<Option<Vec<i64>>> {
        match call.maybe_integers(index)? {
            Some(values) => Ok(Some(values)),
            None => Ok(call.maybe_ints(name)?.map(<[i64]>::to_vec)),
        }
    };
    let starts = read(1, "starts")?.ok_or_else(|| Fault::invalid("it has no starts"))?;
    let ends = read(2, "ends")?.ok_or_else(|| Fault::invalid("it has no ends"))?;
    let axes = read(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = read(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(Fault::invalid("its starts, ends, axes and steps differ in number"));
    }
    let axes = shape::axes(&axes, input.rank())?;
    let own = strides(input.shape());
    let mut extents = input.shape().to_vec();
    let mut moves: Vec<i64> = own.iter().map(|&stride| stride as i64).collect();
    let mut base = 0_i64;
    for (at, &axis) in axes.iter().enumerate() {
        if steps[at] == 0 {
            return Err(Fault::invalid("a step of 0"));
        }
        let (start, count) = sliced_positions(input.shape()[axis], starts[at], ends[at], steps[at])?;
        base += start * own[axis] as i64;
        extents[axis] = count;
        // With fewer than two places no step is made, however large it is.
        moves[axis] = if count < 2 { 0 } else { steps[at] * own[axis] as i64 };
    }
    call.room_for(&extents, input.element_type())?;
    let positions = signed_offsets(&extents, &moves, base);
    one(call.taken(input, &positions, extents)?)
}

/// As [`shape::offsets`], with strides of either sign.
fn signed_offsets(extents: &[usize], moves: &[i64], base: i64) -> Vec<usize> {
    let mut all = vec![base];
    if extents.contains(&0) {
        return Vec::new();
    }
    for (&extent, &step) in extents.iter().zip(moves) {
        all = all.iter().flat_map(|&from| (0..extent as i64).map(move |along| from + along * step)).collect();
    }
    all.into_iter().map(|position| position as usize).collect()
}

fn tile(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let rank = input.rank();
    let repeats = match call.opset() {
        ..6 => {
            let axis = shape::axis(call.integer(2)?, rank)?;
            let mut repeats = vec![1; rank];
            repeats[axis] = shape::extent(call.integer(1)?)?;
            repeats
        }
        _ => shape::extents(&call.integers(1)?)?,
    };
    if repeats.len() != rank {
        return Err(Fault::invalid(format!("{} repeats for a value with {rank} dimensions", repeats.len())));
    }
    let extents: Vec<usize> =
        input.shape().iter().zip(&repeats).map(|(&extent, &repeat)| extent.saturating_mul(repeat)).collect();
    call.room_for(&extents, input.element_type())?;
    // Axis by axis as [repeat, extent]: the repeats are axes that do not move.
    let own = strides(input.shape());
    let mut split_extents = Vec::with_capacity(2 * rank);
    let mut moves = Vec::with_capacity(2 * rank);
    for axis in 0..rank {
        split_extents.extend([repeats[axis], input.shape()[axis]]);
        moves.extend([0, own[axis]]);
    }
    one(call.walked(input, split_extents, &moves)?.with_shape(extents))
}

/// The tensor spread to a shape that broadcasting gave.
pub(crate) fn spread(call: &Call, tensor: &Tensor, extents: &[usize]) -> Outcome<Tensor> {
    if tensor.shape() == extents {
        return Ok(tensor.clone());
    }
    call.room_for(extents, tensor.element_type())?;
    call.walked(tensor, extents.to_vec(), &shape::spread_strides(tensor.shape(), extents))
}

fn expand(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let wanted = shape::extents(&call.integers(1)?)?;
    let extents = shape::broadcast(input.shape(), &wanted)?;
    one(spread(call, input, &extents)?)
}

fn blocks(call: &Call, input: &Tensor) -> Outcome<(usize, [usize; 4])> {
    let size = shape::extent(call.required("blocksize", call.maybe_int("blocksize")?)?)?;
    match *input.shape() {
        [batch, channels, height, width] if size > 0 => Ok((size, [batch, channels, height, width])),
        _ => Err(Fault::invalid(format!("blocks of {size} in a value of shape {:?}", input.shape()))),
    }
}

fn depth_to_space(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let (size, [batch, channels, height, width]) = blocks(call, input)?;
    let depth = channels / size.saturating_mul(size).max(1);
    if depth.saturating_mul(size).saturating_mul(size) != channels {
        return Err(Fault::invalid(format!("{channels} channels for blocks of {size}")));
    }
    let (parts, order): ([usize; 6], [usize; 6]) = match call.text("mode", "DCR")? {
        "DCR" => ([batch, size, size, depth, height, width], [0, 3, 4, 1, 5, 2]),
        "CRD" => ([batch, depth, size, size, height, width], [0, 1, 4, 2, 5, 3]),
        other => return Err(Fault::unsupported(format!("mode `{other}`"))),
    };
    let moved = transposed(call, &input.with_shape(parts.to_vec()), &order)?;
    one(moved.with_shape(vec![batch, depth, height * size, width * size]))
}

fn space_to_depth(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let (size, [batch, channels, height, width]) = blocks(call, input)?;
    if height % size != 0 || width % size != 0 {
        return Err(Fault::invalid(format!("blocks of {size} in a value of shape {:?}", input.shape())));
    }
    let parts = vec![batch, channels, height / size, size, width / size, size];
    let order = match call.text("mode", "DCR")? {
        "DCR" => [0, 3, 5, 1, 2, 4],
        "CRD" => [0, 1, 3, 5, 2, 4],
        other => return Err(Fault::unsupported(format!("mode `{other}`"))),
    };
    let moved = transposed(call, &input.with_shape(parts), &order)?;
    one(moved.with_shape(vec![batch, channels * size * size, height / size, width / size]))
}

fn reverse_sequence(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let lengths = call.integers(1)?;
    let (time, batch) = (call.int("time_axis", 0)?, call.int("batch_axis", 1)?);
    let (time, batch) = (shape::axis(time, input.rank())?, shape::axis(batch, input.rank())?);
    if time == batch || lengths.len() != input.shape()[batch] {
        return Err(Fault::invalid(format!("{} lengths for a value of shape {:?}", lengths.len(), input.shape())));
    }
    let lengths = shape::extents(&lengths)?;
    if lengths.iter().any(|&length| length > input.shape()[time]) {
        return Err(Fault::invalid("a length is larger than its axis"));
    }
    call.room_for(input.shape(), input.element_type())?;
    let own = strides(input.shape());
    let positions: Vec<usize> = (0..input.len())
        .map(|at| {
            let step = at / own[time] % input.shape()[time];
            let length = lengths[at / own[batch] % input.shape()[batch]];
            if step < length { at - step * own[time] + (length - 1 - step) * own[time] } else { at }
        })
        .collect();
    one(call.taken(input, &positions, input.shape().to_vec())?)
}

fn trilu(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let shift = call.maybe_integers(1)?.and_then(|shifts| shifts.first().copied()).unwrap_or(0);
    let upper = call.flag("upper", true)?;
    let [.., rows, columns] = *input.shape() else {
        return Err(Fault::invalid(format!("a value of shape {:?} is no matrix", input.shape())));
    };
    call.room_for(input.shape(), input.element_type())?;
    // One more element, a zero, stands for all that is cut off.
    let zero = Data::zeros(input.element_type(), 1);
    let padded = Data::join(&[input.data(), &zero]).ok_or_else(|| Fault::invalid("values of different types"))?;
    let positions: Vec<usize> = (0..input.len())
        .map(|at| {
            let (row, column) = ((at / columns % rows) as i64, (at % columns) as i64);
            let above = column.saturating_sub(row) >= shift;
            let on = column.saturating_sub(row) == shift;
            let kept = if upper { above } else { !above || on };
            if kept { at } else { input.len() }
        })
        .collect();
    one(Tensor::of(input.shape().to_vec(), padded.take(&positions)))
}
