//! The backslash commands: one table of name, argument, help and action.

use std::path::Path;

use futures::FutureExt;
use futures::future::{self, LocalBoxFuture};

use crate::failure::Failure;
use crate::function_help;
use crate::print::{FORMATS, Format};
use crate::script::Script;
use crate::shell::Shell;

/// Whether the prompt goes on after a command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Flow {
    /// Read the next line.
    Continue,
    /// Leave.
    Quit,
}

/// A backslash command.
pub struct Command {
    /// What is typed after the backslash.
    pub name: &'static str,
    /// What follows the name.
    pub argument: Argument,
    help: &'static str,
    action: Action,
}

/// What a command's argument is: how it appears in the help text and what completes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Argument {
    /// Takes none.
    None,
    /// The name of a table; may be missing.
    Table,
    /// The name of a model; may be missing.
    Model,
    /// The name of a function; may be missing.
    Function,
    /// The name of a format; may be missing.
    Format,
    /// A file to read.
    FileIn,
    /// A file to write; may be missing.
    FileOut,
    /// A number or `all`; may be missing.
    Rows,
    /// `on` or `off`; if missing, the setting is flipped.
    Switch,
}

impl Argument {
    fn placeholder(self) -> &'static str {
        match self {
            Argument::None => "",
            Argument::Table => "[TABLE]",
            Argument::Model => "[MODEL]",
            Argument::Function => "[FUNCTION]",
            Argument::Format => "[NAME]",
            Argument::FileIn => "FILE",
            Argument::FileOut => "[FILE]",
            Argument::Rows => "[N|all]",
            Argument::Switch => "[on|off]",
        }
    }
}

type Action = for<'a> fn(&'a mut Shell, &'a str) -> LocalBoxFuture<'a, Result<Flow, Failure>>;

/// All commands, in the order of the help text.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "?",
        argument: Argument::None,
        help: "list the backslash commands",
        action: |shell, _| say(shell, &help()),
    },
    Command {
        name: "d",
        argument: Argument::Table,
        help: "list the tables, or the columns of TABLE",
        action: |shell, table| match table {
            "" => query(shell, TABLES.to_owned()),
            table => query(shell, format!("DESCRIBE {table}")),
        },
    },
    Command {
        name: "m",
        argument: Argument::Model,
        help: "list the models, or what MODEL takes and returns",
        action: |shell, model| match model {
            "" => query(shell, "SHOW MODELS".to_owned()),
            model => query(shell, format!("DESCRIBE MODEL {model}")),
        },
    },
    Command {
        name: "h",
        argument: Argument::Function,
        help: "list the functions, or explain FUNCTION",
        action: |shell, name| {
            let text = function_help::text(shell.session(), name);
            ready(text.and_then(|text| shell.say(&text)))
        },
    },
    Command {
        name: "format",
        argument: Argument::Format,
        help: "print results as table, csv, tsv, json, ndjson or markdown",
        action: |shell, name| ready(set_format(shell, name)),
    },
    Command {
        name: "x",
        argument: Argument::Switch,
        help: "expanded display: each value of a table on its own line",
        action: |shell, value| {
            let set = switch(value, shell.display.expanded).map(|on| shell.display.expanded = on);
            ready(set.and_then(|()| shell.say(&state("expanded display", shell.display.expanded))))
        },
    },
    Command {
        name: "rows",
        argument: Argument::Rows,
        help: "show at most N rows of a table at the prompt",
        action: |shell, value| ready(set_rows(shell, value)),
    },
    Command {
        name: "timing",
        argument: Argument::Switch,
        help: "tell how long each statement took",
        action: |shell, value| {
            let set = switch(value, shell.display.timing).map(|on| shell.display.timing = on);
            ready(set.and_then(|()| shell.say(&state("timing", shell.display.timing))))
        },
    },
    Command {
        name: "i",
        argument: Argument::FileIn,
        help: "run the SQL script FILE",
        action: |shell, file| include(shell, file).boxed_local(),
    },
    Command {
        name: "o",
        argument: Argument::FileOut,
        help: "write results to FILE, or to the screen again",
        action: |shell, file| ready(shell.redirect(Some(file).filter(|file| !file.is_empty()).map(Path::new))),
    },
    Command {
        name: "q",
        argument: Argument::None,
        help: "leave (so does Ctrl-D)",
        action: |_, _| async { Ok(Flow::Quit) }.boxed_local(),
    },
];

const TABLES: &str = "SELECT table_schema, table_name, table_type FROM information_schema.tables \
    WHERE table_schema <> 'information_schema' ORDER BY table_schema, table_name";

/// Whether the text is a command and not SQL.
pub fn is_command(text: &str) -> bool {
    text.trim_start().starts_with('\\')
}

/// Splits `\name argument`. A semicolon after it, which the fingers add by themselves, is dropped.
pub fn split(text: &str) -> (&str, &str) {
    let text = text.trim().trim_end_matches(';').trim_end();
    let text = text.strip_prefix('\\').unwrap_or(text);
    let (name, argument) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (name, argument.trim_start())
}

/// Runs a backslash command.
///
/// # Errors
/// There is no such command, or it fails.
pub async fn run(shell: &mut Shell, text: &str) -> Result<Flow, Failure> {
    let (name, argument) = split(text);
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return Err(Failure::message(format!("no command `\\{name}`; `\\?` lists the commands")));
    };
    if command.argument == Argument::None && !argument.is_empty() {
        return Err(Failure::message(format!("`\\{name}` takes no argument, got `{argument}`")));
    }
    (command.action)(shell, argument).await
}

fn help() -> String {
    let mut text = String::new();
    for command in COMMANDS {
        let left = format!("\\{} {}", command.name, command.argument.placeholder());
        text.push_str(&format!("{left:<18} {}\n", command.help));
    }
    text.push_str("\nA statement may take several lines and ends with `;`. Tab completes, Ctrl-C cancels.\n");
    text
}

fn ready(result: Result<(), Failure>) -> LocalBoxFuture<'static, Result<Flow, Failure>> {
    future::ready(result.map(|()| Flow::Continue)).boxed_local()
}

fn say(shell: &mut Shell, text: &str) -> LocalBoxFuture<'static, Result<Flow, Failure>> {
    ready(shell.say(text))
}

fn query(shell: &mut Shell, statement: String) -> LocalBoxFuture<'_, Result<Flow, Failure>> {
    async move { shell.run_whole(&statement).await.map(|()| Flow::Continue) }.boxed_local()
}

async fn include(shell: &mut Shell, file: &str) -> Result<Flow, Failure> {
    if file.is_empty() {
        return Err(Failure::message("`\\i` needs the name of a script: `\\i FILE`"));
    }
    Script::read_file(Path::new(file))?.run(shell).await?;
    Ok(Flow::Continue)
}

fn set_format(shell: &mut Shell, name: &str) -> Result<(), Failure> {
    if name.is_empty() {
        let names: Vec<&str> = FORMATS.iter().map(|(name, _)| *name).collect();
        let current = shell.display.format.name();
        return shell.say(&format!("format is {current}; there are {}\n", names.join(", ")));
    }
    shell.display.format = Format::from_name(name).ok_or_else(|| Failure::message(Format::unknown(name)))?;
    Ok(())
}

fn set_rows(shell: &mut Shell, value: &str) -> Result<(), Failure> {
    shell.display.rows_max = match value {
        "" => {
            let rows = shell.display.rows_max.map_or_else(|| "all".to_owned(), |rows| rows.to_string());
            return shell.say(&format!("rows shown at the prompt: {rows}\n"));
        }
        "all" => None,
        number => match number.parse() {
            Ok(rows) if rows > 0 => Some(rows),
            _ => return Err(Failure::message(format!("`\\rows` takes a number above 0 or `all`, got `{number}`"))),
        },
    };
    Ok(())
}

fn switch(value: &str, current: bool) -> Result<bool, Failure> {
    match value {
        "" => Ok(!current),
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(Failure::message(format!("expected `on` or `off`, got `{other}`"))),
    }
}

fn state(what: &str, on: bool) -> String {
    format!("{what} is {}\n", if on { "on" } else { "off" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_at_its_first_space() {
        assert_eq!(split("\\d"), ("d", ""));
        assert_eq!(split(" \\d  \"My Table\" ; "), ("d", "\"My Table\""));
        assert_eq!(split("\\i my script.sql"), ("i", "my script.sql"));
    }

    #[test]
    fn names_are_unique() {
        for (index, command) in COMMANDS.iter().enumerate() {
            assert!(COMMANDS[..index].iter().all(|other| other.name != command.name), "{}", command.name);
        }
    }
}
