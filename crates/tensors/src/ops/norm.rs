//! Normalisations.

use super::{Halves, Operator, one, single};
use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_real};
use crate::shape::{self, Spread, around, offsets, strides};
use crate::tensor::Tensor;
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "BatchNormalization" => single(batch_normalization),
        "GroupNormalization" => single(group_normalization),
        "InstanceNormalization" => single(instance_normalization),
        "LayerNormalization" => Operator { halves: Halves::FirstRounded, ..single(layer_normalization) },
        "LRN" => single(lrn),
        "LpNormalization" => single(lp_normalization),
        "MeanVarianceNormalization" => single(mean_variance_normalization),
        // ONNX Runtime writes the second name, in the domain of ONNX.
        "RMSNormalization" | "SimplifiedLayerNormalization" => single(rms_normalization),
        _ => return None,
    })
}

/// The channels of a value [N, C, ...], and the places of each.
fn channels(input: &Tensor) -> Outcome<(usize, usize)> {
    match input.shape() {
        // A vector is taken as one channel.
        [_] => Ok((1, 1)),
        [_, channels, places @ ..] => Ok((*channels, shape::volume(places)?)),
        [] => Err(Fault::invalid("a number without channels")),
    }
}

/// The numbers of an input that has one for each channel.
fn by_channel(call: &Call, index: usize, channels: usize) -> Outcome<Vec<f64>> {
    let numbers: Vec<f64> = by_real!(call.tensor(index)?.data(), values => {
        Ok(values.iter().map(|value| value.to_f64()).collect())
    })?;
    match numbers.len() == channels {
        true => Ok(numbers),
        false => Err(Fault::invalid(format!("input {index} has {} numbers for {channels} channels", numbers.len()))),
    }
}

/// Each channel with these means and variances to mean 0 and variance 1, then scaled and moved.
fn normalised<T: Number>(call: &Call, values: &[T], mean: &[f64], variance: &[f64]) -> Outcome<Tensor> {
    let input = call.tensor(0)?;
    let (channels, places) = channels(input)?;
    let (scale, bias) = (by_channel(call, 1, channels)?, by_channel(call, 2, channels)?);
    let epsilon = f64::from(call.float("epsilon", 1e-5)?);
    let factor: Vec<f64> =
        scale.iter().zip(variance).map(|(scale, variance)| scale / (variance + epsilon).sqrt()).collect();
    let mut results = Vec::with_capacity(values.len());
    for (values, channel) in values.chunks(places.max(1)).zip((0..channels).cycle()) {
        let (mean, factor, bias) = (mean[channel], factor[channel], bias[channel]);
        results.extend(values.iter().map(|value| T::from_f64((value.to_f64() - mean) * factor + bias)));
    }
    Ok(Tensor::new(input.shape().to_vec(), results))
}

fn batch_normalization(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Tensor> {
        let (channels, _) = channels(call.tensor(0)?)?;
        normalised(call, values, &by_channel(call, 3, channels)?, &by_channel(call, 4, channels)?)
    }
    let input = call.tensor(0)?;
    call.room_for(input.shape(), input.element_type())?;
    if call.flag("training_mode", false)? {
        return by_real!(input.data(), values => trained(call, values));
    }
    // Before version 7 a flag says that the model is used; versions 1 to 5 learn otherwise.
    if call.opset() < 6 && !call.flag("is_test", false)? {
        return Err(Fault::unsupported("it trains; export the model for inference"));
    }
    one(by_real!(input.data(), values => typed(call, values))?)
}

/// Normalised by the batch's own means and variances, as in training, and the running means and variances after it.
fn trained<T: Number>(call: &Call, values: &[T]) -> Outcome<Vec<Value>> {
    let (channels, places) = channels(call.tensor(0)?)?;
    let momentum = f64::from(call.float("momentum", 0.9)?);
    let of_channel = |channel: usize| values.chunks(places.max(1)).skip(channel).step_by(channels).flatten().copied();
    let (mean, variance): (Vec<f64>, Vec<f64>) = (0..channels).map(|channel| moments(of_channel(channel))).unzip();
    let running = |index: usize, own: &[f64]| -> Outcome<Tensor> {
        let before = by_channel(call, index, channels)?;
        let after = before.iter().zip(own).map(|(before, own)| T::from_f64(before * momentum + own * (1.0 - momentum)));
        Ok(Tensor::new(vec![channels], after.collect()))
    };
    let result = normalised(call, values, &mean, &variance)?;
    Ok(vec![result.into(), running(3, &mean)?.into(), running(4, &variance)?.into()])
}

/// Mean and variance of some numbers.
fn moments<T: Number>(values: impl Iterator<Item = T> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().map(|value| value.to_f64()).sum::<f64>() / count;
    let variance = values.map(|value| (value.to_f64() - mean).powi(2)).sum::<f64>() / count;
    (mean, variance)
}

/// Numbers in parts of equal length, each part with mean 0 and variance 1.
fn standardised<T: Number>(values: &[T], length: usize, epsilon: f64) -> Vec<f64> {
    let mut results = Vec::with_capacity(values.len());
    for part in values.chunks(length.max(1)) {
        let (mean, variance) = moments(part.iter().copied());
        let factor = 1.0 / (variance + epsilon).sqrt();
        results.extend(part.iter().map(|value| (value.to_f64() - mean) * factor));
    }
    results
}

fn instance_normalization(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Tensor> {
        let input = call.tensor(0)?;
        let (channels, places) = channels(input)?;
        affine::<T>(call, &standardised(values, places, f64::from(call.float("epsilon", 1e-5)?)), channels, places)
    }
    let input = call.tensor(0)?;
    call.room_for(input.shape(), input.element_type())?;
    one(by_real!(input.data(), values => typed(call, values))?)
}

/// Numbers times the scale plus the bias of their channel, or of their group of channels.
fn affine<T: Number>(call: &Call, values: &[f64], channels: usize, places: usize) -> Outcome<Tensor> {
    let (scale, bias) = (call.elements::<T>(1)?, call.elements::<T>(2)?);
    if scale.is_empty() || !channels.is_multiple_of(scale.len()) || scale.len() != bias.len() {
        return Err(Fault::invalid(format!(
            "{} scales and {} biases for {channels} channels",
            scale.len(),
            bias.len()
        )));
    }
    let per_scale = channels / scale.len();
    let results = values.iter().enumerate().map(|(at, value)| {
        let channel = at / places.max(1) % channels / per_scale;
        T::from_f64(value * scale[channel].to_f64() + bias[channel].to_f64())
    });
    Ok(Tensor::new(call.tensor(0)?.shape().to_vec(), results.collect()))
}

fn group_normalization(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Tensor> {
        let input = call.tensor(0)?;
        let (channels, places) = channels(input)?;
        let groups = shape::extent(call.required("num_groups", call.maybe_int("num_groups")?)?)?;
        if groups == 0 || channels % groups != 0 {
            return Err(Fault::invalid(format!("{groups} groups of {channels} channels")));
        }
        let length = channels / groups * places;
        let values = standardised(values, length, f64::from(call.float("epsilon", 1e-5)?));
        // Before version 21 there is one scale per group.
        affine::<T>(call, &values, channels, places)
    }
    let input = call.tensor(0)?;
    call.room_for(input.shape(), input.element_type())?;
    one(by_real!(input.data(), values => typed(call, values))?)
}

/// The last axes, over which a value is normalised: how many parts there are, and how long each is.
fn parts(call: &Call, input: &Tensor) -> Outcome<(usize, usize, usize)> {
    let axis = shape::axis(call.int("axis", -1)?, input.rank())?;
    Ok((axis, shape::volume(&input.shape()[..axis])?, shape::volume(&input.shape()[axis..])?))
}

/// Each number times and plus what two inputs have for its place.
fn by_place<T: Number>(call: &Call, values: &[f64], shape: &[usize], bias: bool) -> Outcome<Tensor> {
    if shape::broadcast(shape, call.tensor(1)?.shape())? != shape {
        return Err(Fault::invalid(format!("a scale of shape {:?} for {shape:?}", call.tensor(1)?.shape())));
    }
    let scale = (call.elements::<T>(1)?, Spread::new(call.tensor(1)?.shape(), shape));
    let bias = match call.maybe_tensor(2)?.filter(|_| bias) {
        Some(tensor) if shape::broadcast(shape, tensor.shape())? == shape => {
            Some((call.elements::<T>(2)?, Spread::new(tensor.shape(), shape)))
        }
        Some(tensor) => return Err(Fault::invalid(format!("a bias of shape {:?} for {shape:?}", tensor.shape()))),
        None => None,
    };
    let results = values.iter().enumerate().map(|(at, value)| {
        let scaled = value * scale.0[scale.1.at(at)].to_f64();
        T::from_f64(bias.as_ref().map_or(scaled, |(bias, spread)| scaled + bias[spread.at(at)].to_f64()))
    });
    Ok(Tensor::new(shape.to_vec(), results.collect()))
}

fn layer_normalization(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Vec<Value>> {
        let input = call.tensor(0)?;
        let (axis, count, length) = parts(call, input)?;
        let epsilon = f64::from(call.float("epsilon", 1e-5)?);
        let result = by_place::<T>(call, &standardised(values, length, epsilon), input.shape(), true)?;
        let moments: Vec<(f64, f64)> =
            (0..count).map(|at| moments(values[at * length..][..length].iter().copied())).collect();
        let mut shape = input.shape().to_vec();
        shape[axis..].fill(1);
        let means = moments.iter().map(|(mean, _)| *mean as f32).collect();
        let factors = moments.iter().map(|(_, variance)| (1.0 / (variance + epsilon).sqrt()) as f32).collect();
        Ok(vec![result.into(), Tensor::new(shape.clone(), means).into(), Tensor::new(shape, factors).into()])
    }
    let input = call.tensor(0)?;
    call.room_for(input.shape(), input.element_type())?;
    by_real!(input.data(), values => typed(call, values))
}

fn rms_normalization(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Tensor> {
        let input = call.tensor(0)?;
        let (_, _, length) = parts(call, input)?;
        let epsilon = f64::from(call.float("epsilon", 1e-5)?);
        let mut results = Vec::with_capacity(values.len());
        for part in values.chunks(length.max(1)) {
            let mean = part.iter().map(|value| value.to_f64().powi(2)).sum::<f64>() / part.len() as f64;
            results.extend(part.iter().map(|value| value.to_f64() / (mean + epsilon).sqrt()));
        }
        by_place::<T>(call, &results, input.shape(), false)
    }
    let input = call.tensor(0)?;
    call.room_for(input.shape(), input.element_type())?;
    one(by_real!(input.data(), values => typed(call, values))?)
}

fn mean_variance_normalization(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(values: &[T], shape: &[usize], axes: &[usize]) -> Vec<T> {
        let own = strides(shape);
        let pick = |from: &[usize], inside: bool| -> Vec<usize> {
            (0..shape.len()).filter(|axis| axes.contains(axis) == inside).map(|axis| from[axis]).collect()
        };
        let outer = offsets(&pick(shape, false), &pick(&own, false));
        let inner = offsets(&pick(shape, true), &pick(&own, true));
        let mut results = values.to_vec();
        for base in outer {
            let (mean, variance) = moments(inner.iter().map(|offset| values[base + offset]));
            for offset in &inner {
                let value = &mut results[base + offset];
                *value = T::from_f64((value.to_f64() - mean) / (variance.sqrt() + 1e-9));
            }
        }
        results
    }
    let input = call.tensor(0)?;
    let axes = shape::axes(call.maybe_ints("axes")?.unwrap_or(&[0, 2, 3]), input.rank())?;
    call.room_for(input.shape(), input.element_type())?;
    let shape = input.shape().to_vec();
    one(by_real!(input.data(), values => Ok(Tensor::new(shape.clone(), typed(values, &shape, &axes))))?)
}

fn lp_normalization(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(values: &[T], (outer, extent, inner): (usize, usize, usize), power: i64) -> Vec<T> {
        let mut results = values.to_vec();
        for row in 0..outer {
            for column in 0..inner {
                let place = |at: usize| (row * extent + at) * inner + column;
                let line = (0..extent).map(|at| values[place(at)].to_f64());
                let norm = match power {
                    1 => line.map(f64::abs).sum::<f64>(),
                    // The squares of tiny numbers are nothing in their own precision.
                    _ => T::from_f64(line.map(|value| value * value).sum::<f64>()).to_f64().sqrt(),
                };
                for at in 0..extent {
                    let value = values[place(at)].to_f64();
                    results[place(at)] = if norm == 0.0 { T::ZERO } else { T::from_f64(value / norm) };
                }
            }
        }
        results
    }
    let input = call.tensor(0)?;
    let parts = around(input.shape(), shape::axis(call.int("axis", -1)?, input.rank())?);
    let power = call.int("p", 2)?;
    call.room_for(input.shape(), input.element_type())?;
    let shape = input.shape().to_vec();
    one(by_real!(input.data(), values => Ok(Tensor::new(shape, typed(values, parts, power))))?)
}

/// Each number less when its neighbours in other channels are large.
fn lrn(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, values: &[T]) -> Outcome<Tensor> {
        let input = call.tensor(0)?;
        let (channels, places) = channels(input)?;
        let size = shape::extent(call.required("size", call.maybe_int("size")?)?)?.max(1);
        let (alpha, beta) = (f64::from(call.float("alpha", 1e-4)?), f64::from(call.float("beta", 0.75)?));
        let bias = f64::from(call.float("bias", 1.0)?);
        let (before, after) = ((size - 1) / 2, size / 2);
        call.meter.work((values.len() as u64).saturating_mul(size.min(channels) as u64))?;
        let results = values.iter().enumerate().map(|(at, value)| {
            let channel = at / places % channels;
            let (first, last) = (channel.saturating_sub(before), channel.saturating_add(after).min(channels - 1));
            let base = at - channel * places;
            let sum: f64 = (first..=last).map(|other| values[base + other * places].to_f64().powi(2)).sum();
            T::from_f64(value.to_f64() / (bias + alpha / size as f64 * sum).powf(beta))
        });
        Ok(Tensor::new(input.shape().to_vec(), results.collect()))
    }
    let input = call.tensor(0)?;
    call.room_for(input.shape(), input.element_type())?;
    one(by_real!(input.data(), values => typed(call, values))?)
}
