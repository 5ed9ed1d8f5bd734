//! What an operator sees of the node it runs for: inputs, attributes, and what it may take.

use crate::budget::Meter;
use crate::element::{Element, ElementType};
use crate::error::{Fault, Outcome};
use crate::graph::{Attribute, Node};
use crate::kept::Kept;
use crate::shape;
use crate::tensor::{Data, Tensor};
use crate::value::Value;

/// An operator: from the inputs of a node to its outputs.
pub(crate) type Kernel = fn(&Call<'_>) -> Outcome<Vec<Value>>;

/// One run of a node.
pub(crate) struct Call<'a> {
    pub(crate) node: &'a Node,
    pub(crate) inputs: &'a [Option<Value>],
    pub(crate) meter: &'a Meter,
    /// Where something may be kept for the next run: there if the weights are the same in every run.
    pub(crate) kept: Option<&'a Kept>,
}

impl<'a> Call<'a> {
    /// Version of the operator set.
    pub(crate) fn opset(&self) -> i64 {
        self.node.opset
    }

    /// An input, if it is there.
    pub(crate) fn value(&self, index: usize) -> Option<&'a Value> {
        self.inputs.get(index).and_then(Option::as_ref)
    }

    /// An input of any kind.
    pub(crate) fn some_value(&self, index: usize) -> Outcome<&'a Value> {
        self.value(index).ok_or_else(|| Fault::invalid(format!("input {index} is missing")))
    }

    /// An input that is a tensor.
    pub(crate) fn tensor(&self, index: usize) -> Outcome<&'a Tensor> {
        self.some_value(index)?.expect_tensor(&format!("input {index}"))
    }

    /// An input that is a tensor or not there.
    pub(crate) fn maybe_tensor(&self, index: usize) -> Outcome<Option<&'a Tensor>> {
        self.value(index).map(|value| value.expect_tensor(&format!("input {index}"))).transpose()
    }

    /// All inputs; each must be a tensor.
    pub(crate) fn tensors(&self) -> Outcome<Vec<&'a Tensor>> {
        (0..self.inputs.len()).map(|index| self.tensor(index)).collect()
    }

    /// The elements of an input, which must be of type `T`.
    pub(crate) fn elements<T: Element>(&self, index: usize) -> Outcome<&'a [T]> {
        let tensor = self.tensor(index)?;
        tensor.values::<T>().ok_or_else(|| wrong_type(index, T::TYPE, tensor.element_type()))
    }

    /// The integers of an input of type int64 or int32.
    pub(crate) fn integers(&self, index: usize) -> Outcome<Vec<i64>> {
        integers_of(self.tensor(index)?, &format!("input {index}"))
    }

    /// As [`Self::integers`], if the input is there.
    pub(crate) fn maybe_integers(&self, index: usize) -> Outcome<Option<Vec<i64>>> {
        match self.value(index) {
            Some(_) => self.integers(index).map(Some),
            None => Ok(None),
        }
    }

    /// The one number of an input.
    pub(crate) fn integer(&self, index: usize) -> Outcome<i64> {
        match self.integers(index)?[..] {
            [value] => Ok(value),
            ref other => Err(Fault::invalid(format!("input {index} must be one number, got {}", other.len()))),
        }
    }

    /// The one number of an input of any floating or integer type.
    pub(crate) fn number(&self, index: usize) -> Outcome<f64> {
        one_number(self.tensor(index)?).ok_or_else(|| Fault::invalid(format!("input {index} must be one number")))
    }

    fn attribute(&self, name: &str) -> Option<&'a Attribute> {
        self.node.attributes.get(name)
    }

    pub(crate) fn maybe_int(&self, name: &str) -> Outcome<Option<i64>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Int(value)) => Ok(Some(*value)),
            Some(_) => Err(wrong_attribute(name, "an integer")),
        }
    }

    pub(crate) fn int(&self, name: &str, default: i64) -> Outcome<i64> {
        Ok(self.maybe_int(name)?.unwrap_or(default))
    }

    /// A flag stored as an integer.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Outcome<bool> {
        Ok(self.maybe_int(name)?.map_or(default, |value| value != 0))
    }

    pub(crate) fn maybe_float(&self, name: &str) -> Outcome<Option<f32>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Float(value)) => Ok(Some(*value)),
            Some(_) => Err(wrong_attribute(name, "a number")),
        }
    }

    pub(crate) fn float(&self, name: &str, default: f32) -> Outcome<f32> {
        Ok(self.maybe_float(name)?.unwrap_or(default))
    }

    pub(crate) fn maybe_text(&self, name: &str) -> Outcome<Option<&'a str>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Text(value)) => Ok(Some(value)),
            Some(_) => Err(wrong_attribute(name, "text")),
        }
    }

    pub(crate) fn text(&self, name: &str, default: &'static str) -> Outcome<&'a str> {
        Ok(self.maybe_text(name)?.unwrap_or(default))
    }

    pub(crate) fn maybe_ints(&self, name: &str) -> Outcome<Option<&'a [i64]>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Ints(values)) => Ok(Some(values)),
            Some(_) => Err(wrong_attribute(name, "a list of integers")),
        }
    }

    pub(crate) fn maybe_floats(&self, name: &str) -> Outcome<Option<&'a [f32]>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Floats(values)) => Ok(Some(values)),
            Some(_) => Err(wrong_attribute(name, "a list of numbers")),
        }
    }

    pub(crate) fn maybe_texts(&self, name: &str) -> Outcome<Option<&'a [String]>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Texts(values)) => Ok(Some(values)),
            Some(_) => Err(wrong_attribute(name, "a list of texts")),
        }
    }

    pub(crate) fn maybe_tensor_attribute(&self, name: &str) -> Outcome<Option<&'a Tensor>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Tensor(tensor)) => Ok(Some(tensor)),
            Some(_) => Err(wrong_attribute(name, "a tensor")),
        }
    }

    /// The element type an integer attribute names.
    pub(crate) fn element_attribute(&self, name: &str) -> Outcome<Option<ElementType>> {
        let Some(number) = self.maybe_int(name)? else { return Ok(None) };
        let element = ElementType::from_onnx(number);
        element.map(Some).ok_or_else(|| Fault::unsupported(format!("element type {number}")))
    }

    /// An attribute that must be there.
    pub(crate) fn required<T>(&self, name: &str, value: Option<T>) -> Outcome<T> {
        value.ok_or_else(|| Fault::invalid(format!("attribute `{name}` is missing")))
    }

    /// `count` copies of an element, if there is room for them.
    pub(crate) fn filled<T: Element>(&self, count: usize, value: T) -> Outcome<Vec<T>> {
        self.meter.room(count, T::TYPE.width())?;
        self.meter.work(count as u64)?;
        Ok(vec![value; count])
    }

    /// Checks that a tensor of this shape can be had, and gives its number of elements.
    pub(crate) fn room_for(&self, shape: &[usize], element: ElementType) -> Outcome<usize> {
        let span = shape::span(shape)?;
        // Positions are computed along with the elements.
        self.meter.room(span, element.width().max(size_of::<usize>()))?;
        self.meter.work(span as u64)?;
        shape::volume(shape)
    }

    /// The elements of a tensor that lie so far apart along each axis of this shape, for which there must be room.
    pub(crate) fn walked(&self, tensor: &Tensor, shape: Vec<usize>, strides: &[usize]) -> Outcome<Tensor> {
        let count = shape::volume(&shape)?;
        self.meter.room(count, tensor.element_type().width())?;
        if count == 0 {
            return self.taken(tensor, &[], shape);
        }
        // Axes at the end whose elements lie one behind the other are one run.
        let is_joined =
            |axis: &usize| shape[*axis] == 1 || strides[*axis] == shape[axis + 1..].iter().product::<usize>();
        let outer = shape.len() - (0..shape.len()).rev().take_while(is_joined).count();
        let data = match (outer < shape.len(), shape.split_last()) {
            (false, Some((&last, outer))) => {
                let starts = shape::offsets(outer, &strides[..outer.len()]);
                tensor.data().take_steps(&starts, last, strides[outer.len()])
            }
            _ => {
                let starts = shape::offsets(&shape[..outer], &strides[..outer]);
                tensor.data().take_runs(&starts, shape[outer..].iter().product())
            }
        };
        Ok(Tensor::of(shape, data))
    }

    /// The elements of a tensor at these positions, in a tensor of this shape.
    pub(crate) fn taken(&self, tensor: &Tensor, positions: &[usize], shape: Vec<usize>) -> Outcome<Tensor> {
        self.meter.room(positions.len(), tensor.element_type().width())?;
        Ok(Tensor::of(shape, tensor.data().take(positions)))
    }
}

fn wrong_attribute(name: &str, expected: &str) -> Fault {
    Fault::invalid(format!("attribute `{name}` must be {expected}"))
}

/// An input of another type than the operator takes.
pub(crate) fn wrong_type(index: usize, expected: ElementType, got: ElementType) -> Fault {
    Fault::invalid(format!("input {index} must hold {}, got {}", expected.name(), got.name()))
}

/// A tensor of a type the operator does not take.
pub(crate) fn no_such_type(element: ElementType) -> Fault {
    Fault::unsupported(format!("elements of type {}", element.name()))
}

/// The elements of an integer tensor.
pub(crate) fn integers_of(tensor: &Tensor, what: &str) -> Outcome<Vec<i64>> {
    match tensor.data() {
        Data::I64(values) => Ok(values.clone()),
        Data::I32(values) => Ok(values.iter().map(|&value| i64::from(value)).collect()),
        Data::U8(values) => Ok(values.iter().map(|&value| i64::from(value)).collect()),
        Data::I8(values) => Ok(values.iter().map(|&value| i64::from(value)).collect()),
        Data::U16(values) => Ok(values.iter().map(|&value| i64::from(value)).collect()),
        Data::I16(values) => Ok(values.iter().map(|&value| i64::from(value)).collect()),
        Data::U32(values) => Ok(values.iter().map(|&value| i64::from(value)).collect()),
        other => Err(Fault::invalid(format!("{what} must hold integers, got {}", other.element_type().name()))),
    }
}

/// The number of a tensor with one element.
pub(crate) fn one_number(tensor: &Tensor) -> Option<f64> {
    if tensor.len() != 1 {
        return None;
    }
    Some(match tensor.data() {
        Data::F32(values) => f64::from(values[0]),
        Data::F64(values) => values[0],
        Data::F16(values) => values[0].to_f64(),
        Data::Bf16(values) => values[0].to_f64(),
        Data::Bool(values) => f64::from(u8::from(values[0])),
        _ => integers_of(tensor, "").ok()?[0] as f64,
    })
}
