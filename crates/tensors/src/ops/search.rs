//! Positions by value: ArgMax, ArgMin, TopK, Unique, NonZero, NonMaxSuppression.

use std::cmp::Ordering;

use super::{Operator, exact, one, single};
use crate::call::{Call, no_such_type};
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_number};
use crate::shape::{self, around, strides};
use crate::tensor::{Data, Tensor, with_data};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "ArgMax" => single(arg_max),
        "ArgMin" => single(arg_min),
        "NonMaxSuppression" => single(non_max_suppression),
        "NonZero" => exact(non_zero),
        "TopK" => single(top_k),
        "Unique" => exact(unique),
        _ => return None,
    })
}

fn arg_max(call: &Call) -> Outcome<Vec<Value>> {
    arg_extreme(call, Ordering::Greater)
}

fn arg_min(call: &Call) -> Outcome<Vec<Value>> {
    arg_extreme(call, Ordering::Less)
}

fn arg_extreme(call: &Call, wanted: Ordering) -> Outcome<Vec<Value>> {
    fn positions<T: Number>(
        values: &[T],
        (outer, extent, inner): (usize, usize, usize),
        better: &dyn Fn(T, T) -> bool,
    ) -> Vec<i64> {
        let mut found = Vec::with_capacity(outer * inner);
        for row in 0..outer {
            for column in 0..inner {
                let value = |at: usize| values[(row * extent + at) * inner + column];
                let best = (1..extent).fold(0, |best, at| if better(value(at), value(best)) { at } else { best });
                found.push(best as i64);
            }
        }
        found
    }
    fn rule<T: Number>(_: &[T], wanted: Ordering, last: bool) -> impl Fn(T, T) -> bool {
        move |new: T, best: T| match new.partial_cmp(&best) {
            Some(Ordering::Equal) => last,
            Some(order) => order == wanted,
            None => false,
        }
    }
    let input = call.tensor(0)?;
    let axis = shape::axis(call.int("axis", 0)?, input.rank())?;
    let last = call.flag("select_last_index", false)?;
    let parts = around(input.shape(), axis);
    let mut extents = input.shape().to_vec();
    match call.flag("keepdims", true)? {
        true => extents[axis] = 1,
        false => drop(extents.remove(axis)),
    }
    if parts.1 == 0 && parts.0 * parts.2 > 0 {
        return Err(Fault::invalid("the extreme of nothing"));
    }
    let found = by_number!(input.data(), values => Ok(positions(values, parts, &rule(values, wanted, last))));
    one(Tensor::new(extents, found?))
}

fn top_k(call: &Call) -> Outcome<Vec<Value>> {
    fn ranked<T: Number>(
        values: &[T],
        (outer, extent, inner): (usize, usize, usize),
        take: usize,
        largest: bool,
    ) -> Vec<usize> {
        let mut chosen = vec![0; outer * take * inner];
        let mut order: Vec<usize> = Vec::with_capacity(extent);
        for row in 0..outer {
            for column in 0..inner {
                let value = |at: usize| values[(row * extent + at) * inner + column];
                order.clear();
                order.extend(0..extent);
                // What is not a number is the largest; equal values stand in the order of their positions.
                let compare = |&a: &usize, &b: &usize| total(&value(a), &value(b));
                order.sort_by(|a, b| if largest { compare(b, a) } else { compare(a, b) });
                for (rank, &at) in order.iter().take(take).enumerate() {
                    chosen[(row * take + rank) * inner + column] = at;
                }
            }
        }
        chosen
    }
    let input = call.tensor(0)?;
    let axis = shape::axis(call.int("axis", -1)?, input.rank())?;
    let take = match call.opset() {
        ..10 => call.required("k", call.maybe_int("k")?)?,
        _ => call.integer(1)?,
    };
    let take = shape::extent(take)?;
    let (outer, extent, inner) = around(input.shape(), axis);
    if take > extent {
        return Err(Fault::invalid(format!("the first {take} of {extent}")));
    }
    let largest = call.flag("largest", true)?;
    let mut extents = input.shape().to_vec();
    extents[axis] = take;
    call.room_for(&extents, input.element_type())?;
    let chosen = by_number!(input.data(), values => Ok(ranked(values, (outer, extent, inner), take, largest)))?;
    let at = |(place, &chosen): (usize, &usize)| (place / (take * inner) * extent + chosen) * inner + place % inner;
    let positions: Vec<usize> = chosen.iter().enumerate().map(at).collect();
    let values = call.taken(input, &positions, extents.clone())?;
    let indices = Tensor::new(extents, chosen.into_iter().map(|at| at as i64).collect());
    Ok(vec![values.into(), indices.into()])
}

/// An order of all values, in which what is not a number is the largest.
fn total<T: PartialOrd>(a: &T, b: &T) -> Ordering {
    let is_nan = |value: &T| value.partial_cmp(value).is_none();
    a.partial_cmp(b).unwrap_or_else(|| is_nan(a).cmp(&is_nan(b)))
}

fn non_zero(call: &Call) -> Outcome<Vec<Value>> {
    fn found<T: PartialEq + Default>(values: &[T]) -> Vec<usize> {
        let zero = T::default();
        values.iter().enumerate().filter(|(_, value)| **value != zero).map(|(at, _)| at).collect()
    }
    let input = call.tensor(0)?;
    let found = match input.data() {
        Data::Narrow(..) | Data::Text(_) => return Err(no_such_type(input.element_type())),
        data => with_data!(data, values => found(values)),
    };
    // A scalar is looked at as a vector.
    let extents = if input.rank() == 0 { vec![1] } else { input.shape().to_vec() };
    let own = strides(&extents);
    let rank = extents.len();
    call.meter.room(found.len().saturating_mul(rank), size_of::<i64>())?;
    let place = |axis: usize| found.iter().map(move |&at| (at, axis));
    let positions: Vec<i64> =
        (0..rank).flat_map(place).map(|(at, axis)| (at / own[axis] % extents[axis]) as i64).collect();
    one(Tensor::new(vec![rank, found.len()], positions))
}

fn unique(call: &Call) -> Outcome<Vec<Value>> {
    /// Parts in their order of value, equal ones in their order of place.
    fn sorted<T: PartialOrd>(values: &[T], parts: &[Vec<usize>]) -> (Vec<usize>, Vec<bool>) {
        let compare = |a: usize, b: usize| {
            let pairs = parts[a].iter().zip(&parts[b]);
            pairs.map(|(&a, &b)| total(&values[a], &values[b])).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        };
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by(|&a, &b| compare(a, b));
        let new = (0..order.len()).map(|at| at == 0 || compare(order[at - 1], order[at]).is_ne()).collect();
        (order, new)
    }
    let input = call.tensor(0)?;
    let flat = input.with_shape(vec![input.len()]);
    let (input, axis) = match call.maybe_int("axis")? {
        Some(axis) => (input, shape::axis(axis, input.rank())?),
        None => (&flat, 0),
    };
    let (outer, extent, inner) = around(input.shape(), axis);
    call.meter.room(input.len().saturating_mul(2), size_of::<usize>())?;
    let part = |at: usize| -> Vec<usize> {
        (0..outer).flat_map(|row| (0..inner).map(move |along| (row * extent + at) * inner + along)).collect()
    };
    let parts: Vec<Vec<usize>> = (0..extent).map(part).collect();
    let (order, new) = with_data!(input.data(), values => sorted(values, &parts));
    // Groups of equal parts, each by its first place.
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (&at, new) in order.iter().zip(new) {
        match groups.last_mut() {
            Some(group) if !new => group.push(at),
            _ => groups.push(vec![at]),
        }
    }
    if !call.flag("sorted", true)? {
        groups.sort_by_key(|group| group[0]);
    }
    let mut inverse = vec![0_i64; extent];
    for (at, group) in groups.iter().enumerate() {
        group.iter().for_each(|&member| inverse[member] = at as i64);
    }
    let mut extents = input.shape().to_vec();
    extents[axis] = groups.len();
    let starts: Vec<usize> =
        (0..outer).flat_map(|row| groups.iter().map(move |group| (row * extent + group[0]) * inner)).collect();
    let firsts: Vec<i64> = groups.iter().map(|group| group[0] as i64).collect();
    let counts: Vec<i64> = groups.iter().map(|group| group.len() as i64).collect();
    Ok(vec![
        Tensor::of(extents, input.data().take_runs(&starts, inner)).into(),
        Tensor::vector(firsts).into(),
        Tensor::vector(inverse).into(),
        Tensor::vector(counts).into(),
    ])
}

/// A box, its corners in order.
struct Rectangle {
    low: [f32; 2],
    high: [f32; 2],
}

impl Rectangle {
    fn new(numbers: &[f32], centred: bool) -> Self {
        let [a, b, c, d] = [numbers[0], numbers[1], numbers[2], numbers[3]];
        if centred {
            return Self { low: [a - c / 2.0, b - d / 2.0], high: [a + c / 2.0, b + d / 2.0] };
        }
        Self { low: [a.min(c), b.min(d)], high: [a.max(c), b.max(d)] }
    }

    fn area(&self) -> f32 {
        (self.high[0] - self.low[0]) * (self.high[1] - self.low[1])
    }

    /// Whether the common part is more than `threshold` of both together.
    fn overlaps(&self, other: &Self, threshold: f32) -> bool {
        let side = |axis: usize| self.high[axis].min(other.high[axis]) - self.low[axis].max(other.low[axis]);
        let (width, height) = (side(0), side(1));
        if width <= 0.0 || height <= 0.0 || self.area() <= 0.0 || other.area() <= 0.0 {
            return false;
        }
        let common = width * height;
        common / (self.area() + other.area() - common) > threshold
    }
}

fn non_max_suppression(call: &Call) -> Outcome<Vec<Value>> {
    let (boxes, scores) = (call.tensor(0)?, call.tensor(1)?);
    let (&[batch, count, 4], &[score_batch, classes, score_count]) = (boxes.shape(), scores.shape()) else {
        return Err(Fault::invalid(format!("boxes of shape {:?} with scores {:?}", boxes.shape(), scores.shape())));
    };
    if batch != score_batch || count != score_count {
        return Err(Fault::invalid(format!("boxes of shape {:?} with scores {:?}", boxes.shape(), scores.shape())));
    }
    let centred = call.flag("center_point_box", false)?;
    let taken_max = match call.value(2) {
        Some(_) => usize::try_from(call.integer(2)?).unwrap_or(0),
        None => 0,
    };
    let number = |index: usize| call.value(index).map(|_| call.number(index)).transpose();
    let overlap = number(3)?.unwrap_or(0.0) as f32;
    let least = number(4)?.map(|value| value as f32);
    let (corners, scores) = (call.elements::<f32>(0)?, call.elements::<f32>(1)?);
    let mut chosen: Vec<i64> = Vec::new();
    for picture in 0..batch {
        let rectangles: Vec<Rectangle> =
            (0..count).map(|at| Rectangle::new(&corners[(picture * count + at) * 4..][..4], centred)).collect();
        for class in 0..classes {
            let scores = &scores[(picture * classes + class) * count..][..count];
            let mut order: Vec<usize> = (0..count).filter(|&at| least.is_none_or(|least| scores[at] > least)).collect();
            order.sort_by(|&a, &b| total(&scores[b], &scores[a]));
            let mut kept: Vec<usize> = Vec::new();
            for at in order {
                if kept.len() >= taken_max {
                    break;
                }
                call.meter.work(kept.len() as u64)?;
                if kept.iter().all(|&other| !rectangles[at].overlaps(&rectangles[other], overlap)) {
                    kept.push(at);
                }
            }
            chosen.extend(kept.iter().flat_map(|&at| [picture as i64, class as i64, at as i64]));
        }
    }
    one(Tensor::new(vec![chosen.len() / 3, 3], chosen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_number_comes_last() {
        let mut numbers = [f32::NAN, 1.0, f32::NAN, f32::INFINITY, -0.0, f32::NEG_INFINITY, 0.0];
        numbers.sort_by(total);
        assert_eq!(numbers[..5], [f32::NEG_INFINITY, 0.0, 0.0, 1.0, f32::INFINITY]);
        assert!(numbers[5..].iter().all(|number| number.is_nan()));
        assert_eq!(total(&numbers[5], &numbers[6]), Ordering::Equal);
    }
}
