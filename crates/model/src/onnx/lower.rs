//! The walk over the nodes of a model.
//!
//! Nodes are lowered to steps over columns or to islands. Where neither foretell nor tract takes a node, or a value cannot
//! leave an island, the walk begins again with these nodes given to the evaluator.

use std::collections::{HashMap, HashSet};

use foretell_tensors::ElementType;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};

use super::builder::Builder;
use super::decode::malformed;
use super::fact::Fact;
use super::graph::{names_read, sorted_nodes, unique};
use super::inputs::{Inputs, RawFeature, read_inputs};
use super::islands::{Compiled, Cut, lower_constant};
use super::node::Node;
use super::ops;
use super::opsets::Opsets;
use super::tensor::read_tensor;
use crate::error::{Error, Result};
use crate::island::{self, Refusal, Work, evaluator_knows};
use crate::model::LoadOptions;

/// A model, lowered: its features and what is known about each of its outputs.
#[derive(Debug)]
pub(crate) struct Lowered {
    pub(crate) features: Vec<RawFeature>,
    /// The file says what column each feature is.
    pub(crate) named: bool,
    pub(crate) outputs: Vec<(String, Fact)>,
}

/// Times that a model is lowered at most, each with more nodes that the evaluator computes.
const ROUNDS_MAX: usize = 32;

/// Nodes that are looked for one by one when tract refuses an island; after that, whole islands go to the evaluator.
const CULPRITS_MAX: usize = 16;

/// Lowers the main graph of a model.
pub(crate) fn lower_model(
    builder: &mut Builder,
    model: &ModelProto,
    opsets: &Opsets,
    options: &LoadOptions,
) -> Result<Lowered> {
    let graph = model.graph.as_ref().ok_or_else(|| malformed("a model without a graph"))?;
    let constants = graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let mut sides = Sides { graph, evaluated: HashSet::new(), refusals: Vec::new(), compiled: Compiled::new() };
    for _ in 0..ROUNDS_MAX {
        builder.restart();
        let attempt = Attempt { model, graph, opsets, constants: &constants, options };
        if let Some(lowered) = attempt.run(builder, &mut sides)? {
            return Ok(lowered);
        }
    }
    let first = sides.refusals.into_iter().next();
    Err(first.map_or_else(|| Error::Internal("lowering finds no end".to_string()), |(_, error)| error))
}

/// Who computes which nodes, as far as lowering has found out.
struct Sides<'g> {
    graph: &'g GraphProto,
    evaluated: HashSet<usize>,
    /// Why nodes went to the evaluator, in the order in which that was found.
    refusals: Vec<(usize, Error)>,
    compiled: Compiled,
}

impl Sides<'_> {
    /// Gives nodes that nobody else takes to the evaluator.
    ///
    /// # Errors
    /// The one given, if it is about something else, or the evaluator does not have the operators either.
    fn refuse(&mut self, positions: &[usize], error: Error) -> Result<()> {
        let can_help = matches!(error, Error::UnsupportedOperator { .. } | Error::Island { .. });
        if !can_help || !positions.iter().all(|&position| evaluator_knows(&self.graph.node[position])) {
            return Err(error);
        }
        self.evaluated.extend(positions);
        self.refusals.extend(positions.first().map(|&position| (position, error)));
        Ok(())
    }

    /// Gives the readers of values that cannot leave an island to the evaluator as well.
    fn absorb(&mut self, cut: &Cut, outputs: &[usize]) -> Result<()> {
        let before = self.evaluated.len();
        // Where the readers are with the evaluator already, others between them and the island are not.
        for readers in [cut.readers(outputs), cut.all_readers()] {
            for position in readers {
                let node = &self.graph.node[position];
                if !evaluator_knows(node) {
                    let node = Node::new(node, cut.opsets.of(node));
                    return Err(node.unsupported("it reads a tensor whose extents depend on the row, or are no row's"));
                }
                self.evaluated.insert(position);
            }
            if self.evaluated.len() > before {
                return Ok(());
            }
        }
        Err(cut.first_node().unsupported("its results cannot leave it"))
    }

    /// The error to report when the evaluator cannot compute nodes: why the others do not, if that says more.
    fn reported(&mut self, positions: &[usize], error: Error) -> Error {
        let says_more = |refusal: &Error| matches!(refusal, Error::UnsupportedOperator { why, .. } if !why.is_empty());
        let at = self.refusals.iter().position(|(at, refusal)| positions.contains(at) && says_more(refusal));
        at.map_or(error, |at| self.refusals.swap_remove(at).1)
    }
}

/// One walk over the nodes of a model.
struct Attempt<'m> {
    model: &'m ModelProto,
    graph: &'m GraphProto,
    opsets: &'m Opsets,
    constants: &'m HashMap<&'m str, &'m TensorProto>,
    options: &'m LoadOptions,
}

impl<'m> Attempt<'m> {
    /// Lowers the model; `None` when nodes were found that somebody else must compute.
    fn run(&self, builder: &mut Builder, sides: &mut Sides) -> Result<Option<Lowered>> {
        let graph = self.graph;
        let Inputs { features, named, facts } = read_inputs(builder, graph, self.options)?;
        let order = sorted_nodes(graph, &|_| false)?;
        unique("output", graph.output.iter().map(|output| output.name.as_str()))?;
        let mut scope = Scope::new(self.opsets, None);
        scope.facts.extend(facts);
        scope.read_constants(builder, graph)?;
        // Values that are not known in this attempt, and those made of them.
        let mut unknown: HashSet<&str> = HashSet::new();
        for work in island::schedule(graph, &order, &sides.evaluated) {
            let positions = work.positions();
            let nodes = positions.iter().map(|&position| &graph.node[position]);
            let waits = nodes.clone().flat_map(names_read).any(|name| unknown.contains(name));
            if waits || !self.lower(builder, &mut scope, sides, &work)? {
                unknown.extend(nodes.flat_map(|node| &node.output).map(String::as_str).filter(|name| !name.is_empty()));
            }
        }
        if !unknown.is_empty() {
            return Ok(None);
        }
        let outputs = scope.take_outputs(graph)?;
        let outputs: Vec<(String, Fact)> =
            outputs.into_iter().map(|(name, fact)| answerable(builder, name, fact)).collect::<Result<_>>()?;
        Ok(Some(Lowered { features, named, outputs }))
    }

    /// Lowers some nodes; false when somebody else must compute them.
    fn lower(&self, builder: &mut Builder, scope: &mut Scope, sides: &mut Sides, work: &Work) -> Result<bool> {
        let positions = work.positions();
        let find = |name: &str| scope.find(name);
        let (model, graph, opsets, constants) = (self.model, self.graph, self.opsets, self.constants);
        let cut = Cut { model, graph, opsets, constants, positions, find: &find };
        let facts = match work {
            Work::Native(position) => {
                let proto = &graph.node[*position];
                scope.lower_node(builder, &Node::new(proto, opsets.of(proto)))
            }
            Work::Tract(_) => match lower_to_fastest(builder, &cut, &mut sides.compiled) {
                Err(error) if positions.len() > 1 && sides.refusals.len() < CULPRITS_MAX => {
                    sides.refuse(&[cut.culprit(builder)], error)?;
                    return Ok(false);
                }
                facts => facts,
            },
            Work::Tensors(_) => match cut.lower_to_tensors(builder) {
                Ok(facts) => {
                    facts.iter().try_for_each(|(_, fact)| builder.hold(fact))?;
                    Ok(facts)
                }
                Err(Refusal::Failed(error)) => return Err(sides.reported(positions, error)),
                Err(Refusal::Inside(outputs)) => {
                    sides.absorb(&cut, &outputs)?;
                    return Ok(false);
                }
            },
        };
        match facts {
            Ok(facts) => {
                scope.facts.extend(facts);
                Ok(true)
            }
            Err(error) => {
                sides.refuse(positions, error)?;
                Ok(false)
            }
        }
    }
}

/// Lowers nodes that tract has as well: to the evaluator where kernels compute what takes long, else to tract.
fn lower_to_fastest(builder: &mut Builder, cut: &Cut, compiled: &mut Compiled) -> Result<Vec<(String, Fact)>> {
    match cut.lower_to_kernels(builder) {
        Some(facts) => {
            facts.iter().try_for_each(|(_, fact)| builder.hold(fact))?;
            Ok(facts)
        }
        None => cut.lower_to_tract(builder, compiled),
    }
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
    pub(super) fn new(opsets: &'s Opsets, outer: Option<&'s Self>) -> Self {
        Self { opsets, outer, facts: HashMap::new() }
    }

    fn find(&self, name: &str) -> Option<&Fact> {
        self.facts.get(name).or_else(|| self.outer.and_then(|outer| outer.find(name)))
    }

    /// Reads the constants that columns can hold; others are for islands only.
    fn read_constants(&mut self, builder: &mut Builder, graph: &GraphProto) -> Result<()> {
        for tensor in graph.initializer.iter().filter(|tensor| !is_narrow(tensor)) {
            let constant = Fact::Constant(read_tensor(tensor, builder.limits)?);
            builder.give(&constant);
            self.facts.insert(tensor.name.clone(), constant);
        }
        Ok(())
    }

    /// What a node gives. Where foretell has no operation for it and all it reads is constant, the evaluator computes it.
    fn lower_node(&self, builder: &mut Builder, node: &Node) -> Result<Vec<(String, Fact)>> {
        let facts = match self.lower_natively(builder, node) {
            Err(refusal @ Error::UnsupportedOperator { .. }) if evaluator_knows(node.proto) => {
                match lower_constant(builder, node, self.opsets, &|name| self.find(name)) {
                    Ok(Some(facts)) => facts,
                    Ok(None) | Err(_) => return Err(refusal),
                }
            }
            result => result?,
        };
        facts.iter().try_for_each(|(_, fact)| builder.hold(fact))?;
        Ok(facts)
    }

    pub(super) fn lower_natively(&self, builder: &mut Builder, node: &Node) -> Result<Vec<(String, Fact)>> {
        let facts = match node.op_type() {
            "Scan" if node.domain().is_empty() => super::scan::scan(builder, node, self)?,
            "If" if node.domain().is_empty() => super::scan::branch(builder, node, self)?,
            _ => {
                let inputs = self.inputs(builder, node)?;
                ops::lower(builder, node, &inputs)?
            }
        };
        let named = node.proto.output.iter().filter(|name| !name.is_empty()).count();
        if facts.len() < node.proto.output.len() && named > facts.len() {
            return Err(node.unsupported(format!("its output {} is read", facts.len())));
        }
        Ok(node.proto.output.iter().cloned().zip(facts).collect())
    }

    /// What is known about the inputs of a node.
    pub(crate) fn inputs(&self, builder: &Builder, node: &Node) -> Result<Vec<Fact>> {
        let mut facts = Vec::with_capacity(node.proto.input.len());
        let mut weight = 0;
        for name in &node.proto.input {
            let unknown = || node.unsupported(format!("it reads `{name}`, which columns cannot hold"));
            let fact = match name.as_str() {
                "" => &Fact::Absent,
                name => self.find(name).ok_or_else(unknown)?,
            };
            // A node may read one wide value any number of times.
            weight += fact.weight();
            builder.check_weight(weight)?;
            facts.push(fact.clone());
        }
        Ok(facts)
    }

    /// Lowers a subgraph whose inputs are these, and returns its outputs.
    pub(crate) fn lower_subgraph(
        &self,
        builder: &mut Builder,
        graph: &GraphProto,
        inputs: Vec<Fact>,
    ) -> Result<Vec<Fact>> {
        builder.unroll(graph.node.len())?;
        let held = builder.held();
        let order = sorted_nodes(graph, &|name| self.find(name).is_some())?;
        let mut scope = Scope::new(self.opsets, Some(self));
        scope.facts.extend(graph.input.iter().map(|input| input.name.clone()).zip(inputs));
        scope.read_constants(builder, graph)?;
        for position in order {
            let proto = &graph.node[position];
            let facts = scope.lower_node(builder, &Node::new(proto, self.opsets.of(proto)))?;
            scope.facts.extend(facts);
        }
        builder.let_go(held);
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

/// True for elements that columns have no type for.
fn is_narrow(tensor: &TensorProto) -> bool {
    matches!(ElementType::from_onnx(i64::from(tensor.data_type)), Some(ElementType::Narrow(_)))
}
