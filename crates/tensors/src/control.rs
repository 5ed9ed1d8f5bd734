//! Operators with bodies: If, Loop, Scan, SequenceMap, FlexAttention.

use std::collections::HashMap;

use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::ops::{flex_attention, pick, stack};
use crate::plan::{Body, body};
use crate::run::run_body;
use crate::shape;
use crate::tensor::{Data, Tensor};
use crate::value::Value;

/// What a collected tensor takes beside its elements, of which it may have none.
const COLLECTED_BYTES: u64 = 128;

/// An operator with bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    If,
    Loop,
    Scan,
    SequenceMap,
    FlexAttention,
}

impl Control {
    pub(crate) fn find(domain: &str, op_type: &str) -> Option<Self> {
        match (domain, op_type) {
            ("", "If") => Some(Self::If),
            ("", "Loop") => Some(Self::Loop),
            ("", "Scan") => Some(Self::Scan),
            ("", "SequenceMap") => Some(Self::SequenceMap),
            ("ai.onnx.preview", "FlexAttention") => Some(Self::FlexAttention),
            _ => None,
        }
    }
}

/// Runs a node with bodies; `frame` has the values of the graph around it.
pub(crate) fn run(
    control: Control,
    call: &Call,
    bodies: &HashMap<String, Body>,
    frame: &[Option<Value>],
) -> Outcome<Vec<Value>> {
    match control {
        Control::If => {
            let name = if condition(call, 0)? { "then_branch" } else { "else_branch" };
            Inner::new(call, body(bodies, name)?, frame)?.run(Vec::new())
        }
        Control::Loop => run_loop(call, &Inner::new(call, body(bodies, "body")?, frame)?),
        Control::Scan if call.opset() < 9 => scan_batch(call, &Inner::new(call, body(bodies, "body")?, frame)?),
        Control::Scan => {
            let inner = Inner::new(call, body(bodies, "body")?, frame)?;
            let values = (0..call.inputs.len()).map(|index| call.some_value(index).cloned());
            Scan::new(call, &inner)?.run(&values.collect::<Outcome<Vec<Value>>>()?, None)
        }
        Control::SequenceMap => sequence_map(call, &Inner::new(call, body(bodies, "body")?, frame)?),
        Control::FlexAttention => {
            let inner = |name: &str| bodies.get(name).map(|body| Inner::new(call, body, frame)).transpose();
            let (scores, shares) = (inner("score_mod")?, inner("prob_mod")?);
            flex_attention(call, &|tensor| changed(scores.as_ref(), tensor), &|tensor| changed(shares.as_ref(), tensor))
        }
    }
}

/// What a body makes of one tensor: another of its shape; the tensor itself without a body.
fn changed(inner: Option<&Inner>, tensor: Tensor) -> Outcome<Tensor> {
    let Some(inner) = inner else { return Ok(tensor) };
    let shape = tensor.shape().to_vec();
    match &inner.run(vec![tensor.into()])?[..] {
        [Value::Tensor(changed)] if changed.shape() == shape => Ok(changed.clone()),
        _ => Err(Fault::invalid(format!("its body must give one tensor of shape {shape:?}"))),
    }
}

/// A body and the values it takes from outside.
struct Inner<'a> {
    call: &'a Call<'a>,
    body: &'a Body,
    captured: Vec<Value>,
}

impl<'a> Inner<'a> {
    fn new(call: &'a Call<'a>, body: &'a Body, frame: &[Option<Value>]) -> Outcome<Self> {
        let captured = body.captured.iter().map(|&(outer, _)| frame.get(outer).cloned().flatten());
        let captured: Option<Vec<Value>> = captured.collect();
        let captured = captured.ok_or_else(|| Fault::invalid("its body reads a value that is not there"))?;
        Ok(Self { call, body, captured })
    }

    fn run(&self, inputs: Vec<Value>) -> Outcome<Vec<Value>> {
        if inputs.len() != self.body.inputs.len() {
            let (given, taken) = (inputs.len(), self.body.inputs.len());
            return Err(Fault::invalid(format!("its body takes {taken} values, it is given {given}")));
        }
        run_body(self.body, inputs, self.captured.clone(), self.call.meter)
            .map_err(|error| Fault::Inner(Box::new(error)))
    }
}

fn condition(call: &Call, index: usize) -> Outcome<bool> {
    truth(call.tensor(index)?)
}

fn truth(tensor: &Tensor) -> Outcome<bool> {
    match tensor.values::<bool>() {
        Some(&[value]) => Ok(value),
        _ => Err(Fault::invalid("a condition must be one bool")),
    }
}

fn run_loop(call: &Call, inner: &Inner) -> Outcome<Vec<Value>> {
    let trips = match call.value(0) {
        Some(_) => Some(call.integer(0)?),
        None => None,
    };
    let mut go_on = match call.value(1) {
        Some(_) => condition(call, 1)?,
        None => true,
    };
    let mut state: Vec<Value> =
        (2..call.inputs.len()).map(|index| call.some_value(index).cloned()).collect::<Outcome<_>>()?;
    let carried = state.len();
    let collected_count = inner.body.outputs.len().checked_sub(1 + carried);
    let collected_count = collected_count.ok_or_else(|| Fault::invalid("its body does not fit its inputs"))?;
    let mut collected: Vec<Vec<Tensor>> = vec![Vec::new(); collected_count];
    let mut trip = 0_i64;
    let mut kept = 0;
    while go_on && trips.is_none_or(|trips| trip < trips) {
        let mut inputs = vec![Value::from(Tensor::scalar(trip)), Value::from(Tensor::scalar(true))];
        inputs.append(&mut state);
        let mut outputs = inner.run(inputs)?.into_iter();
        let condition = outputs.next().ok_or_else(|| Fault::invalid("its body gives no condition"))?;
        go_on = truth(condition.expect_tensor("the condition")?)?;
        state = outputs.by_ref().take(carried).collect();
        for (all, value) in collected.iter_mut().zip(outputs) {
            let tensor = value.expect_tensor("a collected value")?.clone();
            let bytes = tensor.bytes() + COLLECTED_BYTES;
            call.meter.keep(bytes)?;
            kept += bytes;
            all.push(tensor);
        }
        trip += 1;
    }
    call.meter.release(kept);
    for (at, all) in collected.iter().enumerate() {
        state.push(stacked(call, inner, all, 0, 1 + carried + at)?);
    }
    Ok(state)
}

/// Collected tensors along a new axis; what the body says about them where there are none.
fn stacked(call: &Call, inner: &Inner, all: &[Tensor], axis: i64, output: usize) -> Outcome<Value> {
    if !all.is_empty() {
        let axis = shape::axis(axis, all[0].rank() + 1)?;
        return stack(call, &all.iter().collect::<Vec<_>>(), axis).map(Value::from);
    }
    let Some(Some(declared)) = inner.body.output_types.get(output) else {
        return Err(Fault::invalid("its body runs not once and does not say what it collects"));
    };
    let mut extents: Vec<usize> = declared.shape.iter().map(|extent| extent.unwrap_or(0)).collect();
    extents.insert(shape::axis(axis, extents.len() + 1)?, 0);
    Ok(Tensor::of(extents, Data::zeros(declared.element, 0)).into())
}

/// Scan as of version 9.
struct Scan<'a> {
    call: &'a Call<'a>,
    inner: &'a Inner<'a>,
    scanned: usize,
    input_axes: Vec<i64>,
    input_backwards: Vec<bool>,
    output_axes: Vec<i64>,
    output_backwards: Vec<bool>,
}

impl<'a> Scan<'a> {
    fn new(call: &'a Call<'a>, inner: &'a Inner<'a>) -> Outcome<Self> {
        let scanned = call.required("num_scan_inputs", call.maybe_int("num_scan_inputs")?)?;
        let scanned = shape::extent(scanned)?;
        let first = usize::from(call.opset() < 9);
        let states = (call.inputs.len() - first.min(call.inputs.len())).checked_sub(scanned);
        let states = states.ok_or_else(|| Fault::invalid("attribute `num_scan_inputs` is too large"))?;
        let collected = inner.body.outputs.len().checked_sub(states);
        let collected = collected.ok_or_else(|| Fault::invalid("its body does not fit its inputs"))?;
        if scanned == 0 {
            return Err(Fault::invalid("it scans over nothing"));
        }
        let numbers = |name: &str, count: usize| -> Outcome<Vec<i64>> {
            match call.maybe_ints(name)? {
                Some(values) if values.len() == count => Ok(values.to_vec()),
                Some(values) => {
                    Err(Fault::invalid(format!("attribute `{name}` has {} numbers instead of {count}", values.len())))
                }
                None => Ok(vec![0; count]),
            }
        };
        let backwards = |name: &str, count: usize| -> Outcome<Vec<bool>> {
            Ok(numbers(name, count)?.into_iter().map(|direction| direction != 0).collect())
        };
        Ok(Self {
            call,
            inner,
            scanned,
            input_axes: numbers("scan_input_axes", scanned)?,
            input_backwards: match call.opset() < 9 {
                true => backwards("directions", scanned)?,
                false => backwards("scan_input_directions", scanned)?,
            },
            output_axes: numbers("scan_output_axes", collected)?,
            output_backwards: backwards("scan_output_directions", collected)?,
        })
    }

    /// Runs over the steps there are, or fewer.
    fn run(&self, values: &[Value], steps: Option<usize>) -> Outcome<Vec<Value>> {
        let (states, scanned) = values.split_at(values.len() - self.scanned);
        let mut state = states.to_vec();
        let mut inputs = Vec::with_capacity(self.scanned);
        for (value, &axis) in scanned.iter().zip(&self.input_axes) {
            let tensor = value.expect_tensor("a scanned input")?;
            inputs.push((tensor, shape::axis(axis, tensor.rank())?));
        }
        let length = inputs.first().map_or(0, |(tensor, axis)| tensor.shape()[*axis]);
        if inputs.iter().any(|(tensor, axis)| tensor.shape()[*axis] != length) {
            return Err(Fault::invalid("its scanned inputs have different lengths"));
        }
        let length = steps.unwrap_or(length).min(length);
        let mut collected: Vec<Vec<Tensor>> = vec![Vec::new(); self.output_axes.len()];
        let mut kept = 0;
        for step in 0..length {
            let mut arguments = std::mem::take(&mut state);
            for ((tensor, axis), &backwards) in inputs.iter().zip(&self.input_backwards) {
                let at = if backwards { length - 1 - step } else { step };
                arguments.push(pick(self.call, tensor, *axis, at)?.into());
            }
            let mut outputs = self.inner.run(arguments)?.into_iter();
            state = outputs.by_ref().take(states.len()).collect();
            for (all, value) in collected.iter_mut().zip(outputs) {
                let tensor = value.expect_tensor("a collected value")?.clone();
                let bytes = tensor.bytes() + COLLECTED_BYTES;
                self.call.meter.keep(bytes)?;
                kept += bytes;
                all.push(tensor);
            }
        }
        self.call.meter.release(kept);
        for (at, all) in collected.iter_mut().enumerate() {
            if self.output_backwards[at] {
                all.reverse();
            }
            state.push(stacked(self.call, self.inner, all, self.output_axes[at], states.len() + at)?);
        }
        Ok(state)
    }
}

/// Scan of version 8: the first axis of everything is a batch, and each part of it may have its own length.
fn scan_batch(call: &Call, inner: &Inner) -> Outcome<Vec<Value>> {
    let scan = Scan::new(call, inner)?;
    let lengths = call.maybe_integers(0)?;
    let tensors = (1..call.inputs.len()).map(|index| call.tensor(index)).collect::<Outcome<Vec<_>>>()?;
    let batch = tensors.first().and_then(|tensor| tensor.shape().first().copied()).unwrap_or(0);
    let longest = tensors.last().and_then(|tensor| tensor.shape().get(1).copied()).unwrap_or(0);
    let misfit = |tensor: &&&Tensor| tensor.shape().first() != Some(&batch);
    if tensors.iter().any(|tensor| misfit(&tensor)) || lengths.as_ref().is_some_and(|lengths| lengths.len() != batch) {
        return Err(Fault::invalid("its inputs have different batches"));
    }
    let mut results: Vec<Vec<Tensor>> = Vec::new();
    for row in 0..batch {
        let values = tensors.iter().map(|tensor| pick(call, tensor, 0, row).map(Value::from));
        let length = lengths.as_ref().map(|lengths| shape::extent(lengths[row])).transpose()?;
        let outputs = scan.run(&values.collect::<Outcome<Vec<Value>>>()?, length)?;
        let states = outputs.len() - scan.output_axes.len();
        results.resize_with(outputs.len(), Vec::new);
        for (at, value) in outputs.iter().enumerate() {
            let tensor = value.expect_tensor("a result")?;
            results[at].push(if at < states { tensor.clone() } else { lengthened(call, tensor, longest)? });
        }
    }
    results.iter().map(|all| stack(call, &all.iter().collect::<Vec<_>>(), 0).map(Value::from)).collect()
}

/// A tensor with zeros at the end of its first axis.
fn lengthened(call: &Call, tensor: &Tensor, length: usize) -> Outcome<Tensor> {
    let mut extents = tensor.shape().to_vec();
    let missing = length.saturating_sub(extents[0]);
    extents[0] = length;
    let count = call.room_for(&extents, tensor.element_type())?;
    if missing == 0 {
        return Ok(tensor.clone());
    }
    let zeros = Data::zeros(tensor.element_type(), count - tensor.len());
    let data = Data::join(&[tensor.data(), &zeros]).ok_or_else(|| Fault::invalid("values of different types"))?;
    Ok(Tensor::of(extents, data))
}

fn sequence_map(call: &Call, inner: &Inner) -> Outcome<Vec<Value>> {
    let Value::Sequence(items) = call.some_value(0)? else {
        return Err(Fault::invalid("input 0 must be a sequence"));
    };
    let mut results: Vec<Vec<Value>> = vec![Vec::with_capacity(items.len()); inner.body.outputs.len()];
    for (at, item) in items.iter().enumerate() {
        let mut inputs = vec![item.clone()];
        for index in 1..call.inputs.len() {
            inputs.push(match call.some_value(index)? {
                Value::Sequence(others) => {
                    others.get(at).cloned().ok_or_else(|| Fault::invalid("its sequences differ in length"))?
                }
                other => other.clone(),
            });
        }
        for (all, value) in results.iter_mut().zip(inner.run(inputs)?) {
            all.push(value);
        }
    }
    Ok(results.into_iter().map(Value::sequence).collect())
}
