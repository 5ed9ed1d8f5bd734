//! Truth values and bits.

use super::binary::{Pairing, operands};
use super::{Operator, exact, one};
use crate::call::{Call, no_such_type, wrong_type};
use crate::element::{Element, ElementType};
use crate::error::{Fault, Outcome};
use crate::tensor::{Data, Tensor};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "And" => exact(and),
        "BitShift" => exact(bit_shift),
        "BitwiseAnd" => exact(bitwise_and),
        "BitwiseNot" => exact(bitwise_not),
        "BitwiseOr" => exact(bitwise_or),
        "BitwiseXor" => exact(bitwise_xor),
        "Or" => exact(or),
        "Xor" => exact(xor),
        _ => return None,
    })
}

fn truths(call: &Call, combine: fn(bool, bool) -> bool) -> Outcome<Vec<Value>> {
    let (left, right) = operands(call)?;
    let pairing = Pairing::new(call, left, &right)?;
    let other = right.values::<bool>().ok_or_else(|| wrong_type(1, ElementType::Bool, right.element_type()))?;
    let values = pairing.zip(call.elements::<bool>(0)?, other, |a, b| combine(*a, *b));
    one(Tensor::new(pairing.shape, values))
}

fn and(call: &Call) -> Outcome<Vec<Value>> {
    truths(call, |a, b| a & b)
}

fn or(call: &Call) -> Outcome<Vec<Value>> {
    truths(call, |a, b| a | b)
}

fn xor(call: &Call) -> Outcome<Vec<Value>> {
    truths(call, |a, b| a ^ b)
}

/// Integers as bits.
trait Bits: Element + Copy {
    fn combine(self, other: Self, operation: Operation) -> Self;
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
}

macro_rules! bits {
    ($($native:ty),*) => {$(
        impl Bits for $native {
            #[allow(clippy::allow_attributes, unused_comparisons, reason = "unsigned types take this macro as well")]
            fn combine(self, other: Self, operation: Operation) -> Self {
                let shift = u32::try_from(other).unwrap_or(u32::MAX);
                match operation {
                    Operation::And => self & other,
                    Operation::Or => self | other,
                    Operation::Xor => self ^ other,
                    Operation::ShiftLeft => self.checked_shl(shift).unwrap_or(0),
                    // What is shifted out altogether leaves the sign.
                    Operation::ShiftRight => self.checked_shr(shift).unwrap_or(if self < 0 { !0 } else { 0 }),
                }
            }
        }
    )*};
}

bits!(i8, i16, i32, i64, u8, u16, u32, u64);

macro_rules! by_bits {
    ($data:expr, $values:ident => $body:expr) => {
        match $data {
            Data::I8($values) => $body,
            Data::I16($values) => $body,
            Data::I32($values) => $body,
            Data::I64($values) => $body,
            Data::U8($values) => $body,
            Data::U16($values) => $body,
            Data::U32($values) => $body,
            Data::U64($values) => $body,
            other => Err(no_such_type(other.element_type())),
        }
    };
}

fn bits(call: &Call, operation: Operation) -> Outcome<Vec<Value>> {
    fn compute<T: Bits>(pairing: &Pairing, left: &[T], right: &Tensor, operation: Operation) -> Outcome<Tensor> {
        let right = right.values::<T>().ok_or_else(|| wrong_type(1, T::TYPE, right.element_type()))?;
        Ok(Tensor::new(pairing.shape.clone(), pairing.zip(left, right, |a, b| a.combine(*b, operation))))
    }
    let (left, right) = operands(call)?;
    let pairing = Pairing::new(call, left, &right)?;
    one(by_bits!(left.data(), values => compute(&pairing, values, &right, operation))?)
}

fn bitwise_and(call: &Call) -> Outcome<Vec<Value>> {
    bits(call, Operation::And)
}

fn bitwise_or(call: &Call) -> Outcome<Vec<Value>> {
    bits(call, Operation::Or)
}

fn bitwise_xor(call: &Call) -> Outcome<Vec<Value>> {
    bits(call, Operation::Xor)
}

fn bit_shift(call: &Call) -> Outcome<Vec<Value>> {
    match call.text("direction", "")? {
        "LEFT" => bits(call, Operation::ShiftLeft),
        "RIGHT" => bits(call, Operation::ShiftRight),
        other => Err(Fault::invalid(format!("direction `{other}`"))),
    }
}

fn bitwise_not(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    call.room_for(input.shape(), input.element_type())?;
    let shape = input.shape().to_vec();
    one(by_bits!(input.data(), values => Ok(Tensor::new(shape, values.iter().map(|value| !value).collect())))?)
}
