//! Functions of all columns of a row that give as many columns back.

use arrow::array::{ArrayRef, ArrowPrimitiveType};
use arrow::datatypes::{DataType, Float32Type};
use foretell_kernels::activation::{log_softmax, softmax, softmax_wide, softmax_zero};

use super::columns::{Number, all_values, column, for_float, for_number, for_wide};
use super::reduce::positions;
use super::{AcrossOp, wrong_count, wrong_type};
use crate::error::Result;

pub(super) fn run(op: AcrossOp, inputs: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let data_type = inputs.first().ok_or_else(|| wrong_count(1, 0))?.data_type();
    let refused = || Err(wrong_type(&format!("{op:?}"), data_type));
    match op {
        AcrossOp::Softmax => for_float!(data_type, T => in_place::<T>(inputs, softmax), _ => refused()),
        AcrossOp::LogSoftmax => for_float!(data_type, T => in_place::<T>(inputs, log_softmax), _ => refused()),
        AcrossOp::SoftmaxZero if data_type == &DataType::Float32 => in_place::<Float32Type>(inputs, softmax_zero),
        AcrossOp::SoftmaxWide if data_type == &DataType::Float32 => in_place::<Float32Type>(inputs, softmax_wide),
        AcrossOp::SoftmaxZero | AcrossOp::SoftmaxWide => refused(),
        AcrossOp::NormMax => for_wide!(data_type, T => norm_max::<T>(inputs), _ => refused()),
        AcrossOp::NormL1 => for_wide!(data_type, T => norm_l1::<T>(inputs), _ => refused()),
        AcrossOp::NormL2 => for_wide!(data_type, T => norm_l2::<T>(inputs), _ => refused()),
        AcrossOp::Hardmax => for_float!(data_type, T => hardmax::<T>(inputs), _ => refused()),
        AcrossOp::CumSum => for_wide!(data_type, T => running_sum::<T>(inputs), _ => refused()),
    }
}

/// Runs a kernel over a copy of the columns.
fn in_place<T: ArrowPrimitiveType>(inputs: &[ArrayRef], kernel: fn(&mut [&mut [T::Native]])) -> Result<Vec<ArrayRef>> {
    let mut copies: Vec<Vec<T::Native>> = all_values::<T>(inputs)?.into_iter().map(<[_]>::to_vec).collect();
    kernel(&mut copies.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>());
    Ok(copies.into_iter().map(column::<T>).collect())
}

/// Divided by the largest value (not the largest absolute value: so ONNX Runtime reads the ONNX text), unless that is zero.
fn norm_max<T: ArrowPrimitiveType<Native: Number>>(inputs: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let columns = floats::<T>(inputs, |x| x.convert())?;
    let largest = fold(&columns, f32::MIN, |largest, x| if x > largest { x } else { largest });
    Ok(divide(columns, &largest))
}

/// Divided by the sum of absolute values, unless that is zero.
fn norm_l1<T: ArrowPrimitiveType<Native: Number>>(inputs: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let sum = fold(&floats::<T>(inputs, |x| x.absolute().convert())?, 0.0, |sum, x| sum + x);
    Ok(divide(floats::<T>(inputs, |x| x.convert())?, &sum))
}

/// The root of each square's share in the sum of squares, with the sign of the value; the value itself if that sum is zero.
fn norm_l2<T: ArrowPrimitiveType<Native: Number>>(inputs: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let squares = floats::<T>(inputs, |x| x.times(x).convert())?;
    let sum = fold(&squares, 0.0, |sum, square| sum + square);
    let share = |x: T::Native, square: f32, sum: f32| match (square / sum).sqrt() {
        _ if sum == 0.0 => x.convert(),
        root if x < T::Native::ZERO => -root,
        root => root,
    };
    let normed = |(values, squares): (&[T::Native], Vec<f32>)| -> Vec<f32> {
        values.iter().zip(squares).zip(&sum).map(|((&x, square), &sum)| share(x, square, sum)).collect()
    };
    Ok(all_values::<T>(inputs)?.into_iter().zip(squares).map(normed).map(column::<Float32Type>).collect())
}

/// 1 for the first of the largest values and 0 for the others; all are 0 where the first one is NaN, which nothing beats.
fn hardmax<T: ArrowPrimitiveType<Native: Number>>(inputs: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let columns = all_values::<T>(inputs)?;
    let largest = positions(&columns, |x, best| x > best);
    let indicator = |(at, values): (usize, &&[T::Native])| {
        let is_largest = |(&x, &position): (&T::Native, &i64)| position == at as i64 && !x.is_nan();
        let bits = values.iter().zip(&largest).map(is_largest);
        column::<T>(bits.map(|bit| if bit { T::Native::ONE } else { T::Native::ZERO }).collect())
    };
    Ok(columns.iter().enumerate().map(indicator).collect())
}

fn running_sum<T: ArrowPrimitiveType<Native: Number>>(inputs: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    let mut sum = vec![T::Native::ZERO; inputs.first().map_or(0, |input| input.len())];
    let mut add = |values: &[T::Native]| {
        sum.iter_mut().zip(values).for_each(|(sum, &value)| *sum = sum.plus(value));
        column::<T>(sum.clone())
    };
    Ok(all_values::<T>(inputs)?.into_iter().map(&mut add).collect())
}

fn floats<T: ArrowPrimitiveType>(inputs: &[ArrayRef], convert: fn(T::Native) -> f32) -> Result<Vec<Vec<f32>>> {
    let columns = all_values::<T>(inputs)?;
    Ok(columns.into_iter().map(|column| column.iter().map(|&x| convert(x)).collect()).collect())
}

fn fold(columns: &[Vec<f32>], initial: f32, combine: impl Fn(f32, f32) -> f32) -> Vec<f32> {
    let mut folded = vec![initial; columns.first().map_or(0, Vec::len)];
    for column in columns {
        folded.iter_mut().zip(column).for_each(|(folded, &x)| *folded = combine(*folded, x));
    }
    folded
}

/// Each value over its row's divisor, where that is not zero.
fn divide(mut columns: Vec<Vec<f32>>, divisors: &[f32]) -> Vec<ArrayRef> {
    for column in &mut columns {
        for (value, &divisor) in column.iter_mut().zip(divisors) {
            if divisor != 0.0 {
                *value /= divisor;
            }
        }
    }
    columns.into_iter().map(column::<Float32Type>).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Float32Array, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn floats(op: AcrossOp, row: &[f32]) -> Vec<f32> {
        let column = |x: &f32| -> ArrayRef { Arc::new(Float32Array::from(vec![*x])) };
        let outputs = run(op, &row.iter().map(column).collect::<Vec<_>>()).expect("columns of floats");
        outputs.iter().map(|output| output.as_primitive::<Float32Type>().value(0)).collect()
    }

    #[test]
    fn norms() {
        assert_eq!(floats(AcrossOp::NormMax, &[-4.0, 2.0]), [-2.0, 1.0]);
        assert_eq!(floats(AcrossOp::NormMax, &[0.0, -2.0]), [0.0, -2.0]);
        assert_eq!(floats(AcrossOp::NormL1, &[-3.0, 1.0]), [-0.75, 0.25]);
        assert_eq!(floats(AcrossOp::NormL2, &[-3.0, 4.0]), [-(9.0f32 / 25.0).sqrt(), (16.0f32 / 25.0).sqrt()]);
        assert_eq!(floats(AcrossOp::NormL2, &[0.0, 0.0]), [0.0, 0.0]);
    }

    #[test]
    fn softmax_and_running_sum() {
        assert_eq!(floats(AcrossOp::Softmax, &[1.0, 1.0]), [0.5, 0.5]);
        assert_eq!(floats(AcrossOp::LogSoftmax, &[1.0, 1.0]), [-(2.0f32.ln()), -(2.0f32.ln())]);
        assert_eq!(floats(AcrossOp::CumSum, &[1.0, 2.0, 3.0]), [1.0, 3.0, 6.0]);
        let integers: Vec<ArrayRef> = [1, 2].map(|x| Arc::new(Int64Array::from(vec![x])) as ArrayRef).to_vec();
        let sums = run(AcrossOp::CumSum, &integers).expect("columns of integers");
        assert_eq!(sums[1].as_primitive::<Int64Type>().value(0), 3);
        assert!(run(AcrossOp::Softmax, &integers).is_err());
    }
}
