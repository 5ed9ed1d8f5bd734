//! Weights looked up with AVX-512.
//!
//! With VBMI a table of bytes is looked up for 64 rows at once: one table for the first bytes of the weights, one for the
//! second bytes, and so on. Unpacking puts each row's bytes together again. Without it the weights of up to 64 exits lie in
//! registers, those of more are gathered.

use std::arch::x86_64::*;

/// Adds the weights of exits, which lie as `planes` makes them.
///
/// # Safety
/// The processor has AVX-512 F, BW and VBMI; there are as many exits as sums, a multiple of 64.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
pub(in crate::trees) unsafe fn add_f32_by_bytes(weights: &[f32], exits: &[u8], sums: &mut [f32]) {
    // SAFETY: the caller's promises, and the number of weights is compared with.
    unsafe {
        match weights.len() {
            64 => add_f32_planes::<64>(weights, exits, sums),
            128 => add_f32_planes::<128>(weights, exits, sums),
            _ => add_f32_planes::<256>(weights, exits, sums),
        }
    }
}

/// # Safety
/// As for [`add_f32_by_bytes`].
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
unsafe fn add_f32_planes<const EXITS: usize>(weights: &[f32], exits: &[u8], sums: &mut [f32]) {
    assert_eq!(weights.len(), EXITS, "a weight for each exit");
    let planes: *const u8 = weights.as_ptr().cast();
    // Unpacking takes the bytes of four rows from each quarter of a register. This order makes them neighbours.
    let order = rows_by_quarter::<4>();
    // SAFETY: the order has 64 bytes, the planes have as many bytes as are read, and the caller's promises.
    unsafe {
        let order = _mm512_loadu_si512(order.as_ptr().cast());
        for row in (0..exits.len()).step_by(64) {
            let exit = _mm512_permutexvar_epi8(order, _mm512_loadu_si512(exits.as_ptr().add(row).cast()));
            let first = look_up::<EXITS>(planes, exit);
            let second = look_up::<EXITS>(planes.add(EXITS), exit);
            let third = look_up::<EXITS>(planes.add(2 * EXITS), exit);
            let fourth = look_up::<EXITS>(planes.add(3 * EXITS), exit);
            let quads = unpack_two(unpack_bytes(first, second), unpack_bytes(third, fourth));
            for (at, quad) in quads.into_iter().enumerate() {
                let sum = sums.as_mut_ptr().add(row + 16 * at);
                _mm512_storeu_ps(sum, _mm512_add_ps(_mm512_loadu_ps(sum), _mm512_castsi512_ps(quad)));
            }
        }
    }
}

/// As [`add_f32_by_bytes`], for `f64`.
///
/// # Safety
/// As for [`add_f32_by_bytes`].
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
pub(in crate::trees) unsafe fn add_f64_by_bytes(weights: &[f64], exits: &[u8], sums: &mut [f64]) {
    // SAFETY: the caller's promises, and the number of weights is compared with.
    unsafe {
        match weights.len() {
            64 => add_f64_planes::<64>(weights, exits, sums),
            128 => add_f64_planes::<128>(weights, exits, sums),
            _ => add_f64_planes::<256>(weights, exits, sums),
        }
    }
}

/// # Safety
/// As for [`add_f32_by_bytes`].
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
unsafe fn add_f64_planes<const EXITS: usize>(weights: &[f64], exits: &[u8], sums: &mut [f64]) {
    assert_eq!(weights.len(), EXITS, "a weight for each exit");
    let planes: *const u8 = weights.as_ptr().cast();
    let order = rows_by_quarter::<2>();
    // SAFETY: the order has 64 bytes, the planes have as many bytes as are read, and the caller's promises.
    unsafe {
        let order = _mm512_loadu_si512(order.as_ptr().cast());
        for row in (0..exits.len()).step_by(64) {
            let exit = _mm512_permutexvar_epi8(order, _mm512_loadu_si512(exits.as_ptr().add(row).cast()));
            let mut plane = [exit; 8];
            for (at, plane) in plane.iter_mut().enumerate() {
                *plane = look_up::<EXITS>(planes.add(at * EXITS), exit);
            }
            let low = unpack_two(unpack_bytes(plane[0], plane[1]), unpack_bytes(plane[2], plane[3]));
            let high = unpack_two(unpack_bytes(plane[4], plane[5]), unpack_bytes(plane[6], plane[7]));
            for at in 0..4 {
                let first = _mm512_unpacklo_epi32(low[at], high[at]);
                let second = _mm512_unpackhi_epi32(low[at], high[at]);
                let sum = sums.as_mut_ptr().add(row + 16 * at);
                _mm512_storeu_pd(sum, _mm512_add_pd(_mm512_loadu_pd(sum), _mm512_castsi512_pd(first)));
                let sum = sum.add(8);
                _mm512_storeu_pd(sum, _mm512_add_pd(_mm512_loadu_pd(sum), _mm512_castsi512_pd(second)));
            }
        }
    }
}

/// For each place of a register with which row it is filled: `ROWS` neighbours in each quarter, and so on.
const fn rows_by_quarter<const ROWS: usize>() -> [u8; 64] {
    let mut rows = [0; 64];
    let mut place = 0;
    while place < 64 {
        let (quarter, rest) = (place / 16, place % 16);
        rows[place] = (rest / ROWS * 4 * ROWS + quarter * ROWS + rest % ROWS) as u8;
        place += 1;
    }
    rows
}

/// The byte of each exit in a table of 64, 128 or 256.
///
/// # Safety
/// The processor has AVX-512 F, BW and VBMI; `EXITS` bytes may be read.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
unsafe fn look_up<const EXITS: usize>(table: *const u8, exit: __m512i) -> __m512i {
    // SAFETY: the caller's promises.
    unsafe {
        let first = _mm512_loadu_si512(table.cast());
        if EXITS == 64 {
            return _mm512_permutexvar_epi8(exit, first);
        }
        let lower = _mm512_permutex2var_epi8(first, exit, _mm512_loadu_si512(table.add(64).cast()));
        if EXITS == 128 {
            return lower;
        }
        let third = _mm512_loadu_si512(table.add(128).cast());
        let upper = _mm512_permutex2var_epi8(third, exit, _mm512_loadu_si512(table.add(192).cast()));
        _mm512_mask_mov_epi8(lower, _mm512_movepi8_mask(exit), upper)
    }
}

/// Pairs of bytes of the lower and of the upper half of each quarter.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn unpack_bytes(first: __m512i, second: __m512i) -> [__m512i; 2] {
    [_mm512_unpacklo_epi8(first, second), _mm512_unpackhi_epi8(first, second)]
}

/// Pairs of pairs, in order.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn unpack_two(first: [__m512i; 2], second: [__m512i; 2]) -> [__m512i; 4] {
    [
        _mm512_unpacklo_epi16(first[0], second[0]),
        _mm512_unpackhi_epi16(first[0], second[0]),
        _mm512_unpacklo_epi16(first[1], second[1]),
        _mm512_unpackhi_epi16(first[1], second[1]),
    ]
}

/// Adds the weights of exits: 64, 128 or 256 of them.
///
/// # Safety
/// The processor has AVX-512 F; there are as many exits as sums, a multiple of 64.
#[target_feature(enable = "avx512f")]
pub(in crate::trees) unsafe fn add_f32(weights: &[f32], exits: &[u8], sums: &mut [f32]) {
    assert!(matches!(weights.len(), 64 | 128 | 256), "padded weights");
    let table = weights.as_ptr();
    let in_registers = weights.len() == 64;
    let mask = _mm512_set1_epi32(weights.len() as i32 - 1);
    // SAFETY: no exit is read beyond the number of weights, and the caller's promises.
    unsafe {
        for row in (0..exits.len()).step_by(16) {
            let exit = _mm512_cvtepu8_epi32(_mm_loadu_si128(exits.as_ptr().add(row).cast()));
            let weight = if in_registers {
                let lower = _mm512_permutex2var_ps(_mm512_loadu_ps(table), exit, _mm512_loadu_ps(table.add(16)));
                let third = _mm512_loadu_ps(table.add(32));
                let upper = _mm512_permutex2var_ps(third, exit, _mm512_loadu_ps(table.add(48)));
                _mm512_mask_mov_ps(lower, _mm512_test_epi32_mask(exit, _mm512_set1_epi32(32)), upper)
            } else {
                _mm512_i32gather_ps::<4>(_mm512_and_si512(exit, mask), table)
            };
            let sum = sums.as_mut_ptr().add(row);
            _mm512_storeu_ps(sum, _mm512_add_ps(_mm512_loadu_ps(sum), weight));
        }
    }
}

/// As [`add_f32`], for `f64`.
///
/// # Safety
/// As for [`add_f32`].
#[target_feature(enable = "avx512f")]
pub(in crate::trees) unsafe fn add_f64(weights: &[f64], exits: &[u8], sums: &mut [f64]) {
    assert!(matches!(weights.len(), 64 | 128 | 256), "padded weights");
    let mask = _mm512_set1_epi32(weights.len() as i32 - 1);
    // SAFETY: no exit is read beyond the number of weights, and the caller's promises.
    unsafe {
        for row in (0..exits.len()).step_by(16) {
            let exit = _mm512_cvtepu8_epi32(_mm_loadu_si128(exits.as_ptr().add(row).cast()));
            let exit = _mm512_and_si512(exit, mask);
            let first = _mm512_i32gather_pd::<8>(_mm512_castsi512_si256(exit), weights.as_ptr());
            let second = _mm512_i32gather_pd::<8>(_mm512_extracti64x4_epi64::<1>(exit), weights.as_ptr());
            let sum = sums.as_mut_ptr().add(row);
            _mm512_storeu_pd(sum, _mm512_add_pd(_mm512_loadu_pd(sum), first));
            let sum = sum.add(8);
            _mm512_storeu_pd(sum, _mm512_add_pd(_mm512_loadu_pd(sum), second));
        }
    }
}
