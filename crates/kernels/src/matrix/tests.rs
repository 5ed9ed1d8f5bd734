//! Products beside plain loops, whatever the instructions.

use super::*;
use crate::samples::sequence::numbers;

/// The same sums, one after the other.
#[expect(clippy::disallowed_methods, reason = "products of matrices round once")]
fn expected(extents: Extents, left: &[f32], right: &[f32], result: &[f32]) -> Vec<f32> {
    let Extents { depth, columns, .. } = extents;
    let mut expected = result.to_vec();
    for (at, result) in expected.iter_mut().enumerate() {
        let (row, column) = (at / columns, at % columns);
        for features in blocks(depth, BLOCK_DEPTH) {
            let add = |sum: f32, at: usize| right[at * columns + column].mul_add(left[row * depth + at], sum);
            *result += features.fold(0.0, add);
        }
    }
    expected
}

fn transposed(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..matrix.len()).map(|at| matrix[at % rows * columns + at / rows]).collect()
}

/// Whether numbers have the same bits, but for those of NaN.
fn same(got: &[f32], expected: &[f32]) -> bool {
    got.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
}

const EXTENTS: [[usize; 3]; 17] = [
    [1, 1, 1],
    [1, 5, 70],
    [2, 300, 48],
    [3, 4, 0],
    [3, 0, 5],
    [0, 4, 3],
    [4, 17, 16],
    [5, 3, 1024],
    [5, 257, 49],
    [7, 33, 24],
    [8, 256, 96],
    [9, 64, 64],
    [13, 600, 31],
    [17, 3, 130],
    [32, 32, 32],
    [70, 512, 33],
    [600, 40, 20],
];

#[test]
fn every_form_and_order_gives_the_bits_of_plain_loops() {
    for (seed, [rows, depth, columns]) in EXTENTS.into_iter().enumerate() {
        let extents = Extents { rows, depth, columns };
        let mut left = numbers(seed as u64, rows * depth);
        let right = numbers(seed as u64 + 100, depth * columns);
        let before = numbers(seed as u64 + 200, rows * columns);
        if let Some(number) = left.get_mut(1) {
            *number = [f32::NAN, f32::INFINITY, 1e30][seed % 3];
        }
        let expected = expected(extents, &left, &right, &before);
        let turned = transposed(&right, depth.max(1), columns);
        for form in Form::all() {
            for (order, right) in [(Order::Rows, &right), (Order::Columns, &turned)] {
                let product = || Product::new(extents).with_form(form).with_order(order);
                let ways = [product(), product().with_direct_rows_max(0), product().with_direct_rows_max(rows)];
                for (way, mut product) in ["as measured", "packed", "direct"].into_iter().zip(ways) {
                    let mut got = before.clone();
                    product.add(&left, right, &mut got);
                    assert!(same(&got, &expected), "{extents:?}, {order:?}, {way}, {form}");
                }
                let mut got = before.clone();
                Packed::new(form, [depth, columns], order, right).add(&left, &mut got);
                assert!(same(&got, &expected), "{extents:?}, packed once from {order:?}, {form}");
            }
        }
    }
}

#[test]
fn sums_are_those_of_double_precision() {
    let extents = Extents { rows: 20, depth: 1000, columns: 50 };
    let (left, right) = (numbers(1, 20_000), numbers(2, 50_000));
    let mut got = vec![0.0; 1000];
    Product::new(extents).add(&left, &right, &mut got);
    for (at, got) in got.iter().enumerate() {
        let terms = (0..1000).map(|k| f64::from(left[at / 50 * 1000 + k]) * f64::from(right[k * 50 + at % 50]));
        let exact: f64 = terms.sum();
        assert!((f64::from(*got) - exact).abs() < 5e-5, "{got} instead of {exact}");
    }
}

#[test]
fn a_row_has_the_same_bits_whatever_is_around_it() {
    let [depth, columns] = [300, 61];
    let (left, right) = (numbers(3, 41 * depth), numbers(4, depth * columns));
    let product = |left: &[f32]| {
        let rows = left.len() / depth;
        let mut result = vec![0.0; rows * columns];
        Product::new(Extents { rows, depth, columns }).add(left, &right, &mut result);
        result
    };
    let together = product(&left);
    for rows in [0..1, 3..41, 8..16, 40..41, 5..12] {
        let alone = product(&left[rows.start * depth..rows.end * depth]);
        assert_eq!(alone, together[rows.start * columns..rows.end * columns], "rows {rows:?}");
    }
}
