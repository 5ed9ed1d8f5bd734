//! Functions of two columns, or of a column and a constant, element by element.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;

use super::columns::{Number, column, for_number, for_wide, repeat, values};
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
        data_type => for_wide!(
            data_type,
            T => numbers(op, &Sides::<T>::new(operands, left, right)?, failures),
            _ => Err(wrong_type(&format!("{op:?}"), data_type))
        ),
    }
}

/// Two operands, of which one may be the same for every row.
enum Sides<'a, T: ArrowPrimitiveType> {
    Columns(&'a [T::Native], &'a [T::Native]),
    ConstantLeft(T::Native, &'a [T::Native]),
    ConstantRight(&'a [T::Native], T::Native),
}

impl<'a, T: ArrowPrimitiveType> Sides<'a, T> {
    fn new(operands: &Operands, left: &'a ArrayRef, right: &'a ArrayRef) -> Result<Self> {
        match (operands, values::<T>(left)?, values::<T>(right)?) {
            (Operands::Columns, left, right) => Ok(Self::Columns(left, right)),
            (Operands::ConstantLeft(_), [left], right) => Ok(Self::ConstantLeft(*left, right)),
            (Operands::ConstantRight(_), left, [right]) => Ok(Self::ConstantRight(left, *right)),
            (_, left, right) => Err(wrong_count(1, left.len().max(right.len()))),
        }
    }

    /// `function` of the operands of each row.
    fn map<R>(&self, mut function: impl FnMut(T::Native, T::Native) -> R) -> Vec<R> {
        match *self {
            Self::Columns(left, right) => left.iter().zip(right).map(|(&a, &b)| function(a, b)).collect(),
            Self::ConstantLeft(a, right) => right.iter().map(|&b| function(a, b)).collect(),
            Self::ConstantRight(left, b) => left.iter().map(|&a| function(a, b)).collect(),
        }
    }

    fn combine(&self, function: impl Fn(T::Native, T::Native) -> T::Native) -> ArrayRef {
        column::<T>(self.map(function))
    }

    fn compare(&self, test: impl Fn(T::Native, T::Native) -> bool) -> ArrayRef {
        Arc::new(BooleanArray::from(self.map(test)))
    }
}

fn numbers<T: ArrowPrimitiveType<Native: Number>>(
    op: BinaryOp,
    sides: &Sides<'_, T>,
    failures: &mut RowFailures,
) -> Result<ArrayRef> {
    Ok(match op {
        BinaryOp::Add => sides.combine(Number::plus),
        BinaryOp::Sub => sides.combine(Number::minus),
        BinaryOp::Mul => sides.combine(Number::times),
        BinaryOp::Pow => sides.combine(Number::power),
        BinaryOp::Min => sides.combine(Number::least),
        BinaryOp::Max => sides.combine(Number::greatest),
        BinaryOp::Div => divide(sides, failures, Number::divided_by),
        BinaryOp::Mod => divide(sides, failures, Number::modulo),
        BinaryOp::Fmod => divide(sides, failures, Number::remainder),
        BinaryOp::Equal => sides.compare(|a, b| a == b),
        BinaryOp::Less => sides.compare(|a, b| a < b),
        BinaryOp::LessOrEqual => sides.compare(|a, b| a <= b),
        BinaryOp::Greater => sides.compare(|a, b| a > b),
        BinaryOp::GreaterOrEqual => sides.compare(|a, b| a >= b),
        BinaryOp::And | BinaryOp::Or | BinaryOp::Xor => return Err(wrong_type(&format!("{op:?}"), &T::DATA_TYPE)),
    })
}

/// A division, which refuses the rows that divide an integer by zero.
fn divide<T: ArrowPrimitiveType<Native: Number>>(
    sides: &Sides<'_, T>,
    failures: &mut RowFailures,
    function: fn(T::Native, T::Native) -> Option<T::Native>,
) -> ArrayRef {
    let mut row = 0;
    column::<T>(sides.map(|a, b| {
        row += 1;
        function(a, b).unwrap_or_else(|| {
            failures.refuse(row - 1, || String::from("division of an integer by zero"));
            T::Native::ZERO
        })
    }))
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
        assert_eq!(failures.iter().collect::<Vec<_>>(), [(1, "division of an integer by zero")]);
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
