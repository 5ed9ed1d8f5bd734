//! A graph as its reader hands it over: names, nodes, attributes. Nothing here is checked yet.

use std::collections::HashMap;

use crate::element::ElementType;
use crate::tensor::Tensor;
use crate::value::Value;

/// Nodes over named values.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// Names of the values that the caller gives.
    pub inputs: Vec<String>,
    /// Values that are part of the graph.
    pub constants: Vec<(String, Value)>,
    /// Nodes in an order in which every value is written before it is read.
    pub nodes: Vec<Node>,
    /// Names of the values that the caller gets.
    pub outputs: Vec<String>,
    /// What the graph says about the tensors it gives, in their order; asked for when a loop runs not once.
    pub output_types: Vec<Option<TensorType>>,
}

/// What a graph says about one of its tensors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorType {
    /// Type of the elements.
    pub element: ElementType,
    /// Extents, as far as they are known.
    pub shape: Vec<Option<usize>>,
}

/// One operator over named values.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// For messages.
    pub name: String,
    /// Empty for ai.onnx.
    pub domain: String,
    /// The operator.
    pub op_type: String,
    /// Version of the operator set of `domain` that the file asks for.
    pub opset: i64,
    /// Names read; empty where an optional input is left out.
    pub inputs: Vec<String>,
    /// Names written; empty where an optional output is left out.
    pub outputs: Vec<String>,
    /// Attributes by name.
    pub attributes: HashMap<String, Attribute>,
}

/// An attribute of a node.
#[derive(Debug, Clone)]
pub enum Attribute {
    /// `INT`
    Int(i64),
    /// `FLOAT`
    Float(f32),
    /// `STRING`
    Text(String),
    /// `INTS`
    Ints(Vec<i64>),
    /// `FLOATS`
    Floats(Vec<f32>),
    /// `STRINGS`
    Texts(Vec<String>),
    /// `TENSOR`, and `SPARSE_TENSOR` in dense form.
    Tensor(Tensor),
    /// `GRAPH`
    Graph(Box<Graph>),
    /// `TYPE_PROTO`
    Type(ValueType),
}

/// Type of a value, as far as an attribute can ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueType {
    /// A tensor of these elements.
    Tensor(ElementType),
    /// A sequence of such values.
    Sequence(Box<ValueType>),
    /// Such a value, or none.
    Optional(Box<ValueType>),
}

impl Node {
    /// The operator with its domain, such as `ai.onnx.Conv`.
    pub fn operator(&self) -> String {
        let domain = if self.domain.is_empty() { "ai.onnx" } else { &self.domain };
        format!("{domain}.{}", self.op_type)
    }

    /// The node's name, or its first output's.
    pub fn label(&self) -> String {
        match self.name.is_empty() {
            true => self.outputs.first().cloned().unwrap_or_default(),
            false => self.name.clone(),
        }
    }
}
