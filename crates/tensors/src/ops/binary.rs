//! Functions of two or more numbers at a time, spread over each other as NumPy does.

use super::{Operator, exact, one, single};
use crate::call::{Call, no_such_type, wrong_type};
use crate::element::Element;
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_number};
use crate::shape::{self, Spread};
use crate::tensor::{Data, Tensor, with_data};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "Add" => single(add),
        "Div" => single(div),
        "Equal" => exact(equal),
        "Greater" => single(greater),
        "GreaterOrEqual" => single(greater_or_equal),
        "Less" => single(less),
        "LessOrEqual" => single(less_or_equal),
        "Max" => single(max),
        "Mean" => single(mean),
        "Min" => single(min),
        "Mod" => single(modulo),
        "Mul" => single(mul),
        "PRelu" => single(prelu),
        "Pow" => single(pow),
        "Sub" => single(sub),
        "Sum" => single(sum),
        _ => return None,
    })
}

/// Two shapes spread over each other.
pub(super) struct Pairing {
    pub(super) shape: Vec<usize>,
    count: usize,
    left: Spread,
    right: Spread,
}

impl Pairing {
    /// The shapes of two inputs; `width` is the size of an element of the result.
    pub(super) fn new(call: &Call, left: &Tensor, right: &Tensor) -> Outcome<Self> {
        let shape = shape::broadcast(left.shape(), right.shape())?;
        let count = call.room_for(&shape, left.element_type())?;
        let (left, right) = (Spread::new(left.shape(), &shape), Spread::new(right.shape(), &shape));
        Ok(Self { shape, count, left, right })
    }

    /// One result per place.
    pub(super) fn zip<A, B, C>(&self, left: &[A], right: &[B], combine: impl Fn(&A, &B) -> C) -> Vec<C> {
        match (&self.left, &self.right) {
            (Spread::Repeat(a), Spread::Repeat(b)) if *a == self.count && *b == self.count => {
                left.iter().zip(right).map(|(left, right)| combine(left, right)).collect()
            }
            (Spread::Repeat(a), Spread::Repeat(1)) if *a == self.count => {
                left.iter().map(|left| combine(left, &right[0])).collect()
            }
            (Spread::Repeat(1), Spread::Repeat(b)) if *b == self.count => {
                right.iter().map(|right| combine(&left[0], right)).collect()
            }
            (Spread::Repeat(a), Spread::Repeat(b)) if *a == self.count && *b > 0 => left
                .chunks(*b)
                .flat_map(|row| row.iter().zip(right).map(|(left, right)| combine(left, right)))
                .collect(),
            (a, b) => (0..self.count).map(|at| combine(&left[a.at(at)], &right[b.at(at)])).collect(),
        }
    }
}

/// The two operands; the second one in the shape that the first versions' attributes ask for.
pub(super) fn operands<'a>(call: &Call<'a>) -> Outcome<(&'a Tensor, Tensor)> {
    let (left, right) = (call.tensor(0)?, call.tensor(1)?);
    let mut shape = right.shape().to_vec();
    if call.opset() < 7
        && call.flag("broadcast", false)?
        && let Some(axis) = call.maybe_int("axis")?
    {
        let axis = shape::axis(axis, left.rank())?;
        let missing = left.rank().checked_sub(axis + shape.len());
        let missing = missing.ok_or_else(|| Fault::invalid(format!("shape {shape:?} does not fit at axis {axis}")))?;
        shape.extend(vec![1; missing]);
    }
    Ok((left, right.with_shape(shape)))
}

/// The elements of the second operand, of the first one's type.
fn matching<T: Element>(right: &Tensor) -> Outcome<&[T]> {
    right.values::<T>().ok_or_else(|| wrong_type(1, T::TYPE, right.element_type()))
}

#[derive(Debug, Clone, Copy)]
enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
}

fn arithmetic(call: &Call, operation: Arithmetic) -> Outcome<Vec<Value>> {
    fn compute<T: Number>(pairing: &Pairing, left: &[T], right: &Tensor, operation: Arithmetic) -> Outcome<Tensor> {
        let right = matching::<T>(right)?;
        let values = match operation {
            Arithmetic::Add => pairing.zip(left, right, |a, b| a.plus(*b)),
            Arithmetic::Sub => pairing.zip(left, right, |a, b| a.minus(*b)),
            Arithmetic::Mul => pairing.zip(left, right, |a, b| a.times(*b)),
            Arithmetic::Div if !T::IS_FLOAT && right.contains(&T::ZERO) => return Err(by_zero()),
            Arithmetic::Div => pairing.zip(left, right, |a, b| a.over(*b).unwrap_or(T::ZERO)),
        };
        Ok(Tensor::new(pairing.shape.clone(), values))
    }
    let (left, right) = operands(call)?;
    let pairing = Pairing::new(call, left, &right)?;
    one(by_number!(left.data(), values => compute(&pairing, values, &right, operation))?)
}

fn by_zero() -> Fault {
    Fault::invalid("division of an integer by zero")
}

fn add(call: &Call) -> Outcome<Vec<Value>> {
    arithmetic(call, Arithmetic::Add)
}

fn sub(call: &Call) -> Outcome<Vec<Value>> {
    arithmetic(call, Arithmetic::Sub)
}

fn mul(call: &Call) -> Outcome<Vec<Value>> {
    arithmetic(call, Arithmetic::Mul)
}

fn div(call: &Call) -> Outcome<Vec<Value>> {
    arithmetic(call, Arithmetic::Div)
}

fn modulo(call: &Call) -> Outcome<Vec<Value>> {
    fn compute<T: Number>(pairing: &Pairing, left: &[T], right: &Tensor, truncated: bool) -> Outcome<Tensor> {
        let right = matching::<T>(right)?;
        if !T::IS_FLOAT && right.contains(&T::ZERO) {
            return Err(by_zero());
        }
        let values = pairing.zip(left, right, |&a, &b| {
            let rest = a.remainder(b).unwrap_or(T::ZERO);
            // Otherwise the remainder has the sign of the divisor.
            let wrong = !truncated && rest != T::ZERO && (rest < T::ZERO) != (b < T::ZERO);
            if wrong { rest.plus(b) } else { rest }
        });
        Ok(Tensor::new(pairing.shape.clone(), values))
    }
    let (left, right) = operands(call)?;
    let pairing = Pairing::new(call, left, &right)?;
    let truncated = call.flag("fmod", false)?;
    one(by_number!(left.data(), values => compute(&pairing, values, &right, truncated))?)
}

fn pow(call: &Call) -> Outcome<Vec<Value>> {
    fn compute<T: Number>(pairing: &Pairing, left: &[T], right: &Tensor) -> Outcome<Tensor> {
        let powers = |right: &[f64]| pairing.zip(left, right, |a, b| T::from_f64(a.to_f64().powf(*b)));
        let exponents: Vec<f64> =
            by_number!(right.data(), values => Ok(values.iter().map(|value| value.to_f64()).collect()))?;
        Ok(Tensor::new(pairing.shape.clone(), powers(&exponents)))
    }
    let (left, right) = operands(call)?;
    let pairing = Pairing::new(call, left, &right)?;
    one(by_number!(left.data(), values => compute(&pairing, values, &right))?)
}

fn prelu(call: &Call) -> Outcome<Vec<Value>> {
    fn compute<T: Number>(pairing: &Pairing, left: &[T], right: &Tensor) -> Outcome<Tensor> {
        let values = pairing.zip(left, matching::<T>(right)?, |a, b| if *a < T::ZERO { a.times(*b) } else { *a });
        Ok(Tensor::new(pairing.shape.clone(), values))
    }
    let (left, slope) = (call.tensor(0)?, call.tensor(1)?);
    // Before version 7 a slope of one dimension is that of the channels.
    let slope = match (call.opset(), slope.shape()) {
        (..7, &[channels]) if channels > 1 && left.rank() > 2 => {
            let mut shape = vec![1; left.rank() - 1];
            shape[0] = channels;
            slope.with_shape(shape)
        }
        _ => slope.clone(),
    };
    let pairing = Pairing::new(call, left, &slope)?;
    if pairing.shape != left.shape() {
        return Err(Fault::invalid(format!("a slope of shape {:?} for {:?}", slope.shape(), left.shape())));
    }
    one(by_number!(left.data(), values => compute(&pairing, values, &slope))?)
}

#[derive(Debug, Clone, Copy)]
enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

fn compare(call: &Call, comparison: Comparison) -> Outcome<Vec<Value>> {
    fn compute<T: Number>(pairing: &Pairing, left: &[T], right: &Tensor, comparison: Comparison) -> Outcome<Tensor> {
        let right = matching::<T>(right)?;
        let values = match comparison {
            Comparison::Greater => pairing.zip(left, right, |a, b| a > b),
            Comparison::GreaterOrEqual => pairing.zip(left, right, |a, b| a >= b),
            Comparison::Less => pairing.zip(left, right, |a, b| a < b),
            Comparison::LessOrEqual => pairing.zip(left, right, |a, b| a <= b),
        };
        Ok(Tensor::new(pairing.shape.clone(), values))
    }
    let (left, right) = operands(call)?;
    let pairing = Pairing::new(call, left, &right)?;
    one(by_number!(left.data(), values => compute(&pairing, values, &right, comparison))?)
}

fn greater(call: &Call) -> Outcome<Vec<Value>> {
    compare(call, Comparison::Greater)
}

fn greater_or_equal(call: &Call) -> Outcome<Vec<Value>> {
    compare(call, Comparison::GreaterOrEqual)
}

fn less(call: &Call) -> Outcome<Vec<Value>> {
    compare(call, Comparison::Less)
}

fn less_or_equal(call: &Call) -> Outcome<Vec<Value>> {
    compare(call, Comparison::LessOrEqual)
}

fn equal(call: &Call) -> Outcome<Vec<Value>> {
    fn compute<T: Element>(pairing: &Pairing, left: &[T], right: &Tensor) -> Outcome<Tensor> {
        Ok(Tensor::new(pairing.shape.clone(), pairing.zip(left, matching::<T>(right)?, |a, b| a == b)))
    }
    let (left, right) = operands(call)?;
    let pairing = Pairing::new(call, left, &right)?;
    if let Data::Narrow(..) = left.data() {
        return Err(no_such_type(left.element_type()));
    }
    one(with_data!(left.data(), values => compute(&pairing, values, &right))?)
}

#[derive(Debug, Clone, Copy)]
enum Gathering {
    Max,
    Min,
    Sum,
    Mean,
}

/// All inputs together, from the first to the last.
fn gather(call: &Call, gathering: Gathering) -> Outcome<Vec<Value>> {
    fn compute<T: Number>(call: &Call, first: &[T], gathering: Gathering) -> Outcome<Tensor> {
        let mut all = Tensor::new(call.tensor(0)?.shape().to_vec(), first.to_vec());
        for index in 1..call.inputs.len() {
            let next = call.tensor(index)?;
            let pairing = Pairing::new(call, &all, next)?;
            let (left, right) = (matching::<T>(&all)?, matching::<T>(next)?);
            let values = match gathering {
                Gathering::Max => pairing.zip(left, right, |a, b| a.greater(*b)),
                Gathering::Min => pairing.zip(left, right, |a, b| a.lesser(*b)),
                Gathering::Sum | Gathering::Mean => pairing.zip(left, right, |a, b| a.plus(*b)),
            };
            all = Tensor::new(pairing.shape, values);
        }
        if let Gathering::Mean = gathering {
            let count = T::from_f64(call.inputs.len() as f64);
            let values = matching::<T>(&all)?.iter().map(|value| value.over(count).unwrap_or(T::ZERO)).collect();
            all = Tensor::new(all.shape().to_vec(), values);
        }
        Ok(all)
    }
    one(by_number!(call.tensor(0)?.data(), values => compute(call, values, gathering))?)
}

fn max(call: &Call) -> Outcome<Vec<Value>> {
    gather(call, Gathering::Max)
}

fn min(call: &Call) -> Outcome<Vec<Value>> {
    gather(call, Gathering::Min)
}

fn sum(call: &Call) -> Outcome<Vec<Value>> {
    gather(call, Gathering::Sum)
}

fn mean(call: &Call) -> Outcome<Vec<Value>> {
    gather(call, Gathering::Mean)
}

/// What a `Clip` makes of smaller numbers, and of greater ones.
pub(crate) fn clip_bounds<T: Number>(call: &Call) -> Outcome<(T, T)> {
    let bound = |index: usize, name: &str, default: T| -> Outcome<T> {
        if call.opset() < 11 {
            return Ok(call.maybe_float(name)?.map_or(default, |bound| T::from_f64(f64::from(bound))));
        }
        let Some(bound) = call.maybe_tensor(index)? else { return Ok(default) };
        match matching::<T>(bound)? {
            [bound] => Ok(*bound),
            other => Err(Fault::invalid(format!("a bound of {} numbers", other.len()))),
        }
    };
    Ok((bound(1, "min", T::FINITE_MIN)?, bound(2, "max", T::FINITE_MAX)?))
}

/// Without a bound it is the type's own, which is finite.
pub(super) fn clip(call: &Call) -> Outcome<Vec<Value>> {
    fn compute<T: Number>(call: &Call, values: &[T]) -> Outcome<Tensor> {
        let (low, high) = clip_bounds::<T>(call)?;
        let clipped = |value: T| {
            let raised = if value < low { low } else { value };
            if raised > high { high } else { raised }
        };
        Ok(Tensor::new(call.tensor(0)?.shape().to_vec(), values.iter().map(|&value| clipped(value)).collect()))
    }
    let input = call.tensor(0)?;
    call.room_for(input.shape(), input.element_type())?;
    one(by_number!(input.data(), values => compute(call, values))?)
}
