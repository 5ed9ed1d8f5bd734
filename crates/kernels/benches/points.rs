//! Support vectors and nearest neighbours: `cargo bench -p foretell-kernels --bench points`.
//!
//! Each machine is measured with every set of instructions that the processor has, one row at a time and many.

#[path = "../src/samples/sequence.rs"]
mod sequence;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use foretell_kernels::forms::Form;
use foretell_kernels::neighbours::{Distance, Neighbours};
use foretell_kernels::points::{Measure, Points};
use foretell_kernels::support::{Kernel, SupportPairs, SupportSum, SupportVectors};
use sequence::numbers;

const FEATURES: usize = 28;
const ROWS: [usize; 2] = [1, 8192];

const KERNELS: [(&str, Kernel); 4] = [
    ("Gaussian", Kernel::Gaussian { gamma: 0.009 }),
    ("polynomial", Kernel::Polynomial { gamma: 0.009, offset: 0.5, degree: 3.0 }),
    ("sigmoid", Kernel::Sigmoid { gamma: 0.009, offset: 0.5 }),
    ("linear", Kernel::Linear),
];

const MEASURES: [(&str, Measure); 3] = [
    ("squared", Measure::SquaredDistance),
    ("expanded", Measure::ExpandedDistance),
    ("Manhattan", Measure::ManhattanDistance),
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, kernel) in KERNELS {
        let vectors =
            |count| SupportVectors::try_new(&numbers(1, count * FEATURES), FEATURES, kernel).expect("vectors");
        for count in [500, 2000] {
            measure(&mut criterion, &format!("{count} support vectors, {name}"), |form, columns, rows| {
                let sum =
                    SupportSum::try_new(vectors(count).with_form(form), numbers(2, count), 0.5).expect("a machine");
                let mut scores = vec![0.0; rows];
                let columns = columns.to_vec();
                Box::new(move || sum.evaluate(&slices(&columns), black_box(&mut scores)))
            });
        }
    }
    for classes in [2, 4, 10] {
        measure(&mut criterion, &format!("1000 support vectors of {classes} classes"), |form, columns, rows| {
            let vectors =
                SupportVectors::try_new(&numbers(1, 1000 * FEATURES), FEATURES, KERNELS[0].1).expect("vectors");
            let starts = (0..=classes).map(|class| class * 1000 / classes).collect();
            let (coefficients, constants) = (numbers(2, 1000 * (classes - 1)), numbers(3, classes * (classes - 1) / 2));
            let pairs = SupportPairs::try_new(vectors.with_form(form), starts, coefficients, constants).expect("pairs");
            let mut scores = vec![vec![0.0; rows]; pairs.pairs()];
            let mut winners = vec![0; rows];
            let columns = columns.to_vec();
            Box::new(move || {
                let mut scores: Vec<&mut [f32]> = scores.iter_mut().map(Vec::as_mut_slice).collect();
                pairs.evaluate(&slices(&columns), &mut scores, black_box(&mut winners));
            })
        });
    }
    for (name, of) in MEASURES {
        for (count, wanted) in [(500, 5), (5000, 5), (5000, 50)] {
            measure(&mut criterion, &format!("nearest {wanted} of {count}, {name}"), |form, columns, rows| {
                let points = Points::try_new(&numbers(1, count * FEATURES), FEATURES, of).expect("points");
                let neighbours =
                    Neighbours::try_new(points.with_form(form), wanted, Distance::Root).expect("neighbours");
                let (mut distances, mut positions) = (vec![vec![0.0; rows]; wanted], vec![vec![0; rows]; wanted]);
                let columns = columns.to_vec();
                Box::new(move || {
                    let mut distances: Vec<&mut [f32]> = distances.iter_mut().map(Vec::as_mut_slice).collect();
                    let mut positions: Vec<&mut [i64]> = positions.iter_mut().map(Vec::as_mut_slice).collect();
                    neighbours.evaluate(&slices(&columns), &mut distances, black_box(&mut positions));
                })
            });
        }
    }
    criterion.final_summary();
}

/// A run over some rows.
type Run = Box<dyn FnMut()>;

fn measure(criterion: &mut Criterion, name: &str, run_of: impl Fn(Form, &[Vec<f32>], usize) -> Run) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    for rows in ROWS {
        let columns: Vec<Vec<f32>> = (0..FEATURES).map(|at| numbers(at as u64 + 9, rows)).collect();
        group.throughput(Throughput::Elements(rows as u64));
        for form in Form::all() {
            let mut run = run_of(form, &columns, rows);
            group.bench_function(BenchmarkId::new(form.to_string(), rows), |bencher| bencher.iter(&mut run));
        }
    }
    group.finish();
}

fn slices(columns: &[Vec<f32>]) -> Vec<&[f32]> {
    columns.iter().map(Vec::as_slice).collect()
}
