//! Scan over constants and If with a constant condition: both are unrolled while lowering.
//!
//! The nearest-neighbour models of scikit-learn scan over their training rows. A loop whose length depends on the row has
//! no place in a program of straight steps. Such a scan that measures distances, of which training sets are full, is one
//! step.

use std::collections::HashMap;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Float32Type};
use foretell_kernels::points::Measure;
use tract_onnx::pb::{GraphProto, NodeProto};

use super::builder::Builder;
use super::fact::{Block, Fact};
use super::lower::Scope;
use super::node::Node;
use super::ops::axes::input;
use super::ops::{distances_to, pick_along, stack};
use crate::error::Result;

/// Scan with constant scan inputs along axis 0.
pub(crate) fn scan(builder: &mut Builder, node: &Node, scope: &Scope) -> Result<Vec<Fact>> {
    let body = node.graph("body")?;
    let inputs = scope.inputs(builder, node)?;
    let scanned = node.int("num_scan_inputs")?.and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
    let states = inputs.len().checked_sub(scanned).ok_or_else(|| node.malformed("`num_scan_inputs` is too large"))?;
    for name in ["scan_input_axes", "scan_input_directions", "scan_output_axes", "scan_output_directions"] {
        if node.ints(name)?.is_some_and(|values| values.iter().any(|&value| value != 0)) {
            return Err(node.unsupported(format!("`{name}` other than 0")));
        }
    }
    let Some(length) = inputs[states..].iter().map(constant_length).collect::<Option<Vec<_>>>() else {
        return Err(node.unsupported("it scans over values that depend on the row"));
    };
    let Some(&steps) = length.first() else { return Err(node.malformed("it scans over nothing")) };
    if length.iter().any(|&other| other != steps) || body.input.len() != inputs.len() || body.output.len() < states {
        return Err(node.malformed("its body does not fit its inputs"));
    }
    if let Some(facts) = distances(builder, node, body, &inputs)? {
        return Ok(facts);
    }
    let mut state = inputs[..states].to_vec();
    let mut collected: Vec<Vec<Block>> = vec![Vec::new(); body.output.len() - states];
    for step in 0..steps {
        let mut arguments = state.clone();
        for scanned in &inputs[states..] {
            arguments.push(pick_along(builder, node, scanned, 0, step)?);
        }
        let mut results = scope.lower_subgraph(builder, body, arguments)?;
        for (collected, result) in collected.iter_mut().zip(results.split_off(states)) {
            collected.push(builder.block(node, &result)?);
        }
        state = results;
    }
    let stacked: Result<Vec<Fact>> = collected.iter().map(|blocks| stack(node, blocks)).collect();
    Ok(state.into_iter().chain(stacked?).collect())
}

/// A loop that measures the distance from a row to each of some points, done at once.
fn distances(builder: &mut Builder, node: &Node, body: &GraphProto, inputs: &[Fact]) -> Result<Option<Vec<Fact>>> {
    let (Some(measure), [Fact::Block(state), Fact::Constant(points)]) = (distance_of(body), inputs) else {
        return Ok(None);
    };
    let numbers = points.values.as_primitive_opt::<Float32Type>();
    let (Some(numbers), [count, features]) = (numbers, &points.shape[..]) else { return Ok(None) };
    if numbers.is_empty()
        || state.data_type != DataType::Float32
        || state.batch != Some(0)
        || state.shape != [*features]
    {
        return Ok(None);
    }
    let columns = distances_to(builder, node, state.columns.clone(), numbers.values(), measure)?;
    let distances = Block { data_type: DataType::Float32, shape: vec![*count], batch: Some(1), columns };
    Ok(Some(vec![inputs[0].clone(), Fact::Block(distances)]))
}

/// The distance a loop body computes between its state and a point, if that is all it does.
fn distance_of(body: &GraphProto) -> Option<Measure> {
    let [state, point] = &body.input[..] else { return None };
    let [same, result] = &body.output[..] else { return None };
    let aliases: HashMap<&str, &str> = body
        .node
        .iter()
        .filter(|node| node.op_type == "Identity")
        .map(|node| Some((node.output.first()?.as_str(), node.input.first()?.as_str())))
        .collect::<Option<_>>()?;
    let source = |name: &'_ str| aliases.get(name).map_or_else(|| name.to_string(), |name| (*name).to_string());
    let work: Vec<&NodeProto> = body.node.iter().filter(|node| node.op_type != "Identity").collect();
    let kinds: Vec<&str> = work.iter().map(|node| node.op_type.as_str()).collect();
    let measure = match kinds[..] {
        ["Sub", "ReduceSumSquare"] => Measure::SquaredDistance,
        ["Sub", "Abs", "ReduceSum"] => Measure::ManhattanDistance,
        _ => return None,
    };
    let chained = work.windows(2).all(|pair| pair[0].output.first() == pair[1].input.first());
    let mut operands: Vec<String> = work[0].input.iter().map(|name| source(name)).collect();
    operands.sort_unstable();
    let mut expected = vec![state.name.clone(), point.name.clone()];
    expected.sort_unstable();
    let sum = work[work.len() - 1];
    let ends = sum.output.first().is_some_and(|name| *name == source(&result.name));
    (chained && ends && operands == expected && source(&same.name) == state.name && sums_features(body, sum))
        .then_some(measure)
}

/// True if a reduction is over axis 1, which is gone then.
fn sums_features(body: &GraphProto, sum: &NodeProto) -> bool {
    let node = Node::new(sum, 0);
    let constant = |name: &String| body.initializer.iter().find(|tensor| tensor.name == *name);
    let axes = match (node.ints("axes"), sum.input.get(1)) {
        (Ok(Some(axes)), _) => axes.to_vec(),
        (Ok(None), Some(name)) => constant(name).map_or_else(Vec::new, |tensor| tensor.int64_data.clone()),
        _ => Vec::new(),
    };
    matches!(axes[..], [1 | -1]) && node.flag("keepdims", true).is_ok_and(|keeps| !keeps)
}

fn constant_length(fact: &Fact) -> Option<usize> {
    match fact {
        Fact::Constant(tensor) => tensor.shape.first().copied(),
        _ => None,
    }
}

/// If with a constant condition.
pub(crate) fn branch(builder: &mut Builder, node: &Node, scope: &Scope) -> Result<Vec<Fact>> {
    let inputs = scope.inputs(builder, node)?;
    let condition = match input(node, &inputs, 0)? {
        Fact::Constant(tensor) => {
            tensor.values.as_boolean_opt().filter(|values| !values.is_empty()).map(|values| values.value(0))
        }
        _ => None,
    };
    let Some(condition) = condition else { return Err(node.unsupported("its condition depends on the row")) };
    let chosen = node.graph(if condition { "then_branch" } else { "else_branch" })?;
    scope.lower_subgraph(builder, chosen, Vec::new())
}
