//! Recurrent layers: RNN, GRU and LSTM, over sequences of any lengths.
//!
//! The products with the inputs of many steps are one product of matrices; what a step adds is the product with the state
//! and functions of the gates, which lie one behind the other by the function that they take: those that are shares (of an
//! LSTM input, output and forget, of a GRU update and reset) and the candidates for the new state. The weights are packed once
//! for all steps. A few rows walk through all steps before the next ones, so that their gates and states stay in the cache, and
//! the longest sequences come first, so that those that go on are together. A row has the same bits whatever rows are computed
//! with it, and whatever the instructions.
//!
//! Deliberately not here: peepholes, clipping, and forget gates that are what the input gate leaves.
//!
//! ```
//! use foretell_kernels::forms::Form;
//! use foretell_kernels::functions::Function;
//! use foretell_kernels::recurrent::{Cell, Layer, Places, Sequences, Shape, Way, Weights};
//!
//! // The sum of all inputs up to a step.
//! let shape = Shape { cell: Cell::Rnn, inputs: 1, hidden: 1 };
//! let weights = Weights { input: &[1.0], state: &[1.0], bias: None };
//! let layer = Layer::new(Form::best(), shape, [Function::Relu; 3], weights);
//! let (mut results, mut state) = ([0.0; 3], [0.0]);
//! layer.run(Sequences {
//!     lengths: &[3],
//!     way: Way::Forward,
//!     inputs: &[1.0, 2.0, 3.0],
//!     input_places: Places { start: 0, row: 3, step: 1 },
//!     results: &mut results,
//!     result_places: Places { start: 0, row: 3, step: 1 },
//!     hidden: &mut state,
//!     cell: &mut [],
//!     state_places: Places { start: 0, row: 1, step: 0 },
//! });
//! assert_eq!((results, state), ([1.0, 3.0, 6.0], [6.0]));
//! ```

mod gates;

use std::cmp::Reverse;
use std::ops::Range;

use crate::forms::Form;
use crate::functions::Function;
use crate::matrix::{Order, Packed};
use gates::{Blend, Carry, Kept, Scaled};

/// Rows that walk through all steps together.
const ROWS_MAX: usize = 64;

/// Gates whose products with the inputs are computed together.
const GATES_MAX: usize = 1 << 15;

/// What a step computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// One function of the input and the state.
    Rnn,
    /// Gates update and reset, and a candidate.
    Gru(Reset),
    /// Gates input, output and forget, and a candidate for the cell.
    Lstm,
}

/// What the reset gate of a GRU is multiplied with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// The state, before its product with the weights of the candidate.
    Before,
    /// That product.
    After,
}

impl Cell {
    /// Gates that are shares; they come before the candidate.
    fn shares(self) -> usize {
        match self {
            Self::Rnn => 0,
            Self::Gru(_) => 2,
            Self::Lstm => 3,
        }
    }
}

/// The extents of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// What a step computes.
    pub cell: Cell,
    /// Numbers of a step's input.
    pub inputs: usize,
    /// Numbers of the state.
    pub hidden: usize,
}

impl Shape {
    /// All gates of a row, the candidate among them.
    fn gates(self) -> usize {
        (self.cell.shares() + 1).saturating_mul(self.hidden)
    }

    /// Numbers that a layer of this shape keeps, and a run over so many sequences besides its inputs and outputs.
    pub fn numbers(self, rows: usize, steps: usize) -> usize {
        let gates = self.gates();
        let packed = |depth: usize| Packed::numbers([depth, gates.saturating_add(32)]);
        let weights = packed(self.inputs).saturating_add(packed(self.hidden)).saturating_add(gates.saturating_mul(2));
        let at_once = rows.min(ROWS_MAX);
        let of_step = self.inputs.saturating_add(gates).saturating_mul(self.steps_at_once(at_once).min(steps));
        let of_row = of_step.saturating_add(self.hidden.saturating_mul(3));
        weights.saturating_add(at_once.saturating_mul(of_row))
    }

    /// Steps whose products with the inputs are computed together, for so many rows.
    fn steps_at_once(self, rows: usize) -> usize {
        (GATES_MAX / rows.saturating_mul(self.gates()).max(1)).max(1)
    }
}

/// The weights of a layer, gate by gate in the order of ONNX.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    /// Of the inputs: a row for each number of each gate.
    pub input: &'a [f32],
    /// Of the state: a row for each number of each gate.
    pub state: &'a [f32],
    /// What is added to the products with the inputs, and then to those with the state.
    pub bias: Option<&'a [f32]>,
}

/// Where the numbers of a row and a step begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// Of the first row's first step.
    pub start: usize,
    /// From a row to the next.
    pub row: usize,
    /// From a step to the next.
    pub step: usize,
}

impl Places {
    fn of(self, row: usize, step: usize) -> usize {
        self.start + row * self.row + step * self.step
    }
}

/// The order of a row's steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the first to the last.
    Forward,
    /// From the last of a row to its first.
    Backward,
}

/// Sequences that a layer is run over.
#[derive(Debug)]
pub struct Sequences<'a> {
    /// Steps of each row.
    pub lengths: &'a [usize],
    /// Their order.
    pub way: Way,
    /// What each step of each row reads.
    pub inputs: &'a [f32],
    /// Where that is.
    pub input_places: Places,
    /// The state after each step of each row; what belongs to no step stays as it is.
    pub results: &'a mut [f32],
    /// Where that goes.
    pub result_places: Places,
    /// The state of each row, before and after all steps.
    pub hidden: &'a mut [f32],
    /// The cell of each row of an LSTM; others have none.
    pub cell: &'a mut [f32],
    /// Where the states are.
    pub state_places: Places,
}

impl Sequences<'_> {
    /// The step of a row that comes at this place.
    fn place(&self, row: usize, step: usize) -> usize {
        match self.way {
            Way::Forward => step,
            Way::Backward => self.lengths[row] - 1 - step,
        }
    }
}

/// Gates that take the same function.
struct Group {
    of_input: Packed,
    of_state: Packed,
    bias: Vec<f32>,
    /// What belongs to the products with the state alone.
    state_bias: Vec<f32>,
}

impl Group {
    /// Of these gates of all.
    fn new(form: Form, shape: Shape, gates: Range<usize>, weights: Weights) -> Self {
        let Shape { inputs, hidden, .. } = shape;
        let units = gates.start * hidden..gates.end * hidden;
        let part = |all: &[f32], depth: usize| {
            let own = &all[units.start * depth..units.end * depth];
            Packed::new(form, [depth, units.len()], Order::Columns, own)
        };
        let bias = |of: usize| {
            let from = |bias: &[f32]| bias[of * shape.gates()..][units.clone()].to_vec();
            weights.bias.map_or_else(|| vec![0.0; units.len()], from)
        };
        let (of_input, of_state) = (part(weights.input, inputs), part(weights.state, hidden));
        Self { of_input, of_state, bias: bias(0), state_bias: bias(1) }
    }

    /// The same group, with everything that is added in one place.
    fn joined(mut self) -> Self {
        let of_state = std::mem::take(&mut self.state_bias);
        self.bias.iter_mut().zip(of_state).for_each(|(bias, other)| *bias += other);
        self
    }
}

/// Sets each row to the same numbers.
fn repeat(line: &[f32], rows: &mut [f32]) {
    rows.chunks_exact_mut(line.len()).for_each(|row| row.copy_from_slice(line));
}

/// One direction of a layer.
pub struct Layer {
    form: Form,
    shape: Shape,
    functions: [Function; 3],
    shares: Group,
    candidate: Group,
}

impl Layer {
    /// A layer whose shares, candidates and cells take these functions; an RNN has the first alone.
    ///
    /// # Panics
    /// When the state has no numbers, or weights do not have as many as the shape says.
    pub fn new(form: Form, shape: Shape, functions: [Function; 3], weights: Weights) -> Self {
        let (cell, shares) = (shape.cell, shape.cell.shares());
        assert!(shape.hidden > 0, "a state has numbers");
        assert_eq!(weights.input.len(), shape.gates() * shape.inputs, "weights of the inputs");
        assert_eq!(weights.state.len(), shape.gates() * shape.hidden, "weights of the state");
        assert!(weights.bias.is_none_or(|bias| bias.len() == 2 * shape.gates()), "numbers of the bias");
        let candidate = Group::new(form, shape, shares..shares + 1, weights);
        Self {
            form,
            shape,
            functions: if cell == Cell::Rnn { [functions[0]; 3] } else { functions },
            shares: Group::new(form, shape, 0..shares, weights).joined(),
            candidate: if cell == Cell::Gru(Reset::After) { candidate } else { candidate.joined() },
        }
    }

    /// Walks through all steps of all rows.
    ///
    /// # Panics
    /// When places lie outside the slices that they belong to.
    pub fn run(&self, mut sequences: Sequences) {
        let lengths = sequences.lengths;
        let mut rows: Vec<usize> = (0..lengths.len()).collect();
        rows.sort_by_key(|&row| Reverse(lengths[row]));
        let at_once = rows.len().min(ROWS_MAX);
        let steps = self.shape.steps_at_once(at_once).min(rows.first().map_or(0, |&row| lengths[row]));
        let mut memory = Memory::new(self.shape, at_once, steps);
        for rows in rows.chunks(ROWS_MAX) {
            memory.load(self.shape, rows, &sequences);
            for first in (0..lengths[rows[0]]).step_by(steps.max(1)) {
                let steps = first..lengths[rows[0]].min(first + steps);
                self.walk(rows, steps, &mut memory, &mut sequences);
            }
            memory.save(self.shape, rows, &mut sequences);
        }
    }

    /// Some steps of some rows.
    fn walk(&self, rows: &[usize], steps: Range<usize>, memory: &mut Memory, sequences: &mut Sequences) {
        let Shape { inputs, hidden, .. } = self.shape;
        let going = |step: usize, lengths: &[usize]| rows.partition_point(|&row| lengths[row] > step);
        memory.inputs.clear();
        for step in steps.clone() {
            for &row in &rows[..going(step, sequences.lengths)] {
                let start = sequences.input_places.of(row, sequences.place(row, step));
                memory.inputs.extend_from_slice(&sequences.inputs[start..][..inputs]);
            }
        }
        let count: usize = steps.clone().map(|step| going(step, sequences.lengths)).sum();
        let Memory { inputs, shares, candidates, state } = memory;
        let mut shares = &mut shares[..count * self.shares.bias.len()];
        let mut candidates = &mut candidates[..count * hidden];
        if !shares.is_empty() {
            repeat(&self.shares.bias, shares);
            self.shares.of_input.add(inputs, shares);
        }
        repeat(&self.candidate.bias, candidates);
        self.candidate.of_input.add(inputs, candidates);
        for step in steps {
            let rows = &rows[..going(step, sequences.lengths)];
            let (now, later) = shares.split_at_mut(rows.len() * self.shares.bias.len());
            let (candidates_now, candidates_later) = candidates.split_at_mut(rows.len() * hidden);
            self.step(now, candidates_now, state);
            (shares, candidates) = (later, candidates_later);
            for (&row, numbers) in rows.iter().zip(state.hidden.chunks_exact(hidden)) {
                let start = sequences.result_places.of(row, sequences.place(row, step));
                sequences.results[start..][..hidden].copy_from_slice(numbers);
            }
        }
    }

    /// One step of the first rows, for whose gates there are the products with the inputs.
    fn step(&self, shares: &mut [f32], candidates: &mut [f32], state: &mut State) {
        let (form, width, count) = (self.form, self.shape.hidden, candidates.len());
        let hidden = &mut state.hidden[..count];
        let [of_share, of_candidate, of_cell] = self.functions;
        if !shares.is_empty() {
            self.shares.of_state.add(hidden, shares);
            of_share.apply_with(form, shares);
        }
        match self.shape.cell {
            Cell::Rnn => {
                self.candidate.of_state.add(hidden, candidates);
                of_candidate.apply_with(form, candidates);
                hidden.copy_from_slice(candidates);
            }
            Cell::Lstm => {
                let cell = &mut state.cell[..count];
                self.candidate.of_state.add(hidden, candidates);
                of_candidate.apply_with(form, candidates);
                form.run(Carry { width, shares, candidates, cell: &mut *cell });
                hidden.copy_from_slice(cell);
                of_cell.apply_with(form, hidden);
                form.run(Scaled { width, shares, hidden });
            }
            Cell::Gru(reset) => {
                let product = &mut state.product[..count];
                match reset {
                    Reset::Before => {
                        product.copy_from_slice(hidden);
                        form.run(Kept { width, shares, product: &mut *product });
                        self.candidate.of_state.add(product, candidates);
                    }
                    Reset::After => {
                        repeat(&self.candidate.state_bias, product);
                        self.candidate.of_state.add(hidden, product);
                        form.run(Kept { width, shares, product: &mut *product });
                        candidates.iter_mut().zip(product).for_each(|(candidate, kept)| *candidate += *kept);
                    }
                }
                of_candidate.apply_with(form, candidates);
                form.run(Blend { width, shares, candidates, hidden });
            }
        }
    }
}

/// What rows remember.
struct State {
    hidden: Vec<f32>,
    /// The cell of an LSTM.
    cell: Vec<f32>,
    /// What a GRU makes of its state.
    product: Vec<f32>,
}

/// What some steps of some rows are computed in.
struct Memory {
    inputs: Vec<f32>,
    shares: Vec<f32>,
    candidates: Vec<f32>,
    state: State,
}

impl Memory {
    fn new(shape: Shape, rows: usize, steps: usize) -> Self {
        let states = |cell: bool| vec![0.0; if cell { rows * shape.hidden } else { 0 }];
        Self {
            inputs: Vec::with_capacity(rows * steps * shape.inputs),
            shares: vec![0.0; rows * steps * shape.cell.shares() * shape.hidden],
            candidates: vec![0.0; rows * steps * shape.hidden],
            state: State {
                hidden: states(true),
                cell: states(shape.cell == Cell::Lstm),
                product: states(matches!(shape.cell, Cell::Gru(_))),
            },
        }
    }

    /// Takes the states of some rows.
    fn load(&mut self, shape: Shape, rows: &[usize], sequences: &Sequences) {
        for (at, &row) in rows.iter().enumerate() {
            let (own, start) = (at * shape.hidden, sequences.state_places.of(row, 0));
            self.state.hidden[own..][..shape.hidden].copy_from_slice(&sequences.hidden[start..][..shape.hidden]);
            if shape.cell == Cell::Lstm {
                self.state.cell[own..][..shape.hidden].copy_from_slice(&sequences.cell[start..][..shape.hidden]);
            }
        }
    }

    /// Gives the states of some rows.
    fn save(&self, shape: Shape, rows: &[usize], sequences: &mut Sequences) {
        for (at, &row) in rows.iter().enumerate() {
            let (own, start) = (at * shape.hidden, sequences.state_places.of(row, 0));
            sequences.hidden[start..][..shape.hidden].copy_from_slice(&self.state.hidden[own..][..shape.hidden]);
            if shape.cell == Cell::Lstm {
                sequences.cell[start..][..shape.hidden].copy_from_slice(&self.state.cell[own..][..shape.hidden]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
