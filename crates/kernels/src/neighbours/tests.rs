//! Neighbours beside sorted distances, whatever the instructions.

use super::*;
use crate::points::Measure;
use crate::points::tests::slices;
use crate::samples::sequence::Sequence;

const MEASURES: [Measure; 3] = [Measure::SquaredDistance, Measure::ExpandedDistance, Measure::ManhattanDistance];
const ROWS: [usize; 7] = [0, 1, 3, 16, 48, 50, 131];

type Columns<T> = Vec<Vec<T>>;

fn evaluate(neighbours: &Neighbours, columns: &[&[f32]], rows: usize) -> (Columns<f32>, Columns<i64>) {
    let (mut distances, mut positions) =
        (vec![vec![0.0; rows]; neighbours.count()], vec![vec![0; rows]; neighbours.count()]);
    let mut distance_columns: Vec<&mut [f32]> = distances.iter_mut().map(Vec::as_mut_slice).collect();
    let mut position_columns: Vec<&mut [i64]> = positions.iter_mut().map(Vec::as_mut_slice).collect();
    neighbours.evaluate(columns, &mut distance_columns, &mut position_columns);
    (distances, positions)
}

/// All distances, sorted.
fn expected(points: &Points, columns: &[&[f32]], count: usize, distance: Distance) -> (Columns<f32>, Columns<i64>) {
    let rows = columns[0].len();
    let mut measured = vec![vec![0.0; rows]; points.count()];
    points.evaluate(columns, &mut measured.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>());
    if distance == Distance::Root {
        measured.iter_mut().flatten().for_each(|x| *x = x.sqrt());
    }
    let (mut distances, mut positions) = (vec![Vec::new(); count], vec![Vec::new(); count]);
    for row in 0..rows {
        let of_row: Vec<f32> = measured.iter().map(|column| column[row]).collect();
        let mut order: Vec<usize> = (0..points.count()).collect();
        let compare = |a: f32, b: f32| a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()));
        order.sort_by(|&a, &b| compare(of_row[a], of_row[b]));
        for (rank, &place) in order[..count].iter().enumerate() {
            distances[rank].push(of_row[place]);
            positions[rank].push(place as i64);
        }
    }
    (distances, positions)
}

fn bits(columns: &[Vec<f32>]) -> Vec<Vec<u32>> {
    let bits = |x: &f32| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() };
    columns.iter().map(|column| column.iter().map(bits).collect()).collect()
}

/// Numbers of which many are equal.
fn coarse(numbers: Vec<f32>) -> Vec<f32> {
    numbers.into_iter().map(|x| (x * 3.0).round()).collect()
}

#[test]
fn every_form_gives_the_sorted_distances() {
    let mut numbers = Sequence(7);
    for (features, points, count) in [(1, 1, 1), (2, 9, 9), (3, 130, 5), (28, 200, 1), (5, 300, 70)] {
        let mut values = numbers.some(features * points);
        let mut columns_of = ROWS.map(|rows| numbers.columns(features, rows));
        if features != 28 {
            values = coarse(values);
            columns_of.iter_mut().flatten().for_each(|column| *column = coarse(std::mem::take(column)));
        }
        if points == 300 {
            values[features * 7] = f32::NAN;
            values[features * 200] = f32::INFINITY;
        }
        for (measure, distance) in
            MEASURES.into_iter().flat_map(|measure| [Distance::Measured, Distance::Root].map(|root| (measure, root)))
        {
            let points = Points::try_new(&values, features, measure).expect("points");
            for (columns, rows) in columns_of.iter().zip(ROWS) {
                let columns = slices(columns);
                let expected = expected(&points, &columns, count, distance);
                for (form, in_order_max) in Form::all().into_iter().flat_map(|form| [(form, count), (form, 0)]) {
                    let neighbours = Neighbours::try_new(points.clone(), count, distance).expect("neighbours");
                    let neighbours = neighbours.with_form(form).with_in_order_max(in_order_max);
                    let got = evaluate(&neighbours, &columns, rows);
                    assert_eq!(bits(&got.0), bits(&expected.0), "{measure:?}, {distance:?}, {rows} rows, {form}");
                    assert_eq!(got.1, expected.1, "{measure:?}, {distance:?}, {rows} rows, {form}");
                }
            }
        }
    }
}

#[test]
fn equal_roots_of_different_distances_are_equal() {
    let (far, near) = (1.0_f32.next_up(), 1.0_f32);
    assert_eq!(far.sqrt(), near.sqrt());
    let measured = [far, near, 0.5, near, far];
    assert_eq!(places(InOrder::new(4), &measured), [2, 0, 1, 3]);
    assert_eq!(places(Gathered::new(4, 5), &measured), [2, 0, 1, 3]);
    assert_eq!(places(InOrder::new(1), &measured[..2]), [0]);
    assert_eq!(places(Gathered::new(1, 2), &measured[..2]), [0]);
}

/// Which are nearest of points with these distances, before their roots are taken.
fn places(mut keep: impl Keep, measured: &[f32]) -> Vec<usize> {
    keep.begin(1);
    let mut limits = [f32::NAN];
    Met { first: 0, values: measured, distance: Distance::Root, limits: &mut limits, keep: &mut keep }.of_row();
    keep.nearest(0).iter().map(|kept| kept.place).collect()
}

#[test]
fn more_neighbours_than_points_are_refused() {
    let points = || Points::try_new(&[1.0, 2.0], 1, Measure::SquaredDistance).expect("two points");
    let error = Neighbours::try_new(points(), 3, Distance::Root).expect_err("two are not three");
    assert_eq!(error.to_string(), "the nearest 3 of 2 points");
    assert!(Neighbours::try_new(points(), 0, Distance::Root).is_err());
}
