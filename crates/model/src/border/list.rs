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
    let expanded = expand(array, features)?;
    match expanded.misfits.into_iter().next() {
        Some((row, why)) => Err(Error::Row { row, why }),
        None => Ok(expanded.columns),
    }
}

/// The columns of a list.
pub(crate) struct Expanded {
    pub(crate) columns: Vec<ArrayRef>,
    /// Rows with another number of elements, with the reason to refuse them; NULL in every column.
    pub(crate) misfits: Vec<(usize, String)>,
}

/// As [`expand_list`], with the rows that do not fit apart.
pub(crate) fn expand(array: &ArrayRef, features: usize) -> Result<Expanded> {
    if *array.data_type() == DataType::Null {
        let columns = vec![new_null_array(&DataType::Null, array.len()); features];
        return Ok(Expanded { columns, misfits: Vec::new() });
    }
    let (values, starts, lengths) = list_parts(array).ok_or_else(|| {
        Error::Arguments(format!("expected a list of {features} features, got {}", array.data_type()))
    })?;
    let mut misfits = Vec::new();
    for row in (0..array.len()).filter(|&row| array.is_valid(row) && lengths[row] != features) {
        let got = lengths[row];
        misfits.push((row, format!("the list has {got} elements, the model takes {features} features")));
    }
    let fits = |row: usize| array.is_valid(row) && lengths[row] == features;
    let columns = (0..features).map(|feature| {
        let positions = (0..array.len()).map(|row| fits(row).then(|| (starts[row] + feature) as u64));
        Ok(take(&values, &positions.collect::<UInt64Array>(), None)?)
    });
    Ok(Expanded { columns: columns.collect::<Result<_>>()?, misfits })
}
