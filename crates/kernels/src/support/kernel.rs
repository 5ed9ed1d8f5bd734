//! From products and distances to kernels.

use crate::forms::Form;
use crate::functions::{exp, tanh};
use crate::vector::{Loops, Vector};

/// How alike a row `x` and a vector `v` are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kernel {
    /// `x·v`
    Linear,
    /// `(gamma x·v + offset)^degree`
    Polynomial {
        /// What products are multiplied with.
        gamma: f32,
        /// What is added then.
        offset: f32,
        /// The power.
        degree: f32,
    },
    /// `exp(-gamma |x - v|²)`
    Gaussian {
        /// What squared distances are multiplied with.
        gamma: f32,
    },
    /// `tanh(gamma x·v + offset)`
    Sigmoid {
        /// What products are multiplied with.
        gamma: f32,
        /// What is added then.
        offset: f32,
    },
}

/// Whole powers up to this one are products in double precision: exact enough to be the power, rounded once.
const WHOLE_DEGREE_MAX: f32 = 16.0;

impl Kernel {
    /// Makes kernels of products, or of squared distances.
    pub(super) fn apply(self, form: Form, values: &mut [f32]) {
        if self != Self::Linear {
            form.run(Apply { kernel: self, values });
        }
    }
}

struct Apply<'a> {
    kernel: Kernel,
    values: &'a mut [f32],
}

impl Loops for Apply<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let values = self.values;
        match self.kernel {
            Kernel::Linear => {}
            // ONNX Runtime multiplies for the two degrees that people use.
            Kernel::Polynomial { gamma, offset, degree: 2.0 } => map(values, |x| square(gamma * x + offset)),
            Kernel::Polynomial { gamma, offset, degree: 3.0 } => {
                map(values, |x| square(gamma * x + offset) * (gamma * x + offset))
            }
            Kernel::Polynomial { gamma, offset, degree } if is_whole(degree) => {
                map(values, |x| power(gamma * x + offset, degree as u32))
            }
            Kernel::Polynomial { gamma, offset, degree } => map(values, |x| (gamma * x + offset).powf(degree)),
            Kernel::Gaussian { gamma } => map(values, |x| exp(-gamma * x)),
            Kernel::Sigmoid { gamma, offset } => map(values, |x| tanh(gamma * x + offset)),
        }
    }
}

#[inline(always)]
fn map(values: &mut [f32], kernel: impl Fn(f32) -> f32) {
    // A closure within another would be compiled by itself, without the instructions of the caller.
    for value in values {
        *value = kernel(*value);
    }
}

fn is_whole(degree: f32) -> bool {
    (0.0..=WHOLE_DEGREE_MAX).contains(&degree) && degree.fract() == 0.0
}

#[inline(always)]
fn square(x: f32) -> f32 {
    x * x
}

#[inline(always)]
fn power(x: f32, degree: u32) -> f32 {
    (0..degree).fold(1.0, |power, _| power * f64::from(x)) as f32
}
