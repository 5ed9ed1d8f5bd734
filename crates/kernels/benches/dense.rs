//! Dense networks of the shapes that people train on tables: `cargo bench -p foretell-kernels --bench dense`.
//!
//! Each network is measured with every set of instructions that the processor has, one row at a time and many.

#[path = "../src/samples/sequence.rs"]
mod sequence;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use foretell_kernels::dense::{DenseNetwork, Layer, Step};
use foretell_kernels::forms::Form;
use foretell_kernels::functions::Function;
use sequence::numbers;

/// What a network looks like.
struct Shape {
    name: &'static str,
    widths: &'static [usize],
    hidden: Function,
}

const SHAPES: [Shape; 6] = [
    Shape { name: "28-256-256-1, ReLU", widths: &[28, 256, 256, 1], hidden: Function::Relu },
    Shape { name: "28-256-256-1, tanh", widths: &[28, 256, 256, 1], hidden: Function::Tanh },
    Shape { name: "28-64-32-1, ReLU", widths: &[28, 64, 32, 1], hidden: Function::Relu },
    Shape {
        name: "28, six times 128, 3, ReLU",
        widths: &[28, 128, 128, 128, 128, 128, 128, 3],
        hidden: Function::Relu,
    },
    Shape { name: "784-512-512-10, ReLU", widths: &[784, 512, 512, 10], hidden: Function::Relu },
    Shape { name: "64-1024-1024-1, ReLU", widths: &[64, 1024, 1024, 1], hidden: Function::Relu },
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for shape in &SHAPES {
        let mut group = criterion.benchmark_group(format!("dense network, {}", shape.name));
        for rows in [1, 48, 8192] {
            let columns: Vec<Vec<f32>> = (0..shape.widths[0]).map(|at| numbers(at as u64, rows)).collect();
            let columns: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
            group.throughput(Throughput::Elements(rows as u64));
            for form in Form::all() {
                let network = network(shape).with_form(form);
                let mut outputs = vec![vec![0.0; rows]; network.outputs()];
                group.bench_function(BenchmarkId::new(form.to_string(), rows), |bencher| {
                    bencher.iter(|| {
                        let mut outputs: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
                        network.evaluate(black_box(&columns), &mut outputs);
                    });
                });
            }
        }
        group.finish();
    }
    criterion.final_summary();
}

fn network(shape: &Shape) -> DenseNetwork {
    let last = shape.widths.len() - 2;
    let layers = shape.widths.windows(2).enumerate().map(|(at, pair)| {
        let mut weights = numbers(at as u64, pair[0] * pair[1]);
        weights.iter_mut().for_each(|weight| *weight *= 1.3 / (pair[0] as f32).sqrt());
        let function = if at == last { Function::Sigmoid } else { shape.hidden };
        Layer::try_new(&weights, &numbers(at as u64, pair[1]), vec![Step::Function(function)]).expect("a layer")
    });
    DenseNetwork::try_new(layers.collect()).expect("a network")
}
