//! Many rows, a block at a time: features become codes, and each tree's questions are asked of all rows of the block.

use std::ops::Range;

#[cfg(target_arch = "aarch64")]
use super::bytes::neon::Neon;
use super::bytes::{Bytes, Portable};
#[cfg(target_arch = "x86_64")]
use super::bytes::{
    avx2::Avx2,
    avx512::{Avx512, Avx512Vbmi},
    sse2::Sse2,
};
use super::groups::Group;
use super::instructions::{Instructions, Set};
use super::plan::{Form, PlannedTree, Program};
use super::questions::{complete, divided, members, symmetric};
use crate::real::Real;

/// Rows of the largest register: codes and exits are there for a multiple of them.
pub(super) const REGISTER_ROWS: usize = 64;

/// The codes of a block of rows.
#[derive(Debug)]
pub(super) struct Codes {
    bytes: Vec<u8>,
    stride: usize,
}

impl Codes {
    pub(super) fn new(program: &Program) -> Self {
        Self { bytes: vec![0; program.columns * program.stride()], stride: program.stride() }
    }

    /// Codes the features of a group for these rows.
    pub(super) fn fill<T: Real>(
        &mut self,
        instructions: Instructions,
        group: &Group<T>,
        columns: &[&[T]],
        rows: Range<usize>,
    ) {
        for (column, codes) in group.columns.iter().zip(self.bytes.chunks_exact_mut(self.stride)) {
            let values = &columns[column.feature as usize][rows.clone()];
            T::write_codes(instructions, &column.cuts, values, column.nan, codes);
        }
    }
}

/// Where each row of a block leaves a tree: an exit for each of `exits`, a multiple of [`REGISTER_ROWS`].
pub(super) fn exits(
    instructions: Instructions,
    program: &Program,
    tree: &PlannedTree,
    codes: &mut Codes,
    exits: &mut [u8],
) {
    assert!(codes.bytes.len() == program.columns * program.stride(), "codes of this program");
    assert!(exits.len() <= program.block_rows && exits.len().is_multiple_of(REGISTER_ROWS), "whole registers of exits");
    match instructions.set() {
        // SAFETY: no instructions are needed; the columns of a program's questions lie among its columns of codes, each of which
        // has as many rows as a block; the number of rows is a multiple of the largest register's.
        Set::Portable => unsafe { exits_of::<Portable>(program, tree, codes, exits) },
        // SAFETY: as above, and every processor of the architecture has the instructions.
        #[cfg(target_arch = "aarch64")]
        Set::Neon => unsafe { exits_of::<Neon>(program, tree, codes, exits) },
        // SAFETY: as above, and every processor of the architecture has the instructions.
        #[cfg(target_arch = "x86_64")]
        Set::Sse2 => unsafe { exits_of::<Sse2>(program, tree, codes, exits) },
        // SAFETY: as above, and the processor has the instructions.
        #[cfg(target_arch = "x86_64")]
        Set::Avx2 => unsafe { exits_avx2(program, tree, codes, exits) },
        // SAFETY: as above, and the processor has the instructions.
        #[cfg(target_arch = "x86_64")]
        Set::Avx512 => unsafe { exits_avx512(program, tree, codes, exits) },
        // SAFETY: as above, and the processor has the instructions.
        #[cfg(target_arch = "x86_64")]
        Set::Avx512Vbmi => unsafe { exits_avx512_vbmi(program, tree, codes, exits) },
    }
}

/// # Safety
/// As for [`exits_of`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn exits_avx2(program: &Program, tree: &PlannedTree, codes: &mut Codes, exits: &mut [u8]) {
    // SAFETY: the caller's promises.
    unsafe { exits_of::<Avx2>(program, tree, codes, exits) }
}

/// # Safety
/// As for [`exits_of`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn exits_avx512(program: &Program, tree: &PlannedTree, codes: &mut Codes, exits: &mut [u8]) {
    // SAFETY: the caller's promises.
    unsafe { exits_of::<Avx512>(program, tree, codes, exits) }
}

/// # Safety
/// As for [`exits_of`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
unsafe fn exits_avx512_vbmi(program: &Program, tree: &PlannedTree, codes: &mut Codes, exits: &mut [u8]) {
    // SAFETY: the caller's promises.
    unsafe { exits_of::<Avx512Vbmi>(program, tree, codes, exits) }
}

/// # Safety
/// The processor has the instructions of `V`; the codes are those of the program, and the number of exits is a multiple of the
/// rows of `V` and not greater than that of a block's rows.
#[inline(always)]
unsafe fn exits_of<V: Bytes>(program: &Program, tree: &PlannedTree, codes: &mut Codes, exits: &mut [u8]) {
    let rows = exits.len();
    let (codes, exits) = (codes.bytes.as_mut_ptr(), exits.as_mut_ptr());
    // SAFETY: the caller's promises; a complete tree of a depth has as many questions as it needs.
    unsafe {
        for ask in &program.sets[tree.sets.clone()] {
            members::<V>(ask, codes, rows);
        }
        let codes = codes.cast_const();
        let questions = tree.questions.clone();
        match tree.form {
            Form::Symmetric => symmetric::<V>(&program.asks[questions], codes, rows, exits),
            Form::Complete(depth) => complete::<V>(depth, &program.asks[questions], codes, rows, exits),
            Form::Divided => divided::<V>(&program.divides[questions], codes, rows, exits),
        }
    }
}
