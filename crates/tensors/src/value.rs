//! What a name in a graph stands for.

use std::sync::Arc;

use crate::error::{Fault, Outcome};
use crate::tensor::Tensor;

/// A value of a graph; clones share what it holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A tensor.
    Tensor(Tensor),
    /// Any number of values of one type.
    Sequence(Arc<Vec<Value>>),
    /// A value that may not be there.
    Optional(Option<Arc<Value>>),
    /// Keys, and a value for each.
    Map(Arc<Map>),
}

/// A map of ONNX: as many keys as values, both along one dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// Integers or text.
    pub keys: Tensor,
    /// Numbers or text.
    pub values: Tensor,
}

impl Value {
    /// A sequence.
    pub fn sequence(items: Vec<Self>) -> Self {
        Self::Sequence(Arc::new(items))
    }

    /// The tensor it is; that of an optional, if there.
    pub fn tensor(&self) -> Option<&Tensor> {
        match self {
            Self::Tensor(tensor) => Some(tensor),
            Self::Optional(Some(value)) => value.tensor(),
            _ => None,
        }
    }

    /// Bytes that its elements occupy.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Tensor(tensor) => tensor.bytes(),
            Self::Sequence(items) => items.iter().map(|item| item.bytes().saturating_add(64)).sum(),
            Self::Optional(value) => value.as_ref().map_or(0, |value| value.bytes()),
            Self::Map(map) => map.keys.bytes().saturating_add(map.values.bytes()),
        }
    }

    /// What it is, for messages.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Tensor(tensor) => format!("a tensor of {} {:?}", tensor.element_type().name(), tensor.shape()),
            Self::Sequence(items) => format!("a sequence of {}", items.len()),
            Self::Optional(Some(value)) => value.kind(),
            Self::Optional(None) => "an empty optional".to_string(),
            Self::Map(_) => "a map".to_string(),
        }
    }

    pub(crate) fn expect_tensor(&self, what: &str) -> Outcome<&Tensor> {
        self.tensor().ok_or_else(|| Fault::invalid(format!("{what} must be a tensor, got {}", self.kind())))
    }
}

impl From<Tensor> for Value {
    fn from(tensor: Tensor) -> Self {
        Self::Tensor(tensor)
    }
}
