//! What a linear model does with a tile of rows, step by step.

use super::Rounding;
use super::codes::NOTHING;
use super::fused::{FusedInput, PreStep};

/// Columns that are read side by side: enough that their sum is loaded and stored seldom, few enough that the memory sees long
/// runs. Measured by `benches/linear.rs`.
pub(super) const COLUMNS_AT_ONCE: usize = 4;

/// All features of a model, in their order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Stages {
    pub(super) list: Vec<Stage>,
    /// What [`Stage::Category`] looks up: for each of its outputs the weights of its categories, and then nothing.
    pub(super) tables: Vec<f32>,
}

/// Some features, or the end of a block of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stage {
    /// Inputs side by side, each a feature as it is.
    Plain { input: usize, feature: usize, count: usize },
    /// Inputs side by side, each a feature to be scaled.
    Scaled { input: usize, feature: usize, scales: Vec<Scale> },
    /// An input that several steps make a feature of.
    Stepped { input: usize, feature: usize, steps: Vec<PreStep> },
    /// Categories from `first` on.
    Category { input: usize, first: u32, table: Table },
    /// The sums go to those of the blocks before.
    EndBlock,
}

/// `(x - offset) * scale`
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Scale {
    pub(super) offset: f32,
    pub(super) scale: f32,
}

/// Where the tables of all outputs lie, one after the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Table {
    pub(super) start: usize,
    /// Length for one output.
    pub(super) len: usize,
}

impl Stages {
    /// Features that are inputs as they are.
    pub(super) fn of_features(features: usize, rounding: Rounding) -> Self {
        let mut builder = Builder::new(rounding);
        (0..features).for_each(|input| builder.number(input, &[]));
        builder.finish()
    }

    /// Features that are made of these inputs, for a model with these weights.
    pub(super) fn of_inputs(inputs: &[FusedInput], weights: &[f32], outputs: usize, rounding: Rounding) -> Self {
        let mut builder = Builder::new(rounding);
        for (at, input) in inputs.iter().enumerate() {
            match input {
                FusedInput::Number(steps) => builder.number(at, steps),
                FusedInput::Category { categories } => builder.category(at, *categories, weights, outputs),
            }
        }
        builder.finish()
    }

    /// The weights of some categories for an output, and then nothing.
    #[inline(always)]
    pub(super) fn table(&self, table: Table, output: usize) -> &[f32] {
        &self.tables[table.start + output * table.len..][..table.len]
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Stage>() * self.list.len() + size_of::<f32>() * self.tables.len()
    }
}

struct Builder {
    stages: Stages,
    block_features: usize,
    /// Features so far.
    feature: usize,
}

impl Builder {
    fn new(rounding: Rounding) -> Self {
        Self { stages: Stages::default(), block_features: rounding.block_features(), feature: 0 }
    }

    fn number(&mut self, input: usize, steps: &[PreStep]) {
        let feature = self.feature;
        let joins = |before: usize, count: usize| before + count == input && count < COLUMNS_AT_ONCE;
        match (steps, self.stages.list.last_mut()) {
            ([], Some(Stage::Plain { input: before, count, .. })) if joins(*before, *count) => *count += 1,
            ([], _) => self.stages.list.push(Stage::Plain { input, feature, count: 1 }),
            (&[PreStep::Scale { offset, scale }], Some(Stage::Scaled { input: before, scales, .. }))
                if joins(*before, scales.len()) =>
            {
                scales.push(Scale { offset, scale });
            }
            (&[PreStep::Scale { offset, scale }], _) => {
                self.stages.list.push(Stage::Scaled { input, feature, scales: vec![Scale { offset, scale }] });
            }
            (steps, _) => self.stages.list.push(Stage::Stepped { input, feature, steps: steps.to_vec() }),
        }
        self.advance(1);
    }

    fn category(&mut self, input: usize, categories: usize, weights: &[f32], outputs: usize) {
        let mut first = 0;
        while first < categories {
            let count = (categories - first).min(self.block_features - self.feature % self.block_features);
            let table = Table { start: self.stages.tables.len(), len: count + 1 };
            for output in 0..outputs {
                let weights = weights[self.feature * outputs + output..].iter().step_by(outputs).take(count);
                self.stages.tables.extend(weights.chain([&NOTHING]));
            }
            // Limits keep lists of categories far below 2^32.
            self.stages.list.push(Stage::Category { input, first: first as u32, table });
            self.advance(count);
            first += count;
        }
    }

    fn advance(&mut self, features: usize) {
        self.feature += features;
        if self.feature.is_multiple_of(self.block_features) {
            self.stages.list.push(Stage::EndBlock);
        }
    }

    fn finish(mut self) -> Stages {
        if self.stages.list.last() != Some(&Stage::EndBlock) {
            self.stages.list.push(Stage::EndBlock);
        }
        self.stages
    }
}
