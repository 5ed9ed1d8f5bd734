//! Functions of two columns, or of a column and a constant, element by element.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;

use super::columns::{Number, column, for_number, repeat, values};
use super::{BinaryOp, Operands, wrong_count, wrong_type};
use crate::error::Result;
use crate::program::RowFailures;

pub(super) fn run(
    op: BinaryOp,
    operands: &Operands,
    inputs: &[ArrayRef],
    rows: usize,
    failures: &mut RowFailures,
) -> Result<ArrayRef> {
    let (left, right) = match (operands, inputs) {
        (Operands::Columns, [left, right]) => (left, right),
        (Operands::ConstantLeft(constant), [input]) => (constant, input),
        (Operands::ConstantRight(constant), [input]) => (input, constant),
        (Operands::Columns, _) => return Err(wrong_count(2, inputs.len())),
        _ => return Err(wrong_count(1, inputs.len())),
    };
    match left.data_type() {
        DataType::Boolean => booleans(op, left, right, rows),
        DataType::Utf8 => texts(op, left, right, rows),
        data_type => for_number!(
            data_type,
            T => {
                let left = Side::<T>::new(left, matches!(operands, Operands::ConstantLeft(_)))?;
                let right = Side::<T>::new(right, matches!(operands, Operands::ConstantRight(_)))?;
                numbers(op, &left, &right, rows, failures)
            },
            _ => Err(wrong_type(&format!("{op:?}"), data_type))
        ),
    }
}

/// One operand: a column, or the same value for every row.
enum Side<'a, T: ArrowPrimitiveType> {
    Column(&'a [T::Native]),
    Constant(T::Native),
}

impl<'a, T: ArrowPrimitiveType> Side<'a, T> {
    fn new(array: &'a ArrayRef, is_constant: bool) -> Result<Self> {
        match (values::<T>(array)?, is_constant) {
            ([value], true) => Ok(Self::Constant(*value)),
            (values, true) => Err(wrong_count(1, values.len())),
            (values, false) => Ok(Self::Column(values)),
        }
    }
}

fn numbers<T: ArrowPrimitiveType<Native: Number>>(
    op: BinaryOp,
    left: &Side<'_, T>,
    right: &Side<'_, T>,
    rows: usize,
    failures: &mut RowFailures,
) -> Result<ArrayRef> {
    Ok(match op {
        BinaryOp::Add => combine(left, right, rows, Number::plus),
        BinaryOp::Sub => combine(left, right, rows, Number::minus),
        BinaryOp::Mul => combine(left, right, rows, Number::times),
        BinaryOp::Pow => combine(left, right, rows, Number::power),
        BinaryOp::Min => combine(left, right, rows, Number::least),
        BinaryOp::Max => combine(left, right, rows, Number::greatest),
        BinaryOp::Div => combine_checked(left, right, rows, failures, Number::divided_by),
        BinaryOp::Mod => combine_checked(left, right, rows, failures, Number::modulo),
        BinaryOp::Fmod => combine_checked(left, right, rows, failures, Number::remainder),
        BinaryOp::Equal => compare(left, right, rows, |a, b| a == b),
        BinaryOp::Less => compare(left, right, rows, |a, b| a < b),
        BinaryOp::LessOrEqual => compare(left, right, rows, |a, b| a <= b),
        BinaryOp::Greater => compare(left, right, rows, |a, b| a > b),
        BinaryOp::GreaterOrEqual => compare(left, right, rows, |a, b| a >= b),
        BinaryOp::And | BinaryOp::Or | BinaryOp::Xor => return Err(wrong_type(&format!("{op:?}"), &T::DATA_TYPE)),
    })
}

/// `function` of the operands of each row.
fn rowwise<T: ArrowPrimitiveType, R>(
    left: &Side<'_, T>,
    right: &Side<'_, T>,
    rows: usize,
    mut function: impl FnMut(T::Native, T::Native) -> R,
) -> Vec<R> {
    match (left, right) {
        (Side::Column(left), Side::Column(right)) => left.iter().zip(*right).map(|(&a, &b)| function(a, b)).collect(),
        (Side::Column(left), &Side::Constant(b)) => left.iter().map(|&a| function(a, b)).collect(),
        (&Side::Constant(a), Side::Column(right)) => right.iter().map(|&b| function(a, b)).collect(),
        (&Side::Constant(a), &Side::Constant(b)) => (0..rows).map(|_| function(a, b)).collect(),
    }
}

fn combine<T: ArrowPrimitiveType>(
    left: &Side<'_, T>,
    right: &Side<'_, T>,
    rows: usize,
    function: impl Fn(T::Native, T::Native) -> T::Native,
) -> ArrayRef {
    column::<T>(rowwise(left, right, rows, function))
}

fn combine_checked<T: ArrowPrimitiveType<Native: Number>>(
    left: &Side<'_, T>,
    right: &Side<'_, T>,
    rows: usize,
    failures: &mut RowFailures,
    function: impl Fn(T::Native, T::Native) -> Option<T::Native>,
) -> ArrayRef {
    let mut row = 0;
    column::<T>(rowwise(left, right, rows, |a, b| {
        row += 1;
        function(a, b).unwrap_or_else(|| {
            failures.refuse(row - 1, || String::from("division of an integer by zero"));
            T::Native::ZERO
        })
    }))
}

fn compare<T: ArrowPrimitiveType>(
    left: &Side<'_, T>,
    right: &Side<'_, T>,
    rows: usize,
    test: impl Fn(T::Native, T::Native) -> bool,
) -> ArrayRef {
    Arc::new(BooleanArray::from(rowwise(left, right, rows, test)))
}

fn booleans(op: BinaryOp, left: &ArrayRef, right: &ArrayRef, rows: usize) -> Result<ArrayRef> {
    let (left, right) = (boolean_bits(left, rows)?, boolean_bits(right, rows)?);
    let bits = match op {
        BinaryOp::And => &left & &right,
        BinaryOp::Or => &left | &right,
        BinaryOp::Xor => &left ^ &right,
        BinaryOp::Equal => !&(&left ^ &right),
        _ => return Err(wrong_type(&format!("{op:?}"), &DataType::Boolean)),
    };
    Ok(Arc::new(BooleanArray::from(bits)))
}

fn boolean_bits(array: &ArrayRef, rows: usize) -> Result<BooleanBuffer> {
    let array = repeat(array, rows)?;
    match array.as_boolean_opt() {
        Some(array) => Ok(array.values().clone()),
        None => Err(wrong_type("bits", array.data_type())),
    }
}

fn texts(op: BinaryOp, left: &ArrayRef, right: &ArrayRef, rows: usize) -> Result<ArrayRef> {
    let test: fn(&str, &str) -> bool = match op {
        BinaryOp::Equal => |a, b| a == b,
        BinaryOp::Less => |a, b| a < b,
        BinaryOp::LessOrEqual => |a, b| a <= b,
        BinaryOp::Greater => |a, b| a > b,
        BinaryOp::GreaterOrEqual => |a, b| a >= b,
        _ => return Err(wrong_type(&format!("{op:?}"), &DataType::Utf8)),
    };
    let (left, right) = (repeat(left, rows)?, repeat(right, rows)?);
    let (left, right) = (text(&left)?, text(&right)?);
    let bits = BooleanBuffer::collect_bool(rows, |row| test(left.value(row), right.value(row)));
    Ok(Arc::new(BooleanArray::from(bits)))
}

fn text(array: &ArrayRef) -> Result<&StringArray> {
    array.as_string_opt().ok_or_else(|| wrong_type("texts", array.data_type()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float32Array, Int64Array};
    use arrow::datatypes::{Float32Type, Int64Type};

    use super::*;

    fn floats(values: &[f32]) -> ArrayRef {
        Arc::new(Float32Array::from(values.to_vec()))
    }

    fn integers(values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    fn apply(op: BinaryOp, operands: &Operands, inputs: &[ArrayRef]) -> ArrayRef {
        let mut failures = RowFailures::default();
        let output = run(op, operands, inputs, inputs[0].len(), &mut failures).expect("operands that fit");
        assert!(failures.is_empty());
        output
    }

    #[test]
    fn columns_and_constants() {
        let difference = apply(BinaryOp::Sub, &Operands::Columns, &[floats(&[5.0, 1.0]), floats(&[2.0, 3.0])]);
        assert_eq!(difference.as_primitive::<Float32Type>().values(), &[3.0, -2.0]);
        let left = apply(BinaryOp::Sub, &Operands::ConstantLeft(floats(&[1.0])), &[floats(&[2.0, 3.0])]);
        assert_eq!(left.as_primitive::<Float32Type>().values(), &[-1.0, -2.0]);
        let right = apply(BinaryOp::Pow, &Operands::ConstantRight(integers(&[3])), &[integers(&[2, -3])]);
        assert_eq!(right.as_primitive::<Int64Type>().values(), &[8, -27]);
    }

    #[test]
    fn nan_equals_nothing() {
        let (nan, inputs) = (f32::NAN, floats(&[f32::NAN, 1.0]));
        for op in [BinaryOp::Equal, BinaryOp::Less, BinaryOp::GreaterOrEqual] {
            let answer = apply(op, &Operands::ConstantRight(floats(&[nan])), std::slice::from_ref(&inputs));
            assert_eq!(answer.as_boolean(), &BooleanArray::from(vec![false, false]));
        }
        let zeros = apply(BinaryOp::Equal, &Operands::ConstantRight(floats(&[-0.0])), &[floats(&[0.0])]);
        assert!(zeros.as_boolean().value(0));
    }

    #[test]
    fn division_by_zero_refuses_the_row() {
        let mut failures = RowFailures::default();
        let inputs = [integers(&[7, 7, -7]), integers(&[2, 0, 2])];
        let output = run(BinaryOp::Div, &Operands::Columns, &inputs, 3, &mut failures).expect("operands that fit");
        assert_eq!(output.as_primitive::<Int64Type>().values(), &[3, 0, -3]);
        assert_eq!(failures.first(), Some((1, "division of an integer by zero")));
        assert_eq!(failures.len(), 1);
    }

    #[test]
    fn booleans_and_texts() {
        let bits: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
        let truth: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
        let xor = apply(BinaryOp::Xor, &Operands::ConstantRight(truth), &[Arc::clone(&bits)]);
        assert_eq!(xor.as_boolean(), &BooleanArray::from(vec![false, true]));
        let equal = apply(BinaryOp::Equal, &Operands::Columns, &[Arc::clone(&bits), xor]);
        assert_eq!(equal.as_boolean(), &BooleanArray::from(vec![false, false]));
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        let b: ArrayRef = Arc::new(StringArray::from(vec!["b"]));
        let equal = apply(BinaryOp::Equal, &Operands::ConstantRight(b), &[text]);
        assert_eq!(equal.as_boolean(), &BooleanArray::from(vec![false, true]));
    }
}
