//! One number for each of some rows, and what the processor does with all of them at once.
//!
//! Loops are written once, against [`Vector`]; each set of instructions is an implementation, and [`Form::run`] compiles
//! the loops for it. Every implementation rounds alike, so that all of them give the same bits.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;

use crate::forms::{Form, Set};

/// A number per row, or per output.
pub(crate) trait Vector: Copy {
    /// Numbers of one value.
    const LANES: usize;

    /// Whether there are 32 registers of these, and not 16.
    const MANY: bool;

    /// The numbers from `source` on.
    ///
    /// # Safety
    /// `LANES` numbers may be read there, and the processor has the instructions of this type.
    unsafe fn load(source: *const f32) -> Self;

    /// Writes the numbers to `target`.
    ///
    /// # Safety
    /// `LANES` numbers may be written there, and the processor has the instructions of this type.
    unsafe fn store(self, target: *mut f32);

    /// The same number everywhere.
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn all(value: f32) -> Self;

    /// `self + a * b`, rounded once.
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn plus_product(self, a: Self, b: Self) -> Self;

    /// `self + other`.
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn plus(self, other: Self) -> Self;

    /// `self - other`.
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn minus(self, other: Self) -> Self;

    /// `self * other`.
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn times(self, other: Self) -> Self;

    /// The absolute values.
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn size(self) -> Self;

    /// Each number that is greater than that of `other`, else that of `other`: so NaN never is.
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn greater(self, other: Self) -> Self;

    /// A bit for each number that is not at least `other`, the first number's being the lowest: so NaN has one, too.
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn not_at_least(self, other: Self) -> u32;

    /// Writes eight rows of eight numbers, which begin `stride` numbers behind each other, as columns.
    ///
    /// # Safety
    /// The numbers may be read from `source` and written to `target`, whose rows begin `target_stride` numbers behind each other,
    /// and the processor has the instructions of this type.
    #[inline(always)]
    unsafe fn turn_eight(source: *const f32, stride: usize, target: *mut f32, target_stride: usize) {
        for (row, column) in (0..EIGHT).flat_map(|row| (0..EIGHT).map(move |column| (row, column))) {
            // SAFETY: the caller may read and write there.
            unsafe { *target.add(column * target_stride + row) = *source.add(row * stride + column) };
        }
    }
}

/// Loops that are compiled for each set of instructions.
pub(crate) trait Loops {
    /// Runs them.
    ///
    /// # Safety
    /// The processor has the instructions of `V`.
    unsafe fn run<V: Vector>(self);
}

impl Form {
    /// Runs loops with these instructions.
    pub(crate) fn run(self, loops: impl Loops) {
        match self.set() {
            // SAFETY: the portable form needs no instructions.
            Set::Portable => unsafe { loops.run::<Portable>() },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: every processor of the architecture has the instructions.
            Set::Neon => unsafe { loops.run::<neon::Neon>() },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a form is only there for instructions that the processor has.
            Set::Avx2 => unsafe { with_avx2(loops) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Set::Avx512 => unsafe { with_avx512(loops) },
        }
    }

    /// Runs loops with vectors of [`EIGHT`] numbers, whatever the instructions.
    pub(crate) fn run_eight(self, loops: impl Loops) {
        const { assert!(Portable::LANES == EIGHT) };
        match self.set() {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a form is only there for instructions that the processor has.
            Set::Avx2 | Set::Avx512 => unsafe { with_avx2(loops) },
            // SAFETY: the portable form needs no instructions.
            _ => unsafe { loops.run::<Portable>() },
        }
    }

    /// Numbers of a vector.
    pub(crate) fn lanes(self) -> usize {
        match self.set() {
            Set::Portable => Portable::LANES,
            #[cfg(target_arch = "aarch64")]
            Set::Neon => neon::Neon::LANES,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => avx2::Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => avx512::Avx512::LANES,
        }
    }
}

/// Numbers of the vectors that every processor can do with.
pub(crate) const EIGHT: usize = 8;

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn with_avx512(loops: impl Loops) {
    // SAFETY: this function is compiled for the instructions.
    unsafe { loops.run::<avx512::Avx512>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2(loops: impl Loops) {
    // SAFETY: this function is compiled for the instructions.
    unsafe { loops.run::<avx2::Avx2>() }
}

/// Plain loops over an array, for processors that nothing is known about.
#[derive(Clone, Copy)]
struct Portable([f32; EIGHT]);

impl Vector for Portable {
    const LANES: usize = EIGHT;
    const MANY: bool = false;

    #[inline(always)]
    unsafe fn load(source: *const f32) -> Self {
        // SAFETY: the caller may read 8 numbers; an array of numbers is aligned as one number is.
        Self(unsafe { source.cast::<[f32; EIGHT]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, target: *mut f32) {
        // SAFETY: the caller may write 8 numbers; an array of numbers is aligned as one number is.
        unsafe { target.cast::<[f32; EIGHT]>().write(self.0) }
    }

    #[inline(always)]
    unsafe fn all(value: f32) -> Self {
        Self([value; EIGHT])
    }

    #[inline(always)]
    #[expect(
        clippy::disallowed_methods,
        reason = "the products of matrices are where the reference runtime rounds once, too"
    )]
    unsafe fn plus_product(self, a: Self, b: Self) -> Self {
        Self(std::array::from_fn(|lane| a.0[lane].mul_add(b.0[lane], self.0[lane])))
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] + other.0[lane]))
    }

    #[inline(always)]
    unsafe fn minus(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] - other.0[lane]))
    }

    #[inline(always)]
    unsafe fn times(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] * other.0[lane]))
    }

    #[inline(always)]
    unsafe fn size(self) -> Self {
        Self(self.0.map(f32::abs))
    }

    #[inline(always)]
    unsafe fn greater(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| if self.0[lane] > other.0[lane] { self.0[lane] } else { other.0[lane] }))
    }

    #[inline(always)]
    #[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN is not at least anything")]
    unsafe fn not_at_least(self, other: Self) -> u32 {
        (0..EIGHT).fold(0, |bits, lane| bits | u32::from(!(self.0[lane] >= other.0[lane])) << lane)
    }
}
