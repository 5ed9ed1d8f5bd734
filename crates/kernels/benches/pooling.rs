//! Windows over pictures: `cargo bench -p foretell-kernels --bench pooling`.
//!
//! The elements counted are the numbers of the pictures.

#[path = "../src/samples/sequence.rs"]
mod sequence;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use foretell_kernels::convolution::Axis;
use foretell_kernels::forms::Form;
use foretell_kernels::pooling::Greatest;
use sequence::numbers;

/// Pictures, their extent, and the kernel, stride and zeros before the picture.
const SHAPES: [[usize; 5]; 3] = [[16, 28, 2, 2, 0], [64, 112, 3, 2, 1], [64, 14, 3, 1, 1]];

fn main() {
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    for [pictures, image, kernel, stride, before] in SHAPES {
        let outputs = (image + 2 * before - kernel) / stride + 1;
        let axis = Axis { image, kernel, stride, dilation: 1, before, outputs };
        let name = format!("{pictures} pictures of {image} x {image}, windows of {kernel} every {stride}");
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements((pictures * image * image) as u64));
        let numbers = numbers(1, pictures * image * image);
        let mut result = vec![0.0; pictures * outputs * outputs];
        for form in Form::all() {
            let mut greatest = Greatest::new([axis; 2]).with_form(form);
            group.bench_function(BenchmarkId::from_parameter(form), |bencher| {
                bencher.iter(|| greatest.evaluate(black_box(&numbers), black_box(&mut result)));
            });
        }
        group.finish();
    }
    criterion.final_summary();
}
