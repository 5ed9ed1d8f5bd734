//! Support vectors and nearest neighbours: `cargo bench -p foretell-kernels --bench points`.
//!
//! Each machine is measured with every set of instructions that the processor has, one row at a time and many. Neighbours are
//! also measured beside a sort of all distances.

#[path = "../src/samples/sequence.rs"]
mod sequence;
mod turns;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use foretell_kernels::forms::Form;
use foretell_kernels::neighbours::{Distance, Neighbours};
use foretell_kernels::points::{Measure, Points};
use foretell_kernels::support::{Kernel, SupportPairs, SupportSum, SupportVectors};
use sequence::numbers;
use turns::usual;

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
    support_vectors(&mut criterion);
    neighbours(&mut criterion);
    calibrate();
    criterion.final_summary();
}

fn support_vectors(criterion: &mut Criterion) {
    for (name, kernel) in KERNELS {
        let vectors =
            |count| SupportVectors::try_new(&numbers(1, count * FEATURES), FEATURES, kernel).expect("vectors");
        for count in [500, 2000] {
            measure(criterion, &format!("{count} support vectors, {name}"), |form, columns, rows| {
                let sum =
                    SupportSum::try_new(vectors(count).with_form(form), numbers(2, count), 0.5).expect("a machine");
                let mut scores = vec![0.0; rows];
                let columns = columns.to_vec();
                Box::new(move || sum.evaluate(&slices(&columns), black_box(&mut scores)))
            });
        }
    }
    for classes in [2, 4, 10] {
        measure(criterion, &format!("1000 support vectors of {classes} classes"), |form, columns, rows| {
            let vectors =
                SupportVectors::try_new(&numbers(1, 1000 * FEATURES), FEATURES, KERNELS[0].1).expect("vectors");
            let starts = (0..=classes).map(|class| class * 1000 / classes).collect();
            let (coefficients, constants) = (numbers(2, 1000 * (classes - 1)), numbers(3, classes * (classes - 1) / 2));
            let pairs = SupportPairs::try_new(vectors.with_form(form), starts, coefficients, constants).expect("pairs");
            let mut scores = vec![vec![0.0; rows]; pairs.pairs()];
            let mut winners = vec![0; rows];
            let columns = columns.to_vec();
            Box::new(move || {
                pairs.evaluate(&slices(&columns), &mut mutable(&mut scores), black_box(&mut winners));
            })
        });
    }
}

fn neighbours(criterion: &mut Criterion) {
    for (name, of) in MEASURES {
        for (count, wanted) in [(500, 5), (5000, 5), (5000, 50)] {
            measure(criterion, &format!("nearest {wanted} of {count}, {name}"), |form, columns, rows| {
                let points = Points::try_new(&numbers(1, count * FEATURES), FEATURES, of).expect("points");
                let neighbours =
                    Neighbours::try_new(points.with_form(form), wanted, Distance::Root).expect("neighbours");
                let (mut distances, mut positions) = (vec![vec![0.0; rows]; wanted], vec![vec![0; rows]; wanted]);
                let columns = columns.to_vec();
                Box::new(move || {
                    let (mut distances, mut positions) = (mutable(&mut distances), mutable(&mut positions));
                    neighbours.evaluate(&slices(&columns), &mut distances, black_box(&mut positions));
                })
            });
        }
    }
}

/// Tells what a row costs whose nearest points are kept in order and whose points are gathered: what `IN_ORDER_MAX` in
/// `neighbours.rs` is to foresee. Then what it costs to gather them and to sort all distances.
fn calibrate() {
    const ROWS: usize = 256;
    let columns: Vec<Vec<f32>> = (0..FEATURES).map(|at| numbers(at as u64 + 9, ROWS)).collect();
    let columns = slices(&columns);
    for count in [500, 5000] {
        let any = numbers(1, count * FEATURES);
        // Each point is nearer than all before it.
        let approaching: Vec<f32> = (0..count * FEATURES).map(|at| (count - at / FEATURES) as f32).collect();
        for (order, numbers) in [("any order", any), ("the farthest first", approaching)] {
            let points = Points::try_new(&numbers, FEATURES, Measure::SquaredDistance).expect("points");
            for wanted in [8, 16, 32, 64, 128, 500] {
                let [few, many] = [usize::MAX, 0].map(|in_order_max| {
                    let neighbours = Neighbours::try_new(points.clone(), wanted, Distance::Root).expect("neighbours");
                    neighbours.with_in_order_max(in_order_max)
                });
                let in_order = || search(wanted, ROWS, |found| few.evaluate(&columns, found.0, found.1));
                let gathered = || search(wanted, ROWS, |found| many.evaluate(&columns, found.0, found.1));
                let sorted = || search(wanted, ROWS, |found| sort(&points, &columns, found));
                for (names, ways) in [
                    (["in order", "gathered"], [in_order(), gathered()]),
                    (["gathered", "sorted"], [gathered(), sorted()]),
                ] {
                    let [one, other] = usual(ways);
                    let [one_us, other_us] = [one, other].map(|seconds| seconds * 1e6 / ROWS as f64);
                    let (share, [name, other_name]) = (other / one, names);
                    eprintln!(
                        "{wanted} of {count}, {order}: {one_us:.1} us {name}, {other_us:.1} {other_name}, {share:.2}"
                    );
                }
            }
        }
    }
}

/// Columns of distances and of positions.
type Found<'a, 'b> = (&'a mut [&'b mut [f32]], &'a mut [&'b mut [i64]]);

/// A run that finds neighbours of some rows.
fn search<'a>(wanted: usize, rows: usize, find: impl Fn(Found) + 'a) -> Box<dyn FnMut() + 'a> {
    let (mut distances, mut positions) = (vec![vec![0.0; rows]; wanted], vec![vec![0; rows]; wanted]);
    Box::new(move || find((&mut mutable(&mut distances), black_box(&mut mutable(&mut positions)))))
}

/// What a model does that has a column for each point, the roots of all of them, and takes the smallest of each row.
fn sort(points: &Points, columns: &[&[f32]], (distances, positions): Found) {
    let rows = columns[0].len();
    let mut measured = vec![vec![0.0; rows]; points.count()];
    points.evaluate(columns, &mut mutable(&mut measured));
    measured.iter_mut().flatten().for_each(|distance| *distance = distance.sqrt());
    let compare = |a: f32, b: f32| a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()));
    let mut order: Vec<usize> = Vec::with_capacity(points.count());
    for row in 0..rows {
        order.clear();
        order.extend(0..points.count());
        order.sort_by(|&a, &b| compare(measured[a][row], measured[b][row]));
        for (rank, &place) in order[..distances.len()].iter().enumerate() {
            distances[rank][row] = measured[place][row];
            positions[rank][row] = place as i64;
        }
    }
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

fn mutable<T>(columns: &mut [Vec<T>]) -> Vec<&mut [T]> {
    columns.iter_mut().map(Vec::as_mut_slice).collect()
}
