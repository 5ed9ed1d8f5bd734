//! Recurrent layers: RNN, GRU, LSTM.
//!
//! A layer walks over the steps of all sequences of a batch together; what a row remembers depends on its own steps only.

use super::product::{Extents, add_product, small_integers};
use super::quant::{fitting, singles};
use super::{Operator, one, single};
use crate::call::{Call, wrong_type};
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_real};
use crate::shape;
use crate::tensor::Tensor;
use crate::value::Value;

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

/// A function of a gate.
#[derive(Debug, Clone, Copy)]
struct Activation {
    function: Function,
    alpha: f64,
    beta: f64,
}

#[derive(Debug, Clone, Copy)]
enum Function {
    Affine,
    Elu,
    HardSigmoid,
    LeakyRelu,
    Relu,
    ScaledTanh,
    Sigmoid,
    Softplus,
    Softsign,
    Tanh,
    ThresholdedRelu,
}

impl Function {
    /// The function of a name, and what stands for its alpha and beta if it has them and they are not given.
    fn find(name: &str) -> Option<(Self, [Option<f64>; 2])> {
        Some(match name.to_ascii_lowercase().as_str() {
            "affine" => (Self::Affine, [Some(1.0), Some(0.0)]),
            "elu" => (Self::Elu, [Some(1.0), None]),
            "hardsigmoid" => (Self::HardSigmoid, [Some(0.2), Some(0.5)]),
            "leakyrelu" => (Self::LeakyRelu, [Some(0.01), None]),
            "relu" => (Self::Relu, [None, None]),
            "scaledtanh" => (Self::ScaledTanh, [Some(1.0), Some(1.0)]),
            "sigmoid" => (Self::Sigmoid, [None, None]),
            "softplus" => (Self::Softplus, [None, None]),
            "softsign" => (Self::Softsign, [None, None]),
            "tanh" => (Self::Tanh, [None, None]),
            "thresholdedrelu" => (Self::ThresholdedRelu, [Some(1.0), None]),
            _ => return None,
        })
    }
}

impl Activation {
    fn of(self, x: f64) -> f64 {
        let Self { function, alpha, beta } = self;
        match function {
            Function::Affine => alpha * x + beta,
            Function::Elu if x < 0.0 => alpha * x.exp_m1(),
            Function::HardSigmoid => (alpha * x + beta).clamp(0.0, 1.0),
            Function::LeakyRelu if x < 0.0 => alpha * x,
            Function::Relu if x < 0.0 => 0.0,
            Function::ScaledTanh => alpha * (beta * x).tanh(),
            Function::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Function::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Function::Softsign => x / (1.0 + x.abs()),
            Function::Tanh => x.tanh(),
            Function::ThresholdedRelu if x < alpha => 0.0,
            Function::Elu | Function::LeakyRelu | Function::Relu | Function::ThresholdedRelu => x,
        }
    }

    /// The functions of all directions. As in ONNX Runtime, only functions that have an alpha or a beta take one of those
    /// given.
    fn all(call: &Call, cell: Cell, directions: usize) -> Outcome<Vec<Self>> {
        let usual = cell.functions().repeat(directions);
        let names: Vec<&str> = match call.maybe_texts("activations")? {
            Some(names) if !names.is_empty() => names.iter().map(String::as_str).collect(),
            _ => usual.clone(),
        };
        if names.len() != usual.len() {
            return Err(Fault::invalid(format!("{} activations instead of {}", names.len(), usual.len())));
        }
        let given = |name: &str| -> Outcome<_> { Ok(call.maybe_floats(name)?.unwrap_or_default().iter()) };
        let (mut alphas, mut betas) = (given("activation_alpha")?, given("activation_beta")?);
        names
            .iter()
            .map(|name| {
                let found = Function::find(name);
                let (function, usual) = found.ok_or_else(|| Fault::invalid(format!("activation `{name}`")))?;
                let next = |given: &mut std::slice::Iter<f32>, usual: Option<f64>| {
                    usual.map_or(0.0, |usual| given.next().map_or(usual, |&value| f64::from(value)))
                };
                Ok(Self { function, alpha: next(&mut alphas, usual[0]), beta: next(&mut betas, usual[1]) })
            })
            .collect()
    }
}

/// Adds the products of rows and weights to sums.
type Product<'a, T> = Box<dyn Fn(&[T], &mut [T]) -> Outcome<()> + 'a>;

/// The product with the transpose of a matrix [rows, depth].
fn dense<'a, T: Number>(call: &'a Call, matrix: &[T], depth: usize) -> Outcome<Product<'a, T>> {
    call.meter.room(matrix.len(), T::TYPE.width())?;
    let columns = matrix.len().checked_div(depth).unwrap_or(0);
    let turned: Vec<T> =
        (0..depth).flat_map(|at| (0..columns).map(move |column| matrix[column * depth + at])).collect();
    Ok(Box::new(move |rows, sums| {
        let extents = Extents { rows: rows.len().checked_div(depth).unwrap_or(0), depth, columns };
        call.meter.work(extents.work())?;
        add_product(rows, &turned, extents, sums);
        Ok(())
    }))
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

/// One direction of a layer.
struct Direction<'a, T> {
    cell: Cell,
    hidden: usize,
    of_input: Product<'a, T>,
    /// All gates at once, but those of a GRU's new state, which follow by themselves.
    of_state: Vec<Product<'a, T>>,
    input_bias: Vec<T>,
    state_bias: Vec<T>,
    /// Weights of the cell's state for the gates i, o and f.
    peepholes: Vec<T>,
    activations: Vec<Activation>,
    clip: f64,
    /// The reset gate of a GRU comes after the product with the weights.
    reset_after: bool,
    /// The forget gate of an LSTM is what the input gate leaves.
    coupled: bool,
}

/// What a direction remembers of each row.
struct State<T> {
    hidden: Vec<T>,
    cell: Vec<T>,
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

/// The products with the weights of a layer's input and of its state, for one direction.
struct Weights<'a, T> {
    of_input: Product<'a, T>,
    of_state: Vec<Product<'a, T>>,
}

impl<'a, T: Number> Weights<'a, T> {
    fn new(call: &'a Call, cell: Cell, extent: &Extent, direction: usize) -> Outcome<Self> {
        let Extent { hidden, directions, inputs, .. } = *extent;
        let rows = cell.gates() * hidden;
        let of_input = part::<T>(call, 1, direction, &[directions, rows, inputs])?;
        let of_state = part::<T>(call, 2, direction, &[directions, rows, hidden])?;
        let (first, last) = match cell {
            Cell::Gru => of_state.split_at(2 * hidden * hidden),
            _ => (&of_state[..], &[][..]),
        };
        let of_state = match cell {
            Cell::Gru => vec![dense(call, first, hidden)?, dense(call, last, hidden)?],
            _ => vec![dense(call, first, hidden)?],
        };
        Ok(Self { of_input: dense(call, &of_input, inputs)?, of_state })
    }
}

impl<'a, T: Number> Direction<'a, T> {
    fn new(call: &'a Call, cell: Cell, extent: &Extent, direction: usize, weights: Weights<'a, T>) -> Outcome<Self> {
        let (hidden, directions) = (extent.hidden, extent.directions);
        let bias = part::<T>(call, 3, direction, &[directions, 2 * cell.gates() * hidden])?;
        let (input_bias, state_bias) = bias.split_at(cell.gates() * hidden);
        let peepholes = match cell {
            Cell::Lstm => part::<T>(call, 7, direction, &[directions, 3 * hidden])?,
            _ => Vec::new(),
        };
        let activations = Activation::all(call, cell, directions)?;
        let count = activations.len() / directions;
        Ok(Self {
            cell,
            hidden,
            of_input: weights.of_input,
            of_state: weights.of_state,
            input_bias: input_bias.to_vec(),
            state_bias: state_bias.to_vec(),
            peepholes,
            activations: activations[direction * count..][..count].to_vec(),
            clip: call.maybe_float("clip")?.map_or(f64::INFINITY, |clip| f64::from(clip.abs()).min(f64::INFINITY)),
            reset_after: call.flag("linear_before_reset", false)?,
            coupled: call.flag("input_forget", false)?,
        })
    }

    /// The state after a step whose inputs these are.
    fn next(&self, inputs: &[T], state: &State<T>, rows: usize) -> Outcome<State<T>> {
        let mut of_input = self.input_bias.repeat(rows);
        (self.of_input)(inputs, &mut of_input)?;
        match self.cell {
            Cell::Gru => self.gru(&of_input, state, rows),
            Cell::Rnn | Cell::Lstm => {
                let mut gates = self.state_bias.repeat(rows);
                self.of_state[0](&state.hidden, &mut gates)?;
                gates.iter_mut().zip(&of_input).for_each(|(gate, value)| *gate = gate.plus(*value));
                Ok(if self.cell == Cell::Lstm { self.lstm(&gates, state) } else { self.rnn(&gates) })
            }
        }
    }

    /// The function of a gate, of its value cut to the clip.
    fn bend(&self, function: usize, value: T) -> T {
        T::from_f64(self.activations[function].of(value.to_f64().clamp(-self.clip, self.clip)))
    }

    fn rnn(&self, gates: &[T]) -> State<T> {
        State { hidden: gates.iter().map(|&gate| self.bend(0, gate)).collect(), cell: Vec::new() }
    }

    fn lstm(&self, gates: &[T], state: &State<T>) -> State<T> {
        let width = self.hidden;
        let mut next =
            State { hidden: Vec::with_capacity(state.hidden.len()), cell: Vec::with_capacity(state.cell.len()) };
        for (at, &before) in state.cell.iter().enumerate() {
            let (row, unit) = (at / width, at % width);
            let gate = |gate: usize| gates[(row * 4 + gate) * width + unit];
            let peep = |gate: usize, cell: T| self.peepholes[gate * width + unit].times(cell);
            let input = self.bend(0, gate(0).plus(peep(0, before)));
            let forget = match self.coupled {
                true => T::ONE.minus(input),
                false => self.bend(0, gate(2).plus(peep(2, before))),
            };
            let cell = forget.times(before).plus(input.times(self.bend(1, gate(3))));
            let output = self.bend(0, gate(1).plus(peep(1, cell)));
            next.hidden.push(output.times(T::from_f64(self.activations[2].of(cell.to_f64()))));
            next.cell.push(cell);
        }
        next
    }

    fn gru(&self, of_input: &[T], state: &State<T>, rows: usize) -> Outcome<State<T>> {
        let width = self.hidden;
        let (gate_bias, last_bias) = self.state_bias.split_at(2 * width);
        let mut of_state = gate_bias.repeat(rows);
        self.of_state[0](&state.hidden, &mut of_state)?;
        let gate = |gate: usize, at: usize| {
            let (row, unit) = (at / width, at % width);
            self.bend(0, of_input[(row * 3 + gate) * width + unit].plus(of_state[(row * 2 + gate) * width + unit]))
        };
        let reset: Vec<T> = (0..rows * width).map(|at| gate(1, at)).collect();
        let mut last = last_bias.repeat(rows);
        if self.reset_after {
            self.of_state[1](&state.hidden, &mut last)?;
            last.iter_mut().zip(&reset).for_each(|(last, reset)| *last = last.times(*reset));
        } else {
            let kept: Vec<T> = state.hidden.iter().zip(&reset).map(|(state, reset)| state.times(*reset)).collect();
            self.of_state[1](&kept, &mut last)?;
        }
        let hidden = (0..rows * width).map(|at| {
            let update = gate(0, at);
            let new = self.bend(1, of_input[(at / width * 3 + 2) * width + at % width].plus(last[at]));
            T::ONE.minus(update).times(new).plus(update.times(state.hidden[at]))
        });
        Ok(State { hidden: hidden.collect(), cell: Vec::new() })
    }
}

fn layer(call: &Call, cell: Cell) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, cell: Cell, values: &[T]) -> Outcome<Vec<Value>> {
        let extent = Extent::new(call, cell, call.tensor(2)?.shape())?;
        walk(call, cell, values, &extent, |direction| Weights::new(call, cell, &extent, direction))
    }
    by_real!(call.tensor(0)?.data(), values => typed(call, cell, values))
}

/// An LSTM of com.microsoft with quantised weights, [directions, depth, gates]. Its input is quantised as a whole, its state
/// at each step, so that the rows of a batch share a scale.
pub(super) fn dynamic_quantize_lstm(call: &Call) -> Outcome<Vec<Value>> {
    let recurrence = call.tensor(2)?.shape();
    let &[directions, hidden, gates] = recurrence else {
        return Err(Fault::invalid(format!("weights of shape {recurrence:?}; they take [D, H, 4 × H]")));
    };
    let extent = Extent::new(call, Cell::Lstm, &[directions, gates, hidden])?;
    let inputs = call.elements::<f32>(0)?;
    if call.tensor(1)?.shape() != [directions, extent.inputs, gates] {
        return Err(Fault::invalid(format!("weights of shape {:?} and {recurrence:?}", call.tensor(1)?.shape())));
    }
    let weights = |direction: usize| -> Outcome<Weights<'_, f32>> {
        Ok(Weights {
            of_input: coded(call, [1, 8, 9], direction, Some(fitting(inputs)))?,
            of_state: vec![coded(call, [2, 10, 11], direction, None)?],
        })
    };
    walk(call, Cell::Lstm, inputs, &extent, weights)
}

/// The product with quantised weights: inputs for them, their scales and their zero points. Rows are quantised to the scale
/// and zero point that are given, or else to what fits them.
fn coded<'a>(
    call: &'a Call,
    [weights, scale, zero]: [usize; 3],
    direction: usize,
    fixed: Option<(f32, f32)>,
) -> Outcome<Product<'a, f32>> {
    let tensor = call.tensor(weights)?;
    let &[directions, depth, columns] = tensor.shape() else {
        return Err(Fault::invalid(format!("weights of shape {:?}", tensor.shape())));
    };
    let own = |index: usize, count: usize| -> Outcome<std::ops::Range<usize>> {
        let fits = count > 0 && count.is_multiple_of(directions) && [1, columns].contains(&(count / directions));
        let length = count.checked_div(directions).unwrap_or(0);
        let range = direction * length..(direction + 1) * length;
        fits.then_some(range).ok_or_else(|| Fault::invalid(format!("input {index} has {count} numbers")))
    };
    call.meter.room(tensor.len(), size_of::<i32>())?;
    let (scales, zeros) = (singles(call.tensor(scale)?)?, small_integers(call.tensor(zero)?)?);
    let scales = scales[own(scale, scales.len())?].to_vec();
    let zeros = &zeros[own(zero, zeros.len())?];
    let codes = &small_integers(tensor)?[direction * depth * columns..][..depth * columns];
    let codes: Vec<i32> = codes.iter().enumerate().map(|(at, code)| code - zeros[at % columns % zeros.len()]).collect();
    Ok(Box::new(move |rows, sums| {
        let (scale, zero) = fixed.unwrap_or_else(|| fitting(rows));
        let code = |value: &f32| ((value / scale).round_ties_even() + zero).clamp(0.0, 255.0) as i32 - zero as i32;
        let extents = Extents { rows: rows.len().checked_div(depth).unwrap_or(0), depth, columns };
        call.meter.work(extents.work())?;
        let mut products = call.filled(sums.len(), 0_i32)?;
        add_product(&rows.iter().map(code).collect::<Vec<_>>(), &codes, extents, &mut products);
        for (at, (sum, product)) in sums.iter_mut().zip(products).enumerate() {
            *sum += product as f32 * (scale * scales[at % columns % scales.len()]);
        }
        Ok(())
    }))
}

/// All directions of a layer, each with its weights.
fn walk<'a, T: Number>(
    call: &'a Call,
    cell: Cell,
    inputs: &[T],
    extent: &Extent,
    weights: impl Fn(usize) -> Outcome<Weights<'a, T>>,
) -> Outcome<Vec<Value>> {
    let Extent { steps, batch, hidden, directions, .. } = *extent;
    let lengths = lengths(call, extent)?;
    let state_count = shape::volume(&extent.state_shape())?;
    let mut results = call.filled(state_count.saturating_mul(steps), T::ZERO)?;
    // What a step computes before it is kept.
    call.meter.room(state_count.saturating_mul(3 * cell.gates()), T::TYPE.width())?;
    let mut last_hidden = initial::<T>(call, 5, extent)?;
    let mut last_cell = if cell == Cell::Lstm { initial::<T>(call, 6, extent)? } else { Vec::new() };
    let backwards = |direction: usize| -> Outcome<bool> {
        match call.text("direction", "forward")? {
            "forward" => Ok(false),
            "reverse" => Ok(true),
            "bidirectional" => Ok(direction == 1),
            other => Err(Fault::invalid(format!("attribute `direction` is `{other}`"))),
        }
    };
    for direction in 0..directions {
        let runner = Direction::new(call, cell, extent, direction, weights(direction)?)?;
        let backwards = backwards(direction)?;
        for step in 0..lengths.iter().copied().max().unwrap_or(0) {
            let rows: Vec<usize> = (0..batch).filter(|&row| step < lengths[row]).collect();
            call.meter.work(1 + (rows.len() * cell.gates() * hidden) as u64)?;
            let place = |row: usize| if backwards { lengths[row] - 1 - step } else { step };
            let picked = |from: &[T], start: &dyn Fn(usize) -> usize, length: usize| -> Vec<T> {
                rows.iter().flat_map(|&row| from[start(row)..][..length].iter().copied()).collect()
            };
            let own = |row: usize| extent.state(direction, row);
            let arguments = picked(inputs, &|row| extent.input(place(row), row), extent.inputs);
            let cells = if cell == Cell::Lstm { picked(&last_cell, &own, hidden) } else { Vec::new() };
            let state = State { hidden: picked(&last_hidden, &own, hidden), cell: cells };
            let next = runner.next(&arguments, &state, rows.len())?;
            for (at, &row) in rows.iter().enumerate() {
                let hidden_now = &next.hidden[at * hidden..][..hidden];
                results[extent.result(direction, place(row), row)..][..hidden].copy_from_slice(hidden_now);
                last_hidden[own(row)..][..hidden].copy_from_slice(hidden_now);
                if cell == Cell::Lstm {
                    last_cell[own(row)..][..hidden].copy_from_slice(&next.cell[at * hidden..][..hidden]);
                }
            }
        }
    }
    let result_shape = match extent.batch_first {
        true => vec![batch, steps, directions, hidden],
        false => vec![steps, directions, batch, hidden],
    };
    let mut outputs = one(Tensor::new(result_shape, results))?;
    outputs.push(Tensor::new(extent.state_shape(), last_hidden).into());
    if cell == Cell::Lstm {
        outputs.push(Tensor::new(extent.state_shape(), last_cell).into());
    }
    Ok(outputs)
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
