//! What can go wrong in a statement.

use std::fmt::{self, Display, Formatter};

use datafusion::error::DataFusionError;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a statement failed. The message is for its author; [`source`](std::error::Error::source) gives the cause behind it, if
/// the message does not say it already.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Planning or running the statement failed.
    Query(DataFusionError),

    /// The statement names a table that is not there.
    NoTable {
        /// The name, or the path.
        name: String,
        /// The table whose name is most like it.
        nearest: Option<String>,
    },

    /// The text is not SQL.
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
    Warehouse(foretell_warehouse::Error),
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query(error) => f.write_str(&message_of(error)),
            Self::NoTable { name, nearest: Some(nearest) } => {
                write!(f, "no table is called `{name}`; did you mean `{nearest}`?")
            }
            Self::NoTable { name, nearest: None } if name.contains(['.', '/']) => {
                write!(f, "no file `{name}`, and no table of that name")
            }
            Self::NoTable { name, nearest: None } => write!(f, "no table is called `{name}`"),
            Self::Syntax { message, .. } => f.write_str(message),
            #[cfg(feature = "warehouse")]
            Self::Warehouse(error) => Display::fmt(error, f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Query(error) => unsaid_cause(error, &message_of(error)),
            Self::NoTable { .. } | Self::Syntax { .. } => None,
            #[cfg(feature = "warehouse")]
            Self::Warehouse(error) => std::error::Error::source(error),
        }
    }
}

/// The first cause behind `error` that `message` does not contain.
fn unsaid_cause<'a>(error: &'a DataFusionError, message: &str) -> Option<&'a (dyn std::error::Error + 'static)> {
    let mut cause = std::error::Error::source(error);
    while let Some(found) = cause {
        let said = match found.downcast_ref::<DataFusionError>() {
            Some(found) => message.contains(&message_of(found)),
            None => message.contains(&found.to_string()),
        };
        if !said {
            return Some(found);
        }
        cause = found.source();
    }
    None
}

#[cfg(feature = "warehouse")]
impl From<foretell_warehouse::Error> for Error {
    fn from(error: foretell_warehouse::Error) -> Self {
        Self::Warehouse(error)
    }
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

/// The message with the cause behind it, if the message does not say it already.
pub(crate) fn told(error: &DataFusionError) -> String {
    let message = message_of(error);
    match unsaid_cause(error, &message) {
        Some(cause) => format!("{message} ({cause})"),
        None => message,
    }
}

/// True for the contexts that DataFusion's analyzer and optimizer put around an error: names of rules.
fn inner_is_named(context: &str) -> bool {
    !context.contains(' ') || context.starts_with("Optimizer rule")
}

/// The table that a plan's error says is missing, as the user wrote it.
pub(crate) fn missing_table(error: &DataFusionError) -> Option<String> {
    let message = message_of(error);
    let name = message.strip_prefix("table '")?.strip_suffix("' not found")?;
    Some(name.strip_prefix("foretell.public.").unwrap_or(name).to_owned())
}
