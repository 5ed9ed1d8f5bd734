//! What is done with the gates of a few rows, which are shares by now: where the loops are compiled for each set of instructions.
//!
//! Rows lie one behind the other, the shares of a row gate by gate. Every operation rounds by itself.

use crate::vector::{Loops, Vector};

/// The new cell of an LSTM: the old one by the forget gate, and the candidate by the input gate.
pub(super) struct Carry<'a> {
    pub(super) width: usize,
    pub(super) shares: &'a [f32],
    pub(super) candidates: &'a [f32],
    pub(super) cell: &'a mut [f32],
}

impl Loops for Carry<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let width = self.width;
        let rows = self.shares.chunks_exact(3 * width).zip(self.candidates.chunks_exact(width));
        for ((shares, candidates), cell) in rows.zip(self.cell.chunks_exact_mut(width)) {
            let (input, forget) = (&shares[..width], &shares[2 * width..]);
            for (((cell, candidate), input), forget) in cell.iter_mut().zip(candidates).zip(input).zip(forget) {
                *cell = forget * *cell + input * candidate;
            }
        }
    }
}

/// The new state of an LSTM: what its cell is, by the output gate.
pub(super) struct Scaled<'a> {
    pub(super) width: usize,
    pub(super) shares: &'a [f32],
    pub(super) hidden: &'a mut [f32],
}

impl Loops for Scaled<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let width = self.width;
        for (shares, hidden) in self.shares.chunks_exact(3 * width).zip(self.hidden.chunks_exact_mut(width)) {
            let output = &shares[width..2 * width];
            for (hidden, output) in hidden.iter_mut().zip(output) {
                *hidden *= output;
            }
        }
    }
}

/// What the reset gate of a GRU leaves.
pub(super) struct Kept<'a> {
    pub(super) width: usize,
    pub(super) shares: &'a [f32],
    pub(super) product: &'a mut [f32],
}

impl Loops for Kept<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let width = self.width;
        for (shares, product) in self.shares.chunks_exact(2 * width).zip(self.product.chunks_exact_mut(width)) {
            for (product, reset) in product.iter_mut().zip(&shares[width..]) {
                *product *= reset;
            }
        }
    }
}

/// The new state of a GRU: the old one by the update gate, and the candidate by what that leaves.
pub(super) struct Blend<'a> {
    pub(super) width: usize,
    pub(super) shares: &'a [f32],
    pub(super) candidates: &'a [f32],
    pub(super) hidden: &'a mut [f32],
}

impl Loops for Blend<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let width = self.width;
        let rows = self.shares.chunks_exact(2 * width).zip(self.candidates.chunks_exact(width));
        for ((shares, candidates), hidden) in rows.zip(self.hidden.chunks_exact_mut(width)) {
            for ((hidden, candidate), update) in hidden.iter_mut().zip(candidates).zip(&shares[..width]) {
                *hidden = (1.0 - update) * candidate + update * *hidden;
            }
        }
    }
}
