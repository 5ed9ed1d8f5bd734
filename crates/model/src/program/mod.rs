//! The compiled model: a straight list of steps over columns.
//!
//! Every ONNX value that depends on the row is *k* columns of *n* rows, each an Arrow array without nulls, of the type that the
//! program says; only a text that the caller gives and that nothing does but look it up may be held in another way. A reader lowers
//! its format to [`Step`]s in single assignment form: a [`ColumnId`] is written once, by one step or by the caller. Whatever
//! only renames, reorders or drops columns (Identity, Reshape, Transpose, Concat, Slice, Gather with constant indices) is
//! done while lowering and leaves no step.
//!
//! This module knows no file format and no policy on NULL: the border turns SQL NULL into the value a model understands.

mod execute;
mod ops;

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

pub(crate) use execute::{Plan, RowFailures, run};
pub(crate) use ops::*;

/// A column of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ColumnId(pub(crate) u32);

impl ColumnId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// One operation over whole columns.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// What is computed.
    pub(crate) op: Op,
    /// Columns read, in the order the operation defines.
    pub(crate) inputs: Vec<ColumnId>,
    /// Columns written; their number and types are fixed by the operation.
    pub(crate) outputs: Vec<ColumnId>,
    /// The node of the file this step comes from, for messages.
    pub(crate) node: Arc<str>,
}

/// A model as steps over columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Program {
    /// Type of every column, by [`ColumnId`].
    pub(crate) columns: Vec<DataType>,
    /// Columns that the caller gives, one per feature, in the order of the signature.
    pub(crate) inputs: Vec<ColumnId>,
    /// Steps in an order in which every column is written before it is read.
    pub(crate) steps: Vec<Step>,
}

impl Program {
    /// A new column of this type.
    pub(crate) fn add_column(&mut self, data_type: DataType) -> ColumnId {
        let id = ColumnId(u32::try_from(self.columns.len()).expect("limits keep the number of columns below 2^32"));
        self.columns.push(data_type);
        id
    }

    /// Appends a step that writes new columns of these types, and returns them.
    pub(crate) fn push(
        &mut self,
        node: &Arc<str>,
        op: Op,
        inputs: Vec<ColumnId>,
        output_types: impl IntoIterator<Item = DataType>,
    ) -> Vec<ColumnId> {
        let outputs: Vec<ColumnId> = output_types.into_iter().map(|data_type| self.add_column(data_type)).collect();
        self.steps.push(Step { op, inputs, outputs: outputs.clone(), node: Arc::clone(node) });
        outputs
    }

    /// Type of a column.
    pub(crate) fn data_type(&self, column: ColumnId) -> &DataType {
        &self.columns[column.index()]
    }
}

/// A constant tensor: flat values in row-major order, without nulls.
#[derive(Debug, Clone)]
pub(crate) struct Tensor {
    /// Extent of every axis; empty for a scalar.
    pub(crate) shape: Vec<usize>,
    /// All elements.
    pub(crate) values: ArrayRef,
}
