//! The product of a strip of rows with the weights of a layer.
//!
//! Rows lie side by side in a vector and outputs one behind the other in registers, so that columns are read and written as
//! they are: nothing is transposed. A sum starts at zero, takes the features in their order with one rounding for a product
//! and its addition, and joins the intercept after every [`BLOCK_FEATURES`] features: one order, whatever the instructions
//! and whatever the rows around.

use crate::vector::Vector;

/// Outputs whose weights lie side by side.
pub(super) const PANEL: usize = 8;

/// Features whose products are summed before they join the sum of those before them: what [`crate::linear`] does, and ONNX
/// Runtime's matrix product.
pub(super) const BLOCK_FEATURES: usize = 256;

/// The weights of a layer as the loops read them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Panels {
    /// `[panel][feature][output]`, filled up with zeros.
    weights: Vec<f32>,
    /// One per output, filled up with zeros.
    intercepts: Vec<f32>,
    features: usize,
    outputs: usize,
}

impl Panels {
    /// From `weights[feature * outputs + output]`.
    pub(super) fn new(weights: &[f32], intercepts: &[f32], features: usize) -> Self {
        let outputs = intercepts.len();
        let padded = outputs.next_multiple_of(PANEL);
        let mut panels = vec![0.0; padded * features];
        for (feature, row) in weights.chunks_exact(outputs).enumerate() {
            for (panel, part) in row.chunks(PANEL).enumerate() {
                panels[(panel * features + feature) * PANEL..][..part.len()].copy_from_slice(part);
            }
        }
        let mut intercepts = intercepts.to_vec();
        intercepts.resize(padded, 0.0);
        Self { weights: panels, intercepts, features, outputs }
    }

    pub(super) fn features(&self) -> usize {
        self.features
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Numbers that are kept.
    pub(super) fn numbers(&self) -> usize {
        self.weights.len() + self.intercepts.len()
    }

    /// Outputs with those that fill up the last panel.
    pub(super) fn padded_outputs(&self) -> usize {
        self.intercepts.len()
    }

    /// Outputs of a panel, without those that fill it up.
    fn width(&self, panel: usize) -> usize {
        (self.outputs - panel * PANEL).min(PANEL)
    }
}

/// The outputs of one panel for a strip of `R` vectors of rows: `inputs[feature][row]`, `outputs[output][row]`, all of them
/// with as many rows as the strip has.
///
/// # Safety
/// The processor has the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn strip<V: Vector, const R: usize, const WIDE: bool>(
    panels: &Panels,
    panel: usize,
    inputs: &[f32],
    outputs: &mut [f32],
) {
    let rows = R * V::LANES;
    let mut at = 0;
    while at < panels.width(panel) {
        let outputs = &mut outputs[at * rows..];
        // SAFETY: the caller has the instructions.
        at += unsafe {
            match panels.width(panel) - at {
                1 => sums::<V, R, 1>(panels, panel, at, inputs, outputs),
                2 => sums::<V, R, 2>(panels, panel, at, inputs, outputs),
                5.. if WIDE => sums::<V, R, 8>(panels, panel, at, inputs, outputs),
                _ => sums::<V, R, 4>(panels, panel, at, inputs, outputs),
            }
        };
    }
}

/// `N` outputs of a panel from the one at `first` on; their number.
///
/// # Safety
/// The processor has the instructions of `V`.
#[inline(always)]
unsafe fn sums<V: Vector, const R: usize, const N: usize>(
    panels: &Panels,
    panel: usize,
    first: usize,
    inputs: &[f32],
    outputs: &mut [f32],
) -> usize {
    let (rows, features) = (R * V::LANES, panels.features);
    assert!(inputs.len() >= features * rows && outputs.len() >= N * rows && first + N <= PANEL);
    let weights = &panels.weights[panel * PANEL * features..][..PANEL * features];
    let intercepts = &panels.intercepts[panel * PANEL..][..PANEL];
    let mut start = 0;
    loop {
        let count = BLOCK_FEATURES.min(features - start);
        // SAFETY: the caller has the instructions; the lengths were compared above.
        unsafe {
            let mut sums = [[V::all(0.0); R]; N];
            let mut weight = weights.as_ptr().add(start * PANEL + first);
            let mut input = inputs.as_ptr().add(start * rows);
            for _ in 0..count {
                let x: [V; R] = std::array::from_fn(|r| V::load(input.add(r * V::LANES)));
                for (n, sums) in sums.iter_mut().enumerate() {
                    let factor = V::all(*weight.add(n));
                    for (sum, &x) in sums.iter_mut().zip(&x) {
                        *sum = sum.plus_product(x, factor);
                    }
                }
                weight = weight.add(PANEL);
                input = input.add(rows);
            }
            for (n, sums) in sums.iter().enumerate() {
                for (r, sum) in sums.iter().enumerate() {
                    let target = outputs.as_mut_ptr().add(n * rows + r * V::LANES);
                    let before = if start == 0 { V::all(intercepts[first + n]) } else { V::load(target) };
                    before.plus(*sum).store(target);
                }
            }
        }
        start += count;
        if start >= features {
            return N;
        }
    }
}

/// All outputs of one row. `V` has as many lanes as a panel has outputs.
///
/// # Safety
/// The processor has the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn row<V: Vector>(panels: &Panels, inputs: &[f32], outputs: &mut [f32]) {
    let mut panel = 0;
    let count = panels.padded_outputs() / PANEL;
    while panel < count {
        // SAFETY: the caller has the instructions.
        panel += unsafe {
            match count - panel {
                1 => row_sums::<V, 1>(panels, panel, inputs, outputs),
                2 | 3 => row_sums::<V, 2>(panels, panel, inputs, outputs),
                4..8 => row_sums::<V, 4>(panels, panel, inputs, outputs),
                _ => row_sums::<V, 8>(panels, panel, inputs, outputs),
            }
        };
    }
}

/// The outputs of `P` panels from this one on; their number.
///
/// # Safety
/// The processor has the instructions of `V`.
#[inline(always)]
unsafe fn row_sums<V: Vector, const P: usize>(
    panels: &Panels,
    panel: usize,
    inputs: &[f32],
    outputs: &mut [f32],
) -> usize {
    const { assert!(V::LANES == PANEL, "a vector for each panel") };
    let features = panels.features;
    let weights = &panels.weights[panel * PANEL * features..][..P * PANEL * features];
    let intercepts = &panels.intercepts[panel * PANEL..][..P * PANEL];
    let outputs = &mut outputs[panel * PANEL..][..P * PANEL];
    let inputs = &inputs[..features];
    let mut start = 0;
    loop {
        let end = features.min(start + BLOCK_FEATURES);
        // SAFETY: the caller has the instructions; all slices have the lengths that are read and written.
        unsafe {
            let mut sums = [V::all(0.0); P];
            for (feature, &x) in inputs.iter().enumerate().take(end).skip(start) {
                let x = V::all(x);
                for (p, sum) in sums.iter_mut().enumerate() {
                    let weight = V::load(weights.as_ptr().add((p * features + feature) * PANEL));
                    *sum = sum.plus_product(x, weight);
                }
            }
            for (p, sum) in sums.iter().enumerate() {
                let target = outputs.as_mut_ptr().add(p * PANEL);
                let before = if start == 0 { V::load(intercepts.as_ptr().add(p * PANEL)) } else { V::load(target) };
                before.plus(*sum).store(target);
            }
        }
        start = end;
        if start >= features {
            return P;
        }
    }
}
