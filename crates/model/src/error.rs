//! What can go wrong with a model, by what its user can do about it.

use std::path::PathBuf;

use arrow::error::ArrowError;
use foretell_tensors::Fault;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a model cannot be loaded or run.
///
/// Messages say what was expected, what was got and the cure if there is one; the source chain is kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// The bytes are not a model, or a broken one.
    #[error("not a valid {format} model: {what}")]
    Malformed {
        /// The format the bytes were taken for.
        format: &'static str,
        /// What is wrong, and where.
        what: String,
    },

    /// The bytes are something else than a model of a format that foretell reads.
    #[error("the file is {what}, not a model that foretell reads; {cure}")]
    NotAModel {
        /// What the bytes are.
        what: &'static str,
        /// What to do instead.
        cure: &'static str,
    },

    /// A sound model of a format without operators, such as XGBoost's, that uses something foretell does not have.
    #[error("the {format} model {what}")]
    Unsupported {
        /// The format.
        format: &'static str,
        /// What about the model is not supported, and the cure if there is one.
        what: String,
    },

    /// The model uses an operator that foretell does not have.
    #[error("operator `{operator}` (node `{node}`, opset {opset}) is not supported{}", reason(.why))]
    UnsupportedOperator {
        /// The operator with its domain, such as `ai.onnx.ml.Scaler`.
        operator: String,
        /// The node's name in the file, or its position.
        node: String,
        /// The operator set version the file asks for.
        opset: i64,
        /// What about it is not supported; empty if nothing of the operator is.
        why: String,
    },

    /// The model is larger than the limits allow.
    #[error(
        "the model has {got} {what}, the limit is {limit}; raise it with `SET foretell.limit_{name} = ...` if you trust the file"
    )]
    Limit {
        /// The thing counted, such as `tree nodes`.
        what: &'static str,
        /// The limit's name in [`crate::Limits`].
        name: &'static str,
        /// How many the file has.
        got: u64,
        /// How many are allowed.
        limit: u64,
    },

    /// The signature asked for does not fit the file.
    #[error("{0}")]
    Signature(String),

    /// The columns given do not fit the model.
    #[error("{0}")]
    Arguments(String),

    /// The model refuses a row.
    #[error("row {row}: {why}")]
    Row {
        /// Zero-based position in the batch.
        row: usize,
        /// Why.
        why: String,
    },

    /// A tensor island failed in tract.
    #[error("tensor operators {nodes} failed in tract")]
    Island {
        /// The nodes of the island.
        nodes: String,
        /// What tract said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// An operator of the tensor evaluator failed.
    #[error("tensor operators{} failed", of_nodes(.nodes))]
    Tensors {
        /// The nodes of the island; empty for a whole file.
        nodes: String,
        /// Which node failed, and why.
        source: foretell_tensors::Error,
    },

    /// Arrow failed.
    #[error(transparent)]
    Arrow(#[from] ArrowError),

    /// An invariant of foretell does not hold: a bug of ours, never of the user's.
    #[error("internal error of foretell: {0}; please report it with the model")]
    Internal(String),
}

impl Error {
    /// An error of the tensor evaluator: an operator that does not exist, and a limit, are told as everywhere.
    pub(crate) fn tensors(nodes: &str, source: foretell_tensors::Error) -> Self {
        if let Some(limit) = limit_reached(&source) {
            return limit;
        }
        match source {
            foretell_tensors::Error::Node { operator, node, opset, fault: Fault::Unsupported(why) } => {
                Self::UnsupportedOperator { operator, node, opset, why }
            }
            foretell_tensors::Error::Graph(what) => Self::Malformed { format: "ONNX", what },
            source => Self::Tensors { nodes: nodes.to_string(), source },
        }
    }
}

/// Whether a run of the tensor evaluator took more memory or work than it may.
pub(crate) fn is_over_limit(error: &foretell_tensors::Error) -> bool {
    limit_reached(error).is_some()
}

/// The limit that a run of the tensor evaluator came to, in whatever body it was.
fn limit_reached(error: &foretell_tensors::Error) -> Option<Error> {
    let foretell_tensors::Error::Node { fault, .. } = error else { return None };
    Some(match *fault {
        Fault::Inner(ref inner) => return limit_reached(inner),
        Fault::Memory { needed, left, limit } => {
            let got = (limit - left).saturating_add(needed);
            Error::Limit { what: "bytes of tensors in one batch", name: "run_bytes", got, limit }
        }
        Fault::Work { limit } => {
            let got = limit.saturating_add(1);
            Error::Limit { what: "elementary operations or more in one batch", name: "run_work", got, limit }
        }
        _ => return None,
    })
}

fn of_nodes(nodes: &str) -> String {
    if nodes.is_empty() { String::new() } else { format!(" {nodes}") }
}

fn reason(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}
