//! The walk over the nodes of a model.

use std::collections::HashMap;

use tract_onnx::pb::{GraphProto, ModelProto, NodeProto};

use super::builder::Builder;
use super::decode::malformed;
use super::fact::Fact;
use super::graph::{sorted_nodes, unique};
use super::inputs::{Inputs, RawFeature, read_inputs};
use super::node::Node;
use super::ops;
use super::tensor::read_tensor;
use crate::error::{Error, Result};
use crate::island::{self, Work};
use crate::model::LoadOptions;

/// A model, lowered: its features and what is known about each of its outputs.
#[derive(Debug)]
pub(crate) struct Lowered {
    pub(crate) features: Vec<RawFeature>,
    /// The file says what column each feature is.
    pub(crate) named: bool,
    pub(crate) outputs: Vec<(String, Fact)>,
}

/// Versions of the operator sets a model asks for.
#[derive(Debug, Clone)]
pub(crate) struct Opsets {
    general: i64,
    versions: HashMap<String, i64>,
}

impl Opsets {
    pub(crate) fn new(model: &ModelProto) -> Self {
        let versions: HashMap<String, i64> =
            model.opset_import.iter().map(|import| (import.domain.clone(), import.version)).collect();
        let general = versions.get("").or_else(|| versions.get("ai.onnx")).copied().unwrap_or(1);
        Self { general, versions }
    }

    /// The version that holds for operators of a domain.
    pub(crate) fn of(&self, domain: &str) -> i64 {
        match domain {
            "" | "ai.onnx" => self.general,
            other => self.versions.get(other).copied().unwrap_or(1),
        }
    }
}

/// Lowers the main graph of a model.
pub(crate) fn lower_model(builder: &mut Builder, model: &ModelProto, options: &LoadOptions) -> Result<Lowered> {
    let graph = model.graph.as_ref().ok_or_else(|| malformed("a model without a graph"))?;
    let opsets = Opsets::new(model);
    let Inputs { features, named, facts } = read_inputs(builder, graph, options)?;
    let order = sorted_nodes(graph, &|_| false)?;
    unique("output", graph.output.iter().map(|output| output.name.as_str()))?;
    let mut scope = Scope::new(&opsets, None);
    scope.facts.extend(facts);
    scope.read_constants(builder, graph)?;
    for work in island::schedule(graph, &order) {
        match work {
            Work::Native(position) => {
                scope.lower_node(builder, &Node::new(&graph.node[position], opsets.of(&graph.node[position].domain)))?
            }
            Work::Island(positions) => {
                let facts = super::islands::lower_island(builder, model, graph, &positions, &|name| scope.find(name))?;
                scope.facts.extend(facts);
            }
        }
    }
    let outputs = scope.take_outputs(graph)?;
    let outputs: Vec<(String, Fact)> =
        outputs.into_iter().map(|(name, fact)| answerable(builder, name, fact)).collect::<Result<_>>()?;
    if outputs.is_empty() {
        return Err(malformed("the model has no outputs"));
    }
    Ok(Lowered { features, named, outputs })
}

/// An output as columns, one row of it for every row: a constant is repeated.
fn answerable(builder: &mut Builder, name: String, fact: Fact) -> Result<(String, Fact)> {
    let proto = NodeProto { name: name.clone(), ..NodeProto::default() };
    let node = Node::new(&proto, 0);
    let fact = match fact {
        Fact::Constant(_) => Fact::Block(builder.block(&node, &fact)?),
        Fact::Sequence(facts) => {
            let blocks = facts.iter().map(|fact| builder.block(&node, fact).map(Fact::Block));
            Fact::Sequence(blocks.collect::<Result<_>>()?)
        }
        other => other,
    };
    Ok((name, fact))
}

/// The values of a graph, and of the graphs around it.
pub(crate) struct Scope<'s> {
    opsets: &'s Opsets,
    outer: Option<&'s Scope<'s>>,
    facts: HashMap<String, Fact>,
}

impl<'s> Scope<'s> {
    fn new(opsets: &'s Opsets, outer: Option<&'s Self>) -> Self {
        Self { opsets, outer, facts: HashMap::new() }
    }

    fn find(&self, name: &str) -> Option<&Fact> {
        self.facts.get(name).or_else(|| self.outer.and_then(|outer| outer.find(name)))
    }

    fn read_constants(&mut self, builder: &Builder, graph: &GraphProto) -> Result<()> {
        for tensor in &graph.initializer {
            self.facts.insert(tensor.name.clone(), Fact::Constant(read_tensor(tensor, builder.limits)?));
        }
        Ok(())
    }

    fn lower_node(&mut self, builder: &mut Builder, node: &Node) -> Result<()> {
        let facts = match node.op_type() {
            "Scan" if node.domain().is_empty() => super::scan::scan(builder, node, self)?,
            "If" if node.domain().is_empty() => super::scan::branch(builder, node, self)?,
            _ => {
                let inputs = self.inputs(node)?;
                ops::lower(builder, node, &inputs)?
            }
        };
        let named = node.proto.output.iter().filter(|name| !name.is_empty()).count();
        if facts.len() < node.proto.output.len() && named > facts.len() {
            return Err(node.unsupported(format!("its output {} is read", facts.len())));
        }
        for (name, fact) in node.proto.output.iter().zip(facts) {
            self.facts.insert(name.clone(), fact);
        }
        Ok(())
    }

    /// What is known about the inputs of a node.
    pub(crate) fn inputs(&self, node: &Node) -> Result<Vec<Fact>> {
        node.proto
            .input
            .iter()
            .map(|name| match name.as_str() {
                "" => Ok(Fact::Absent),
                name => self.find(name).cloned().ok_or_else(|| Error::Internal(format!("value `{name}` is not known"))),
            })
            .collect()
    }

    /// Lowers a subgraph whose inputs are these, and returns its outputs.
    pub(crate) fn lower_subgraph(
        &self,
        builder: &mut Builder,
        graph: &GraphProto,
        inputs: Vec<Fact>,
    ) -> Result<Vec<Fact>> {
        let order = sorted_nodes(graph, &|name| self.find(name).is_some())?;
        let mut scope = Scope::new(self.opsets, Some(self));
        scope.facts.extend(graph.input.iter().map(|input| input.name.clone()).zip(inputs));
        scope.read_constants(builder, graph)?;
        for position in order {
            let proto = &graph.node[position];
            scope.lower_node(builder, &Node::new(proto, self.opsets.of(&proto.domain)))?;
        }
        Ok(scope.take_outputs(graph)?.into_iter().map(|(_, fact)| fact).collect())
    }

    fn take_outputs(&self, graph: &GraphProto) -> Result<Vec<(String, Fact)>> {
        graph
            .output
            .iter()
            .map(|output| {
                let fact = self.find(&output.name);
                let fact = fact.ok_or_else(|| malformed(format!("nothing writes the output `{}`", output.name)))?;
                Ok((output.name.clone(), fact.clone()))
            })
            .collect()
    }
}
