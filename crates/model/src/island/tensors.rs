//! Columns to row-major tensors and back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, FixedSizeListArray, PrimitiveArray, new_empty_array,
};
use arrow::datatypes::{
    DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use tract_onnx::prelude::{Datum, Tensor, TractError};

use super::Port;
use crate::error::{Error, Result};
use crate::program::packed_type;

/// Calls a generic function with the Arrow type of a port's elements.
macro_rules! for_element {
    ($port:expr, $function:ident($($argument:expr),*)) => {
        match &$port.data_type {
            DataType::Int8 => $function::<Int8Type>($($argument),*),
            DataType::Int16 => $function::<Int16Type>($($argument),*),
            DataType::Int32 => $function::<Int32Type>($($argument),*),
            DataType::Int64 => $function::<Int64Type>($($argument),*),
            DataType::UInt8 => $function::<UInt8Type>($($argument),*),
            DataType::UInt16 => $function::<UInt16Type>($($argument),*),
            DataType::UInt32 => $function::<UInt32Type>($($argument),*),
            DataType::UInt64 => $function::<UInt64Type>($($argument),*),
            DataType::Float16 => $function::<Float16Type>($($argument),*),
            DataType::Float32 => $function::<Float32Type>($($argument),*),
            DataType::Float64 => $function::<Float64Type>($($argument),*),
            other => Err(Error::Internal(format!("a tensor of {other}"))),
        }
    };
}

/// Where the elements of a row lie in a tensor: element `at` of row `row` at `outer * rows * inner + row * inner + rest`.
struct Layout {
    inner: usize,
    elements: usize,
}

impl Layout {
    fn of(port: &Port) -> Self {
        Self { inner: port.shape[port.batch..].iter().product(), elements: port.shape.iter().product() }
    }

    fn position(&self, row: usize, at: usize, rows: usize) -> usize {
        (at / self.inner) * rows * self.inner + row * self.inner + at % self.inner
    }
}

fn dims(port: &Port, rows: usize) -> Vec<usize> {
    let mut dims = port.shape.clone();
    dims.insert(port.batch, rows);
    dims
}

fn failed(source: TractError) -> Error {
    Error::Island { nodes: "at its border".to_string(), source: source.into() }
}

/// The tensor of a port from its columns.
pub(super) fn tensor(port: &Port, columns: &[ArrayRef], rows: usize) -> Result<Tensor> {
    if port.data_type == DataType::Boolean {
        let layout = Layout::of(port);
        let mut values = vec![false; rows * layout.elements];
        for (at, column) in columns.iter().enumerate() {
            let column = column.as_boolean_opt().ok_or_else(|| wrong(port, column))?;
            for row in 0..rows {
                values[layout.position(row, at, rows)] = column.value(row);
            }
        }
        return Tensor::from_shape(&dims(port, rows), &values).map_err(failed);
    }
    for_element!(port, numbers(port, columns, rows))
}

fn wrong(port: &Port, column: &ArrayRef) -> Error {
    Error::Internal(format!("a column of {} for a tensor of {}", column.data_type(), port.data_type))
}

fn numbers<T: ArrowPrimitiveType<Native: Datum + Copy>>(
    port: &Port,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<Tensor> {
    let layout = Layout::of(port);
    let dims = dims(port, rows);
    if port.packed {
        let list = columns[0].as_fixed_size_list_opt().ok_or_else(|| wrong(port, &columns[0]))?;
        let values = list.values().as_primitive_opt::<T>().ok_or_else(|| wrong(port, list.values()))?;
        let values = &values.values()[list.value_offset(0) as usize..][..rows * layout.elements];
        if port.batch == 0 {
            return Tensor::from_shape(&dims, values).map_err(failed);
        }
        let mut moved = vec![T::Native::default(); values.len()];
        for row in 0..rows {
            for at in 0..layout.elements {
                moved[layout.position(row, at, rows)] = values[row * layout.elements + at];
            }
        }
        return Tensor::from_shape(&dims, &moved).map_err(failed);
    }
    let mut values = vec![T::Native::default(); rows * layout.elements];
    for (at, column) in columns.iter().enumerate() {
        let column = column.as_primitive_opt::<T>().ok_or_else(|| wrong(port, column))?;
        for (row, &value) in column.values().iter().enumerate() {
            values[layout.position(row, at, rows)] = value;
        }
    }
    Tensor::from_shape(&dims, &values).map_err(failed)
}

/// The columns of a port from its tensor.
pub(super) fn columns(port: &Port, tensor: &Tensor, rows: usize) -> Result<Vec<ArrayRef>> {
    if tensor.shape() != dims(port, rows) {
        return Err(Error::Internal(format!("a tensor of shape {:?} for {port:?}", tensor.shape())));
    }
    if port.data_type == DataType::Boolean {
        let layout = Layout::of(port);
        let view = tensor.try_as_plain_ram().map_err(failed)?;
        let values = view.as_slice::<bool>().map_err(failed)?;
        let column = |at| -> ArrayRef {
            Arc::new((0..rows).map(|row| Some(values[layout.position(row, at, rows)])).collect::<BooleanArray>())
        };
        let columns: Vec<ArrayRef> = (0..layout.elements).map(column).collect();
        return match port.packed {
            false => Ok(columns),
            true => Err(Error::Internal("a list of booleans".to_string())),
        };
    }
    for_element!(port, number_columns(port, tensor, rows))
}

fn number_columns<T: ArrowPrimitiveType<Native: Datum + Copy>>(
    port: &Port,
    tensor: &Tensor,
    rows: usize,
) -> Result<Vec<ArrayRef>> {
    let layout = Layout::of(port);
    let tensor = tensor.cast_to::<T::Native>().map_err(failed)?;
    let view = tensor.try_as_plain_ram().map_err(failed)?;
    let values = view.as_slice::<T::Native>().map_err(failed)?;
    let column = |values: Vec<T::Native>| -> ArrayRef { Arc::new(PrimitiveArray::<T>::from_iter_values(values)) };
    if !port.packed {
        let element = |at| (0..rows).map(|row| values[layout.position(row, at, rows)]).collect();
        return Ok((0..layout.elements).map(|at| column(element(at))).collect());
    }
    let by_row = (0..rows).flat_map(|row| (0..layout.elements).map(move |at| (row, at)));
    let elements = match port.batch {
        0 => column(values.to_vec()),
        _ => column(by_row.map(|(row, at)| values[layout.position(row, at, rows)]).collect()),
    };
    let DataType::FixedSizeList(item, size) = packed_type(&port.data_type, layout.elements)? else {
        return Err(Error::Internal("a packed type that is no list".to_string()));
    };
    Ok(vec![Arc::new(FixedSizeListArray::try_new(item, size, elements, None)?)])
}

/// The columns of a port for no rows.
pub(super) fn empty_columns(port: &Port) -> Result<Vec<ArrayRef>> {
    let data_type = match port.packed {
        true => packed_type(&port.data_type, port.shape.iter().product())?,
        false => port.data_type.clone(),
    };
    Ok(vec![new_empty_array(&data_type); port.columns()])
}
