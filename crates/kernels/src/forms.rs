//! Sets of instructions for numbers of 32 bits, and the one place where they are asked for.
//!
//! Kernels that only compare have sets of their own; these here can multiply and add with one rounding.

use std::fmt;

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
    /// The set that does most at once.
    pub fn best() -> Self {
        Self::all().last().copied().unwrap_or(Self(Set::Portable))
    }

    /// All sets that this processor has, the best last.
    pub fn all() -> Vec<Self> {
        #[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
        let sets = [Set::Portable];
        #[cfg(target_arch = "aarch64")]
        let sets = [Set::Portable, Set::Neon];
        #[cfg(target_arch = "x86_64")]
        let sets = {
            let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let has_avx512 = has_avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            let sets = [Set::Portable, Set::Avx2, Set::Avx512];
            sets.into_iter().zip([true, has_avx2, has_avx512]).filter(|(_, has)| *has).map(|(set, _)| set)
        };
        sets.into_iter().map(Self).collect()
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
