//! The functions of gates.

use super::Cell;
use crate::call::Call;
use crate::error::{Fault, Outcome};

/// A function of a gate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Activation {
    pub(super) function: Function,
    pub(super) alpha: f64,
    pub(super) beta: f64,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Function {
    Affine,
    Elu,
    HardSigmoid,
    LeakyRelu,
    Relu,
    ScaledTanh,
    Sigmoid,
    Softplus,
    Softsign,
    Tanh,
    ThresholdedRelu,
}

impl Function {
    /// The function of a name, and what stands for its alpha and beta if it has them and they are not given.
    fn find(name: &str) -> Option<(Self, [Option<f64>; 2])> {
        Some(match name.to_ascii_lowercase().as_str() {
            "affine" => (Self::Affine, [Some(1.0), Some(0.0)]),
            "elu" => (Self::Elu, [Some(1.0), None]),
            "hardsigmoid" => (Self::HardSigmoid, [Some(0.2), Some(0.5)]),
            "leakyrelu" => (Self::LeakyRelu, [Some(0.01), None]),
            "relu" => (Self::Relu, [None, None]),
            "scaledtanh" => (Self::ScaledTanh, [Some(1.0), Some(1.0)]),
            "sigmoid" => (Self::Sigmoid, [None, None]),
            "softplus" => (Self::Softplus, [None, None]),
            "softsign" => (Self::Softsign, [None, None]),
            "tanh" => (Self::Tanh, [None, None]),
            "thresholdedrelu" => (Self::ThresholdedRelu, [Some(1.0), None]),
            _ => return None,
        })
    }
}

impl Activation {
    pub(super) fn of(self, x: f64) -> f64 {
        let Self { function, alpha, beta } = self;
        match function {
            Function::Affine => alpha * x + beta,
            Function::Elu if x < 0.0 => alpha * x.exp_m1(),
            Function::HardSigmoid => (alpha * x + beta).clamp(0.0, 1.0),
            Function::LeakyRelu if x < 0.0 => alpha * x,
            Function::Relu if x < 0.0 => 0.0,
            Function::ScaledTanh => alpha * (beta * x).tanh(),
            Function::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Function::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Function::Softsign => x / (1.0 + x.abs()),
            Function::Tanh => x.tanh(),
            Function::ThresholdedRelu if x < alpha => 0.0,
            Function::Elu | Function::LeakyRelu | Function::Relu | Function::ThresholdedRelu => x,
        }
    }

    /// The functions of all directions. As in ONNX Runtime, only functions that have an alpha or a beta take one of those
    /// given.
    pub(super) fn all(call: &Call, cell: Cell, directions: usize) -> Outcome<Vec<Self>> {
        let usual = cell.functions().repeat(directions);
        let names: Vec<&str> = match call.maybe_texts("activations")? {
            Some(names) if !names.is_empty() => names.iter().map(String::as_str).collect(),
            _ => usual.clone(),
        };
        if names.len() != usual.len() {
            return Err(Fault::invalid(format!("{} activations instead of {}", names.len(), usual.len())));
        }
        let given = |name: &str| -> Outcome<_> { Ok(call.maybe_floats(name)?.unwrap_or_default().iter()) };
        let (mut alphas, mut betas) = (given("activation_alpha")?, given("activation_beta")?);
        names
            .iter()
            .map(|name| {
                let found = Function::find(name);
                let (function, usual) = found.ok_or_else(|| Fault::invalid(format!("activation `{name}`")))?;
                let next = |given: &mut std::slice::Iter<f32>, usual: Option<f64>| {
                    usual.map_or(0.0, |usual| given.next().map_or(usual, |&value| f64::from(value)))
                };
                Ok(Self { function, alpha: next(&mut alphas, usual[0]), beta: next(&mut betas, usual[1]) })
            })
            .collect()
    }
}
