//! Recurrent layers over sequences of 32 steps: `cargo bench -p foretell-kernels --bench recurrent`.
//!
//! Each layer is measured with every set of instructions that the processor has, one row at a time and many, and with the time
//! that it takes to pack its weights, which has its own line as well.

#[path = "../src/samples/sequence.rs"]
mod sequence;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use foretell_kernels::forms::Form;
use foretell_kernels::functions::Function;
use foretell_kernels::recurrent::{Cell, Layer, Places, Reset, Sequences, Shape, Way, Weights};
use sequence::numbers;

const STEPS: usize = 32;

const SHAPES: [Shape; 4] = [
    Shape { cell: Cell::Lstm, inputs: 8, hidden: 64 },
    Shape { cell: Cell::Lstm, inputs: 64, hidden: 256 },
    Shape { cell: Cell::Gru(Reset::After), inputs: 8, hidden: 64 },
    Shape { cell: Cell::Gru(Reset::Before), inputs: 64, hidden: 256 },
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for shape in SHAPES {
        let Shape { cell, inputs, hidden } = shape;
        let gates = if cell == Cell::Lstm { 4 } else { 3 };
        let mut weights = [gates * hidden * inputs, gates * hidden * hidden].map(|count| numbers(1, count));
        weights.iter_mut().flatten().for_each(|weight| *weight /= (hidden as f32).sqrt());
        let [input, state] = &weights;
        let layer = |form: Form| {
            let functions = [Function::Sigmoid, Function::Tanh, Function::Tanh];
            Layer::new(form, shape, functions, Weights { input, state, bias: None })
        };
        let mut group = criterion.benchmark_group(format!("{cell:?}, {inputs} to {hidden}"));
        for form in Form::all().into_iter().skip(1) {
            group.bench_function(BenchmarkId::new(form.to_string(), "packing"), |bencher| {
                bencher.iter(|| layer(black_box(form)));
            });
        }
        for rows in [1, 256] {
            let sequence = numbers(2, STEPS * rows * inputs);
            let mut results = vec![0.0; STEPS * rows * hidden];
            let mut states = [vec![0.0; rows * hidden], vec![0.0; rows * hidden]];
            let lengths = vec![STEPS; rows];
            group.throughput(Throughput::Elements(rows as u64));
            for form in Form::all().into_iter().skip(1) {
                group.bench_function(BenchmarkId::new(form.to_string(), rows), |bencher| {
                    bencher.iter(|| {
                        let [hidden_state, cell_state] = &mut states;
                        layer(form).run(Sequences {
                            lengths: &lengths,
                            way: Way::Forward,
                            inputs: black_box(&sequence),
                            input_places: Places { start: 0, row: inputs, step: rows * inputs },
                            results: &mut results,
                            result_places: Places { start: 0, row: hidden, step: rows * hidden },
                            hidden: hidden_state,
                            cell: cell_state,
                            state_places: Places { start: 0, row: hidden, step: 0 },
                        });
                    });
                });
            }
        }
        group.finish();
    }
    criterion.final_summary();
}
