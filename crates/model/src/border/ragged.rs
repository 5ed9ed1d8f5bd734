//! List features whose length is each row's own.
//!
//! Whatever lists a table has, a program reads one form: `LargeList`s nested as deep as the feature's shape, elements one
//! behind the other, without nulls. A row whose lists are NULL, or do not fit, has no elements.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, LargeListArray, UInt64Array, new_empty_array};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field};

use super::accept::{holds, value_type};
use super::import::{Imported, convert, decoded, without_nulls};
use super::list::Parts;
use crate::error::Result;
use crate::signature::{Extent, Feature, NullPolicy, ShapeText};

/// Type of a column that a program reads: lists of `element`, nested `depth` deep.
pub(crate) fn ragged_type(element: &DataType, depth: usize) -> DataType {
    (0..depth).fold(element.clone(), |item, _| DataType::LargeList(Arc::new(Field::new_list_field(item, true))))
}

/// A feature whose rows have any lengths.
pub(super) fn import_ragged(feature: &Feature, array: &ArrayRef) -> Result<Imported> {
    let mut walk = Walk::new(feature, array);
    let values = walk.elements()?;
    let Walk { mut rows, refused, .. } = walk;
    let positions = rows.iter().flat_map(|row| row.items.iter().map(|&item| item as u64));
    let elements = take(&values, &positions.collect::<UInt64Array>(), None)?;
    let owners: Vec<usize> = rows.iter().enumerate().flat_map(|(at, row)| row.items.iter().map(move |_| at)).collect();
    let mut refused = refused;
    if let Some(nulls) = elements.logical_nulls().filter(|_| feature.null_policy != NullPolicy::Missing) {
        (0..elements.len()).filter(|&at| nulls.is_null(at)).for_each(|at| rows[owners[at]].is_null = true);
    }
    let (converted, misfits) = convert(feature, &elements)?;
    refused.extend(misfits.into_iter().map(|(at, why)| (owners[at], why)));
    let column = nested(without_nulls(&converted, feature.null_policy)?, &rows, feature.shape.len())?;
    let given = BooleanBuffer::from_iter(rows.iter().map(|row| !row.is_null));
    let given = NullBuffer::new(given);
    let answered = match feature.null_policy {
        // A list that is not there has no length either, so that it cannot be missing to a model.
        NullPolicy::Null | NullPolicy::Missing => (given.null_count() > 0).then_some(given),
        NullPolicy::Error => {
            let rows = (0..given.len()).filter(|&row| given.is_null(row));
            refused.extend(rows.map(|row| (row, format!("feature `{}` is NULL", feature.name))));
            None
        }
    };
    Ok(Imported { column, answered, refused })
}

/// What a row has of the lists of one level.
#[derive(Debug, Clone, Default)]
struct Row {
    /// Positions of its lists, or of its elements, in order.
    items: Vec<usize>,
    /// Its length along each dimension that was seen.
    extents: Vec<usize>,
    is_null: bool,
}

impl Row {
    /// The row as one without elements.
    fn clear(&mut self, depth: usize) {
        self.items.clear();
        self.extents = vec![0; depth];
    }
}

/// The way through the levels of a list column.
struct Walk<'f> {
    feature: &'f Feature,
    lists: ArrayRef,
    rows: Vec<Row>,
    refused: Vec<(usize, String)>,
}

impl<'f> Walk<'f> {
    fn new(feature: &'f Feature, array: &ArrayRef) -> Self {
        let rows = (0..array.len()).map(|at| Row { items: vec![at], ..Row::default() });
        Self { feature, lists: Arc::clone(array), rows: rows.collect(), refused: Vec::new() }
    }

    /// Goes down to the elements, whose positions the rows then have.
    fn elements(&mut self) -> Result<ArrayRef> {
        let depth = self.feature.shape.len();
        let mut level = 0;
        while level < depth {
            let Some(parts) = Parts::of(&self.lists) else {
                // A column of type NULL, at this level or the one above.
                self.rows.iter_mut().for_each(|row| {
                    row.is_null |= !row.items.is_empty();
                    row.clear(depth);
                });
                return Ok(new_empty_array(&self.feature.data_type));
            };
            let is_flat =
                !value_type(parts.values.data_type()).is_nested() && *parts.values.data_type() != DataType::Null;
            let shape = &self.feature.shape[level..];
            let shape = if is_flat { shape } else { &shape[..1] };
            for at in 0..self.rows.len() {
                self.descend(at, &parts, shape);
            }
            level += shape.len();
            self.lists = decoded(&parts.values)?;
        }
        Ok(Arc::clone(&self.lists))
    }

    /// Replaces the lists of a row by what is in them: elements of this shape.
    fn descend(&mut self, at: usize, parts: &Parts, shape: &[Extent]) {
        let depth = self.feature.shape.len();
        let row = &mut self.rows[at];
        if row.extents.len() == depth {
            return;
        }
        if row.items.iter().any(|&list| self.lists.is_null(list)) {
            row.is_null = true;
            return row.clear(depth);
        }
        let mut lengths = row.items.iter().map(|&list| parts.lengths[list]);
        let first = lengths.next();
        let misfit = match first {
            Some(length) if !holds(shape, length) => Some(misfit(shape, length)),
            Some(length) => lengths.find(|&other| other != length).map(|other| {
                format!("has lists of {length} and of {other} elements in {}, side by side", ShapeText(shape))
            }),
            None => None,
        };
        if let Some(why) = misfit {
            self.refused.push((at, format!("feature `{}` {why}", self.feature.name)));
            return row.clear(depth);
        }
        row.extents.extend(extents(shape, first));
        row.items =
            row.items.iter().flat_map(|&list| parts.starts[list]..parts.starts[list] + parts.lengths[list]).collect();
    }
}

fn misfit(shape: &[Extent], length: usize) -> String {
    let known: usize = shape.iter().filter_map(Extent::fixed).product();
    match shape.iter().all(|extent| extent.fixed().is_some()) {
        true => format!("is a list of {length} elements instead of {known}"),
        false => format!(
            "is a list of {length} elements, which is no multiple of the {known} that {} asks for",
            ShapeText(shape)
        ),
    }
}

/// The lengths along the dimensions of `shape` of a list of so many elements; without a list, of what would be in one.
fn extents(shape: &[Extent], elements: Option<usize>) -> impl Iterator<Item = usize> {
    let known: usize = shape.iter().filter_map(Extent::fixed).product();
    let open = elements.map_or(0, |elements| elements / known.max(1));
    shape.iter().map(move |extent| extent.fixed().unwrap_or(open))
}

/// Lists nested `depth` deep over elements that lie one behind the other.
fn nested(elements: ArrayRef, rows: &[Row], depth: usize) -> Result<ArrayRef> {
    let mut column = elements;
    for level in (0..depth).rev() {
        let lengths = rows.iter().flat_map(|row| {
            let lists: usize = row.extents[..level].iter().product();
            std::iter::repeat_n(row.extents[level], lists)
        });
        let offsets = OffsetBuffer::<i64>::from_lengths(lengths);
        let item = Arc::new(Field::new_list_field(column.data_type().clone(), true));
        column = Arc::new(LargeListArray::try_new(item, offsets, column, None)?);
    }
    Ok(column)
}
