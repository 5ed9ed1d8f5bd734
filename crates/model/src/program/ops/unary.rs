//! Functions of one column, element by element.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::not;
use arrow::datatypes::Float32Type;
use foretell_kernels::activation::{logistic, plain_logistic, probit};
use foretell_kernels::functions::Function;
use foretell_kernels::real::Real;

use super::columns::{Number, column, for_float, for_number, for_wide, values};
use super::{UnaryOp, wrong_type};
use crate::error::Result;

pub(super) fn run(op: UnaryOp, input: &ArrayRef) -> Result<ArrayRef> {
    let refused = || Err(wrong_type(&format!("{op:?}"), input.data_type()));
    if let (Some(function), Some(numbers)) = (op.function(), input.as_primitive_opt::<Float32Type>()) {
        let mut answers = numbers.values().to_vec();
        function.apply(&mut answers);
        return Ok(column::<Float32Type>(answers));
    }
    match op {
        UnaryOp::Abs => for_wide!(input.data_type(), T => map::<T>(input, Number::absolute), _ => refused()),
        UnaryOp::Neg => for_wide!(input.data_type(), T => map::<T>(input, Number::negated), _ => refused()),
        UnaryOp::Sign => for_wide!(input.data_type(), T => map::<T>(input, Number::sign), _ => refused()),
        UnaryOp::Relu => {
            for_wide!(input.data_type(), T => map::<T>(input, |x| x.greatest(Number::ZERO)), _ => refused())
        }
        UnaryOp::Not => match input.as_boolean_opt() {
            Some(input) => Ok(Arc::new(not(input)?)),
            None => refused(),
        },
        UnaryOp::IsNan => for_float!(input.data_type(), T => test::<T>(input, |x| x.is_nan()), _ => refused()),
        UnaryOp::IsInf => for_float!(input.data_type(), T => test::<T>(input, |x| x.is_infinite()), _ => refused()),
        UnaryOp::Probit => map::<Float32Type>(input, probit),
        _ => for_float!(input.data_type(), T => float::<T>(op, input), _ => refused()),
    }
}

impl UnaryOp {
    /// The kernel for columns of `f32`, where there is one.
    pub(crate) fn function(self) -> Option<Function> {
        Some(match self {
            Self::Elu(alpha) => Function::Elu(alpha),
            Self::Erf => Function::Erf,
            Self::Exp => Function::Exp,
            Self::Gelu => Function::Gelu,
            Self::HardSigmoid { alpha, beta } => Function::HardSigmoid { alpha, beta },
            Self::LeakyRelu(slope) => Function::LeakyRelu(slope),
            Self::Logistic => Function::Logistic,
            Self::PlainLogistic => Function::PlainLogistic,
            Self::Relu => Function::Relu,
            Self::Selu { alpha, gamma } => Function::Selu { alpha, gamma },
            Self::Sigmoid => Function::Sigmoid,
            Self::Softplus => Function::Softplus,
            Self::Softsign => Function::Softsign,
            Self::Tanh => Function::Tanh,
            _ => return None,
        })
    }
}

/// The functions that only floating point numbers have.
fn float<T>(op: UnaryOp, input: &ArrayRef) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType<Native: Real + FloatFunctions + From<f32>>,
{
    match op {
        UnaryOp::Ceil => map::<T>(input, FloatFunctions::ceil),
        UnaryOp::Cos => map::<T>(input, FloatFunctions::cos),
        UnaryOp::Elu(alpha) => map::<T>(input, |x| x.elu(alpha)),
        UnaryOp::Erf => map::<T>(input, Real::erf),
        UnaryOp::Exp => map::<T>(input, Real::exp),
        UnaryOp::Floor => map::<T>(input, FloatFunctions::floor),
        UnaryOp::Gelu => map::<T>(input, FloatFunctions::gelu),
        UnaryOp::HardSigmoid { alpha, beta } => map::<T>(input, |x| x.hard_sigmoid(alpha, beta)),
        UnaryOp::LeakyRelu(slope) => map::<T>(input, |x| x.leaky_relu(slope)),
        UnaryOp::Log => map::<T>(input, Real::ln),
        UnaryOp::Log1p => map::<T>(input, FloatFunctions::ln_1p),
        UnaryOp::Reciprocal => map::<T>(input, |x| T::Native::ONE / x),
        UnaryOp::Round => map::<T>(input, FloatFunctions::round),
        UnaryOp::Selu { alpha, gamma } => map::<T>(input, |x| x.elu(alpha) * gamma.into()),
        UnaryOp::Sigmoid | UnaryOp::Logistic => map::<T>(input, logistic),
        UnaryOp::PlainLogistic => map::<T>(input, plain_logistic),
        UnaryOp::Sin => map::<T>(input, FloatFunctions::sin),
        UnaryOp::Softplus => map::<T>(input, softplus),
        UnaryOp::Softsign => map::<T>(input, |x| x / (T::Native::ONE + x.abs())),
        UnaryOp::Sqrt => map::<T>(input, Real::sqrt),
        UnaryOp::Tanh => map::<T>(input, FloatFunctions::tanh),
        _ => Err(wrong_type(&format!("{op:?}"), input.data_type())),
    }
}

/// `ln(1 + exp(x))`, computed so that it does not overflow, and is not nothing where the exponential is small.
fn softplus<T: Real + FloatFunctions>(x: T) -> T {
    if x > T::ZERO { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

/// What the kernels do not need of floating point numbers.
trait FloatFunctions {
    fn ceil(self) -> Self;
    fn cos(self) -> Self;
    fn floor(self) -> Self;
    fn ln_1p(self) -> Self;
    /// To the nearest integer, halves to the even one.
    fn round(self) -> Self;
    fn sin(self) -> Self;
    fn tanh(self) -> Self;
    fn leaky_relu(self, slope: f32) -> Self;
    fn elu(self, alpha: f32) -> Self;
    fn gelu(self) -> Self;
    fn hard_sigmoid(self, alpha: f32, beta: f32) -> Self;
}

macro_rules! float_functions {
    ($type:ident) => {
        impl FloatFunctions for $type {
            fn ceil(self) -> Self {
                $type::ceil(self)
            }
            fn cos(self) -> Self {
                $type::cos(self)
            }
            fn floor(self) -> Self {
                $type::floor(self)
            }
            fn ln_1p(self) -> Self {
                $type::ln_1p(self)
            }
            fn round(self) -> Self {
                self.round_ties_even()
            }
            fn sin(self) -> Self {
                $type::sin(self)
            }
            fn tanh(self) -> Self {
                $type::tanh(self)
            }
            fn leaky_relu(self, slope: f32) -> Self {
                if self >= 0.0 { self } else { $type::from(slope) * self }
            }
            fn elu(self, alpha: f32) -> Self {
                if self >= 0.0 { self } else { $type::from(alpha) * ($type::exp(self) - 1.0) }
            }
            fn gelu(self) -> Self {
                0.5 * self * (1.0 + Real::erf(self * std::$type::consts::FRAC_1_SQRT_2))
            }
            fn hard_sigmoid(self, alpha: f32, beta: f32) -> Self {
                ($type::from(alpha) * self + $type::from(beta)).clamp(0.0, 1.0)
            }
        }
    };
}

float_functions!(f32);
float_functions!(f64);

fn map<T: ArrowPrimitiveType>(input: &ArrayRef, function: impl Fn(T::Native) -> T::Native) -> Result<ArrayRef> {
    Ok(column::<T>(values::<T>(input)?.iter().map(|&x| function(x)).collect()))
}

fn test<T: ArrowPrimitiveType>(input: &ArrayRef, test: impl Fn(T::Native) -> bool) -> Result<ArrayRef> {
    let input = values::<T>(input)?;
    Ok(Arc::new(BooleanArray::from(BooleanBuffer::collect_bool(input.len(), |row| test(input[row])))))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float32Array, Float64Array, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn f32s(op: UnaryOp, input: &[f32]) -> Vec<f32> {
        let input: ArrayRef = Arc::new(Float32Array::from(input.to_vec()));
        let output = run(op, &input).expect("a function of floats");
        output.as_primitive::<Float32Type>().values().to_vec()
    }

    #[test]
    fn functions_of_floats() {
        assert_eq!(f32s(UnaryOp::Round, &[0.5, 1.5, -2.5, 2.4]), [0.0, 2.0, -2.0, 2.0]);
        assert_eq!(f32s(UnaryOp::LeakyRelu(0.1), &[2.0, -2.0]), [2.0, -0.2]);
        assert_eq!(f32s(UnaryOp::Relu, &[2.0, -2.0]), [2.0, 0.0]);
        assert_eq!(f32s(UnaryOp::Sign, &[-2.0, 0.0, 5.0]), [-1.0, 0.0, 1.0]);
        assert_eq!(f32s(UnaryOp::Softplus, &[1000.0, -1000.0]), [1000.0, 0.0]);
        assert_eq!(f32s(UnaryOp::Sigmoid, &[0.0, -1000.0]), [0.5, 0.0]);
        assert!((f32s(UnaryOp::Erf, &[0.5])[0] - 0.520_499_9).abs() < 1e-7);
        assert!(f32s(UnaryOp::Relu, &[f32::NAN])[0].is_nan());
    }

    #[test]
    fn other_types() {
        let integers: ArrayRef = Arc::new(Int64Array::from(vec![-3, 4]));
        let absolute = run(UnaryOp::Abs, &integers).expect("a function of integers");
        assert_eq!(absolute.as_primitive::<Int64Type>().values(), &[3, 4]);
        assert!(run(UnaryOp::Sqrt, &integers).is_err());
        let doubles: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, f64::INFINITY]));
        let nans = run(UnaryOp::IsNan, &doubles).expect("a test of floats");
        assert_eq!(
            run(UnaryOp::Not, &nans).expect("a Boolean column").as_boolean(),
            &BooleanArray::from(vec![false, true])
        );
        assert_eq!(run(UnaryOp::IsInf, &doubles).expect("a test").as_boolean(), &BooleanArray::from(vec![false, true]));
    }
}
