//! Layers that `foretell-kernels` compute: of single precision, as exporters write them.
//!
//! Deliberately not here: peepholes, `clip`, `input_forget`, functions that no exporter writes, and layers without a number.

use std::sync::Arc;

use foretell_kernels::forms::Form;
use foretell_kernels::functions;
use foretell_kernels::recurrent::{self, Layer, Places, Reset, Sequences, Shape, Way, Weights};

use super::activation::{Activation, Function};
use super::{Answers, Cell, Extent, is_backward, lengths, own};
use crate::call::Call;
use crate::element::ElementType;
use crate::error::{Fault, Outcome};
use crate::value::Value;

/// A layer that kernels compute.
pub(super) struct Plan<'a> {
    cell: Cell,
    extent: &'a Extent,
    shape: Shape,
    /// The functions of each direction.
    functions: Vec<[functions::Function; 3]>,
}

/// The layers of all directions, and what they were made for.
struct Directions {
    shape: Shape,
    functions: Vec<[functions::Function; 3]>,
    layers: Vec<Layer>,
}

impl<'a> Plan<'a> {
    /// The layer of a call, if it is one that kernels compute.
    pub(super) fn of(call: &Call, cell: Cell, extent: &'a Extent) -> Outcome<Option<Self>> {
        let Extent { steps, batch, inputs, hidden, directions, .. } = *extent;
        let has_peepholes = cell == Cell::Lstm && call.maybe_tensor(7)?.is_some();
        let is_coupled = cell == Cell::Lstm && call.flag("input_forget", false)?;
        let is_plain = !has_peepholes && !is_coupled && call.maybe_float("clip")?.is_none();
        let is_single = call.tensor(0)?.element_type() == ElementType::F32;
        if !is_plain || !is_single || [steps, batch, hidden].contains(&0) {
            return Ok(None);
        }
        let activations = Activation::all(call, cell, directions)?;
        let known: Option<Vec<functions::Function>> = activations.into_iter().map(function).collect();
        let Some(known) = known else { return Ok(None) };
        let of_direction = |own: &[functions::Function]| std::array::from_fn(|at| own[at.min(own.len() - 1)]);
        let functions = known.chunks(known.len() / directions).map(of_direction).collect();
        let reset = if call.flag("linear_before_reset", false)? { Reset::After } else { Reset::Before };
        let kind = match cell {
            Cell::Rnn => recurrent::Cell::Rnn,
            Cell::Gru => recurrent::Cell::Gru(reset),
            Cell::Lstm => recurrent::Cell::Lstm,
        };
        Ok(Some(Self { cell, extent, shape: Shape { cell: kind, inputs, hidden }, functions }))
    }

    /// Runs all directions.
    pub(super) fn run(&self, call: &Call) -> Outcome<Vec<Value>> {
        let Self { cell, extent, .. } = *self;
        let inputs = call.elements::<f32>(0)?;
        let lengths = lengths(call, extent)?;
        let mut answers = Answers::<f32>::new(call, cell, extent)?;
        let bytes_of_row = 2 * size_of::<usize>();
        call.meter.room(extent.batch, bytes_of_row)?;
        call.meter.room(self.shape.numbers(extent.batch, extent.steps), size_of::<f32>())?;
        let directions = self.directions(call)?;
        for (direction, layer) in directions.layers.iter().enumerate() {
            call.meter.work(self.work(&lengths))?;
            layer.run(Sequences {
                lengths: &lengths,
                way: if is_backward(call, direction)? { Way::Backward } else { Way::Forward },
                inputs,
                input_places: places(|step, row| extent.input(step, row)),
                results: &mut answers.results,
                result_places: places(|step, row| extent.result(direction, step, row)),
                hidden: &mut answers.hidden,
                cell: &mut answers.cell,
                state_places: places(|_, row| extent.state(direction, row)),
            });
        }
        Ok(answers.outputs(cell, extent))
    }

    /// A layer for each direction; those of the run before if they have the same weights.
    fn directions(&self, call: &Call) -> Outcome<Arc<Directions>> {
        let layer = |(direction, &functions): (usize, &[functions::Function; 3])| {
            Ok((functions, self.weights(call, direction)?))
        };
        let parts = self.functions.iter().enumerate().map(layer).collect::<Outcome<Vec<_>>>()?;
        let make = || {
            let layers =
                parts.iter().map(|&(functions, weights)| Layer::new(Form::best(), self.shape, functions, weights));
            Directions { shape: self.shape, functions: self.functions.clone(), layers: layers.collect() }
        };
        let is_this = |known: &Directions| known.shape == self.shape && known.functions == self.functions;
        Ok(call.kept.map_or_else(|| Arc::new(make()), |kept| kept.get_or_make(is_this, make)))
    }

    fn weights<'c>(&self, call: &Call<'c>, direction: usize) -> Outcome<Weights<'c>> {
        let Extent { inputs, hidden, directions, .. } = *self.extent;
        let gates = self.cell.gates() * hidden;
        let needed = |index: usize, depth: usize| -> Outcome<&'c [f32]> {
            let weights = own(call, index, direction, &[directions, gates, depth])?;
            weights.ok_or_else(|| Fault::invalid(format!("input {index} is missing")))
        };
        Ok(Weights {
            input: needed(1, inputs)?,
            state: needed(2, hidden)?,
            bias: own(call, 3, direction, &[directions, 2 * gates])?,
        })
    }

    /// Elementary operations of one direction: products with the weights, which are packed before, and the gates.
    fn work(&self, lengths: &[usize]) -> u64 {
        let Extent { inputs, hidden, .. } = *self.extent;
        let gates = (self.cell.gates() as u64).saturating_mul(hidden as u64);
        let of_step = gates.saturating_mul(1 + inputs as u64 + hidden as u64);
        let steps = lengths.iter().fold(0_u64, |steps, &length| steps.saturating_add(length as u64));
        of_step.saturating_mul(steps.saturating_add(1)).saturating_add(lengths.len() as u64)
    }
}

/// Where the numbers of all rows and steps begin, which lie at even distances.
fn places(of: impl Fn(usize, usize) -> usize) -> Places {
    let start = of(0, 0);
    Places { start, row: of(0, 1) - start, step: of(1, 0) - start }
}

/// The function as kernels have it.
fn function(activation: Activation) -> Option<functions::Function> {
    let Activation { function, alpha, beta } = activation;
    // Both are numbers of single precision.
    let (alpha, beta) = (alpha as f32, beta as f32);
    Some(match function {
        Function::HardSigmoid => functions::Function::HardSigmoid { alpha, beta },
        Function::LeakyRelu => functions::Function::LeakyRelu(alpha),
        Function::Relu => functions::Function::Relu,
        Function::Sigmoid => functions::Function::Sigmoid,
        Function::Softplus => functions::Function::Softplus,
        Function::Softsign => functions::Function::Softsign,
        Function::Tanh => functions::Function::Tanh,
        Function::Affine | Function::Elu | Function::ScaledTanh | Function::ThresholdedRelu => return None,
    })
}
