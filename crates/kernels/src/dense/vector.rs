//! One number for each of some rows, and what the processor does with all of them at once.
//!
//! The loops of [`super::product`] are written once, against [`Vector`]; each set of instructions is an implementation. Every
//! implementation rounds a product and its addition once, so that all of them give the same bits.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(super) mod neon;

/// A number per row, or per output.
pub(super) trait Vector: Copy {
    /// Numbers of one value.
    const LANES: usize;

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
}

/// Plain loops over an array, for processors that nothing is known about.
#[derive(Clone, Copy)]
pub(super) struct Portable([f32; 8]);

impl Vector for Portable {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn load(source: *const f32) -> Self {
        // SAFETY: the caller may read 8 numbers; an array of numbers is aligned as one number is.
        Self(unsafe { source.cast::<[f32; 8]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, target: *mut f32) {
        // SAFETY: the caller may write 8 numbers; an array of numbers is aligned as one number is.
        unsafe { target.cast::<[f32; 8]>().write(self.0) }
    }

    #[inline(always)]
    unsafe fn all(value: f32) -> Self {
        Self([value; 8])
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
}
