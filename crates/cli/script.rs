//! Scripts: read whole before the first statement runs, cut into statements, run until the first failure.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use foretell::script::{Statement, split};

use crate::args::Source;
use crate::command;
use crate::failure::Failure;
use crate::shell::Shell;

/// A script and the name its errors go by.
pub struct Script {
    name: String,
    text: String,
    /// Whether it came from `-c`, where a command of the prompt is allowed too.
    typed: bool,
}

impl Script {
    /// Reads the script.
    ///
    /// # Errors
    /// The file or standard input cannot be read or is not UTF-8.
    pub fn read(source: &Source) -> Result<Self, Failure> {
        match source {
            Source::Command { text, number } => {
                let name = number.map_or_else(|| "-c".to_owned(), |number| format!("-c#{number}"));
                Ok(Self { name, text: text.clone(), typed: true })
            }
            Source::File(path) => Self::read_file(path),
            Source::Standard => {
                let mut text = String::new();
                let read = io::stdin().lock().read_to_string(&mut text);
                read.map_err(|error| Failure::message(format!("cannot read standard input: {error}")))?;
                Ok(Self { name: "<stdin>".to_owned(), text, typed: false })
            }
        }
    }

    /// Reads the script in the file `path`.
    ///
    /// # Errors
    /// The file cannot be read or is not UTF-8.
    pub fn read_file(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::message(format!("cannot read script `{name}`: {error}")))?;
        // Editors on Windows put a byte order mark in front, which is not SQL.
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Ok(Self { name, text, typed: false })
    }

    /// Runs the statements one after the other.
    ///
    /// # Errors
    /// The first statement that fails, with its place. Those after it are not run.
    pub async fn run(&self, shell: &mut Shell) -> Result<(), Failure> {
        if self.typed && command::is_command(&self.text) {
            return command::run(shell, &self.text).await.map(drop).map_err(|failure| failure.at(|| self.name.clone()));
        }
        for statement in split(&self.text) {
            if command::is_command(&statement.text) {
                let failure =
                    Failure::message("backslash commands work at the prompt and alone in -c, not in a script");
                return Err(failure.at(|| self.place(&statement, 1, 1)));
            }
            let result = shell.run(&statement.text).await;
            result.map_err(|failure| {
                let (line, column) = fault(&failure);
                failure.at(|| self.place(&statement, line, column))
            })?;
        }
        Ok(())
    }

    /// The place in the script of a place in the statement.
    fn place(&self, statement: &Statement, line: usize, column: usize) -> String {
        let column = if line == 1 { statement.column + column - 1 } else { column };
        format!("{}:{}:{column}", self.name, statement.line + line - 1)
    }
}

/// Where in its statement a failure lies: at the start, unless it is known better.
fn fault(failure: &Failure) -> (usize, usize) {
    let Failure::Error { error, .. } = failure else { return (1, 1) };
    match error.downcast_ref() {
        Some(foretell::Error::Syntax { line, column, .. }) if *line > 0 => {
            (usize::try_from(*line).unwrap_or(1), usize::try_from((*column).max(1)).unwrap_or(1))
        }
        _ => (1, 1),
    }
}
