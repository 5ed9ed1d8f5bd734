//! What the two passes over linear models share: a linear step taken apart and put together again.

use std::sync::Arc;

use foretell_kernels::linear::{FusedInput, LinearModel};

use crate::program::{ColumnId, EncodedLinear, LinearInput, Op};

/// A linear step, input by input.
pub(super) struct LinearParts {
    pub(super) model: LinearModel,
    /// What each input means, and the column it reads.
    pub(super) inputs: Vec<(LinearInput, ColumnId)>,
}

impl LinearParts {
    /// The parts of a step, if it is a linear model.
    pub(super) fn of(op: &Op, columns: &[ColumnId]) -> Option<Self> {
        let (model, inputs) = match op {
            Op::Linear(model) => {
                let plain = LinearInput::Number(FusedInput::Number(vec![]));
                (model.as_ref(), vec![plain; model.features()])
            }
            Op::FusedLinear(encoded) => (encoded.linear().model(), encoded.inputs()),
            _ => return None,
        };
        (inputs.len() == columns.len())
            .then(|| Self { model: model.clone(), inputs: inputs.into_iter().zip(columns.iter().copied()).collect() })
    }

    /// The step again; `None` if the parts do not make one.
    pub(super) fn into_step(self) -> Option<(Op, Vec<ColumnId>)> {
        let (inputs, columns): (Vec<LinearInput>, Vec<ColumnId>) = self.inputs.into_iter().unzip();
        let encoded = EncodedLinear::try_new(self.model, &inputs).ok()?;
        Some((Op::FusedLinear(Arc::new(encoded)), columns))
    }
}
