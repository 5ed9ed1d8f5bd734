//! Post transforms: functions of the scores, in single precision.

use super::Precision::Single;

/// A function of the scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transform {
    /// None.
    None,
    /// `1 / (1 + exp(-x))`
    Logistic,
    /// Shares of the exponentials.
    Softmax,
    /// The same without the scores that are zero.
    SoftmaxZero,
    /// The quantile of the normal distribution, approximately.
    Probit,
}

/// Scores closer to zero than this are zero to SOFTMAX_ZERO.
const ZERO_WIDTH: f64 = 1e-7_f32 as f64;

impl Transform {
    /// The attribute `post_transform`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Logistic => "LOGISTIC",
            Self::Softmax => "SOFTMAX",
            Self::SoftmaxZero => "SOFTMAX_ZERO",
            Self::Probit => "PROBIT",
        }
    }

    /// The attribute `post_transform` of TreeEnsemble, with the numbers that ONNX Runtime gives them.
    pub(super) fn number(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Logistic => 1,
            Self::Softmax => 2,
            Self::SoftmaxZero => 3,
            Self::Probit => 4,
        }
    }

    /// What a regression of this many numbers does: ONNX Runtime leaves one number as it is, except for PROBIT.
    pub(super) fn of_targets(self, outputs: usize) -> Self {
        if outputs == 1 && self != Self::Probit { Self::None } else { self }
    }

    /// Numbers of a regression.
    pub(super) fn targets(self, scores: Vec<f64>) -> Vec<f64> {
        self.of_targets(scores.len()).scores(scores)
    }

    /// The function of all scores.
    pub(super) fn scores(self, scores: Vec<f64>) -> Vec<f64> {
        match self {
            Self::None => scores,
            Self::Logistic | Self::Probit => scores.into_iter().map(|score| self.of_one(score)).collect(),
            Self::Softmax => shares(&scores, |_| false),
            Self::SoftmaxZero => shares(&scores, |score| score.abs() <= ZERO_WIDTH),
        }
    }

    /// The function of one score.
    pub(super) fn of_one(self, score: f64) -> f64 {
        match self {
            Self::Logistic => {
                let upper = Single.round(1.0 / Single.round(1.0 + exp(-score.abs())));
                if score < 0.0 { Single.round(1.0 - upper) } else { upper }
            }
            Self::Probit => probit(score as f32),
            _ => score,
        }
    }
}

fn exp(x: f64) -> f64 {
    Single.round(Single.round(x).exp())
}

/// Each score's exponential over their sum; those that count as zero stay out of the sum.
fn shares(scores: &[f64], is_zero: impl Fn(f64) -> bool) -> Vec<f64> {
    let largest =
        scores.iter().fold(f64::from(f32::MIN), |largest, &score| if score > largest { score } else { largest });
    let mut sum = 0.0;
    let mut powers = Vec::new();
    for &score in scores {
        if is_zero(score) {
            powers.push(Single.round(score * exp(-largest)));
        } else {
            powers.push(exp(score - largest));
            sum = Single.round(sum + powers[powers.len() - 1]);
        }
    }
    powers.into_iter().map(|power| Single.round(power / sum)).collect()
}

/// `sqrt(2) * erf_inv(2 p - 1)` with Winitzki's approximation, as ONNX Runtime has it.
fn probit(p: f32) -> f64 {
    let x = 2.0 * p - 1.0;
    let sign = if x < 0.0 { -1.0 } else { 1.0 };
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let v = 2.0 / (std::f32::consts::PI * 0.147) + 0.5 * log;
    let v2 = 1.0 / 0.147 * log;
    f64::from(std::f32::consts::SQRT_2 * (sign * (-v + (v * v - v2).sqrt()).sqrt()))
}
