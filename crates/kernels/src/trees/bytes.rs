//! One byte for each of some rows, and what the processor does with all of them at once.
//!
//! The kernels in [`super::questions`] are written once, against [`Bytes`]; each set of instructions is an implementation. The
//! portable one is plain loops over arrays, for processors that nothing is known about.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(super) mod neon;
#[cfg(target_arch = "x86_64")]
pub(super) mod sse2;

/// A byte per row.
pub(super) trait Bytes: Copy {
    /// Rows of one value.
    const ROWS: usize;
    /// Registers for such values.
    const REGISTERS: usize;
    /// What codes and cuts are combined with (exclusive or), so that the comparison at hand orders them.
    const BIAS: u8;
    /// Yes or no per row.
    type Mask: Copy;

    /// The bytes from `source` on.
    ///
    /// # Safety
    /// `ROWS` bytes may be read there, and the processor has the instructions of this type.
    unsafe fn load(source: *const u8) -> Self;

    /// Writes the bytes to `target`.
    ///
    /// # Safety
    /// `ROWS` bytes may be written there, and the processor has the instructions of this type.
    unsafe fn store(self, target: *mut u8);

    /// The same for all rows: each byte of `four`, which are equal. (Loading four costs less than loading one.)
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn all(four: u32) -> Self;

    /// Where this is greater, both being biased.
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn above(self, cuts: Self) -> Self::Mask;

    /// Where this is the same.
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn equals(self, other: Self) -> Self::Mask;

    /// Where both are true.
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn both(a: Self::Mask, b: Self::Mask) -> Self::Mask;

    /// `yes` where the mask is true, else `no`.
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn choose(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// `yes + bits` where the mask is true, else `no`; no byte of `yes` has one of the bits.
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn choose_with(mask: Self::Mask, yes: Self, bits: Self, no: Self) -> Self;

    /// For each code whether the set has it: 1 or 0, biased.
    ///
    /// # Safety
    /// The processor has the instructions of this type.
    unsafe fn members(self, set: &CodeSet) -> Self;
}

/// A set of codes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CodeSet {
    /// For each code 1 or 0, biased.
    pub(super) answers: [u8; 256],
    /// The same as bits.
    pub(super) bits: [u8; 32],
}

impl CodeSet {
    pub(super) fn new(bias: u8, has: impl Fn(u8) -> bool) -> Self {
        let mut set = Self { answers: [bias; 256], bits: [0; 32] };
        for code in (0..=255).filter(|&code| has(code)) {
            set.answers[usize::from(code)] ^= 1;
            set.bits[usize::from(code) / 8] |= 1 << (code % 8);
        }
        set
    }
}

/// Rows of the portable form.
const PORTABLE_ROWS: usize = 16;

/// Bytes in an array.
#[derive(Clone, Copy)]
pub(super) struct Portable([u8; PORTABLE_ROWS]);

impl Portable {
    #[inline(always)]
    fn each(a: Self, b: Self, function: impl Fn(u8, u8) -> u8) -> Self {
        let mut result = a;
        for (result, b) in result.0.iter_mut().zip(b.0) {
            *result = function(*result, b);
        }
        result
    }
}

impl Bytes for Portable {
    const ROWS: usize = PORTABLE_ROWS;
    const REGISTERS: usize = 16;
    const BIAS: u8 = 0;
    /// 0 for no, 255 for yes.
    type Mask = Self;

    #[inline(always)]
    unsafe fn load(source: *const u8) -> Self {
        // SAFETY: the caller may read that many bytes, and an array of bytes needs no alignment.
        Self(unsafe { source.cast::<[u8; PORTABLE_ROWS]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, target: *mut u8) {
        // SAFETY: the caller may write that many bytes, and an array of bytes needs no alignment.
        unsafe { target.cast::<[u8; PORTABLE_ROWS]>().write(self.0) }
    }

    #[inline(always)]
    unsafe fn all(four: u32) -> Self {
        Self([four as u8; PORTABLE_ROWS])
    }

    #[inline(always)]
    unsafe fn above(self, cuts: Self) -> Self {
        Self::each(self, cuts, |byte, cut| if byte > cut { 255 } else { 0 })
    }

    #[inline(always)]
    unsafe fn equals(self, other: Self) -> Self {
        Self::each(self, other, |byte, other| if byte == other { 255 } else { 0 })
    }

    #[inline(always)]
    unsafe fn both(a: Self, b: Self) -> Self {
        Self::each(a, b, |a, b| a & b)
    }

    #[inline(always)]
    unsafe fn choose(mask: Self, yes: Self, no: Self) -> Self {
        let yes = Self::each(mask, yes, |mask, yes| mask & yes);
        Self::each(yes, Self::each(mask, no, |mask, no| !mask & no), |yes, no| yes | no)
    }

    #[inline(always)]
    unsafe fn choose_with(mask: Self, yes: Self, bits: Self, no: Self) -> Self {
        // SAFETY: plain loops, which every processor can do.
        unsafe { Self::choose(mask, Self::each(yes, bits, |yes, bits| yes | bits), no) }
    }

    #[inline(always)]
    unsafe fn members(self, set: &CodeSet) -> Self {
        Self(self.0.map(|code| set.answers[usize::from(code ^ Self::BIAS)]))
    }
}
