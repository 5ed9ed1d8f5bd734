//! Recurrent layers: RNN, GRU, LSTM.
//!
//! A layer walks over the steps of all sequences of a batch together; what a row remembers depends on its own steps only.

mod activation;
mod quantised;
mod walk;

use super::{Operator, single};
use crate::call::{Call, wrong_type};
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_real};
use crate::shape;
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

/// The rows of an input [directions, rows, ...] that belong to one direction; zeros if it is not there.
fn part<T: Number>(call: &Call, index: usize, direction: usize, shape: &[usize]) -> Outcome<Vec<T>> {
    let length = shape::volume(&shape[1..])?;
    let Some(tensor) = call.maybe_tensor(index)? else { return call.filled(length, T::ZERO) };
    if tensor.shape() != shape {
        return Err(Fault::invalid(format!("input {index} of shape {:?} instead of {shape:?}", tensor.shape())));
    }
    let values = tensor.values::<T>().ok_or_else(|| wrong_type(index, T::TYPE, tensor.element_type()))?;
    call.meter.room(length, T::TYPE.width())?;
    Ok(values[direction * length..][..length].to_vec())
}

fn layer(call: &Call, cell: Cell) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, cell: Cell, values: &[T]) -> Outcome<Vec<Value>> {
        let extent = Extent::new(call, cell, call.tensor(2)?.shape())?;
        walk(call, cell, values, &extent, |direction| Weights::new(call, cell, &extent, direction))
    }
    by_real!(call.tensor(0)?.data(), values => typed(call, cell, values))
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
