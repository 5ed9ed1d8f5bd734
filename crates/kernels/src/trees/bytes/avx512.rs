//! 64 rows in a register of AVX-512 with its byte instructions (BW), and with its permutations of bytes (VBMI).

use std::arch::x86_64::*;

use super::{Bytes, CodeSet};

/// Bytes in a register; sets are looked up by `MEMBERS`.
#[derive(Clone, Copy)]
pub(in crate::trees) struct Avx512(__m512i);

/// The same for a processor that can permute bytes.
#[derive(Clone, Copy)]
pub(in crate::trees) struct Avx512Vbmi(__m512i);

macro_rules! bytes {
    ($type:ident, $members:ident) => {
        impl Bytes for $type {
            const ROWS: usize = 64;
            const REGISTERS: usize = 32;
            const BIAS: u8 = 0;
            type Mask = __mmask64;

            #[inline(always)]
            unsafe fn load(source: *const u8) -> Self {
                // SAFETY: the caller may read 64 bytes and has the instruction.
                Self(unsafe { _mm512_loadu_si512(source.cast()) })
            }

            #[inline(always)]
            unsafe fn store(self, target: *mut u8) {
                // SAFETY: the caller may write 64 bytes and has the instruction.
                unsafe { _mm512_storeu_si512(target.cast(), self.0) }
            }

            #[inline(always)]
            unsafe fn all(four: u32) -> Self {
                // SAFETY: the caller has the instruction.
                Self(unsafe { _mm512_set1_epi32(four as i32) })
            }

            #[inline(always)]
            unsafe fn above(self, cuts: Self) -> __mmask64 {
                // SAFETY: the caller has the instruction.
                unsafe { _mm512_cmpgt_epu8_mask(self.0, cuts.0) }
            }

            #[inline(always)]
            unsafe fn equals(self, other: Self) -> __mmask64 {
                // SAFETY: the caller has the instruction.
                unsafe { _mm512_cmpeq_epi8_mask(self.0, other.0) }
            }

            #[inline(always)]
            unsafe fn both(a: __mmask64, b: __mmask64) -> __mmask64 {
                a & b
            }

            #[inline(always)]
            unsafe fn choose(mask: __mmask64, yes: Self, no: Self) -> Self {
                // SAFETY: the caller has the instruction.
                Self(unsafe { _mm512_mask_mov_epi8(no.0, mask, yes.0) })
            }

            #[inline(always)]
            unsafe fn choose_with(mask: __mmask64, yes: Self, bits: Self, no: Self) -> Self {
                // SAFETY: the caller has the instruction.
                Self(unsafe { _mm512_mask_add_epi8(no.0, mask, yes.0, bits.0) })
            }

            #[inline(always)]
            unsafe fn members(self, set: &CodeSet) -> Self {
                // SAFETY: the caller has the instructions.
                Self(unsafe { $members(self.0, set) })
            }
        }
    };
}

bytes!(Avx512, members_by_bits);
bytes!(Avx512Vbmi, members_by_bytes);

/// Looks each code's bit up.
///
/// # Safety
/// The processor has AVX-512 BW.
#[inline(always)]
unsafe fn members_by_bits(codes: __m512i, set: &CodeSet) -> __m512i {
    // SAFETY: the caller has the instructions, and the set has as many bytes as are read.
    unsafe {
        let byte = _mm512_and_si512(_mm512_srli_epi16::<3>(codes), _mm512_set1_epi8(31));
        let is_upper = _mm512_test_epi8_mask(byte, _mm512_set1_epi8(16));
        let lower = _mm512_broadcast_i32x4(_mm_loadu_si128(set.bits.as_ptr().cast()));
        let upper = _mm512_broadcast_i32x4(_mm_loadu_si128(set.bits.as_ptr().add(16).cast()));
        let bits = _mm512_mask_shuffle_epi8(_mm512_shuffle_epi8(lower, byte), is_upper, upper, byte);
        let one_of_eight = _mm512_set1_epi64(0x8040_2010_0804_0201_u64 as i64);
        let bit = _mm512_shuffle_epi8(one_of_eight, _mm512_and_si512(codes, _mm512_set1_epi8(7)));
        _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(bits, bit), _mm512_set1_epi8(1))
    }
}

/// Looks each code's answer up.
///
/// # Safety
/// The processor has AVX-512 BW and VBMI.
#[inline(always)]
unsafe fn members_by_bytes(codes: __m512i, set: &CodeSet) -> __m512i {
    // SAFETY: the caller has the instructions, and the set has as many bytes as are read.
    unsafe {
        let parts = set.answers.as_ptr();
        let (first, second) = (_mm512_loadu_si512(parts.cast()), _mm512_loadu_si512(parts.add(64).cast()));
        let (third, fourth) = (_mm512_loadu_si512(parts.add(128).cast()), _mm512_loadu_si512(parts.add(192).cast()));
        let lower = _mm512_permutex2var_epi8(first, codes, second);
        let upper = _mm512_permutex2var_epi8(third, codes, fourth);
        _mm512_mask_mov_epi8(lower, _mm512_movepi8_mask(codes), upper)
    }
}
