//! Tensors: a shape and row-major elements of one type.

use std::sync::Arc;

use half::{bf16, f16};

use crate::element::{Element, ElementType};
use crate::error::{Fault, Outcome};
use crate::narrow::Narrow;
use crate::shape::checked_volume;

/// The elements of a tensor, in row-major order.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the variants are those of `ElementType`")]
pub enum Data {
    Bool(Vec<bool>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Text(Vec<String>),
    /// One element per byte: the bits of a float, the value of an integer.
    Narrow(Narrow, Vec<u8>),
}

/// Runs an expression over the elements, whatever their type.
macro_rules! with_data {
    ($data:expr, $values:ident => $body:expr) => {
        match $data {
            $crate::tensor::Data::Bool($values) => $body,
            $crate::tensor::Data::I8($values) => $body,
            $crate::tensor::Data::I16($values) => $body,
            $crate::tensor::Data::I32($values) => $body,
            $crate::tensor::Data::I64($values) => $body,
            $crate::tensor::Data::U8($values) => $body,
            $crate::tensor::Data::U16($values) => $body,
            $crate::tensor::Data::U32($values) => $body,
            $crate::tensor::Data::U64($values) => $body,
            $crate::tensor::Data::F16($values) => $body,
            $crate::tensor::Data::Bf16($values) => $body,
            $crate::tensor::Data::F32($values) => $body,
            $crate::tensor::Data::F64($values) => $body,
            $crate::tensor::Data::Text($values) => $body,
            $crate::tensor::Data::Narrow(_, $values) => $body,
        }
    };
}

/// As [`with_data`], where the expression makes a vector of the same type, which becomes data again.
macro_rules! map_data {
    ($data:expr, $values:ident => $body:expr) => {
        match $data {
            $crate::tensor::Data::Bool($values) => $crate::tensor::Data::Bool($body),
            $crate::tensor::Data::I8($values) => $crate::tensor::Data::I8($body),
            $crate::tensor::Data::I16($values) => $crate::tensor::Data::I16($body),
            $crate::tensor::Data::I32($values) => $crate::tensor::Data::I32($body),
            $crate::tensor::Data::I64($values) => $crate::tensor::Data::I64($body),
            $crate::tensor::Data::U8($values) => $crate::tensor::Data::U8($body),
            $crate::tensor::Data::U16($values) => $crate::tensor::Data::U16($body),
            $crate::tensor::Data::U32($values) => $crate::tensor::Data::U32($body),
            $crate::tensor::Data::U64($values) => $crate::tensor::Data::U64($body),
            $crate::tensor::Data::F16($values) => $crate::tensor::Data::F16($body),
            $crate::tensor::Data::Bf16($values) => $crate::tensor::Data::Bf16($body),
            $crate::tensor::Data::F32($values) => $crate::tensor::Data::F32($body),
            $crate::tensor::Data::F64($values) => $crate::tensor::Data::F64($body),
            $crate::tensor::Data::Text($values) => $crate::tensor::Data::Text($body),
            $crate::tensor::Data::Narrow(kind, $values) => $crate::tensor::Data::Narrow(*kind, $body),
        }
    };
}

pub(crate) use with_data;

impl Data {
    /// Number of elements.
    pub fn len(&self) -> usize {
        with_data!(self, values => values.len())
    }

    /// True without elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Type of the elements.
    pub fn element_type(&self) -> ElementType {
        match self {
            Self::Bool(_) => ElementType::Bool,
            Self::I8(_) => ElementType::I8,
            Self::I16(_) => ElementType::I16,
            Self::I32(_) => ElementType::I32,
            Self::I64(_) => ElementType::I64,
            Self::U8(_) => ElementType::U8,
            Self::U16(_) => ElementType::U16,
            Self::U32(_) => ElementType::U32,
            Self::U64(_) => ElementType::U64,
            Self::F16(_) => ElementType::F16,
            Self::Bf16(_) => ElementType::Bf16,
            Self::F32(_) => ElementType::F32,
            Self::F64(_) => ElementType::F64,
            Self::Text(_) => ElementType::Text,
            Self::Narrow(kind, _) => ElementType::Narrow(*kind),
        }
    }

    /// `count` elements that are zero, false or empty.
    pub(crate) fn zeros(element: ElementType, count: usize) -> Self {
        match element {
            ElementType::Bool => Self::Bool(vec![false; count]),
            ElementType::I8 => Self::I8(vec![0; count]),
            ElementType::I16 => Self::I16(vec![0; count]),
            ElementType::I32 => Self::I32(vec![0; count]),
            ElementType::I64 => Self::I64(vec![0; count]),
            ElementType::U8 => Self::U8(vec![0; count]),
            ElementType::U16 => Self::U16(vec![0; count]),
            ElementType::U32 => Self::U32(vec![0; count]),
            ElementType::U64 => Self::U64(vec![0; count]),
            ElementType::F16 => Self::F16(vec![f16::ZERO; count]),
            ElementType::Bf16 => Self::Bf16(vec![bf16::ZERO; count]),
            ElementType::F32 => Self::F32(vec![0.0; count]),
            ElementType::F64 => Self::F64(vec![0.0; count]),
            ElementType::Text => Self::Text(vec![String::new(); count]),
            ElementType::Narrow(kind) => Self::Narrow(kind, vec![0; count]),
        }
    }

    /// The elements at these positions, which must exist.
    pub(crate) fn take(&self, positions: &[usize]) -> Self {
        map_data!(self, values => picked(values, positions))
    }

    /// Runs of `length` elements, from each of these positions.
    pub(crate) fn take_runs(&self, starts: &[usize], length: usize) -> Self {
        if length == 1 {
            return self.take(starts);
        }
        map_data!(self, values => {
            let mut taken = Vec::with_capacity(starts.len() * length);
            for &start in starts {
                taken.extend_from_slice(&values[start..start + length]);
            }
            taken
        })
    }

    /// From each of these positions so many elements, `step` apart.
    pub(crate) fn take_steps(&self, starts: &[usize], count: usize, step: usize) -> Self {
        map_data!(self, values => stepped(values, starts, count, step))
    }

    /// Data of the same type end to end; `None` if the types differ or there is nothing.
    pub(crate) fn join(parts: &[&Self]) -> Option<Self> {
        let (first, others) = parts.split_first()?;
        let mut joined = (*first).clone();
        for part in others {
            match (&mut joined, part) {
                (Self::Narrow(kind, values), Self::Narrow(other, more)) if kind == other => {
                    values.extend_from_slice(more);
                }
                (Self::Narrow(..), _) | (_, Self::Narrow(..)) => return None,
                (joined, part) => joined.append(part)?,
            }
        }
        Some(joined)
    }

    fn append(&mut self, part: &Self) -> Option<()> {
        macro_rules! append {
            ($($variant:ident),*) => {
                match (self, part) {
                    $((Self::$variant(values), Self::$variant(more)) => values.extend_from_slice(more),)*
                    _ => return None,
                }
            };
        }
        append!(Bool, I8, I16, I32, I64, U8, U16, U32, U64, F16, Bf16, F32, F64, Text);
        Some(())
    }
}

fn picked<T: Clone>(values: &[T], positions: &[usize]) -> Vec<T> {
    positions.iter().map(|&at| values[at].clone()).collect()
}

fn stepped<T: Clone>(values: &[T], starts: &[usize], count: usize, step: usize) -> Vec<T> {
    let mut taken = Vec::with_capacity(starts.len() * count);
    for &start in starts {
        taken.extend((0..count).map(|at| values[start + at * step].clone()));
    }
    taken
}

/// A tensor; clones share the elements.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Arc<Data>,
}

impl Tensor {
    /// A tensor of these elements, as many as the shape has places.
    ///
    /// # Errors
    /// When the number differs.
    pub fn try_new(shape: Vec<usize>, data: Data) -> Outcome<Self> {
        if crate::shape::volume(&shape)? != data.len() {
            return Err(Fault::invalid(format!("{} elements for a tensor of shape {shape:?}", data.len())));
        }
        Ok(Self { shape, data: Arc::new(data) })
    }

    /// A tensor of elements that were made for this shape.
    pub(crate) fn new<T: Element>(shape: Vec<usize>, values: Vec<T>) -> Self {
        Self::of(shape, T::into_data(values))
    }

    /// A tensor of data that was made for this shape.
    pub(crate) fn of(shape: Vec<usize>, data: Data) -> Self {
        debug_assert_eq!(checked_volume(&shape), Some(data.len()), "elements of {shape:?}");
        Self { shape, data: Arc::new(data) }
    }

    /// One element without dimensions.
    pub fn scalar<T: Element>(value: T) -> Self {
        Self::new(Vec::new(), vec![value])
    }

    /// Elements along one dimension.
    pub fn vector<T: Element>(values: Vec<T>) -> Self {
        Self::new(vec![values.len()], values)
    }

    /// Extent of each dimension.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// True without elements.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The elements.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The elements; they move, unless a clone of the tensor has them as well.
    pub fn into_data(self) -> Data {
        Arc::unwrap_or_clone(self.data)
    }

    /// Type of the elements.
    pub fn element_type(&self) -> ElementType {
        self.data.element_type()
    }

    /// The elements, if they are of type `T`.
    pub fn values<T: Element>(&self) -> Option<&[T]> {
        T::slice(&self.data)
    }

    /// The same elements in another shape of as many places.
    pub(crate) fn with_shape(&self, shape: Vec<usize>) -> Self {
        debug_assert_eq!(checked_volume(&shape), Some(self.len()), "elements of {shape:?}");
        Self { shape, data: Arc::clone(&self.data) }
    }

    /// Bytes that the elements occupy.
    pub fn bytes(&self) -> u64 {
        let texts = match self.data() {
            Data::Text(values) => values.iter().map(|text| text.len() as u64).sum(),
            _ => 0,
        };
        (self.len() as u64).saturating_mul(self.element_type().width() as u64).saturating_add(texts)
    }
}

/// A tensor of zeros but for these values at these positions, counted through all elements.
///
/// # Errors
/// When there are not as many values as positions, or a position does not exist.
pub fn dense(shape: &[usize], values: &Tensor, positions: &[i64]) -> Outcome<Tensor> {
    let count = crate::shape::volume(shape)?;
    if values.len() != positions.len() {
        return Err(Fault::invalid(format!("{} values at {} positions", values.len(), positions.len())));
    }
    let zero = Data::zeros(values.element_type(), 1);
    let both = Data::join(&[values.data(), &zero]).ok_or_else(|| Fault::invalid("values of different types"))?;
    let mut sources = vec![values.len(); count];
    for (at, &position) in positions.iter().enumerate() {
        sources[crate::shape::index(position, count)?] = at;
    }
    Ok(Tensor::of(shape.to_vec(), both.take(&sources)))
}
