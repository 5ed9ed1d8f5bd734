//! Convolutions of the shapes that networks for pictures have: `cargo bench -p foretell-kernels --bench convolution`.
//!
//! Each is measured with every set of instructions that the processor has, channel by channel and, where that is what a network
//! takes ([`Layer::is_dense`]), with the channels side by side, turning the pictures included: what is faster for how many
//! filters is seen here. The elements counted are operations, two for each product of numbers.

#[path = "../src/samples/sequence.rs"]
mod sequence;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use foretell_kernels::convolution::{Axis, Convolution, Shape};
use foretell_kernels::forms::Form;
use foretell_kernels::pictures::{Extents, Layer, Network, Scratch};
use sequence::numbers;

/// Channels, filters, groups, extent, kernel, stride and pictures.
const SHAPES: [[usize; 7]; 12] = [
    [1, 16, 1, 28, 3, 1, 8],
    [16, 32, 1, 14, 3, 1, 8],
    [3, 64, 1, 224, 7, 2, 1],
    [64, 64, 1, 56, 3, 1, 1],
    [128, 128, 1, 28, 3, 1, 1],
    [256, 256, 1, 14, 3, 1, 1],
    [512, 512, 1, 7, 3, 1, 8],
    [96, 96, 96, 56, 3, 1, 1],
    [384, 384, 384, 14, 3, 1, 8],
    [64, 24, 1, 28, 3, 1, 1],
    [64, 32, 1, 4, 3, 1, 8],
    [32, 16, 1, 28, 3, 1, 1],
];

fn main() {
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    for [channels, filters, groups, image, kernel, stride, pictures] in SHAPES {
        let before = kernel / 2;
        let axis = Axis { image, kernel, stride, dilation: 1, before, outputs: image.div_ceil(stride) };
        let shape = Shape { channels, filters, groups, axes: [axis; 2] };
        let name = format!("{channels} channels, {filters} filters of {kernel} x {kernel}, {image} x {image}");
        let mut group = criterion.benchmark_group(format!("{name}, {pictures} together"));
        let places = axis.outputs * axis.outputs;
        let depth = channels / groups * kernel * kernel;
        group.throughput(Throughput::Elements((2 * pictures * filters * depth * places) as u64));
        let images = numbers(1, pictures * channels * image * image);
        let (weights, bias) = (numbers(2, filters * depth), numbers(3, filters));
        let mut result = vec![0.0; pictures * filters * places];
        for form in Form::all().into_iter().skip(1) {
            let mut convolution = Convolution::new(shape).with_form(form);
            group.bench_function(BenchmarkId::from_parameter(form), |bencher| {
                bencher.iter(|| convolution.evaluate(black_box(&images), &weights, &bias, black_box(&mut result)));
            });
            if Layer::is_dense(&shape) {
                let layer = Layer::Convolution { shape, weights: &weights, bias: &bias };
                let network = Network::new(form, Extents { channels, height: image, width: image }, &[layer]);
                let mut scratch = Scratch::default();
                group.bench_function(BenchmarkId::new("side by side", form), |bencher| {
                    bencher.iter(|| network.evaluate(black_box(&images), black_box(&mut result), &mut scratch));
                });
            }
        }
        group.finish();
    }
    criterion.final_summary();
}
