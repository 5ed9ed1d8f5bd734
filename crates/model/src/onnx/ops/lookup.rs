//! Elements found by a position that depends on the row: Gather, GatherElements, ArrayFeatureExtractor, OneHot.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, UInt64Array};
use arrow::compute::{concat, take};
use arrow::datatypes::DataType;

use super::axes::{axis_of, input};
use super::elements::{positions, show};
use super::elementwise::convert;
use super::rearrange::gather_constant;
use crate::error::Result;
use crate::limits::Limits;
use crate::onnx::builder::{Builder, Origin, integers};
use crate::onnx::fact::{Axis, Block, Fact, span, volume};
use crate::onnx::node::Node;
use crate::program::{ColumnId, LookupTable, Op, Tensor};

/// Gather.
pub(crate) fn gather(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let axis = node.int_or("axis", 0)?;
    match (input(node, inputs, 0)?, input(node, inputs, 1)?) {
        (value, Fact::Constant(indices)) => Ok(vec![gather_constant(builder, node, value, indices, axis)?]),
        (Fact::Constant(data), indices) => {
            let indices = builder.block(node, indices)?;
            let axis = axis_of(node, axis, data.shape.len())?;
            Ok(vec![Fact::Block(take_rows(builder, node, data, axis, &indices)?)])
        }
        _ => Err(node.unsupported("its data and its indices both depend on the row")),
    }
}

/// Elements of a constant at positions that depend on the row: one table per element of the result.
fn take_rows(builder: &mut Builder, node: &Node, data: &Tensor, axis: usize, indices: &Block) -> Result<Block> {
    let (before, after) = (&data.shape[..axis], &data.shape[axis + 1..]);
    let shape = [before, &indices.shape[..], after].concat();
    Limits::check("columns", "columns", span(&shape), builder.limits.columns)?;
    let mut columns = Vec::with_capacity(volume(&shape));
    for outer in 0..volume(before) {
        for &index in &indices.columns {
            for inner in 0..volume(after) {
                let rows = (0..data.shape[axis] as u64)
                    .map(|row| (outer as u64 * data.shape[axis] as u64 + row) * volume(after) as u64 + inner as u64);
                let table = take(&data.values, &UInt64Array::from_iter_values(rows), None)?;
                columns.push(table_lookup(builder, node, index, table)?);
            }
        }
    }
    let batch = indices.batch.map(|batch| axis + batch);
    Ok(Block { data_type: data.values.data_type().clone(), shape, batch, columns })
}

/// `table[index]`; a table of labels behind the position of a class makes a label.
fn table_lookup(builder: &mut Builder, node: &Node, index: ColumnId, table: ArrayRef) -> Result<ColumnId> {
    let index = builder.cast(node, &[index], &DataType::Int64)?[0];
    let data_type = table.data_type().clone();
    let is_label = matches!(builder.origins.get(&index), Some(Origin::Label(classes)) if classes.len() == table.len());
    let column = builder.one(node, Op::Take(Arc::clone(&table)), vec![index], data_type)?;
    if is_label {
        builder.note(&[column], &Origin::Label(table));
    }
    Ok(column)
}

/// ArrayFeatureExtractor: elements along the last axis.
pub(crate) fn array_feature_extractor(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let (value, indices) = (input(node, inputs, 0)?, input(node, inputs, 1)?);
    if let Fact::Constant(indices) = indices {
        let flat = Tensor { shape: vec![indices.values.len()], values: Arc::clone(&indices.values) };
        let gathered = gather_constant(builder, node, value, &flat, -1)?;
        return Ok(vec![match gathered {
            // One row stands for a matrix of one row.
            Fact::Constant(Tensor { shape, values }) if shape.len() == 1 => {
                Fact::Constant(Tensor { shape: vec![1, shape[0]], values })
            }
            other => other,
        }]);
    }
    let Fact::Constant(table) = value else {
        return Err(node.unsupported("its data and its indices both depend on the row"));
    };
    let indices = builder.block(node, indices)?;
    let before: usize = indices.shape[..indices.batch.unwrap_or(0)].iter().product();
    if before != 1 {
        return Err(node.unsupported(format!("it mixes rows: it reads positions of shape {}", show(&indices.dims()))));
    }
    let last = table.shape.len().saturating_sub(1);
    let matrix = if table.shape.len() < 2 { vec![1, table.values.len()] } else { table.shape.clone() };
    let table = Tensor { shape: matrix, values: Arc::clone(&table.values) };
    let flat = Block { shape: vec![indices.columns.len()], batch: indices.batch.map(|_| 0), ..indices };
    let picked = take_rows(builder, node, &table, last.max(1), &flat)?;
    // All positions lie along one axis: [1, N], or [1, N * k], which stays apart here as [1, N, k].
    let mut shape = picked.shape;
    shape.pop_if(|positions| *positions == 1);
    Ok(vec![Fact::Block(Block { shape, ..picked })])
}

/// GatherElements along an axis other than the batch.
pub(crate) fn gather_elements(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let data = builder.block(node, input(node, inputs, 0)?)?;
    let indices = builder.block(node, input(node, inputs, 1)?)?;
    let axis = axis_of(node, node.int_or("axis", 0)?, data.rank())?;
    let Axis::Inner(inner) = data.axis(axis) else {
        return Err(node.unsupported("it mixes rows: it picks rows by position"));
    };
    let inside = |at: usize| at == inner || indices.shape.get(at) <= data.shape.get(at);
    if data.batch != indices.batch || data.shape.len() != indices.shape.len() || !(0..data.shape.len()).all(inside) {
        return Err(node.unsupported(format!("it reads {} at {}", show(&data.dims()), show(&indices.dims()))));
    }
    let mut columns = Vec::with_capacity(indices.columns.len());
    for at in 0..indices.columns.len() {
        let mut picked = unravel(at, &indices.shape);
        let index = builder.cast(node, &[indices.columns[at]], &DataType::Int64)?[0];
        let mut members = vec![index];
        for position in 0..data.shape[inner] {
            picked[inner] = position;
            let one: Vec<Vec<usize>> = picked.iter().map(|&index| vec![index]).collect();
            members.push(data.columns[positions(&data.shape, &one)[0]]);
        }
        columns.push(builder.one(node, Op::PickColumn, members, data.data_type.clone())?);
    }
    Ok(vec![Fact::Block(Block { columns, data_type: data.data_type, shape: indices.shape, batch: indices.batch })])
}

fn unravel(position: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = position;
    let mut index = vec![0; shape.len()];
    for axis in (0..shape.len()).rev() {
        index[axis] = rest % shape[axis];
        rest /= shape[axis];
    }
    index
}

/// OneHot of ai.onnx: one column per position, on or off.
pub(crate) fn one_hot(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let depth_fact = convert(builder, node, input(node, inputs, 1)?, &DataType::Int64)?;
    let depth = integers(node, &depth_fact, "depth")?.first().copied().unwrap_or_default();
    let Fact::Constant(values) = input(node, inputs, 2)? else {
        return Err(node.unsupported("its values depend on the row"));
    };
    Limits::check("columns", "columns", depth.unsigned_abs(), builder.limits.columns)?;
    let indices = builder.block(node, input(node, inputs, 0)?)?;
    let axis = axis_of(node, node.int_or("axis", -1)?, indices.rank() + 1)?;
    if axis != indices.rank() || values.values.len() != 2 || depth < 1 {
        return Err(node.unsupported("only a new last axis, a positive depth and two values are supported"));
    }
    let (off, on) = (values.values.slice(0, 1), values.values.slice(1, 1));
    let data_type = values.values.data_type().clone();
    let mut columns = Vec::new();
    for index in builder.cast(node, &indices.columns, &DataType::Int64)? {
        for class in 0..depth {
            let keys: ArrayRef = Arc::new(Int64Array::from(vec![class, class - depth]));
            let table = LookupTable::try_new(&keys, &concat(&[&on, &on])?, &off)?;
            columns.push(builder.one(node, Op::Lookup(Arc::new(table)), vec![index], data_type.clone())?);
        }
    }
    let shape = [&indices.shape[..], &[depth as usize]].concat();
    Ok(vec![Fact::Block(Block { data_type, shape, batch: indices.batch, columns })])
}
