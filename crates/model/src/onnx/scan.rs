//! Scan over constants and If with a constant condition: both are unrolled while lowering.
//!
//! The nearest-neighbour models of scikit-learn scan over their training rows. A loop whose length depends on the row has
//! no place in a program of straight steps.

use super::builder::Builder;
use super::fact::{Block, Fact};
use super::lower::Scope;
use super::node::Node;
use super::ops::axes::input;
use super::ops::rearrange::{pick_along, stack};
use crate::error::Result;

/// Scan with constant scan inputs along axis 0.
pub(crate) fn scan(builder: &mut Builder, node: &Node, scope: &Scope) -> Result<Vec<Fact>> {
    let body = node.graph("body")?;
    let inputs = scope.inputs(node)?;
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
    let mut state = inputs[..states].to_vec();
    let mut collected: Vec<Vec<Block>> = vec![Vec::with_capacity(steps); body.output.len() - states];
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

fn constant_length(fact: &Fact) -> Option<usize> {
    match fact {
        Fact::Constant(tensor) => tensor.shape.first().copied(),
        _ => None,
    }
}

/// If with a constant condition.
pub(crate) fn branch(builder: &mut Builder, node: &Node, scope: &Scope) -> Result<Vec<Fact>> {
    let inputs = scope.inputs(node)?;
    let condition = match input(node, &inputs, 0)? {
        Fact::Constant(tensor) => {
            use arrow::array::AsArray;
            tensor.values.as_boolean_opt().filter(|values| !values.is_empty()).map(|values| values.value(0))
        }
        _ => None,
    };
    let Some(condition) = condition else { return Err(node.unsupported("its condition depends on the row")) };
    let chosen = node.graph(if condition { "then_branch" } else { "else_branch" })?;
    scope.lower_subgraph(builder, chosen, Vec::new())
}
