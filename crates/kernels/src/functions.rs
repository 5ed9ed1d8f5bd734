//! Functions of one number, of many numbers at once: what stands between the layers of a network.
//!
//! Each function is written once, in operations that every processor has, without a jump and with one rounding where a product
//! is added to. The compiler makes vector instructions of it, and whatever it makes, a number's answer has the same bits,
//! wherever the number stands. The exponential function is off by at most one unit in the last place; the others are made of it.

use crate::forms::Form;
#[cfg(target_arch = "x86_64")]
use crate::forms::Set;

/// A function of one number. NaN gives NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// `x` above zero, else 0.
    Relu,
    /// `x` from zero on, else `x` times this.
    LeakyRelu(f32),
    /// `x` from zero on, else `exp(x) - 1` times this.
    Elu(f32),
    /// `gamma x` from zero on, else `gamma (alpha exp(x) - alpha)`.
    Selu {
        /// What the answer tends to, over `-gamma`.
        alpha: f32,
        /// The slope.
        gamma: f32,
    },
    /// `x` times the share of a normal distribution that is below it.
    Gelu,
    /// The same by way of the hyperbolic tangent: `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`.
    FastGelu,
    /// `1 / (1 + exp(-x))`, small answers as exact as large ones.
    Sigmoid,
    /// `alpha x + beta`, cut off at 0 and 1.
    HardSigmoid {
        /// The slope.
        alpha: f32,
        /// The answer for zero.
        beta: f32,
    },
    /// `x`, but not below `least` and then not above `greatest`.
    Clip {
        /// What smaller numbers become.
        least: f32,
        /// What greater numbers become.
        greatest: f32,
    },
    /// The hyperbolic tangent.
    Tanh,
    /// `ln(1 + exp(x))`, without overflow.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `e` to the power of `x`.
    Exp,
    /// The error function.
    Erf,
    /// The square root.
    SquareRoot,
    /// `1 / x`.
    Reciprocal,
    /// `-x`.
    Negative,
    /// `|x|`.
    Absolute,
    /// `1 / (1 + exp(-x))`, computed from the absolute value: small answers are what is left of one. So ONNX Runtime computes
    /// the post transform LOGISTIC.
    Logistic,
    /// `1 / (1 + exp(-x))` as it stands, which is what XGBoost computes.
    PlainLogistic,
}

impl Function {
    /// Replaces each number by its answer.
    pub fn apply(self, values: &mut [f32]) {
        self.apply_with(Form::best(), values);
    }

    /// As [`Function::apply`], with these instructions.
    pub(crate) fn apply_with(self, form: Form, values: &mut [f32]) {
        match form.set() {
            // SAFETY: a form is only there for instructions that the processor has.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512(self, values) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2(self, values) },
            _ => each(self, values),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn avx512(function: Function, values: &mut [f32]) {
    each(function, values);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(function: Function, values: &mut [f32]) {
    each(function, values);
}

/// As [`Function::apply`], with the instructions that the caller is compiled for.
#[inline(always)]
pub(crate) fn each(function: Function, values: &mut [f32]) {
    match function {
        Function::Relu => map(values, relu),
        Function::LeakyRelu(slope) => map(values, |x| if x >= 0.0 { x } else { slope * x }),
        Function::Elu(alpha) => map(values, |x| elu(x, alpha)),
        Function::Selu { alpha, gamma } => map(values, |x| gamma * elu(x, alpha)),
        Function::Gelu => map(values, |x| 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))),
        Function::FastGelu => map(values, fast_gelu),
        Function::Sigmoid => map(values, sigmoid),
        Function::HardSigmoid { alpha, beta } => map(values, |x| (alpha * x + beta).clamp(0.0, 1.0)),
        Function::Clip { least, greatest } => map(values, |x| {
            let raised = if x < least { least } else { x };
            if raised > greatest { greatest } else { raised }
        }),
        Function::Tanh => map(values, tanh),
        Function::Softplus => map(values, softplus),
        Function::Softsign => map(values, |x| x / (1.0 + x.abs())),
        Function::Exp => map(values, exp),
        Function::Erf => map(values, erf),
        Function::SquareRoot => map(values, f32::sqrt),
        Function::Reciprocal => map(values, f32::recip),
        Function::Negative => map(values, |x| -x),
        Function::Absolute => map(values, f32::abs),
        Function::Logistic => map(values, logistic),
        Function::PlainLogistic => map(values, |x| 1.0 / (1.0 + exp(-x))),
    }
}

#[inline(always)]
fn map(values: &mut [f32], function: impl Fn(f32) -> f32) {
    // A closure within another would be compiled by itself, without the instructions of the caller.
    for value in values {
        *value = function(*value);
    }
}

#[inline(always)]
fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

#[inline(always)]
fn elu(x: f32, alpha: f32) -> f32 {
    if x >= 0.0 { x } else { alpha * (exp(x) - 1.0) }
}

#[inline(always)]
fn fast_gelu(x: f32) -> f32 {
    const SCALE: f32 = 0.797_884_6;
    0.5 * x * (1.0 + tanh(SCALE * (x + 0.044_715 * x * x * x)))
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    let power = exp(-x.abs());
    let share = if x < 0.0 { power } else { 1.0 };
    share / (1.0 + power)
}

#[inline(always)]
fn logistic(x: f32) -> f32 {
    let upper = 1.0 / (1.0 + exp(-x.abs()));
    if x < 0.0 { 1.0 - upper } else { upper }
}

#[inline(always)]
fn softplus(x: f32) -> f32 {
    let above = if x > 0.0 { x } else { 0.0 };
    above + exp(-x.abs()).ln_1p()
}

/// A polynomial near zero, where the difference of exponentials would cancel, and `1 - 2 / (exp(2 x) + 1)` elsewhere.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    const NEAR: f32 = 0.625;
    let size = x.abs();
    let square = x * x;
    let series = polynomial(square, [-5.704_988_7e-3, 2.063_908_8e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1]);
    let near = plus_product(size, series * square, size);
    let far = 1.0 - 2.0 / (exp(size + size) + 1.0);
    let found = if size < NEAR { near } else { far };
    found.copysign(x)
}

/// Polynomials near zero and, elsewhere, of the logarithm of what is missing to one.
#[inline(always)]
fn erf(x: f32) -> f32 {
    const NEAR: f32 = 0.921_875;
    let size = x.abs();
    let square = x * x;
    let near = polynomial(
        square,
        [-5.991_049_7e-4, 4.993_396e-3, -2.676_673_4e-2, 1.128_180_2e-1, -3.761_248_6e-1, 1.283_791_5e-1],
    );
    let near = plus_product(size, near, size);
    let clamped = if size > 4.0 { 4.0 } else { size };
    let far = polynomial(
        clamped,
        [1.729_489_3e-5, -3.832_087e-4, 3.883_934_3e-3, -2.425_456e-2, 1.067_778_5e-1, 6.348_467e-1, 1.287_175_1e-1],
    );
    let far = 1.0 - exp(-plus_product(clamped, far, clamped));
    let found = if size <= NEAR { near } else { far };
    found.copysign(x)
}

/// `e` to the power of `x`: a power of two times a polynomial over half an octave around one.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Beyond these the answer is zero or infinite.
    const LEAST: f32 = -104.0;
    const GREATEST: f32 = 89.0;
    // Added to a number of this size, it leaves the nearest integer in the last bits.
    const SHIFT: f32 = 12_582_912.0;
    // The logarithm of two in two parts, the first of which has zeros at the end.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let x = if x < LEAST { LEAST } else { x };
    let x = if x > GREATEST { GREATEST } else { x };
    let shifted = plus_product(SHIFT, x, std::f32::consts::LOG2_E);
    let octaves = shifted - SHIFT;
    let rest = plus_product(x, octaves, -LN_2[0]);
    let rest = plus_product(rest, octaves, -LN_2[1]);
    let series = polynomial(rest, [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5]);
    let power = plus_product(rest, series, rest * rest) + 1.0;
    // In two halves, so that the smallest numbers come out right.
    let octaves = (shifted.to_bits() as i32).wrapping_sub(SHIFT.to_bits() as i32);
    let half = octaves >> 1;
    power * power_of_two(half) * power_of_two(octaves.wrapping_sub(half))
}

#[inline(always)]
fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits((exponent.wrapping_add(127) as u32) << 23)
}

/// The coefficient of the highest power comes first.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    for coefficient in &coefficients[1..] {
        sum = plus_product(*coefficient, sum, x);
    }
    sum
}

#[inline(always)]
#[expect(clippy::disallowed_methods, reason = "these are our own approximations, which round once on purpose")]
fn plus_product(sum: f32, a: f32, b: f32) -> f32 {
    a.mul_add(b, sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTIONS: [Function; 18] = [
        Function::Relu,
        Function::LeakyRelu(0.01),
        Function::Elu(1.5),
        Function::Selu { alpha: 1.673_263_2, gamma: 1.050_701 },
        Function::Gelu,
        Function::FastGelu,
        Function::Sigmoid,
        Function::HardSigmoid { alpha: 0.2, beta: 0.5 },
        Function::Clip { least: -1.5, greatest: 6.0 },
        Function::Tanh,
        Function::Softplus,
        Function::Softsign,
        Function::Exp,
        Function::Erf,
        Function::SquareRoot,
        Function::Reciprocal,
        Function::Negative,
        Function::Absolute,
    ];

    /// The function in double precision.
    fn exact(function: Function, x: f64) -> f64 {
        match function {
            Function::Relu => x.max(0.0),
            Function::LeakyRelu(slope) => {
                if x < 0.0 {
                    x * f64::from(slope)
                } else {
                    x
                }
            }
            Function::Elu(alpha) => {
                if x < 0.0 {
                    x.exp_m1() * f64::from(alpha)
                } else {
                    x
                }
            }
            Function::Selu { alpha, gamma } => f64::from(gamma) * exact(Function::Elu(alpha), x),
            Function::Gelu => 0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
            Function::FastGelu => {
                let power = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
                0.5 * x * (1.0 + power.tanh())
            }
            Function::SquareRoot => x.sqrt(),
            Function::Reciprocal => x.recip(),
            Function::Negative => -x,
            Function::Absolute => x.abs(),
            Function::Softsign if x.is_infinite() => f64::NAN,
            Function::Softsign => x / (1.0 + x.abs()),
            Function::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Function::HardSigmoid { alpha, beta } => (f64::from(alpha) * x + f64::from(beta)).clamp(0.0, 1.0),
            Function::Clip { least, greatest } => x.max(f64::from(least)).min(f64::from(greatest)),
            Function::Tanh => x.tanh(),
            Function::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Function::Exp => x.exp(),
            Function::Erf => libm::erf(x),
            Function::Logistic | Function::PlainLogistic => 1.0 / (1.0 + (-x).exp()),
        }
    }

    /// Numbers of all sizes and both signs.
    fn numbers() -> Vec<f32> {
        let every = (0..u32::MAX / 40_009).map(|at| f32::from_bits(at * 40_009));
        let near = (-40_000..40_000).map(|at| at as f32 * 0.003);
        every.chain(near).filter(|x| !x.is_nan()).collect()
    }

    #[test]
    fn answers_are_those_of_double_precision() {
        for function in FUNCTIONS {
            // Relative, and beside one where a difference to one is taken.
            let (relative, absolute) = match function {
                Function::Elu(_) | Function::Selu { .. } => (2e-7, 3e-7),
                Function::Gelu | Function::FastGelu => (4e-7, 5e-7),
                Function::HardSigmoid { .. } => (2e-7, 1e-7),
                _ => (2.5e-7, 1e-44),
            };
            let inputs = numbers();
            let mut answers = inputs.clone();
            function.apply(&mut answers);
            for (&x, &got) in inputs.iter().zip(&answers) {
                let expected = exact(function, f64::from(x));
                let rounded = expected as f32;
                let close = (f64::from(got) - expected).abs() <= relative * expected.abs() + absolute;
                let none = got.is_nan() && expected.is_nan();
                assert!(close || none || got == rounded, "{function:?} of {x}: {got} instead of {expected}");
            }
        }
    }

    #[test]
    fn every_form_gives_the_same_bits_wherever_a_number_stands() {
        let inputs: Vec<f32> = numbers().into_iter().chain([f32::NAN, f32::INFINITY, f32::NEG_INFINITY]).collect();
        for function in FUNCTIONS {
            let mut expected = inputs.clone();
            function.apply_with(Form::all()[0], &mut expected);
            for form in Form::all() {
                for start in [0, 1, 5] {
                    let mut got = inputs[start..].to_vec();
                    function.apply_with(form, &mut got);
                    let same = got
                        .iter()
                        .zip(&expected[start..])
                        .all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan());
                    assert!(same, "{function:?} with {form}");
                }
            }
        }
    }

    #[test]
    fn logistic_functions_are_those_of_single_precision() {
        for function in [Function::Logistic, Function::PlainLogistic] {
            let inputs = numbers();
            let mut answers = inputs.clone();
            function.apply(&mut answers);
            for (&x, &got) in inputs.iter().zip(&answers) {
                let expected = match function {
                    Function::Logistic => crate::activation::logistic(x),
                    _ => crate::activation::plain_logistic(x),
                };
                // What is left of one is a multiple of its last place.
                let absolute = if function == Function::Logistic { f32::EPSILON } else { 1e-44 };
                let close = (got - expected).abs() <= 4.0 * f32::EPSILON * expected + absolute;
                assert!(close, "{function:?} of {x}: {got} instead of {expected}");
            }
            for form in Form::all() {
                let mut others = inputs[3..].to_vec();
                function.apply_with(form, &mut others);
                assert!(
                    others.iter().zip(&answers[3..]).all(|(a, b)| a.to_bits() == b.to_bits()),
                    "{function:?}, {form}"
                );
            }
        }
    }

    #[test]
    fn nan_and_infinity_flow() {
        for function in FUNCTIONS {
            let mut values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
            function.apply(&mut values);
            assert!(values[0].is_nan(), "{function:?}");
            for (got, x) in values[1..].iter().zip([f64::INFINITY, f64::NEG_INFINITY]) {
                let expected = exact(function, x);
                let same = *got == expected as f32 || got.is_nan() && expected.is_nan();
                assert!(same, "{function:?} of {x}: {got}");
            }
        }
    }
}
