//! Typed views of columns and the arithmetic of their elements.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, UInt32Array};
use arrow::buffer::ScalarBuffer;
use arrow::compute::take;
use arrow::datatypes::ArrowNativeType;

use super::wrong_type;
use crate::error::Result;

/// Runs `$body` with `$T` as the Arrow type of a number, or `$otherwise` for any other type.
macro_rules! for_number {
    ($data_type:expr, $T:ident => $body:expr, _ => $otherwise:expr) => {{
        use arrow::datatypes::*;
        match $data_type {
            DataType::Float32 => for_number!(@ $T = Float32Type, $body),
            DataType::Float64 => for_number!(@ $T = Float64Type, $body),
            DataType::Int8 => for_number!(@ $T = Int8Type, $body),
            DataType::Int16 => for_number!(@ $T = Int16Type, $body),
            DataType::Int32 => for_number!(@ $T = Int32Type, $body),
            DataType::Int64 => for_number!(@ $T = Int64Type, $body),
            DataType::UInt8 => for_number!(@ $T = UInt8Type, $body),
            DataType::UInt16 => for_number!(@ $T = UInt16Type, $body),
            DataType::UInt32 => for_number!(@ $T = UInt32Type, $body),
            DataType::UInt64 => for_number!(@ $T = UInt64Type, $body),
            _ => $otherwise,
        }
    }};
    (@ $T:ident = $type:ident, $body:expr) => {{
        type $T = $type;
        $body
    }};
}

/// As [`for_number`], for the types that arithmetic is compiled for; [`super::widen`] brings the others to them.
macro_rules! for_wide {
    ($data_type:expr, $T:ident => $body:expr, _ => $otherwise:expr) => {{
        use arrow::datatypes::*;
        match $data_type {
            DataType::Float32 => for_number!(@ $T = Float32Type, $body),
            DataType::Float64 => for_number!(@ $T = Float64Type, $body),
            DataType::Int32 => for_number!(@ $T = Int32Type, $body),
            DataType::Int64 => for_number!(@ $T = Int64Type, $body),
            DataType::UInt64 => for_number!(@ $T = UInt64Type, $body),
            _ => $otherwise,
        }
    }};
}

/// As [`for_number`], for the two floating point types.
macro_rules! for_float {
    ($data_type:expr, $T:ident => $body:expr, _ => $otherwise:expr) => {{
        use arrow::datatypes::*;
        match $data_type {
            DataType::Float32 => for_number!(@ $T = Float32Type, $body),
            DataType::Float64 => for_number!(@ $T = Float64Type, $body),
            _ => $otherwise,
        }
    }};
}

pub(super) use {for_float, for_number, for_wide};

/// The elements of a column of numbers.
pub(super) fn values<T: ArrowPrimitiveType>(column: &ArrayRef) -> Result<&[T::Native]> {
    match column.as_primitive_opt::<T>() {
        Some(array) => Ok(array.values()),
        None => Err(wrong_type(&format!("{} elements", T::DATA_TYPE), column.data_type())),
    }
}

/// The elements of several columns of the same type.
pub(super) fn all_values<T: ArrowPrimitiveType>(columns: &[ArrayRef]) -> Result<Vec<&[T::Native]>> {
    // A collected `Result` does not know its length and would grow several times.
    let mut all = Vec::with_capacity(columns.len());
    for column in columns {
        all.push(values::<T>(column)?);
    }
    Ok(all)
}

/// A column of these numbers.
pub(super) fn column<T: ArrowPrimitiveType>(values: Vec<T::Native>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), None))
}

/// The one value of an array of length one, `rows` times.
pub(super) fn repeat(value: &ArrayRef, rows: usize) -> Result<ArrayRef> {
    if value.len() == rows {
        return Ok(Arc::clone(value));
    }
    Ok(take(value, &UInt32Array::from(vec![0; rows]), None)?)
}

/// A number of ONNX: what its operators do to one element. Integers wrap around and round towards zero.
pub(super) trait Number: ArrowNativeType {
    const ZERO: Self;
    const ONE: Self;

    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    /// `None` when an integer is divided by zero, as in the next two.
    fn divided_by(self, other: Self) -> Option<Self>;
    /// Remainder with the sign of the divisor.
    fn modulo(self, other: Self) -> Option<Self>;
    /// Remainder with the sign of the dividend.
    fn remainder(self, other: Self) -> Option<Self>;
    fn power(self, exponent: Self) -> Self;
    fn absolute(self) -> Self;
    fn negated(self) -> Self;
    fn sign(self) -> Self;
    fn exponential(self) -> Self;
    fn logarithm(self) -> Self;
    fn is_nan(self) -> bool;

    /// Conversion as C does it on x86-64, which is what ONNX Runtime compiles to.
    fn convert<R: Number>(self) -> R;
    fn from_float(value: f32) -> Self;
    fn from_double(value: f64) -> Self;
    fn from_signed(value: i64) -> Self;
    fn from_unsigned(value: u64) -> Self;

    /// The lesser one; NaN wins.
    fn least(self, other: Self) -> Self {
        if other < self || other.is_nan() { other } else { self }
    }

    /// The greater one; NaN wins.
    fn greatest(self, other: Self) -> Self {
        if other > self || other.is_nan() { other } else { self }
    }
}

macro_rules! float {
    ($type:ident, $convert:ident) => {
        impl Number for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;

            fn plus(self, other: Self) -> Self {
                self + other
            }
            fn minus(self, other: Self) -> Self {
                self - other
            }
            fn times(self, other: Self) -> Self {
                self * other
            }
            fn divided_by(self, other: Self) -> Option<Self> {
                Some(self / other)
            }
            fn modulo(self, other: Self) -> Option<Self> {
                let rest = self % other;
                Some(if rest != 0.0 && (rest < 0.0) != (other < 0.0) { rest + other } else { rest })
            }
            fn remainder(self, other: Self) -> Option<Self> {
                Some(self % other)
            }
            fn power(self, exponent: Self) -> Self {
                // ONNX Runtime multiplies for the two exponents that people use.
                if exponent == 2.0 {
                    self * self
                } else if exponent == 3.0 {
                    self * self * self
                } else {
                    self.powf(exponent)
                }
            }
            fn absolute(self) -> Self {
                self.abs()
            }
            fn negated(self) -> Self {
                -self
            }
            fn sign(self) -> Self {
                if self == 0.0 {
                    0.0
                } else if self.is_nan() {
                    self
                } else {
                    self.signum()
                }
            }
            fn exponential(self) -> Self {
                self.exp()
            }
            fn logarithm(self) -> Self {
                self.ln()
            }
            fn is_nan(self) -> bool {
                $type::is_nan(self)
            }

            fn convert<R: Number>(self) -> R {
                R::$convert(self)
            }
            fn from_float(value: f32) -> Self {
                value as $type
            }
            fn from_double(value: f64) -> Self {
                value as $type
            }
            fn from_signed(value: i64) -> Self {
                value as $type
            }
            fn from_unsigned(value: u64) -> Self {
                value as $type
            }
        }
    };
}

float!(f32, from_float);
float!(f64, from_double);

macro_rules! integer {
    ($type:ident, $wide:ident, $convert:ident, $absolute:expr, $sign:expr, $truncate:expr) => {
        impl Number for $type {
            const ZERO: Self = 0;
            const ONE: Self = 1;

            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            fn divided_by(self, other: Self) -> Option<Self> {
                (other != 0).then(|| self.wrapping_div(other))
            }
            fn modulo(self, other: Self) -> Option<Self> {
                let rest = self.remainder(other)?;
                Some(if rest != 0 && (rest < Self::ZERO) != (other < Self::ZERO) {
                    rest.wrapping_add(other)
                } else {
                    rest
                })
            }
            fn remainder(self, other: Self) -> Option<Self> {
                (other != 0).then(|| self.wrapping_rem(other))
            }
            fn power(self, exponent: Self) -> Self {
                Self::from_double((self as f64).powf(exponent as f64))
            }
            fn absolute(self) -> Self {
                $absolute(self)
            }
            fn negated(self) -> Self {
                self.wrapping_neg()
            }
            fn sign(self) -> Self {
                $sign(self)
            }
            fn exponential(self) -> Self {
                Self::from_double((self as f64).exp())
            }
            fn logarithm(self) -> Self {
                Self::from_double((self as f64).ln())
            }
            fn is_nan(self) -> bool {
                false
            }

            fn convert<R: Number>(self) -> R {
                R::$convert(self as $wide)
            }
            fn from_float(value: f32) -> Self {
                Self::from_double(value.into())
            }
            fn from_double(value: f64) -> Self {
                $truncate(value)
            }
            fn from_signed(value: i64) -> Self {
                value as $type
            }
            fn from_unsigned(value: u64) -> Self {
                value as $type
            }
        }
    };
}

macro_rules! signed {
    ($type:ident, $truncate:expr) => {
        integer!($type, i64, from_signed, $type::wrapping_abs, $type::signum, $truncate);
    };
}

macro_rules! unsigned {
    ($type:ident, $truncate:expr) => {
        integer!($type, u64, from_unsigned, |value| value, |value: $type| value.min(1), $truncate);
    };
}

signed!(i8, |value| truncate(value) as i8);
signed!(i16, |value| truncate(value) as i16);
signed!(i32, |value: f64| i32::try_from(truncate(value)).unwrap_or(i32::MIN));
signed!(i64, truncate);
unsigned!(u8, |value| truncate(value) as u8);
unsigned!(u16, |value| truncate(value) as u16);
unsigned!(u32, |value| truncate(value) as u32);
unsigned!(u64, |value: f64| if value >= 9_223_372_036_854_775_808.0 { value as u64 } else { truncate(value) as u64 });

/// The integer part; the least integer for NaN and whatever does not fit.
fn truncate(value: f64) -> i64 {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&value) { value as i64 } else { i64::MIN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_become_integers_as_on_x86() {
        assert_eq!(1.9f32.convert::<i64>(), 1);
        assert_eq!((-1.9f64).convert::<i32>(), -1);
        assert_eq!(f32::NAN.convert::<i64>(), i64::MIN);
        assert_eq!(3e9f64.convert::<i32>(), i32::MIN);
        assert_eq!(300.0f32.convert::<u8>(), 44);
        assert_eq!(1e19f64.convert::<u64>(), 10_000_000_000_000_000_000);
        assert_eq!((-1i64).convert::<u32>(), u32::MAX);
        assert_eq!(u64::MAX.convert::<f32>(), 18_446_744_073_709_551_615.0);
    }

    #[test]
    fn remainders_follow_the_divisor_or_the_dividend() {
        assert_eq!(((-7i64).modulo(3), (-7i64).remainder(3)), (Some(2), Some(-1)));
        assert_eq!((7i64.modulo(-3), 7i64.remainder(-3)), (Some(-2), Some(1)));
        assert_eq!((7u8.modulo(0), i64::MIN.divided_by(-1)), (None, Some(i64::MIN)));
        assert_eq!(((-7.5f32).modulo(2.0), (-7.5f32).remainder(2.0)), (Some(0.5), Some(-1.5)));
    }

    #[test]
    fn nan_wins_a_minimum() {
        assert!(1.0f32.least(f32::NAN).is_nan() && f32::NAN.least(1.0).is_nan());
        assert_eq!((2.0f64.least(1.0), 2.0f64.greatest(1.0)), (1.0, 2.0));
    }
}
