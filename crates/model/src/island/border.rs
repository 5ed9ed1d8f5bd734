//! Columns to row-major elements of tensors and back, whoever computes in between.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, new_empty_array};
use arrow::datatypes::DataType;
use foretell_tensors::{Data, Tensor};

use super::Port;
use crate::elements::{array_as, blank, for_element, is_finite, no_tensor};
use crate::error::{Error, Result};
use crate::program::packed_type;

/// The tensors of some ports, from their columns one port after the other.
pub(super) fn tensors(ports: &[Port], columns: &[ArrayRef], rows: usize) -> Result<Vec<Tensor>> {
    let mut first = 0;
    let mut all = Vec::with_capacity(ports.len());
    for port in ports {
        let elements = elements(port, &columns[first..first + port.columns()], rows)?;
        let tensor = Tensor::try_new(port.dims(rows), elements);
        all.push(tensor.map_err(|fault| Error::Internal(format!("the input of an island: {fault}")))?);
        first += port.columns();
    }
    Ok(all)
}

/// The elements of a port from its columns, in the order of its tensor.
fn elements(port: &Port, columns: &[ArrayRef], rows: usize) -> Result<Data> {
    let packed;
    let columns = match columns {
        [list] if port.packed => {
            let list = list.as_fixed_size_list_opt().ok_or_else(|| wrong(port, list))?;
            packed = [list.values().slice(list.value_offset(0) as usize, rows * port.elements())];
            &packed
        }
        columns => columns,
    };
    if let Some(column) = columns.iter().find(|column| *column.data_type() != port.data_type) {
        return Err(wrong(port, column));
    }
    Ok(for_element!(
        &port.data_type,
        Held,
        T => {
            let values: Vec<&[_]> = columns.iter().map(|column| &column.as_primitive::<T>().values()[..]).collect();
            match &values[..] {
                [values] if port.packed && port.batch == 0 => Held(values.to_vec()),
                values => Held(arranged(port, rows, |at, row| values[at][row])),
            }
        },
        _ => match port.data_type {
            DataType::Boolean => {
                let values: Vec<_> = columns.iter().map(|column| column.as_boolean()).collect();
                Data::Bool(arranged(port, rows, |at, row| values[at].value(row)))
            }
            DataType::Utf8 => {
                let values: Vec<_> = columns.iter().map(|column| column.as_string::<i32>()).collect();
                Data::Text(arranged(port, rows, |at, row| values[at].value(row).to_string()))
            }
            _ => return Err(no_tensor(&port.data_type)),
        }
    ))
}

/// Elements in the order of a port's tensor; `element` gives one by column, or place in the one list column, and row there.
fn arranged<V: Clone + Default>(port: &Port, rows: usize, element: impl Fn(usize, usize) -> V) -> Vec<V> {
    let layout = Layout::of(port);
    let mut values = vec![V::default(); rows * layout.elements];
    for at in 0..layout.elements {
        for row in 0..rows {
            values[layout.position(row, at, rows)] = match port.packed {
                true => element(0, row * layout.elements + at),
                false => element(at, row),
            };
        }
    }
    values
}

/// The columns of a port from the elements of its tensor.
pub(super) fn columns(port: &Port, data: &Data, rows: usize) -> Result<Vec<ArrayRef>> {
    if data.len() != rows * port.elements() {
        return Err(Error::Internal(format!("{} elements for {rows} rows of {port:?}", data.len())));
    }
    macro_rules! spread {
        ($($variant:ident),*) => {
            match data {
                $(Data::$variant(values) => spread(port, rows, values, Data::$variant),)*
                Data::Narrow(kind, values) => spread(port, rows, values, |values| Data::Narrow(*kind, values)),
            }
        };
    }
    spread!(Bool, I8, I16, I32, I64, U8, U16, U32, U64, F16, Bf16, F32, F64, Text)
}

fn spread<V: Clone>(port: &Port, rows: usize, values: &[V], data: impl Fn(Vec<V>) -> Data) -> Result<Vec<ArrayRef>> {
    let layout = Layout::of(port);
    let value = |row: usize, at: usize| values[layout.position(row, at, rows)].clone();
    let array = |values: Vec<V>| array_as(data(values), &port.data_type);
    if !port.packed {
        let column = |at| array((0..rows).map(|row| value(row, at)).collect());
        return (0..layout.elements).map(column).collect();
    }
    let elements = match port.batch {
        0 => values.to_vec(),
        _ => (0..rows)
            .flat_map(|row| (0..layout.elements).map(move |at| (row, at)))
            .map(|(row, at)| value(row, at))
            .collect(),
    };
    let DataType::FixedSizeList(item, size) = packed_type(&port.data_type, layout.elements)? else {
        return Err(Error::Internal("a packed type that is no list".to_string()));
    };
    Ok(vec![Arc::new(FixedSizeListArray::try_new(item, size, array(elements)?, None)?)])
}

/// Which rows have a number that is not finite; `None` if none has.
pub(super) fn rows_not_finite(columns: &[ArrayRef], rows: usize) -> Option<Vec<bool>> {
    let mut odd: Option<Vec<bool>> = None;
    for column in columns {
        let (elements, width) = match column.as_fixed_size_list_opt() {
            Some(list) => {
                let width = usize::try_from(list.value_length()).unwrap_or(0);
                (list.values().slice(list.value_offset(0) as usize, rows * width), width)
            }
            None => (Arc::clone(column), 1),
        };
        // Nearly always that is all there is to ask.
        if is_finite(&elements, 0..elements.len()) {
            continue;
        }
        for (row, odd) in odd.get_or_insert_with(|| vec![false; rows]).iter_mut().enumerate() {
            *odd |= !is_finite(&elements, row * width..(row + 1) * width);
        }
    }
    odd
}

/// The columns of a port for no rows.
pub(super) fn empty_columns(port: &Port) -> Result<Vec<ArrayRef>> {
    port.column_types().map(|types| types.iter().map(new_empty_array).collect())
}

/// The columns of a port for rows without an answer: any value will do.
pub(super) fn any_columns(port: &Port, rows: usize) -> Result<Vec<ArrayRef>> {
    columns(port, &blank(&port.data_type, rows * port.elements())?, rows)
}

/// Where the elements of a row lie in a tensor: element `at` of row `row` at `outer * rows * inner + row * inner + rest`.
struct Layout {
    inner: usize,
    elements: usize,
}

impl Layout {
    fn of(port: &Port) -> Self {
        Self { inner: port.shape[port.batch..].iter().product(), elements: port.elements() }
    }

    fn position(&self, row: usize, at: usize, rows: usize) -> usize {
        (at / self.inner) * rows * self.inner + row * self.inner + at % self.inner
    }
}

fn wrong(port: &Port, column: &ArrayRef) -> Error {
    Error::Internal(format!("a column of {} for a tensor of {}", column.data_type(), port.data_type))
}
