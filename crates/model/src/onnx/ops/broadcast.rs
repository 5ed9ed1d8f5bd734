//! Elementwise operators: numpy broadcasting over columns.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::elements::show;
use crate::error::Result;
use crate::limits::Limits;
use crate::onnx::builder::Builder;
use crate::onnx::fact::{Block, Dim, Fact, span, strides, volume};
use crate::onnx::node::Node;
use crate::program::{ColumnId, Tensor};

/// One element of an operand.
#[derive(Debug, Clone)]
pub(crate) enum Element {
    Column(ColumnId),
    /// An array of length one.
    Value(ArrayRef),
}

impl Element {
    /// The element as a column.
    pub(crate) fn column(&self, builder: &mut Builder, node: &Node) -> Result<ColumnId> {
        match self {
            Self::Column(column) => Ok(*column),
            Self::Value(value) => builder.constant(node, Arc::clone(value)),
        }
    }
}

/// An operand before it is broadcast.
enum Source {
    Constant(Tensor),
    Block(Block),
}

impl Source {
    fn new(builder: &mut Builder, node: &Node, fact: &Fact) -> Result<Self> {
        match fact {
            Fact::Constant(tensor) => Ok(Self::Constant(tensor.clone())),
            other => builder.block(node, other).map(Self::Block),
        }
    }

    fn dims(&self) -> Vec<Dim> {
        match self {
            Self::Constant(tensor) => tensor.shape.iter().map(|&extent| Dim::Known(extent as i64)).collect(),
            Self::Block(block) => block.dims(),
        }
    }

    fn element(&self, position: usize) -> Element {
        match self {
            Self::Constant(tensor) => Element::Value(tensor.values.slice(position, 1)),
            Self::Block(block) => Element::Column(block.columns[position]),
        }
    }
}

/// Dimensions after broadcasting these operands.
fn common_dims(node: &Node, operands: &[Vec<Dim>]) -> Result<Vec<Dim>> {
    let rank = operands.iter().map(Vec::len).max().unwrap_or(0);
    let mut common = vec![Dim::Known(1); rank];
    for dims in operands {
        for (at, dim) in (rank - dims.len()..rank).zip(dims) {
            common[at] = match (common[at], *dim) {
                (one, Dim::Known(1)) => one,
                (Dim::Known(1), other) => other,
                (one, other) if one == other => one,
                (Dim::Batch, _) | (_, Dim::Batch) => return Err(mixes(node, operands)),
                _ => {
                    let shapes: Vec<String> = operands.iter().map(|dims| show(dims)).collect();
                    return Err(node.malformed(format!("shapes {} do not go together", shapes.join(" and "))));
                }
            };
        }
    }
    match common.iter().filter(|dim| **dim == Dim::Batch).count() {
        0 | 1 => Ok(common),
        _ => Err(mixes(node, operands)),
    }
}

fn mixes(node: &Node, operands: &[Vec<Dim>]) -> crate::error::Error {
    let shapes: Vec<String> = operands.iter().map(|dims| show(dims)).collect();
    node.unsupported(format!("it mixes rows: it combines {}", shapes.join(" with ")))
}

/// For every element of a value of dimensions `common`, the position of the element it takes from an operand.
pub(crate) fn source_positions(common: &[Dim], operand: &[Dim]) -> Vec<usize> {
    let extents: Vec<usize> =
        operand.iter().map(|dim| if let Dim::Known(extent) = dim { *extent as usize } else { 1 }).collect();
    let operand_strides = strides(&extents);
    let skipped = common.len() - operand.len();
    let mut positions = vec![0];
    for (axis, dim) in common.iter().enumerate() {
        let Dim::Known(extent) = dim else { continue };
        let stride = match axis.checked_sub(skipped) {
            Some(at) if extents[at] != 1 => operand_strides[at],
            _ => 0,
        };
        let extent = *extent as usize;
        positions = positions.iter().flat_map(|base| (0..extent).map(move |index| base + index * stride)).collect();
    }
    positions
}

/// Broadcasts the operands and computes one column per element of the result.
pub(crate) fn elementwise(
    builder: &mut Builder,
    node: &Node,
    operands: &[&Fact],
    data_type: DataType,
    mut compute: impl FnMut(&mut Builder, &[Element]) -> Result<ColumnId>,
) -> Result<Fact> {
    let sources: Vec<Source> = operands.iter().map(|fact| Source::new(builder, node, fact)).collect::<Result<_>>()?;
    let dims: Vec<Vec<Dim>> = sources.iter().map(Source::dims).collect();
    let common = common_dims(node, &dims)?;
    let batch = common.iter().position(|dim| *dim == Dim::Batch);
    let shape: Vec<usize> = common
        .iter()
        .filter_map(|dim| if let Dim::Known(extent) = dim { Some(*extent as usize) } else { None })
        .collect();
    Limits::check("columns", "columns", span(&shape), builder.limits.columns)?;
    let positions: Vec<Vec<usize>> = dims.iter().map(|dims| source_positions(&common, dims)).collect();
    let mut columns = Vec::with_capacity(volume(&shape));
    for at in 0..volume(&shape) {
        let elements: Vec<Element> =
            sources.iter().zip(&positions).map(|(source, positions)| source.element(positions[at])).collect();
        columns.push(compute(builder, &elements)?);
    }
    Ok(Fact::Block(Block { data_type, shape, batch, columns }))
}
