//! How large the files of a model may be.

use crate::error::{Error, Result};

/// What a file is read for, which decides how large it may be and what to do about one that is larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// The model itself, or data of it, of at most so many bytes.
    Model(u64),
    /// The file `MLmodel`. The signature of a model with 65,536 features takes a third of what is allowed.
    MlModel,
    /// An input example.
    Example,
    /// An answer of a server that is no file.
    Answer,
}

impl Allowance {
    /// The most bytes.
    pub fn bytes(self) -> u64 {
        match self {
            Self::Model(bytes) => bytes,
            Self::MlModel | Self::Example => 16 << 20,
            Self::Answer => 4 << 20,
        }
    }

    /// Checks the size of `file` as far as it is known.
    ///
    /// # Errors
    /// [`Error::TooLarge`] with the cure.
    pub fn check(self, file: &str, bytes: u64) -> Result<()> {
        if bytes <= self.bytes() {
            return Ok(());
        }
        let cure = match self {
            Self::Model(_) => "; raise the limit with `SET foretell.limit_file_bytes = ...` if you trust the file",
            Self::Example => "; WITH (input_example = 'skip') loads the model without it",
            Self::MlModel => "; that is more than MLflow writes there; check that the address is that of a model",
            Self::Answer => {
                "; that is more than an MLflow server says; check that MLFLOW_TRACKING_URI is the address of one"
            }
        };
        Err(Error::TooLarge { file: file.to_owned(), limit: self.bytes(), cure })
    }
}
