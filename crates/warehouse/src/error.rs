//! The one error type of this crate. Every text says what, where, expected, got and the cure; sources are kept.

use std::io;
use std::path::{Path, PathBuf};

use arrow::datatypes::DataType;
use datafusion::error::DataFusionError;
use deltalake::DeltaTableError;

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in a database directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The directory exists, is not empty and was not made by foretell.
    #[error(
        "`{}` is not a foretell database: it is not empty and has no `foretell.json`; give an empty or a new directory",
        .path.display()
    )]
    NotADatabase {
        /// The directory that was to be opened.
        path: PathBuf,
    },
    /// The path of the database is a file.
    #[error("`{}` is a file, expected a database directory", .path.display())]
    NotADirectory {
        /// The path that was to be opened.
        path: PathBuf,
    },
    /// A path that readers of Delta Lake take for another one.
    #[error(
        "`{}` cannot hold a database: `%` before two hexadecimal digits in a path is misread as an escape; rename the directory",
        .path.display()
    )]
    BadPath {
        /// The path that was to be opened, absolute.
        path: PathBuf,
    },
    /// The directory was written by a later foretell.
    #[error(
        "`{}` is a database of a newer foretell: its format is {found}, this foretell reads up to {supported}; upgrade foretell",
        .path.display()
    )]
    NewerFormat {
        /// The database directory.
        path: PathBuf,
        /// Format number in `foretell.json`.
        found: u64,
        /// Highest format number this crate reads.
        supported: u64,
    },
    /// The operating system does not let us write.
    #[error("cannot write `{}`: permission denied; check who owns the database directory or open a copy of it", .path.display())]
    ReadOnly {
        /// The file or directory that could not be written.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Any other failure to read or write a file.
    #[error("cannot {action} `{}`", .path.display())]
    Io {
        /// What was tried, for example `read`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A small JSON file of the directory does not hold what we wrote.
    #[error("`{}` is damaged: it is not the JSON that foretell writes; restore it from a backup", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the parser found.
        source: serde_json::Error,
    },
    /// Another process has held the writer lock for too long.
    #[error("`{}` has been locked by another process for {seconds} seconds; try again when it has finished", .path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long we waited.
        seconds: u64,
    },
    /// A name that cannot become a file name.
    #[error("`{name}` cannot be the name of a {kind}: expected 1 to {max} bytes, got {}", .name.len())]
    BadName {
        /// `table`, `view`, `model`.
        kind: &'static str,
        /// The name as given.
        name: String,
        /// The most bytes a name may have.
        max: usize,
    },
    /// There is one already.
    #[error("{kind} `{name}` already exists; use CREATE OR REPLACE, IF NOT EXISTS or another name")]
    Exists {
        /// `table`, `view`, `model`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// There is none.
    #[error("{kind} `{name}` does not exist")]
    NotFound {
        /// `table`, `view`, `model`.
        kind: &'static str,
        /// The name that was looked for.
        name: String,
    },
    /// The stored bytes of a model are not those that were stored.
    #[error(
        "model `{name}` version {version} was changed on disk: `{}` should have sha256 {expected}, got {got}; create the model again",
        .path.display()
    )]
    ModelChanged {
        /// The model.
        name: String,
        /// Its version.
        version: u32,
        /// The file that holds the bytes.
        path: PathBuf,
        /// Digest recorded when the model was created.
        expected: String,
        /// Digest of the bytes now.
        got: String,
    },
    /// The stored bytes of a model cannot be read.
    #[error(
        "the file of model `{name}` version {version}, `{}`, cannot be read; restore it from a backup, \
         or create the model again: CREATE OR REPLACE MODEL {name} FROM '{from}'",
        .path.display()
    )]
    ModelFile {
        /// The model.
        name: String,
        /// Its version.
        version: u32,
        /// The file that holds the bytes.
        path: PathBuf,
        /// Where the model came from.
        from: String,
        /// The system's error.
        source: io::Error,
    },
    /// A table without columns.
    #[error("table `{table}` has no columns; a stored table needs at least one")]
    NoColumns {
        /// The table to create.
        table: String,
    },
    /// Two columns that Delta Lake cannot tell apart.
    #[error(
        "table `{table}` would have two columns named `{column}` (names that differ only in case count as the same); rename one with AS"
    )]
    DuplicateColumn {
        /// The table to create.
        table: String,
        /// The second column.
        column: String,
    },
    /// A type that a stored table cannot hold.
    #[error("column `{column}` of table `{table}` has type {data_type}, which a stored table cannot hold; {cure}")]
    UnsupportedType {
        /// The table.
        table: String,
        /// Path of the column, `a.b` for a field of a struct.
        column: String,
        /// Its type.
        data_type: DataType,
        /// What to write instead.
        cure: &'static str,
    },
    /// New rows have a column that the table has not.
    #[error("table `{table}` has no column `{column}`; it has {}", list(.columns))]
    UnknownColumn {
        /// The table.
        table: String,
        /// The column of the new rows.
        column: String,
        /// The table's columns.
        columns: Vec<String>,
    },
    /// New rows lack a column that must not be NULL.
    #[error("column `{column}` of table `{table}` is NOT NULL, but the new rows have no such column")]
    MissingColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// New rows have another type.
    #[error("column `{column}` of table `{table}` has type {expected}, the new rows have {got}; CAST them")]
    TypeMismatch {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        expected: DataType,
        /// The type of the new rows.
        got: DataType,
    },
    /// A NULL where there must be none.
    #[error("column `{column}` of table `{table}` is NOT NULL, but {nulls} of the new rows are NULL")]
    NullValue {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// NULL rows in the batch at hand.
        nulls: usize,
    },
    /// A table of another program uses a Delta Lake feature that we could only write wrongly.
    #[error("table `{table}` cannot be written by foretell: it uses {feature}; write it with the program that made it")]
    UnsupportedTable {
        /// The table.
        table: String,
        /// The feature.
        feature: String,
    },
    /// The table changed while a statement that depended on it was running.
    #[error(
        "table `{table}` was changed by another statement while this one was running; nothing was written, run it again"
    )]
    Conflict {
        /// The table.
        table: String,
    },
    /// The table is being written.
    #[error("table `{table}` is being written by another statement; try again when it has finished")]
    InUse {
        /// The table.
        table: String,
    },
    /// Delta Lake refused; the source says why.
    #[error("cannot {action} table `{table}`")]
    Delta {
        /// What was tried, for example `read`.
        action: &'static str,
        /// The table.
        table: String,
        /// Why.
        #[source]
        source: Box<DeltaTableError>,
    },
    /// The query that produces the rows failed. Nothing was written.
    #[error(transparent)]
    Query(Box<DataFusionError>),
}

impl Error {
    /// An I/O error with its path; a refusal to write becomes [`Error::ReadOnly`].
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem if action != "read" => {
                Self::ReadOnly { path, source }
            }
            _ => Self::Io { action, path, source },
        }
    }

    /// A Delta Lake error with its table.
    pub(crate) fn delta(action: &'static str, table: &str, source: impl Into<DeltaTableError>) -> Self {
        Self::Delta { action, table: table.to_string(), source: Box::new(source.into()) }
    }
}

impl From<DataFusionError> for Error {
    /// Takes our own error out again when it has travelled through a query.
    fn from(error: DataFusionError) -> Self {
        match error {
            DataFusionError::External(source) => match source.downcast::<Self>() {
                Ok(own) => *own,
                Err(source) => Self::Query(Box::new(DataFusionError::External(source))),
            },
            other => Self::Query(Box::new(other)),
        }
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        match error {
            Error::Query(query) => *query,
            other => Self::External(Box::new(other)),
        }
    }
}

/// "`a`, `b`, `c`"
fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_to_write_names_the_path() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let error = Error::io("create", Path::new("/srv/db/trash"), denied());
        insta::assert_snapshot!(error, @"cannot write `/srv/db/trash`: permission denied; check who owns the database directory or open a copy of it");
        assert!(matches!(Error::io("read", Path::new("/srv/db/lock"), denied()), Error::Io { .. }));
    }

    #[test]
    fn our_errors_survive_a_query() {
        let error = Error::NotFound { kind: "table", name: "t".to_string() };
        assert!(matches!(Error::from(DataFusionError::from(error)), Error::NotFound { .. }));
    }
}
