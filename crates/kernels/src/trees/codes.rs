//! Numbers become codes: the code of `x` is the number of cuts below `x`.
//!
//! Then `x > cuts[k]` is `code > k`, exactly, and one byte stands for the number in all questions. The search is a tree of up
//! to eight levels over the cuts, which lie in registers as far as there are any: looking up a level's cut is a permutation.
//!
//! Numbers of 64 bits are searched with 32. Rounding keeps their order, so that the answer is right unless the rounded number
//! equals a rounded cut; those are compared as they are.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;

use crate::real::Real;

/// More cuts have no code of a byte.
pub(super) const CUTS_MAX: usize = 255;
/// Levels of the search: the fewest that fill a register of cuts, and those for [`CUTS_MAX`].
const LEVELS_MIN: u32 = 4;
const LEVELS_MAX: u32 = 8;

/// The cuts of a feature, sorted and distinct.
#[derive(Debug, Clone, PartialEq)]
pub struct Cuts<T> {
    count: usize,
    levels: u32,
    /// The cuts in order, filled up with infinity, which nothing is above: `2^levels - 1` of them at least.
    sorted: Vec<T>,
    /// The same level by level, rounded. Those of the levels 0 to 3 stand one behind the other; those of level `n` above begin at `2^n`.
    by_level: Vec<f32>,
}

impl<T: Real> Cuts<T> {
    /// At most [`CUTS_MAX`] cuts.
    pub(super) fn new(mut sorted: Vec<T>) -> Self {
        let count = sorted.len();
        let levels = (usize::BITS - count.leading_zeros()).clamp(LEVELS_MIN, LEVELS_MAX);
        sorted.resize(1 << levels, T::INFINITY);
        let mut by_level = vec![f32::INFINITY; 1 << levels];
        for level in 0..levels {
            let begin = if level < 4 { (1 << level) - 1 } else { 1 << level };
            for node in 0..1 << level {
                by_level[begin + node] = sorted[((2 * node + 1) << (levels - 1 - level)) - 1].narrow();
            }
        }
        Self { count, levels, sorted, by_level }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u8 {
        self.count as u8
    }

    /// The place of a cut that is there.
    pub(super) fn place(&self, cut: T) -> u8 {
        self.sorted[..self.count].partition_point(|&other| other < cut) as u8
    }

    /// The cuts in order.
    pub(super) fn sorted(&self) -> &[T] {
        &self.sorted[..self.count]
    }

    /// The code of a number for which the search among rounded cuts has found `at_least`.
    #[cfg(target_arch = "x86_64")]
    fn code_from(&self, x: T, at_least: u8) -> u8 {
        let at_least = usize::from(at_least);
        let more = self.sorted()[at_least.min(self.count)..].iter().take_while(|&&cut| cut < x).count();
        (at_least + more) as u8
    }

    /// Writes the code of each value; that of NaN is `nan`. Codes are combined with `bias` (exclusive or).
    pub(crate) fn code_portable(&self, values: &[T], nan: u8, bias: u8, codes: &mut [u8]) {
        const LANES: usize = 16;
        for (values, codes) in values.chunks(LANES).zip(codes.chunks_mut(LANES)) {
            let mut lanes = [T::ZERO; LANES];
            lanes[..values.len()].copy_from_slice(values);
            let mut found = [0u8; LANES];
            for level in (0..self.levels).rev() {
                let half = 1 << level;
                for (found, &x) in found.iter_mut().zip(&lanes) {
                    // All cuts up to the next place are below, or it is too far. (A shift is no jump, as a choice might be.)
                    let is_above = x > self.sorted[usize::from(*found) + half - 1];
                    *found += u8::from(is_above) << level;
                }
            }
            for ((code, found), x) in codes.iter_mut().zip(found).zip(lanes) {
                *code = if x.is_nan() { nan } else { found } ^ bias;
            }
        }
    }
}
