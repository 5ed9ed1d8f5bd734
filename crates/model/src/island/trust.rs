//! Whether tract computes what the evaluator does, and a row what it does alone.
//!
//! tract gives some operators another meaning than ONNX does, without an error, and lets rows mix as long as shapes allow
//! it. So an island of tract is tried with a few rows when the model is loaded. The evaluator takes its time: an island too
//! large for that is compared with itself only.

use arrow::array::{Array as _, ArrayRef, AsArray};
use foretell_tensors::{Budget, Data, Graph, Program, Tensor, Value};

use super::probe::{Kind, Probe};
use super::tract::Draft;
use super::{Island, border};
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
const KINDS: [Kind; 2] = [Kind::Mixed, Kind::Small];

/// Why the answers of a draft for some rows are not those of the evaluator; `None` if nothing speaks against them.
pub(crate) fn doubts(draft: &Draft, graph: Graph, probe: &Probe, limits: &Limits) -> Option<String> {
    let constants: usize = graph.constants.iter().filter_map(|(_, value)| value.tensor()).map(Tensor::len).sum();
    if constants > CONSTANTS_MAX || !draft.is_small() {
        return None;
    }
    let names = graph.outputs.clone();
    let program = Program::new(graph).ok()?;
    let budget = Budget { work: WORK, bytes: limits.run_bytes.min(BYTES) };
    for kind in KINDS {
        let Ok(columns) = probe.rows(kind, draft.rows()) else { continue };
        let Ok(inputs) = draft.elements(&columns, draft.rows()) else { continue };
        let values = inputs.iter().map(|(dims, data)| Tensor::try_new(dims.clone(), data.clone()).map(Value::from));
        let expected =
            values.collect::<Result<Vec<Value>, _>>().ok().and_then(|values| program.run(values, budget).ok());
        let Some(expected) = expected else { continue };
        let Ok(got) = draft.run(inputs) else { continue };
        for (name, (got, expected)) in names.iter().zip(got.iter().zip(&expected)) {
            let Some(expected) = expected.tensor() else { continue };
            if got.shape() != expected.shape() || !are_close(got.data(), expected.data()) {
                return Some(format!("it gives another `{name}` than ONNX asks for"));
            }
        }
    }
    None
}

/// Whether rows have another answer together than alone.
///
/// # Errors
/// When the island computes no kind of rows at all.
pub(super) fn mixes_rows(island: &Island, probe: &Probe) -> Result<bool> {
    let mut failure = None;
    for kind in Kind::ALL {
        // Rows too large to try are not tried.
        let Ok(columns) = probe.rows(kind, 2) else { continue };
        match is_alike_alone(island, &columns) {
            Ok(alike) => return Ok(!alike),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(false), Err)
}

/// Whether each of two rows has the answer alone that it has beside the other.
fn is_alike_alone(island: &Island, columns: &[ArrayRef]) -> Result<bool> {
    let together = island.run_batch(columns, 2)?;
    for row in 0..2 {
        let alone: Vec<ArrayRef> = columns.iter().map(|column| column.slice(row, 1)).collect();
        let alone = island.run_batch(&alone, 1)?;
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
