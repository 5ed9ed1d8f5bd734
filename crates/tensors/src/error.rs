//! What can go wrong while a graph is compiled or run.

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Result of an operator, before it is known which node asked.
pub type Outcome<T> = std::result::Result<T, Fault>;

/// Why an operator gives no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The operator, or something it is asked for, does not exist here.
    #[error("it is not supported{}", reason(.0))]
    Unsupported(String),
    /// Inputs or attributes break the operator's rules.
    #[error("{0}")]
    Invalid(String),
    /// The answer would not fit into the memory that is left.
    #[error("it needs {needed} bytes, of {limit} allowed {left} are left")]
    Memory {
        /// Bytes asked for.
        needed: u64,
        /// Bytes not in use.
        left: u64,
        /// Bytes allowed in all.
        limit: u64,
    },
    /// The work exceeds what is allowed, as an endless loop does.
    #[error("it needs more than the {limit} elementary operations allowed")]
    Work {
        /// Operations allowed in all.
        limit: u64,
    },
    /// A node inside a body of this node failed.
    #[error(transparent)]
    Inner(#[from] Box<Error>),
}

impl Fault {
    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid(what.into())
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(what.into())
    }
}

fn reason(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

/// Why a graph cannot be compiled or run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A node failed.
    #[error("operator `{operator}` (node `{node}`, opset {opset}): {fault}")]
    Node {
        /// The operator with its domain, such as `ai.onnx.Conv`.
        operator: String,
        /// The node's name, or its first output's.
        node: String,
        /// Version of the operator set.
        opset: i64,
        /// What went wrong.
        fault: Fault,
    },
    /// The nodes do not fit together.
    #[error("not a valid graph: {0}")]
    Graph(String),
    /// The inputs given do not fit the graph.
    #[error("{0}")]
    Inputs(String),
}
