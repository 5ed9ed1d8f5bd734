//! Whether tract computes what the evaluator does, and a row what it does alone.
//!
//! tract gives some operators another meaning than ONNX does, without an error, and lets rows mix as long as shapes allow
//! it. So an island of tract is tried with a few rows when the model is loaded. The evaluator takes its time: an island too
//! large for that is compared with itself only.

use arrow::array::{Array as _, ArrayRef, AsArray};
use foretell_tensors::{Budget, Fault, Graph, Tensor};

use super::draft::Draft;
use super::probe::{Kind, Probe};
use super::{Island, TRIAL_ROWS};
use crate::elements::data_of;
use crate::engine::{By, Evaluator, Tolerance, are_close};
use crate::error::Result;
use crate::limits::Limits;

/// Operations that the evaluator may take.
const WORK: u64 = 1 << 25;
/// Bytes that it may take.
const BYTES: u64 = 96 << 20;
/// Elements of constants beyond which the evaluator is not asked.
const CONSTANTS_MAX: usize = 16 << 20;
/// What sums in another order may make of a number; and a step of a quantised one, where a sum lies between two.
const TOLERANCE: Tolerance = Tolerance { of_number: 0.0, of_largest: 2e-3, of_largest_half: 16e-3, steps: 1.0 };
/// Operators that ask nothing of the numbers that they read but their shape.
const OF_SHAPES: [&str; 8] = ["AveragePool", "Conv", "ConvTranspose", "GRU", "LSTM", "LpPool", "MaxPool", "RNN"];
/// The rows tried.
const KINDS: [Kind; 3] = [Kind::Mixed, Kind::Small, Kind::Large];

/// The draft with the evaluator of the same nodes beside it, for the rows that tract is not trusted with.
///
/// A graph that the evaluator lacks an operator of has nothing to be compared with, and no judge.
///
/// # Errors
/// When tract has other answers than the evaluator for the rows tried, a node is wrong for every row, or tract would take more
/// memory for a row than a run may: what is wrong with it.
pub(crate) fn trusted(draft: Draft, graph: Graph, probe: &Probe, limits: &Limits) -> Result<Draft, String> {
    if draft.row_bytes() > limits.run_bytes {
        return Err(format!("a row takes {} bytes, {} are allowed", draft.row_bytes(), limits.run_bytes));
    }
    let constants: usize = graph.constants.iter().filter_map(|(_, value)| value.tensor()).map(Tensor::len).sum();
    let names = graph.outputs.clone();
    let Ok(judge) = Evaluator::new(graph, limits.budget()) else { return Ok(draft) };
    if constants <= CONSTANTS_MAX && draft.is_small() {
        let budget = Budget { work: WORK, bytes: limits.run_bytes.min(BYTES) };
        for kind in KINDS {
            // Rows that cannot be made, or that the evaluator does not answer, say nothing, but for what is wrong whatever the rows.
            let Ok(inputs) = draft.trial(kind, probe) else { continue };
            let expected = match judge.run_within(inputs.clone(), budget) {
                Ok(expected) => expected,
                Err(error) if is_of_every_row(&error) => return Err(error.to_string()),
                Err(_) => continue,
            };
            draft.plan().check(&inputs, &expected, &names, &TOLERANCE)?;
        }
    }
    Ok(draft.with_judge(judge))
}

/// Whether a node is wrong whatever numbers it reads: tract takes attributes and weights that do not fit in its own way.
fn is_of_every_row(error: &foretell_tensors::Error) -> bool {
    match error {
        foretell_tensors::Error::Node { operator, fault: Fault::Invalid(_), .. } => {
            operator.strip_prefix("ai.onnx.").is_some_and(|name| OF_SHAPES.contains(&name))
        }
        _ => false,
    }
}

/// Whether rows have another answer together than alone.
///
/// # Errors
/// When the island computes no kind of rows at all.
pub(super) fn mixes_rows(island: &Island, probe: &Probe) -> Result<bool> {
    let mut failure = None;
    for kind in Kind::ALL {
        // Rows too large to try are not tried.
        let Ok(columns) = probe.rows(kind, TRIAL_ROWS) else { continue };
        match is_alike_alone(island, &columns) {
            Ok(alike) => return Ok(!alike),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(false), Err)
}

/// Whether each row has the answer alone that it has beside the others.
fn is_alike_alone(island: &Island, columns: &[ArrayRef]) -> Result<bool> {
    let together = island.run_batch(By::Fastest, columns, TRIAL_ROWS)?;
    for row in 0..TRIAL_ROWS {
        let alone: Vec<ArrayRef> = columns.iter().map(|column| column.slice(row, 1)).collect();
        let alone = island.run_batch(By::Fastest, &alone, 1)?;
        if together.iter().zip(&alone).any(|(together, alone)| !are_close_columns(&together.slice(row, 1), alone)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether columns of the same type have the same elements but for rounding.
pub(super) fn are_close_columns(one: &ArrayRef, other: &ArrayRef) -> bool {
    let elements = |column: &ArrayRef| match column.as_fixed_size_list_opt() {
        Some(list) => {
            let width = usize::try_from(list.value_length()).unwrap_or(0);
            data_of(&list.values().slice(list.value_offset(0) as usize, width * list.len()))
        }
        None => data_of(column),
    };
    matches!((elements(one), elements(other)), (Ok(one), Ok(other)) if are_close(&one, &other, &TOLERANCE))
}
