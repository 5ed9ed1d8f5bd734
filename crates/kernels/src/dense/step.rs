//! What happens to the outputs of a layer before the next one reads them.

use crate::forms::Form;
use crate::functions::Function;

/// What happens to each output of a layer.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A function.
    Function(Function),
    /// Arithmetic with a number per output.
    With(Arithmetic, Vec<f32>),
}

/// Arithmetic of an output `x` and a number `c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// `x + c`
    Add,
    /// `x - c`
    Subtract,
    /// `c - x`
    SubtractFrom,
    /// `x * c`
    Multiply,
    /// `x / c`
    Divide,
    /// `c / x`
    DivideInto,
    /// The lesser one, `x` if they are equal; NaN wins.
    Least,
    /// The greater one, `x` if they are equal; NaN wins.
    Greatest,
}

impl Step {
    /// Does it to some outputs, of which `first` is the first, each with as many values as there are `rows`.
    pub(super) fn apply(&self, form: Form, first: usize, rows: usize, values: &mut [f32]) {
        match self {
            Self::Function(function) => function.apply_with(form, values),
            Self::With(arithmetic, numbers) => {
                for (values, &number) in values.chunks_exact_mut(rows).zip(&numbers[first..]) {
                    arithmetic.apply(values, number);
                }
            }
        }
    }
}

impl Arithmetic {
    fn apply(self, values: &mut [f32], c: f32) {
        match self {
            Self::Add => map(values, |x| x + c),
            Self::Subtract => map(values, |x| x - c),
            Self::SubtractFrom => map(values, |x| c - x),
            Self::Multiply => map(values, |x| x * c),
            Self::Divide => map(values, |x| x / c),
            Self::DivideInto => map(values, |x| c / x),
            Self::Least => map(values, |x| if c < x || c.is_nan() { c } else { x }),
            Self::Greatest => map(values, |x| if c > x || c.is_nan() { c } else { x }),
        }
    }
}

#[inline(always)]
fn map(values: &mut [f32], arithmetic: impl Fn(f32) -> f32) {
    values.iter_mut().for_each(|value| *value = arithmetic(*value));
}
