//! 4 numbers in a register of NEON.

use std::arch::aarch64::*;

use super::Vector;

/// Numbers in a register.
#[derive(Clone, Copy)]
pub(super) struct Neon(float32x4_t);

impl Vector for Neon {
    const LANES: usize = 4;
    const MANY: bool = true;

    #[inline(always)]
    unsafe fn load(source: *const f32) -> Self {
        // SAFETY: the caller may read 4 numbers and has the instruction.
        Self(unsafe { vld1q_f32(source) })
    }

    #[inline(always)]
    unsafe fn store(self, target: *mut f32) {
        // SAFETY: the caller may write 4 numbers and has the instruction.
        unsafe { vst1q_f32(target, self.0) }
    }

    #[inline(always)]
    unsafe fn all(value: f32) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { vdupq_n_f32(value) })
    }

    #[inline(always)]
    unsafe fn plus_product(self, a: Self, b: Self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { vfmaq_f32(self.0, a.0, b.0) })
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { vaddq_f32(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn minus(self, other: Self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { vsubq_f32(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn times(self, other: Self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { vmulq_f32(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn size(self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { vabsq_f32(self.0) })
    }

    #[inline(always)]
    unsafe fn greater(self, other: Self) -> Self {
        // SAFETY: the caller has the instructions.
        Self(unsafe { vbslq_f32(vcgtq_f32(self.0, other.0), self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn not_at_least(self, other: Self) -> u32 {
        const BITS: [u32; 4] = [1, 2, 4, 8];
        // SAFETY: the caller has the instructions; there are four numbers to load.
        unsafe {
            let not = vmvnq_u32(vcgeq_f32(self.0, other.0));
            vaddvq_u32(vandq_u32(not, vld1q_u32(BITS.as_ptr())))
        }
    }
}
