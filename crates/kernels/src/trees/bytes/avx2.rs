//! 32 rows in a register of AVX2.

use std::arch::x86_64::*;

use super::{Bytes, CodeSet};

/// Bytes in a register.
#[derive(Clone, Copy)]
pub(in crate::trees) struct Avx2(__m256i);

impl Bytes for Avx2 {
    const ROWS: usize = 32;
    const REGISTERS: usize = 16;
    // AVX2 compares bytes with signs only.
    const BIAS: u8 = 0x80;
    /// 0 for no, 255 for yes.
    type Mask = Self;

    #[inline(always)]
    unsafe fn load(source: *const u8) -> Self {
        // SAFETY: the caller may read 32 bytes and has the instruction.
        Self(unsafe { _mm256_loadu_si256(source.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, target: *mut u8) {
        // SAFETY: the caller may write 32 bytes and has the instruction.
        unsafe { _mm256_storeu_si256(target.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn all(four: u32) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { _mm256_set1_epi32(four as i32) })
    }

    #[inline(always)]
    unsafe fn above(self, cuts: Self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { _mm256_cmpgt_epi8(self.0, cuts.0) })
    }

    #[inline(always)]
    unsafe fn equals(self, other: Self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { _mm256_cmpeq_epi8(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn both(a: Self, b: Self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { _mm256_and_si256(a.0, b.0) })
    }

    #[inline(always)]
    unsafe fn choose(mask: Self, yes: Self, no: Self) -> Self {
        // SAFETY: the caller has the instruction.
        Self(unsafe { _mm256_blendv_epi8(no.0, yes.0, mask.0) })
    }

    #[inline(always)]
    unsafe fn choose_with(mask: Self, yes: Self, bits: Self, no: Self) -> Self {
        // SAFETY: the caller has the instructions.
        Self(unsafe { _mm256_blendv_epi8(no.0, _mm256_or_si256(yes.0, bits.0), mask.0) })
    }

    #[inline(always)]
    unsafe fn members(self, set: &CodeSet) -> Self {
        // SAFETY: the caller has the instructions, and the set has as many bytes as are read.
        unsafe {
            let codes = _mm256_xor_si256(self.0, _mm256_set1_epi8(Self::BIAS as i8));
            // Which of the 32 bytes of bits, looked up in the lower and in the upper half.
            let byte = _mm256_and_si256(_mm256_srli_epi16::<3>(codes), _mm256_set1_epi8(31));
            let lower = _mm256_broadcastsi128_si256(_mm_loadu_si128(set.bits.as_ptr().cast()));
            let upper = _mm256_broadcastsi128_si256(_mm_loadu_si128(set.bits.as_ptr().add(16).cast()));
            let (lower, upper) = (_mm256_shuffle_epi8(lower, byte), _mm256_shuffle_epi8(upper, byte));
            let bits = _mm256_blendv_epi8(lower, upper, _mm256_slli_epi16::<3>(byte));
            let one_of_eight = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
            let bit = _mm256_shuffle_epi8(one_of_eight, _mm256_and_si256(codes, _mm256_set1_epi8(7)));
            let is_in = _mm256_cmpeq_epi8(_mm256_and_si256(bits, bit), bit);
            let one = _mm256_and_si256(is_in, _mm256_set1_epi8(1));
            Self(_mm256_xor_si256(one, _mm256_set1_epi8(Self::BIAS as i8)))
        }
    }
}
