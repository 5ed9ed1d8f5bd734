//! Squared distances as `x·x - 2 x·p + p·p`, summed in the order of ONNX Runtime.

use crate::panels::VECTORS_MAX;
use crate::vector::{Loops, Vector};

/// Rows of a strip at most: those of 16 numbers in a vector.
const ROWS_MAX: usize = 16 * VECTORS_MAX;

/// Nothing, for measures that need no norms.
pub(super) const NO_NORMS: [f32; ROWS_MAX] = [0.0; ROWS_MAX];

/// `x·x` of each row of `inputs[feature][row]`: four running sums of every fourth feature, each of two halves, and the
/// features left over at the end.
pub(super) fn square_norms(inputs: &[f32], rows: usize) -> [f32; ROWS_MAX] {
    const LANES: usize = 4;
    let features = inputs.len() / rows;
    let whole = features / LANES * LANES;
    let pairs = features / (2 * LANES) * (2 * LANES);
    let mut sums = [NO_NORMS; 2 * LANES];
    let add_square = |sum: &mut [f32; ROWS_MAX], feature: usize| {
        sum.iter_mut().zip(&inputs[feature * rows..][..rows]).for_each(|(sum, x)| *sum += x * x);
    };
    (0..pairs).for_each(|feature| add_square(&mut sums[feature % (2 * LANES)], feature));
    let [mut first, mut second, mut third, mut fourth, halves @ ..] = sums;
    for (lane, half) in [&mut first, &mut second, &mut third, &mut fourth].into_iter().zip(&halves) {
        add(lane, half);
    }
    if whole > pairs {
        let lanes = [&mut first, &mut second, &mut third, &mut fourth];
        lanes.into_iter().enumerate().for_each(|(lane, sum)| add_square(sum, pairs + lane));
    }
    add(&mut first, &third);
    add(&mut second, &fourth);
    add(&mut first, &second);
    (whole..features).for_each(|feature| add_square(&mut first, feature));
    first
}

fn add(sums: &mut [f32; ROWS_MAX], others: &[f32; ROWS_MAX]) {
    sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
}

/// Makes distances of products: `values[point][row]`.
pub(super) struct Expand<'a> {
    /// `x·x` of each row.
    pub(super) row_norms: &'a [f32],
    /// `p·p` of each point.
    pub(super) norms: &'a [f32],
    pub(super) values: &'a mut [f32],
}

impl Loops for Expand<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        for (values, &norm) in self.values.chunks_exact_mut(self.row_norms.len()).zip(self.norms) {
            for (value, &row_norm) in values.iter_mut().zip(self.row_norms) {
                *value = (row_norm + -2.0 * *value + norm).abs();
            }
        }
    }
}
