//! Values on their way into an island and out of it: constants, shapes with the number of rows, columns, sequences.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type, Int64Type};
use foretell_tensors::{Attribute, Graph, Value};
use tract_onnx::pb::TensorProto;

use super::builder::Builder;
use super::fact::{Block, Dim, Dims, Fact, Packed};
use super::node::Node;
use super::tensor::array;
use crate::elements::{data_of, element_type};
use crate::error::{Error, Result};
use crate::island::{Island, Output, Port};
use crate::program::{ColumnId, Op, Tensor};

/// What an evaluator's graph is given from outside.
#[derive(Default)]
pub(super) struct Given<'f> {
    pub(super) graph: Graph,
    pub(super) ports: Vec<Port>,
    pub(super) columns: Vec<ColumnId>,
    /// Shapes with the number of rows in them.
    shapes: Vec<(String, &'f Dims)>,
}

/// Begins names that no file has.
const OWN: char = '\0';

impl<'f> Given<'f> {
    pub(super) fn add(&mut self, builder: &mut Builder, node: &Node, name: &str, fact: &'f Fact) -> Result<()> {
        match fact {
            Fact::Constant(tensor) => {
                let tensor = foretell_tensors::Tensor::try_new(tensor.shape.clone(), data_of(&tensor.values)?);
                let tensor = tensor.map_err(|fault| Error::Internal(format!("the constant `{name}`: {fault}")))?;
                self.graph.constants.push((name.to_string(), Value::from(tensor)));
            }
            Fact::Dims(dims) => self.shapes.push((name.to_string(), dims)),
            Fact::Sequence(items) if !items.is_empty() => {
                let names: Vec<String> = (0..items.len()).map(|at| format!("{OWN}{name} {at}")).collect();
                for (name, item) in names.iter().zip(items) {
                    self.add(builder, node, name, item)?;
                }
                self.compute("SequenceConstruct", names, name, []);
            }
            other => {
                let (port, columns) = port_of(builder, node, other)?;
                self.graph.inputs.push(name.to_string());
                self.ports.push(port);
                self.columns.extend(columns);
            }
        }
        Ok(())
    }

    /// The shapes with the number of rows in them, which the graph finds in one of its inputs.
    pub(super) fn add_shapes(&mut self, node: &Node) -> Result<()> {
        let shapes = std::mem::take(&mut self.shapes);
        if shapes.is_empty() {
            return Ok(());
        }
        let (Some(port), Some(input)) = (self.ports.first(), self.graph.inputs.first().cloned()) else {
            return Err(node.unsupported("it computes with the number of rows"));
        };
        let batch = port.batch as i64;
        let rows = format!("{OWN}rows");
        self.compute("Shape", vec![input], &rows, [("start", batch), ("end", batch + 1)]);
        for (name, dims) in shapes {
            if dims.scalar {
                self.compute("Squeeze", vec![rows.clone()], &name, []);
                continue;
            }
            let mut parts = Vec::with_capacity(dims.values.len());
            for (at, dim) in dims.values.iter().enumerate() {
                parts.push(match dim {
                    Dim::Batch => rows.clone(),
                    Dim::Known(extent) => {
                        let part = format!("{OWN}{name} {at}");
                        let extent = foretell_tensors::Tensor::vector(vec![*extent]);
                        self.graph.constants.push((part.clone(), extent.into()));
                        part
                    }
                });
            }
            self.compute("Concat", parts, &name, [("axis", 0)]);
        }
        Ok(())
    }

    /// Adds a node of the graph's own.
    fn compute<const N: usize>(&mut self, op: &str, inputs: Vec<String>, output: &str, attributes: [(&str, i64); N]) {
        let attributes = attributes.map(|(name, value)| (name.to_string(), Attribute::Int(value)));
        self.graph.nodes.push(foretell_tensors::Node {
            op_type: op.to_string(),
            opset: OWN_OPSET,
            inputs,
            outputs: vec![output.to_string()],
            attributes: HashMap::from(attributes),
            ..foretell_tensors::Node::default()
        });
    }
}

/// The operator set of nodes that a graph gets besides those of the file.
const OWN_OPSET: i64 = 15;

/// The step of an island; its columns are given out one port after the other.
pub(super) struct Emitted {
    ports: std::vec::IntoIter<Port>,
    columns: std::vec::IntoIter<ColumnId>,
}

impl Emitted {
    pub(super) fn new(
        builder: &mut Builder,
        node: &Node,
        island: Option<Arc<Island>>,
        columns: Vec<ColumnId>,
    ) -> Result<Self> {
        let Some(island) = island else {
            return Ok(Self { ports: Vec::new().into_iter(), columns: Vec::new().into_iter() });
        };
        let ports = island.outputs().to_vec();
        let types = ports.iter().map(Port::column_types).collect::<Result<Vec<_>>>()?.concat();
        let columns = builder.push(node, Op::Island(island), columns, types)?;
        Ok(Self { ports: ports.into_iter(), columns: columns.into_iter() })
    }

    /// What is known about the next output.
    pub(super) fn fact(&mut self, output: Output) -> Result<Fact> {
        Ok(match output {
            Output::Port => {
                let port = self.ports.next();
                let port = port.ok_or_else(|| Error::Internal("an island with too few results".to_string()))?;
                let columns: Vec<ColumnId> = self.columns.by_ref().take(port.columns()).collect();
                // What is folded has one extent more here than in the file; no node reads it.
                let Port { data_type, shape, batch, packed, folded: _ } = port;
                match (packed, &columns[..]) {
                    (true, &[column]) => Fact::Packed(Packed { data_type, shape, batch, column }),
                    _ => Fact::Block(Block { data_type, shape, batch: Some(batch), columns }),
                }
            }
            Output::Sequence(items) => {
                Fact::Sequence(items.into_iter().map(|item| self.fact(item)).collect::<Result<_>>()?)
            }
            Output::Constant(tensor) => {
                let shape = tensor.shape().to_vec();
                Fact::Constant(Tensor { shape, values: array(tensor.into_data())? })
            }
            Output::Rows { values, scalar } => {
                let values = values.into_iter().map(|value| value.map_or(Dim::Batch, Dim::Known)).collect();
                Dims { values, scalar }.into_fact()
            }
        })
    }
}

/// A value that depends on the row, as a tensor of an island, and its columns.
pub(super) fn port_of(builder: &mut Builder, node: &Node, fact: &Fact) -> Result<(Port, Vec<ColumnId>)> {
    if let Fact::Packed(Packed { data_type, shape, batch, column }) = fact {
        let (data_type, shape) = (data_type.clone(), shape.clone());
        let port = Port { data_type, shape, batch: *batch, packed: true, folded: false };
        return Ok((port, vec![*column]));
    }
    let block = builder.block(node, fact)?;
    let batch = block.batch.ok_or_else(|| node.unsupported("a constant that is a column"))?;
    let (data_type, shape) = (block.data_type, block.shape);
    Ok((Port { data_type, shape, batch, packed: false, folded: false }, block.columns))
}

/// A constant in the file's form.
pub(super) fn tensor_proto(node: &Node, name: &str, tensor: &Tensor) -> Result<TensorProto> {
    let dims = tensor.shape.iter().map(|&extent| extent as i64).collect();
    let mut proto = TensorProto { name: name.to_string(), dims, ..TensorProto::default() };
    let values = &tensor.values;
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
    let element = element_type(values.data_type());
    proto.data_type =
        element.ok_or_else(|| Error::Internal(format!("no element for {}", values.data_type())))?.to_onnx();
    Ok(proto)
}
