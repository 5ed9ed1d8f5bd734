//! Rows in tiles, by the instructions at hand. Whatever these are, a row's operations are the same in the same order.

#[cfg(target_arch = "x86_64")]
use super::codes::Avx512;
use super::codes::{LookUp, OneByOne};
use super::stages::{Scale, Stage, Stages};
use super::{LinearModel, Rounding};
use crate::forms::Form;
#[cfg(target_arch = "x86_64")]
use crate::forms::Set;

/// Sums of a tile for several outputs, which stay in the fastest cache.
const TILE_SUMS: usize = 4096;
/// Sums that need no memory of their own, such as those of a row.
const SUMS_ON_STACK: usize = 32;
/// Rows of a tile for one output: enough that memory is read in long runs, since each run begins slowly. In large pages a table
/// that no cache holds is read at 28 GB/s with 8192 rows, at 25 with 4096 and at 20 with 1024, by a thread that reads a single
/// run at 33.
const TILE_ROWS_MAX: usize = 8192;
const TILE_ROWS_MIN: usize = 64;

/// Rows of a tile for so many outputs.
pub(super) fn rows(outputs: usize) -> usize {
    match outputs {
        1 => TILE_ROWS_MAX,
        _ => (TILE_SUMS / outputs).max(TILE_ROWS_MIN),
    }
}

/// The columns that a model reads.
pub(super) trait Columns {
    /// An input that is a number.
    fn numbers(&self, input: usize) -> &[f32];

    /// Adds the weights that an output has for the category of each row, from the row `start` on. `stage` is a
    /// [`Stage::Category`].
    fn add_category<L: LookUp>(&self, stage: usize, output: usize, start: usize, sums: &mut [f32]);
}

/// Computes the outputs of all rows with these instructions.
pub(super) fn run<C: Columns + ?Sized>(
    form: Form,
    model: &LinearModel,
    stages: &Stages,
    columns: &C,
    outputs: &mut [&mut [f32]],
) {
    let tiles = Tiles { model, stages, columns };
    match form.set() {
        // SAFETY: a form is only there for instructions that the processor has.
        #[cfg(target_arch = "x86_64")]
        Set::Avx512 => unsafe { avx512(&tiles, outputs) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Set::Avx2 => unsafe { avx2(&tiles, outputs) },
        _ => tiles.run::<OneByOne>(outputs),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn avx512<C: Columns + ?Sized>(tiles: &Tiles<'_, C>, outputs: &mut [&mut [f32]]) {
    tiles.run::<Avx512>(outputs);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<C: Columns + ?Sized>(tiles: &Tiles<'_, C>, outputs: &mut [&mut [f32]]) {
    tiles.run::<OneByOne>(outputs);
}

struct Tiles<'a, C: Columns + ?Sized> {
    model: &'a LinearModel,
    stages: &'a Stages,
    columns: &'a C,
}

/// The rows at hand.
struct Tile<'a> {
    start: usize,
    rows: usize,
    /// Sums of the block of features at hand, output by output.
    sums: &'a mut [f32],
    /// Nothing has been added to the sums yet, and what is in them is left over.
    is_fresh: bool,
    /// Whether the outputs have the sums of a block already.
    has_block: bool,
    /// What an imputed column becomes.
    buffer: &'a mut Vec<f32>,
}

impl<C: Columns + ?Sized> Tiles<'_, C> {
    #[inline(always)]
    fn run<L: LookUp>(&self, outputs: &mut [&mut [f32]]) {
        let rows = outputs.first().map_or(0, |output| output.len());
        let tile_rows = rows.min(self::rows(outputs.len()));
        let (mut few, mut many) = ([0.0; SUMS_ON_STACK], Vec::new());
        let sums = match tile_rows * outputs.len() {
            count @ 0..=SUMS_ON_STACK => &mut few[..count],
            count => {
                many.resize(count, 0.0);
                &mut many[..]
            }
        };
        let mut buffer = Vec::new();
        for start in (0..rows).step_by(tile_rows.max(1)) {
            let rows = tile_rows.min(rows - start);
            let sums = &mut sums[..rows * outputs.len()];
            let mut tile = Tile { start, rows, sums, is_fresh: true, has_block: false, buffer: &mut buffer };
            for (at, stage) in self.stages.list.iter().enumerate() {
                match stage {
                    Stage::EndBlock => tile.end_block(&self.model.intercepts, outputs),
                    Stage::Category { .. } => {
                        tile.begin();
                        for (output, sums) in tile.sums.chunks_exact_mut(rows).enumerate() {
                            self.columns.add_category::<L>(at, output, start, sums);
                        }
                    }
                    numbers if tile.is_fresh => {
                        self.add_numbers::<true>(&mut tile, numbers);
                        tile.is_fresh = false;
                    }
                    numbers => self.add_numbers::<false>(&mut tile, numbers),
                }
            }
        }
    }

    #[inline(always)]
    fn add_numbers<const FRESH: bool>(&self, tile: &mut Tile<'_>, stage: &Stage) {
        match stage {
            &Stage::Plain { input, feature, count } => match count {
                4 => self.add_columns::<4, false, FRESH>(tile, input, feature, &[]),
                3 => self.add_columns::<3, false, FRESH>(tile, input, feature, &[]),
                2 => self.add_columns::<2, false, FRESH>(tile, input, feature, &[]),
                _ => self.add_columns::<1, false, FRESH>(tile, input, feature, &[]),
            },
            Stage::Scaled { input, feature, scales } => match scales.len() {
                4 => self.add_columns::<4, true, FRESH>(tile, *input, *feature, scales),
                3 => self.add_columns::<3, true, FRESH>(tile, *input, *feature, scales),
                2 => self.add_columns::<2, true, FRESH>(tile, *input, *feature, scales),
                _ => self.add_columns::<1, true, FRESH>(tile, *input, *feature, scales),
            },
            Stage::Stepped { input, feature, steps } => {
                tile.buffer.clear();
                tile.buffer.extend_from_slice(&self.columns.numbers(*input)[tile.start..][..tile.rows]);
                steps.iter().for_each(|step| step.apply(tile.buffer));
                let columns = [tile.buffer.as_slice()];
                for (output, sums) in tile.sums.chunks_exact_mut(tile.rows).enumerate() {
                    add::<1, false, FRESH>(self.model.rounding, sums, columns, self.terms(*feature, output, &[]));
                }
            }
            Stage::Category { .. } | Stage::EndBlock => {}
        }
    }

    /// Adds the products of `N` columns, the first of which is `input` and makes `feature`.
    #[inline(always)]
    fn add_columns<const N: usize, const SCALED: bool, const FRESH: bool>(
        &self,
        tile: &mut Tile<'_>,
        input: usize,
        feature: usize,
        scales: &[Scale],
    ) {
        let (start, rows) = (tile.start, tile.rows);
        let columns: [&[f32]; N] = std::array::from_fn(|at| &self.columns.numbers(input + at)[start..start + rows]);
        for (output, sums) in tile.sums.chunks_exact_mut(rows).enumerate() {
            add::<N, SCALED, FRESH>(self.model.rounding, sums, columns, self.terms(feature, output, scales));
        }
    }

    /// What `N` features from this one on are multiplied with for an output.
    #[inline(always)]
    fn terms<const N: usize>(&self, feature: usize, output: usize, scales: &[Scale]) -> [Term; N] {
        let mut terms = [Term::default(); N];
        for (at, term) in terms.iter_mut().enumerate() {
            term.weight = self.model.weights_of(feature + at)[output];
            term.scale = scales.get(at).copied().unwrap_or_default();
        }
        terms
    }
}

impl Tile<'_> {
    /// What is added now is added to something.
    #[inline(always)]
    fn begin(&mut self) {
        if self.is_fresh {
            self.sums.fill(0.0);
            self.is_fresh = false;
        }
    }

    #[inline(always)]
    fn end_block(&mut self, intercepts: &[f32], outputs: &mut [&mut [f32]]) {
        self.begin();
        let sums = self.sums.chunks_exact(self.rows);
        for ((output, &intercept), sums) in outputs.iter_mut().zip(intercepts).zip(sums) {
            let totals = output[self.start..self.start + self.rows].iter_mut().zip(sums);
            match self.has_block {
                true => totals.for_each(|(total, sum)| *total += *sum),
                false => totals.for_each(|(total, sum)| *total = intercept + *sum),
            }
        }
        (self.is_fresh, self.has_block) = (true, true);
    }
}

/// What a feature is multiplied with, and what comes before.
#[derive(Clone, Copy, Default)]
struct Term {
    weight: f32,
    scale: Scale,
}

/// Adds the products of columns side by side, one column after the other; to nothing where sums are fresh.
#[inline(always)]
fn add<const N: usize, const SCALED: bool, const FRESH: bool>(
    rounding: Rounding,
    sums: &mut [f32],
    columns: [&[f32]; N],
    terms: [Term; N],
) {
    match rounding {
        Rounding::Once => add_rounded::<N, SCALED, FRESH, true>(sums, columns, terms),
        Rounding::Twice => add_rounded::<N, SCALED, FRESH, false>(sums, columns, terms),
    }
}

#[inline(always)]
#[expect(
    clippy::disallowed_methods,
    reason = "the products of matrices are where the reference runtime rounds once, too"
)]
fn add_rounded<const N: usize, const SCALED: bool, const FRESH: bool, const ONCE: bool>(
    sums: &mut [f32],
    mut columns: [&[f32]; N],
    terms: [Term; N],
) {
    for column in &mut columns {
        *column = &column[..sums.len()];
    }
    for (row, sum) in sums.iter_mut().enumerate() {
        let mut total = if FRESH { 0.0 } else { *sum };
        for at in 0..N {
            let Term { weight, scale } = terms[at];
            let x = columns[at][row];
            let x = if SCALED { (x - scale.offset) * scale.scale } else { x };
            total = if ONCE { x.mul_add(weight, total) } else { total + x * weight };
        }
        *sum = total;
    }
}
