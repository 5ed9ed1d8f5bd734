//! Operators over the elements of a row: reductions, extremes, softmax, running sums, top-k.

use std::collections::HashSet;

use arrow::array::Int64Array;
use arrow::compute::cast;
use arrow::datatypes::DataType;

use super::axes::{attribute_or_input, axis_of, input};
use super::elements::show;
use crate::error::Result;
use crate::onnx::builder::{Builder, Origin, integers};
use crate::onnx::fact::{Axis, Block, Fact, strides, volume};
use crate::onnx::node::Node;
use crate::program::{AcrossOp, ColumnId, Op, ReduceOp};

/// The reduction an ONNX name means.
pub(crate) fn reduce_op(node: &Node) -> Option<ReduceOp> {
    Some(match node.op_type() {
        "ReduceSum" => ReduceOp::Sum,
        "ReduceMean" => ReduceOp::Mean,
        "ReduceProd" => ReduceOp::Prod,
        "ReduceMin" => ReduceOp::Min,
        "ReduceMax" => ReduceOp::Max,
        "ReduceL1" => ReduceOp::L1,
        "ReduceL2" => ReduceOp::L2,
        "ReduceSumSquare" => ReduceOp::SumSquare,
        "ReduceLogSum" => ReduceOp::LogSum,
        "ReduceLogSumExp" => ReduceOp::LogSumExp,
        _ => return None,
    })
}

/// Positions of the columns that go together when the inner axes `reduced` are taken together, group by group.
fn groups(shape: &[usize], reduced: &[usize]) -> Vec<Vec<usize>> {
    let strides = strides(shape);
    let offsets = |axes: &[usize]| {
        let mut offsets = vec![0];
        for &axis in axes {
            let stride = strides[axis];
            offsets =
                offsets.iter().flat_map(|base| (0..shape[axis]).map(move |index| base + index * stride)).collect();
        }
        offsets
    };
    let kept: Vec<usize> = (0..shape.len()).filter(|axis| !reduced.contains(axis)).collect();
    let inner = offsets(reduced);
    offsets(&kept).into_iter().map(|base| inner.iter().map(|offset| base + offset).collect()).collect()
}

/// The layout after the inner axes `reduced` are gone, or have extent 1.
fn reduced_layout(block: &Block, reduced: &[usize], keep: bool) -> (Vec<usize>, Option<usize>) {
    if keep {
        let shape = (0..block.shape.len()).map(|axis| if reduced.contains(&axis) { 1 } else { block.shape[axis] });
        return (shape.collect(), block.batch);
    }
    let shape = (0..block.shape.len()).filter(|axis| !reduced.contains(axis)).map(|axis| block.shape[axis]);
    let gone_before = |batch: usize| reduced.iter().filter(|&&axis| axis < batch).count();
    (shape.collect(), block.batch.map(|batch| batch - gone_before(batch)))
}

fn inner_axis(node: &Node, block: &Block, axis: i64) -> Result<usize> {
    match block.axis(axis_of(node, axis, block.rank())?) {
        Axis::Inner(axis) => Ok(axis),
        Axis::Batch => {
            Err(node.unsupported(format!("it mixes rows: it works along the batch of {}", show(&block.dims()))))
        }
    }
}

/// The Reduce family.
pub(crate) fn reduce(builder: &mut Builder, node: &Node, inputs: &[Fact], op: ReduceOp) -> Result<Vec<Fact>> {
    let block = builder.block(node, input(node, inputs, 0)?)?;
    let axes = attribute_or_input(node, inputs, "axes", 1)?.filter(|axes| !axes.is_empty());
    let axes = match axes {
        Some(axes) => axes,
        None if node.flag("noop_with_empty_axes", false)? => return Ok(vec![Fact::Block(block)]),
        None => (0..block.rank() as i64).collect(),
    };
    let reduced: Vec<usize> = axes.iter().map(|&axis| inner_axis(node, &block, axis)).collect::<Result<_>>()?;
    if reduced.iter().collect::<HashSet<_>>().len() < reduced.len() {
        return Err(node.malformed("`axes` names an axis twice"));
    }
    let (shape, batch) = reduced_layout(&block, &reduced, node.flag("keepdims", true)?);
    let mut columns = Vec::new();
    for group in groups(&block.shape, &reduced) {
        let members = group.iter().map(|&position| block.columns[position]).collect();
        columns.push(builder.one(node, Op::Reduce(op), members, block.data_type.clone())?);
    }
    Ok(vec![Fact::Block(Block { data_type: block.data_type, shape, batch, columns })])
}

/// ArgMax and ArgMin.
pub(crate) fn arg_extreme(builder: &mut Builder, node: &Node, inputs: &[Fact], largest: bool) -> Result<Vec<Fact>> {
    let block = builder.block(node, input(node, inputs, 0)?)?;
    let axis = inner_axis(node, &block, node.int_or("axis", 0)?)?;
    let last = node.flag("select_last_index", false)?;
    let (shape, batch) = reduced_layout(&block, &[axis], node.flag("keepdims", true)?);
    let mut columns = Vec::new();
    for group in groups(&block.shape, &[axis]) {
        let members = group.iter().map(|&position| block.columns[position]).collect();
        columns.push(builder.one(node, Op::ArgExtreme { largest, last }, members, DataType::Int64)?);
    }
    if largest {
        let classes: Int64Array = (0..block.shape[axis] as i64).collect();
        builder.note(&columns, &Origin::Label(std::sync::Arc::new(classes)));
    } else {
        builder.note(&columns, &Origin::Cluster);
    }
    Ok(vec![Fact::Block(Block { data_type: DataType::Int64, shape, batch, columns })])
}

/// Softmax, LogSoftmax and Hardmax; before operator set 13 all axes from `axis` on are one.
pub(crate) fn softmax(builder: &mut Builder, node: &Node, inputs: &[Fact], op: AcrossOp) -> Result<Vec<Fact>> {
    let block = builder.block(node, input(node, inputs, 0)?)?;
    let since_13 = node.opset >= 13;
    let axis = inner_axis(node, &block, node.int_or("axis", if since_13 { -1 } else { 1 })?)?;
    let axes: Vec<usize> = if since_13 { vec![axis] } else { (axis..block.shape.len()).collect() };
    if !since_13 && block.batch.is_some_and(|batch| batch > axis) {
        return Err(node.unsupported("it mixes rows: it works along the batch"));
    }
    across(builder, node, &block, &axes, op)
}

/// CumSum.
pub(crate) fn cum_sum(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let axis = integers(node, input(node, inputs, 1)?, "axis")?;
    let block = builder.block(node, input(node, inputs, 0)?)?;
    let axis = inner_axis(node, &block, axis.first().copied().unwrap_or_default())?;
    let (exclusive, reverse) = (node.flag("exclusive", false)?, node.flag("reverse", false)?);
    let mut columns = block.columns.clone();
    for mut group in groups(&block.shape, &[axis]) {
        if reverse {
            group.reverse();
        }
        let members: Vec<ColumnId> = group.iter().map(|&position| block.columns[position]).collect();
        let types = vec![block.data_type.clone(); members.len()];
        let mut sums = builder.push(node, Op::Across(AcrossOp::CumSum), members, types)?;
        if exclusive && !sums.is_empty() {
            let zero = cast(&Int64Array::from(vec![0]), &block.data_type)?;
            sums.rotate_right(1);
            sums[0] = builder.constant(node, zero)?;
        }
        for (position, column) in group.into_iter().zip(sums) {
            columns[position] = column;
        }
    }
    Ok(vec![Fact::Block(block.with_columns(block.data_type.clone(), columns))])
}

/// A function of all columns of a group together, which keeps their number.
pub(crate) fn across(
    builder: &mut Builder,
    node: &Node,
    block: &Block,
    axes: &[usize],
    op: AcrossOp,
) -> Result<Vec<Fact>> {
    let data_type = op.output_type(&block.data_type);
    let mut columns = block.columns.clone();
    for group in groups(&block.shape, axes) {
        let members: Vec<ColumnId> = group.iter().map(|&position| block.columns[position]).collect();
        let types = vec![data_type.clone(); members.len()];
        let results = builder.push(node, Op::Across(op), members, types)?;
        for (position, column) in group.into_iter().zip(results) {
            columns[position] = column;
        }
    }
    Ok(vec![Fact::Block(block.with_columns(data_type, columns))])
}

/// TopK.
pub(crate) fn top_k(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let block = builder.block(node, input(node, inputs, 0)?)?;
    let take = match node.int("k")? {
        Some(take) => take,
        None => integers(node, input(node, inputs, 1)?, "k")?.first().copied().unwrap_or_default(),
    };
    let axis = inner_axis(node, &block, node.int_or("axis", -1)?)?;
    let take = usize::try_from(take)
        .ok()
        .filter(|&take| take <= block.shape[axis])
        .ok_or_else(|| node.malformed(format!("it takes {take} of {} elements", block.shape[axis])))?;
    let largest = node.flag("largest", true)?;
    let mut shape = block.shape.clone();
    shape[axis] = take;
    let placeholder = block.columns.first().copied().unwrap_or(ColumnId(0));
    let mut values = vec![placeholder; volume(&shape)];
    let mut indices = values.clone();
    for (group, target) in groups(&block.shape, &[axis]).into_iter().zip(groups(&shape, &[axis])) {
        let members: Vec<ColumnId> = group.iter().map(|&position| block.columns[position]).collect();
        let types = [vec![block.data_type.clone(); take], vec![DataType::Int64; take]].concat();
        let results = builder.push(node, Op::TopK { take, largest }, members, types)?;
        for (rank, &position) in target.iter().enumerate() {
            values[position] = results[rank];
            indices[position] = results[take + rank];
        }
    }
    let batch = block.batch;
    let values = Block { data_type: block.data_type, shape: shape.clone(), batch, columns: values };
    let indices = Block { data_type: DataType::Int64, shape, batch, columns: indices };
    Ok(vec![Fact::Block(values), Fact::Block(indices)])
}
