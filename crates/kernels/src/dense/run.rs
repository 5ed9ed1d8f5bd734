//! One layer over a strip of rows, or over one row: where the loops are compiled for each set of instructions.

use super::product::{self, PANEL, Panels};
use crate::forms::{Form, Set};
#[cfg(target_arch = "x86_64")]
use crate::vector::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use crate::vector::avx512::Avx512;
#[cfg(target_arch = "aarch64")]
use crate::vector::neon::Neon;
use crate::vector::{Portable, Vector};

/// Vectors of rows that a strip has at most. With eight sums for each, or four where there are 16 registers, the sums, the
/// inputs and one weight fill the registers.
pub(super) const VECTORS_MAX: usize = 3;

/// The outputs of one panel for a strip of so many vectors of rows, as [`product::strip`] has them.
pub(super) fn strip(form: Form, panels: &Panels, panel: usize, vectors: usize, inputs: &[f32], outputs: &mut [f32]) {
    match form.set() {
        // SAFETY: the portable form needs no instructions.
        Set::Portable => unsafe { of_vectors::<Portable, false>(panels, panel, vectors, inputs, outputs) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: every processor of the architecture has the instructions.
        Set::Neon => unsafe { of_vectors::<Neon, true>(panels, panel, vectors, inputs, outputs) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a form is only there for instructions that the processor has.
        Set::Avx2 => unsafe { avx2(panels, panel, vectors, inputs, outputs) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Set::Avx512 => unsafe { avx512(panels, panel, vectors, inputs, outputs) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn avx512(panels: &Panels, panel: usize, vectors: usize, inputs: &[f32], outputs: &mut [f32]) {
    // SAFETY: this function is compiled for the instructions.
    unsafe { of_vectors::<Avx512, true>(panels, panel, vectors, inputs, outputs) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(panels: &Panels, panel: usize, vectors: usize, inputs: &[f32], outputs: &mut [f32]) {
    // SAFETY: this function is compiled for the instructions.
    unsafe { of_vectors::<Avx2, false>(panels, panel, vectors, inputs, outputs) }
}

/// # Safety
/// The processor has the instructions of `V`.
#[inline(always)]
unsafe fn of_vectors<V: Vector, const WIDE: bool>(
    panels: &Panels,
    panel: usize,
    vectors: usize,
    inputs: &[f32],
    outputs: &mut [f32],
) {
    // SAFETY: the caller has the instructions.
    unsafe {
        match vectors {
            1 => product::strip::<V, 1, WIDE>(panels, panel, inputs, outputs),
            2 => product::strip::<V, 2, WIDE>(panels, panel, inputs, outputs),
            _ => product::strip::<V, VECTORS_MAX, WIDE>(panels, panel, inputs, outputs),
        }
    }
}

/// All outputs of one row.
pub(super) fn row(form: Form, panels: &Panels, inputs: &[f32], outputs: &mut [f32]) {
    const { assert!(Portable::LANES == PANEL, "a vector for each panel") };
    match form.set() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a form is only there for instructions that the processor has.
        Set::Avx2 | Set::Avx512 => unsafe { row_avx2(panels, inputs, outputs) },
        // SAFETY: the portable form needs no instructions.
        _ => unsafe { product::row::<Portable>(panels, inputs, outputs) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn row_avx2(panels: &Panels, inputs: &[f32], outputs: &mut [f32]) {
    // SAFETY: this function is compiled for the instructions.
    unsafe { product::row::<Avx2>(panels, inputs, outputs) }
}
