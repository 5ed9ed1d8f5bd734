//! Weights that are looked up instead of multiplied: one per category, and nothing for what is none.
//!
//! With AVX-512 a table of up to 64 weights fits registers, and a lookup is a shuffle.

/// What is added where there is no category: the number that changes no other one, not even a zero without a sign.
pub(super) const NOTHING: f32 = -0.0;

/// A number that stands for a category. What is beyond all categories, such as a negative number, stands for none.
pub(super) trait Code: Copy {
    fn index(self) -> u32;
}

impl Code for u32 {
    fn index(self) -> u32 {
        self
    }
}

impl Code for i32 {
    fn index(self) -> u32 {
        self.cast_unsigned()
    }
}

/// Instructions that look weights up.
pub(super) trait LookUp {
    /// Adds to each sum the weight at its code less `first`, or the last of the table if there is none.
    fn add<C: Code>(sums: &mut [f32], codes: &[C], first: u32, table: &[f32]);
}

/// One after the other.
pub(super) struct OneByOne;

impl LookUp for OneByOne {
    #[inline(always)]
    fn add<C: Code>(sums: &mut [f32], codes: &[C], first: u32, table: &[f32]) {
        let last = table.len() - 1;
        for (sum, &code) in sums.iter_mut().zip(codes) {
            *sum += table[(code.index().wrapping_sub(first) as usize).min(last)];
        }
    }
}

/// Sixteen at a time, if the table is short.
#[cfg(target_arch = "x86_64")]
pub(super) struct Avx512;

#[cfg(target_arch = "x86_64")]
impl LookUp for Avx512 {
    #[inline(always)]
    fn add<C: Code>(sums: &mut [f32], codes: &[C], first: u32, table: &[f32]) {
        match table.len() {
            // SAFETY: this form is chosen where the processor has AVX-512 F, and the number of registers is that of the table.
            0..=16 => unsafe { avx512::add::<C, 1>(sums, codes, first, table) },
            // SAFETY: as above.
            17..=32 => unsafe { avx512::add::<C, 2>(sums, codes, first, table) },
            // SAFETY: as above.
            33..=64 => unsafe { avx512::add::<C, 4>(sums, codes, first, table) },
            _ => OneByOne::add(sums, codes, first, table),
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512, __m512i, _mm512_add_ps, _mm512_loadu_ps, _mm512_mask_blend_ps, _mm512_min_epu32,
        _mm512_permutex2var_ps, _mm512_permutexvar_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_storeu_ps,
        _mm512_sub_epi32, _mm512_test_epi32_mask,
    };

    use super::{Code, LookUp, NOTHING, OneByOne};

    const LANES: usize = 16;

    /// As [`LookUp::add`], for a table of at most `16 * REGISTERS` weights, where there are one, two or four registers.
    #[target_feature(enable = "avx512f")]
    pub(super) fn add<C: Code, const REGISTERS: usize>(sums: &mut [f32], codes: &[C], first: u32, table: &[f32]) {
        let registers = registers::<REGISTERS>(table);
        let first_code = _mm512_set1_epi32(first.cast_signed());
        let last = _mm512_set1_epi32(table.len() as i32 - 1);
        let (mut sum_runs, mut code_runs) = (sums.chunks_exact_mut(LANES), codes.chunks_exact(LANES));
        for (sums, codes) in sum_runs.by_ref().zip(code_runs.by_ref()) {
            let codes: [u32; LANES] = std::array::from_fn(|at| codes[at].index());
            // SAFETY: an array of sixteen integers has the bits of a register of them.
            let codes: __m512i = unsafe { std::mem::transmute(codes) };
            let index = _mm512_min_epu32(_mm512_sub_epi32(codes, first_code), last);
            let weights = look_up(&registers, index);
            // SAFETY: the run is of sixteen sums.
            unsafe {
                let sum = _mm512_add_ps(_mm512_loadu_ps(sums.as_ptr()), weights);
                _mm512_storeu_ps(sums.as_mut_ptr(), sum);
            }
        }
        OneByOne::add(sum_runs.into_remainder(), code_runs.remainder(), first, table);
    }

    #[target_feature(enable = "avx512f")]
    fn registers<const REGISTERS: usize>(table: &[f32]) -> [__m512; REGISTERS] {
        let mut registers = [_mm512_set1_ps(NOTHING); REGISTERS];
        for (register, weights) in registers.iter_mut().zip(table.chunks(LANES)) {
            let mut padded = [NOTHING; LANES];
            padded[..weights.len()].copy_from_slice(weights);
            // SAFETY: the array has as many weights as the register.
            *register = unsafe { _mm512_loadu_ps(padded.as_ptr()) };
        }
        registers
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn look_up<const REGISTERS: usize>(registers: &[__m512; REGISTERS], index: __m512i) -> __m512 {
        match registers[..] {
            [only] => _mm512_permutexvar_ps(index, only),
            [low, high] => _mm512_permutex2var_ps(low, index, high),
            [first, second, third, fourth] => {
                let low = _mm512_permutex2var_ps(first, index, second);
                let high = _mm512_permutex2var_ps(third, index, fourth);
                let is_high = _mm512_test_epi32_mask(index, _mm512_set1_epi32(32));
                _mm512_mask_blend_ps(is_high, low, high)
            }
            _ => _mm512_set1_ps(NOTHING),
        }
    }
}
