//! What can go wrong in a statement.

use datafusion::error::DataFusionError;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a statement failed. The message is for its author; the causes are kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Planning or running the statement failed.
    #[error("{}", message_of(.0))]
    Query(#[source] DataFusionError),

    /// The text is not SQL.
    #[error("{message}")]
    Syntax {
        /// What is wrong.
        message: String,
        /// Line within the text, from 1; 0 when not known.
        line: u64,
        /// Column within the line, from 1.
        column: u64,
    },

    /// The database directory cannot be used.
    #[cfg(feature = "warehouse")]
    #[error(transparent)]
    Warehouse(#[from] foretell_warehouse::Error),
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        Self::Query(error)
    }
}

/// The message without the kind of error in front, which tells a user nothing, and without outer contexts that name rules.
fn message_of(error: &DataFusionError) -> String {
    match error {
        DataFusionError::Context(context, inner) if inner_is_named(context) => message_of(inner),
        DataFusionError::Context(context, inner) => format!("{context}: {}", message_of(inner)),
        DataFusionError::Diagnostic(_, inner) => message_of(inner),
        DataFusionError::Shared(inner) => message_of(inner),
        DataFusionError::External(inner) => match inner.downcast_ref::<DataFusionError>() {
            Some(inner) => message_of(inner),
            None => inner.to_string(),
        },
        DataFusionError::Collection(all) => all.iter().map(message_of).collect::<Vec<_>>().join("; "),
        other => other.message().into_owned(),
    }
}

/// True for the contexts that DataFusion's analyzer and optimizer put around an error: names of rules.
fn inner_is_named(context: &str) -> bool {
    !context.contains(' ') || context.starts_with("Optimizer rule")
}
