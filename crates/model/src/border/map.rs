//! Columns for a feature that is a map: maps, and structs whose fields are the keys.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, StringArray, StructArray, new_null_array};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow::compute::interleave;
use arrow::datatypes::DataType;

use super::import::{Imported, apply_policy, convert, decoded, without_nulls};
use crate::error::{Error, Result};
use crate::signature::Feature;

/// The types of the keys and of the values of a map.
pub(super) fn map_types(data_type: &DataType) -> Option<(&DataType, &DataType)> {
    let DataType::Map(entries, _) = data_type else { return None };
    match entries.data_type() {
        DataType::Struct(fields) if fields.len() == 2 => Some((fields[0].data_type(), fields[1].data_type())),
        _ => None,
    }
}

/// A feature that is a map: a row of which the map or some value is NULL counts as NULL.
pub(super) fn import_map(feature: &Feature, array: &ArrayRef) -> Result<Imported> {
    let (Some((key, value)), DataType::Map(field, _)) = (map_types(&feature.data_type), &feature.data_type) else {
        return Err(Error::Internal(format!("a map of type {}", feature.data_type)));
    };
    let entries = Entries::of(array, value)?;
    let mut refused = Vec::new();
    let keys = entries.convert(feature, key, &entries.keys, &mut refused)?;
    let values = entries.convert(feature, value, &entries.values, &mut refused)?;
    let answered = apply_policy(feature, entries.rows_with_nulls(array), &mut refused);
    let DataType::Struct(fields) = field.data_type() else {
        return Err(Error::Internal("entries that are no struct".to_string()));
    };
    let entries_of_all = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    let map = MapArray::try_new(Arc::clone(field), entries.offsets(), entries_of_all, None, false)?;
    Ok(Imported { column: Arc::new(map), answered, refused })
}

/// Keys and values of all rows, one row after the other.
struct Entries {
    keys: ArrayRef,
    values: ArrayRef,
    /// How many each row has.
    lengths: Vec<usize>,
}

impl Entries {
    fn of(array: &ArrayRef, value: &DataType) -> Result<Self> {
        if let Some(map) = array.as_map_opt() {
            let offsets = map.value_offsets();
            let (first, count) = (offsets[0] as usize, (offsets[map.len()] - offsets[0]) as usize);
            let lengths = (0..map.len()).map(|row| map.value_length(row) as usize).collect();
            let part = |array: &ArrayRef| decoded(&array.slice(first, count));
            return Ok(Self { keys: part(map.keys())?, values: part(map.values())?, lengths });
        }
        let Some(fields) = array.as_struct_opt() else {
            let nothing = |data_type: &DataType| new_null_array(data_type, 0);
            return Ok(Self { keys: nothing(&DataType::Utf8), values: nothing(value), lengths: vec![0; array.len()] });
        };
        let (rows, width) = (array.len(), fields.num_columns());
        let names = fields.column_names();
        let keys: StringArray = (0..rows).flat_map(|_| names.iter().map(Some)).collect();
        let columns: Vec<ArrayRef> = fields.columns().iter().map(decoded).collect::<Result<_>>()?;
        // Fields may differ in type, as long as each can be the value.
        let columns: Vec<ArrayRef> =
            columns.iter().map(|column| arrow::compute::cast(column, value)).collect::<Result<_, _>>()?;
        let places: Vec<(usize, usize)> = (0..rows).flat_map(|row| (0..width).map(move |at| (at, row))).collect();
        let columns: Vec<&dyn Array> = columns.iter().map(|column| column.as_ref()).collect();
        let values = if width == 0 { new_null_array(value, 0) } else { interleave(&columns, &places)? };
        Ok(Self { keys: Arc::new(keys), values, lengths: vec![width; rows] })
    }

    /// Keys or values in the type that the model reads; what does not fit refuses its row.
    fn convert(
        &self,
        feature: &Feature,
        to: &DataType,
        array: &ArrayRef,
        refused: &mut Vec<(usize, String)>,
    ) -> Result<ArrayRef> {
        let element = Feature { data_type: to.clone(), ..feature.clone() };
        let (converted, misfits) = convert(&element, array)?;
        if !misfits.is_empty() {
            let rows = self.rows();
            refused.extend(misfits.into_iter().map(|(entry, why)| (rows[entry], why)));
        }
        without_nulls(&converted, feature.null_policy)
    }

    /// The row of each entry.
    fn rows(&self) -> Vec<usize> {
        self.lengths.iter().enumerate().flat_map(|(row, &length)| std::iter::repeat_n(row, length)).collect()
    }

    fn offsets(&self) -> OffsetBuffer<i32> {
        OffsetBuffer::from_lengths(self.lengths.iter().copied())
    }

    fn rows_with_nulls(&self, array: &ArrayRef) -> Option<NullBuffer> {
        let nulls = self.values.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let of_rows = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let Some(nulls) = nulls else { return of_rows };
        let mut whole = vec![true; array.len()];
        self.rows()
            .into_iter()
            .enumerate()
            .filter(|(entry, _)| nulls.is_null(*entry))
            .for_each(|(_, row)| whole[row] = false);
        NullBuffer::union(of_rows.as_ref(), Some(&NullBuffer::new(BooleanBuffer::from(whole))))
    }
}
