//! What is done to the numbers before the model reads them.

use super::Precision;
use super::Precision::Single;

/// One operation on all numbers of a row.
#[derive(Debug, Clone)]
pub enum Step {
    /// One value is replaced by that of its feature; NaN may be that value.
    Impute {
        /// The value that means "missing".
        replaced: f64,
        /// One number for each feature, or one for all.
        fills: Vec<f64>,
    },
    /// `(x - offset) * scale`
    Scale {
        /// One number for each feature, or one for all.
        offsets: Vec<f64>,
        /// One number for each feature, or one for all.
        scales: Vec<f64>,
    },
    /// Divided by the norm of the row.
    Normalize(Norm),
    /// 1 above this number and else 0; a row with NaN is refused.
    Binarize(f64),
}

/// The size of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// The largest value, which is not the largest absolute value.
    Max,
    /// The sum of absolute values.
    L1,
    /// The root of the sum of squares.
    L2,
}

fn per_feature(values: &[f64], feature: usize) -> f64 {
    if values.len() == 1 { values[0] } else { values[feature] }
}

impl Step {
    /// The numbers after the step; `None` if it refuses the row.
    pub(super) fn apply(&self, row: &[f64], precision: Precision) -> Option<Vec<f64>> {
        let each = row.iter().enumerate();
        Some(match self {
            Self::Impute { replaced, fills } => {
                let is_missing = |x: f64| x == *replaced || (x.is_nan() && replaced.is_nan());
                each.map(|(feature, &x)| if is_missing(x) { per_feature(fills, feature) } else { x }).collect()
            }
            Self::Scale { offsets, scales } => {
                let scaled = |(feature, &x): (usize, &f64)| {
                    let centred = precision.round(x - per_feature(offsets, feature));
                    Single.round(precision.round(centred * per_feature(scales, feature)))
                };
                each.map(scaled).collect()
            }
            Self::Normalize(norm) => norm.apply(row),
            Self::Binarize(_) if row.iter().any(|x| x.is_nan()) => return None,
            Self::Binarize(threshold) => row.iter().map(|&x| if x > *threshold { 1.0 } else { 0.0 }).collect(),
        })
    }

    /// The precision of the numbers after the step.
    pub(super) fn precision_after(&self, precision: Precision) -> Precision {
        match self {
            Self::Scale { .. } | Self::Normalize(_) => Single,
            Self::Impute { .. } | Self::Binarize(_) => precision,
        }
    }
}

impl Norm {
    /// The attribute `norm`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Max => "MAX",
            Self::L1 => "L1",
            Self::L2 => "L2",
        }
    }

    fn apply(self, row: &[f64]) -> Vec<f64> {
        let sum = |parts: &[f64]| parts.iter().fold(0.0, |sum, part| Single.round(sum + part));
        let singles: Vec<f64> = row.iter().map(|&x| Single.round(x)).collect();
        let divided = |divisor: f64| -> Vec<f64> {
            singles.iter().map(|&x| if divisor == 0.0 { x } else { Single.round(x / divisor) }).collect()
        };
        match self {
            Self::Max => {
                divided(singles.iter().fold(f64::from(f32::MIN), |largest, &x| if x > largest { x } else { largest }))
            }
            Self::L1 => divided(sum(&singles.iter().map(|x| x.abs()).collect::<Vec<_>>())),
            Self::L2 => {
                let squares: Vec<f64> = row.iter().map(|x| Single.round(x * x)).collect();
                let total = sum(&squares);
                let share = |(&x, &square): (&f64, &f64)| match Single.round(Single.round(square / total).sqrt()) {
                    _ if total == 0.0 => Single.round(x),
                    root if x < 0.0 => -root,
                    root => root,
                };
                row.iter().zip(&squares).map(share).collect()
            }
        }
    }
}
