//! The two floating point types that models compute with.

use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub};

use crate::functions::Function;
use crate::trees::lanes::Lanes;

/// `f32` or `f64`.
///
/// Sealed: the kernels promise bits, and these are the types they were compared in.
pub trait Real:
    Copy
    + Debug
    + Default
    + Display
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + MulAssign
    + Div<Output = Self>
    + DivAssign
    + Neg<Output = Self>
    + Lanes
    + sealed::Sealed
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Not a number.
    const NAN: Self;
    /// The least finite value.
    const LOWEST: Self;
    /// What is above all numbers.
    const INFINITY: Self;

    /// `e` to the power of `self`.
    fn exp(self) -> Self;
    /// Replaces each number by `e` to its power; the same bits wherever a number stands.
    fn exp_each(values: &mut [Self]);
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// The error function.
    fn erf(self) -> Self;
    /// The greatest number that is less; NaN and minus infinity stay what they are.
    fn next_down(self) -> Self;
    /// The integer part; zero for negative numbers and NaN, the greatest integer for what is larger.
    fn integer_part(self) -> u64;
    /// The integer part if it fits 32 bits, else the least integer of 32 bits, as C cuts it on x86-64.
    fn cut_to_i32(self) -> Self;
    /// Whether this is no number.
    fn is_nan(self) -> bool;
    /// The nearest value to a count.
    fn from_count(count: usize) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

macro_rules! real {
    ($type:ident, $erf:path, $exp_each:expr) => {
        impl Real for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const NAN: Self = $type::NAN;
            const LOWEST: Self = $type::MIN;
            const INFINITY: Self = $type::INFINITY;

            fn exp(self) -> Self {
                $type::exp(self)
            }

            fn exp_each(values: &mut [Self]) {
                $exp_each(values);
            }

            fn ln(self) -> Self {
                $type::ln(self)
            }

            fn sqrt(self) -> Self {
                $type::sqrt(self)
            }

            fn abs(self) -> Self {
                $type::abs(self)
            }

            fn erf(self) -> Self {
                $erf(self)
            }

            fn next_down(self) -> Self {
                $type::next_down(self)
            }

            fn integer_part(self) -> u64 {
                self as u64
            }

            fn cut_to_i32(self) -> Self {
                const END: $type = 2_147_483_648.0;
                let whole = self.trunc();
                if (-END..END).contains(&whole) { whole } else { -END }
            }

            fn is_nan(self) -> bool {
                $type::is_nan(self)
            }

            fn from_count(count: usize) -> Self {
                count as $type
            }
        }
    };
}

real!(f32, libm::erff, |values| Function::Exp.apply(values));
real!(f64, libm::erf, |values: &mut [f64]| values.iter_mut().for_each(|value| *value = value.exp()));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cut_as_in_c() {
        const LEAST: f64 = -2_147_483_648.0;
        for (x, whole) in [(1.9, 1.0), (-1.9, -1.0), (-0.5, 0.0), (2e9, 2e9), (LEAST - 0.5, LEAST), (3e9, LEAST)] {
            assert_eq!(x.cut_to_i32(), whole);
        }
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 2_147_483_648.0] {
            assert_eq!(x.cut_to_i32(), LEAST as f32);
        }
    }
}
