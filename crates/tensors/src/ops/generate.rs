//! Values out of nothing but their shape: constants, ranges, windows.

use super::cast::{self, Saturation};
use super::{Operator, exact, one, single};
use crate::call::{Call, no_such_type};
use crate::element::ElementType;
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_number};
use crate::shape;
use crate::tensor::{Data, Tensor};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "BlackmanWindow" => exact(blackman_window),
        "Constant" => exact(constant),
        "ConstantOfShape" => exact(constant_of_shape),
        "EyeLike" => exact(eye_like),
        "HammingWindow" => exact(hamming_window),
        "HannWindow" => exact(hann_window),
        "Range" => single(range),
        _ => return None,
    })
}

fn constant(call: &Call) -> Outcome<Vec<Value>> {
    if let Some(tensor) = call.maybe_tensor_attribute("value")? {
        return one(tensor.clone());
    }
    if let Some(value) = call.maybe_float("value_float")? {
        return one(Tensor::scalar(value));
    }
    if let Some(value) = call.maybe_int("value_int")? {
        return one(Tensor::scalar(value));
    }
    if let Some(value) = call.maybe_text("value_string")? {
        return one(Tensor::scalar(value.to_string()));
    }
    if let Some(values) = call.maybe_floats("value_floats")? {
        return one(Tensor::vector(values.to_vec()));
    }
    if let Some(values) = call.maybe_ints("value_ints")? {
        return one(Tensor::vector(values.to_vec()));
    }
    let texts = call.maybe_texts("value_strings")?;
    one(Tensor::vector(call.required("value", texts)?.to_vec()))
}

fn constant_of_shape(call: &Call) -> Outcome<Vec<Value>> {
    let extents = shape::extents(&call.integers(0)?)?;
    let value = match call.maybe_tensor_attribute("value")? {
        Some(tensor) if tensor.len() == 1 => tensor.data().clone(),
        Some(_) => return Err(Fault::invalid("attribute `value` must have one element")),
        None => Data::F32(vec![0.0]),
    };
    let count = call.room_for(&extents, value.element_type())?;
    one(Tensor::of(extents, value.take(&vec![0; count])))
}

fn range(call: &Call) -> Outcome<Vec<Value>> {
    fn numbers<T: Number>(call: &Call, start: &[T]) -> Outcome<Tensor> {
        let (limit, delta) = (call.elements::<T>(1)?, call.elements::<T>(2)?);
        let (&[start], &[limit], &[delta]) = (start, limit, delta) else {
            return Err(Fault::invalid("its bounds must be one number each"));
        };
        if delta == T::ZERO || delta.is_nan() || start.is_nan() || limit.is_nan() {
            return Err(Fault::invalid("a step of 0, or a bound that is not a number"));
        }
        let count = match T::IS_FLOAT {
            true => ((limit.to_f64() - start.to_f64()) / delta.to_f64()).ceil().max(0.0),
            false => {
                let distance = i128::from(limit.to_i64()) - i128::from(start.to_i64());
                let step = i128::from(delta.to_i64());
                if (distance > 0) == (step > 0) {
                    distance.unsigned_abs().div_ceil(step.unsigned_abs()) as f64
                } else {
                    0.0
                }
            }
        };
        let count = if count < 9e15 { count as usize } else { usize::MAX };
        let mut values = call.filled(count, T::ZERO)?;
        let mut next = start;
        for value in &mut values {
            *value = next;
            next = next.plus(delta);
        }
        Ok(Tensor::vector(values))
    }
    let start = call.tensor(0)?;
    one(by_number!(start.data(), values => numbers(call, values))?)
}

fn eye_like(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let element = call.element_attribute("dtype")?.unwrap_or_else(|| input.element_type());
    let shift = call.int("k", 0)?;
    let [rows, columns] = *input.shape() else {
        return Err(Fault::invalid(format!("a value of shape {:?} is no matrix", input.shape())));
    };
    let mut ones = call.filled(input.len(), 0_i64)?;
    for row in 0..rows {
        let column = (row as i64).saturating_add(shift);
        if let Ok(column) = usize::try_from(column)
            && column < columns
        {
            ones[row * columns + column] = 1;
        }
    }
    let ones = Tensor::new(vec![rows, columns], ones);
    one(cast::converted(call, &ones, element, Saturation::Cut)?)
}

fn hann_window(call: &Call) -> Outcome<Vec<Value>> {
    window(call, |turn| 0.5 - 0.5 * turn.cos())
}

fn hamming_window(call: &Call) -> Outcome<Vec<Value>> {
    // 25/46 and 21/46 are the exact values of the coefficients.
    window(call, |turn| 25.0 / 46.0 - 21.0 / 46.0 * turn.cos())
}

fn blackman_window(call: &Call) -> Outcome<Vec<Value>> {
    window(call, |turn| 0.42 - 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos())
}

fn window(call: &Call, weight: fn(f64) -> f64) -> Outcome<Vec<Value>> {
    let size = shape::extent(call.integer(0)?)?;
    let element = call.element_attribute("output_datatype")?.unwrap_or(ElementType::F32);
    let span = if call.flag("periodic", true)? { size } else { size.saturating_sub(1).max(1) };
    if !element.is_float() {
        return Err(no_such_type(element));
    }
    let mut values = call.filled(size, 0.0_f64)?;
    for (at, value) in values.iter_mut().enumerate() {
        *value = weight(2.0 * std::f64::consts::PI * at as f64 / span as f64);
    }
    one(cast::converted(call, &Tensor::vector(values), element, Saturation::Cut)?)
}
