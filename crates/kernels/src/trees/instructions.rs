//! Which instructions the kernels use that compare many rows at once.

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
use crate::instructions::{self, Level};

/// A set of instructions that this processor has. Values come from [`Instructions::of`] alone, for a level that it has, so
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
    /// Those that do most at once, of those that the process may use.
    pub(super) fn best() -> Self {
        Self::of(instructions::in_force())
    }

    /// All sets that this processor has, the best last: tests compare them.
    #[cfg(test)]
    pub(super) fn all() -> Vec<Self> {
        let mut sets: Vec<Self> = Level::all_of_processor().map(Self::of).collect();
        sets.dedup();
        sets
    }

    /// The best set of a level that this processor has.
    fn of(level: Level) -> Self {
        Self(match level {
            #[cfg(target_arch = "aarch64")]
            Level::Baseline => Set::Neon,
            #[cfg(target_arch = "x86_64")]
            Level::Baseline => Set::Sse2,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Set::Avx2,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Set::Avx512,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Vbmi => Set::Avx512Vbmi,
            _ => Set::Portable,
        })
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
            Set::Avx512 | Set::Avx512Vbmi => 9,
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
