//! 16 rows in a register of NEON, which every processor of the architecture has.

use std::arch::aarch64::*;

use super::{Bytes, CodeSet};

/// Bytes in a register.
#[derive(Clone, Copy)]
pub(in crate::trees) struct Neon(uint8x16_t);

impl Bytes for Neon {
    const ROWS: usize = 16;
    const REGISTERS: usize = 32;
    const BIAS: u8 = 0;
    /// 0 for no, 255 for yes.
    type Mask = Self;

    #[inline(always)]
    unsafe fn load(source: *const u8) -> Self {
        // SAFETY: the caller may read 16 bytes.
        Self(unsafe { vld1q_u8(source) })
    }

    #[inline(always)]
    unsafe fn store(self, target: *mut u8) {
        // SAFETY: the caller may write 16 bytes.
        unsafe { vst1q_u8(target, self.0) }
    }

    #[inline(always)]
    unsafe fn all(four: u32) -> Self {
        // SAFETY: every processor of the architecture has the instruction.
        Self(unsafe { vdupq_n_u8(four as u8) })
    }

    #[inline(always)]
    unsafe fn above(self, cuts: Self) -> Self {
        // SAFETY: every processor of the architecture has the instruction.
        Self(unsafe { vcgtq_u8(self.0, cuts.0) })
    }

    #[inline(always)]
    unsafe fn equals(self, other: Self) -> Self {
        // SAFETY: every processor of the architecture has the instruction.
        Self(unsafe { vceqq_u8(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn both(a: Self, b: Self) -> Self {
        // SAFETY: every processor of the architecture has the instruction.
        Self(unsafe { vandq_u8(a.0, b.0) })
    }

    #[inline(always)]
    unsafe fn choose(mask: Self, yes: Self, no: Self) -> Self {
        // SAFETY: every processor of the architecture has the instruction.
        Self(unsafe { vbslq_u8(mask.0, yes.0, no.0) })
    }

    #[inline(always)]
    unsafe fn choose_with(mask: Self, yes: Self, bits: Self, no: Self) -> Self {
        // SAFETY: every processor of the architecture has the instructions.
        Self(unsafe { vbslq_u8(mask.0, vorrq_u8(yes.0, bits.0), no.0) })
    }

    #[inline(always)]
    unsafe fn members(self, set: &CodeSet) -> Self {
        // SAFETY: every processor of the architecture has the instructions, and the set has as many bytes as are read.
        unsafe {
            let mut answers = vdupq_n_u8(0);
            for part in 0..4u8 {
                let table = vld1q_u8_x4(set.answers.as_ptr().add(64 * usize::from(part)));
                // A code of another part is no place of this one, and nothing is found there.
                let found = vqtbl4q_u8(table, vsubq_u8(self.0, vdupq_n_u8(64 * part)));
                answers = vorrq_u8(answers, found);
            }
            Self(answers)
        }
    }
}
