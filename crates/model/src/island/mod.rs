//! Tensor islands.

use arrow::array::ArrayRef;
use tract_onnx::pb::{GraphProto, NodeProto};

use crate::error::{Error, Result};

/// A unit of lowering.
#[derive(Debug)]
pub(crate) enum Work {
    /// A node that becomes steps over columns.
    Native(usize),
    /// Nodes that tract runs together.
    Island(Vec<usize>),
}

/// Which nodes are lowered together, in which order.
pub(crate) fn schedule(_graph: &GraphProto, order: &[usize], _opset: impl Fn(&NodeProto) -> i64) -> Vec<Work> {
    order.iter().map(|&position| Work::Native(position)).collect()
}

/// Nodes that tract runs.
#[derive(Debug)]
pub(crate) struct Island;

impl Island {
    pub(crate) fn run(&self, _inputs: &[ArrayRef], _rows: usize) -> Result<Vec<ArrayRef>> {
        Err(Error::Internal("no islands".to_string()))
    }
}
