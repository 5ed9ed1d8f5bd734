//! Signals: DFT, STFT, MelWeightMatrix.

use std::f64::consts::PI;

use super::cast::{Saturation, converted};
use super::{Operator, exact, one, single};
use crate::call::Call;
use crate::element::ElementType;
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_real};
use crate::shape::{self, around};
use crate::tensor::Tensor;
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "DFT" => single(dft),
        "MelWeightMatrix" => exact(mel_weight_matrix),
        "STFT" => single(stft),
        _ => return None,
    })
}

/// A complex number: its real and its imaginary part.
type Complex = (f64, f64);

fn times((a, b): Complex, (c, d): Complex) -> Complex {
    (a * c - b * d, a * d + b * c)
}

fn plus((a, b): Complex, (c, d): Complex) -> Complex {
    (a + c, b + d)
}

/// The frequencies of a signal, or with `sign` 1 the signal of frequencies, times its length. Signals of even length are
/// split in two, others are summed as the definition has it.
fn transform(signal: &[Complex], sign: f64) -> Vec<Complex> {
    let length = signal.len();
    let turn = |step: usize| {
        let angle = sign * 2.0 * PI * (step % length) as f64 / length as f64;
        (angle.cos(), angle.sin())
    };
    if length > 1 && length.is_multiple_of(2) {
        let half = |offset: usize| -> Vec<Complex> { signal.iter().skip(offset).step_by(2).copied().collect() };
        let (even, odd) = (transform(&half(0), sign), transform(&half(1), sign));
        let at = |step: usize| plus(even[step % even.len()], times(turn(step), odd[step % odd.len()]));
        return (0..length).map(at).collect();
    }
    let turns: Vec<Complex> = (0..length).map(turn).collect();
    let at = |frequency: usize| {
        let terms = signal.iter().enumerate();
        terms.fold((0.0, 0.0), |sum, (time, &value)| plus(sum, times(value, turns[time * frequency % length])))
    };
    (0..length).map(at).collect()
}

/// Operations that [`transform`] takes.
fn effort(length: usize) -> u64 {
    let halvings = length.checked_ilog2().map_or(0, |_| length.trailing_zeros());
    (length as u64).saturating_mul((length >> halvings) as u64 + u64::from(halvings))
}

/// What is transformed, and how.
#[derive(Debug, Clone, Copy)]
struct Plan {
    length: usize,
    inverse: bool,
    /// Only the frequencies up to half the length are given, or taken.
    onesided: bool,
}

impl Plan {
    /// How many numbers it gives.
    fn results(&self) -> usize {
        if self.onesided && !self.inverse { self.length / 2 + 1 } else { self.length }
    }

    /// The transform of numbers, of which those missing are zero.
    fn of(&self, mut line: Vec<Complex>) -> Vec<Complex> {
        let length = self.length;
        if self.onesided && self.inverse {
            // The other frequencies are those given, mirrored.
            line.resize(length / 2 + 1, (0.0, 0.0));
            line[0].1 = 0.0;
            for at in line.len()..length {
                let (real, imaginary) = line[length - at];
                line.push((real, -imaginary));
            }
            if length.is_multiple_of(2) {
                line[length / 2].1 = 0.0;
            }
        }
        line.resize(length, (0.0, 0.0));
        let mut result = transform(&line, if self.inverse { 1.0 } else { -1.0 });
        if self.inverse {
            result.iter_mut().for_each(|value| *value = (value.0 / length as f64, value.1 / length as f64));
        }
        result.truncate(self.results());
        result
    }
}

fn dft(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Tensor> {
        let shape = call.tensor(0)?.shape();
        let Some((&parts @ (1 | 2), places)) = shape.split_last() else {
            return Err(Fault::invalid(format!("a signal of shape {shape:?}; its last axis is 1 or 2 long")));
        };
        let axis = match call.opset() {
            ..20 => call.int("axis", 1)?,
            _ => call.maybe_integers(2)?.map_or(Ok(-2), |_| call.integer(2))?,
        };
        let axis = shape::axis(axis, shape.len())?;
        if axis == places.len() {
            return Err(Fault::invalid("the axis of real and imaginary parts is not transformed"));
        }
        let (inverse, onesided) = (call.flag("inverse", false)?, call.flag("onesided", false)?);
        let length = match call.maybe_tensor(1)? {
            Some(_) => shape::extent(call.integer(1)?)?,
            None if inverse && onesided => shape[axis].saturating_sub(1).saturating_mul(2),
            None => shape[axis],
        };
        if length == 0 {
            return Err(Fault::invalid("a transform of length 0"));
        }
        let plan = Plan { length, inverse, onesided };
        // Only the inverse of one side is real.
        let result_parts = if inverse && onesided { 1 } else { 2 };
        let mut result_shape = shape.to_vec();
        result_shape[axis] = plan.results();
        result_shape[places.len()] = result_parts;
        let mut results = call.filled(shape::volume(&result_shape)?, T::ZERO)?;
        let (outer, extent, inner) = around(places, axis);
        call.meter.room(length.saturating_mul(4), size_of::<Complex>())?;
        call.meter.work(effort(length).saturating_mul((outer as u64).saturating_mul(inner as u64)))?;
        if results.is_empty() {
            return Ok(Tensor::new(result_shape, results));
        }
        for row in 0..outer {
            for column in 0..inner {
                let place = |at: usize| ((row * extent + at) * inner + column) * parts;
                let number = |at: usize| {
                    let at = place(at);
                    (values[at].to_f64(), if parts == 2 { values[at + 1].to_f64() } else { 0.0 })
                };
                let taken = if inverse && onesided { length / 2 + 1 } else { length };
                let line = plan.of((0..extent.min(taken)).map(number).collect());
                for (at, (real, imaginary)) in line.into_iter().enumerate() {
                    let at = ((row * plan.results() + at) * inner + column) * result_parts;
                    results[at] = T::from_f64(real);
                    if result_parts == 2 {
                        results[at + 1] = T::from_f64(imaginary);
                    }
                }
            }
        }
        Ok(Tensor::new(result_shape, results))
    }
    one(by_real!(call.tensor(0)?.data(), values => typed(call, values))?)
}

/// Transforms of pieces of a signal.
fn stft(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Tensor> {
        let shape = call.tensor(0)?.shape();
        let (batch, extent, parts) = match *shape {
            [batch, extent] => (batch, extent, 1),
            [batch, extent, parts @ (1 | 2)] => (batch, extent, parts),
            _ => return Err(Fault::invalid(format!("a signal of shape {shape:?}; it takes [B, L, 1] or [B, L, 2]"))),
        };
        let step = shape::extent(call.integer(1)?)?;
        let window = match call.maybe_tensor(2)? {
            Some(_) => Some(call.elements::<T>(2)?),
            None => None,
        };
        let length = match (call.maybe_tensor(3)?, window) {
            (Some(_), _) => shape::extent(call.integer(3)?)?,
            (None, Some(window)) => window.len(),
            (None, None) => extent,
        };
        if step == 0 || length == 0 || length > extent || window.is_some_and(|window| window.len() != length) {
            let message = format!("frames of {length} every {step} in a signal of {extent}");
            return Err(Fault::invalid(message));
        }
        let plan = Plan { length, inverse: false, onesided: call.flag("onesided", true)? };
        if plan.onesided && parts == 2 {
            return Err(Fault::invalid("attribute `onesided` is for real signals"));
        }
        let frames = (extent - length) / step + 1;
        let result_shape = vec![batch, frames, plan.results(), 2];
        call.meter.room(shape::volume(&result_shape)?, T::TYPE.width())?;
        call.meter.room(length.saturating_mul(4), size_of::<Complex>())?;
        call.meter.work(effort(length).saturating_mul((batch * frames) as u64))?;
        let mut results = Vec::with_capacity(shape::volume(&result_shape)?);
        for row in 0..batch {
            for frame in 0..frames {
                let number = |at: usize| {
                    let place = (row * extent + frame * step + at) * parts;
                    let weight = window.map_or(1.0, |window| window[at].to_f64());
                    let imaginary = if parts == 2 { values[place + 1].to_f64() } else { 0.0 };
                    (weight * values[place].to_f64(), weight * imaginary)
                };
                let line = plan.of((0..length).map(number).collect());
                results.extend(line.into_iter().flat_map(|(real, imaginary)| [real, imaginary]).map(T::from_f64));
            }
        }
        Ok(Tensor::new(result_shape, results))
    }
    one(by_real!(call.tensor(0)?.data(), values => typed(call, values))?)
}

/// Weights that sum frequencies into bands as wide as the ear has them.
fn mel_weight_matrix(call: &Call) -> Outcome<Vec<Value>> {
    let (bands, length) = (shape::extent(call.integer(0)?)?, shape::extent(call.integer(1)?)?);
    let rate = call.integer(2)? as f64;
    let mel = |hertz: f64| 2595.0 * (hertz / 700.0).ln_1p() / 10_f64.ln();
    let (low, high) = (mel(call.number(3)?), mel(call.number(4)?));
    let rows = length / 2 + 1;
    let step = (high - low) / (bands as f64 + 2.0);
    let bin = |at: usize| -> Outcome<usize> {
        let hertz = 700.0 * ((at as f64 * step + low) / 2595.0 * 10_f64.ln()).exp_m1();
        let bin = ((length as f64 + 1.0) * hertz / rate).floor();
        let inside = (0.0..rows as f64).contains(&bin);
        inside
            .then_some(bin as usize)
            .ok_or_else(|| Fault::invalid(format!("a frequency of {hertz} at a rate of {rate}")))
    };
    let to = call.element_attribute("output_datatype")?.unwrap_or(ElementType::F32);
    let mut weights = call.filled(shape::volume(&[rows, bands])?, 0.0_f64)?;
    for band in 0..bands {
        let (left, centre, right) = (bin(band)?, bin(band + 1)?, bin(band + 2)?);
        if left > centre || centre > right {
            return Err(Fault::invalid("its lower edge is above the upper one"));
        }
        call.meter.work((right - left) as u64)?;
        if left == centre {
            weights[centre * bands + band] = 1.0;
        }
        for at in left..=centre {
            if left != centre {
                weights[at * bands + band] = (at - left) as f64 / (centre - left) as f64;
            }
        }
        for at in centre..right {
            weights[at * bands + band] = (right - at) as f64 / (right - centre) as f64;
        }
    }
    let weights = Tensor::new(vec![rows, bands], weights);
    one(converted(call, &weights, to, Saturation::Cut)?)
}
