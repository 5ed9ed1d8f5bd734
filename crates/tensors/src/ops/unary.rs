//! Functions of one number at a time.

use super::{Operator, exact, one, single};
use crate::call::{Call, no_such_type};
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_number};
use crate::tensor::{Data, Tensor};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "Abs" => single(abs),
        "Acos" => single(acos),
        "Acosh" => single(acosh),
        "Asin" => single(asin),
        "Asinh" => single(asinh),
        "Atan" => single(atan),
        "Atanh" => single(atanh),
        "Ceil" => single(ceil),
        "Celu" => single(celu),
        "Cos" => single(cos),
        "Cosh" => single(cosh),
        "Elu" => single(elu),
        "Erf" => single(erf),
        "Exp" => single(exp),
        "Floor" => single(floor),
        "Gelu" => single(gelu),
        "HardSigmoid" => single(hard_sigmoid),
        "HardSwish" => single(hard_swish),
        "IsInf" => single(is_inf),
        "IsNaN" => single(is_nan),
        "LeakyRelu" => single(leaky_relu),
        "Log" => single(log),
        "Mish" => single(mish),
        "Neg" => single(neg),
        "Not" => exact(not),
        "Reciprocal" => single(reciprocal),
        "Relu" => single(relu),
        "Round" => single(round),
        "Selu" => single(selu),
        "Shrink" => single(shrink),
        "Sigmoid" => single(sigmoid),
        "Sign" => single(sign),
        "Sin" => single(sin),
        "Sinh" => single(sinh),
        "Softplus" => single(softplus),
        "Softsign" => single(softsign),
        "Sqrt" => single(sqrt),
        "Swish" => single(swish),
        "Tan" => single(tan),
        "Tanh" => single(tanh),
        "ThresholdedRelu" => single(thresholded_relu),
        _ => return None,
    })
}

/// One result per element of a floating input. In the expression, `R` is the type of the element.
macro_rules! reals {
    ($call:ident, $x:ident => $body:expr) => {{
        let input = $call.tensor(0)?;
        $call.room_for(input.shape(), input.element_type())?;
        let shape = input.shape().to_vec();
        match input.data() {
            Data::F32(values) => {
                #[allow(clippy::allow_attributes, dead_code, reason = "not every expression names it")]
                type R = f32;
                one(Tensor::new(shape, values.iter().map(|&$x| $body).collect()))
            }
            Data::F64(values) => {
                #[allow(clippy::allow_attributes, dead_code, reason = "not every expression names it")]
                type R = f64;
                one(Tensor::new(shape, values.iter().map(|&$x| $body).collect()))
            }
            other => Err(no_such_type(other.element_type())),
        }
    }};
}

/// Operators that are a function of the standard library.
macro_rules! functions {
    ($($name:ident => $function:ident;)*) => {$(
        fn $name(call: &Call) -> Outcome<Vec<Value>> {
            reals!(call, x => x.$function())
        }
    )*};
}

functions! {
    acos => acos;
    acosh => acosh;
    asin => asin;
    asinh => asinh;
    atan => atan;
    atanh => atanh;
    ceil => ceil;
    cos => cos;
    cosh => cosh;
    exp => exp;
    floor => floor;
    log => ln;
    reciprocal => recip;
    round => round_ties_even;
    sin => sin;
    sinh => sinh;
    sqrt => sqrt;
    tan => tan;
    tanh => tanh;
}

/// Functions of numbers of every type.
fn numbers(call: &Call, function: Function) -> Outcome<Vec<Value>> {
    fn mapped<T: Number>(values: &[T], function: Function) -> Vec<T> {
        match function {
            Function::Abs => values.iter().map(|value| value.absolute()).collect(),
            Function::Neg => values.iter().map(|value| value.negated()).collect(),
            Function::Relu => values.iter().map(|&value| if value < T::ZERO { T::ZERO } else { value }).collect(),
            Function::Sign => values.iter().map(|&value| signum(value)).collect(),
        }
    }
    fn signum<T: Number>(value: T) -> T {
        if value > T::ZERO {
            T::ONE
        } else if value < T::ZERO {
            T::ONE.negated()
        } else {
            // Zero, or what is not a number.
            value.absolute()
        }
    }
    let input = call.tensor(0)?;
    call.room_for(input.shape(), input.element_type())?;
    let shape = input.shape().to_vec();
    one(by_number!(input.data(), values => Ok(Tensor::new(shape, mapped(values, function))))?)
}

#[derive(Debug, Clone, Copy)]
enum Function {
    Abs,
    Neg,
    Relu,
    Sign,
}

fn abs(call: &Call) -> Outcome<Vec<Value>> {
    numbers(call, Function::Abs)
}

fn neg(call: &Call) -> Outcome<Vec<Value>> {
    numbers(call, Function::Neg)
}

fn relu(call: &Call) -> Outcome<Vec<Value>> {
    numbers(call, Function::Relu)
}

fn sign(call: &Call) -> Outcome<Vec<Value>> {
    numbers(call, Function::Sign)
}

fn celu(call: &Call) -> Outcome<Vec<Value>> {
    let alpha = call.float("alpha", 1.0)?;
    reals!(call, x => {
        let alpha = alpha as R;
        // What is not a number stays so.
        let straight = if x > 0.0 || x.is_nan() { x } else { 0.0 };
        straight + (alpha * (x / alpha).exp_m1()).min(0.0)
    })
}

fn elu(call: &Call) -> Outcome<Vec<Value>> {
    let alpha = call.float("alpha", 1.0)?;
    reals!(call, x => if x < 0.0 { alpha as R * x.exp_m1() } else { x })
}

fn erf(call: &Call) -> Outcome<Vec<Value>> {
    // In double precision, of which single precision is the rounding.
    reals!(call, x => libm::erf(x.to_f64()) as R)
}

fn gelu(call: &Call) -> Outcome<Vec<Value>> {
    match call.text("approximate", "none")? {
        "none" => {
            reals!(call, x => (0.5 * x.to_f64() * (1.0 + libm::erf(x.to_f64() * std::f64::consts::FRAC_1_SQRT_2))) as R)
        }
        "tanh" => fast_gelu(call),
        other => Err(Fault::unsupported(format!("approximation `{other}`"))),
    }
}

/// Gelu by way of the hyperbolic tangent.
pub(super) fn fast_gelu(call: &Call) -> Outcome<Vec<Value>> {
    let scale = (2.0 / std::f64::consts::PI).sqrt();
    reals!(call, x => 0.5 * x * (1.0 + (scale as R * (x + 0.044715 * x * x * x)).tanh()))
}

fn hard_sigmoid(call: &Call) -> Outcome<Vec<Value>> {
    let (alpha, beta) = (call.float("alpha", 0.2)?, call.float("beta", 0.5)?);
    reals!(call, x => (alpha as R * x + beta as R).clamp(0.0, 1.0))
}

fn hard_swish(call: &Call) -> Outcome<Vec<Value>> {
    reals!(call, x => x * (x / 6.0 + 0.5).clamp(0.0, 1.0))
}

fn leaky_relu(call: &Call) -> Outcome<Vec<Value>> {
    let alpha = call.float("alpha", 0.01)?;
    reals!(call, x => if x < 0.0 { alpha as R * x } else { x })
}

fn mish(call: &Call) -> Outcome<Vec<Value>> {
    reals!(call, x => x * (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh())
}

fn selu(call: &Call) -> Outcome<Vec<Value>> {
    let alpha = call.float("alpha", 1.673_263_2)?;
    let gamma = call.float("gamma", 1.050_701)?;
    reals!(call, x => gamma as R * if x > 0.0 { x } else { alpha as R * x.exp_m1() })
}

fn sigmoid(call: &Call) -> Outcome<Vec<Value>> {
    reals!(call, x => if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) })
}

fn softplus(call: &Call) -> Outcome<Vec<Value>> {
    reals!(call, x => x.max(0.0) + (-x.abs()).exp().ln_1p())
}

fn softsign(call: &Call) -> Outcome<Vec<Value>> {
    reals!(call, x => x / (1.0 + x.abs()))
}

fn swish(call: &Call) -> Outcome<Vec<Value>> {
    let alpha = call.float("alpha", 1.0)?;
    reals!(call, x => x / (1.0 + (-(alpha as R) * x).exp()))
}

fn thresholded_relu(call: &Call) -> Outcome<Vec<Value>> {
    let alpha = call.float("alpha", 1.0)?;
    reals!(call, x => if x > alpha as R { x } else { 0.0 })
}

fn shrink(call: &Call) -> Outcome<Vec<Value>> {
    fn shrunk<T: Number>(values: &[T], lambda: f64, bias: f64) -> Vec<T> {
        let shrink = |value: f64| match value {
            value if value < -lambda => value + bias,
            value if value > lambda => value - bias,
            _ => 0.0,
        };
        values.iter().map(|value| T::from_f64(shrink(value.to_f64()))).collect()
    }
    let input = call.tensor(0)?;
    let (lambda, bias) = (f64::from(call.float("lambd", 0.5)?), f64::from(call.float("bias", 0.0)?));
    call.room_for(input.shape(), input.element_type())?;
    let shape = input.shape().to_vec();
    one(by_number!(input.data(), values => Ok(Tensor::new(shape, shrunk(values, lambda, bias))))?)
}

fn is_nan(call: &Call) -> Outcome<Vec<Value>> {
    flags(call, f64::is_nan)
}

fn is_inf(call: &Call) -> Outcome<Vec<Value>> {
    let positive = call.flag("detect_positive", true)?;
    let negative = call.flag("detect_negative", true)?;
    flags(call, |x| x.is_infinite() && if x > 0.0 { positive } else { negative })
}

fn flags(call: &Call, holds: impl Fn(f64) -> bool) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    call.room_for(input.shape(), input.element_type())?;
    let flags: Vec<bool> = match input.data() {
        Data::F32(values) => values.iter().map(|&value| holds(f64::from(value))).collect(),
        Data::F64(values) => values.iter().map(|&value| holds(value)).collect(),
        Data::Narrow(kind, values) => values.iter().map(|&value| holds(f64::from(kind.to_f32(value)))).collect(),
        other => return Err(no_such_type(other.element_type())),
    };
    one(Tensor::new(input.shape().to_vec(), flags))
}

fn not(call: &Call) -> Outcome<Vec<Value>> {
    let values = call.elements::<bool>(0)?;
    one(Tensor::new(call.tensor(0)?.shape().to_vec(), values.iter().map(|value| !value).collect()))
}
