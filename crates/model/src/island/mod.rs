//! Tensor islands: the parts of a model that are general tensor computations, run by tract.
//!
//! [`choose`] says which nodes those are, [`plan`] makes a tract plan of them with a symbolic batch, [`tensors`] converts at
//! the borders. An island is one step of the program and shares one plan between all threads.

mod choose;
mod plan;
mod tensors;

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::datatypes::DataType;

use crate::error::{Error, Result};

pub(crate) use choose::{Work, schedule};
pub(crate) use plan::{InputPort, compile};

/// Rows that tract computes at a time: activations of a layer stay in the second-level cache.
const CHUNK_ROWS: usize = 1024;

/// A tensor on the border of an island.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Port {
    /// Arrow type of the elements.
    pub(crate) data_type: DataType,
    /// Extents without the batch.
    pub(crate) shape: Vec<usize>,
    /// Where the batch stands among all dimensions.
    pub(crate) batch: usize,
    /// True if the elements of a row are one list column, false if each is a column.
    pub(crate) packed: bool,
}

impl Port {
    /// Number of columns at this port.
    pub(crate) fn columns(&self) -> usize {
        if self.packed { 1 } else { self.shape.iter().product() }
    }
}

/// Nodes that tract runs.
#[derive(Debug)]
pub(crate) struct Island {
    plan: plan::Plan,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    /// The nodes, for messages.
    nodes: String,
}

impl Island {
    /// The tensors the island gives, in the order of the names asked for.
    pub(crate) fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// Runs the island over the columns of all input ports and returns those of all output ports.
    pub(crate) fn run(&self, inputs: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
        let expected: usize = self.inputs.iter().map(Port::columns).sum();
        if inputs.len() != expected {
            return Err(Error::Internal(format!("an island of {expected} columns got {}", inputs.len())));
        }
        if rows == 0 {
            return self.outputs.iter().map(tensors::empty_columns).collect::<Result<Vec<_>>>().map(|all| all.concat());
        }
        let mut chunks = Vec::with_capacity(rows.div_ceil(CHUNK_ROWS));
        for start in (0..rows).step_by(CHUNK_ROWS) {
            let length = CHUNK_ROWS.min(rows - start);
            let columns: Vec<ArrayRef> = inputs.iter().map(|column| column.slice(start, length)).collect();
            chunks.push(self.run_chunk(&columns, length)?);
        }
        match &chunks[..] {
            [chunk] => Ok(chunk.clone()),
            _ => (0..chunks[0].len())
                .map(|column| {
                    let parts: Vec<&dyn Array> = chunks.iter().map(|chunk| chunk[column].as_ref()).collect();
                    Ok(concat(&parts)?)
                })
                .collect(),
        }
    }

    fn run_chunk(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
        let mut tensors = Vec::with_capacity(self.inputs.len());
        let mut first = 0;
        for port in &self.inputs {
            tensors.push(tensors::tensor(port, &columns[first..first + port.columns()], rows)?);
            first += port.columns();
        }
        let results = self.plan.run(tensors).map_err(|source| Error::Island { nodes: self.nodes.clone(), source })?;
        let mut outputs = Vec::new();
        for (port, tensor) in self.outputs.iter().zip(results) {
            outputs.extend(tensors::columns(port, &tensor, rows)?);
        }
        Ok(outputs)
    }
}
