//! LinearAttention: attention as a recurrence over a matrix that remembers.

use super::attention::count;
use super::heads::Heads;
use super::{Operator, exact, restored, widened};
use crate::call::{Call, wrong_type};
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_real};
use crate::shape;
use crate::tensor::Tensor;
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    match op_type {
        "LinearAttention" => Some(exact(linear_attention)),
        _ => None,
    }
}

/// How a step changes what is remembered.
struct Rule {
    /// It fades.
    decays: bool,
    /// Only what is new about a value is added.
    corrects: bool,
}

impl Rule {
    fn new(call: &Call) -> Outcome<Self> {
        let (decays, corrects) = match call.text("update_rule", "gated_delta")? {
            "linear" => (false, false),
            "gated" => (true, false),
            "delta" => (false, true),
            "gated_delta" => (true, true),
            other => return Err(Fault::invalid(format!("attribute `update_rule` is `{other}`"))),
        };
        if decays != call.value(4).is_some() || corrects != call.value(5).is_some() {
            return Err(Fault::invalid("`update_rule` does not fit the inputs for decay and beta"));
        }
        Ok(Self { decays, corrects })
    }
}

/// An input of three dimensions as matrices of these many heads.
fn split<T: Number>(call: &Call, index: usize, heads: usize) -> Outcome<Heads<T>> {
    let tensor = widened(call.tensor(index)?);
    let values = tensor.values::<T>().ok_or_else(|| wrong_type(index, T::TYPE, tensor.element_type()))?;
    if tensor.rank() != 3 {
        return Err(Fault::invalid(format!("input {index} of shape {:?}; it takes [B, T, H]", tensor.shape())));
    }
    Heads::new(call, values, tensor.shape(), Some(heads))
}

fn linear_attention(call: &Call) -> Outcome<Vec<Value>> {
    by_real!(widened(call.tensor(0)?).data(), values => recurrence(call, values))
}

/// What the recurrence goes over.
struct Inputs<T> {
    queries: Heads<T>,
    keys: Heads<T>,
    values: Heads<T>,
    /// How memories fade: by head, or by place of a key.
    decay: Option<Heads<T>>,
    /// How much of what is new is added: by head, or for all.
    beta: Option<Heads<T>>,
    scale: T,
}

impl<T: Number> Inputs<T> {
    fn new(call: &Call) -> Outcome<Self> {
        let heads = |name: &str| -> Outcome<usize> { call.required(name, count(call, name)?) };
        let (query_heads, heads) = (heads("q_num_heads")?, heads("kv_num_heads")?);
        let rule = Rule::new(call)?;
        let queries = split::<T>(call, 0, query_heads)?;
        let (keys, values) = (split::<T>(call, 1, heads)?, split::<T>(call, 2, heads)?);
        let [batch, _, steps, width] = queries.shape();
        let fits = keys.shape() == [batch, heads, steps, width]
            && values.shape()[..3] == keys.shape()[..3]
            && query_heads.is_multiple_of(heads);
        if !fits {
            let shapes = (queries.shape(), keys.shape(), values.shape());
            return Err(Fault::invalid(format!("queries, keys and values of shapes {shapes:?}")));
        }
        let optional = |index: usize, present: bool, columns: &[usize]| -> Outcome<Option<Heads<T>>> {
            let Some(tensor) = call.maybe_tensor(index)?.filter(|_| present) else { return Ok(None) };
            let groups = if tensor.shape().last() == Some(&1) { 1 } else { heads };
            let parts = split::<T>(call, index, groups)?;
            let fits = (parts.batch, parts.rows) == (batch, steps) && columns.contains(&parts.columns);
            let misfit = || Fault::invalid(format!("input {index} of shape {:?}", tensor.shape()));
            fits.then_some(Some(parts)).ok_or_else(misfit)
        };
        let decay = optional(4, rule.decays, &[1, width])?;
        let beta = optional(5, rule.corrects, &[1])?;
        let scale = match call.float("scale", 0.0)? {
            0.0 => 1.0 / (width as f64).sqrt(),
            scale => f64::from(scale),
        };
        Ok(Self { queries, keys, values, decay, beta, scale: T::from_f64(scale) })
    }

    /// What is remembered before the first step.
    fn state(&self, call: &Call) -> Outcome<Heads<T>> {
        let [batch, heads, _, rows] = self.keys.shape();
        let shape = [batch, heads, rows, self.values.columns];
        let Some(past) = call.maybe_tensor(3)? else {
            let values = call.filled(shape::volume(&shape)?, T::ZERO)?;
            return Ok(Heads { batch, heads, rows, columns: self.values.columns, values });
        };
        if past.shape() != shape {
            return Err(Fault::invalid(format!("a state of shape {:?} instead of {shape:?}", past.shape())));
        }
        let past = widened(past);
        let values = past.values::<T>().ok_or_else(|| wrong_type(3, T::TYPE, past.element_type()))?;
        Heads::new(call, values, past.shape(), None)
    }

    /// Changes what a head remembers by the step of this part of the batch.
    fn remember(&self, memory: &mut [T], [part, head, step]: [usize; 3]) {
        let row = |of: &Heads<T>| (part * of.heads + head % of.heads) * of.rows + step;
        let (key, extent) = (line(&self.keys, row(&self.keys)), self.values.columns);
        if let Some(decay) = &self.decay {
            fade(memory, line(decay, row(decay)), extent);
        }
        let mut value = line(&self.values, row(&self.values)).to_vec();
        if let Some(beta) = &self.beta {
            let rate = line(beta, row(beta))[0];
            let known = read(memory, key, extent);
            value.iter_mut().zip(known).for_each(|(value, known)| *value = rate.times(value.minus(known)));
        }
        for (memory, &key) in memory.chunks_mut(extent.max(1)).zip(key) {
            memory.iter_mut().zip(&value).for_each(|(memory, &value)| *memory = memory.plus(key.times(value)));
        }
    }
}

fn recurrence<T: Number>(call: &Call, _: &[T]) -> Outcome<Vec<Value>> {
    let inputs = Inputs::<T>::new(call)?;
    let mut state = inputs.state(call)?;
    let [batch, query_heads, steps, _] = inputs.queries.shape();
    let (heads, extent) = (state.heads, state.columns);
    let group = query_heads / heads;
    let memories = (state.values.len() as u64).saturating_mul(steps as u64);
    call.meter.work(memories.saturating_mul(3 + group as u64))?;
    let mut result = call.filled(shape::volume(&[batch, query_heads, steps, extent])?, T::ZERO)?;
    for (matrix, memory) in state.values.chunks_mut((state.rows * extent).max(1)).enumerate() {
        let (part, head) = (matrix / heads, matrix % heads);
        for step in 0..steps {
            inputs.remember(memory, [part, head, step]);
            for head in head * group..(head + 1) * group {
                let at = (part * query_heads + head) * steps + step;
                let answer = read(memory, line(&inputs.queries, at), extent);
                let answer = answer.iter().map(|value| value.times(inputs.scale));
                result[at * extent..][..extent].iter_mut().zip(answer).for_each(|(result, value)| *result = value);
            }
        }
    }
    let result = Heads { batch, heads: query_heads, rows: steps, columns: extent, values: result };
    let element = call.tensor(0)?.element_type();
    let kept = call.maybe_tensor(3)?.map_or(element, Tensor::element_type);
    Ok(vec![restored(&result.merged(call)?, element).into(), restored(&state.tensor(), kept).into()])
}

/// A row of the matrices, counted through all of them.
fn line<T>(of: &Heads<T>, row: usize) -> &[T] {
    &of.values[row * of.columns..][..of.columns]
}

/// Shrinks each row of a memory, by one rate or by its own.
fn fade<T: Number>(memory: &mut [T], rates: &[T], extent: usize) {
    for (at, row) in memory.chunks_mut(extent.max(1)).enumerate() {
        let rate = T::from_f64(rates[at % rates.len()].to_f64().exp());
        row.iter_mut().for_each(|value| *value = value.times(rate));
    }
}

/// The sum of the rows of a memory, each times a number.
fn read<T: Number>(memory: &[T], weights: &[T], extent: usize) -> Vec<T> {
    let mut sums = vec![T::ZERO; extent];
    for (row, &weight) in memory.chunks(extent.max(1)).zip(weights) {
        sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum = sum.plus(weight.times(value)));
    }
    sums
}
