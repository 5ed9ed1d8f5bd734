//! 16 numbers in a register of AVX-512.

use std::arch::x86_64::*;

use super::Vector;

/// Numbers in a register.
#[derive(Clone, Copy)]
pub(super) struct Avx512(__m512);

impl Vector for Avx512 {
    const LANES: usize = 16;
    const MANY: bool = true;

    #[inline(always)]
    unsafe fn load(source: *const f32) -> Self {
        // SAFETY: the caller may read 16 numbers and has the instruction.
        Self(unsafe { _mm512_loadu_ps(source) })
    }

    #[inline(always)]
    unsafe fn store(self, target: *mut f32) {
        // SAFETY: the caller may write 16 numbers and has the instruction.
        unsafe { _mm512_storeu_ps(target, self.0) }
    }

    #[inline(always)]
    unsafe fn all(value: f32) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { _mm512_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn plus_product(self, a: Self, b: Self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { _mm512_fmadd_ps(a.0, b.0, self.0) })
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn minus(self, other: Self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { _mm512_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn times(self, other: Self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn size(self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { _mm512_abs_ps(self.0) })
    }

    #[inline(always)]
    unsafe fn turn_eight(source: *const f32, stride: usize, target: *mut f32, target_stride: usize) {
        // SAFETY: the caller may read and write there; who has these instructions has those of AVX.
        unsafe { super::avx2::turn_eight(source, stride, target, target_stride) }
    }

    #[inline(always)]
    unsafe fn greater(self, other: Self) -> Self {
        // SAFETY: the caller has the instruction, which gives its second number unless the first is greater.
        Self(unsafe { _mm512_max_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn not_at_least(self, other: Self) -> u32 {
        // SAFETY: the caller has the instruction.
        u32::from(unsafe { _mm512_cmp_ps_mask::<_CMP_NGE_UQ>(self.0, other.0) })
    }
}
