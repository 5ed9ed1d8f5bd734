//! What computes tensors, for islands and for networks.
//!
//! The evaluator of `foretell-tensors` is the judge: it has every operator, and it counts bytes and work. It is the faster one
//! where kernels compute: products of matrices, convolutions, recurrent layers and what stands between them. tract is faster at
//! everything else. It gives some operators another meaning than ONNX does, drops NaN in comparisons and activations, panics,
//! and takes what memory it likes. So it is used where it gave the evaluator's answers to the rows that were tried while the model was loaded, and
//! what it is not trusted with goes to the evaluator even then.
//!
//! [`tract`] compiles and runs plans, [`mod@caught`] makes errors of tract's panics, [`evaluator`] is the other side, [`alike`]
//! says whether two answers are the same. What is deliberately not here: columns, and which rows are tried or computed
//! together. `island/` and `network/` have those, each in its own way.

mod alike;
mod caught;
mod evaluator;
mod tract;

use foretell_kernels::forms::Form;
use foretell_tensors::Tensor;

pub(crate) use alike::{RowsAlong, Tolerance, are_close, mixed};
pub(crate) use caught::{Cause, caught};
pub(crate) use evaluator::{Evaluator, leaves};
pub(crate) use tract::{Extent, LIVE_VALUES, TractPlan, element_of, input_of, takes_nothing};

/// Who computes a graph.
#[derive(Debug)]
pub(crate) enum Engine {
    /// The evaluator.
    Tensors(Box<Evaluator>),
    /// tract alone: the evaluator lacks an operator of the graph.
    Tract(TractPlan),
    /// tract, and the evaluator for what tract is not trusted with.
    Judged(TractPlan, Box<Evaluator>),
}

/// Who is to compute some inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// Whoever is fastest.
    Fastest,
    /// The evaluator, if there is one: tract is not trusted with these inputs.
    Judge,
}

impl Engine {
    /// tract, with a judge beside it if there is one.
    pub(crate) fn tract(plan: TractPlan, judge: Option<Evaluator>) -> Self {
        match judge {
            Some(judge) => Self::Judged(plan, Box::new(judge)),
            None => Self::Tract(plan),
        }
    }

    /// The evaluator alone.
    pub(crate) fn tensors(evaluator: Evaluator) -> Self {
        Self::Tensors(Box::new(evaluator))
    }

    /// Who is fastest: `tract` or `tensors`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Tract(_) | Self::Judged(..) => "tract",
            Self::Tensors(_) => "tensors",
        }
    }

    /// How the evaluator computes it on this processor; nothing is known of tract.
    pub(crate) fn choice(&self) -> Option<String> {
        match self {
            Self::Tract(_) | Self::Judged(..) => None,
            Self::Tensors(evaluator) if evaluator.is_fast() => Some(format!("{}, layers by kernels", Form::best())),
            Self::Tensors(_) => Some("operator by operator".to_string()),
        }
    }

    /// Whether there is another engine for what the fastest is not trusted with.
    pub(crate) fn has_judge(&self) -> bool {
        matches!(self, Self::Judged(..))
    }

    /// Computes the outputs.
    pub(crate) fn run(&self, by: By, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, Failure> {
        match (self, by) {
            (Self::Tensors(evaluator), _) | (Self::Judged(_, evaluator), By::Judge) => Ok(evaluator.run(inputs)?),
            (Self::Tract(plan), _) | (Self::Judged(plan, _), By::Fastest) => plan.run(&inputs).map_err(Failure::Tract),
        }
    }
}

/// Why an engine has no outputs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Tensors(#[from] foretell_tensors::Error),
    #[error(transparent)]
    Tract(Cause),
}
