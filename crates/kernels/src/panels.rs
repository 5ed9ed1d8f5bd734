//! Constant vectors beside each other in panels, and what rows make with each of them.
//!
//! Rows lie side by side in a vector of the processor and the sums of several constant vectors behind each other in its
//! registers, so that columns are read and written as they are: nothing is transposed. A sum takes the features in their
//! order and starts at zero again after every block of them: one order, whatever the instructions and whatever the rows around.

use std::marker::PhantomData;
use std::ops::Range;

use crate::forms::Form;
use crate::vector::{EIGHT, Loops, Vector};

/// Constant vectors that lie side by side.
pub(crate) const PANEL: usize = EIGHT;

/// Vectors of rows that a strip has at most. With eight sums for each, or four where there are 16 registers, the sums, the
/// inputs and one number fill the registers.
pub(crate) const VECTORS_MAX: usize = 3;

/// What a feature of a row and the number beside it add to a sum.
pub(crate) trait Term {
    /// Features whose terms are summed before they join the sum of those before them.
    const BLOCK: usize;

    /// `sum` and the term.
    ///
    /// # Safety
    /// The processor has the instructions of `V`.
    unsafe fn add<V: Vector>(sum: V, x: V, number: V) -> V;
}

/// `x * number`, rounded together with its addition, in blocks of 256: what [`crate::linear`] does, and ONNX Runtime's matrix
/// product.
pub(crate) struct Product;

impl Term for Product {
    const BLOCK: usize = 256;

    #[inline(always)]
    unsafe fn add<V: Vector>(sum: V, x: V, number: V) -> V {
        // SAFETY: the caller has the instructions.
        unsafe { sum.plus_product(x, number) }
    }
}

/// `(x - number)²`; each operation is rounded.
pub(crate) struct SquaredDifference;

impl Term for SquaredDifference {
    const BLOCK: usize = usize::MAX;

    #[inline(always)]
    unsafe fn add<V: Vector>(sum: V, x: V, number: V) -> V {
        // SAFETY: the caller has the instructions.
        unsafe {
            let difference = x.minus(number);
            sum.plus(difference.times(difference))
        }
    }
}

/// `|x - number|`; each operation is rounded.
pub(crate) struct Difference;

impl Term for Difference {
    const BLOCK: usize = usize::MAX;

    #[inline(always)]
    unsafe fn add<V: Vector>(sum: V, x: V, number: V) -> V {
        // SAFETY: the caller has the instructions.
        unsafe { sum.plus(x.minus(number).size()) }
    }
}

/// Constant vectors as the loops read them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Panels {
    /// `[panel][feature][vector]`, filled up with zeros.
    numbers: Vec<f32>,
    /// What the sum of each vector is added to, filled up with zeros.
    intercepts: Vec<f32>,
    features: usize,
    outputs: usize,
}

impl Panels {
    /// From `weights[feature * outputs + output]`, where there is an intercept per output.
    pub(crate) fn new(weights: &[f32], intercepts: &[f32], features: usize) -> Self {
        let outputs = intercepts.len();
        let mut panels = Self::zeros(features, outputs);
        for (feature, row) in weights.chunks_exact(outputs).enumerate() {
            for (panel, part) in row.chunks(PANEL).enumerate() {
                panels.numbers[(panel * features + feature) * PANEL..][..part.len()].copy_from_slice(part);
            }
        }
        panels.intercepts[..outputs].copy_from_slice(intercepts);
        panels
    }

    /// From vectors one after the other, without intercepts.
    pub(crate) fn of_vectors(vectors: &[f32], features: usize) -> Self {
        let mut panels = Self::zeros(features, vectors.len() / features);
        for (at, vector) in vectors.chunks_exact(features).enumerate() {
            let first = at / PANEL * features * PANEL + at % PANEL;
            for (feature, &number) in vector.iter().enumerate() {
                panels.numbers[first + feature * PANEL] = number;
            }
        }
        panels
    }

    fn zeros(features: usize, outputs: usize) -> Self {
        let padded = outputs.next_multiple_of(PANEL);
        Self { numbers: vec![0.0; padded * features], intercepts: vec![0.0; padded], features, outputs }
    }

    pub(crate) fn features(&self) -> usize {
        self.features
    }

    /// Number of constant vectors.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Numbers that are kept.
    pub(crate) fn numbers(&self) -> usize {
        self.numbers.len() + self.intercepts.len()
    }

    /// Vectors with those that fill up the last panel.
    pub(crate) fn padded_outputs(&self) -> usize {
        self.intercepts.len()
    }

    /// Vectors of a panel, without those that fill it up.
    fn width(&self, panel: usize) -> usize {
        (self.outputs - panel * PANEL).min(PANEL)
    }

    /// The sums of one panel for a strip of so many vectors of rows: `inputs[feature][row]`, `outputs[output][row]`, all of
    /// them with as many rows as the strip has.
    pub(crate) fn strip<T: Term>(&self, form: Form, panel: usize, vectors: usize, inputs: &[f32], outputs: &mut [f32]) {
        form.run(Strip { panels: self, panel, vectors, inputs, outputs, term: PhantomData::<T> });
    }

    /// The sums of some panels for one row, with those that fill up the last panel.
    pub(crate) fn row<T: Term>(&self, form: Form, panels: Range<usize>, inputs: &[f32], outputs: &mut [f32]) {
        form.run_eight(Row { panels: self, range: panels, inputs, outputs, term: PhantomData::<T> });
    }
}

struct Strip<'a, T> {
    panels: &'a Panels,
    panel: usize,
    vectors: usize,
    inputs: &'a [f32],
    outputs: &'a mut [f32],
    term: PhantomData<T>,
}

impl<T: Term> Loops for Strip<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: the caller has the instructions.
        unsafe {
            match self.vectors {
                1 => self.of_vectors::<V, 1>(),
                2 => self.of_vectors::<V, 2>(),
                _ => self.of_vectors::<V, VECTORS_MAX>(),
            }
        }
    }
}

impl<T: Term> Strip<'_, T> {
    /// # Safety
    /// The processor has the instructions of `V`.
    #[inline(always)]
    unsafe fn of_vectors<V: Vector, const R: usize>(mut self) {
        let mut at = 0;
        let width = self.panels.width(self.panel);
        while at < width {
            // SAFETY: the caller has the instructions.
            at += unsafe {
                match width - at {
                    1 => self.sums::<V, R, 1>(at),
                    2 => self.sums::<V, R, 2>(at),
                    5.. if V::MANY => self.sums::<V, R, 8>(at),
                    _ => self.sums::<V, R, 4>(at),
                }
            };
        }
    }

    /// `N` sums of the panel from the one at `first` on; their number.
    ///
    /// # Safety
    /// The processor has the instructions of `V`.
    #[inline(always)]
    unsafe fn sums<V: Vector, const R: usize, const N: usize>(&mut self, first: usize) -> usize {
        let (panels, panel, inputs) = (self.panels, self.panel, self.inputs);
        let (rows, features) = (R * V::LANES, panels.features);
        let outputs = &mut self.outputs[first * rows..];
        assert!(inputs.len() >= features * rows && outputs.len() >= N * rows && first + N <= PANEL);
        let numbers = &panels.numbers[panel * PANEL * features..][..PANEL * features];
        let intercepts = &panels.intercepts[panel * PANEL..][..PANEL];
        let mut start = 0;
        loop {
            let count = T::BLOCK.min(features - start);
            // SAFETY: the caller has the instructions; the lengths were compared above.
            unsafe {
                let mut sums = [[V::all(0.0); R]; N];
                let mut number = numbers.as_ptr().add(start * PANEL + first);
                let mut input = inputs.as_ptr().add(start * rows);
                for _ in 0..count {
                    let x: [V; R] = std::array::from_fn(|r| V::load(input.add(r * V::LANES)));
                    for (n, sums) in sums.iter_mut().enumerate() {
                        let number = V::all(*number.add(n));
                        for (sum, &x) in sums.iter_mut().zip(&x) {
                            *sum = T::add(*sum, x, number);
                        }
                    }
                    number = number.add(PANEL);
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
}

struct Row<'a, T> {
    panels: &'a Panels,
    range: Range<usize>,
    inputs: &'a [f32],
    outputs: &'a mut [f32],
    term: PhantomData<T>,
}

impl<T: Term> Loops for Row<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector>(mut self) {
        let mut panel = self.range.start;
        while panel < self.range.end {
            // SAFETY: the caller has the instructions.
            panel += unsafe {
                match self.range.end - panel {
                    1 => self.sums::<V, 1>(panel),
                    2 | 3 => self.sums::<V, 2>(panel),
                    4..8 => self.sums::<V, 4>(panel),
                    _ => self.sums::<V, 8>(panel),
                }
            };
        }
    }
}

impl<T: Term> Row<'_, T> {
    /// The sums of `P` panels from this one on; their number.
    ///
    /// # Safety
    /// The processor has the instructions of `V`.
    #[inline(always)]
    unsafe fn sums<V: Vector, const P: usize>(&mut self, panel: usize) -> usize {
        const { assert!(V::LANES == PANEL, "a vector for each panel") };
        let (panels, features) = (self.panels, self.panels.features);
        let numbers = &panels.numbers[panel * PANEL * features..][..P * PANEL * features];
        let intercepts = &panels.intercepts[panel * PANEL..][..P * PANEL];
        let outputs = &mut self.outputs[(panel - self.range.start) * PANEL..][..P * PANEL];
        let inputs = &self.inputs[..features];
        let mut start = 0_usize;
        loop {
            let end = features.min(start.saturating_add(T::BLOCK));
            // SAFETY: the caller has the instructions; all slices have the lengths that are read and written.
            unsafe {
                let mut sums = [V::all(0.0); P];
                for (feature, &x) in inputs.iter().enumerate().take(end).skip(start) {
                    let x = V::all(x);
                    for (p, sum) in sums.iter_mut().enumerate() {
                        let number = V::load(numbers.as_ptr().add((p * features + feature) * PANEL));
                        *sum = T::add(*sum, x, number);
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
}
