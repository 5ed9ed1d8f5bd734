//! `TensorProto` to constants: Arrow arrays for the columns, tensors for the islands.
//!
//! Data outside the file is refused: a model is one file, so that its hash says what it computes. [`super::external`]
//! makes it one.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use foretell_tensors::{Data, ElementType, Narrow};
use half::{bf16, f16};
use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::DataType as Element;

use super::decode::{check_shape, malformed};
use super::external::{is_external, not_here};
use super::fact::volume;
use crate::elements;
use crate::error::Result;
use crate::limits::Limits;
use crate::program::Tensor;

/// Arrow type of an ONNX element type, by its number in the file.
pub(crate) fn arrow_type(element: i32) -> Result<DataType> {
    let declared =
        Element::try_from(element).map_err(|_| malformed(format!("element type {element} does not exist")))?;
    ElementType::from_onnx(i64::from(element)).and_then(elements::arrow_type).ok_or_else(|| {
        let name = declared.as_str_name().to_lowercase();
        malformed(format!("element type `{name}` is not supported; export the model in float32"))
    })
}

/// Reads a constant for columns.
pub(crate) fn read_tensor(tensor: &TensorProto, limits: &Limits) -> Result<Tensor> {
    arrow_type(tensor.data_type)?;
    let (shape, data) = read_raw(tensor, limits)?;
    Ok(Tensor { shape, values: array(data)? })
}

/// Reads a constant for an island.
pub(crate) fn read_island_tensor(tensor: &TensorProto, limits: &Limits) -> Result<foretell_tensors::Tensor> {
    let (shape, data) = read_raw(tensor, limits)?;
    foretell_tensors::Tensor::try_new(shape, data)
        .map_err(|fault| malformed(format!("tensor `{}`: {fault}", tensor.name)))
}

/// The elements as an Arrow array; they move, but for text.
pub(crate) fn array(data: Data) -> Result<ArrayRef> {
    let name = data.element_type().name();
    elements::array_of(data)
        .ok_or_else(|| malformed(format!("element type `{name}` is not supported outside of tensor operators")))
}

fn read_raw(tensor: &TensorProto, limits: &Limits) -> Result<(Vec<usize>, Data)> {
    let shape = check_shape(tensor, limits)?;
    if is_external(tensor) {
        return Err(not_here(tensor));
    }
    if tensor.segment.is_some() {
        return Err(malformed(format!("tensor `{}` is stored in segments", tensor.name)));
    }
    let reader = Reader { tensor, elements: volume(&shape) };
    let data = reader.data()?;
    Ok((shape, data))
}

struct Reader<'a> {
    tensor: &'a TensorProto,
    elements: usize,
}

macro_rules! raw_or {
    ($self:ident, $native:ty, $typed:expr) => {
        if $self.tensor.raw_data.is_empty() {
            let typed = $typed;
            $self.check_count(typed.len())?;
            typed.iter().map(|&value| value as $native).collect()
        } else {
            $self.raw(<$native>::from_le_bytes)?
        }
    };
}

impl Reader<'_> {
    fn data(&self) -> Result<Data> {
        let tensor = self.tensor;
        let element = ElementType::from_onnx(i64::from(tensor.data_type));
        let Some(element) = element else {
            return Err(arrow_type(tensor.data_type)
                .err()
                .unwrap_or_else(|| malformed("tensor without an element type")));
        };
        Ok(match element {
            ElementType::F32 => Data::F32(raw_or!(self, f32, &tensor.float_data)),
            ElementType::F64 => Data::F64(raw_or!(self, f64, &tensor.double_data)),
            ElementType::I8 => Data::I8(raw_or!(self, i8, &tensor.int32_data)),
            ElementType::I16 => Data::I16(raw_or!(self, i16, &tensor.int32_data)),
            ElementType::I32 => Data::I32(raw_or!(self, i32, &tensor.int32_data)),
            ElementType::I64 => Data::I64(raw_or!(self, i64, &tensor.int64_data)),
            ElementType::U8 => Data::U8(raw_or!(self, u8, &tensor.int32_data)),
            ElementType::U16 => Data::U16(raw_or!(self, u16, &tensor.int32_data)),
            ElementType::U32 => Data::U32(raw_or!(self, u32, &tensor.uint64_data)),
            ElementType::U64 => Data::U64(raw_or!(self, u64, &tensor.uint64_data)),
            ElementType::F16 => Data::F16(self.half_bits()?.into_iter().map(f16::from_bits).collect()),
            ElementType::Bf16 => Data::Bf16(self.half_bits()?.into_iter().map(bf16::from_bits).collect()),
            ElementType::Bool if tensor.raw_data.is_empty() => {
                self.check_count(tensor.int32_data.len())?;
                Data::Bool(tensor.int32_data.iter().map(|&value| value != 0).collect())
            }
            ElementType::Bool => Data::Bool(self.raw(|[byte]: [u8; 1]| byte != 0)?),
            ElementType::Text => {
                self.check_count(tensor.string_data.len())?;
                let texts: Result<Vec<String>> = tensor.string_data.iter().map(|bytes| self.text(bytes)).collect();
                Data::Text(texts?)
            }
            ElementType::Narrow(kind) => Data::Narrow(kind, self.narrow(kind)?),
        })
    }

    /// Elements of 8 bits or fewer, of which several may share a byte.
    fn narrow(&self, kind: Narrow) -> Result<Vec<u8>> {
        let bytes = match self.tensor.raw_data.is_empty() {
            true => self.tensor.int32_data.iter().map(|&byte| byte as u8).collect(),
            false => self.tensor.raw_data.clone(),
        };
        let needed = (self.elements * kind.bits()).div_ceil(8);
        if bytes.len() != needed {
            return Err(malformed(format!(
                "tensor `{}` of shape {:?} needs {needed} bytes, the file has {}",
                self.tensor.name,
                self.tensor.dims,
                bytes.len()
            )));
        }
        Ok(kind.unpack(&bytes, self.elements))
    }

    fn half_bits(&self) -> Result<Vec<u16>> {
        if self.tensor.raw_data.is_empty() {
            self.check_count(self.tensor.int32_data.len())?;
            Ok(self.tensor.int32_data.iter().map(|&bits| bits as u16).collect())
        } else {
            self.raw(u16::from_le_bytes)
        }
    }

    fn text(&self, bytes: &[u8]) -> Result<String> {
        String::from_utf8(bytes.to_vec())
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
