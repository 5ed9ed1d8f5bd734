//! What stands between the products of networks: `cargo bench -p foretell-kernels --bench lines`.
//!
//! Each program is measured with every set of instructions that the processor has; the elements counted are the numbers of all
//! lines.

#[path = "../src/samples/sequence.rs"]
mod sequence;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use foretell_kernels::forms::Form;
use foretell_kernels::functions::Function;
use foretell_kernels::lines::{Extent, Input, Pair, Program, Starts, Step, Value};
use sequence::numbers;

/// Lines and their width: the tokens of a transformer, the rows of a picture, long lines.
const EXTENTS: [[usize; 2]; 3] = [[256, 384], [8192, 28], [16, 8192]];

fn main() {
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    let input = Value::Input(0);
    for (name, steps) in [
        ("ReLU", vec![Step::Function(Function::Relu, input)]),
        ("GELU", vec![Step::Function(Function::Gelu, input)]),
        ("softmax", vec![Step::Softmax(input)]),
        (
            "a sum and its normalisation",
            vec![Step::Pair(Pair::Add, input, Value::Input(1)), Step::Standardise(1e-5, Value::Step(0))],
        ),
    ] {
        for [lines, width] in EXTENTS {
            let mut group = criterion.benchmark_group(format!("{name}, {lines} lines of {width}"));
            group.throughput(Throughput::Elements((lines * width) as u64));
            let (first, second) = (numbers(1, lines * width), numbers(2, lines * width));
            let mut result = vec![0.0; lines * width];
            for form in Form::all() {
                let program = Program::try_new(&[Extent::Line; 2], steps.clone(), &[steps.len() - 1]);
                let program = program.expect("a program").with_form(form);
                let inputs = [&first, &second].map(|numbers| Input { numbers, starts: Starts::Every(width) });
                group.bench_function(BenchmarkId::from_parameter(form), |bencher| {
                    bencher.iter(|| program.run(lines, width, black_box(&inputs), &mut [black_box(&mut result)]));
                });
            }
            group.finish();
        }
    }
    criterion.final_summary();
}
