//! Values picked by another column: from a table, from the columns of the row, or by a condition.

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{interleave, take};

use super::columns::{Number, for_number, values};
use super::{wrong_count, wrong_type};
use crate::error::Result;
use crate::program::RowFailures;

/// `if condition then a else b`.
pub(super) fn select(inputs: &[ArrayRef]) -> Result<ArrayRef> {
    let [condition, yes, no] = inputs else { return Err(wrong_count(3, inputs.len())) };
    let mask = condition.as_boolean_opt().ok_or_else(|| wrong_type("a condition", condition.data_type()))?;
    Ok(zip(mask, yes, no)?)
}

/// `table[index]`.
pub(super) fn from_table(table: &ArrayRef, index: &ArrayRef, failures: &mut RowFailures) -> Result<ArrayRef> {
    let places = places(index, table.len(), failures)?;
    if table.is_empty() {
        return Err(wrong_count(1, 0));
    }
    let places = UInt64Array::from_iter_values(places.into_iter().map(|place| place as u64));
    Ok(take(table, &places, None)?)
}

/// The column whose position the first input gives.
pub(super) fn pick_column(inputs: &[ArrayRef], failures: &mut RowFailures) -> Result<ArrayRef> {
    let [index, columns @ ..] = inputs else { return Err(wrong_count(2, 0)) };
    if columns.is_empty() {
        return Err(wrong_count(2, 1));
    }
    let places = places(index, columns.len(), failures)?;
    let places: Vec<(usize, usize)> = places.into_iter().enumerate().map(|(row, place)| (place, row)).collect();
    let columns: Vec<&dyn Array> = columns.iter().map(|column| column.as_ref()).collect();
    Ok(interleave(&columns, &places)?)
}

/// Positions below `count`; a negative index counts from the end, one that points nowhere refuses its row.
fn places(index: &ArrayRef, count: usize, failures: &mut RowFailures) -> Result<Vec<usize>> {
    let wrong = || Err(wrong_type("an index", index.data_type()));
    if index.data_type().is_floating() {
        return wrong();
    }
    for_number!(
        index.data_type(),
        T => {
            let place = |(row, &at): (usize, &<T as ArrowPrimitiveType>::Native)| {
                let at: i64 = at.convert();
                let place = if at < 0 { at.saturating_add(count as i64) } else { at };
                usize::try_from(place).ok().filter(|&place| place < count).unwrap_or_else(|| {
                    failures.refuse(row, || format!("index {at} into {count} values"));
                    0
                })
            };
            Ok(values::<T>(index)?.iter().enumerate().map(place).collect())
        },
        _ => wrong()
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn integers(values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    #[test]
    fn a_table_and_its_ends() {
        let table: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
        let mut failures = RowFailures::default();
        let output = from_table(&table, &integers(&[2, -3, 0]), &mut failures).expect("an index");
        assert_eq!(output.as_string::<i32>(), &StringArray::from(vec!["c", "a", "a"]));
        assert!(failures.is_empty());
        from_table(&table, &integers(&[0, 3]), &mut failures).expect("an index");
        assert_eq!(failures.first(), Some((1, "index 3 into 3 values")));
    }

    #[test]
    fn columns_by_position_and_by_condition() {
        let mut failures = RowFailures::default();
        let inputs = [integers(&[1, 0]), integers(&[10, 11]), integers(&[20, 21])];
        let picked = pick_column(&inputs, &mut failures).expect("an index");
        assert_eq!(picked.as_primitive::<Int64Type>().values(), &[20, 11]);
        let condition: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
        let selected = select(&[condition, Arc::clone(&inputs[1]), Arc::clone(&inputs[2])]).expect("a condition");
        assert_eq!(selected.as_primitive::<Int64Type>().values(), &[10, 21]);
    }
}
