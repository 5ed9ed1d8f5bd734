//! The evaluator of `foretell-tensors`, with what a run of it may take.

use foretell_tensors::{Budget, Error, Graph, Program, Tensor, Usage, Value};

/// A compiled graph, shared by all threads.
#[derive(Debug)]
pub(crate) struct Evaluator {
    program: Program,
    budget: Budget,
    /// The outputs of the graph that are given as tensors.
    shown: Vec<bool>,
}

impl Evaluator {
    /// An evaluator that gives all outputs of the graph.
    ///
    /// # Errors
    /// When it lacks an operator of the graph, or the graph is none.
    pub(crate) fn new(graph: Graph, budget: Budget) -> Result<Self, Error> {
        let shown = vec![true; graph.outputs.len()];
        Ok(Self { program: Program::new(graph)?, budget, shown })
    }

    /// Gives only these outputs from now on.
    pub(crate) fn showing(self, shown: Vec<bool>) -> Self {
        Self { shown, ..self }
    }

    /// Whether kernels compute what takes long in it.
    pub(crate) fn is_fast(&self) -> bool {
        self.program.is_fast()
    }

    /// What a run may take.
    pub(crate) fn budget(&self) -> Budget {
        self.budget
    }

    /// Computes the outputs; the tensors of a sequence one after the other.
    pub(crate) fn run(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, Error> {
        self.run_within(inputs, self.budget)
    }

    /// As [`Self::run`], within another budget.
    pub(crate) fn run_within(&self, inputs: Vec<Tensor>, budget: Budget) -> Result<Vec<Tensor>, Error> {
        let (values, _) = self.measure(inputs, budget)?;
        let shown = values.into_iter().zip(&self.shown).filter(|(_, shown)| **shown);
        Ok(shown.flat_map(|(value, _)| leaves(value)).collect())
    }

    /// All outputs of the graph, whatever they are, and what they took.
    pub(crate) fn measure(&self, inputs: Vec<Tensor>, budget: Budget) -> Result<(Vec<Value>, Usage), Error> {
        self.program.run_measured(inputs.into_iter().map(Value::from).collect(), budget)
    }
}

/// The tensors of a value in order; none of a map.
pub(crate) fn leaves(value: Value) -> Vec<Tensor> {
    match value {
        Value::Tensor(tensor) => vec![tensor],
        Value::Optional(Some(value)) => leaves(Value::clone(&value)),
        Value::Sequence(items) => items.iter().cloned().flat_map(leaves).collect(),
        Value::Optional(None) | Value::Map(_) => Vec::new(),
    }
}
