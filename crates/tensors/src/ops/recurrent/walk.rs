//! A layer of any kind and any type of number, gate by gate.

use super::activation::Activation;
use super::{Answers, Cell, Extent, is_backward, lengths, part};
use crate::call::Call;
use crate::error::Outcome;
use crate::number::Number;
use crate::ops::product::{Extents, add_product};
use crate::value::Value;

/// All directions of a layer, each with its weights.
pub(super) fn walk<'a, T: Number>(
    call: &'a Call,
    cell: Cell,
    inputs: &[T],
    extent: &Extent,
    weights: impl Fn(usize) -> Outcome<Weights<'a, T>>,
) -> Outcome<Vec<Value>> {
    let Extent { batch, hidden, directions, .. } = *extent;
    let lengths = lengths(call, extent)?;
    let mut answers = Answers::<T>::new(call, cell, extent)?;
    // What a step computes before it is kept.
    call.meter.room(answers.hidden.len().saturating_mul(3 * cell.gates()), T::TYPE.width())?;
    for direction in 0..directions {
        let runner = Direction::new(call, cell, extent, direction, weights(direction)?)?;
        let backwards = is_backward(call, direction)?;
        for step in 0..lengths.iter().copied().max().unwrap_or(0) {
            let rows: Vec<usize> = (0..batch).filter(|&row| step < lengths[row]).collect();
            call.meter.work(1 + (rows.len() * cell.gates() * hidden) as u64)?;
            let place = |row: usize| if backwards { lengths[row] - 1 - step } else { step };
            let picked = |from: &[T], start: &dyn Fn(usize) -> usize, length: usize| -> Vec<T> {
                rows.iter().flat_map(|&row| from[start(row)..][..length].iter().copied()).collect()
            };
            let own = |row: usize| extent.state(direction, row);
            let arguments = picked(inputs, &|row| extent.input(place(row), row), extent.inputs);
            let cells = if cell == Cell::Lstm { picked(&answers.cell, &own, hidden) } else { Vec::new() };
            let state = State { hidden: picked(&answers.hidden, &own, hidden), cell: cells };
            let next = runner.next(&arguments, &state, rows.len())?;
            for (at, &row) in rows.iter().enumerate() {
                let hidden_now = &next.hidden[at * hidden..][..hidden];
                answers.results[extent.result(direction, place(row), row)..][..hidden].copy_from_slice(hidden_now);
                answers.hidden[own(row)..][..hidden].copy_from_slice(hidden_now);
                if cell == Cell::Lstm {
                    answers.cell[own(row)..][..hidden].copy_from_slice(&next.cell[at * hidden..][..hidden]);
                }
            }
        }
    }
    Ok(answers.outputs(cell, extent))
}

/// Adds the products of rows and weights to sums.
pub(super) type Product<'a, T> = Box<dyn Fn(&[T], &mut [T]) -> Outcome<()> + 'a>;

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

/// The products with the weights of a layer's input and of its state, for one direction.
pub(super) struct Weights<'a, T> {
    pub(super) of_input: Product<'a, T>,
    pub(super) of_state: Vec<Product<'a, T>>,
}

impl<'a, T: Number> Weights<'a, T> {
    pub(super) fn new(call: &'a Call, cell: Cell, extent: &Extent, direction: usize) -> Outcome<Self> {
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
