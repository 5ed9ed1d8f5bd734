//! Which instructions the kernels use, and the one place where that is asked of the processor.

use std::fmt;

#[cfg(target_arch = "x86_64")]
use super::bytes::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use super::bytes::avx512::Avx512;
#[cfg(target_arch = "aarch64")]
use super::bytes::neon::Neon;
#[cfg(target_arch = "x86_64")]
use super::bytes::sse2::Sse2;
use super::bytes::{Bytes, Portable};

/// A set of instructions that this processor has. Values come from [`Instructions::best`] and [`Instructions::all`] alone, so
/// that having one proves that its instructions may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instructions(Set);

/// Sets of instructions, each containing those before it on the same architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// None in particular.
    Portable,
    /// What every processor of the architecture has.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// What every processor of the architecture has.
    #[cfg(target_arch = "x86_64")]
    Sse2,
    /// AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// The same and VBMI.
    #[cfg(target_arch = "x86_64")]
    Avx512Vbmi,
}

impl Instructions {
    /// Those that do most at once.
    pub(super) fn best() -> Self {
        Self::all().last().copied().unwrap_or(Self(Set::Portable))
    }

    /// All sets that this processor has, the best last.
    pub(super) fn all() -> Vec<Self> {
        #[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
        let sets = [Set::Portable];
        #[cfg(target_arch = "aarch64")]
        let sets = [Set::Portable, Set::Neon];
        #[cfg(target_arch = "x86_64")]
        let sets = {
            let has_avx2 = is_x86_feature_detected!("avx2");
            let has_avx512 = has_avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            let has_vbmi = has_avx512 && is_x86_feature_detected!("avx512vbmi");
            let sets = [Set::Portable, Set::Sse2, Set::Avx2, Set::Avx512, Set::Avx512Vbmi];
            sets.into_iter()
                .zip([true, true, has_avx2, has_avx512, has_vbmi])
                .filter(|(_, has)| *has)
                .map(|(set, _)| set)
        };
        sets.into_iter().map(Self).collect()
    }

    pub(super) fn set(self) -> Set {
        self.0
    }

    /// What it takes to ask a question of 64 rows, in tenths of a nanosecond, measured.
    pub(super) fn question_cost(self) -> usize {
        match self.0 {
            Set::Portable => 60,
            #[cfg(target_arch = "aarch64")]
            Set::Neon => 20,
            #[cfg(target_arch = "x86_64")]
            Set::Sse2 => 30,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => 12,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 | Set::Avx512Vbmi => 6,
        }
    }

    /// What codes and cuts are combined with (exclusive or) for these instructions.
    pub(super) fn bias(self) -> u8 {
        match self.0 {
            Set::Portable => Portable::BIAS,
            #[cfg(target_arch = "aarch64")]
            Set::Neon => Neon::BIAS,
            #[cfg(target_arch = "x86_64")]
            Set::Sse2 => Sse2::BIAS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => Avx2::BIAS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 | Set::Avx512Vbmi => Avx512::BIAS,
        }
    }
}

impl fmt::Display for Instructions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Set::Portable => "portable code",
            #[cfg(target_arch = "aarch64")]
            Set::Neon => "NEON",
            #[cfg(target_arch = "x86_64")]
            Set::Sse2 => "SSE2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vbmi => "AVX-512 with VBMI",
        })
    }
}
