//! Sets of instructions for numbers of 32 bits.
//!
//! Kernels that only compare have sets of their own; these here can multiply and add with one rounding. Both follow the
//! [level](crate::instructions::Level) of the process.

use std::fmt;

use crate::instructions::{self, Level};

/// A set of instructions that this processor has. Values come from [`Form::best`] and [`Form::all`] alone, so that having one
/// proves that its instructions may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form(Set);

/// Sets of instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    /// None in particular.
    Portable,
    /// What every processor of the architecture has.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// The same, and AVX-512 F, BW, DQ and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Form {
    /// The set that does most at once of those that the process may use.
    pub fn best() -> Self {
        Self::of(instructions::in_force())
    }

    /// All sets that this processor has, the best last.
    pub fn all() -> Vec<Self> {
        let mut forms: Vec<Self> = Level::all_of_processor().map(Self::of).collect();
        forms.dedup();
        forms
    }

    /// The best set of a level that this processor has.
    fn of(level: Level) -> Self {
        Self(match level {
            #[cfg(target_arch = "aarch64")]
            Level::Baseline => Set::Neon,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Set::Avx2,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 | Level::Avx512Vbmi => Set::Avx512,
            _ => Set::Portable,
        })
    }

    pub(crate) fn set(self) -> Set {
        self.0
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Set::Portable => "portable code",
            #[cfg(target_arch = "aarch64")]
            Set::Neon => "NEON",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "AVX-512",
        })
    }
}
