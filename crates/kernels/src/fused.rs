//! Multiplication and addition with one rounding, over slices.
//!
//! That is what ONNX Runtime's matrix products do on every processor of the last ten years, and a model whose sums cancel
//! shows the difference. The answer is the same to the bit on a processor without the instruction, only slower.

#[cfg(target_arch = "x86_64")]
use crate::forms::{Form, Set};

/// Adds `value * weight` to each sum.
pub fn add_product(sums: &mut [f32], values: &[f32], weight: f32) {
    #[cfg(target_arch = "x86_64")]
    if matches!(Form::best().set(), Set::Avx2 | Set::Avx512) {
        // SAFETY: a form is only there for instructions that the processor has, and both have the two features that the
        // function is compiled for.
        return unsafe { with_instruction(sums, values, weight) };
    }
    each(sums, values, weight);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_instruction(sums: &mut [f32], values: &[f32], weight: f32) {
    each(sums, values, weight);
}

#[inline(always)]
#[expect(
    clippy::disallowed_methods,
    reason = "the products of matrices are where the reference runtime rounds once, too"
)]
fn each(sums: &mut [f32], values: &[f32], weight: f32) {
    for (sum, &value) in sums.iter_mut().zip(values) {
        *sum = value.mul_add(weight, *sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_once_and_alike_everywhere() {
        let values: Vec<f32> = (0..37).map(|at| 1.0 + (at as f32).sin() * 1e-4).collect();
        let (mut sums, mut expected) = (vec![-1.0; 37], vec![-1.0; 37]);
        add_product(&mut sums, &values, 1.0 + f32::EPSILON);
        each(&mut expected, &values, 1.0 + f32::EPSILON);
        assert_eq!(sums, expected);
        let x = 1.0 + f32::EPSILON;
        let mut sum = [-1.0];
        add_product(&mut sum, &[x], x);
        assert_eq!(sum[0], 2.0 * f32::EPSILON + f32::EPSILON * f32::EPSILON, "the product is not rounded");
    }
}
