//! Files as networks: graphs that run as a whole, where they cannot be lowered to columns.

use std::collections::HashSet;
use std::sync::Arc;

use foretell_tensors::ElementType;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};

use super::builder::Builder;
use super::decode::malformed;
use super::fact::{Block, Fact, Packed, Ragged};
use super::graph::names_read;
use super::inputs::{Declared, Inputs, add_inputs, declared_inputs};
use super::lower::Lowered;
use super::node::Node;
use super::opsets::Opsets;
use super::tensor_graph::GraphReader;
use crate::engine::{Evaluator, takes_nothing};
use crate::error::{Error, Result};
use crate::island::is_of_places;
use crate::model::LoadOptions;
use crate::network::{Form, Input, Length, Network, Output, Subject, probe};
use crate::program::{ColumnId, Op};
use crate::signature::Extent;

/// Operators that take a scale from all elements they see, the other rows' among them.
const MIXING: [&str; 4] =
    ["DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "DynamicQuantizeMatMulFp8"];

/// Whether a model cannot be lowered to columns, since rows have lengths of their own or its operators mix them.
pub(crate) fn is_needed(builder: &Builder, model: &ModelProto, options: &LoadOptions) -> Result<bool> {
    let graph = main_graph(model)?;
    let inputs = declared_inputs(graph, &builder.map_inputs, options)?;
    Ok(inputs.iter().any(Declared::is_open) || mixes_rows(graph))
}

/// Whether a model that cannot be lowered for this reason may run as a whole.
pub(crate) fn may_help(builder: &Builder, error: &Error) -> bool {
    match error {
        Error::UnsupportedOperator { .. } | Error::Island { .. } | Error::Tensors { .. } => true,
        // Shapes that contradict each other, unless there are as many rows as the exporter had.
        Error::Malformed { .. } => builder.declared_batch.is_some(),
        _ => false,
    }
}

fn mixes_rows(graph: &GraphProto) -> bool {
    has_node(graph, &|node| MIXING.contains(&node.op_type.as_str()))
}

/// Whether there is such a node, in bodies as well.
fn has_node(graph: &GraphProto, is_such: &dyn Fn(&NodeProto) -> bool) -> bool {
    let in_bodies = |node: &NodeProto| {
        node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()).any(|body| has_node(body, is_such))
    };
    graph.node.iter().any(|node| is_such(node) || in_bodies(node))
}

/// Whether tract computes what stands there, for all values. Positions along an inner axis it does not check: one that is too
/// large reads what belongs to another place.
fn is_safe_for_tract(graph: &GraphProto) -> bool {
    let constants = graph.initializer.iter().map(|tensor| tensor.name.as_str());
    let written = graph.node.iter().filter(|node| node.op_type == "Constant").flat_map(|node| &node.output);
    let constants: HashSet<&str> = constants.chain(written.map(String::as_str)).collect();
    let empty = empty_constants(graph);
    let reads_nothing =
        |node: &NodeProto| names_read(node).iter().any(|name| empty.contains(name)) && !takes_nothing(&node.op_type);
    let is_safe = |node: &NodeProto| {
        let is_inner = node.attribute.iter().any(|attribute| attribute.name == "axis" && attribute.i != 0);
        let is_constant = node.input.get(1).is_some_and(|positions| constants.contains(positions.as_str()));
        !reads_nothing(node) && (node.op_type != "Gather" || !is_inner || is_constant)
    };
    let bodies_are_safe =
        |node: &NodeProto| node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()).all(is_safe_for_tract);
    graph.node.iter().all(|node| is_safe(node) && bodies_are_safe(node))
}

/// The constants of a graph that have no elements.
fn empty_constants(graph: &GraphProto) -> HashSet<&str> {
    let is_empty = |tensor: &TensorProto| tensor.dims.contains(&0);
    let given = graph.initializer.iter().filter(|tensor| is_empty(tensor)).map(|tensor| tensor.name.as_str());
    let is_written = |node: &&NodeProto| {
        node.op_type == "Constant" && node.attribute.iter().filter_map(|attribute| attribute.t.as_ref()).any(is_empty)
    };
    let written = graph.node.iter().filter(is_written).flat_map(|node| &node.output);
    given.chain(written.map(String::as_str)).collect()
}

fn main_graph(model: &ModelProto) -> Result<&GraphProto> {
    model.graph.as_ref().ok_or_else(|| malformed("a model without a graph"))
}

/// Lowers a model to one step. The model is taken, since tract takes it: there is no second copy of its weights.
pub(crate) fn lower_network(
    builder: &mut Builder,
    model: ModelProto,
    opsets: &Opsets,
    options: &LoadOptions,
    file_bytes: usize,
) -> Result<Lowered> {
    let graph = main_graph(&model)?;
    let limits = &options.limits;
    let declared = declared_inputs(graph, &builder.map_inputs, options)?;
    if let Some(input) = declared.iter().find(|input| input.is_open())
        && graph.node.iter().any(|node| node.domain == "ai.onnx.ml")
    {
        // These operators work on columns, of which there must be a known number.
        return Err(Error::Signature(format!(
            "input `{}` leaves open how many elements a row has; name the features, or export the model with a fixed shape",
            input.name
        )));
    }
    let reader = GraphReader { opsets, limits };
    let evaluator = Evaluator::new(reader.graph(graph, &|_| false)?, limits.budget());
    let evaluator = evaluator.map_err(|error| Error::tensors("", error))?;
    let inputs = network_inputs(&declared)?;
    let names: Vec<String> = graph.output.iter().map(|output| output.name.clone()).collect();
    let batch = declared.iter().find_map(|input| input.batch).and_then(|rows| usize::try_from(rows).ok());
    let subject = Subject {
        evaluator: &evaluator,
        inputs: &inputs,
        outputs: &names,
        declared_batch: batch,
        file_bytes: file_bytes as u64,
        scales_by_batch: mixes_rows(graph),
        is_of_places: has_node(graph, &is_of_places),
    };
    let found = probe(&subject)?;
    let Inputs { features, named, facts } = add_inputs(builder, &declared, limits)?;
    let columns: Vec<ColumnId> = facts.iter().flat_map(|(_, fact)| columns_of(fact)).collect();
    let outputs = found.outputs.clone();
    let (name, is_safe) = (graph.name.clone(), is_safe_for_tract(graph));
    let network = Network::new(evaluator, is_safe.then_some(model), inputs, found);
    let outputs = push_network(builder, name, network, columns, outputs)?;
    Ok(Lowered { features, named, outputs })
}

fn columns_of(fact: &Fact) -> Vec<ColumnId> {
    match fact {
        Fact::Block(block) => block.columns.clone(),
        Fact::Packed(packed) => vec![packed.column],
        Fact::Ragged(ragged) => vec![ragged.column],
        _ => Vec::new(),
    }
}

/// The inputs, with a number for each length that is open: one for all extents of a name.
fn network_inputs(declared: &[Declared]) -> Result<Vec<Input>> {
    let mut names: Vec<Option<&str>> = Vec::new();
    let mut inputs = Vec::with_capacity(declared.len());
    for input in declared {
        let mut shape = Vec::with_capacity(input.shape.len());
        for extent in &input.shape {
            shape.push(match extent {
                Extent::Fixed(length) => Length::Fixed(*length),
                Extent::Open(name) => {
                    let known = names.iter().position(|other| name.is_some() && *other == name.as_deref());
                    Length::Open(known.unwrap_or_else(|| {
                        names.push(name.as_deref());
                        names.len() - 1
                    }))
                }
            });
        }
        let element = ElementType::from_onnx(i64::from(input.element)).ok_or_else(|| {
            Error::Signature(format!("input `{}` is a map, which no tensor operator reads", input.name))
        })?;
        let (batch, columns) = (input.batch_axis, input.features());
        inputs.push(Input { name: input.name.to_string(), element, shape, batch, columns });
    }
    Ok(inputs)
}

/// The step, and what is known about each output.
fn push_network(
    builder: &mut Builder,
    name: String,
    network: Network,
    columns: Vec<ColumnId>,
    outputs: Vec<Output>,
) -> Result<Vec<(String, Fact)>> {
    let proto = NodeProto { name, ..NodeProto::default() };
    let node = Node::new(&proto, 0);
    let mut types = Vec::new();
    for output in &outputs {
        types.extend(output.column_types()?);
    }
    let mut written = builder.push(&node, Op::Network(Arc::new(network)), columns, types)?.into_iter();
    let mut facts = Vec::with_capacity(outputs.len());
    for output in outputs {
        let (data_type, form) = (output.data_type.clone(), output.form());
        let shape: Vec<usize> = output.shape.iter().flatten().copied().collect();
        let missing = || Error::Internal("a network without the columns of an output".to_string());
        let fact = match form {
            Form::Columns(count) => {
                Fact::Block(Block { data_type, shape, batch: Some(0), columns: written.by_ref().take(count).collect() })
            }
            Form::Packed(_) => {
                let column = written.next().ok_or_else(missing)?;
                Fact::Packed(Packed { data_type, shape, batch: 0, column })
            }
            Form::Ragged => Fact::Ragged(Ragged { data_type, column: written.next().ok_or_else(missing)? }),
        };
        facts.push((output.name, fact));
    }
    Ok(facts)
}
