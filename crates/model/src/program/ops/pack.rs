//! Between columns and lists of a fixed size.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, FixedSizeListArray, UInt64Array};
use arrow::compute::{interleave, take};
use arrow::datatypes::{DataType, Field, FieldRef};

use super::columns::{all_values, column, for_number, values};
use super::{wrong_count, wrong_type};
use crate::error::{Error, Result};

/// Tensors with more elements per row are one list column, others a column for each element.
pub(crate) const COLUMNS_MAX: usize = 256;

/// The type of `count` columns of this type side by side.
pub(crate) fn packed_type(element: &DataType, count: usize) -> Result<DataType> {
    Ok(DataType::FixedSizeList(item(element), list_size(count)?))
}

fn item(element: &DataType) -> FieldRef {
    Arc::new(Field::new_list_field(element.clone(), true))
}

fn list_size(count: usize) -> Result<i32> {
    i32::try_from(count).map_err(|_| Error::Internal(format!("a list of {count} elements")))
}

/// The columns side by side.
pub(super) fn pack(inputs: &[ArrayRef]) -> Result<ArrayRef> {
    let first = inputs.first().ok_or_else(|| wrong_count(1, 0))?;
    let elements = for_number!(first.data_type(), T => row_major::<T>(inputs)?, _ => interleaved(inputs)?);
    let list = FixedSizeListArray::try_new(item(first.data_type()), list_size(inputs.len())?, elements, None)?;
    Ok(Arc::new(list))
}

fn row_major<T: ArrowPrimitiveType>(inputs: &[ArrayRef]) -> Result<ArrayRef> {
    let columns = all_values::<T>(inputs)?;
    let mut elements = vec![T::Native::default(); columns.len() * inputs[0].len()];
    for (at, values) in columns.iter().enumerate() {
        for (row, &value) in elements.chunks_exact_mut(columns.len()).zip(*values) {
            row[at] = value;
        }
    }
    Ok(column::<T>(elements))
}

fn interleaved(inputs: &[ArrayRef]) -> Result<ArrayRef> {
    let places: Vec<(usize, usize)> =
        (0..inputs[0].len()).flat_map(|row| (0..inputs.len()).map(move |at| (at, row))).collect();
    let columns: Vec<&dyn Array> = inputs.iter().map(|input| input.as_ref()).collect();
    Ok(interleave(&columns, &places)?)
}

/// The columns of a list.
pub(super) fn unpack(input: &ArrayRef) -> Result<Vec<ArrayRef>> {
    let list = input.as_fixed_size_list_opt().ok_or_else(|| wrong_type("the elements", input.data_type()))?;
    let size = usize::try_from(list.value_length()).unwrap_or(0);
    let elements = list.values().slice(list.value_offset(0) as usize, size * list.len());
    for_number!(
        elements.data_type(),
        T => {
            let elements = values::<T>(&elements)?;
            Ok((0..size).map(|at| column::<T>(elements.iter().skip(at).step_by(size).copied().collect())).collect())
        },
        _ => (0..size).map(|at| {
            let places = (0..list.len()).map(|row| (row * size + at) as u64);
            Ok(take(&elements, &UInt64Array::from_iter_values(places), None)?)
        }).collect()
    )
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn packed_columns_come_back() {
        let numbers = [[1, 2, 3], [4, 5, 6]].map(|values| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef);
        let texts =
            [["a", "b", "c"], ["d", "e", "f"]].map(|texts| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef);
        for columns in [numbers, texts] {
            let packed = pack(&columns).expect("columns of one type");
            assert_eq!(packed.data_type(), &packed_type(columns[0].data_type(), 2).expect("a short list"));
            assert_eq!(unpack(&packed).expect("a list"), columns);
            let sliced: Vec<ArrayRef> = columns.iter().map(|column| column.slice(1, 2)).collect();
            assert_eq!(unpack(&packed.slice(1, 2)).expect("a list"), sliced);
            assert_eq!(unpack(&packed.slice(3, 0)).expect("a list")[0].len(), 0);
        }
    }
}
