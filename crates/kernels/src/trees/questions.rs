//! All questions of a tree, asked of many rows at once.
//!
//! A feature is one byte per row, so one instruction compares a feature of 64 rows with a cut. Asking *every* question of a
//! tree that way costs less than following each row: no loads that depend on data, no jumps to guess. The answer is an exit
//! per row, a number of one byte.
//!
//! * A **symmetric** tree asks the same on each level (CatBoost grows them): one comparison per level, each a bit of the exit.
//! * A **complete** tree has all leaves on one level: its answers are put together from below, in registers.
//! * Any other tree with up to 256 exits **divides** its rows: all begin at the first exit, and each node, in order, moves the
//!   rows that are at its first exit and go to the right there to the first exit of its right subtree.

use super::bytes::{Bytes, CodeSet};

/// Splits on the longest way of a tree that is evaluated as a complete one.
pub(super) const COMPLETE_DEPTH_MAX: u32 = 8;

/// A question: is the code above the cut?
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub(super) struct Ask {
    /// Where the codes of the feature begin.
    pub(super) column: u32,
    /// The cut, four times.
    pub(super) cut: u32,
}

/// A question to the rows at one exit; the others do not answer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub(super) struct Divide {
    pub(super) ask: Ask,
    /// The exit whose rows are asked, four times.
    pub(super) here: u32,
    /// The exit to which those above the cut go, four times.
    pub(super) right: u32,
}

/// A set, as a question.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AskSet {
    /// Where the codes of the feature begin.
    pub(super) column: u32,
    /// Where the answers go.
    pub(super) answers: u32,
    pub(super) set: CodeSet,
}

/// The exits of a symmetric tree; the first question gives the highest bit.
///
/// # Safety
/// The processor has the instructions of `V`; `rows` is a multiple of its rows; each question's column has `rows` bytes in
/// `codes`, and so has `exits`.
#[inline(always)]
pub(super) unsafe fn symmetric<V: Bytes>(asks: &[Ask], codes: *const u8, rows: usize, exits: *mut u8) {
    for row in (0..rows).step_by(V::ROWS) {
        // SAFETY: the caller's promises; `row` and the rows of `V` end within `rows`.
        unsafe {
            let mut exit = V::all(0);
            for (ask, bit) in asks.iter().rev().zip(0..) {
                let [is_above] = answers::<V, 1>(*ask, codes.add(row));
                exit = V::choose_with(is_above, exit, V::all(four(1 << bit)), exit);
            }
            exit.store(exits.add(row));
        }
    }
}

/// Levels of a complete tree whose answers stay in registers, at most.
pub(super) const LOWER_LEVELS: u32 = 4;

/// The exits of a complete tree of `depth` levels. The questions of a subtree of up to [`LOWER_LEVELS`] levels begin with its
/// highest one, those of the left half come next, and those of the right half then; a question above such subtrees stands
/// behind those of both halves.
///
/// # Safety
/// As for [`symmetric`], and there are `2^depth - 1` questions, at least one and of at most [`COMPLETE_DEPTH_MAX`] levels.
#[inline(always)]
pub(super) unsafe fn complete<V: Bytes>(depth: u32, asks: &[Ask], codes: *const u8, rows: usize, exits: *mut u8) {
    // SAFETY: the caller's promises, and the number of questions is that of the depth.
    unsafe {
        match depth {
            1 => complete_of::<V, Level1>(depth, asks, codes, rows, exits),
            2 => complete_of::<V, Level2>(depth, asks, codes, rows, exits),
            3 => complete_of::<V, Level3>(depth, asks, codes, rows, exits),
            _ => complete_of::<V, Level4>(depth, asks, codes, rows, exits),
        }
    }
}

/// # Safety
/// As for [`complete`].
#[inline(always)]
unsafe fn complete_of<V: Bytes, L: Subtree>(depth: u32, asks: &[Ask], codes: *const u8, rows: usize, exits: *mut u8) {
    const GROUPS: usize = 2;
    let asks = asks.as_ptr();
    let mut row = 0;
    // SAFETY: the caller's promises; all rows read and written are below `rows`.
    unsafe {
        while row + GROUPS * V::ROWS <= rows {
            let exit = complete_groups::<V, L, GROUPS>(depth, asks, codes.add(row));
            for (group, exit) in exit.into_iter().enumerate() {
                exit.store(exits.add(row + group * V::ROWS));
            }
            row += GROUPS * V::ROWS;
        }
        while row < rows {
            let [exit] = complete_groups::<V, L, 1>(depth, asks, codes.add(row));
            exit.store(exits.add(row));
            row += V::ROWS;
        }
    }
}

/// The exits of some groups of rows: subtrees are put together as soon as both halves are there.
///
/// # Safety
/// As for [`complete`], for this number of groups.
#[inline(always)]
unsafe fn complete_groups<V: Bytes, L: Subtree, const GROUPS: usize>(
    depth: u32,
    mut asks: *const Ask,
    codes: *const u8,
) -> [V; GROUPS] {
    const HEIGHTS: usize = (COMPLETE_DEPTH_MAX - LOWER_LEVELS + 1) as usize;
    // SAFETY: the caller's promises; each question is read once.
    unsafe {
        // The left half that waits at each height for its right one.
        let mut waiting = [[V::all(0); GROUPS]; HEIGHTS];
        for subtree in 0..1usize << (depth - L::DEPTH) {
            let mut exit = L::exits::<V, GROUPS>(asks, codes);
            asks = asks.add((1 << L::DEPTH) - 1);
            let halves = subtree.trailing_ones() as usize;
            for (height, left) in waiting[..halves].iter().enumerate() {
                let is_above = answers::<V, GROUPS>(*asks, codes);
                asks = asks.add(1);
                let bit = V::all(four(1 << (L::DEPTH as usize + height)));
                for group in 0..GROUPS {
                    exit[group] = V::choose_with(is_above[group], exit[group], bit, left[group]);
                }
            }
            waiting[halves] = exit;
        }
        waiting[(depth - L::DEPTH) as usize]
    }
}

/// A complete tree whose depth the compiler knows, so that all of it is one straight line.
trait Subtree {
    const DEPTH: u32;

    /// The exits of some groups of rows.
    ///
    /// # Safety
    /// As for [`complete`].
    unsafe fn exits<V: Bytes, const GROUPS: usize>(asks: *const Ask, codes: *const u8) -> [V; GROUPS];
}

/// The lowest questions: their left exit is 0, their right one 1.
struct Level1;

/// A question above two subtrees.
struct Above<Below>(std::marker::PhantomData<Below>);

type Level2 = Above<Level1>;
type Level3 = Above<Level2>;
type Level4 = Above<Level3>;

impl Subtree for Level1 {
    const DEPTH: u32 = 1;

    #[inline(always)]
    unsafe fn exits<V: Bytes, const GROUPS: usize>(asks: *const Ask, codes: *const u8) -> [V; GROUPS] {
        // SAFETY: the caller's promises.
        unsafe {
            let is_above = answers::<V, GROUPS>(*asks, codes);
            let (zero, one) = (V::all(0), V::all(four(1)));
            let mut exits = [zero; GROUPS];
            for group in 0..GROUPS {
                exits[group] = V::choose(is_above[group], one, zero);
            }
            exits
        }
    }
}

impl<Below: Subtree> Subtree for Above<Below> {
    const DEPTH: u32 = Below::DEPTH + 1;

    #[inline(always)]
    unsafe fn exits<V: Bytes, const GROUPS: usize>(asks: *const Ask, codes: *const u8) -> [V; GROUPS] {
        // SAFETY: the caller's promises; the questions of the subtrees follow this one.
        unsafe {
            let is_above = answers::<V, GROUPS>(*asks, codes);
            let left = Below::exits::<V, GROUPS>(asks.add(1), codes);
            let right = Below::exits::<V, GROUPS>(asks.add(1 << Below::DEPTH), codes);
            let bit = V::all(four(1 << Below::DEPTH));
            let mut exits = left;
            for group in 0..GROUPS {
                exits[group] = V::choose_with(is_above[group], right[group], bit, left[group]);
            }
            exits
        }
    }
}

/// Who of some groups of rows is above the cut.
///
/// # Safety
/// As for [`symmetric`].
#[inline(always)]
unsafe fn answers<V: Bytes, const GROUPS: usize>(ask: Ask, codes: *const u8) -> [V::Mask; GROUPS] {
    // SAFETY: the caller's promises.
    unsafe {
        let cut = V::all(ask.cut);
        let codes = codes.add(ask.column as usize);
        // No closure: it would have to be inlined for the instructions to be.
        let mut is_above = [V::load(codes).above(cut); GROUPS];
        for (group, is_above) in is_above.iter_mut().enumerate().skip(1) {
            *is_above = V::load(codes.add(group * V::ROWS)).above(cut);
        }
        is_above
    }
}

/// The exits of any tree.
///
/// # Safety
/// As for [`symmetric`].
#[inline(always)]
pub(super) unsafe fn divided<V: Bytes>(divides: &[Divide], codes: *const u8, rows: usize, exits: *mut u8) {
    let mut row = 0;
    // Each move of a group's rows waits for the one before, so that many groups at once take hardly longer than one.
    // SAFETY: the caller's promises; all rows read and written are below `rows`.
    unsafe {
        while V::REGISTERS > 16 && row + 8 * V::ROWS <= rows {
            divided_groups::<V, 8>(divides, codes.add(row), exits.add(row));
            row += 8 * V::ROWS;
        }
        while row + 4 * V::ROWS <= rows {
            divided_groups::<V, 4>(divides, codes.add(row), exits.add(row));
            row += 4 * V::ROWS;
        }
        while row < rows {
            divided_groups::<V, 1>(divides, codes.add(row), exits.add(row));
            row += V::ROWS;
        }
    }
}

/// # Safety
/// As for [`symmetric`], for this number of groups.
#[inline(always)]
unsafe fn divided_groups<V: Bytes, const GROUPS: usize>(divides: &[Divide], codes: *const u8, exits: *mut u8) {
    // SAFETY: the caller's promises.
    unsafe {
        let mut exit = [V::all(0); GROUPS];
        for divide in divides {
            let is_above = answers::<V, GROUPS>(divide.ask, codes);
            let (here, right) = (V::all(divide.here), V::all(divide.right));
            for group in 0..GROUPS {
                let goes = V::both(exit[group].equals(here), is_above[group]);
                exit[group] = V::choose(goes, right, exit[group]);
            }
        }
        for (group, exit) in exit.into_iter().enumerate() {
            exit.store(exits.add(group * V::ROWS));
        }
    }
}

/// Asks a set.
///
/// # Safety
/// As for [`symmetric`]; the answers' column has `rows` bytes in `codes`, too.
#[inline(always)]
pub(super) unsafe fn members<V: Bytes>(ask: &AskSet, codes: *mut u8, rows: usize) {
    for row in (0..rows).step_by(V::ROWS) {
        // SAFETY: the caller's promises.
        unsafe {
            let answers = V::load(codes.add(ask.column as usize + row)).members(&ask.set);
            answers.store(codes.add(ask.answers as usize + row));
        }
    }
}

/// A byte, four times.
pub(super) fn four(byte: u8) -> u32 {
    u32::from_ne_bytes([byte; 4])
}
