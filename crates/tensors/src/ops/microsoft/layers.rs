//! Normalisations with what exporters fuse into them, and the embeddings before a transformer.

use super::super::{Halves, Operator, one, single};
use super::{Standard, given, passed};
use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::graph::Attribute;
use crate::shape;
use crate::tensor::Tensor;
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "EmbedLayerNormalization" => single(embed_layer_normalization),
        "LayerNormalization" => Operator { halves: Halves::FirstRounded, ..single(layer_normalization) },
        "SimplifiedLayerNormalization" => single(simplified_layer_normalization),
        "SkipLayerNormalization" => single(skip_layer_normalization),
        "SkipSimplifiedLayerNormalization" => single(skip_simplified_layer_normalization),
        _ => return None,
    })
}

fn layer_normalization(call: &Call) -> Outcome<Vec<Value>> {
    Standard::new("LayerNormalization").at(17).run(call, call.inputs)
}

/// Divided by the root of the mean of squares.
fn simplified_layer_normalization(call: &Call) -> Outcome<Vec<Value>> {
    Standard::new("RMSNormalization").at(23).run(call, call.inputs)
}

/// The first two inputs and perhaps a bias, added.
fn skipped(call: &Call, bias: usize) -> Outcome<Tensor> {
    let add = Standard::new("Add");
    let sum = add.tensor(call, &[passed(call, 0), passed(call, 1)])?;
    if sum.shape() != call.tensor(0)?.shape() {
        return Err(Fault::invalid(format!("adding {:?} to {:?}", call.tensor(1)?.shape(), call.tensor(0)?.shape())));
    }
    match call.value(bias) {
        Some(_) => add.tensor(call, &[given(&sum), passed(call, bias)]),
        None => Ok(sum),
    }
}

fn skip_layer_normalization(call: &Call) -> Outcome<Vec<Value>> {
    let sum = skipped(call, 4)?;
    let inputs = [given(&sum), passed(call, 2), passed(call, 3)];
    let mut outputs = Standard::new("LayerNormalization").at(17).run(call, &inputs)?;
    outputs.push(sum.into());
    Ok(outputs)
}

/// Its second and third result are for training, and nobody computes them.
fn skip_simplified_layer_normalization(call: &Call) -> Outcome<Vec<Value>> {
    let read = |at: usize| call.node.outputs.get(at).is_some_and(|name| !name.is_empty());
    if read(1) || read(2) {
        return Err(Fault::unsupported("its outputs for training are read"));
    }
    let sum = skipped(call, 3)?;
    let normalised = Standard::new("RMSNormalization").at(23).tensor(call, &[given(&sum), passed(call, 2)])?;
    let nothing = Tensor::vector(Vec::<f32>::new());
    Ok(vec![normalised.into(), nothing.clone().into(), nothing.into(), sum.into()])
}

/// Words, positions and segments as vectors, added and normalised.
fn embed_layer_normalization(call: &Call) -> Outcome<Vec<Value>> {
    let words = call.tensor(0)?;
    let &[batch, length] = words.shape() else {
        return Err(Fault::invalid(format!("words of shape {:?}; it takes [B, S]", words.shape())));
    };
    let table = call.tensor(2)?;
    let width = *table.shape().last().unwrap_or(&0);
    call.meter.room(batch.saturating_add(length), size_of::<i64>())?;
    let positions = match call.maybe_integers(8)? {
        Some(positions) if positions.len() == length => positions.repeat(batch),
        Some(positions) if positions.len() == batch * length => positions,
        Some(positions) => return Err(Fault::invalid(format!("{} positions for {length} words", positions.len()))),
        None => (0..length as i64).collect::<Vec<_>>().repeat(batch),
    };
    let mut sums = call.filled(shape::volume(&[batch, length, width])?, 0.0_f32)?;
    add_rows(call, 2, &call.integers(0)?, width, &mut sums)?;
    add_rows(call, 3, &positions, width, &mut sums)?;
    if let Some(segments) = call.maybe_integers(1)? {
        add_rows(call, 4, &segments, width, &mut sums)?;
    }
    let sum = Tensor::new(vec![batch, length, width], sums);
    let normalise = Standard::new("LayerNormalization").at(17);
    let normalise = normalise.with("epsilon", Attribute::Float(call.float("epsilon", 1e-12)?));
    let normalised = normalise.tensor(call, &[given(&sum), passed(call, 5), passed(call, 6)])?;
    let seen: Vec<i32> = match call.maybe_integers(7)? {
        Some(mask) if mask.len() == batch * length => {
            let row = |row: usize| mask[row * length..][..length].iter().filter(|&&seen| seen == 1).count();
            (0..batch).map(|at| row(at) as i32).collect()
        }
        Some(mask) => return Err(Fault::invalid(format!("a mask of {} for {batch} × {length} words", mask.len()))),
        None => vec![0; batch],
    };
    let mut outputs = one(normalised)?;
    outputs.extend([Tensor::vector(seen).into(), sum.into()]);
    Ok(outputs)
}

/// Adds rows of a table [entries, width] to the rows of sums.
fn add_rows(call: &Call, table: usize, rows: &[i64], width: usize, sums: &mut [f32]) -> Outcome<()> {
    let (values, shape) = (call.elements::<f32>(table)?, call.tensor(table)?.shape());
    let (&[entries, columns], true) = (shape, rows.len().checked_mul(width) == Some(sums.len())) else {
        return Err(Fault::invalid(format!("a table of shape {shape:?} for {} rows", rows.len())));
    };
    if columns != width {
        return Err(Fault::invalid(format!("a table of shape {shape:?} for vectors of {width}")));
    }
    for (&row, sums) in rows.iter().zip(sums.chunks_mut(width.max(1))) {
        // A row is no position: a negative one does not count from the end.
        let row = shape::index(shape::extent(row)? as i64, entries)?;
        sums.iter_mut().zip(&values[row * width..][..width]).for_each(|(sum, value)| *sum += value);
    }
    Ok(())
}
