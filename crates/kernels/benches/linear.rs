//! Linear models beside what the memory gives: `cargo bench -p foretell-kernels --bench linear`.
//!
//! The bytes counted are those of the columns read, so that the throughput of a model can be held beside that of a plain sum.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use foretell_kernels::linear::{FusedColumn, FusedInput, FusedLinear, LinearModel, PreStep};

const FEATURES: usize = 28;
/// Categories of eight columns, as a census has them.
const CATEGORIES: [usize; 8] = [9, 16, 7, 15, 6, 5, 2, 42];
/// A row, a batch of an engine, one that only the last cache holds, and a table that no cache holds.
const ROWS: [usize; 4] = [1, 8192, 65_536, 1 << 21];

fn main() {
    let mut criterion = Criterion::default().sample_size(10).without_plots().configure_from_args();
    numbers(&mut criterion);
    categories(&mut criterion);
    criterion.final_summary();
}

fn numbers(criterion: &mut Criterion) {
    for (name, inputs, outputs) in [
        ("28 features", vec![FusedInput::Number(vec![]); FEATURES], 1),
        ("28 scaled features", scaled(FEATURES), 1),
        ("28 scaled features, 5 outputs", scaled(FEATURES), 5),
    ] {
        let model = FusedLinear::try_new(model(FEATURES, outputs), inputs).expect("inputs for all features");
        let mut group = criterion.benchmark_group(name);
        for rows in ROWS {
            let columns: Vec<Vec<f32>> = (0..FEATURES).map(|at| numbers_of(at, rows)).collect();
            let columns: Vec<FusedColumn> = columns.iter().map(|column| FusedColumn::Numbers(column)).collect();
            let mut sums = vec![vec![0.0; rows]; outputs];
            group.throughput(Throughput::Bytes((rows * FEATURES * size_of::<f32>()) as u64));
            group.bench_with_input(BenchmarkId::from_parameter(rows), &rows, |bencher, _| {
                let mut sums: Vec<&mut [f32]> = sums.iter_mut().map(Vec::as_mut_slice).collect();
                bencher.iter(|| model.evaluate(black_box(&columns), &mut sums));
            });
        }
        group.finish();
    }
    let mut group = criterion.benchmark_group("the sum of 28 columns, one after the other");
    for rows in ROWS {
        let columns: Vec<Vec<f32>> = (0..FEATURES).map(|at| numbers_of(at, rows)).collect();
        group.throughput(Throughput::Bytes((rows * FEATURES * size_of::<f32>()) as u64));
        group.bench_with_input(BenchmarkId::from_parameter(rows), &rows, |bencher, _| {
            bencher.iter(|| black_box(&columns).iter().map(|column| sum(column)).sum::<f32>());
        });
    }
    group.finish();
}

fn categories(criterion: &mut Criterion) {
    let inputs = CATEGORIES.iter().map(|&categories| FusedInput::Category { categories }).collect();
    let features = CATEGORIES.iter().sum();
    let model = FusedLinear::try_new(model(features, 1), inputs).expect("inputs for all features");
    for (name, is_dictionary) in [("8 columns of codes", false), ("8 dictionaries", true)] {
        let mut group = criterion.benchmark_group(name);
        for rows in ROWS {
            let codes: Vec<Vec<u32>> = CATEGORIES.iter().map(|&categories| codes_of(categories, rows)).collect();
            let keys: Vec<Vec<i32>> =
                codes.iter().map(|codes| codes.iter().map(|&code| code.cast_signed()).collect()).collect();
            let values: Vec<Vec<u32>> = CATEGORIES.iter().map(|&categories| (0..categories as u32).collect()).collect();
            let columns: Vec<FusedColumn> = match is_dictionary {
                true => {
                    let columns = keys.iter().zip(&values);
                    columns.map(|(keys, codes)| FusedColumn::Dictionary { keys, codes }).collect()
                }
                false => codes.iter().map(|codes| FusedColumn::Codes(codes)).collect(),
            };
            let mut sums = vec![0.0; rows];
            group.throughput(Throughput::Bytes((rows * CATEGORIES.len() * size_of::<u32>()) as u64));
            group.bench_with_input(BenchmarkId::from_parameter(rows), &rows, |bencher, _| {
                bencher.iter(|| model.evaluate(black_box(&columns), &mut [&mut sums]));
            });
        }
        group.finish();
    }
}

fn model(features: usize, outputs: usize) -> LinearModel {
    let weights = (0..features * outputs).map(|at| (at as f32 * 0.7).sin()).collect();
    LinearModel::try_new(weights, vec![0.1; outputs]).expect("a whole number of features")
}

fn scaled(count: usize) -> Vec<FusedInput> {
    (0..count).map(|at| FusedInput::Number(vec![PreStep::Scale { offset: at as f32, scale: 0.5 }])).collect()
}

fn numbers_of(column: usize, rows: usize) -> Vec<f32> {
    (0..rows).map(|row| ((row * (column + 3)) % 1009) as f32 * 1e-3 - 0.5).collect()
}

/// Codes of which the small ones are frequent.
fn codes_of(categories: usize, rows: usize) -> Vec<u32> {
    let mut state = 1_u64;
    let mut code = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let share = (state >> 40) as f64 / f64::from(1 << 24);
        (share.powi(3) * categories as f64) as u32
    };
    (0..rows).map(|_| code()).collect()
}

/// A sum in as many parts as registers hold.
fn sum(column: &[f32]) -> f32 {
    let mut parts = [0.0_f32; 64];
    let (runs, rest) = column.as_chunks::<64>();
    for run in runs {
        parts.iter_mut().zip(run).for_each(|(part, x)| *part += x);
    }
    parts.iter().chain(rest).sum()
}
