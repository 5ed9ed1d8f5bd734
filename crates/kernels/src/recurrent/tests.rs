//! Layers beside plain loops in double precision, whatever the instructions and whatever the rows around.

use super::*;
use crate::samples::sequence::numbers;

const CELLS: [Cell; 4] = [Cell::Rnn, Cell::Gru(Reset::Before), Cell::Gru(Reset::After), Cell::Lstm];

/// Functions of the shares, of candidates and of cells.
const FUNCTIONS: [Function; 3] = [Function::Sigmoid, Function::Tanh, Function::Tanh];

/// A layer and sequences for it, one behind the other.
struct Sample {
    shape: Shape,
    way: Way,
    steps: usize,
    lengths: Vec<usize>,
    input: Vec<f32>,
    state: Vec<f32>,
    bias: Option<Vec<f32>>,
    inputs: Vec<f32>,
    hidden: Vec<f32>,
    cell: Vec<f32>,
}

/// The states after all steps, those after the last one, and the cells.
type Answers = [Vec<f32>; 3];

impl Sample {
    fn new(seed: u64, shape: Shape, lengths: &[usize]) -> Self {
        let Shape { cell, inputs, hidden } = shape;
        let steps = lengths.iter().copied().max().unwrap_or(0);
        let (gates, rows) = (shape.gates(), lengths.len());
        let scaled = |seed: u64, count: usize| {
            let factor = 2.0 / (hidden as f32).sqrt();
            numbers(seed, count).into_iter().map(|number| number * factor).collect()
        };
        let states = |seed: u64, is_there: bool| numbers(seed, if is_there { rows * hidden } else { 0 });
        Self {
            shape,
            way: if seed.is_multiple_of(2) { Way::Forward } else { Way::Backward },
            steps,
            lengths: lengths.to_vec(),
            input: scaled(seed, gates * inputs),
            state: scaled(seed + 1, gates * hidden),
            bias: (!seed.is_multiple_of(3)).then(|| numbers(seed + 2, 2 * gates)),
            inputs: numbers(seed + 3, rows * steps * inputs),
            hidden: states(seed + 4, true),
            cell: states(seed + 5, cell == Cell::Lstm),
        }
    }

    fn functions(&self) -> [Function; 3] {
        if self.shape.cell == Cell::Rnn { [Function::Tanh; 3] } else { FUNCTIONS }
    }

    /// The answers for some of the rows.
    fn run(&self, form: Form, rows: Range<usize>) -> Answers {
        let Shape { inputs, hidden, .. } = self.shape;
        let weights = Weights { input: &self.input, state: &self.state, bias: self.bias.as_deref() };
        let mut results = vec![0.0; rows.len() * self.steps * hidden];
        let mut states = self.hidden[rows.start * hidden..rows.end * hidden].to_vec();
        let is_lstm = usize::from(self.shape.cell == Cell::Lstm);
        let mut cells = self.cell[is_lstm * rows.start * hidden..is_lstm * rows.end * hidden].to_vec();
        Layer::new(form, self.shape, self.functions(), weights).run(Sequences {
            lengths: &self.lengths[rows.clone()],
            way: self.way,
            inputs: &self.inputs,
            input_places: Places { start: rows.start * self.steps * inputs, row: self.steps * inputs, step: inputs },
            results: &mut results,
            result_places: Places { start: 0, row: self.steps * hidden, step: hidden },
            hidden: &mut states,
            cell: &mut cells,
            state_places: Places { start: 0, row: hidden, step: 0 },
        });
        [results, states, cells]
    }

    /// The numbers of all gates of a row by these weights, with what is added.
    fn gates(&self, weights: &[f32], bias: usize, of: &[f64]) -> Vec<f64> {
        let gate = |at: usize| {
            let terms = of.iter().zip(&weights[at * of.len()..]).map(|(x, weight)| x * f64::from(*weight));
            terms.sum::<f64>() + self.bias.as_ref().map_or(0.0, |all| f64::from(all[bias * self.shape.gates() + at]))
        };
        (0..self.shape.gates()).map(gate).collect()
    }

    /// The new state and cell of a row, in double precision.
    fn step(&self, x: &[f64], state: &[f64], cell: &mut [f64]) -> Vec<f64> {
        let width = self.shape.hidden;
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let (of_input, of_state) = (self.gates(&self.input, 0, x), self.gates(&self.state, 1, state));
        let gate = |gate: usize, unit: usize| of_input[gate * width + unit] + of_state[gate * width + unit];
        let share = |which: usize, unit: usize| sigmoid(gate(which, unit));
        let kept: Vec<f64> = match self.shape.cell {
            Cell::Gru(_) => (0..width).map(|unit| state[unit] * share(1, unit)).collect(),
            _ => Vec::new(),
        };
        let of_kept = if kept.is_empty() { Vec::new() } else { self.gates(&self.state, 1, &kept) };
        let blend =
            |unit: usize, candidate: f64| (1.0 - share(0, unit)) * candidate.tanh() + share(0, unit) * state[unit];
        let unit = |unit: usize| match self.shape.cell {
            Cell::Rnn => gate(0, unit).tanh(),
            Cell::Gru(Reset::Before) => blend(unit, of_input[2 * width + unit] + of_kept[2 * width + unit]),
            Cell::Gru(Reset::After) => {
                blend(unit, of_input[2 * width + unit] + share(1, unit) * of_state[2 * width + unit])
            }
            Cell::Lstm => {
                cell[unit] = share(2, unit) * cell[unit] + share(0, unit) * gate(3, unit).tanh();
                share(1, unit) * cell[unit].tanh()
            }
        };
        (0..width).map(unit).collect()
    }

    /// The answers of loops in double precision.
    fn expected(&self) -> [Vec<f64>; 3] {
        let Shape { inputs, hidden, .. } = self.shape;
        let wide = |numbers: &[f32]| -> Vec<f64> { numbers.iter().copied().map(f64::from).collect() };
        let (mut states, mut cells) = (wide(&self.hidden), wide(&self.cell));
        let mut results = vec![0.0; self.lengths.len() * self.steps * hidden];
        for (row, &length) in self.lengths.iter().enumerate() {
            for step in 0..length {
                let place = if self.way == Way::Forward { step } else { length - 1 - step };
                let at = row * self.steps + place;
                let own = row * hidden..(row + 1) * hidden;
                let cell = if cells.is_empty() { &mut [][..] } else { &mut cells[own.clone()] };
                let next = self.step(&wide(&self.inputs[at * inputs..][..inputs]), &states[own.clone()], cell);
                results[at * hidden..][..hidden].copy_from_slice(&next);
                states[own].copy_from_slice(&next);
            }
        }
        [results, states, cells]
    }
}

/// Extents and lengths: fewer and more rows than walk together, vectors that are not full, and more steps than are multiplied
/// together.
fn samples() -> Vec<Sample> {
    let some = |rows: usize, steps: usize| -> Vec<usize> { (0..rows).map(|row| (row * 7 + 3) % (steps + 1)).collect() };
    let cases = [
        (1, 1, vec![1]),
        (3, 5, vec![4]),
        (8, 64, vec![9; 5]),
        (2, 16, some(70, 6)),
        (0, 7, vec![3, 2]),
        (5, 33, some(4, 40)),
        (300, 40, vec![2; 3]),
        (4, 270, vec![5, 40]),
        (4, 3, vec![0, 0]),
        (4, 3, vec![]),
    ];
    let with_cells = cases.iter().flat_map(|case| CELLS.map(|cell| (cell, case)));
    with_cells
        .enumerate()
        .map(|(seed, (cell, (inputs, hidden, lengths)))| {
            Sample::new(seed as u64, Shape { cell, inputs: *inputs, hidden: *hidden }, lengths)
        })
        .collect()
}

fn same(got: &[f32], expected: &[f32]) -> bool {
    let is_same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
    got.len() == expected.len() && got.iter().zip(expected).all(is_same)
}

fn assert_close(got: &Answers, expected: &[Vec<f64>; 3], what: &str) {
    for (got, expected) in got.iter().flatten().zip(expected.iter().flatten()) {
        let close = (f64::from(*got) - expected).abs() <= 1e-5 * expected.abs() + 2e-6;
        assert!(close || got.is_nan() && expected.is_nan(), "{what}: {got} instead of {expected}");
    }
}

#[test]
fn answers_are_those_of_double_precision() {
    for sample in samples() {
        let (got, expected) = (sample.run(Form::best(), 0..sample.lengths.len()), sample.expected());
        assert!(got.iter().zip(&expected).all(|(got, expected)| got.len() == expected.len()));
        assert_close(&got, &expected, &format!("{:?}, {:?}", sample.shape, sample.way));
    }
}

#[test]
fn every_form_gives_the_same_bits() {
    for sample in samples() {
        let rows = 0..sample.lengths.len();
        let expected = sample.run(Form::all()[0], rows.clone());
        for form in Form::all() {
            let got = sample.run(form, rows.clone());
            assert!(got.iter().zip(&expected).all(|(a, b)| same(a, b)), "{:?}, {form}", sample.shape);
        }
    }
}

#[test]
fn a_row_has_the_same_bits_whatever_is_around_it() {
    for sample in samples() {
        let together = sample.run(Form::best(), 0..sample.lengths.len());
        for row in (0..sample.lengths.len()).step_by(3) {
            let alone = sample.run(Form::best(), row..row + 1);
            for (alone, together) in alone.iter().zip(&together) {
                assert!(same(alone, &together[row * alone.len()..][..alone.len()]), "{:?}, row {row}", sample.shape);
            }
        }
    }
}

#[test]
fn nan_flows_and_gates_saturate() {
    for (seed, cell) in CELLS.into_iter().enumerate() {
        for strange in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, f32::MAX, 1e-40] {
            let mut sample = Sample::new(seed as u64 + 6, Shape { cell, inputs: 3, hidden: 19 }, &[6, 4, 6]);
            // A row that stands between others, in a step between others.
            sample.inputs[(sample.steps + 2) * 3 + 1] = strange;
            let expected = sample.expected();
            assert_eq!(expected[1][19..38].iter().all(|state| state.is_nan()), strange.is_nan(), "{cell:?}");
            for form in Form::all() {
                assert_close(&sample.run(form, 0..3), &expected, &format!("{cell:?}, {strange}, {form}"));
            }
        }
    }
}

#[test]
fn other_functions_take_the_place_of_the_usual_ones() {
    let shape = Shape { cell: Cell::Lstm, inputs: 1, hidden: 1 };
    let weights = Weights { input: &[1.0, 1.0, 1.0, 2.0], state: &[0.0; 4], bias: None };
    let hard = Function::HardSigmoid { alpha: 0.25, beta: 0.5 };
    let layer = Layer::new(Form::best(), shape, [hard, Function::Relu, Function::Softsign], weights);
    let (mut results, mut hidden, mut cell) = ([0.0; 1], [0.0; 1], [4.0; 1]);
    let place = Places { start: 0, row: 1, step: 1 };
    layer.run(Sequences {
        lengths: &[1],
        way: Way::Forward,
        inputs: &[1.0],
        input_places: place,
        results: &mut results,
        result_places: place,
        hidden: &mut hidden,
        cell: &mut cell,
        state_places: place,
    });
    // Three quarters of four, three quarters of two; over one more than itself; three quarters of that.
    assert_eq!(cell, [4.5]);
    assert_eq!((results, hidden), ([0.75 * (4.5 / 5.5)], [0.75 * (4.5 / 5.5)]));
}
