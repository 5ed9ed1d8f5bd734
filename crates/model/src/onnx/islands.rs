//! Lowering of a tensor island: its nodes become a model of their own, and its results columns again.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type, Int64Type};
use tract_onnx::pb::tensor_proto::DataType as Element;
use tract_onnx::pb::{GraphProto, ModelProto, TensorProto, ValueInfoProto};

use super::builder::Builder;
use super::fact::{Block, Dim, Fact, Packed};
use super::graph::names_read;
use super::node::Node;
use crate::error::{Error, Result};
use crate::island::{InputPort, Island, Port, compile};
use crate::program::{ColumnId, Op, Tensor, packed_type};

/// Lowers the nodes at these positions as one island; gives what is known about each value that others read.
pub(crate) fn lower_island<'f>(
    builder: &mut Builder,
    model: &ModelProto,
    graph: &GraphProto,
    positions: &[usize],
    find: &dyn Fn(&str) -> Option<&'f Fact>,
) -> Result<Vec<(String, Fact)>> {
    let opset = model.opset_import.iter().find(|import| import.domain.is_empty()).map_or(1, |import| import.version);
    let node = Node::new(&graph.node[positions[0]], opset);
    let mut inputs = Vec::new();
    let mut columns: Vec<ColumnId> = Vec::new();
    let mut constants = Vec::new();
    for name in names_from_outside(graph, positions) {
        let fact = find(name).ok_or_else(|| Error::Internal(format!("value `{name}` is not known")))?;
        match fact {
            Fact::Constant(tensor) => constants.push(tensor_proto(&node, name, tensor)?),
            Fact::Dims(dims) => {
                let values = concrete_shape(&node, graph, positions, name, &dims.values)?;
                let shape = if dims.scalar { Vec::new() } else { vec![values.len()] };
                let values = Arc::new(arrow::array::Int64Array::from(values));
                constants.push(tensor_proto(&node, name, &Tensor { shape, values })?);
            }
            other => {
                let (input, read) = input_port(builder, &node, name, other)?;
                inputs.push(input);
                columns.extend(read);
            }
        }
    }
    let outputs = names_read_outside(graph, positions);
    let value = |name: &&str| ValueInfoProto { name: (*name).to_string(), ..ValueInfoProto::default() };
    let part = GraphProto {
        name: graph.name.clone(),
        node: positions.iter().map(|&position| graph.node[position].clone()).collect(),
        initializer: constants,
        output: outputs.iter().map(value).collect(),
        ..GraphProto::default()
    };
    let part = ModelProto {
        ir_version: model.ir_version,
        opset_import: model.opset_import.clone(),
        graph: Some(part),
        ..ModelProto::default()
    };
    let island = Arc::new(compile(part, inputs, describe(graph, positions))?);
    push_island(builder, &node, island, columns, &outputs)
}

/// The step of an island, and a fact for each of its outputs.
fn push_island(
    builder: &mut Builder,
    node: &Node,
    island: Arc<Island>,
    columns: Vec<ColumnId>,
    names: &[&str],
) -> Result<Vec<(String, Fact)>> {
    let mut types = Vec::new();
    for port in island.outputs() {
        match port.packed {
            true => types.push(packed_type(&port.data_type, port.shape.iter().product())?),
            false => types.extend(vec![port.data_type.clone(); port.columns()]),
        }
    }
    let ports = island.outputs().to_vec();
    let mut written = builder.push(node, Op::Island(island), columns, types)?.into_iter();
    let mut facts = Vec::with_capacity(names.len());
    for (name, port) in names.iter().zip(ports) {
        let columns: Vec<ColumnId> = written.by_ref().take(port.columns()).collect();
        let Port { data_type, shape, batch, packed } = port;
        let fact = match packed {
            true => Fact::Packed(Packed { data_type, shape, batch, column: columns[0] }),
            false => Fact::Block(Block { data_type, shape, batch: Some(batch), columns }),
        };
        facts.push(((*name).to_string(), fact));
    }
    Ok(facts)
}

/// A value that depends on the row, as a tensor of the island.
fn input_port(builder: &mut Builder, node: &Node, name: &str, fact: &Fact) -> Result<(InputPort, Vec<ColumnId>)> {
    let (port, columns) = match fact {
        Fact::Packed(packed) => {
            let (data_type, shape) = (packed.data_type.clone(), packed.shape.clone());
            (Port { data_type, shape, batch: packed.batch, packed: true }, vec![packed.column])
        }
        other => {
            let block = builder.block(node, other)?;
            let batch = block.batch.ok_or_else(|| node.unsupported("a constant that is a column"))?;
            (Port { data_type: block.data_type, shape: block.shape, batch, packed: false }, block.columns)
        }
    };
    let element = element_of(&port.data_type)
        .ok_or_else(|| node.unsupported(format!("tensor operators over {} values", port.data_type)))?;
    Ok((InputPort { name: name.to_string(), element: element as i32, port }, columns))
}

fn element_of(data_type: &DataType) -> Option<Element> {
    Some(match data_type {
        DataType::Boolean => Element::Bool,
        DataType::Float16 => Element::Float16,
        DataType::Float32 => Element::Float,
        DataType::Float64 => Element::Double,
        DataType::Int8 => Element::Int8,
        DataType::Int16 => Element::Int16,
        DataType::Int32 => Element::Int32,
        DataType::Int64 => Element::Int64,
        DataType::UInt8 => Element::Uint8,
        DataType::UInt16 => Element::Uint16,
        DataType::UInt32 => Element::Uint32,
        DataType::UInt64 => Element::Uint64,
        _ => return None,
    })
}

/// A constant in the file's form.
fn tensor_proto(node: &Node, name: &str, tensor: &Tensor) -> Result<TensorProto> {
    let dims = tensor.shape.iter().map(|&extent| extent as i64).collect();
    let mut proto = TensorProto { name: name.to_string(), dims, ..TensorProto::default() };
    let values = &tensor.values;
    let element = element_of(values.data_type());
    match values.data_type() {
        DataType::Float32 => proto.float_data = values.as_primitive::<Float32Type>().values().to_vec(),
        DataType::Float64 => proto.double_data = values.as_primitive::<Float64Type>().values().to_vec(),
        DataType::Int64 => proto.int64_data = values.as_primitive::<Int64Type>().values().to_vec(),
        DataType::Boolean => proto.int32_data = values.as_boolean().values().iter().map(i32::from).collect(),
        DataType::Float16 => {
            let values = values.as_primitive::<arrow::datatypes::Float16Type>().values();
            proto.raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        }
        DataType::UInt32 | DataType::UInt64 => {
            let wide = arrow::compute::cast(values, &DataType::UInt64)?;
            proto.uint64_data = wide.as_primitive::<arrow::datatypes::UInt64Type>().values().to_vec();
        }
        other if other.is_integer() => {
            let wide = arrow::compute::cast(values, &DataType::Int32)?;
            proto.int32_data = wide.as_primitive::<Int32Type>().values().to_vec();
        }
        other => return Err(node.unsupported(format!("tensor operators over {other} constants"))),
    }
    let element = element.ok_or_else(|| node.unsupported("tensor operators over text"))?;
    proto.data_type = element as i32;
    Ok(proto)
}

/// A shape with the number of rows in it: a Reshape finds that number itself, an Expand has it already.
fn concrete_shape(node: &Node, graph: &GraphProto, positions: &[usize], name: &str, dims: &[Dim]) -> Result<Vec<i64>> {
    let readers: Vec<_> = positions
        .iter()
        .map(|&at| &graph.node[at])
        .filter(|reader| reader.input.iter().any(|input| input == name))
        .collect();
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

/// Names that nodes at these positions read and none of them writes.
fn names_from_outside<'g>(graph: &'g GraphProto, positions: &[usize]) -> Vec<&'g str> {
    let written = names_written(graph, positions);
    let mut seen = HashSet::new();
    let read = positions.iter().flat_map(|&position| names_read(&graph.node[position]));
    read.filter(|name| !written.contains(name) && seen.insert(*name)).collect()
}

/// Names that nodes at these positions write and others read, or the model returns.
fn names_read_outside<'g>(graph: &'g GraphProto, positions: &[usize]) -> Vec<&'g str> {
    let inside: HashSet<usize> = positions.iter().copied().collect();
    let others = (0..graph.node.len()).filter(|position| !inside.contains(position));
    let mut read: HashSet<&str> = others.flat_map(|position| names_read(&graph.node[position])).collect();
    read.extend(graph.output.iter().map(|output| output.name.as_str()));
    let written = positions.iter().flat_map(|&position| graph.node[position].output.iter().map(String::as_str));
    written.filter(|name| !name.is_empty() && read.contains(name)).collect()
}

fn names_written<'g>(graph: &'g GraphProto, positions: &[usize]) -> HashSet<&'g str> {
    positions.iter().flat_map(|&position| graph.node[position].output.iter().map(String::as_str)).collect()
}

/// The operators of an island, for messages.
fn describe(graph: &GraphProto, positions: &[usize]) -> String {
    const SHOWN: usize = 6;
    let names = positions.iter().take(SHOWN).map(|&position| {
        let node = &graph.node[position];
        let name = if node.name.is_empty() { node.output.first().map_or("", String::as_str) } else { &node.name };
        format!("{} (`{name}`)", node.op_type)
    });
    let mut text = names.collect::<Vec<_>>().join(", ");
    if positions.len() > SHOWN {
        text.push_str(&format!(" and {} more", positions.len() - SHOWN));
    }
    text
}
