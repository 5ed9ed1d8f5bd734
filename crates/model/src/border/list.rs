//! One list column for all features of a model.

use arrow::array::{Array, ArrayRef, UInt64Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::DataType;

use super::import::list_parts;
use crate::error::{Error, Result};

/// Takes a list column apart: the column of all first elements, of all second ones, and so on to `features`.
///
/// A row that is NULL gives NULL in every column.
///
/// # Errors
/// [`Error::Arguments`] when the column is no list, or a row has another number of elements.
pub fn expand_list(array: &ArrayRef, features: usize) -> Result<Vec<ArrayRef>> {
    if *array.data_type() == DataType::Null {
        return Ok(vec![new_null_array(&DataType::Null, array.len()); features]);
    }
    let (values, starts, lengths) = list_parts(array).ok_or_else(|| {
        Error::Arguments(format!("expected a list of {features} features, got {}", array.data_type()))
    })?;
    if let Some(row) = (0..array.len()).find(|&row| array.is_valid(row) && lengths[row] != features) {
        let why = format!("the list has {} elements, the model takes {features} features", lengths[row]);
        return Err(Error::Row { row, why });
    }
    (0..features)
        .map(|feature| {
            let positions = (0..array.len()).map(|row| array.is_valid(row).then(|| (starts[row] + feature) as u64));
            Ok(take(&values, &positions.collect::<UInt64Array>(), None)?)
        })
        .collect()
}
