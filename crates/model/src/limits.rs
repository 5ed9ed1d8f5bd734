//! Bounds on everything that is read from a model file, checked before memory is taken.

use foretell_tensors::Budget;

use crate::error::{Error, Result};

/// How large a model may be. Model files come from strangers.
///
/// The defaults admit every model that the tests know with a wide margin and keep a hostile file from taking the machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Limits {
    /// Size of the file in bytes.
    pub file_bytes: u64,
    /// Nodes of the graph, local functions and subgraphs included.
    pub nodes: u64,
    /// Parts of the file that take room however little they say: nodes, their attributes, constants, declared values.
    pub messages: u64,
    /// Depth of nested subgraphs.
    pub graph_depth: u64,
    /// Elements of one constant tensor or attribute list.
    pub tensor_elements: u64,
    /// Trees of one ensemble.
    pub trees: u64,
    /// Nodes of one ensemble, over all trees.
    pub tree_nodes: u64,
    /// Depth of one tree.
    pub tree_depth: u64,
    /// Features the model takes.
    pub features: u64,
    /// Classes of a classifier.
    pub classes: u64,
    /// Columns of the compiled program, and elements that an operator may make out of fewer.
    pub columns: u64,
    /// Elements of all constants that ConstantOfShape makes: a few bytes of a file ask for any number.
    pub constant_elements: u64,
    /// Steps of the compiled program.
    pub steps: u64,
    /// Bytes of all strings in the file.
    pub string_bytes: u64,
    /// Bytes that the columns of one batch may take at the same time while it is computed.
    pub run_bytes: u64,
    /// Elementary operations that one run of a tensor program may take, so that a loop ends.
    pub run_work: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 2 << 30,
            nodes: 100_000,
            messages: 250_000,
            graph_depth: 16,
            tensor_elements: 512 << 20,
            trees: 100_000,
            tree_nodes: 50_000_000,
            tree_depth: 4_096,
            features: 65_536,
            classes: 65_536,
            columns: 1 << 19,
            constant_elements: 1 << 21,
            steps: 1 << 18,
            string_bytes: 256 << 20,
            run_bytes: 1 << 30,
            run_work: 1 << 42,
        }
    }
}

impl Limits {
    /// What one run of a tensor program may take.
    pub(crate) fn budget(&self) -> Budget {
        Budget { bytes: self.run_bytes, work: self.run_work }
    }

    /// `got` things called `what`, counted by the limit `name`.
    ///
    /// # Errors
    /// [`Error::Limit`] when there are more than `limit`.
    pub(crate) fn check(what: &'static str, name: &'static str, got: u64, limit: u64) -> Result<()> {
        if got > limit { Err(Error::Limit { what, name, got, limit }) } else { Ok(()) }
    }
}
