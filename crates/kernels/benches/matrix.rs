//! Products of the shapes that transformers have: `cargo bench -p foretell-kernels --bench matrix`.
//!
//! Each product is measured with every set of instructions that the processor has. Those of networks are then measured with
//! columns that are read where they lie, and with columns that are packed first.

#[path = "../src/samples/sequence.rs"]
mod sequence;
mod turns;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use foretell_kernels::forms::Form;
use foretell_kernels::matrix::{Extents, Order, Product};
use sequence::numbers;
use turns::usual;

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

/// Depth and columns of layers that some rows are multiplied with.
const LAYERS: [[usize; 2]; 6] = [[64, 64], [384, 384], [384, 1536], [768, 768], [1024, 1024], [768, 3072]];

/// Rows of the left matrix.
const ROWS: [usize; 8] = [1, 3, 4, 8, 16, 32, 64, 128];

/// Numbers of all layers of a network: more than stay in the second-level cache.
const NETWORK: usize = 8 << 20;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    products(&mut criterion);
    calibrate();
    criterion.final_summary();
}

fn products(criterion: &mut Criterion) {
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
}

/// Tells what a layer of a network costs with columns that are read where they lie and with packed ones: what
/// `direct_rows_max` in `matrix.rs` is to foresee.
fn calibrate() {
    let network = numbers(2, NETWORK);
    for [depth, columns] in LAYERS {
        let layers = NETWORK / (depth * columns);
        for (form, rows) in Form::all().into_iter().skip(1).flat_map(|form| ROWS.map(|rows| (form, rows))) {
            let left = numbers(1, rows * depth);
            let [direct, packed] = usual([usize::MAX, 0].map(|direct_rows_max| {
                let product = Product::new(Extents { rows, depth, columns }).with_form(form);
                let mut product = product.with_direct_rows_max(direct_rows_max);
                let (left, network, mut result) = (&left, &network, vec![0.0; rows * columns]);
                Box::new(move || {
                    for layer in network.chunks_exact(depth * columns) {
                        product.add(black_box(left), layer, black_box(&mut result));
                    }
                }) as Box<dyn FnMut()>
            }));
            let [direct_us, packed_us] = [direct, packed].map(|seconds| seconds * 1e6 / layers as f64);
            let share = packed / direct;
            eprintln!(
                "{rows} x {depth} x {columns}, {form}: {direct_us:.1} us direct, {packed_us:.1} packed, {share:.2}"
            );
        }
    }
}
