//! The functions that turn raw scores into answers, in the arithmetic of ONNX Runtime.
//!
//! ai.onnx.ml calls them post transforms. Logistic and probit take one value; the softmax family takes the columns of all
//! classes and works in place, class by class in order, so that a row's sum does not depend on the rows around it.

use crate::real::Real;

/// LOGISTIC: `1 / (1 + exp(-x))`, computed from the absolute value so that it never overflows.
pub fn logistic<T: Real>(x: T) -> T {
    let upper = T::ONE / (T::ONE + (-x.abs()).exp());
    if x < T::ZERO { T::ONE - upper } else { upper }
}

/// `1 / (1 + exp(-x))` as it stands. It keeps small probabilities apart, where [`logistic`] rounds them to zero.
pub fn plain_logistic<T: Real>(x: T) -> T {
    T::ONE / (T::ONE + (-x).exp())
}

/// PROBIT: `sqrt(2) * erf_inv(2 x - 1)`.
pub fn probit(x: f32) -> f32 {
    std::f32::consts::SQRT_2 * erf_inv(2.0 * x - 1.0)
}

/// The inverse of the error function by Winitzki's approximation with `a = 0.147`, which is what ONNX Runtime computes.
fn erf_inv(x: f32) -> f32 {
    const A: f32 = 0.147;
    let sign = if x < 0.0 { -1.0 } else { 1.0 };
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let half = 2.0 / (std::f32::consts::PI * A) + 0.5 * log;
    let square = half * half - 1.0 / A * log;
    sign * (square.sqrt() - half).sqrt()
}

/// SOFTMAX over the columns of each row. The largest value is subtracted first, so that nothing overflows.
///
/// # Panics
/// When the columns have different lengths.
pub fn softmax<T: Real>(columns: &mut [&mut [T]]) {
    let largest = row_maximum(columns);
    let mut sum = vec![T::ZERO; largest.len()];
    for column in columns.iter_mut() {
        exp_of_difference(column, &largest);
        sum.iter_mut().zip(column.iter()).for_each(|(sum, &value)| *sum += value);
    }
    divide(columns, &sum);
}

/// As [`softmax`], but the sum is taken in double precision, as XGBoost does.
///
/// # Panics
/// When the columns have different lengths.
pub fn softmax_wide(columns: &mut [&mut [f32]]) {
    let largest = row_maximum(columns);
    let mut sum = vec![0.0; largest.len()];
    for column in columns.iter_mut() {
        exp_of_difference(column, &largest);
        sum.iter_mut().zip(column.iter()).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let sum: Vec<f32> = sum.into_iter().map(|sum| sum as f32).collect();
    divide(columns, &sum);
}

fn exp_of_difference<T: Real>(column: &mut [T], largest: &[T]) {
    column.iter_mut().zip(largest).for_each(|(value, &largest)| *value = *value - largest);
    T::exp_each(column);
}

/// SOFTMAX_ZERO: as [`softmax`], but a value within 1e-7 of zero stays (nearly) zero and does not count.
///
/// # Panics
/// When the columns have different lengths.
pub fn softmax_zero(columns: &mut [&mut [f32]]) {
    const ZERO_WIDTH: f32 = 1e-7;
    let largest = row_maximum(columns);
    let mut sum = vec![0.0; largest.len()];
    for column in columns.iter_mut() {
        for ((value, &largest), sum) in column.iter_mut().zip(&largest).zip(&mut sum) {
            if value.abs() > ZERO_WIDTH {
                *value = (*value - largest).exp();
                *sum += *value;
            } else {
                *value *= (-largest).exp();
            }
        }
    }
    divide(columns, &sum);
}

/// The logarithm of [`softmax`], without its rounding: `x - largest - ln(sum)`.
///
/// # Panics
/// When the columns have different lengths.
pub fn log_softmax<T: Real>(columns: &mut [&mut [T]]) {
    let largest = row_maximum(columns);
    let mut sum = vec![T::ZERO; largest.len()];
    for column in columns.iter() {
        for ((&value, &largest), sum) in column.iter().zip(&largest).zip(&mut sum) {
            *sum += (value - largest).exp();
        }
    }
    for column in columns.iter_mut() {
        for ((value, &largest), sum) in column.iter_mut().zip(&largest).zip(&sum) {
            *value = *value - largest - sum.ln();
        }
    }
}

/// The largest value of each row; NaN never wins.
fn row_maximum<T: Real>(columns: &[&mut [T]]) -> Vec<T> {
    let rows = columns.first().map_or(0, |column| column.len());
    let mut largest = vec![T::LOWEST; rows];
    for column in columns {
        assert_eq!(column.len(), rows, "all columns have the same number of rows");
        for (largest, &value) in largest.iter_mut().zip(column.iter()) {
            if value > *largest {
                *largest = value;
            }
        }
    }
    largest
}

fn divide<T: Real>(columns: &mut [&mut [T]], divisors: &[T]) {
    for column in columns {
        for (value, &divisor) in column.iter_mut().zip(divisors) {
            *value /= divisor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Post transforms of LinearRegressor with unit coefficients in ONNX Runtime 1.32.
    #[test]
    fn numbers_of_onnx_runtime() {
        const ROWS: [[f32; 3]; 3] = [[0.1, -2.5, 3.0], [0.9, 0.5, 0.02], [0.0, 5e-8, -1.0]];
        let logistics =
            [0.524_979_2, 0.075_858_176, 0.952_574_13, 0.710_949_5, 0.622_459_3, 0.504_999_8, 0.5, 0.5, 0.268_941_43];
        assert_close(ROWS.as_flattened().iter().map(|&x| logistic(x)), logistics);
        let probits = [0.025, 0.5, 0.9, 0.999, 0.1, 5e-8].map(probit);
        assert_close(probits, [-1.959_048_9, 0.0, 1.281_712_9, 3.084_643_6, -1.281_712_9, -5.291_191_6]);
        assert_eq!(probit(0.0), f32::NEG_INFINITY);
        let first = [0.051_952_317, 0.003_858_685, 0.944_189_1];
        let second = [0.479_592_62, 0.321_480_54, 0.198_926_82];
        for (kernel, third) in [
            (softmax as fn(&mut [&mut [f32]]), [0.422_318_8, 0.422_318_8, 0.155_362_41]),
            (softmax_zero, [0.0, 1.359_140_8e-7, 1.0]),
        ] {
            for (row, expected) in ROWS.into_iter().zip([first, second, third]) {
                let [mut a, mut b, mut c] = row.map(|x| [x]);
                kernel(&mut [&mut a, &mut b, &mut c]);
                assert_close([a[0], b[0], c[0]], expected);
            }
        }
    }

    fn assert_close(got: impl IntoIterator<Item = f32>, expected: impl IntoIterator<Item = f32>) {
        for (got, expected) in got.into_iter().zip(expected) {
            assert!((got - expected).abs() <= 1e-6 * expected.abs(), "{got} instead of {expected}");
        }
    }

    #[test]
    fn logistic_is_symmetric_and_never_overflows() {
        assert_eq!(logistic(0.0f32), 0.5);
        assert_eq!(logistic(f32::INFINITY), 1.0);
        assert_eq!(logistic(-1000.0f32), 0.0);
        assert!((logistic(1.0f32) - 0.731_058_6).abs() < 1e-7);
        assert_eq!(logistic(-1.0f32), 1.0 - logistic(1.0f32));
        assert!(logistic(f64::NAN).is_nan());
    }

    #[test]
    fn plain_logistic_keeps_small_probabilities() {
        assert_eq!(plain_logistic(0.0f32), 0.5);
        assert_eq!(plain_logistic(f32::INFINITY), 1.0);
        assert!((plain_logistic(-20.0f32) - 2.061_153_6e-9).abs() < 1e-15);
    }

    #[test]
    fn a_wide_sum_is_rounded_once() {
        let mut columns: Vec<[f32; 1]> = vec![[0.0]; 10_000];
        softmax_wide(&mut columns.iter_mut().map(<[f32; 1]>::as_mut_slice).collect::<Vec<_>>());
        assert!(columns.iter().all(|column| column[0] == 1e-4));
    }

    #[test]
    fn probit_is_the_normal_quantile() {
        assert_eq!(probit(0.5), 0.0);
        // The approximation is good to about 2e-3.
        assert!((probit(0.975) - 1.959_964).abs() < 2e-3);
        assert!((probit(0.025) + 1.959_964).abs() < 2e-3);
        assert!(probit(2.0).is_nan());
    }

    #[test]
    fn softmax_of_each_row() {
        let (mut a, mut b) = ([0.0f32, 1000.0, f32::NAN], [0.0f32, 0.0, 1.0]);
        softmax(&mut [&mut a, &mut b]);
        assert_eq!(a[..2], [0.5, 1.0]);
        assert_eq!(b[..2], [0.5, 0.0]);
        assert!(a[2].is_nan() && b[2].is_nan());
    }

    #[test]
    fn softmax_zero_leaves_zeros_out() {
        let (mut a, mut b, mut c) = ([0.0f32, 1e-8], [1.0f32, 2.0], [1.0f32, -3.0]);
        softmax_zero(&mut [&mut a, &mut b, &mut c]);
        assert_eq!((a[0], b[0], c[0]), (0.0, 0.5, 0.5));
        let sum = 1.0 + (-5.0f32).exp();
        assert_eq!((a[1], b[1], c[1]), (1e-8 * (-2.0f32).exp() / sum, 1.0 / sum, (-5.0f32).exp() / sum));
    }

    #[test]
    fn log_softmax_is_the_logarithm_of_softmax() {
        let (mut a, mut b) = ([1.0f64], [3.0f64]);
        log_softmax(&mut [&mut a, &mut b]);
        assert!((a[0] - (1.0 / (1.0 + 2.0f64.exp())).ln()).abs() < 1e-15);
        assert!((b[0] - (1.0 / (1.0 + (-2.0f64).exp())).ln()).abs() < 1e-15);
    }
}
