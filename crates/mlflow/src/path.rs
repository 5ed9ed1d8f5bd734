//! Paths that stay inside a directory.

use std::fmt::{self, Display, Formatter};

use crate::error::{Error, Result};

/// A path to a file in a directory or below it. Files name other files by such paths, and files come from strangers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnerPath {
    parts: Vec<String>,
}

impl InnerPath {
    /// Reads a path with `/` between its parts.
    ///
    /// # Errors
    /// [`Error::Path`] when it is empty, absolute, or goes up.
    pub fn parse(text: &str) -> Result<Self> {
        let refused = |why| Err(Error::Path { path: text.to_owned(), why });
        let drive = text.as_bytes().get(1) == Some(&b':') && text.as_bytes()[0].is_ascii_alphabetic();
        if text.starts_with('/') || drive {
            return refused("it is absolute");
        }
        if text.contains(['\\', '\0']) {
            return refused("its parts are not separated by `/`");
        }
        let parts: Vec<String> =
            text.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect();
        if parts.iter().any(|part| part == "..") {
            return refused("it goes up");
        }
        if parts.is_empty() { refused("it is empty") } else { Ok(Self { parts }) }
    }

    /// The file that a file at this path calls `text`: from the directory they share.
    ///
    /// # Errors
    /// As [`InnerPath::parse`].
    pub fn beside(&self, text: &str) -> Result<Self> {
        let Self { parts } = Self::parse(text)?;
        let parent = &self.parts[..self.parts.len() - 1];
        Ok(Self { parts: parent.iter().cloned().chain(parts).collect() })
    }

    /// The names on the way, the file's own last.
    pub fn parts(&self) -> &[String] {
        &self.parts
    }
}

impl Display for InnerPath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_is_in_the_same_directory() {
        let path = InnerPath::parse("a/b/model.onnx").expect("inside");
        assert_eq!(path.beside("data/x").expect("inside").to_string(), "a/b/data/x");
        assert!(path.beside("../x").is_err());
    }

    #[test]
    fn a_path_stays_inside() {
        for (text, expected) in [("model.onnx", "model.onnx"), ("./a//b c/model", "a/b c/model"), ("a/...", "a/...")] {
            assert_eq!(InnerPath::parse(text).expect(text).to_string(), expected);
        }
        for text in ["", ".", "/", "/etc/passwd", "..", "../x", "a/../../x", "..\\x", "C:/x", "c:x", "a\0b", "a/.."] {
            assert!(InnerPath::parse(text).is_err(), "{text}");
        }
    }
}
