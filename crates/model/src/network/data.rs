//! Elements as Arrow arrays, as data of the tensor evaluator and as tensors of tract.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, StringArray, new_null_array,
};
use arrow::datatypes::{
    DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use foretell_tensors::{Data, ElementType};
use half::bf16;
use tract_onnx::prelude::{DatumType, TractError};

use super::Tensor;
use crate::error::{Error, Result};

/// The elements of an array, which holds no nulls.
pub(super) fn to_data(array: &ArrayRef, element: ElementType) -> Result<Data> {
    fn values<T: ArrowPrimitiveType>(array: &ArrayRef) -> Option<Vec<T::Native>> {
        array.as_primitive_opt::<T>().map(|array| array.values().to_vec())
    }
    let data = match element {
        ElementType::Bool => array.as_boolean_opt().map(|array| Data::Bool(array.values().iter().collect())),
        ElementType::I8 => values::<Int8Type>(array).map(Data::I8),
        ElementType::I16 => values::<Int16Type>(array).map(Data::I16),
        ElementType::I32 => values::<Int32Type>(array).map(Data::I32),
        ElementType::I64 => values::<Int64Type>(array).map(Data::I64),
        ElementType::U8 => values::<UInt8Type>(array).map(Data::U8),
        ElementType::U16 => values::<UInt16Type>(array).map(Data::U16),
        ElementType::U32 => values::<UInt32Type>(array).map(Data::U32),
        ElementType::U64 => values::<UInt64Type>(array).map(Data::U64),
        ElementType::F16 => values::<Float16Type>(array).map(Data::F16),
        ElementType::F32 => values::<Float32Type>(array).map(Data::F32),
        ElementType::F64 => values::<Float64Type>(array).map(Data::F64),
        ElementType::Bf16 => {
            values::<Float32Type>(array).map(|values| Data::Bf16(values.into_iter().map(bf16::from_f32).collect()))
        }
        ElementType::Text => array
            .as_string_opt::<i32>()
            .map(|array| Data::Text(array.iter().map(|text| text.unwrap_or_default().to_string()).collect())),
        ElementType::Narrow(_) => None,
    };
    data.ok_or_else(|| Error::Internal(format!("a column of {} for a tensor of {}", array.data_type(), element.name())))
}

/// Elements as an array of this type.
pub(super) fn from_data(data: Data, data_type: &DataType) -> Result<ArrayRef> {
    fn column<T: ArrowPrimitiveType>(values: Vec<T::Native>) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::from_iter_values(values))
    }
    let array: ArrayRef = match data {
        Data::Bool(values) => Arc::new(BooleanArray::from(values)),
        Data::I8(values) => column::<Int8Type>(values),
        Data::I16(values) => column::<Int16Type>(values),
        Data::I32(values) => column::<Int32Type>(values),
        Data::I64(values) => column::<Int64Type>(values),
        Data::U8(values) => column::<UInt8Type>(values),
        Data::U16(values) => column::<UInt16Type>(values),
        Data::U32(values) => column::<UInt32Type>(values),
        Data::U64(values) => column::<UInt64Type>(values),
        Data::F16(values) => column::<Float16Type>(values),
        Data::Bf16(values) => column::<Float32Type>(values.into_iter().map(bf16::to_f32).collect()),
        Data::F32(values) => column::<Float32Type>(values),
        Data::F64(values) => column::<Float64Type>(values),
        Data::Text(values) => Arc::new(StringArray::from(values)),
        Data::Narrow(kind, _) => {
            return Err(Error::Internal(format!("elements of {} for a column", ElementType::Narrow(kind).name())));
        }
    };
    match array.data_type() == data_type {
        true => Ok(array),
        false => Err(Error::Internal(format!("a tensor of {} for a column of {data_type}", array.data_type()))),
    }
}

/// Zeros, or empty texts.
pub(super) fn blank(data_type: &DataType, count: usize) -> Result<ArrayRef> {
    let nulls = new_null_array(data_type, count);
    match data_type {
        DataType::Utf8 => Ok(Arc::new(StringArray::from(vec![""; count]))),
        DataType::Boolean => Ok(Arc::new(BooleanArray::from(vec![false; count]))),
        _ => Ok(arrow::array::make_array(nulls.to_data().into_builder().nulls(None).build()?)),
    }
}

/// A tensor of tract; `None` for elements that it does not have.
pub(super) fn to_tract((shape, data): &Tensor) -> Result<Option<tract_onnx::prelude::Tensor>, TractError> {
    macro_rules! convert {
        ($($variant:ident),*) => {
            match data {
                $(Data::$variant(values) => tract_onnx::prelude::Tensor::from_shape(shape, values).map(Some),)*
                Data::Bf16(_) | Data::Narrow(..) | Data::Text(_) => Ok(None),
            }
        };
    }
    convert!(Bool, I8, I16, I32, I64, U8, U16, U32, U64, F16, F32, F64)
}

/// A tensor from one of tract; `None` for elements that a column cannot have.
pub(super) fn from_tract(tensor: &tract_onnx::prelude::Tensor) -> Result<Option<Tensor>, TractError> {
    let shape = tensor.shape().to_vec();
    macro_rules! convert {
        ($($datum:ident => $variant:ident, $native:ty;)*) => {
            match tensor.datum_type() {
                $(DatumType::$datum => Data::$variant(tensor.try_as_plain_ram()?.as_slice::<$native>()?.to_vec()),)*
                // Shapes and positions have a type of their own in tract.
                DatumType::TDim => {
                    let numbers = tensor.cast_to::<i64>()?;
                    Data::I64(numbers.try_as_plain_ram()?.as_slice::<i64>()?.to_vec())
                }
                _ => return Ok(None),
            }
        };
    }
    let data = convert! {
        Bool => Bool, bool;
        I8 => I8, i8;
        I16 => I16, i16;
        I32 => I32, i32;
        I64 => I64, i64;
        U8 => U8, u8;
        U16 => U16, u16;
        U32 => U32, u32;
        U64 => U64, u64;
        F16 => F16, half::f16;
        F32 => F32, f32;
        F64 => F64, f64;
    };
    Ok(Some((shape, data)))
}
