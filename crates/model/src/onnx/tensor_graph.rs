//! Graphs of the file as graphs of the tensor evaluator, and whole files as computations on tensors.

use std::collections::{HashMap, HashSet};

use foretell_tensors::{Attribute, Budget, ElementType, Graph, Node, Program, TensorType, Value};
use tract_onnx::pb::attribute_proto::AttributeType as Kind;
use tract_onnx::pb::{
    AttributeProto, GraphProto, NodeProto, TensorShapeProto, ValueInfoProto, tensor_shape_proto, type_proto,
};

use super::decode::{decode, malformed};
use super::functions::inlined;
use super::graph::sorted_nodes;
use super::opsets::Opsets;
use super::tensor::read_island_tensor;
use crate::error::{Error, Result};
use crate::limits::Limits;

/// An ONNX file as a computation on whole tensors: no rows, no features, no answers. Operators of ai.onnx.ml, which work
/// on columns, are not among those it runs.
#[derive(Debug)]
pub struct TensorModel {
    program: Program,
    budget: Budget,
}

impl TensorModel {
    /// Loads a model from the bytes of its file.
    ///
    /// # Errors
    /// When the bytes are no model, it has an operator that is no tensor operator of foretell, or it exceeds the limits.
    pub fn from_bytes(bytes: &[u8], limits: &Limits) -> Result<Self> {
        let (model, opsets) = inlined(bytes, decode(bytes, limits)?, limits)?;
        let graph = model.graph.as_ref().ok_or_else(|| malformed("a model without a graph"))?;
        let reader = GraphReader { opsets: &opsets, limits };
        let graph = reader.graph(graph, &|_| false)?;
        let program = Program::new(graph).map_err(|error| Error::tensors("", error))?;
        Ok(Self { program, budget: limits.budget() })
    }

    /// Names of the tensors it takes.
    pub fn inputs(&self) -> &[String] {
        self.program.inputs()
    }

    /// Computes its outputs from its inputs, both in the order of the file.
    ///
    /// # Errors
    /// When the inputs do not fit, or an operator fails.
    pub fn run(&self, inputs: Vec<Value>) -> Result<Vec<Value>> {
        self.program.run(inputs, self.budget).map_err(|error| Error::tensors("", error))
    }
}

/// Converts graphs of one file.
pub(crate) struct GraphReader<'a> {
    pub(crate) opsets: &'a Opsets,
    pub(crate) limits: &'a Limits,
}

impl GraphReader<'_> {
    /// A graph with its nodes in order; `outer` tells which names it finds outside.
    pub(crate) fn graph(&self, graph: &GraphProto, outer: &dyn Fn(&str) -> bool) -> Result<Graph> {
        let mut constants = Vec::with_capacity(graph.initializer.len());
        for tensor in &graph.initializer {
            constants.push((tensor.name.clone(), Value::from(read_island_tensor(tensor, self.limits)?)));
        }
        let given: HashSet<&str> = constants.iter().map(|(name, _)| name.as_str()).collect();
        let inputs = graph.input.iter().map(|input| &input.name).filter(|name| !given.contains(name.as_str()));
        let inputs: Vec<String> = inputs.cloned().collect();
        let order = sorted_nodes(graph, &|name| outer(name) || given.contains(name))?;
        let known = names(graph);
        let visible = |name: &str| known.contains(name) || outer(name);
        let nodes = order.into_iter().map(|position| self.node(&graph.node[position], &visible));
        Ok(Graph {
            inputs,
            nodes: nodes.collect::<Result<_>>()?,
            outputs: graph.output.iter().map(|output| output.name.clone()).collect(),
            output_types: graph.output.iter().map(tensor_type).collect(),
            constants,
        })
    }

    /// A node with its attributes.
    pub(crate) fn node(&self, node: &NodeProto, visible: &dyn Fn(&str) -> bool) -> Result<Node> {
        let mut attributes = HashMap::with_capacity(node.attribute.len());
        for attribute in &node.attribute {
            if let Some(value) = self.attribute(node, attribute, visible)? {
                attributes.insert(attribute.name.clone(), value);
            }
        }
        Ok(Node {
            name: node.name.clone(),
            domain: if node.domain == "ai.onnx" { String::new() } else { node.domain.clone() },
            op_type: node.op_type.clone(),
            opset: self.opsets.of(node),
            inputs: node.input.clone(),
            outputs: node.output.clone(),
            attributes,
        })
    }

    /// The value of an attribute; `None` for a kind that no tensor operator reads.
    fn attribute(
        &self,
        node: &NodeProto,
        attribute: &AttributeProto,
        visible: &dyn Fn(&str) -> bool,
    ) -> Result<Option<Attribute>> {
        let name = &attribute.name;
        let broken = |what: &str| malformed(format!("attribute `{name}` of node `{}` {what}", node.name));
        if !attribute.ref_attr_name.is_empty() {
            return Err(broken("refers to a function's attribute"));
        }
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).map_err(|_| broken("has text that is not UTF-8"));
        Ok(Some(match kind(attribute) {
            Kind::Float => Attribute::Float(attribute.f),
            Kind::Int => Attribute::Int(attribute.i),
            Kind::String => Attribute::Text(text(&attribute.s)?),
            Kind::Floats => Attribute::Floats(attribute.floats.clone()),
            Kind::Ints => Attribute::Ints(attribute.ints.clone()),
            Kind::Strings => Attribute::Texts(attribute.strings.iter().map(text).collect::<Result<_>>()?),
            Kind::Tensor => {
                let tensor = attribute.t.as_ref().ok_or_else(|| broken("is empty"))?;
                Attribute::Tensor(read_island_tensor(tensor, self.limits)?)
            }
            Kind::Graph => {
                let graph = attribute.g.as_ref().ok_or_else(|| broken("is empty"))?;
                Attribute::Graph(Box::new(self.graph(graph, visible)?))
            }
            _ => return Ok(None),
        }))
    }
}

/// The kind of an attribute. Files of the first versions leave it out.
fn kind(attribute: &AttributeProto) -> Kind {
    match Kind::try_from(attribute.r#type).unwrap_or(Kind::Undefined) {
        Kind::Undefined if attribute.t.is_some() => Kind::Tensor,
        Kind::Undefined if attribute.g.is_some() => Kind::Graph,
        Kind::Undefined if !attribute.ints.is_empty() => Kind::Ints,
        Kind::Undefined if !attribute.floats.is_empty() => Kind::Floats,
        Kind::Undefined if !attribute.strings.is_empty() => Kind::Strings,
        Kind::Undefined if !attribute.s.is_empty() => Kind::String,
        Kind::Undefined if attribute.f != 0.0 => Kind::Float,
        Kind::Undefined => Kind::Int,
        kind => kind,
    }
}

/// Every name that a graph gives a value.
fn names(graph: &GraphProto) -> HashSet<&str> {
    let inputs = graph.input.iter().map(|input| input.name.as_str());
    let constants = graph.initializer.iter().map(|tensor| tensor.name.as_str());
    let written = graph.node.iter().flat_map(|node| node.output.iter().map(String::as_str));
    inputs.chain(constants).chain(written).collect()
}

/// What a graph says about a tensor.
fn tensor_type(value: &ValueInfoProto) -> Option<TensorType> {
    use tensor_shape_proto::dimension::Value as Extent;
    let type_proto::Value::TensorType(tensor) = value.r#type.as_ref()?.value.as_ref()?;
    let element = ElementType::from_onnx(i64::from(tensor.elem_type))?;
    let none = TensorShapeProto::default();
    let dims = tensor.shape.as_ref().unwrap_or(&none).dim.iter();
    let shape = dims.map(|dim| match dim.value {
        Some(Extent::DimValue(extent)) => usize::try_from(extent).ok(),
        _ => None,
    });
    Some(TensorType { element, shape: shape.collect() })
}
