//! Arithmetic over the element types that are computed with.

use crate::element::Element;
use crate::multiply::Multiply;

/// A type with arithmetic. Integers wrap around, as they do in ONNX Runtime.
pub(crate) trait Number: Element + Copy + PartialOrd + Multiply {
    const ZERO: Self;
    const ONE: Self;
    /// What no number is below: minus infinity for floats.
    const LOWEST: Self;
    /// What no number is above.
    const HIGHEST: Self;
    /// The least finite number.
    const FINITE_MIN: Self;
    /// The greatest finite number.
    const FINITE_MAX: Self;
    const IS_FLOAT: bool;

    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    /// The quotient, cut towards zero for integers; `None` for an integer divided by zero.
    fn over(self, other: Self) -> Option<Self>;
    /// The remainder with the sign of the dividend; `None` for an integer divided by zero.
    fn remainder(self, other: Self) -> Option<Self>;
    fn negated(self) -> Self;
    fn absolute(self) -> Self;
    fn to_f64(self) -> f64;
    /// The nearest number of single precision.
    fn to_f32(self) -> f32;
    fn to_i64(self) -> i64;
    /// The nearest number, cut towards zero and to the range for integers.
    fn from_f64(value: f64) -> Self;
    /// The number with the same low bits, for integers.
    fn from_i64(value: i64) -> Self;
    fn is_nan(self) -> bool;

    /// The lesser, "not a number" if either is.
    #[inline]
    fn lesser(self, other: Self) -> Self {
        if self.is_nan() || (!other.is_nan() && self < other) { self } else { other }
    }

    /// The greater, "not a number" if either is.
    #[inline]
    fn greater(self, other: Self) -> Self {
        if self.is_nan() || (!other.is_nan() && self > other) { self } else { other }
    }
}

macro_rules! integer {
    ($($native:ty),*) => {$(
        impl Number for $native {
            const ZERO: Self = 0;
            const ONE: Self = 1;
            const LOWEST: Self = <$native>::MIN;
            const HIGHEST: Self = <$native>::MAX;
            const FINITE_MIN: Self = <$native>::MIN;
            const FINITE_MAX: Self = <$native>::MAX;
            const IS_FLOAT: bool = false;

            #[inline]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            #[inline]
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }

            #[inline]
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }

            #[inline]
            fn over(self, other: Self) -> Option<Self> {
                (other != 0).then(|| self.wrapping_div(other))
            }

            #[inline]
            fn remainder(self, other: Self) -> Option<Self> {
                (other != 0).then(|| self.wrapping_rem(other))
            }

            #[inline]
            fn negated(self) -> Self {
                self.wrapping_neg()
            }

            #[inline]
            #[allow(clippy::allow_attributes, unused_comparisons, reason = "unsigned types take this macro as well")]
            fn absolute(self) -> Self {
                if self < 0 { self.wrapping_neg() } else { self }
            }

            #[inline]
            fn to_f64(self) -> f64 {
                self as f64
            }

            #[inline]
            fn to_f32(self) -> f32 {
                self as f32
            }

            #[inline]
            fn to_i64(self) -> i64 {
                self as i64
            }

            #[inline]
            fn from_f64(value: f64) -> Self {
                value as Self
            }

            #[inline]
            fn from_i64(value: i64) -> Self {
                value as Self
            }

            #[inline]
            fn is_nan(self) -> bool {
                false
            }
        }
    )*};
}

integer!(i8, i16, i32, i64, u8, u16, u32, u64);

macro_rules! float {
    ($($native:ty),*) => {$(
        impl Number for $native {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const LOWEST: Self = <$native>::NEG_INFINITY;
            const HIGHEST: Self = <$native>::INFINITY;
            const FINITE_MIN: Self = <$native>::MIN;
            const FINITE_MAX: Self = <$native>::MAX;
            const IS_FLOAT: bool = true;

            #[inline]
            fn plus(self, other: Self) -> Self {
                self + other
            }

            #[inline]
            fn minus(self, other: Self) -> Self {
                self - other
            }

            #[inline]
            fn times(self, other: Self) -> Self {
                self * other
            }

            #[inline]
            fn over(self, other: Self) -> Option<Self> {
                Some(self / other)
            }

            #[inline]
            fn remainder(self, other: Self) -> Option<Self> {
                Some(self % other)
            }

            #[inline]
            fn negated(self) -> Self {
                -self
            }

            #[inline]
            fn absolute(self) -> Self {
                self.abs()
            }

            #[inline]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }

            #[inline]
            fn to_f32(self) -> f32 {
                self as f32
            }

            #[inline]
            fn to_i64(self) -> i64 {
                self as i64
            }

            #[inline]
            fn from_f64(value: f64) -> Self {
                value as Self
            }

            #[inline]
            fn from_i64(value: i64) -> Self {
                value as Self
            }

            #[inline]
            fn is_nan(self) -> bool {
                <$native>::is_nan(self)
            }
        }
    )*};
}

float!(f32, f64);

/// Runs an expression over the elements of an integer or floating tensor; half precision is widened before.
macro_rules! by_number {
    ($data:expr, $values:ident => $body:expr) => {
        match $data {
            $crate::tensor::Data::I8($values) => $body,
            $crate::tensor::Data::I16($values) => $body,
            $crate::tensor::Data::I32($values) => $body,
            $crate::tensor::Data::I64($values) => $body,
            $crate::tensor::Data::U8($values) => $body,
            $crate::tensor::Data::U16($values) => $body,
            $crate::tensor::Data::U32($values) => $body,
            $crate::tensor::Data::U64($values) => $body,
            $crate::tensor::Data::F32($values) => $body,
            $crate::tensor::Data::F64($values) => $body,
            other => Err($crate::call::no_such_type(other.element_type())),
        }
    };
}

/// Runs an expression over the elements of a floating tensor; half precision is widened before.
macro_rules! by_real {
    ($data:expr, $values:ident => $body:expr) => {
        match $data {
            $crate::tensor::Data::F32($values) => $body,
            $crate::tensor::Data::F64($values) => $body,
            other => Err($crate::call::no_such_type(other.element_type())),
        }
    };
}

pub(crate) use {by_number, by_real};
