//! What can stop the program, and how it is told.
//!
//! A failure is printed once, by the outermost caller, so nothing in here decides whether the program goes on.

use std::error::Error;
use std::io::{self, Write};

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;

use crate::print::visible;

/// Why a statement, command or script stopped.
#[derive(Debug)]
pub enum Failure {
    /// Something went wrong that the user has to know.
    Error {
        /// Where it happened: `FILE:LINE:COLUMN`. Unknown for what was typed at the prompt.
        place: Option<String>,
        /// What happened.
        error: Box<dyn Error + Send + Sync>,
    },
    /// The user pressed Ctrl-C.
    Interrupted,
    /// Nobody reads the output any more, as in `foretell -c '...' | head -1`. Not an error.
    OutputClosed,
}

impl Failure {
    /// A failure that consists of a message only.
    pub fn message(message: impl Into<String>) -> Self {
        Failure::from(Box::<dyn Error + Send + Sync>::from(message.into()))
    }

    /// Adds the place, unless a more exact one is known already.
    pub fn at(self, new_place: impl FnOnce() -> String) -> Self {
        match self {
            Failure::Error { place: None, error } => Failure::Error { place: Some(new_place()), error },
            other => other,
        }
    }

    /// Writes the failure to standard error: `error: PLACE: MESSAGE` and one line for each cause. Messages have names from files
    /// in them, and files come from strangers: like data, they do not steer the terminal.
    pub fn report(&self) {
        let text = match self {
            Failure::Error { place, error } => describe(place.as_deref(), error.as_ref()),
            Failure::Interrupted => "cancelled\n".to_owned(),
            Failure::OutputClosed => return,
        };
        // When standard error is closed there is nobody left to tell.
        let _ = io::stderr().lock().write_all(visible(&text).as_bytes());
    }
}

impl From<Box<dyn Error + Send + Sync>> for Failure {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        Failure::Error { place: None, error }
    }
}

impl From<foretell::Error> for Failure {
    fn from(error: foretell::Error) -> Self {
        Failure::Error { place: None, error: Box::new(error) }
    }
}

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Self {
        Failure::from(foretell::Error::from(error))
    }
}

impl From<ArrowError> for Failure {
    fn from(error: ArrowError) -> Self {
        Failure::Error { place: None, error: Box::new(error) }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure::OutputClosed;
        }
        Failure::Error { place: None, error: Box::new(error) }
    }
}

/// The message and its causes. A cause that says again what stands before it, or says it with a preface, is left out.
fn describe(place: Option<&str>, error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut text = match place {
        Some(place) => format!("error: {place}: {told}\n"),
        None => format!("error: {told}\n"),
    };
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !told.contains(&message) && !message.ends_with(&told) {
            text.push_str(&format!("  caused by: {message}\n"));
            told = message;
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl std::fmt::Display for Layer {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|layer| layer as _)
        }
    }

    #[test]
    fn each_cause_is_told_once() {
        let disk = Layer("disk full", None);
        let write = Layer("cannot write: disk full", Some(Box::new(disk)));
        let save = Layer("`scored` is not saved", Some(Box::new(write)));
        assert_eq!(
            describe(Some("a.sql:3:1"), &save),
            "error: a.sql:3:1: `scored` is not saved\n  caused by: cannot write: disk full\n"
        );
    }

    #[test]
    fn a_preface_is_no_news() {
        let plan = Layer("Error during planning: no table `t`", None);
        let query = Layer("no table `t`", Some(Box::new(plan)));
        assert_eq!(describe(None, &query), "error: no table `t`\n");
    }

    #[test]
    fn the_inner_place_wins() {
        let failure = Failure::message("no").at(|| "inner:1:1".to_owned()).at(|| "outer:9:9".to_owned());
        assert!(matches!(failure, Failure::Error { place: Some(place), .. } if place == "inner:1:1"));
    }

    #[test]
    fn a_broken_pipe_is_no_error() {
        assert!(matches!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)), Failure::OutputClosed));
    }
}
