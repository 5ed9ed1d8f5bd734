//! Self-describing encodings of model files, read through serde straight into the structs of a reader.
//!
//! [`from_json`] takes what libraries write, which is a little more than JSON: `NaN` and `Infinity` are numbers.
//! [`from_ubjson`] takes Universal Binary JSON. Either way an error says at which key it happened, values that a reader does
//! not ask for are passed over without being kept, and what is kept grows with the bytes of the file, never with a count
//! that the file claims.

mod json;
mod ubjson;

use std::fmt::{self, Display};

use serde::de::{self, DeserializeOwned};

use crate::error::{Error, Result};
use crate::limits::Limits;

pub(crate) use json::find_key;

/// Arrays and objects inside each other. The formats known need a dozen.
const DEPTH_MAX: u64 = 64;

/// Reads a value from JSON.
pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8], format: &'static str, limits: &Limits) -> Result<T> {
    json::parse(bytes, limits).map_err(|failure| failure.into_error(format))
}

/// Reads a value from Universal Binary JSON.
pub(crate) fn from_ubjson<T: DeserializeOwned>(bytes: &[u8], format: &'static str, limits: &Limits) -> Result<T> {
    ubjson::parse(bytes, limits).map_err(|failure| failure.into_error(format))
}

/// A text from the file as messages show it.
pub(crate) fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    let shown: String = text.chars().take(CHARS_MAX).flat_map(char::escape_default).collect();
    if text.chars().nth(CHARS_MAX).is_some() { format!("{shown}...") } else { shown }
}

/// Why a value cannot be read, and where it stands.
#[derive(Debug)]
struct Failure {
    /// Keys and indices, the innermost first.
    path: Vec<String>,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    Text(String),
    Limit(Box<Error>),
}

impl Failure {
    fn new(what: impl Into<String>) -> Self {
        Self { path: Vec::new(), cause: Cause::Text(what.into()) }
    }

    /// The value ends where the file does not let it.
    fn early_end(bytes: usize) -> Self {
        Self::new(format!("the file ends early, after {bytes} bytes; copy it again"))
    }

    fn in_key(mut self, key: &str) -> Self {
        self.path.push(format!(".{key}"));
        self
    }

    fn at_index(mut self, index: usize) -> Self {
        self.path.push(format!("[{index}]"));
        self
    }

    fn into_error(self, format: &'static str) -> Error {
        /// Keys and indices that are shown.
        const SHOWN_MAX: usize = 12;
        let rest = if self.path.len() > SHOWN_MAX { "..." } else { "" };
        let path: String = self.path.iter().rev().take(SHOWN_MAX).map(String::as_str).chain([rest]).collect();
        let path = path.trim_start_matches('.');
        match self.cause {
            Cause::Limit(error) => *error,
            Cause::Text(what) if path.is_empty() => Error::Malformed { format, what },
            Cause::Text(what) => Error::Malformed { format, what: format!("`{path}`: {what}") },
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { path: Vec::new(), cause: Cause::Limit(Box::new(error)) }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Text(what) => f.write_str(what),
            Cause::Limit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

impl de::Error for Failure {
    fn custom<T: Display>(what: T) -> Self {
        Self::new(what.to_string())
    }
}

/// What has been read so far of a file, held against the limits.
#[derive(Debug)]
struct Budget<'l> {
    limits: &'l Limits,
    depth: u64,
    string_bytes: u64,
}

impl<'l> Budget<'l> {
    fn new(limits: &'l Limits) -> Self {
        Self { limits, depth: 0, string_bytes: 0 }
    }

    /// An array or object begins.
    fn enter(&mut self) -> Result<(), Failure> {
        self.depth += 1;
        match self.depth > DEPTH_MAX {
            true => Err(Failure::new(format!("values are nested more than {DEPTH_MAX} deep"))),
            false => Ok(()),
        }
    }

    /// It ends.
    fn leave(&mut self) {
        self.depth -= 1;
    }

    /// An array has `elements` elements, or more.
    fn elements(&self, elements: u64) -> Result<(), Failure> {
        Ok(Limits::check("elements in one array", "tensor_elements", elements, self.limits.tensor_elements)?)
    }

    fn string(&mut self, bytes: usize) -> Result<(), Failure> {
        self.string_bytes += bytes as u64;
        Ok(Limits::check("bytes of strings", "string_bytes", self.string_bytes, self.limits.string_bytes)?)
    }
}
