//! Recurrent layers: RNN, GRU, LSTM.
//!
//! A layer walks over the steps of all sequences of a batch together; what a row remembers depends on its own steps only.
//! Layers of single precision as exporters write them are computed by `foretell-kernels` ([`fast`]), all others gate by gate
//! ([`mod@walk`]).

mod activation;
mod fast;
mod quantised;
mod walk;

use super::{Operator, single};
use crate::call::{Call, wrong_type};
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_real};
use crate::shape;
use crate::tensor::Tensor;
use crate::value::Value;
use walk::{Weights, walk};

pub(super) use quantised::dynamic_quantize_lstm;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "GRU" => single(|call| layer(call, Cell::Gru)),
        "LSTM" => single(|call| layer(call, Cell::Lstm)),
        "RNN" => single(|call| layer(call, Cell::Rnn)),
        _ => return None,
    })
}

/// What a step computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Rnn,
    Gru,
    Lstm,
}

impl Cell {
    fn gates(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }

    /// The functions of one direction if the node names none.
    fn functions(self) -> &'static [&'static str] {
        match self {
            Self::Rnn => &["Tanh"],
            Self::Gru => &["Sigmoid", "Tanh"],
            Self::Lstm => &["Sigmoid", "Tanh", "Tanh"],
        }
    }
}

/// The extents of a layer.
#[derive(Debug, Clone, Copy)]
struct Extent {
    steps: usize,
    batch: usize,
    inputs: usize,
    hidden: usize,
    directions: usize,
    /// The batch comes first.
    batch_first: bool,
}

impl Extent {
    /// From the weights of the state, of shape [directions, gates × hidden, hidden].
    fn new(call: &Call, cell: Cell, recurrence: &[usize]) -> Outcome<Self> {
        let batch_first = call.flag("layout", false)?;
        let input = call.tensor(0)?.shape();
        let (&[first, second, inputs], &[directions, rows, hidden]) = (input, recurrence) else {
            return Err(Fault::invalid(format!("a value of shape {input:?} and weights of shape {recurrence:?}")));
        };
        let (steps, batch) = if batch_first { (second, first) } else { (first, second) };
        let named = if call.text("direction", "forward")? == "bidirectional" { 2 } else { 1 };
        if directions != named || Some(rows) != hidden.checked_mul(cell.gates()) {
            return Err(Fault::invalid(format!("weights of shape {recurrence:?} for {named} directions")));
        }
        if let Some(declared) = call.maybe_int("hidden_size")?.filter(|&declared| shape::extent(declared) != Ok(hidden))
        {
            return Err(Fault::invalid(format!(
                "attribute `hidden_size` is {declared} for weights of shape {recurrence:?}"
            )));
        }
        Ok(Self { steps, batch, inputs, hidden, directions, batch_first })
    }

    /// Where the input of a step begins.
    fn input(&self, step: usize, row: usize) -> usize {
        let at = if self.batch_first { row * self.steps + step } else { step * self.batch + row };
        at * self.inputs
    }

    /// Where the result of a step begins.
    fn result(&self, direction: usize, step: usize, row: usize) -> usize {
        let at = match self.batch_first {
            true => (row * self.steps + step) * self.directions + direction,
            false => (step * self.directions + direction) * self.batch + row,
        };
        at * self.hidden
    }

    /// Where the state of a row begins.
    fn state(&self, direction: usize, row: usize) -> usize {
        let at = if self.batch_first { row * self.directions + direction } else { direction * self.batch + row };
        at * self.hidden
    }

    fn state_shape(&self) -> Vec<usize> {
        match self.batch_first {
            true => vec![self.batch, self.directions, self.hidden],
            false => vec![self.directions, self.batch, self.hidden],
        }
    }
}

/// The numbers of an input [directions, rows, ...] that belong to one direction, if it is there.
fn own<'a, T: Number>(call: &Call<'a>, index: usize, direction: usize, shape: &[usize]) -> Outcome<Option<&'a [T]>> {
    let length = shape::volume(&shape[1..])?;
    let Some(tensor) = call.maybe_tensor(index)? else { return Ok(None) };
    if tensor.shape() != shape {
        return Err(Fault::invalid(format!("input {index} of shape {:?} instead of {shape:?}", tensor.shape())));
    }
    let values = tensor.values::<T>().ok_or_else(|| wrong_type(index, T::TYPE, tensor.element_type()))?;
    Ok(Some(&values[direction * length..][..length]))
}

/// As [`own`], in memory of its own; zeros if the input is not there.
fn part<T: Number>(call: &Call, index: usize, direction: usize, shape: &[usize]) -> Outcome<Vec<T>> {
    let Some(values) = own(call, index, direction, shape)? else {
        return call.filled(shape::volume(&shape[1..])?, T::ZERO);
    };
    call.meter.room(values.len(), T::TYPE.width())?;
    Ok(values.to_vec())
}

fn layer(call: &Call, cell: Cell) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, cell: Cell, values: &[T], extent: &Extent) -> Outcome<Vec<Value>> {
        walk(call, cell, values, extent, |direction| Weights::new(call, cell, extent, direction))
    }
    // What else may be missing counts as zeros.
    call.tensor(1)?;
    let extent = Extent::new(call, cell, call.tensor(2)?.shape())?;
    if let Some(plan) = fast::Plan::of(call, cell, &extent)? {
        return plan.run(call);
    }
    by_real!(call.tensor(0)?.data(), values => typed(call, cell, values, &extent))
}

/// Whether a direction begins with the last step.
fn is_backward(call: &Call, direction: usize) -> Outcome<bool> {
    match call.text("direction", "forward")? {
        "forward" => Ok(false),
        "reverse" => Ok(true),
        "bidirectional" => Ok(direction == 1),
        other => Err(Fault::invalid(format!("attribute `direction` is `{other}`"))),
    }
}

/// What a layer gives.
struct Answers<T> {
    /// The state after each step.
    results: Vec<T>,
    /// The state before and after all steps.
    hidden: Vec<T>,
    /// The same of the cell of an LSTM; others have none.
    cell: Vec<T>,
}

impl<T: Number> Answers<T> {
    /// Zeros, and the states before the first step.
    fn new(call: &Call, cell: Cell, extent: &Extent) -> Outcome<Self> {
        let states = shape::volume(&extent.state_shape())?;
        let results = call.filled(states.saturating_mul(extent.steps), T::ZERO)?;
        let hidden = initial(call, 5, extent)?;
        let cell = if cell == Cell::Lstm { initial(call, 6, extent)? } else { Vec::new() };
        Ok(Self { results, hidden, cell })
    }

    fn outputs(self, cell: Cell, extent: &Extent) -> Vec<Value> {
        let Extent { steps, batch, hidden, directions, .. } = *extent;
        let shape = match extent.batch_first {
            true => vec![batch, steps, directions, hidden],
            false => vec![steps, directions, batch, hidden],
        };
        let mut outputs = vec![Tensor::new(shape, self.results).into()];
        outputs.push(Tensor::new(extent.state_shape(), self.hidden).into());
        if cell == Cell::Lstm {
            outputs.push(Tensor::new(extent.state_shape(), self.cell).into());
        }
        outputs
    }
}

/// How many steps each row has.
fn lengths(call: &Call, extent: &Extent) -> Outcome<Vec<usize>> {
    call.meter.room(extent.batch, size_of::<usize>())?;
    let Some(lengths) = call.maybe_integers(4)? else { return Ok(vec![extent.steps; extent.batch]) };
    let lengths = shape::extents(&lengths)?;
    if lengths.len() != extent.batch || lengths.iter().any(|&length| length > extent.steps) {
        let (batch, steps) = (extent.batch, extent.steps);
        return Err(Fault::invalid(format!("lengths {lengths:?} of {batch} sequences of at most {steps} steps")));
    }
    Ok(lengths)
}

/// The state before the first step.
fn initial<T: Number>(call: &Call, index: usize, extent: &Extent) -> Outcome<Vec<T>> {
    let shape = extent.state_shape();
    let count = shape::volume(&shape)?;
    let Some(tensor) = call.maybe_tensor(index)? else { return call.filled(count, T::ZERO) };
    if tensor.shape() != shape {
        return Err(Fault::invalid(format!("input {index} of shape {:?} instead of {shape:?}", tensor.shape())));
    }
    Ok(call.elements::<T>(index)?.to_vec())
}

#[cfg(test)]
mod tests;
