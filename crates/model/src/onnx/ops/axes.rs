//! Inputs, axes and lists that are attributes in old operator sets and inputs in new ones.

use crate::error::Result;
use crate::onnx::builder::integers;
use crate::onnx::fact::{Fact, RANK_MAX, normal_axis};
use crate::onnx::node::Node;

/// Input `index`, which must be there.
pub(crate) fn input<'f>(node: &Node, inputs: &'f [Fact], index: usize) -> Result<&'f Fact> {
    match inputs.get(index) {
        Some(fact) if !fact.is_absent() => Ok(fact),
        _ => Err(node.malformed(format!("input {index} is missing"))),
    }
}

/// The axis that a possibly negative number means.
pub(crate) fn axis_of(node: &Node, axis: i64, rank: usize) -> Result<usize> {
    normal_axis(axis, rank).ok_or_else(|| node.malformed(format!("axis {axis} of a value with {rank} dimensions")))
}

/// Refuses a value of more dimensions than there may be.
pub(crate) fn check_rank(node: &Node, rank: usize) -> Result<()> {
    match rank > RANK_MAX {
        true => Err(node.malformed(format!("a value with {rank} dimensions, the most is {RANK_MAX}"))),
        false => Ok(()),
    }
}

/// A list of integers that may be left out.
pub(crate) fn optional_ints(node: &Node, inputs: &[Fact], index: usize, what: &str) -> Result<Option<Vec<i64>>> {
    match inputs.get(index) {
        Some(fact) if !fact.is_absent() => integers(node, fact, what).map(Some),
        _ => Ok(None),
    }
}

/// A list of integers: an attribute in old operator sets, an input in new ones.
pub(crate) fn attribute_or_input(node: &Node, inputs: &[Fact], name: &str, index: usize) -> Result<Option<Vec<i64>>> {
    match node.ints(name)? {
        Some(values) => Ok(Some(values.to_vec())),
        None => optional_ints(node, inputs, index, name),
    }
}
