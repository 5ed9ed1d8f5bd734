//! From the columns of a row to one value or a few: sums, extremes and their positions.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, UInt64Type};

use super::columns::{Number, all_values, column, for_number, for_wide};
use super::{ReduceOp, wrong_count, wrong_type};
use crate::error::Result;

pub(super) fn run(op: ReduceOp, inputs: &[ArrayRef]) -> Result<ArrayRef> {
    let first = inputs.first().ok_or_else(|| wrong_count(1, 0))?;
    if first.data_type().is_integer() && matches!(op, ReduceOp::L2 | ReduceOp::SumSquare | ReduceOp::LogSumExp) {
        return in_doubles(op, inputs, first.data_type());
    }
    for_wide!(
        first.data_type(),
        T => Ok(column::<T>(reduce(op, &all_values::<T>(inputs)?))),
        _ => Err(wrong_type(&format!("{op:?}"), first.data_type()))
    )
}

/// A reduction of integers whose squares or exponentials are none of their type: the result becomes one, the largest if it is
/// beyond that, as in ONNX Runtime.
fn in_doubles(op: ReduceOp, inputs: &[ArrayRef], data_type: &DataType) -> Result<ArrayRef> {
    let doubles = inputs.iter().map(|column| cast(column, &DataType::Float64)).collect::<Result<Vec<_>, _>>()?;
    let doubles = all_values::<Float64Type>(&doubles)?;
    let reduced = match op {
        // An exponential is an integer as well.
        ReduceOp::LogSumExp => log_sum_exp(&doubles, |number| number.exp().trunc()),
        op => reduce(op, &doubles),
    };
    let reduced = reduced.into_iter();
    Ok(match data_type {
        DataType::Int32 => column::<Int32Type>(reduced.map(|value| value as i32).collect()),
        DataType::Int64 => column::<Int64Type>(reduced.map(|value| value as i64).collect()),
        DataType::UInt64 => column::<UInt64Type>(reduced.map(|value| value as u64).collect()),
        other => return Err(wrong_type(&format!("{op:?}"), other)),
    })
}

fn reduce<N: Number>(op: ReduceOp, columns: &[&[N]]) -> Vec<N> {
    let count = N::from_unsigned(columns.len() as u64);
    match op {
        ReduceOp::Sum => sum(columns, |x| x),
        ReduceOp::Mean => map(sum(columns, |x| x), |sum| sum.divided_by(count).unwrap_or(N::ZERO)),
        ReduceOp::Prod => fold(columns, constant(columns, N::ONE), N::times),
        ReduceOp::Min => extreme(columns, |x, best| x < best),
        ReduceOp::Max => extreme(columns, |x, best| x > best),
        ReduceOp::L1 => sum(columns, N::absolute),
        ReduceOp::L2 => map(sum(columns, |x| x.times(x)), |sum| through_double(sum, f64::sqrt)),
        ReduceOp::SumSquare => sum(columns, |x| x.times(x)),
        ReduceOp::LogSum => map(sum(columns, |x| x), N::logarithm),
        ReduceOp::LogSumExp => log_sum_exp(columns, N::exponential),
    }
}

/// The value that no later column beats. As in ONNX Runtime, NaN stays if it comes first and is passed over elsewhere.
fn extreme<N: Number>(columns: &[&[N]], beats: impl Fn(N, N) -> bool) -> Vec<N> {
    let (first, others) = columns.split_first().map_or((&[][..], columns), |(first, others)| (*first, others));
    fold(others, first.to_vec(), |best, x| if beats(x, best) { x } else { best })
}

fn fold<N: Number>(columns: &[&[N]], initial: Vec<N>, combine: impl Fn(N, N) -> N) -> Vec<N> {
    let mut folded = initial;
    for column in columns {
        for (folded, &value) in folded.iter_mut().zip(*column) {
            *folded = combine(*folded, value);
        }
    }
    folded
}

/// The same value for every row.
fn constant<N: Number>(columns: &[&[N]], value: N) -> Vec<N> {
    vec![value; columns.first().map_or(0, |column| column.len())]
}

fn sum<N: Number>(columns: &[&[N]], term: impl Fn(N) -> N) -> Vec<N> {
    fold(columns, constant(columns, N::ZERO), |sum, value| sum.plus(term(value)))
}

fn map<N: Number>(mut values: Vec<N>, function: impl Fn(N) -> N) -> Vec<N> {
    values.iter_mut().for_each(|value| *value = function(*value));
    values
}

fn through_double<N: Number>(value: N, function: fn(f64) -> f64) -> N {
    N::from_double(function(value.convert()))
}

/// `ln(sum(exp(x)))`, with the largest value taken out so that nothing overflows.
fn log_sum_exp<N: Number>(columns: &[&[N]], exponential: impl Fn(N) -> N) -> Vec<N> {
    let shift =
        map(extreme(columns, |x, best| x > best), |x| if x.convert::<f64>().is_infinite() { N::ZERO } else { x });
    let mut sums = vec![N::ZERO; shift.len()];
    for column in columns {
        for ((sum, &shift), &value) in sums.iter_mut().zip(&shift).zip(*column) {
            *sum = sum.plus(exponential(value.minus(shift)));
        }
    }
    sums.iter().zip(&shift).map(|(sum, &shift)| sum.logarithm().plus(shift)).collect()
}

/// The position of the largest or smallest column of each row.
pub(super) fn position_of_extreme(inputs: &[ArrayRef], largest: bool, last: bool) -> Result<ArrayRef> {
    let first = inputs.first().ok_or_else(|| wrong_count(1, 0))?;
    for_wide!(
        first.data_type(),
        T => {
            let columns = all_values::<T>(inputs)?;
            let positions = match (largest, last) {
                (true, false) => positions(&columns, |x, best| x > best),
                (true, true) => positions(&columns, |x, best| x >= best),
                (false, false) => positions(&columns, |x, best| x < best),
                (false, true) => positions(&columns, |x, best| x <= best),
            };
            Ok(column::<Int64Type>(positions))
        },
        _ => Err(wrong_type("the extreme", first.data_type()))
    )
}

/// The position of the column that no later column beats.
pub(super) fn positions<N: Copy>(columns: &[&[N]], beats: impl Fn(N, N) -> bool) -> Vec<i64> {
    let mut best = columns.first().map_or_else(Vec::new, |column| column.to_vec());
    let mut positions = vec![0; best.len()];
    for (position, column) in columns.iter().enumerate().skip(1) {
        for ((best, at), &value) in best.iter_mut().zip(&mut positions).zip(*column) {
            if beats(value, *best) {
                *best = value;
                *at = position as i64;
            }
        }
    }
    positions
}

/// The `take` largest or smallest columns of each row and their positions; the first of equals comes first.
pub(super) fn top(inputs: &[ArrayRef], take: usize, largest: bool) -> Result<Vec<ArrayRef>> {
    let first = inputs.first().ok_or_else(|| wrong_count(1, 0))?;
    if take > inputs.len() {
        return Err(wrong_count(take, inputs.len()));
    }
    for_wide!(
        first.data_type(),
        T => top_of::<T>(inputs, take, largest),
        _ => Err(wrong_type("the extremes", first.data_type()))
    )
}

fn top_of<T>(inputs: &[ArrayRef], take: usize, largest: bool) -> Result<Vec<ArrayRef>>
where
    T: ArrowPrimitiveType<Native: Number>,
{
    let columns = all_values::<T>(inputs)?;
    let rows = inputs[0].len();
    let mut found = vec![Vec::with_capacity(rows); take];
    let mut places = vec![Vec::with_capacity(rows); take];
    let mut order: Vec<usize> = Vec::with_capacity(columns.len());
    for row in 0..rows {
        order.clear();
        order.extend(0..columns.len());
        sort(&mut order, &|a, b| {
            let order = compare(columns[a][row], columns[b][row]);
            if largest { order.reverse() } else { order }
        });
        for (rank, &place) in order[..take].iter().enumerate() {
            found[rank].push(columns[place][row]);
            places[rank].push(place as i64);
        }
    }
    let found = found.into_iter().map(column::<T>);
    Ok(found.chain(places.into_iter().map(column::<Int64Type>)).collect())
}

/// A stable sort, so that equal values stay in the order of their columns. Compiled once, not for every type.
fn sort(order: &mut [usize], compare: &dyn Fn(usize, usize) -> Ordering) {
    order.sort_by(|&a, &b| compare(a, b));
}

/// Numerical order, with NaN above all numbers.
fn compare<N: Number>(a: N, b: N) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Float32Array, Int64Array};
    use arrow::datatypes::Float32Type;

    use super::*;

    fn rows_as_columns<const K: usize>(rows: &[[f32; K]]) -> Vec<ArrayRef> {
        let column =
            |at: usize| -> ArrayRef { Arc::new(rows.iter().map(|row| Some(row[at])).collect::<Float32Array>()) };
        (0..K).map(column).collect()
    }

    #[test]
    fn reductions_of_floats() {
        let inputs = rows_as_columns(&[[3.0, -4.0, 0.0], [1.0, 1.0, 1.0]]);
        let cases = [
            (ReduceOp::Sum, [-1.0, 3.0]),
            (ReduceOp::Mean, [-1.0 / 3.0, 1.0]),
            (ReduceOp::Prod, [0.0, 1.0]),
            (ReduceOp::Min, [-4.0, 1.0]),
            (ReduceOp::Max, [3.0, 1.0]),
            (ReduceOp::L1, [7.0, 3.0]),
            (ReduceOp::L2, [5.0, 3.0f32.sqrt()]),
            (ReduceOp::SumSquare, [25.0, 3.0]),
        ];
        for (op, expected) in cases {
            let output = run(op, &inputs).expect("columns of floats");
            let got = output.as_primitive::<Float32Type>().values();
            assert!(got.iter().zip(&expected).all(|(got, expected)| (got - expected).abs() < 1e-7), "{op:?}: {got:?}");
        }
        let output = run(ReduceOp::LogSumExp, &rows_as_columns(&[[1000.0, 1000.0]])).expect("columns of floats");
        assert_eq!(output.as_primitive::<Float32Type>().value(0), 1000.0 + 2.0f32.ln());
    }

    #[test]
    fn an_extreme_passes_over_nan_unless_it_comes_first() {
        let inputs = rows_as_columns(&[[f32::NAN, 1.0, 2.0], [1.0, f32::NAN, 2.0]]);
        let largest = run(ReduceOp::Max, &inputs).expect("columns of floats");
        let largest = largest.as_primitive::<Float32Type>();
        assert!(largest.value(0).is_nan() && largest.value(1) == 2.0);
    }

    #[test]
    fn the_mean_of_integers_is_truncated() {
        let column = |value: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![value])) };
        let output = run(ReduceOp::Mean, &[column(-3), column(-4)]).expect("columns of integers");
        assert_eq!(output.as_primitive::<Int64Type>().value(0), -3);
    }

    #[test]
    fn positions_of_extremes_and_ties() {
        let inputs = rows_as_columns(&[[1.0, 3.0, 3.0], [2.0, 2.0, 5.0]]);
        let cases =
            [((true, false), [1, 2]), ((true, true), [2, 2]), ((false, false), [0, 0]), ((false, true), [0, 1])];
        for ((largest, last), expected) in cases {
            let output = position_of_extreme(&inputs, largest, last).expect("columns of floats");
            assert_eq!(output.as_primitive::<Int64Type>().values(), &expected);
        }
    }

    #[test]
    fn the_largest_of_a_row() {
        let outputs = top(&rows_as_columns(&[[1.0, 3.0, 3.0], [5.0, f32::NAN, 6.0]]), 2, true).expect("enough columns");
        assert_eq!(outputs[0].as_primitive::<Float32Type>().value(0), 3.0);
        assert!(outputs[0].as_primitive::<Float32Type>().value(1).is_nan());
        assert_eq!(outputs[2].as_primitive::<Int64Type>().values(), &[1, 1]);
        assert_eq!(outputs[3].as_primitive::<Int64Type>().values(), &[2, 2]);
        assert!(top(&rows_as_columns(&[[1.0]]), 2, true).is_err());
    }
}
