//! Elements of tensors as Arrow arrays, and back: the one list of which Arrow type holds which element.
//!
//! It knows neither shapes nor rows; `island/border.rs` and `network/rows.rs` lay elements out. Arrays have no nulls here.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, StringArray};
use arrow::datatypes::{
    DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use foretell_tensors::{Data, ElementType};
use half::bf16;

use crate::error::{Error, Result};

/// Runs an expression with the variant of [`Data`] that holds a number of this Arrow type, and the type; another expression
/// for what is no number.
macro_rules! for_element {
    ($data_type:expr, $variant:ident, $arrow:ident => $number:expr, _ => $other:expr) => {{
        use arrow::datatypes as arrow_types;
        macro_rules! arm {
            ($held:ident, $typed:ty) => {{
                use foretell_tensors::Data::$held as $variant;
                type $arrow = $typed;
                $number
            }};
        }
        match $data_type {
            arrow_types::DataType::Int8 => arm!(I8, arrow_types::Int8Type),
            arrow_types::DataType::Int16 => arm!(I16, arrow_types::Int16Type),
            arrow_types::DataType::Int32 => arm!(I32, arrow_types::Int32Type),
            arrow_types::DataType::Int64 => arm!(I64, arrow_types::Int64Type),
            arrow_types::DataType::UInt8 => arm!(U8, arrow_types::UInt8Type),
            arrow_types::DataType::UInt16 => arm!(U16, arrow_types::UInt16Type),
            arrow_types::DataType::UInt32 => arm!(U32, arrow_types::UInt32Type),
            arrow_types::DataType::UInt64 => arm!(U64, arrow_types::UInt64Type),
            arrow_types::DataType::Float16 => arm!(F16, arrow_types::Float16Type),
            arrow_types::DataType::Float32 => arm!(F32, arrow_types::Float32Type),
            arrow_types::DataType::Float64 => arm!(F64, arrow_types::Float64Type),
            _ => $other,
        }
    }};
}

pub(crate) use for_element;

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

/// The type of a tensor's elements that an array of this type holds as they are.
pub(crate) fn element_type(data_type: &DataType) -> Option<ElementType> {
    Some(match data_type {
        DataType::Boolean => ElementType::Bool,
        DataType::Int8 => ElementType::I8,
        DataType::Int16 => ElementType::I16,
        DataType::Int32 => ElementType::I32,
        DataType::Int64 => ElementType::I64,
        DataType::UInt8 => ElementType::U8,
        DataType::UInt16 => ElementType::U16,
        DataType::UInt32 => ElementType::U32,
        DataType::UInt64 => ElementType::U64,
        DataType::Float16 => ElementType::F16,
        DataType::Float32 => ElementType::F32,
        DataType::Float64 => ElementType::F64,
        DataType::Utf8 => ElementType::Text,
        _ => return None,
    })
}

/// All elements of an array.
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

/// All elements of an array, as a tensor of this type has them.
pub(crate) fn data_as(array: &ArrayRef, element: ElementType) -> Result<Data> {
    match (data_of(array)?, element) {
        (Data::F32(values), ElementType::Bf16) => Ok(Data::Bf16(values.into_iter().map(bf16::from_f32).collect())),
        (data, element) if data.element_type() == element => Ok(data),
        _ => Err(Error::Internal(format!("a column of {} for a tensor of {}", array.data_type(), element.name()))),
    }
}

/// Elements as an array; they move, but for text. `None` for those that no Arrow type holds.
pub(crate) fn array_of(data: Data) -> Option<ArrayRef> {
    fn numbers<T: ArrowPrimitiveType>(values: Vec<T::Native>) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::new(values.into(), None))
    }
    Some(match data {
        Data::Bool(values) => Arc::new(BooleanArray::from(values)),
        Data::I8(values) => numbers::<Int8Type>(values),
        Data::I16(values) => numbers::<Int16Type>(values),
        Data::I32(values) => numbers::<Int32Type>(values),
        Data::I64(values) => numbers::<Int64Type>(values),
        Data::U8(values) => numbers::<UInt8Type>(values),
        Data::U16(values) => numbers::<UInt16Type>(values),
        Data::U32(values) => numbers::<UInt32Type>(values),
        Data::U64(values) => numbers::<UInt64Type>(values),
        Data::F16(values) => numbers::<Float16Type>(values),
        Data::Bf16(values) => numbers::<Float32Type>(values.into_iter().map(bf16::to_f32).collect()),
        Data::F32(values) => numbers::<Float32Type>(values),
        Data::F64(values) => numbers::<Float64Type>(values),
        Data::Text(values) => Arc::new(StringArray::from(values)),
        Data::Narrow(..) => return None,
    })
}

/// Elements as an array of this type, which must be theirs.
pub(crate) fn array_as(data: Data, data_type: &DataType) -> Result<ArrayRef> {
    let element = data.element_type();
    array_of(data)
        .filter(|array| array.data_type() == data_type)
        .ok_or_else(|| Error::Internal(format!("elements of {} for a column of {data_type}", element.name())))
}

/// Zeros, or empty texts: what stands where there is no answer.
pub(crate) fn blank(data_type: &DataType, count: usize) -> Result<Data> {
    Ok(for_element!(
        data_type,
        Held,
        T => Held(vec![<T as ArrowPrimitiveType>::Native::default(); count]),
        _ => match data_type {
            DataType::Boolean => Data::Bool(vec![false; count]),
            DataType::Utf8 => Data::Text(vec![String::new(); count]),
            other => return Err(no_tensor(other)),
        }
    ))
}

/// Whether there is no infinite number and no NaN at these places.
pub(crate) fn is_finite(array: &ArrayRef, places: Range<usize>) -> bool {
    // A loop without a way out is one of vector instructions.
    fn all<V: Copy>(values: &[V], is_finite: impl Fn(V) -> bool) -> bool {
        values.iter().fold(true, |all, &value| all & is_finite(value))
    }
    match array.data_type() {
        DataType::Float16 => all(&array.as_primitive::<Float16Type>().values()[places], |value| value.is_finite()),
        DataType::Float32 => all(&array.as_primitive::<Float32Type>().values()[places], f32::is_finite),
        DataType::Float64 => all(&array.as_primitive::<Float64Type>().values()[places], f64::is_finite),
        _ => true,
    }
}

/// The error for an Arrow type that no tensor has the elements of.
pub(crate) fn no_tensor(data_type: &DataType) -> Error {
    Error::Internal(format!("a tensor of {data_type}"))
}
