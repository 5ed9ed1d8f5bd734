//! The search with permutations of AVX2, which look up eight cuts.
//!
//! Gathers would do the same in fewer instructions and more time.

use std::arch::x86_64::*;

use super::Cuts;

/// Writes the code of each value, that of NaN being `nan`, each combined with `bias` (exclusive or).
///
/// # Safety
/// The processor has AVX2; as many bytes as there are values, rounded up to a multiple of 8, may be written to `codes`.
#[target_feature(enable = "avx2")]
pub(in crate::trees) unsafe fn code_f32(cuts: &Cuts<f32>, values: &[f32], nan: u8, bias: u8, codes: *mut u8) {
    // SAFETY: the caller's promises.
    unsafe {
        match cuts.levels {
            0..=4 => levels_f32::<4>(cuts, values, nan, bias, codes),
            5 => levels_f32::<5>(cuts, values, nan, bias, codes),
            6 => levels_f32::<6>(cuts, values, nan, bias, codes),
            7 => levels_f32::<7>(cuts, values, nan, bias, codes),
            _ => levels_f32::<8>(cuts, values, nan, bias, codes),
        }
    }
}

/// # Safety
/// As for [`code_f32`].
#[target_feature(enable = "avx2")]
unsafe fn levels_f32<const LEVELS: u32>(cuts: &Cuts<f32>, values: &[f32], nan: u8, bias: u8, codes: *mut u8) {
    assert!(cuts.by_level.len() >= 1 << LEVELS, "a cut for each node of the search");
    let table = cuts.by_level.as_ptr();
    let mut rest = [0.0; 8];
    for at in (0..values.len()).step_by(8) {
        let eight = eight_values(values, at, &mut rest);
        // SAFETY: there are eight values; the table has all levels; the caller's promise for the codes.
        unsafe {
            let x = _mm256_loadu_ps(eight.as_ptr());
            let (code, _) = search::<LEVELS>(table, x);
            store(code, x, nan, bias, codes.add(at));
        }
    }
}

/// As [`code_f32`], for `f64`.
///
/// # Safety
/// As for [`code_f32`].
#[target_feature(enable = "avx2")]
pub(in crate::trees) unsafe fn code_f64(cuts: &Cuts<f64>, values: &[f64], nan: u8, bias: u8, codes: *mut u8) {
    // SAFETY: the caller's promises.
    unsafe {
        match cuts.levels {
            0..=4 => levels_f64::<4>(cuts, values, nan, bias, codes),
            5 => levels_f64::<5>(cuts, values, nan, bias, codes),
            6 => levels_f64::<6>(cuts, values, nan, bias, codes),
            7 => levels_f64::<7>(cuts, values, nan, bias, codes),
            _ => levels_f64::<8>(cuts, values, nan, bias, codes),
        }
    }
}

/// # Safety
/// As for [`code_f32`].
#[target_feature(enable = "avx2")]
unsafe fn levels_f64<const LEVELS: u32>(cuts: &Cuts<f64>, values: &[f64], nan: u8, bias: u8, codes: *mut u8) {
    assert!(cuts.by_level.len() >= 1 << LEVELS, "a cut for each node of the search");
    let table = cuts.by_level.as_ptr();
    let mut rest = [0.0; 8];
    for at in (0..values.len()).step_by(8) {
        let eight = eight_values(values, at, &mut rest);
        // SAFETY: there are eight values; the table has all levels; the caller's promise for the codes.
        unsafe {
            let lower = _mm256_cvtpd_ps(_mm256_loadu_pd(eight.as_ptr()));
            let upper = _mm256_cvtpd_ps(_mm256_loadu_pd(eight.as_ptr().add(4)));
            let x = _mm256_set_m128(upper, lower);
            let (code, bound) = search::<LEVELS>(table, x);
            store(code, x, nan, bias, codes.add(at));
            let mut equal = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_EQ_OQ>(x, bound)) as u32;
            while equal != 0 {
                let lane = equal.trailing_zeros() as usize;
                equal &= equal - 1;
                let code = codes.add(at + lane);
                *code = cuts.code_from(eight[lane], *code ^ bias) ^ bias;
            }
        }
    }
}

/// Eight values from `at` on, if necessary with others behind the last one.
#[inline]
fn eight_values<'a, T: Copy>(values: &'a [T], at: usize, rest: &'a mut [T; 8]) -> &'a [T; 8] {
    match values[at..].first_chunk() {
        Some(eight) => eight,
        None => {
            rest[..values.len() - at].copy_from_slice(&values[at..]);
            rest
        }
    }
}

/// The number of cuts below each value, and the least of the others.
///
/// # Safety
/// The processor has AVX2; the table has so many levels.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn search<const LEVELS: u32>(table: *const f32, x: __m256) -> (__m256i, __m256) {
    let mut node = _mm256_setzero_si256();
    let mut bound = _mm256_set1_ps(f32::INFINITY);
    for level in 0..LEVELS {
        // SAFETY: the caller's promises.
        let cut = unsafe { cut(table, level, node) };
        // The next node: twice the number of this one, and one more if the value is above its cut.
        let is_above = _mm256_cmp_ps::<_CMP_GT_OQ>(x, cut);
        node = _mm256_sub_epi32(_mm256_add_epi32(node, node), _mm256_castps_si256(is_above));
        bound = _mm256_blendv_ps(cut, bound, is_above);
    }
    (node, bound)
}

/// Writes the codes of some values.
///
/// # Safety
/// The processor has AVX2; 8 bytes may be written.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store(code: __m256i, x: __m256, nan: u8, bias: u8, codes: *mut u8) {
    let is_nan = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_UNORD_Q>(x, x));
    let code = _mm256_blendv_epi8(code, _mm256_set1_epi32(i32::from(nan)), is_nan);
    let code = _mm256_xor_si256(code, _mm256_set1_epi32(i32::from(bias)));
    // The lowest byte of each number of 32 bits.
    let bytes = _mm256_shuffle_epi8(code, _mm256_set1_epi32(0x0c08_0400));
    // SAFETY: the caller's promise.
    unsafe {
        codes.cast::<i32>().write_unaligned(_mm256_extract_epi32::<0>(bytes));
        codes.add(4).cast::<i32>().write_unaligned(_mm256_extract_epi32::<4>(bytes));
    }
}

/// The cuts of these nodes of a level.
///
/// # Safety
/// The processor has AVX2; the table has the level.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn cut(table: *const f32, level: u32, node: __m256i) -> __m256 {
    // SAFETY: the caller's promises; the levels 0 to 3 have 15 cuts and one place behind them, level n above has 2^n.
    unsafe {
        let table = table.add(if level < 4 { (1 << level) - 1 } else { 1 << level });
        match level {
            0..=3 => eight(table, node),
            4 => sixteen(table, node),
            5 => choose(node, 4, sixteen(table, node), sixteen(table.add(16), node)),
            6 => sixty_four(table, node),
            _ => choose(node, 6, sixty_four(table, node), sixty_four(table.add(64), node)),
        }
    }
}

/// # Safety
/// The processor has AVX2; 64 cuts may be read.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn sixty_four(table: *const f32, node: __m256i) -> __m256 {
    // SAFETY: the caller's promises.
    unsafe {
        let lower = choose(node, 4, sixteen(table, node), sixteen(table.add(16), node));
        let upper = choose(node, 4, sixteen(table.add(32), node), sixteen(table.add(48), node));
        choose(node, 5, lower, upper)
    }
}

/// # Safety
/// The processor has AVX2; 16 cuts may be read.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn sixteen(table: *const f32, node: __m256i) -> __m256 {
    // SAFETY: the caller's promises.
    unsafe { choose(node, 3, eight(table, node), eight(table.add(8), node)) }
}

/// Looks at the lower three bits of the node.
///
/// # Safety
/// The processor has AVX2; 8 cuts may be read.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn eight(table: *const f32, node: __m256i) -> __m256 {
    // SAFETY: the caller's promises.
    unsafe { _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), node) }
}

/// `ones` where this bit of the node is set, else `zeros`.
#[inline]
#[target_feature(enable = "avx2")]
fn choose(node: __m256i, bit: i32, zeros: __m256, ones: __m256) -> __m256 {
    let sign = _mm256_sllv_epi32(node, _mm256_set1_epi32(31 - bit));
    _mm256_blendv_ps(zeros, ones, _mm256_castsi256_ps(sign))
}
