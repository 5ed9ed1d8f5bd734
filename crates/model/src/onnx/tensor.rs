//! `TensorProto` to constant tensors, for every element type that has an Arrow counterpart.
//!
//! Data outside the file is refused: a model is one file, so that its hash says what it computes. [`super::external`]
//! makes it one.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float16Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    StringArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::DataType;
use half::{bf16, f16};
use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::DataType as Element;

use super::decode::{check_shape, malformed};
use super::external::{is_external, not_here};
use super::fact::volume;
use crate::error::Result;
use crate::limits::Limits;
use crate::program::Tensor;

/// Arrow type of an ONNX element type, by its number in the file.
pub(crate) fn arrow_type(element: i32) -> Result<DataType> {
    let element =
        Element::try_from(element).map_err(|_| malformed(format!("element type {element} does not exist")))?;
    Ok(match element {
        // `bfloat16` has no Arrow type; `float` holds each of its values.
        Element::Float | Element::Bfloat16 => DataType::Float32,
        Element::Double => DataType::Float64,
        Element::Float16 => DataType::Float16,
        Element::Int8 => DataType::Int8,
        Element::Int16 => DataType::Int16,
        Element::Int32 => DataType::Int32,
        Element::Int64 => DataType::Int64,
        Element::Uint8 => DataType::UInt8,
        Element::Uint16 => DataType::UInt16,
        Element::Uint32 => DataType::UInt32,
        Element::Uint64 => DataType::UInt64,
        Element::Bool => DataType::Boolean,
        Element::String => DataType::Utf8,
        other => {
            let name = other.as_str_name().to_lowercase();
            return Err(malformed(format!("element type `{name}` is not supported; export the model in float32")));
        }
    })
}

/// Reads a constant.
pub(crate) fn read_tensor(tensor: &TensorProto, limits: &Limits) -> Result<Tensor> {
    let shape = check_shape(tensor, limits)?;
    if is_external(tensor) {
        return Err(not_here(tensor));
    }
    if tensor.segment.is_some() {
        return Err(malformed(format!("tensor `{}` is stored in segments", tensor.name)));
    }
    let reader = Reader { tensor, elements: volume(&shape) };
    Ok(Tensor { shape, values: reader.values()? })
}

struct Reader<'a> {
    tensor: &'a TensorProto,
    elements: usize,
}

macro_rules! raw_or {
    ($self:ident, $native:ty, $array:ty, $typed:expr) => {{
        let values: Vec<$native> = if $self.tensor.raw_data.is_empty() {
            let typed = $typed;
            $self.check_count(typed.len())?;
            typed.iter().map(|&value| value as $native).collect()
        } else {
            $self.raw(<$native>::from_le_bytes)?
        };
        Ok(Arc::new(<$array>::from(values)) as ArrayRef)
    }};
}

impl Reader<'_> {
    fn values(&self) -> Result<ArrayRef> {
        let tensor = self.tensor;
        let element = Element::try_from(tensor.data_type).unwrap_or(Element::Undefined);
        match element {
            Element::Float => raw_or!(self, f32, Float32Array, &tensor.float_data),
            Element::Double => raw_or!(self, f64, Float64Array, &tensor.double_data),
            Element::Int8 => raw_or!(self, i8, Int8Array, &tensor.int32_data),
            Element::Int16 => raw_or!(self, i16, Int16Array, &tensor.int32_data),
            Element::Int32 => raw_or!(self, i32, Int32Array, &tensor.int32_data),
            Element::Int64 => raw_or!(self, i64, Int64Array, &tensor.int64_data),
            Element::Uint8 => raw_or!(self, u8, UInt8Array, &tensor.int32_data),
            Element::Uint16 => raw_or!(self, u16, UInt16Array, &tensor.int32_data),
            Element::Uint32 => raw_or!(self, u32, UInt32Array, &tensor.uint64_data),
            Element::Uint64 => raw_or!(self, u64, UInt64Array, &tensor.uint64_data),
            Element::Float16 => {
                let values = self.half_bits()?.into_iter().map(f16::from_bits).collect::<Vec<_>>();
                Ok(Arc::new(Float16Array::from(values)))
            }
            Element::Bfloat16 => {
                let values =
                    self.half_bits()?.into_iter().map(|bits| bf16::from_bits(bits).to_f32()).collect::<Vec<_>>();
                Ok(Arc::new(Float32Array::from(values)))
            }
            Element::Bool => {
                let values: Vec<bool> = if tensor.raw_data.is_empty() {
                    self.check_count(tensor.int32_data.len())?;
                    tensor.int32_data.iter().map(|&value| value != 0).collect()
                } else {
                    self.raw(|[byte]: [u8; 1]| byte != 0)?
                };
                Ok(Arc::new(BooleanArray::from(values)))
            }
            Element::String => {
                self.check_count(tensor.string_data.len())?;
                let texts: Result<Vec<&str>> = tensor.string_data.iter().map(|bytes| self.text(bytes)).collect();
                Ok(Arc::new(StringArray::from(texts?)))
            }
            _ => Err(arrow_type(tensor.data_type).err().unwrap_or_else(|| malformed("tensor without an element type"))),
        }
    }

    fn half_bits(&self) -> Result<Vec<u16>> {
        if self.tensor.raw_data.is_empty() {
            self.check_count(self.tensor.int32_data.len())?;
            Ok(self.tensor.int32_data.iter().map(|&bits| bits as u16).collect())
        } else {
            self.raw(u16::from_le_bytes)
        }
    }

    fn text<'b>(&self, bytes: &'b [u8]) -> Result<&'b str> {
        std::str::from_utf8(bytes)
            .map_err(|_| malformed(format!("tensor `{}` has a string that is not UTF-8", self.tensor.name)))
    }

    fn check_count(&self, got: usize) -> Result<()> {
        if got == self.elements {
            return Ok(());
        }
        Err(malformed(format!(
            "tensor `{}` of shape {:?} needs {} elements, the file has {got}",
            self.tensor.name, self.tensor.dims, self.elements
        )))
    }

    fn raw<const WIDTH: usize, T>(&self, decode: impl Fn([u8; WIDTH]) -> T) -> Result<Vec<T>> {
        let raw = &self.tensor.raw_data;
        if raw.len() != self.elements.saturating_mul(WIDTH) {
            return Err(malformed(format!(
                "tensor `{}` of shape {:?} needs {} bytes, the file has {}",
                self.tensor.name,
                self.tensor.dims,
                self.elements.saturating_mul(WIDTH),
                raw.len()
            )));
        }
        let (chunks, _) = raw.as_chunks::<WIDTH>();
        Ok(chunks.iter().map(|chunk| decode(*chunk)).collect())
    }
}
