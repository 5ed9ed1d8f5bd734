//! Products of the shapes that transformers have: `cargo bench -p foretell-kernels --bench matrix`.
//!
//! Each product is measured with every set of instructions that the processor has.

#[path = "../src/samples/sequence.rs"]
mod sequence;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use foretell_kernels::forms::Form;
use foretell_kernels::matrix::{Extents, Order, Product};
use sequence::numbers;

/// Rows, depth and columns.
const EXTENTS: [[usize; 3]; 8] = [
    [1024, 384, 384],
    [256, 384, 384],
    [256, 384, 1536],
    [256, 1536, 384],
    [256, 1024, 1024],
    [32, 384, 384],
    [32, 32, 32],
    [1, 384, 384],
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for order in [Order::Rows, Order::Columns] {
        for [rows, depth, columns] in EXTENTS {
            let extents = Extents { rows, depth, columns };
            let (left, right) = (numbers(1, rows * depth), numbers(2, depth * columns));
            let mut result = vec![0.0; rows * columns];
            let mut group = criterion.benchmark_group(format!("product, {rows} x {depth} x {columns}, {order:?}"));
            // Two operations for each product of numbers.
            group.throughput(Throughput::Elements(2 * (rows * depth * columns) as u64));
            for form in Form::all().into_iter().skip(1) {
                let mut product = Product::new(extents).with_order(order).with_form(form);
                group.bench_function(BenchmarkId::from_parameter(form), |bencher| {
                    bencher.iter(|| product.add(black_box(&left), black_box(&right), black_box(&mut result)));
                });
            }
            group.finish();
        }
    }
    criterion.final_summary();
}
