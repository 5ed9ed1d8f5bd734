//! Which of the processor's instructions the kernels may use: all that they know of, or fewer if the process was told so.
//!
//! This is the one place where the processor is asked. A limit is for those who measure and compare. It holds for the whole
//! process and is set before the first model is there, since kernels are chosen once; answers have the same bits whatever it is.
//! What other libraries in the process use is not limited.
//!
//! ```no_run
//! use foretell_kernels::instructions::{Level, limit};
//!
//! limit(Level::Portable)?;
//! # Ok::<(), foretell_kernels::instructions::LimitError>(())
//! ```

use std::error::Error;
use std::fmt;
use std::sync::OnceLock;

/// What the kernels may use, once that is settled.
static IN_FORCE: OnceLock<Level> = OnceLock::new();

/// Generations of vector instructions. Each contains those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// None in particular: what the compiler makes of plain loops.
    Portable,
    /// What every processor of the architecture has: SSE2 or NEON.
    Baseline,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AVX-512 VBMI.
    Avx512Vbmi,
}

impl Level {
    /// All levels, the least first.
    pub const ALL: [Self; 5] = [Self::Portable, Self::Baseline, Self::Avx2, Self::Avx512, Self::Avx512Vbmi];

    /// The most that this processor has.
    pub fn of_processor() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let has_avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            match (has_avx2, has_avx512, is_x86_feature_detected!("avx512vbmi")) {
                (true, true, true) => Self::Avx512Vbmi,
                (true, true, false) => Self::Avx512,
                (true, false, _) => Self::Avx2,
                (false, _, _) => Self::Baseline,
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Self::Baseline
    }

    /// The levels that this processor has, the least first.
    pub(crate) fn all_of_processor() -> impl Iterator<Item = Self> {
        let most = Self::of_processor();
        Self::ALL.into_iter().filter(move |level| *level <= most)
    }

    /// One word for it, as a command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Baseline => "baseline",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Vbmi => "avx512vbmi",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable code",
            Self::Baseline if cfg!(target_arch = "x86_64") => "SSE2",
            Self::Baseline if cfg!(target_arch = "aarch64") => "NEON",
            Self::Baseline => "the architecture's own instructions",
            Self::Avx2 => "AVX2",
            Self::Avx512 => "AVX-512",
            Self::Avx512Vbmi => "AVX-512 with VBMI",
        })
    }
}

/// Forbids the kernels all instructions beyond a level, for as long as the process runs.
///
/// # Errors
/// When the processor lacks the level, or a kernel has been chosen with another one.
pub fn limit(level: Level) -> Result<(), LimitError> {
    let most = Level::of_processor();
    if level > most {
        return Err(LimitError::Lacking { level, most });
    }
    match *IN_FORCE.get_or_init(|| level) {
        in_force if in_force == level => Ok(()),
        in_force => Err(LimitError::TooLate { level, in_force }),
    }
}

/// What the kernels use. Asking settles it.
pub(crate) fn in_force() -> Level {
    *IN_FORCE.get_or_init(Level::of_processor)
}

/// Why instructions cannot be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitError {
    /// The processor does not have them.
    Lacking {
        /// What was asked for.
        level: Level,
        /// The most that there is.
        most: Level,
    },
    /// Kernels use others already.
    TooLate {
        /// What was asked for.
        level: Level,
        /// What they use.
        in_force: Level,
    },
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lacking { level, most } => {
                write!(f, "instructions cannot be limited to {level}: the most that this processor has is {most}")
            }
            Self::TooLate { level, in_force } => write!(
                f,
                "instructions cannot be limited to {level}: kernels use {in_force} already; set the limit once, before the \
                 first model is loaded"
            ),
        }
    }
}

impl Error for LimitError {}
