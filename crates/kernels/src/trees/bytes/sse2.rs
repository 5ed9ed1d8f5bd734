//! 16 rows in a register of SSE2, which every processor of the architecture has.

use std::arch::x86_64::*;

use super::{Bytes, CodeSet};

/// Bytes in a register.
#[derive(Clone, Copy)]
pub(in crate::trees) struct Sse2(__m128i);

impl Bytes for Sse2 {
    const ROWS: usize = 16;
    const REGISTERS: usize = 16;
    // SSE2 compares bytes with signs only.
    const BIAS: u8 = 0x80;
    /// 0 for no, 255 for yes.
    type Mask = Self;

    #[inline(always)]
    unsafe fn load(source: *const u8) -> Self {
        // SAFETY: the caller may read 16 bytes.
        Self(unsafe { _mm_loadu_si128(source.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, target: *mut u8) {
        // SAFETY: the caller may write 16 bytes.
        unsafe { _mm_storeu_si128(target.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn all(four: u32) -> Self {
        // SAFETY: every processor of the architecture has the instruction.
        Self(unsafe { _mm_set1_epi32(four as i32) })
    }

    #[inline(always)]
    unsafe fn above(self, cuts: Self) -> Self {
        // SAFETY: every processor of the architecture has the instruction.
        Self(unsafe { _mm_cmpgt_epi8(self.0, cuts.0) })
    }

    #[inline(always)]
    unsafe fn equals(self, other: Self) -> Self {
        // SAFETY: every processor of the architecture has the instruction.
        Self(unsafe { _mm_cmpeq_epi8(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn both(a: Self, b: Self) -> Self {
        // SAFETY: every processor of the architecture has the instruction.
        Self(unsafe { _mm_and_si128(a.0, b.0) })
    }

    #[inline(always)]
    unsafe fn choose(mask: Self, yes: Self, no: Self) -> Self {
        // SAFETY: every processor of the architecture has the instructions.
        Self(unsafe { _mm_or_si128(_mm_and_si128(mask.0, yes.0), _mm_andnot_si128(mask.0, no.0)) })
    }

    #[inline(always)]
    unsafe fn choose_with(mask: Self, yes: Self, bits: Self, no: Self) -> Self {
        // SAFETY: every processor of the architecture has the instructions.
        unsafe { Self::choose(mask, Self(_mm_or_si128(yes.0, bits.0)), no) }
    }

    #[inline(always)]
    unsafe fn members(self, set: &CodeSet) -> Self {
        let mut bytes = [0u8; 16];
        // SAFETY: there are 16 bytes to write and to read.
        unsafe {
            self.store(bytes.as_mut_ptr());
            let answers = bytes.map(|code| set.answers[usize::from(code ^ Self::BIAS)]);
            Self::load(answers.as_ptr())
        }
    }
}
