//! 8 numbers in a register of AVX.

use std::arch::x86_64::*;

use super::Vector;

/// Numbers in a register.
#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256);

impl Vector for Avx2 {
    const LANES: usize = 8;
    const MANY: bool = false;

    #[inline(always)]
    unsafe fn load(source: *const f32) -> Self {
        // SAFETY: the caller may read 8 numbers and has the instruction.
        Self(unsafe { _mm256_loadu_ps(source) })
    }

    #[inline(always)]
    unsafe fn store(self, target: *mut f32) {
        // SAFETY: the caller may write 8 numbers and has the instruction.
        unsafe { _mm256_storeu_ps(target, self.0) }
    }

    #[inline(always)]
    unsafe fn all(value: f32) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { _mm256_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn plus_product(self, a: Self, b: Self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { _mm256_fmadd_ps(a.0, b.0, self.0) })
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { _mm256_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn minus(self, other: Self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { _mm256_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn times(self, other: Self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { _mm256_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn size(self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0) })
    }

    #[inline(always)]
    unsafe fn turn_eight(source: *const f32, stride: usize, target: *mut f32, target_stride: usize) {
        // SAFETY: the caller may read and write there, and has the instructions.
        unsafe { turn_eight(source, stride, target, target_stride) }
    }

    #[inline(always)]
    unsafe fn greater(self, other: Self) -> Self {
        // SAFETY: the caller has the instruction, which gives its second number unless the first is greater.
        Self(unsafe { _mm256_max_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn not_at_least(self, other: Self) -> u32 {
        // SAFETY: the caller has the instructions.
        unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NGE_UQ>(self.0, other.0)) as u32 }
    }
}

/// Pairs of rows are merged, then pairs of these, then halves.
///
/// # Safety
/// As [`Vector::turn_eight`], for AVX.
#[inline(always)]
pub(super) unsafe fn turn_eight(source: *const f32, stride: usize, target: *mut f32, target_stride: usize) {
    // SAFETY: the caller may read and write there, and has the instructions.
    unsafe {
        let rows: [__m256; 8] = std::array::from_fn(|row| _mm256_loadu_ps(source.add(row * stride)));
        let pairs: [[__m256; 2]; 4] = std::array::from_fn(|pair| {
            let (even, odd) = (rows[2 * pair], rows[2 * pair + 1]);
            [_mm256_unpacklo_ps(even, odd), _mm256_unpackhi_ps(even, odd)]
        });
        let fours = |first: [__m256; 2], second: [__m256; 2]| {
            [
                _mm256_shuffle_ps::<0x44>(first[0], second[0]),
                _mm256_shuffle_ps::<0xee>(first[0], second[0]),
                _mm256_shuffle_ps::<0x44>(first[1], second[1]),
                _mm256_shuffle_ps::<0xee>(first[1], second[1]),
            ]
        };
        let (upper, lower) = (fours(pairs[0], pairs[1]), fours(pairs[2], pairs[3]));
        for (column, (upper, lower)) in upper.into_iter().zip(lower).enumerate() {
            let halves = [_mm256_permute2f128_ps::<0x20>(upper, lower), _mm256_permute2f128_ps::<0x31>(upper, lower)];
            _mm256_storeu_ps(target.add(column * target_stride), halves[0]);
            _mm256_storeu_ps(target.add((column + 4) * target_stride), halves[1]);
        }
    }
}
