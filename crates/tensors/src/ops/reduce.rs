//! Reductions over axes, running sums, and the softmax family.

use super::{Operator, exact, one, restored, rounding, single, widened};
use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_number, by_real};
use crate::shape::{self, around, offsets, strides};
use crate::tensor::{Data, Tensor};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "CumProd" => single(cum_prod),
        "CumSum" => single(cum_sum),
        "Hardmax" => exact(hardmax),
        "LogSoftmax" => exact(log_softmax),
        "ReduceL1" => single(|call| reduce(call, Reduction::L1)),
        "ReduceL2" => single(|call| reduce(call, Reduction::L2)),
        "ReduceLogSum" => single(|call| reduce(call, Reduction::LogSum)),
        "ReduceLogSumExp" => single(|call| reduce(call, Reduction::LogSumExp)),
        "ReduceMax" => single(|call| reduce(call, Reduction::Max)),
        "ReduceMean" => single(|call| reduce(call, Reduction::Mean)),
        "ReduceMin" => single(|call| reduce(call, Reduction::Min)),
        "ReduceProd" => single(|call| reduce(call, Reduction::Prod)),
        "ReduceSum" => single(|call| reduce(call, Reduction::Sum)),
        "ReduceSumSquare" => single(|call| reduce(call, Reduction::SumSquare)),
        "Softmax" => exact(softmax),
        _ => return None,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reduction {
    L1,
    L2,
    LogSum,
    LogSumExp,
    Max,
    Mean,
    Min,
    Prod,
    Sum,
    SumSquare,
}

impl Reduction {
    /// Over some elements, in their order. Floats are summed in double precision.
    fn of<T: Number>(self, values: impl Iterator<Item = T> + Clone) -> T {
        match self {
            Self::Max => values
                .fold(None, |best: Option<T>, value| Some(best.map_or(value, |best| best.greater(value))))
                .unwrap_or(T::LOWEST),
            Self::Min => values
                .fold(None, |best: Option<T>, value| Some(best.map_or(value, |best| best.lesser(value))))
                .unwrap_or(T::HIGHEST),
            // As in ONNX Runtime, an exponential is an integer as well.
            Self::LogSumExp if !T::IS_FLOAT => {
                T::from_f64(log_sum_exp(values.map(Number::to_f64), |number| number.exp().trunc()))
            }
            Self::L2 | Self::LogSum | Self::LogSumExp | Self::SumSquare => {
                T::from_f64(self.of_floats(values.map(Number::to_f64)))
            }
            _ if T::IS_FLOAT => T::from_f64(self.of_floats(values.map(Number::to_f64))),
            Self::Sum => values.fold(T::ZERO, T::plus),
            Self::Prod => values.fold(T::ONE, T::times),
            Self::L1 => values.fold(T::ZERO, |sum, value| sum.plus(value.absolute())),
            Self::Mean => {
                let count = T::from_f64(values.clone().count() as f64);
                values.fold(T::ZERO, T::plus).over(count).unwrap_or(T::ZERO)
            }
        }
    }

    fn of_floats(self, values: impl Iterator<Item = f64> + Clone) -> f64 {
        match self {
            Self::Sum => values.fold(0.0, |sum, value| sum + value),
            Self::Mean => {
                let count = values.clone().count() as f64;
                values.fold(0.0, |sum, value| sum + value) / count
            }
            Self::Prod => values.fold(1.0, |product, value| product * value),
            Self::L1 => values.fold(0.0, |sum, value| sum + value.abs()),
            Self::L2 => values.fold(0.0, |sum, value| sum + value * value).sqrt(),
            Self::SumSquare => values.fold(0.0, |sum, value| sum + value * value),
            Self::LogSum => values.fold(0.0, |sum, value| sum + value).ln(),
            Self::LogSumExp => log_sum_exp(values, f64::exp),
            Self::Max => values.fold(f64::NEG_INFINITY, Number::greater),
            Self::Min => values.fold(f64::INFINITY, Number::lesser),
        }
    }
}

fn log_sum_exp(values: impl Iterator<Item = f64> + Clone, exp: fn(f64) -> f64) -> f64 {
    let greatest = values.clone().fold(f64::NEG_INFINITY, Number::greater);
    if !greatest.is_finite() {
        return greatest;
    }
    values.fold(0.0, |sum, value| sum + exp(value - greatest)).ln() + greatest
}

/// The axes to reduce; `None` leaves the input as it is.
pub(crate) fn reduced_axes(call: &Call, rank: usize) -> Outcome<Option<Vec<usize>>> {
    let given = match call.maybe_integers(1)? {
        Some(axes) => Some(axes),
        None => call.maybe_ints("axes")?.map(<[i64]>::to_vec),
    };
    match given {
        Some(axes) if !axes.is_empty() => shape::axes(&axes, rank).map(Some),
        _ if call.flag("noop_with_empty_axes", false)? => Ok(None),
        _ => Ok(Some((0..rank).collect())),
    }
}

fn reduce(call: &Call, reduction: Reduction) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let axes = reduced_axes(call, input.rank())?.unwrap_or_default();
    let keep = call.flag("keepdims", true)?;
    if let Data::Bool(values) = input.data() {
        let bytes: Vec<u8> = values.iter().map(|&value| u8::from(value)).collect();
        let bytes = Tensor::new(input.shape().to_vec(), bytes);
        let reduced = match reduction {
            Reduction::Max | Reduction::Min => over_axes(call, &bytes, &axes, keep, reduction)?,
            _ => return Err(crate::call::no_such_type(input.element_type())),
        };
        let truths = reduced.values::<u8>().unwrap_or_default().iter().map(|&value| value != 0).collect();
        return one(Tensor::new(reduced.shape().to_vec(), truths));
    }
    one(over_axes(call, input, &axes, keep, reduction)?)
}

fn over_axes(call: &Call, input: &Tensor, axes: &[usize], keep: bool, reduction: Reduction) -> Outcome<Tensor> {
    let own = strides(input.shape());
    let (mut kept, mut gone): (Vec<usize>, Vec<usize>) = ((0..input.rank()).collect(), axes.to_vec());
    kept.retain(|axis| !axes.contains(axis));
    gone.sort_unstable();
    let pick = |axes: &[usize], from: &[usize]| -> Vec<usize> { axes.iter().map(|&axis| from[axis]).collect() };
    let extents: Vec<usize> = match keep {
        true => (0..input.rank()).map(|axis| if axes.contains(&axis) { 1 } else { input.shape()[axis] }).collect(),
        false => pick(&kept, input.shape()),
    };
    call.room_for(&extents, input.element_type())?;
    call.room_for(&pick(&gone, input.shape()), input.element_type())?;
    let outer = offsets(&pick(&kept, input.shape()), &pick(&kept, &own));
    let inner = offsets(&pick(&gone, input.shape()), &pick(&gone, &own));
    call.meter.work((outer.len() as u64).saturating_mul(inner.len() as u64))?;
    by_number!(input.data(), values => {
        let result = outer.iter().map(|&base| reduction.of(inner.iter().map(|&offset| values[base + offset])));
        Ok(Tensor::new(extents, result.collect()))
    })
}

/// The sum over axes, which are gone then.
pub(super) fn summed(call: &Call, input: &Tensor, axes: &[usize]) -> Outcome<Tensor> {
    over_axes(call, input, axes, false, Reduction::Sum)
}

/// A running sum or product along an axis.
fn running(call: &Call, start: f64, combine: Running) -> Outcome<Vec<Value>> {
    fn along<T: Number>(values: &[T], (outer, extent, inner): (usize, usize, usize), rule: Rule, start: T) -> Vec<T> {
        let mut results = values.to_vec();
        for row in 0..outer {
            for column in 0..inner {
                let mut total = start;
                for step in 0..extent {
                    let at = if rule.reverse { extent - 1 - step } else { step };
                    let place = (row * extent + at) * inner + column;
                    let next = match rule.combine {
                        Running::Sum => total.plus(values[place]),
                        Running::Product => total.times(values[place]),
                    };
                    results[place] = if rule.exclusive { total } else { next };
                    total = next;
                }
            }
        }
        results
    }
    fn typed<T: Number>(_: &[T], start: f64) -> T {
        T::from_f64(start)
    }
    let input = call.tensor(0)?;
    let axis = shape::axis(call.integer(1)?, input.rank())?;
    call.room_for(input.shape(), input.element_type())?;
    let rule = Rule { reverse: call.flag("reverse", false)?, exclusive: call.flag("exclusive", false)?, combine };
    let parts = around(input.shape(), axis);
    let shape = input.shape().to_vec();
    one(by_number!(input.data(), values => Ok(Tensor::new(shape, along(values, parts, rule, typed(values, start)))))?)
}

#[derive(Debug, Clone, Copy)]
enum Running {
    Sum,
    Product,
}

#[derive(Debug, Clone, Copy)]
struct Rule {
    reverse: bool,
    exclusive: bool,
    combine: Running,
}

fn cum_sum(call: &Call) -> Outcome<Vec<Value>> {
    running(call, 0.0, Running::Sum)
}

fn cum_prod(call: &Call) -> Outcome<Vec<Value>> {
    running(call, 1.0, Running::Product)
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Across {
    Softmax,
    LogSoftmax,
    Hardmax,
}

impl Across {
    /// Replaces numbers by their share of the whole. `round` is what the precision makes of the steps of a Softmax.
    fn apply<T: Number>(self, line: &mut [T], round: fn(f64) -> f64) {
        let greatest = line.iter().copied().fold(T::LOWEST, T::greater);
        let exp = |value: &T| round(round(value.to_f64() - greatest.to_f64()).exp());
        match self {
            Self::Softmax => {
                let sum = round(line.iter().map(exp).sum());
                line.iter_mut().for_each(|value| *value = T::from_f64(exp(value) / sum));
            }
            Self::LogSoftmax => {
                let exp = |value: &T| (value.to_f64() - greatest.to_f64()).exp();
                let log = line.iter().map(exp).sum::<f64>().ln();
                line.iter_mut().for_each(|value| *value = T::from_f64(value.to_f64() - greatest.to_f64() - log));
            }
            Self::Hardmax => {
                let first = line.iter().position(|value| *value == greatest);
                line.iter_mut().enumerate().for_each(|(at, value)| {
                    *value = if Some(at) == first { T::ONE } else { T::ZERO };
                });
            }
        }
    }

    /// Every line along an axis, which [`around`] tells from those before and after it.
    pub(super) fn lines<T: Number>(
        self,
        values: &[T],
        (outer, extent, inner): (usize, usize, usize),
        round: fn(f64) -> f64,
    ) -> Vec<T> {
        let mut results = values.to_vec();
        let mut line = Vec::with_capacity(extent);
        for row in 0..outer {
            for column in 0..inner {
                let place = |at: usize| (row * extent + at) * inner + column;
                line.clear();
                line.extend((0..extent).map(|at| values[place(at)]));
                self.apply(&mut line, round);
                line.iter().enumerate().for_each(|(at, value)| results[place(at)] = *value);
            }
        }
        results
    }
}

fn across(call: &Call, function: Across) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    call.room_for(input.shape(), input.element_type())?;
    let parts = match call.opset() {
        // The first versions look at the input as a matrix.
        ..13 => {
            let axis = call.int("axis", 1)?;
            let axis = if axis == input.rank() as i64 { input.rank() } else { shape::axis(axis, input.rank())? };
            (shape::volume(&input.shape()[..axis])?, shape::volume(&input.shape()[axis..])?, 1)
        }
        _ => match input.rank() {
            0 => return Err(Fault::invalid("a number without an axis")),
            rank => around(input.shape(), shape::axis(call.int("axis", -1)?, rank)?),
        },
    };
    let (shape, round) = (input.shape().to_vec(), rounding(input.element_type()));
    let result = by_real!(widened(input).data(), values => {
        Ok(Tensor::new(shape, function.lines(values, parts, round)))
    })?;
    one(restored(&result, input.element_type()))
}

fn softmax(call: &Call) -> Outcome<Vec<Value>> {
    across(call, Across::Softmax)
}

fn log_softmax(call: &Call) -> Outcome<Vec<Value>> {
    across(call, Across::LogSoftmax)
}

fn hardmax(call: &Call) -> Outcome<Vec<Value>> {
    across(call, Across::Hardmax)
}
