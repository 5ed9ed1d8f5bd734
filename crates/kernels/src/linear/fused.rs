//! Linear models that read columns before they were imputed, scaled or spread over indicators.

use super::codes::LookUp;
use super::stages::{Stage, Stages, Table};
use super::tiles::{self, Columns};
use super::{LinearError, LinearKernel, LinearModel, check_columns, negate, rows_of};
use crate::forms::Form;

/// A linear model that reads its features before they were imputed, scaled or spread over indicator columns.
///
/// It performs the very operations of the steps it replaces, in their order, so its answer is that of the steps to the bit.
#[derive(Debug, Clone, PartialEq)]
pub struct FusedLinear {
    model: LinearModel,
    inputs: Vec<FusedInput>,
    stages: Stages,
    /// As in the model.
    mirrored: Option<Box<FusedLinear>>,
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
    /// For [`FusedInput::Category`]: the codes of a dictionary's values, and each row's place in it. A place beyond the
    /// dictionary, such as a negative one, is that of no category.
    Dictionary {
        /// Where each row's value stands.
        keys: &'a [i32],
        /// The code of each value.
        codes: &'a [u32],
    },
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
        let stages = Stages::of_inputs(&inputs, &model.weights, model.outputs(), model.rounding);
        let mirrored = match &model.mirrored {
            Some(second) => Some(Box::new(Self::try_new(second.as_ref().clone(), inputs.clone())?)),
            None => None,
        };
        Ok(Self { model, inputs, stages, mirrored })
    }

    /// The model behind the inputs.
    pub fn model(&self) -> &LinearModel {
        &self.model
    }

    /// What each input column means.
    pub fn inputs(&self) -> &[FusedInput] {
        &self.inputs
    }

    /// How the model is evaluated on this processor.
    pub fn kernel(&self) -> LinearKernel {
        self.model.kernel()
    }

    /// Bytes of memory that the model occupies.
    pub fn bytes(&self) -> usize {
        let mirrored = self.mirrored.as_ref().map_or(0, |second| second.bytes());
        self.model.bytes() + self.stages.bytes() + size_of::<FusedInput>() * self.inputs.len() + mirrored
    }

    /// Computes every output column from the input columns.
    ///
    /// # Panics
    /// When the columns do not have the number and kinds of the inputs, or their lengths differ.
    pub fn evaluate(&self, columns: &[FusedColumn<'_>], outputs: &mut [&mut [f32]]) {
        self.evaluate_with(Form::best(), columns, outputs);
    }

    /// As [`Self::evaluate`], with these instructions.
    pub(super) fn evaluate_with(&self, form: Form, columns: &[FusedColumn<'_>], outputs: &mut [&mut [f32]]) {
        let rows = rows_of(&self.model, outputs);
        check_columns(columns.len(), self.inputs.len(), columns.iter().map(FusedColumn::len), rows);
        assert!(
            self.inputs.iter().zip(columns).all(|(input, column)| input.takes(column)),
            "columns of the inputs' kinds"
        );
        if let (Some(second), [opposite, outputs @ ..]) = (&self.mirrored, &mut *outputs) {
            second.evaluate_with(form, columns, outputs);
            return negate(outputs[0], opposite);
        }
        let dictionaries = Dictionaries::of(self, columns);
        let sources = Sources { stages: &self.stages, columns, dictionaries };
        tiles::run(form, &self.model, &self.stages, &sources, outputs);
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
    pub(super) fn apply(self, values: &mut [f32]) {
        match self {
            Self::Fill { replaced, fill } if replaced.is_nan() => {
                values.iter_mut().for_each(|value| *value = if value.is_nan() { fill } else { *value });
            }
            Self::Fill { replaced, fill } => {
                values.iter_mut().for_each(|value| *value = if *value == replaced { fill } else { *value });
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
            Self::Dictionary { keys, .. } => keys.len(),
        }
    }
}

/// The weights of the values of dictionaries, found once per call.
#[derive(Default)]
struct Dictionaries {
    weights: Vec<f32>,
    /// Where the weights of a stage lie, for each output one after the other; by stage.
    tables: Vec<Option<Table>>,
}

impl Dictionaries {
    fn of(model: &FusedLinear, columns: &[FusedColumn<'_>]) -> Self {
        let mut dictionaries = Self::default();
        if !columns.iter().any(|column| matches!(column, FusedColumn::Dictionary { .. })) {
            return dictionaries;
        }
        for stage in &model.stages.list {
            let table = match stage {
                &Stage::Category { input, first, table } => match columns[input] {
                    FusedColumn::Dictionary { codes, .. } => {
                        let start = dictionaries.weights.len();
                        for output in 0..model.model.outputs() {
                            let weights = model.stages.table(table, output);
                            let found = codes.iter().map(|code| weights[place(code.wrapping_sub(first), weights)]);
                            dictionaries.weights.extend(found);
                            dictionaries.weights.push(super::codes::NOTHING);
                        }
                        Some(Table { start, len: codes.len() + 1 })
                    }
                    _ => None,
                },
                _ => None,
            };
            dictionaries.tables.push(table);
        }
        dictionaries
    }
}

fn place(category: u32, table: &[f32]) -> usize {
    (category as usize).min(table.len() - 1)
}

/// The columns of a call, and what was found for it.
struct Sources<'a> {
    stages: &'a Stages,
    columns: &'a [FusedColumn<'a>],
    dictionaries: Dictionaries,
}

impl Columns for Sources<'_> {
    #[inline(always)]
    fn numbers(&self, input: usize) -> &[f32] {
        match self.columns[input] {
            FusedColumn::Numbers(values) => values,
            _ => unreachable!("the kinds of the columns were compared with those of the inputs"),
        }
    }

    #[inline(always)]
    fn add_category<L: LookUp>(&self, stage: usize, output: usize, start: usize, sums: &mut [f32]) {
        let Stage::Category { input, first, table } = self.stages.list[stage] else { return };
        let rows = start..start + sums.len();
        match (self.columns[input], self.dictionaries.tables.get(stage)) {
            (FusedColumn::Codes(codes), _) => L::add(sums, &codes[rows], first, self.stages.table(table, output)),
            (FusedColumn::Dictionary { keys, .. }, Some(Some(table))) => {
                let weights = &self.dictionaries.weights[table.start + output * table.len..][..table.len];
                L::add(sums, &keys[rows], 0, weights);
            }
            _ => unreachable!("the kinds of the columns were compared with those of the inputs"),
        }
    }
}
