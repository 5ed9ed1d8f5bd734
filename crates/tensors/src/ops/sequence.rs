//! Sequences and optional values.

use std::sync::Arc;

use super::movement::{joined, span};
use super::{Operator, exact, one, stack};
use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::shape;
use crate::tensor::Tensor;
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "ConcatFromSequence" => exact(concat_from_sequence),
        "Optional" => exact(optional),
        "OptionalGetElement" => exact(optional_get_element),
        "OptionalHasElement" => exact(optional_has_element),
        "SequenceAt" => exact(sequence_at),
        "SequenceConstruct" => exact(sequence_construct),
        "SequenceEmpty" => exact(sequence_empty),
        "SequenceErase" => exact(sequence_erase),
        "SequenceInsert" => exact(sequence_insert),
        "SequenceLength" => exact(sequence_length),
        "SplitToSequence" => exact(split_to_sequence),
        _ => return None,
    })
}

fn items<'a>(call: &Call<'a>) -> Outcome<&'a Arc<Vec<Value>>> {
    let mut value = call.some_value(0)?;
    while let Value::Optional(Some(inner)) = value {
        value = inner;
    }
    match value {
        Value::Sequence(items) => Ok(items),
        other => Err(Fault::invalid(format!("input 0 must be a sequence, got {}", other.kind()))),
    }
}

fn sequence_at(call: &Call) -> Outcome<Vec<Value>> {
    let items = items(call)?;
    let at = shape::index(call.integer(1)?, items.len())?;
    Ok(vec![items[at].clone()])
}

fn sequence_construct(call: &Call) -> Outcome<Vec<Value>> {
    let items = (0..call.inputs.len()).map(|index| call.some_value(index).cloned());
    Ok(vec![Value::sequence(items.collect::<Outcome<_>>()?)])
}

fn sequence_empty(_: &Call) -> Outcome<Vec<Value>> {
    Ok(vec![Value::sequence(Vec::new())])
}

fn sequence_erase(call: &Call) -> Outcome<Vec<Value>> {
    let mut items = items(call)?.to_vec();
    let at = match call.value(1) {
        Some(_) => call.integer(1)?,
        None => -1,
    };
    items.remove(shape::index(at, items.len())?);
    Ok(vec![Value::sequence(items)])
}

fn sequence_insert(call: &Call) -> Outcome<Vec<Value>> {
    let mut items = items(call)?.to_vec();
    // One may also insert behind the last.
    let at = match call.value(2) {
        Some(_) => match call.integer(2)? {
            at if at == items.len() as i64 => items.len(),
            at => shape::index(at, items.len())?,
        },
        None => items.len(),
    };
    items.insert(at, call.some_value(1)?.clone());
    Ok(vec![Value::sequence(items)])
}

fn sequence_length(call: &Call) -> Outcome<Vec<Value>> {
    one(Tensor::scalar(items(call)?.len() as i64))
}

fn concat_from_sequence(call: &Call) -> Outcome<Vec<Value>> {
    let items = items(call)?;
    let tensors: Vec<&Tensor> =
        items.iter().map(|item| item.expect_tensor("an item of the sequence")).collect::<Outcome<_>>()?;
    let first = tensors.first().ok_or_else(|| Fault::invalid("there is nothing to join"))?;
    let axis = call.required("axis", call.maybe_int("axis")?)?;
    match call.flag("new_axis", false)? {
        true => one(stack(call, &tensors, shape::axis(axis, first.rank() + 1)?)?),
        false => one(joined(call, &tensors, shape::axis(axis, first.rank())?)?),
    }
}

fn split_to_sequence(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let axis = shape::axis(call.int("axis", 0)?, input.rank())?;
    let extent = input.shape()[axis];
    let (lengths, keep) = match call.maybe_tensor(1)? {
        None => (vec![1; extent], call.flag("keepdims", true)?),
        Some(split) if split.rank() == 0 => {
            let length = shape::extent(call.integer(1)?)?;
            if length == 0 {
                return Err(Fault::invalid("parts of no length"));
            }
            let whole = vec![length; extent / length];
            let rest = (extent % length > 0).then_some(extent % length);
            (whole.into_iter().chain(rest).collect(), true)
        }
        Some(_) => (shape::extents(&call.integers(1)?)?, true),
    };
    if lengths.iter().try_fold(0_usize, |sum, &length| sum.checked_add(length)) != Some(extent) {
        return Err(Fault::invalid(format!("parts of {lengths:?} for an axis with {extent} places")));
    }
    let mut parts = Vec::with_capacity(lengths.len());
    let mut start = 0;
    for length in lengths {
        let part = span(call, input, axis, start, length)?;
        start += length;
        parts.push(Value::from(match keep {
            true => part,
            false => {
                let mut extents = part.shape().to_vec();
                extents.remove(axis);
                part.with_shape(extents)
            }
        }));
    }
    Ok(vec![Value::sequence(parts)])
}

fn optional(call: &Call) -> Outcome<Vec<Value>> {
    Ok(vec![Value::Optional(call.value(0).cloned().map(Arc::new))])
}

fn optional_has_element(call: &Call) -> Outcome<Vec<Value>> {
    let has = !matches!(call.value(0), None | Some(Value::Optional(None)));
    one(Tensor::scalar(has))
}

fn optional_get_element(call: &Call) -> Outcome<Vec<Value>> {
    match call.some_value(0)? {
        Value::Optional(Some(value)) => Ok(vec![value.as_ref().clone()]),
        Value::Optional(None) => Err(Fault::invalid("its optional is empty")),
        other => Ok(vec![other.clone()]),
    }
}
