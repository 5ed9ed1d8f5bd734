//! Measures beside plain loops, whatever the instructions.

use super::*;
use crate::samples::sequence::Sequence;

impl Sequence {
    /// Columns, with a number that is none in the first.
    pub(crate) fn columns(&mut self, features: usize, rows: usize) -> Vec<Vec<f32>> {
        let mut columns: Vec<Vec<f32>> = (0..features).map(|_| self.some(rows)).collect();
        if let Some(value) = columns[0].get_mut(1) {
            *value = [f32::NAN, f32::INFINITY][rows % 2];
        }
        columns
    }
}

const MEASURES: [Measure; 4] =
    [Measure::Product, Measure::SquaredDistance, Measure::ExpandedDistance, Measure::ManhattanDistance];
const ROWS: [usize; 10] = [0, 1, 2, 5, 16, 47, 48, 49, 70, 200];

pub(crate) fn slices(columns: &[Vec<f32>]) -> Vec<&[f32]> {
    columns.iter().map(Vec::as_slice).collect()
}

fn evaluate(points: &Points, columns: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let mut outputs = vec![vec![0.0; columns[0].len()]; points.count()];
    points.evaluate(&slices(columns), &mut outputs.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>());
    outputs
}

/// One number, operation by operation.
#[expect(clippy::disallowed_methods, reason = "products and their additions are rounded once")]
fn measured(measure: Measure, row: &[f32], point: &[f32]) -> f32 {
    let pairs = || row.iter().zip(point);
    let product = |x: &[f32], p: &[f32]| {
        let blocks = x.chunks(256).zip(p.chunks(256));
        blocks.fold(0.0, |sum, (x, p)| sum + x.iter().zip(p).fold(0.0_f32, |sum, (x, p)| x.mul_add(*p, sum)))
    };
    match measure {
        Measure::Product => product(row, point),
        Measure::SquaredDistance => pairs().fold(0.0, |sum, (x, p)| sum + (x - p) * (x - p)),
        Measure::ManhattanDistance => pairs().fold(0.0, |sum, (x, p)| sum + (x - p).abs()),
        Measure::ExpandedDistance => (square_norm(row) + -2.0 * product(row, point) + square_norm(point)).abs(),
    }
}

/// `x·x` as vectors of four numbers add it up, two of them at a time.
fn square_norm(x: &[f32]) -> f32 {
    let (pairs, rest) = x.split_at(x.len() / 8 * 8);
    let mut lanes = [0.0_f32; 8];
    for eight in pairs.chunks_exact(8) {
        (0..8).for_each(|lane| lanes[lane] += eight[lane] * eight[lane]);
    }
    let mut four: [f32; 4] = std::array::from_fn(|lane| lanes[lane] + lanes[lane + 4]);
    let (whole, rest) = rest.split_at(rest.len() / 4 * 4);
    (0..whole.len()).for_each(|lane| four[lane] += whole[lane] * whole[lane]);
    rest.iter().fold((four[0] + four[2]) + (four[1] + four[3]), |sum, x| sum + x * x)
}

/// In double precision, and what its rounding in single precision may amount to.
fn exact(measure: Measure, row: &[f32], point: &[f32]) -> (f64, f64) {
    let terms = row.iter().zip(point).map(|(&x, &p)| {
        let (x, p) = (f64::from(x), f64::from(p));
        match measure {
            Measure::Product => (x * p, (x * p).abs()),
            Measure::SquaredDistance => ((x - p).powi(2), (x - p).powi(2)),
            Measure::ExpandedDistance => ((x - p).powi(2), x * x + 2.0 * (x * p).abs() + p * p),
            Measure::ManhattanDistance => ((x - p).abs(), (x - p).abs()),
        }
    });
    terms.fold((0.0, 0.0), |(sum, size), (term, term_size)| (sum + term, size + term_size))
}

fn same(got: f32, expected: f32) -> bool {
    got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan()
}

#[test]
fn every_form_gives_the_bits_of_plain_loops() {
    let mut numbers = Sequence(1);
    for (features, count) in [(1, 1), (3, 9), (8, 64), (13, 70), (28, 131), (600, 5)] {
        let values = numbers.some(features * count);
        for (rows, measure) in ROWS.into_iter().flat_map(|rows| MEASURES.map(|measure| (rows, measure))) {
            let columns = numbers.columns(features, rows);
            for form in Form::all() {
                let points = Points::try_new(&values, features, measure).expect("points").with_form(form);
                let outputs = evaluate(&points, &columns);
                for (row, at) in (0..rows).flat_map(|row| (0..count).map(move |at| (row, at))) {
                    let point = &values[at * features..][..features];
                    let x: Vec<f32> = columns.iter().map(|column| column[row]).collect();
                    let (got, expected) = (outputs[at][row], measured(measure, &x, point));
                    assert!(same(got, expected), "{measure:?}, {rows} rows, {form}: {got} instead of {expected}");
                    let (exact, size) = exact(measure, &x, point);
                    let error = (f64::from(got) - exact).abs();
                    assert!(error.is_nan() || error <= size * 1e-5, "{measure:?}: {got} instead of {exact}");
                }
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_whatever_is_around_it() {
    let mut numbers = Sequence(2);
    let values = numbers.some(28 * 75);
    let columns: Vec<Vec<f32>> = (0..28).map(|_| numbers.some(131)).collect();
    for (form, measure) in Form::all().into_iter().flat_map(|form| MEASURES.map(|measure| (form, measure))) {
        let points = Points::try_new(&values, 28, measure).expect("points").with_form(form);
        let together = evaluate(&points, &columns);
        for part in [0..1, 5..131, 7..9, 64..65, 90..106, 3..52] {
            let some: Vec<Vec<f32>> = columns.iter().map(|column| column[part.clone()].to_vec()).collect();
            for (got, expected) in evaluate(&points, &some).iter().zip(&together) {
                let mut pairs = got.iter().zip(&expected[part.clone()]);
                assert!(pairs.all(|(&got, &expected)| same(got, expected)), "{measure:?}, rows {part:?}, {form}");
            }
        }
    }
}

#[test]
fn numbers_that_are_no_points_are_refused() {
    let part = Points::try_new(&[1.0; 5], 2, Measure::Product).expect_err("a half");
    assert_eq!(part.to_string(), "5 numbers are no points of 2 features");
    assert!(Points::try_new(&[], 2, Measure::Product).is_err());
    assert!(Points::try_new(&[], 0, Measure::Product).is_err());
}
