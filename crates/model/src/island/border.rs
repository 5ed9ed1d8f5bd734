//! Columns to row-major elements of tensors and back, whoever computes in between.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, FixedSizeListArray, PrimitiveArray, StringArray,
    new_empty_array,
};
use arrow::datatypes::{
    DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use foretell_tensors::{Data, ElementType};

use super::Port;
use crate::error::{Error, Result};
use crate::program::packed_type;

/// Runs an expression with the variant of [`Data`] that holds an Arrow type, and the type; another one for all others.
macro_rules! for_element {
    ($data_type:expr, $variant:ident, $arrow:ident => $number:expr, _ => $other:expr) => {{
        macro_rules! arm {
            ($held:ident, $typed:ty) => {{
                use foretell_tensors::Data::$held as $variant;
                type $arrow = $typed;
                $number
            }};
        }
        match $data_type {
            DataType::Int8 => arm!(I8, Int8Type),
            DataType::Int16 => arm!(I16, Int16Type),
            DataType::Int32 => arm!(I32, Int32Type),
            DataType::Int64 => arm!(I64, Int64Type),
            DataType::UInt8 => arm!(U8, UInt8Type),
            DataType::UInt16 => arm!(U16, UInt16Type),
            DataType::UInt32 => arm!(U32, UInt32Type),
            DataType::UInt64 => arm!(U64, UInt64Type),
            DataType::Float16 => arm!(F16, Float16Type),
            DataType::Float32 => arm!(F32, Float32Type),
            DataType::Float64 => arm!(F64, Float64Type),
            _ => $other,
        }
    }};
}

/// Arrow type of a tensor's elements; `bfloat16` has none of its own, `float` holds each of its values.
pub(crate) fn arrow_type(element: ElementType) -> Option<DataType> {
    Some(match element {
        ElementType::Bool => DataType::Boolean,
        ElementType::I8 => DataType::Int8,
        ElementType::I16 => DataType::Int16,
        ElementType::I32 => DataType::Int32,
        ElementType::I64 => DataType::Int64,
        ElementType::U8 => DataType::UInt8,
        ElementType::U16 => DataType::UInt16,
        ElementType::U32 => DataType::UInt32,
        ElementType::U64 => DataType::UInt64,
        ElementType::F16 => DataType::Float16,
        ElementType::Bf16 | ElementType::F32 => DataType::Float32,
        ElementType::F64 => DataType::Float64,
        ElementType::Text => DataType::Utf8,
        ElementType::Narrow(_) => return None,
    })
}

/// All elements of an array without nulls.
pub(crate) fn data_of(array: &ArrayRef) -> Result<Data> {
    Ok(for_element!(
        array.data_type(),
        Held,
        T => Held(array.as_primitive::<T>().values().to_vec()),
        _ => match array.data_type() {
            DataType::Boolean => Data::Bool(array.as_boolean().values().iter().collect()),
            DataType::Utf8 => {
                let texts = array.as_string::<i32>().iter();
                Data::Text(texts.map(|text| text.unwrap_or_default().to_string()).collect())
            }
            other => return Err(no_tensor(other)),
        }
    ))
}

/// Extents and elements of the tensors of some ports, from their columns one port after the other.
pub(super) fn port_elements(ports: &[Port], columns: &[ArrayRef], rows: usize) -> Result<Vec<(Vec<usize>, Data)>> {
    let mut first = 0;
    let mut all = Vec::with_capacity(ports.len());
    for port in ports {
        all.push((port.dims(rows), elements(port, &columns[first..first + port.columns()], rows)?));
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
    if let (Data::Bf16(values), DataType::Float32) = (data, &port.data_type) {
        return columns(port, &Data::F32(values.iter().map(|value| value.to_f32()).collect()), rows);
    }
    if data.len() != rows * port.elements() {
        return Err(Error::Internal(format!("{} elements for {rows} rows of {port:?}", data.len())));
    }
    let wrong = || Error::Internal(format!("{} elements for {port:?}", data.element_type().name()));
    for_element!(
        &port.data_type,
        Held,
        T => {
            let Held(values) = data else { return Err(wrong()) };
            spread(port, rows, values, |values| Arc::new(PrimitiveArray::<T>::from_iter_values(values)) as ArrayRef)
        },
        _ => match data {
            Data::Bool(values) => spread(port, rows, values, |values| Arc::new(BooleanArray::from(values))),
            Data::Text(values) => spread(port, rows, values, |values| Arc::new(StringArray::from(values))),
            _ => Err(wrong()),
        }
    )
}

fn spread<V: Clone>(
    port: &Port,
    rows: usize,
    values: &[V],
    array: impl Fn(Vec<V>) -> ArrayRef,
) -> Result<Vec<ArrayRef>> {
    let layout = Layout::of(port);
    let value = |row: usize, at: usize| values[layout.position(row, at, rows)].clone();
    if !port.packed {
        let column = |at| array((0..rows).map(|row| value(row, at)).collect());
        return Ok((0..layout.elements).map(column).collect());
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
    Ok(vec![Arc::new(FixedSizeListArray::try_new(item, size, array(elements), None)?)])
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
        match elements.data_type() {
            DataType::Float16 => {
                mark(&mut odd, elements.as_primitive::<Float16Type>().values(), width, |x| x.is_finite())
            }
            DataType::Float32 => {
                mark(&mut odd, elements.as_primitive::<Float32Type>().values(), width, |x| x.is_finite())
            }
            DataType::Float64 => {
                mark(&mut odd, elements.as_primitive::<Float64Type>().values(), width, |x| x.is_finite())
            }
            _ => {}
        }
    }
    odd
}

/// Notes the rows of which an element is not finite.
fn mark<V: Copy>(odd: &mut Option<Vec<bool>>, elements: &[V], width: usize, is_finite: impl Fn(V) -> bool) {
    // A loop without a way out is one of vector instructions, and nearly always the only one.
    if elements.iter().fold(true, |all, &element| all & is_finite(element)) {
        return;
    }
    let odd = odd.get_or_insert_with(|| vec![false; elements.len() / width]);
    for (odd, row) in odd.iter_mut().zip(elements.chunks_exact(width)) {
        *odd |= !row.iter().all(|&element| is_finite(element));
    }
}

/// The columns of a port for no rows.
pub(super) fn empty_columns(port: &Port) -> Result<Vec<ArrayRef>> {
    port.column_types().map(|types| types.iter().map(new_empty_array).collect())
}

/// The columns of a port for rows without an answer: any value will do.
pub(super) fn any_columns(port: &Port, rows: usize) -> Result<Vec<ArrayRef>> {
    let count = rows * port.elements();
    let data = for_element!(
        &port.data_type,
        Held,
        T => Held(vec![<T as ArrowPrimitiveType>::Native::default(); count]),
        _ => match port.data_type {
            DataType::Boolean => Data::Bool(vec![false; count]),
            DataType::Utf8 => Data::Text(vec![String::new(); count]),
            _ => return Err(no_tensor(&port.data_type)),
        }
    );
    columns(port, &data, rows)
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

fn no_tensor(data_type: &DataType) -> Error {
    Error::Internal(format!("a tensor of {data_type}"))
}
