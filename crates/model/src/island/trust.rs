//! Whether tract computes what the evaluator does, and a row what it does alone.
//!
//! tract gives some operators another meaning than ONNX does, without an error, and lets rows mix as long as shapes allow
//! it. So an island of tract is tried with a few rows when the model is loaded. The evaluator takes its time: an island too
//! large for that is compared with itself only.

use arrow::array::{Array as _, ArrayRef, AsArray};
use foretell_tensors::{Budget, Data, Graph, Tensor};

use super::probe::{Kind, Probe};
use super::tract::Draft;
use super::{Island, TRIAL_ROWS, border, evaluator};
use crate::error::Result;
use crate::limits::Limits;

/// Operations that the evaluator may take.
const WORK: u64 = 1 << 25;
/// Bytes that it may take.
const BYTES: u64 = 96 << 20;
/// Elements of constants beyond which the evaluator is not asked.
const CONSTANTS_MAX: usize = 16 << 20;
/// What sums in another order may make of a number, as a share of the largest one beside it.
const TOLERANCE: f64 = 2e-3;
/// The rows tried.
const KINDS: [Kind; 3] = [Kind::Mixed, Kind::Small, Kind::Large];

/// The draft with the evaluator of the same nodes beside it, for the rows that tract is not trusted with.
///
/// A graph that the evaluator lacks an operator of has nothing to be compared with, and no judge.
///
/// # Errors
/// When tract has other answers than the evaluator for the rows tried: what is wrong with them.
pub(crate) fn trusted(draft: Draft, graph: Graph, probe: &Probe, limits: &Limits) -> Result<Draft, String> {
    let constants: usize = graph.constants.iter().filter_map(|(_, value)| value.tensor()).map(Tensor::len).sum();
    let names = graph.outputs.clone();
    let Ok(judge) = evaluator::Plan::new(graph, limits.budget(), draft.nodes()) else { return Ok(draft) };
    if constants <= CONSTANTS_MAX && draft.is_small() {
        let budget = Budget { work: WORK, bytes: limits.run_bytes.min(BYTES) };
        KINDS.into_iter().try_for_each(|kind| compare(&draft, &judge, &names, kind, probe, budget))?;
    }
    Ok(draft.with_judge(judge))
}

/// Compares the answers for rows of one kind; rows that cannot be made, or that the evaluator does not answer, say nothing.
fn compare(
    draft: &Draft,
    judge: &evaluator::Plan,
    names: &[String],
    kind: Kind,
    probe: &Probe,
    budget: Budget,
) -> Result<(), String> {
    let rows = draft.trial_rows();
    let Ok(inputs) = probe.rows(kind, rows).and_then(|columns| draft.elements(&columns, rows)) else { return Ok(()) };
    let Ok(expected) = judge.values(inputs.clone(), budget) else { return Ok(()) };
    let got = draft.run(inputs).map_err(|cause| format!("it fails where ONNX has an answer: {cause}"))?;
    let pairs = names.iter().zip(got.iter().zip(&expected));
    let differs =
        |got: &Tensor, expected: &Tensor| got.shape() != expected.shape() || !are_close(got.data(), expected.data());
    for (name, (got, expected)) in pairs {
        if expected.tensor().is_some_and(|expected| differs(got, expected)) {
            return Err(format!("it gives another `{name}` than ONNX asks for"));
        }
    }
    Ok(())
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
    let together = island.run_batch(&island.engine, columns, TRIAL_ROWS)?;
    for row in 0..TRIAL_ROWS {
        let alone: Vec<ArrayRef> = columns.iter().map(|column| column.slice(row, 1)).collect();
        let alone = island.run_batch(&island.engine, &alone, 1)?;
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
            border::data_of(&list.values().slice(list.value_offset(0) as usize, width * list.len()))
        }
        None => border::data_of(column),
    };
    matches!((elements(one), elements(other)), (Ok(one), Ok(other)) if are_close(&one, &other))
}

/// Whether elements are the same but for rounding.
fn are_close(got: &Data, expected: &Data) -> bool {
    let (Some(got_numbers), Some(numbers)) = (numbers(got), numbers(expected)) else { return got == expected };
    let largest =
        numbers.iter().filter(|number| number.is_finite()).fold(0.0_f64, |most, number| most.max(number.abs()));
    let allowed = match expected {
        Data::F32(_) | Data::F64(_) => TOLERANCE * largest,
        Data::F16(_) | Data::Bf16(_) => 8.0 * TOLERANCE * largest,
        // A step of a quantised value, where a sum lies between two.
        Data::I8(_) | Data::U8(_) => 1.0,
        _ => 0.0,
    };
    got_numbers.len() == numbers.len()
        && got_numbers.iter().zip(&numbers).all(|(got, expected)| {
            got == expected || (got.is_nan() && expected.is_nan()) || (got - expected).abs() <= allowed
        })
}

/// The elements, if they are numbers.
fn numbers(data: &Data) -> Option<Vec<f64>> {
    Some(match data {
        Data::F32(values) => values.iter().map(|&value| f64::from(value)).collect(),
        Data::F64(values) => values.clone(),
        Data::F16(values) => values.iter().map(|value| value.to_f64()).collect(),
        Data::Bf16(values) => values.iter().map(|value| value.to_f64()).collect(),
        Data::I8(values) => values.iter().map(|&value| f64::from(value)).collect(),
        Data::U8(values) => values.iter().map(|&value| f64::from(value)).collect(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_close_by_the_largest_of_them() {
        let floats = |values: &[f32]| Data::F32(values.to_vec());
        assert!(are_close(&floats(&[1000.0, 0.5]), &floats(&[1000.5, 0.0])));
        assert!(!are_close(&floats(&[1.0, 0.5]), &floats(&[1.0, 0.0])));
        assert!(are_close(&floats(&[f32::NAN, f32::INFINITY]), &floats(&[f32::NAN, f32::INFINITY])));
        assert!(!are_close(&floats(&[f32::NAN]), &floats(&[1.0])));
        assert!(
            are_close(&Data::U8(vec![3]), &Data::U8(vec![4])) && !are_close(&Data::I64(vec![3]), &Data::I64(vec![4]))
        );
        assert!(!are_close(&Data::I64(vec![1]), &floats(&[1.0])));
    }
}
