//! The search with its cuts in registers of AVX-512.

use std::arch::x86_64::*;

use super::Cuts;

/// Writes the code of each value, that of NaN being `nan`.
///
/// # Safety
/// The processor has AVX-512 F, BW, DQ and VL; as many bytes as there are values, rounded up to a multiple of 16, may be
/// written to `codes`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(in crate::trees) unsafe fn code_f32(cuts: &Cuts<f32>, values: &[f32], nan: u8, codes: *mut u8) {
    // SAFETY: the caller's promises.
    unsafe {
        match cuts.levels {
            0..=4 => levels_f32::<4>(cuts, values, nan, codes),
            5 => levels_f32::<5>(cuts, values, nan, codes),
            6 => levels_f32::<6>(cuts, values, nan, codes),
            7 => levels_f32::<7>(cuts, values, nan, codes),
            _ => levels_f32::<8>(cuts, values, nan, codes),
        }
    }
}

/// # Safety
/// As for [`code_f32`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn levels_f32<const LEVELS: u32>(cuts: &Cuts<f32>, values: &[f32], nan: u8, codes: *mut u8) {
    assert!(cuts.by_level.len() >= 1 << LEVELS, "a cut for each node of the search");
    let table = cuts.by_level.as_ptr();
    // SAFETY: the table has all levels; the values are read up to their end; the caller's promise for the codes.
    unsafe {
        for at in (0..values.len()).step_by(16) {
            let x = _mm512_maskz_loadu_ps(lanes(values.len() - at), values.as_ptr().add(at));
            let (code, _) = search::<LEVELS>(table, x);
            store(code, x, nan, codes.add(at));
        }
    }
}

/// As [`code_f32`], for `f64`.
///
/// # Safety
/// As for [`code_f32`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(in crate::trees) unsafe fn code_f64(cuts: &Cuts<f64>, values: &[f64], nan: u8, codes: *mut u8) {
    // SAFETY: the caller's promises.
    unsafe {
        match cuts.levels {
            0..=4 => levels_f64::<4>(cuts, values, nan, codes),
            5 => levels_f64::<5>(cuts, values, nan, codes),
            6 => levels_f64::<6>(cuts, values, nan, codes),
            7 => levels_f64::<7>(cuts, values, nan, codes),
            _ => levels_f64::<8>(cuts, values, nan, codes),
        }
    }
}

/// # Safety
/// As for [`code_f32`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn levels_f64<const LEVELS: u32>(cuts: &Cuts<f64>, values: &[f64], nan: u8, codes: *mut u8) {
    assert!(cuts.by_level.len() >= 1 << LEVELS, "a cut for each node of the search");
    let table = cuts.by_level.as_ptr();
    // SAFETY: the table has all levels; the values are read up to their end; the caller's promise for the codes.
    unsafe {
        for at in (0..values.len()).step_by(16) {
            let lanes = lanes(values.len() - at);
            let first = _mm512_maskz_loadu_pd(lanes as u8, values.as_ptr().add(at));
            // Where no lane is loaded, nothing is read.
            let second = _mm512_maskz_loadu_pd((lanes >> 8) as u8, values.as_ptr().wrapping_add(at + 8));
            let x = _mm512_castps256_ps512(_mm512_cvtpd_ps(first));
            let x = _mm512_insertf32x8::<1>(x, _mm512_cvtpd_ps(second));
            let (code, bound) = search::<LEVELS>(table, x);
            store(code, x, nan, codes.add(at));
            let mut equal = _mm512_mask_cmp_ps_mask::<_CMP_EQ_OQ>(lanes, x, bound);
            while equal != 0 {
                let lane = equal.trailing_zeros() as usize;
                equal &= equal - 1;
                let code = codes.add(at + lane);
                *code = cuts.code_from(values[at + lane], *code);
            }
        }
    }
}

/// A lane for each of the values that are left.
#[inline(always)]
fn lanes(left: usize) -> u16 {
    0xffff >> (16 - left.min(16))
}

/// The number of cuts below each value, and the least of the others.
///
/// # Safety
/// The processor has AVX-512 F; the table has so many levels.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn search<const LEVELS: u32>(table: *const f32, x: __m512) -> (__m512i, __m512) {
    let one = _mm512_set1_epi32(1);
    let mut node = _mm512_setzero_si512();
    let mut bound = _mm512_set1_ps(f32::INFINITY);
    for level in 0..LEVELS {
        // SAFETY: the caller's promises.
        let cut = unsafe { cut(table, level, node) };
        // The next node: twice the number of this one, and one more if the value is above its cut.
        let is_above = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, cut);
        let twice = _mm512_add_epi32(node, node);
        node = _mm512_mask_add_epi32(twice, is_above, twice, one);
        bound = _mm512_mask_mov_ps(cut, is_above, bound);
    }
    (node, bound)
}

/// Writes the codes of some values.
///
/// # Safety
/// The processor has AVX-512 F and VL; 16 bytes may be written.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
unsafe fn store(code: __m512i, x: __m512, nan: u8, codes: *mut u8) {
    let is_nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x);
    let code = _mm512_mask_mov_epi32(code, is_nan, _mm512_set1_epi32(i32::from(nan)));
    // SAFETY: the caller's promise.
    unsafe { _mm_storeu_si128(codes.cast(), _mm512_cvtepi32_epi8(code)) }
}

/// The cuts of these nodes of a level.
///
/// # Safety
/// The processor has AVX-512 F; the table has the level.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn cut(table: *const f32, level: u32, node: __m512i) -> __m512 {
    // SAFETY: the caller's promises; level n has 2^n cuts, and of those that fill no register only as many are read.
    unsafe {
        if level < 4 {
            let lanes = (1 << (1 << level)) - 1;
            return _mm512_permutexvar_ps(node, _mm512_maskz_loadu_ps(lanes, table.add((1 << level) - 1)));
        }
        let table = table.add(1 << level);
        if level == 4 {
            return _mm512_permutexvar_ps(node, _mm512_loadu_ps(table));
        }
        // A permutation of two registers looks at the lower five bits of the node, the others choose among the answers.
        let first = pair(table, node);
        if level == 5 {
            return first;
        }
        let bit5 = _mm512_test_epi32_mask(node, _mm512_set1_epi32(32));
        let lower = _mm512_mask_mov_ps(first, bit5, pair(table.add(32), node));
        if level == 6 {
            return lower;
        }
        let bit6 = _mm512_test_epi32_mask(node, _mm512_set1_epi32(64));
        let upper = _mm512_mask_mov_ps(pair(table.add(64), node), bit5, pair(table.add(96), node));
        _mm512_mask_mov_ps(lower, bit6, upper)
    }
}

/// # Safety
/// The processor has AVX-512 F; 32 cuts may be read.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn pair(table: *const f32, node: __m512i) -> __m512 {
    // SAFETY: the caller's promises.
    unsafe { _mm512_permutex2var_ps(_mm512_loadu_ps(table), node, _mm512_loadu_ps(table.add(16))) }
}
