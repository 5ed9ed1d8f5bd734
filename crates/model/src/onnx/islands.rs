//! Lowering of a tensor island: its nodes become a model or a graph of their own, and its results columns again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foretell_tensors::{ElementType, Graph, Program};
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};

use super::builder::Builder;
use super::fact::{Dim, Fact};
use super::graph::names_read;
use super::island_values::{Emitted, Given, port_of, tensor_proto};
use super::node::Node;
use super::opsets::Opsets;
use super::tensor::read_island_tensor;
use super::tensor_graph::GraphReader;
use crate::elements::element_type;
use crate::engine::takes_nothing;
use crate::error::{Error, Result};
use crate::island::{
    BATCH_MAX, Dependence, Draft, Evaluated, InputPort, Island, Output, Port, Probe, Refusal, Request, compile,
    evaluate, trusted,
};
use crate::program::{ColumnId, Tensor};

/// What is known about values, by their names.
type Find<'a, 'f> = &'a dyn Fn(&str) -> Option<&'f Fact>;

/// The nodes of an island, and where they stand.
pub(crate) struct Cut<'c, 'f> {
    pub(crate) model: &'c ModelProto,
    pub(crate) graph: &'c GraphProto,
    pub(crate) opsets: &'c Opsets,
    /// The constants of the graph, by their names.
    pub(crate) constants: &'c HashMap<&'c str, &'c TensorProto>,
    pub(crate) positions: &'c [usize],
    pub(crate) find: Find<'c, 'f>,
}

/// Islands of tract by the positions of their nodes: a model is lowered again when a node goes to the evaluator.
pub(crate) type Compiled = HashMap<Vec<usize>, Arc<Island>>;

/// Facts about values that an island writes and others read.
type Facts = Vec<(String, Fact)>;

impl Cut<'_, '_> {
    /// Lowers the nodes as an island of tract.
    pub(crate) fn lower_to_tract(&self, builder: &mut Builder, compiled: &mut Compiled) -> Result<Facts> {
        let outputs = self.names_read_outside();
        let (model, inputs, columns) = self.tract_model(builder, &outputs)?;
        let ports: Vec<Port> = inputs.iter().map(|input| input.port.clone()).collect();
        let island = match compiled.get(self.positions).filter(|island| island.inputs() == ports) {
            Some(island) => Arc::clone(island),
            None => {
                let island = Arc::new(self.tract_island(builder, model, inputs, &columns)?);
                compiled.insert(self.positions.to_vec(), Arc::clone(&island));
                island
            }
        };
        let mut facts = Emitted::new(builder, &self.first_node(), Some(island), columns)?;
        outputs.iter().map(|name| Ok(((*name).to_string(), facts.fact(Output::Port)?))).collect()
    }

    /// Lowers the nodes as an island of the evaluator, if kernels compute what takes long in them: then it is faster than tract.
    pub(crate) fn lower_to_kernels(&self, builder: &mut Builder) -> Option<Facts> {
        let evaluated = self.evaluator_graph(builder).ok()?;
        let is_fast = Program::new(evaluated.0.clone()).is_ok_and(|program| program.is_fast());
        if is_fast { self.lower_graph(builder, evaluated).ok() } else { None }
    }

    /// Compiles an island for any number of rows, or for those that the file has in its shapes.
    fn tract_island(
        &self,
        builder: &mut Builder,
        model: ModelProto,
        inputs: Vec<InputPort>,
        columns: &[ColumnId],
    ) -> Result<Island> {
        let together = compile(model.clone(), inputs.clone(), None, self.describe())
            .and_then(|draft| self.trusted(builder, draft, columns))
            .and_then(|draft| draft.into_island(&Probe { program: &builder.program, columns }));
        let batch = builder.declared_batch.and_then(|batch| usize::try_from(batch).ok());
        let (Err(_), Some(batch @ 1..=BATCH_MAX)) = (&together, batch) else { return together };
        let others = self.names_others_read();
        let read: Vec<bool> = self.names_read_outside().iter().map(|name| others.contains(name)).collect();
        compile(model, inputs, Some(batch), self.describe())
            .and_then(|draft| self.trusted(builder, draft, columns))
            .and_then(|draft| draft.into_batches(batch, &read, &Probe { program: &builder.program, columns }))
            .or(together)
    }

    /// The draft, unless the evaluator has other answers.
    fn trusted(&self, builder: &mut Builder, draft: Draft, columns: &[ColumnId]) -> Result<Draft> {
        let Ok((graph, ..)) = self.evaluator_graph(builder) else { return Ok(draft) };
        let probe = Probe { program: &builder.program, columns };
        trusted(draft, graph, &probe, builder.limits)
            .map_err(|doubt| Error::Island { nodes: self.describe(), source: doubt.into() })
    }

    /// The first node that tract cannot compute, or computes in another way than ONNX asks for.
    pub(crate) fn culprit(&self, builder: &mut Builder) -> usize {
        let (mut sound, mut broken) = (0, self.positions.len());
        while broken - sound > 1 {
            let middle = sound.midpoint(broken);
            let part = Cut { positions: &self.positions[..middle], ..*self };
            let draft = part.tract_model(builder, &part.names_read_outside()).and_then(|(model, inputs, columns)| {
                part.trusted(builder, compile(model, inputs, None, part.describe())?, &columns)
            });
            if draft.is_ok() { sound = middle } else { broken = middle }
        }
        self.positions[broken - 1]
    }

    /// A model that consists of the nodes, its inputs, and their columns.
    fn tract_model(
        &self,
        builder: &mut Builder,
        outputs: &[&str],
    ) -> Result<(ModelProto, Vec<InputPort>, Vec<ColumnId>)> {
        let node = self.first_node();
        if let Some(other) = self.nodes().find(|node| self.opsets.exception(node).is_some()) {
            let other = Node::new(other, self.opsets.of(other));
            return Err(other.unsupported("its function asks for another operator set than the model"));
        }
        let mut inputs = Vec::new();
        let mut columns: Vec<ColumnId> = Vec::new();
        let mut constants = Vec::new();
        for name in self.names_from_outside() {
            match self.fact(&node, name)? {
                Fact::Constant(tensor) if tensor.values.is_empty() && !self.are_shapes(name) => {
                    return Err(node.unsupported(format!("tract over `{name}`, which has no elements")));
                }
                Fact::Constant(tensor) => constants.push(tensor_proto(&node, name, tensor)?),
                Fact::Dims(dims) => {
                    let values = self.concrete_shape(&node, name, &dims.values)?;
                    let shape = if dims.scalar { Vec::new() } else { vec![values.len()] };
                    let values = Arc::new(arrow::array::Int64Array::from(values));
                    constants.push(tensor_proto(&node, name, &Tensor { shape, values })?);
                }
                other => {
                    let (port, read) = port_of(builder, &node, other)?;
                    let element = element_type(&port.data_type).filter(|element| *element != ElementType::Text);
                    let element =
                        element.ok_or_else(|| node.unsupported(format!("tract over {} values", port.data_type)))?;
                    inputs.push(InputPort { name: name.to_string(), element, port });
                    columns.extend(read);
                }
            }
        }
        let value = |name: &&str| ValueInfoProto { name: (*name).to_string(), ..ValueInfoProto::default() };
        let graph = GraphProto {
            name: self.graph.name.clone(),
            node: self.nodes().cloned().collect(),
            initializer: constants,
            output: outputs.iter().map(value).collect(),
            ..GraphProto::default()
        };
        let (ir_version, opset_import) = (self.model.ir_version, self.model.opset_import.clone());
        Ok((ModelProto { ir_version, opset_import, graph: Some(graph), ..ModelProto::default() }, inputs, columns))
    }

    /// The nodes as a graph of the evaluator, its ports and their columns.
    fn evaluator_graph(&self, builder: &mut Builder) -> Result<(Graph, Vec<Port>, Vec<ColumnId>)> {
        let node = self.first_node();
        let mut given = Given::default();
        for name in self.names_from_outside() {
            match self.constants.get(name) {
                // As the file has it, in types that columns do not have.
                Some(&tensor) => {
                    let tensor = read_island_tensor(tensor, builder.limits)?;
                    given.graph.constants.push((name.to_string(), tensor.into()));
                }
                None => given.add(builder, &node, name, self.fact(&node, name)?)?,
            }
        }
        given.add_shapes(&node)?;
        let Given { mut graph, ports, columns, .. } = given;
        let reader = GraphReader { opsets: self.opsets, limits: builder.limits };
        for proto in self.nodes() {
            graph.nodes.push(reader.node(proto, &|_| true)?);
        }
        graph.outputs = self.names_read_outside().into_iter().map(str::to_string).collect();
        Ok((graph, ports, columns))
    }

    /// Lowers the nodes as an island of the evaluator.
    pub(crate) fn lower_to_tensors(&self, builder: &mut Builder) -> Result<Facts, Refusal> {
        let evaluated = self.evaluator_graph(builder)?;
        self.lower_graph(builder, evaluated)
    }

    fn lower_graph(
        &self,
        builder: &mut Builder,
        (graph, ports, columns): (Graph, Vec<Port>, Vec<ColumnId>),
    ) -> Result<Facts, Refusal> {
        let outputs = self.names_read_outside();
        let from_outside = self.names_from_outside();
        let are = |is_such: fn(&Fact) -> bool| {
            from_outside.iter().copied().filter(move |name| (self.find)(name).is_some_and(is_such))
        };
        let of_rows = are(|fact| matches!(fact, Fact::Block(_) | Fact::Packed(_) | Fact::Sequence(_)));
        let of_extents = are(|fact| matches!(fact, Fact::Dims(_)));
        let dependence = Dependence::of(&self.nodes().collect::<Vec<_>>(), of_rows, of_extents);
        let read = self.names_others_read();
        let request = Request {
            of_rows: outputs.iter().map(|name| dependence.of_rows.contains(name)).collect(),
            read: outputs.iter().map(|name| read.contains(name)).collect(),
            steps_depend: dependence.steps,
            declared_batch: builder.declared_batch.and_then(|batch| usize::try_from(batch).ok()),
            limits: builder.limits,
            nodes: self.describe(),
            graph,
            ports,
        };
        let probe = Probe { program: &builder.program, columns: &columns };
        let Evaluated { island, outputs: found } = evaluate(request, &probe)?;
        let mut facts = Emitted::new(builder, &self.first_node(), island.map(Arc::new), columns)?;
        let facts = outputs.iter().zip(found).map(|(name, output)| Ok(((*name).to_string(), facts.fact(output)?)));
        facts.collect::<Result<_>>().map_err(Refusal::Failed)
    }

    /// Positions of the nodes outside that read one of these outputs of the island, by their places.
    pub(crate) fn readers(&self, outputs: &[usize]) -> Vec<usize> {
        let names = self.names_read_outside();
        self.readers_of(&outputs.iter().filter_map(|&at| names.get(at).copied()).collect())
    }

    /// Positions of the nodes outside that read any output of the island.
    pub(crate) fn all_readers(&self) -> Vec<usize> {
        self.readers_of(&self.names_read_outside().into_iter().collect())
    }

    fn readers_of(&self, names: &HashSet<&str>) -> Vec<usize> {
        let reads =
            |position: &usize| names_read(&self.graph.node[*position]).into_iter().any(|name| names.contains(name));
        self.others().filter(reads).collect()
    }

    fn nodes(&self) -> impl Iterator<Item = &NodeProto> {
        self.positions.iter().map(|&position| &self.graph.node[position])
    }

    /// Positions of all other nodes.
    fn others(&self) -> impl Iterator<Item = usize> + use<'_> {
        let inside: HashSet<usize> = self.positions.iter().copied().collect();
        (0..self.graph.node.len()).filter(move |position| !inside.contains(position))
    }

    /// The first node, which messages are about.
    pub(crate) fn first_node(&self) -> Node<'_> {
        let first = &self.graph.node[self.positions[0]];
        Node::new(first, self.opsets.of(first))
    }

    fn fact(&self, node: &Node, name: &str) -> Result<&Fact> {
        (self.find)(name).ok_or_else(|| node.unsupported(format!("it reads `{name}`, which columns cannot hold")))
    }

    /// Whether everybody who reads a constant without elements takes it for a shape, a list of axes or nothing.
    fn are_shapes(&self, name: &str) -> bool {
        self.nodes().filter(|node| names_read(node).contains(&name)).all(|node| takes_nothing(&node.op_type))
    }

    /// A shape with the number of rows in it: a Reshape finds that number itself, an Expand has it already.
    fn concrete_shape(&self, node: &Node, name: &str, dims: &[Dim]) -> Result<Vec<i64>> {
        let readers: Vec<_> = self.nodes().filter(|reader| reader.input.iter().any(|input| input == name)).collect();
        let replacement = match readers.iter().map(|reader| reader.op_type.as_str()).collect::<HashSet<_>>() {
            ops if ops.len() == 1 && ops.contains("Reshape") => -1,
            ops if ops.len() == 1 && ops.contains("Expand") => 1,
            _ => return Err(node.unsupported("tensor operators that compute with the number of rows")),
        };
        if dims.iter().filter(|dim| matches!(dim, Dim::Batch | Dim::Known(-1))).count() > 1 && replacement == -1 {
            return Err(node.unsupported("a shape with two open dimensions"));
        }
        Ok(dims.iter().map(|dim| if let Dim::Known(extent) = dim { *extent } else { replacement }).collect())
    }

    /// Names that the nodes read and none of them writes.
    fn names_from_outside(&self) -> Vec<&str> {
        let written: HashSet<&str> = self.nodes().flat_map(|node| node.output.iter().map(String::as_str)).collect();
        let mut seen = HashSet::new();
        let read = self.nodes().flat_map(names_read);
        read.filter(|name| !written.contains(name) && seen.insert(*name)).collect()
    }

    fn names_others_read(&self) -> HashSet<&str> {
        self.others().flat_map(|position| names_read(&self.graph.node[position])).collect()
    }

    /// Names that the nodes write and others read, or the model returns.
    fn names_read_outside(&self) -> Vec<&str> {
        let mut read = self.names_others_read();
        read.extend(self.graph.output.iter().map(|output| output.name.as_str()));
        let written = self.nodes().flat_map(|node| node.output.iter().map(String::as_str));
        written.filter(|name| !name.is_empty() && read.contains(name)).collect()
    }

    /// The operators of an island, for messages.
    fn describe(&self) -> String {
        const SHOWN: usize = 6;
        let names = self.nodes().take(SHOWN).map(|node| {
            let name = if node.name.is_empty() { node.output.first().map_or("", String::as_str) } else { &node.name };
            format!("{} (`{name}`)", node.op_type)
        });
        let mut text = names.collect::<Vec<_>>().join(", ");
        if self.positions.len() > SHOWN {
            text.push_str(&format!(" and {} more", self.positions.len() - SHOWN));
        }
        text
    }
}

/// Computes a node that reads nothing but constants with the evaluator, now; `None` if it reads something else.
pub(crate) fn lower_constant(
    builder: &mut Builder,
    node: &Node,
    opsets: &Opsets,
    find: Find<'_, '_>,
) -> Result<Option<Facts>, Refusal> {
    let mut given = Given::default();
    for name in names_read(node.proto).into_iter().collect::<HashSet<_>>() {
        match find(name) {
            Some(fact @ (Fact::Constant(_) | Fact::Sequence(_))) => given.add(builder, node, name, fact)?,
            _ => return Ok(None),
        }
    }
    let Given { mut graph, ports, columns, .. } = given;
    if !ports.is_empty() {
        return Ok(None);
    }
    graph.nodes.push(GraphReader { opsets, limits: builder.limits }.node(node.proto, &|_| true)?);
    graph.outputs = node.proto.output.iter().filter(|name| !name.is_empty()).cloned().collect();
    let outputs = graph.outputs.clone();
    let request = Request {
        of_rows: vec![false; outputs.len()],
        read: vec![true; outputs.len()],
        steps_depend: false,
        declared_batch: None,
        limits: builder.limits,
        nodes: format!("{} (`{}`)", node.op_type(), node.name),
        graph,
        ports,
    };
    let found = evaluate(request, &Probe { program: &builder.program, columns: &columns })?;
    let mut facts = Emitted::new(builder, node, found.island.map(Arc::new), columns)?;
    let facts = outputs.into_iter().zip(found.outputs).map(|(name, output)| Ok((name, facts.fact(output)?)));
    facts.collect::<Result<_>>().map(Some).map_err(Refusal::Failed)
}
