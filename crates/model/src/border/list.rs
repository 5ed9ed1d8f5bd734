//! List columns: one for all features of a model, or one for a feature of several elements.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, GenericListArray, GenericListViewArray, OffsetSizeTrait, UInt64Array,
    new_null_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::take;
use arrow::datatypes::DataType;

use super::accept::value_type;
use super::import::{Imported, apply_policy, convert, decoded, without_nulls};
use crate::error::{Error, Result};
use crate::program::packed_type;
use crate::signature::Feature;

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
    let array = decoded(array)?;
    if *array.data_type() == DataType::Null {
        let columns = vec![new_null_array(&DataType::Null, array.len()); features];
        return Ok(Expanded { columns, misfits: Vec::new() });
    }
    let parts = Parts::of(&array).ok_or_else(|| {
        Error::Arguments(format!("expected a list of {features} features, got {}", array.data_type()))
    })?;
    let mut misfits = Vec::new();
    for row in (0..array.len()).filter(|&row| array.is_valid(row) && parts.lengths[row] != features) {
        let got = parts.lengths[row];
        misfits.push((row, format!("the list has {got} elements, the model takes {features} features")));
    }
    let values = decoded(&parts.values)?;
    let fits = |row: usize| array.is_valid(row) && parts.lengths[row] == features;
    let columns = (0..features).map(|feature| {
        let positions = (0..array.len()).map(|row| fits(row).then(|| (parts.starts[row] + feature) as u64));
        Ok(take(&values, &positions.collect::<UInt64Array>(), None)?)
    });
    Ok(Expanded { columns: columns.collect::<Result<_>>()?, misfits })
}

/// A feature of several elements, of which each row has as many: all of them valid, or the row counts as NULL.
pub(super) fn import_list(feature: &Feature, shape: &[usize], array: &ArrayRef) -> Result<Imported> {
    let width = shape.iter().product::<usize>();
    let mut refused = Vec::new();
    let elements = match dense_elements(array, shape)? {
        Some(elements) => elements,
        None => gathered_elements(feature, shape, array, &mut refused)?,
    };
    let missing = rows_with_nulls(&elements, width, &refused);
    let (converted, misfits) = convert(feature, &elements)?;
    refused.extend(misfits.into_iter().map(|(element, why)| (element / width, why)));
    let answered = apply_policy(feature, missing, &mut refused);
    let DataType::FixedSizeList(item, size) = packed_type(&feature.data_type, width)? else {
        return Err(Error::Internal("a packed type that is no list".to_string()));
    };
    let list = FixedSizeListArray::try_new(item, size, without_nulls(&converted, feature.null_policy)?, None)?;
    Ok(Imported { column: Arc::new(list), answered, refused })
}

/// The elements of lists that lie one behind the other, none of them NULL or of another shape; they are not copied.
fn dense_elements(array: &ArrayRef, shape: &[usize]) -> Result<Option<ArrayRef>> {
    let array = decoded(array)?;
    if shape.is_empty() {
        return Ok(Some(array));
    }
    let Some(parts) = Parts::of(&array).filter(|_| array.null_count() == 0) else { return Ok(None) };
    let (length, inner) = parts.level(shape);
    let first = parts.starts.first().copied().unwrap_or(0);
    let mut rows = parts.starts.iter().zip(&parts.lengths).enumerate();
    if rows.any(|(row, (&start, &got))| got != length || start != first + row * length) {
        return Ok(None);
    }
    dense_elements(&parts.values.slice(first, array.len() * length), inner)
}

/// The elements of any lists: NULL where a list is NULL, or of another length, which refuses its row.
fn gathered_elements(
    feature: &Feature,
    mut shape: &[usize],
    array: &ArrayRef,
    refused: &mut Vec<(usize, String)>,
) -> Result<ArrayRef> {
    let mut lists = Arc::clone(array);
    let mut positions = UInt64Array::from_iter_values(0..array.len() as u64);
    let mut lists_per_row = 1;
    while !shape.is_empty() {
        let Some(parts) = Parts::of(&lists) else {
            let elements = positions.len() * shape.iter().product::<usize>();
            return Ok(new_null_array(&feature.data_type, elements));
        };
        let (length, inner) = parts.level(shape);
        let given = |position: &u64| lists.is_valid(*position as usize);
        let list_at = |at: usize| positions.is_valid(at).then(|| positions.value(at)).filter(given);
        let mut next = Vec::with_capacity(positions.len());
        for at in 0..positions.len() {
            let list = list_at(at).map(|position| position as usize);
            let fits = list.filter(|&list| parts.lengths[list] == length);
            if let (Some(list), None) = (list, fits) {
                let (name, got) = (&feature.name, parts.lengths[list]);
                let why = format!("feature `{name}` is a list of {got} elements instead of {length}");
                refused.push((at / lists_per_row, why));
            }
            next.push(fits.map(|list| parts.starts[list]));
        }
        let elements = |start: Option<usize>| (0..length).map(move |at| start.map(|start| (start + at) as u64));
        positions = next.into_iter().flat_map(elements).collect();
        lists = decoded(&parts.values)?;
        lists_per_row *= length;
        shape = inner;
    }
    Ok(take(&lists, &positions, None)?)
}

/// Rows of which some element is NULL; a row that is refused counts as given.
fn rows_with_nulls(elements: &ArrayRef, width: usize, refused: &[(usize, String)]) -> Option<NullBuffer> {
    let nulls = elements.logical_nulls().filter(|nulls| nulls.null_count() > 0)?;
    let rows = elements.len() / width;
    let mut whole: Vec<bool> = (0..rows).map(|row| nulls.slice(row * width, width).null_count() == 0).collect();
    refused.iter().for_each(|(row, _)| whole[*row] = true);
    let missing = NullBuffer::new(BooleanBuffer::from(whole));
    (missing.null_count() > 0).then_some(missing)
}

/// A list column taken apart.
pub(super) struct Parts {
    pub(super) values: ArrayRef,
    /// Where each row's values begin.
    pub(super) starts: Vec<usize>,
    /// How many values each row has.
    pub(super) lengths: Vec<usize>,
}

impl Parts {
    /// `None` for a column that is no list.
    pub(super) fn of(array: &ArrayRef) -> Option<Self> {
        match array.data_type() {
            DataType::List(_) => Some(Self::of_list(array.as_list::<i32>())),
            DataType::LargeList(_) => Some(Self::of_list(array.as_list::<i64>())),
            DataType::ListView(_) => Some(Self::of_view(array.as_list_view::<i32>())),
            DataType::LargeListView(_) => Some(Self::of_view(array.as_list_view::<i64>())),
            DataType::FixedSizeList(_, size) => {
                let list = array.as_fixed_size_list();
                let (width, first) = (usize::try_from(*size).ok()?, list.value_offset(0) as usize);
                let starts = (0..list.len()).map(|row| first + row * width).collect();
                Some(Self { values: Arc::clone(list.values()), starts, lengths: vec![width; list.len()] })
            }
            _ => None,
        }
    }

    fn of_list<O: OffsetSizeTrait>(list: &GenericListArray<O>) -> Self {
        let starts = list.value_offsets()[..list.len()].iter().map(|start| start.as_usize()).collect();
        let lengths = (0..list.len()).map(|row| list.value_length(row).as_usize()).collect();
        Self { values: Arc::clone(list.values()), starts, lengths }
    }

    fn of_view<O: OffsetSizeTrait>(list: &GenericListViewArray<O>) -> Self {
        let starts = list.value_offsets().iter().map(|start| start.as_usize()).collect();
        let lengths = list.value_sizes().iter().map(|size| size.as_usize()).collect();
        Self { values: Arc::clone(list.values()), starts, lengths }
    }

    /// How long each list is for elements of this shape, and the shape of what is in it: lists that hold no lists hold all
    /// elements.
    fn level<'s>(&self, shape: &'s [usize]) -> (usize, &'s [usize]) {
        match shape {
            [outer, inner @ ..] if value_type(self.values.data_type()).is_list() => (*outer, inner),
            _ => (shape.iter().product(), &[]),
        }
    }
}
