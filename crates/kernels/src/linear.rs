//! Linear maps over columns.
//!
//! The sum of a row runs in the order of the features, in `f32`, as [`Rounding`] says; by default as ONNX Runtime's product
//! with a constant matrix does it, so that the two agree to the bit.

use std::error::Error;
use std::fmt;
use std::ops::Range;

use crate::fused::add_product;

/// Sums that one pass over all features goes on with: they stay in the fastest caches. Within that, the more rows the better, since
/// memory is read fastest in long runs.
const PASS_SUMS: usize = 4096;
/// Rows of a pass, at least.
const PASS_ROWS_MIN: usize = 512;

/// Features whose products are summed before they meet the sum of those before them.
const BLOCK_FEATURES: usize = 256;

/// How the terms of a sum are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rounding {
    /// A product and its addition are rounded once. Features go in blocks of 256: a block's sum starts at zero and is then
    /// added to what was before, the intercept first.
    #[default]
    Once,
    /// A product is rounded, and then its addition: a plain loop over all features, the intercept last.
    Twice,
}

/// `scores[j] = intercepts[j] + sum over i of x[i] * weights[i][j]`, summed in the order of the features.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearModel {
    weights: Vec<f32>,
    intercepts: Vec<f32>,
    features: usize,
    rounding: Rounding,
}

impl LinearModel {
    /// A model with one output per intercept and `weights[feature * outputs + output]`.
    ///
    /// # Errors
    /// When there is no output or the weights are not a whole number of features.
    pub fn try_new(weights: Vec<f32>, intercepts: Vec<f32>) -> Result<Self, LinearError> {
        let outputs = intercepts.len();
        if outputs == 0 || !weights.len().is_multiple_of(outputs) {
            return Err(LinearError::Shape { weights: weights.len(), outputs });
        }
        let features = weights.len() / outputs;
        Ok(Self { weights, intercepts, features, rounding: Rounding::default() })
    }

    /// The same model with sums that are rounded so.
    #[must_use]
    pub fn with_rounding(self, rounding: Rounding) -> Self {
        Self { rounding, ..self }
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.intercepts.len()
    }

    /// The weights of one feature, one per output.
    ///
    /// # Panics
    /// When there is no such feature.
    pub fn weights_of(&self, feature: usize) -> &[f32] {
        &self.weights[feature * self.outputs()..][..self.outputs()]
    }

    /// Rows of one pass over all features.
    fn pass_rows(&self) -> usize {
        (PASS_SUMS / self.outputs()).max(PASS_ROWS_MIN)
    }

    /// Computes every output column from the feature columns.
    ///
    /// # Panics
    /// When the number of columns is not that of the model, or their lengths differ.
    pub fn evaluate(&self, columns: &[&[f32]], outputs: &mut [&mut [f32]]) {
        let rows = rows_of(self, outputs);
        check_columns(columns.len(), self.features, columns.iter().map(|column| column.len()), rows);
        let mut pass = Pass::new(self, rows);
        let pass_rows = self.pass_rows();
        for start in (0..rows).step_by(pass_rows) {
            let end = rows.min(start + pass_rows);
            pass.begin(end - start);
            columns.iter().for_each(|column| pass.add_number(&column[start..end]));
            pass.finish(outputs, start);
        }
    }
}

/// A linear model that reads its features before they were imputed, scaled or spread over indicator columns.
///
/// It performs the very operations of the steps it replaces, in their order, so its answer is that of the steps to the bit.
#[derive(Debug, Clone, PartialEq)]
pub struct FusedLinear {
    model: LinearModel,
    inputs: Vec<FusedInput>,
}

/// What one input column of a [`FusedLinear`] means.
#[derive(Debug, Clone, PartialEq)]
pub enum FusedInput {
    /// One feature, after these steps.
    Number(Vec<PreStep>),
    /// As many features as there are categories, of which the one at the column's code is 1 and the others are 0. A code
    /// beyond the last category means that all are 0.
    Category {
        /// Number of categories.
        categories: usize,
    },
}

/// Something done to a feature before it is multiplied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PreStep {
    /// `x` becomes `fill` where it equals `replaced`; NaN equals NaN here.
    Fill {
        /// The value that means "missing".
        replaced: f32,
        /// What stands in for it.
        fill: f32,
    },
    /// `(x - offset) * scale`.
    Scale {
        /// Subtracted first.
        offset: f32,
        /// Multiplied then.
        scale: f32,
    },
}

/// One input column of a [`FusedLinear`].
#[derive(Debug, Clone, Copy)]
pub enum FusedColumn<'a> {
    /// For [`FusedInput::Number`].
    Numbers(&'a [f32]),
    /// For [`FusedInput::Category`].
    Codes(&'a [u32]),
}

impl FusedLinear {
    /// A model whose features come from these inputs, in order.
    ///
    /// # Errors
    /// When the inputs do not make up all features of the model, or the weight of a category is not finite: `0 * weight`
    /// is then not zero, and leaving it out would change the answer.
    pub fn try_new(model: LinearModel, inputs: Vec<FusedInput>) -> Result<Self, LinearError> {
        let mut feature = 0usize;
        for input in &inputs {
            let width = input.width();
            let end = feature.saturating_add(width).min(model.features);
            let weights = &model.weights[feature * model.outputs()..end * model.outputs()];
            if matches!(input, FusedInput::Category { .. }) && !weights.iter().all(|weight| weight.is_finite()) {
                return Err(LinearError::CategoryWeight { feature });
            }
            feature = feature.saturating_add(width);
            if feature > model.features {
                break;
            }
        }
        if feature != model.features {
            return Err(LinearError::Inputs { got: feature, features: model.features });
        }
        Ok(Self { model, inputs })
    }

    /// The model behind the inputs.
    pub fn model(&self) -> &LinearModel {
        &self.model
    }

    /// What each input column means.
    pub fn inputs(&self) -> &[FusedInput] {
        &self.inputs
    }

    /// Computes every output column from the input columns.
    ///
    /// # Panics
    /// When the columns do not have the number and kinds of the inputs, or their lengths differ.
    pub fn evaluate(&self, columns: &[FusedColumn<'_>], outputs: &mut [&mut [f32]]) {
        let rows = rows_of(&self.model, outputs);
        check_columns(columns.len(), self.inputs.len(), columns.iter().map(FusedColumn::len), rows);
        assert!(
            self.inputs.iter().zip(columns).all(|(input, column)| input.takes(column)),
            "columns of the inputs' kinds"
        );
        let pass_rows = self.model.pass_rows();
        let mut buffer = Vec::with_capacity(rows.min(pass_rows));
        let mut pass = Pass::new(&self.model, rows);
        for start in (0..rows).step_by(pass_rows) {
            let end = rows.min(start + pass_rows);
            pass.begin(end - start);
            for (input, column) in self.inputs.iter().zip(columns) {
                match (input, column) {
                    (FusedInput::Number(steps), FusedColumn::Numbers(column)) => {
                        buffer.clear();
                        buffer.extend_from_slice(&column[start..end]);
                        steps.iter().for_each(|step| step.apply(&mut buffer));
                        pass.add_number(&buffer);
                    }
                    (FusedInput::Category { categories }, FusedColumn::Codes(codes)) => {
                        pass.add_category(*categories, &codes[start..end]);
                    }
                    _ => unreachable!("the kinds were compared above"),
                }
            }
            pass.finish(outputs, start);
        }
    }
}

impl FusedInput {
    /// Number of features of the model that this input stands for.
    pub fn width(&self) -> usize {
        match self {
            Self::Number(_) => 1,
            Self::Category { categories } => *categories,
        }
    }

    fn takes(&self, column: &FusedColumn<'_>) -> bool {
        matches!(self, Self::Number(_)) == matches!(column, FusedColumn::Numbers(_))
    }
}

impl PreStep {
    fn apply(self, values: &mut [f32]) {
        match self {
            Self::Fill { replaced, fill } if replaced.is_nan() => {
                values.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = fill);
            }
            Self::Fill { replaced, fill } => {
                values.iter_mut().filter(|value| **value == replaced).for_each(|value| *value = fill);
            }
            Self::Scale { offset, scale } => values.iter_mut().for_each(|value| *value = (*value - offset) * scale),
        }
    }
}

impl FusedColumn<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Codes(codes) => codes.len(),
        }
    }
}

/// The sums of some rows while the features go by, one run of rows per output.
struct Pass<'m> {
    model: &'m LinearModel,
    /// Sums of the block of features at hand.
    block: Vec<f32>,
    /// Intercepts and the blocks before.
    total: Vec<f32>,
    rows: usize,
    /// Features that went by.
    feature: usize,
}

impl<'m> Pass<'m> {
    fn new(model: &'m LinearModel, rows: usize) -> Self {
        let sums = || Vec::with_capacity(model.outputs() * rows.min(model.pass_rows()));
        Self { model, block: sums(), total: sums(), rows: 0, feature: 0 }
    }

    fn begin(&mut self, rows: usize) {
        (self.rows, self.feature) = (rows, 0);
        let sums = self.model.outputs() * rows;
        self.block.clear();
        self.block.resize(sums, 0.0);
        self.total.resize(sums, 0.0);
        for (total, &intercept) in self.total.chunks_exact_mut(rows).zip(&self.model.intercepts) {
            total.fill(intercept);
        }
    }

    /// A feature.
    fn add_number(&mut self, values: &[f32]) {
        let weights = self.model.weights_of(self.feature);
        for (sums, &weight) in self.block.chunks_exact_mut(self.rows).zip(weights) {
            match self.model.rounding {
                Rounding::Once => add_product(sums, values, weight),
                Rounding::Twice => sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value * weight),
            }
        }
        self.advance(1);
    }

    /// As many features as there are categories, 1 where the code is theirs.
    fn add_category(&mut self, categories: usize, codes: &[u32]) {
        let mut first = 0;
        while first < categories {
            let count = (categories - first).min(self.block_features() - self.feature % self.block_features());
            self.add_codes(first..first + count, codes);
            self.advance(count);
            first += count;
        }
    }

    fn add_codes(&mut self, categories: Range<usize>, codes: &[u32]) {
        let outputs = self.model.outputs();
        let weights = &self.model.weights[self.feature * outputs..][..categories.len() * outputs];
        for (output, sums) in self.block.chunks_exact_mut(self.rows).enumerate() {
            for (sum, &code) in sums.iter_mut().zip(codes) {
                let category = (code as usize).wrapping_sub(categories.start);
                if category < categories.len() {
                    *sum += weights[category * outputs + output];
                }
            }
        }
    }

    fn advance(&mut self, features: usize) {
        self.feature += features;
        if self.feature.is_multiple_of(self.block_features()) {
            self.end_block();
        }
    }

    fn block_features(&self) -> usize {
        match self.model.rounding {
            Rounding::Once => BLOCK_FEATURES,
            Rounding::Twice => usize::MAX,
        }
    }

    fn end_block(&mut self) {
        for (total, sum) in self.total.iter_mut().zip(&mut self.block) {
            *total += *sum;
            *sum = 0.0;
        }
    }

    fn finish(&mut self, outputs: &mut [&mut [f32]], start: usize) {
        if !self.feature.is_multiple_of(self.block_features()) {
            self.end_block();
        }
        for (output, total) in outputs.iter_mut().zip(self.total.chunks_exact(self.rows)) {
            output[start..start + self.rows].copy_from_slice(total);
        }
    }
}

fn rows_of(model: &LinearModel, outputs: &[&mut [f32]]) -> usize {
    assert_eq!(outputs.len(), model.outputs(), "one column per output");
    let rows = outputs.first().map_or(0, |output| output.len());
    assert!(outputs.iter().all(|output| output.len() == rows), "all outputs have the same number of rows");
    rows
}

fn check_columns(got: usize, expected: usize, mut lengths: impl Iterator<Item = usize>, rows: usize) {
    assert_eq!(got, expected, "one column per feature");
    assert!(lengths.all(|length| length == rows), "features and outputs have the same number of rows");
}

/// Why a linear model cannot be built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinearError {
    /// The weights are not a matrix with one column per output.
    Shape {
        /// Number of weights.
        weights: usize,
        /// Number of intercepts.
        outputs: usize,
    },
    /// The inputs do not make up all features.
    Inputs {
        /// Features that the inputs stand for, as far as they were counted.
        got: usize,
        /// Features of the model.
        features: usize,
    },
    /// A category has a weight that is not finite.
    CategoryWeight {
        /// The first feature of the input.
        feature: usize,
    },
}

impl fmt::Display for LinearError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { weights, outputs } => {
                write!(f, "{weights} weights are not a whole number of features with {outputs} outputs each")
            }
            Self::Inputs { got, features } => write!(f, "the inputs give {got} features, the model has {features}"),
            Self::CategoryWeight { feature } => {
                write!(f, "the categories from feature {feature} on have a weight that is not finite")
            }
        }
    }
}

impl Error for LinearError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_features_in_order_and_adds_the_intercept_last() {
        let model = LinearModel::try_new(vec![1.0, 10.0, 1.0, -1.0, 1.0, 0.0], vec![1.0, 2.0]).expect("a valid model");
        let (mut a, mut b) = ([9.0; 2], [9.0; 2]);
        // In this order 1e8 and -1e8 cancel only after the small value is lost; the intercept is added to what is left.
        model.evaluate(&[&[1e8, 1.0], &[3.0, 2.0], &[-1e8, 3.0]], &mut [&mut a, &mut b]);
        assert_eq!(a, [(1e8f32 + 3.0) - 1e8 + 1.0, 7.0]);
        assert_eq!(b, [1e9 - 3.0 + 2.0, 10.0]);
    }

    #[test]
    fn a_product_is_rounded_with_its_sum_or_before() {
        let x = 1.0 + f32::EPSILON;
        let columns = [vec![1.0], vec![x]];
        let model = LinearModel::try_new(vec![-1.0, x], vec![0.0]).expect("a valid model");
        assert_eq!(evaluate(&model, &columns, 0..1), [[2.0 * f32::EPSILON + f32::EPSILON * f32::EPSILON]]);
        let model = model.with_rounding(Rounding::Twice);
        assert_eq!(evaluate(&model, &columns, 0..1), [[2.0 * f32::EPSILON]]);
    }

    #[test]
    fn features_go_in_blocks() {
        // The first block cancels to nothing; a sum over all features would have lost the small ones.
        let mut weights = vec![0.0; 300];
        (weights[0], weights[255], weights[256]) = (1e8, -1e8, 1.0);
        let model = LinearModel::try_new(weights, vec![0.5]).expect("a valid model");
        let columns = vec![vec![1.0; 600]; 300];
        assert_eq!(evaluate(&model, &columns, 0..600), [vec![1.5; 600]]);
        let inputs = vec![FusedInput::Number(vec![]), FusedInput::Category { categories: 299 }];
        let fused = FusedLinear::try_new(model, inputs).expect("valid inputs");
        let mut sums = [0.0; 3];
        fused.evaluate(&[FusedColumn::Numbers(&[0.0; 3]), FusedColumn::Codes(&[254, 255, 7])], &mut [&mut sums]);
        assert_eq!(sums, [-1e8 + 0.5, 1.5, 0.5]);
    }

    #[test]
    fn any_number_of_rows_gives_the_same_bits() {
        let weights: Vec<f32> = (0..21).map(|i| (i as f32).sin()).collect();
        let model = LinearModel::try_new(weights, vec![0.1, 0.2, 0.3]).expect("a valid model");
        let columns: Vec<Vec<f32>> =
            (0..7).map(|i| (0..1300).map(|row| ((row * 7 + i) as f32).cos()).collect()).collect();
        let all = evaluate(&model, &columns, 0..1300);
        for range in [0..1, 511..513, 600..1300] {
            let some = evaluate(&model, &columns, range.clone());
            for (all, some) in all.iter().zip(&some) {
                assert_eq!(all[range.clone()], some[..]);
            }
        }
    }

    #[test]
    fn fused_inputs_give_the_bits_of_the_steps() {
        let weights: Vec<f32> = (0..10).map(|i| (i as f32 * 0.7).sin()).collect();
        let model = LinearModel::try_new(weights, vec![0.25, -0.5]).expect("a valid model");
        let steps = vec![PreStep::Fill { replaced: f32::NAN, fill: 0.3 }, PreStep::Scale { offset: 0.1, scale: 1.7 }];
        let inputs = vec![
            FusedInput::Number(steps),
            FusedInput::Category { categories: 3 },
            FusedInput::Number(vec![PreStep::Fill { replaced: -1.0, fill: 0.5 }]),
        ];
        let fused = FusedLinear::try_new(model.clone(), inputs).expect("valid inputs");
        let (x, codes, z) = ([0.7, f32::NAN, -0.2, 0.0], [0, 2, u32::MAX, 1], [1.0, -1.0, 0.2, -0.3]);

        let x_steps = x.map(|x| ((if x.is_nan() { 0.3f32 } else { x }) - 0.1) * 1.7);
        let indicators = [0, 1, 2].map(|k| codes.map(|code| if code == k { 1.0 } else { 0.0 }));
        let z_steps = z.map(|z| if z == -1.0 { 0.5 } else { z });
        let (mut a, mut b, mut c, mut d) = ([0.0; 4], [0.0; 4], [0.0; 4], [0.0; 4]);
        let columns: [&[f32]; 5] = [&x_steps, &indicators[0], &indicators[1], &indicators[2], &z_steps];
        model.evaluate(&columns, &mut [&mut a, &mut b]);
        let columns = [FusedColumn::Numbers(&x), FusedColumn::Codes(&codes), FusedColumn::Numbers(&z)];
        fused.evaluate(&columns, &mut [&mut c, &mut d]);
        assert_eq!((a, b), (c, d));
    }

    #[test]
    fn the_last_pass_may_be_short() {
        let model = LinearModel::try_new(vec![1.0, 2.0, 4.0], vec![0.5]).expect("a valid model");
        let fused = FusedLinear::try_new(model, vec![FusedInput::Category { categories: 3 }]).expect("valid inputs");
        let codes: Vec<u32> = (0..PASS_SUMS as u32 + 7).map(|row| row % 3).collect();
        let mut sums = vec![0.0; codes.len()];
        fused.evaluate(&[FusedColumn::Codes(&codes)], &mut [&mut sums]);
        let expected: Vec<f32> = codes.iter().map(|&code| [1.5, 2.5, 4.5][code as usize]).collect();
        assert_eq!(sums, expected);
    }

    #[test]
    fn refuses_shapes_that_do_not_fit() {
        let shape = LinearModel::try_new(vec![1.0; 3], vec![0.0; 2]);
        assert_eq!(shape, Err(LinearError::Shape { weights: 3, outputs: 2 }));
        assert!(LinearModel::try_new(vec![], vec![]).is_err());
        let model = LinearModel::try_new(vec![f32::INFINITY, 1.0], vec![0.0]).expect("a valid model");
        let inputs = FusedLinear::try_new(model.clone(), vec![FusedInput::Category { categories: 2 }]);
        assert_eq!(inputs, Err(LinearError::CategoryWeight { feature: 0 }));
        let inputs = FusedLinear::try_new(model, vec![FusedInput::Number(vec![])]);
        assert_eq!(inputs, Err(LinearError::Inputs { got: 1, features: 2 }));
    }

    fn evaluate(model: &LinearModel, columns: &[Vec<f32>], rows: Range<usize>) -> Vec<Vec<f32>> {
        let columns: Vec<&[f32]> = columns.iter().map(|column| &column[rows.clone()]).collect();
        let mut outputs = vec![vec![0.0; rows.len()]; model.outputs()];
        let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        model.evaluate(&columns, &mut slices);
        outputs
    }
}
