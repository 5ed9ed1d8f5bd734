//! The prompt: reads statements of one or more lines and backslash commands until the user leaves.

use std::env;
use std::fs;
use std::path::PathBuf;

use foretell::script::{is_complete, split};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use tokio::runtime::Runtime;

use crate::args;
use crate::command::{self, Flow};
use crate::complete::Names;
use crate::failure::Failure;
use crate::helper::Helper;
use crate::shell::{Shell, until_interrupted};

const PROMPT: &str = "foretell> ";
const CONTINUATION: &str = "       -> ";
const HISTORY_ENTRIES: usize = 10_000;

/// Talks with the user until the end.
///
/// The line editor blocks, so this is ordinary code that enters the runtime `front` for each statement.
///
/// # Errors
/// The terminal cannot be used. Statements that fail are told to the user and end nothing.
pub fn run(front: &Runtime, shell: &mut Shell) -> Result<(), Failure> {
    shell.say(&banner(shell))?;
    let history = history_file();
    let mut editor = editor(shell)?;
    if let Some(path) = &history {
        // The first run has no history, and a broken one is no reason to refuse work.
        let _ = editor.load_history(path);
    }
    let mut typed = String::new();
    loop {
        if let Some(helper) = editor.helper_mut() {
            helper.set_before(&typed);
        }
        let line = match editor.readline(if typed.is_empty() { PROMPT } else { CONTINUATION }) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                typed.clear();
                continue;
            }
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(Failure::message(format!("cannot read from the terminal: {error}"))),
        };
        let Some(input) = take_input(&mut typed, &line) else { continue };
        remember(&mut editor, history.as_ref(), &input);
        shell.display.width = editor.dimensions().map(|(columns, _)| usize::from(columns));
        match front.block_on(until_interrupted(answer(shell, &input))) {
            Ok(Flow::Continue) => {}
            Ok(Flow::Quit) => return Ok(()),
            Err(Failure::OutputClosed) => return Err(Failure::OutputClosed),
            Err(failure) => failure.report(),
        }
    }
}

/// Adds a line to what is typed so far. Returns the whole when it is complete: a command, or statements up to `;`.
fn take_input(typed: &mut String, line: &str) -> Option<String> {
    if typed.is_empty() {
        match line.trim().trim_end_matches(';') {
            "" => return None,
            "exit" | "quit" => return Some("\\q".to_owned()),
            "help" => return Some("\\?".to_owned()),
            _ if command::is_command(line) => return Some(line.trim().to_owned()),
            _ => {}
        }
    }
    typed.push_str(line);
    typed.push('\n');
    if !is_complete(typed) {
        return None;
    }
    let input = std::mem::take(typed);
    Some(input.trim_end().to_owned())
}

async fn answer(shell: &mut Shell, input: &str) -> Result<Flow, Failure> {
    if command::is_command(input) {
        return command::run(shell, input).await;
    }
    for statement in split(input) {
        shell.run(&statement.text).await?;
    }
    Ok(Flow::Continue)
}

fn banner(shell: &Shell) -> String {
    let database = match shell.session().database() {
        Some(directory) => format!("database: {}", directory.display()),
        None => "in memory: tables and models are gone when you leave; `foretell DIR` keeps them".to_owned(),
    };
    format!("{}\n{database}\n\\? for help\n", args::version())
}

fn editor(shell: &Shell) -> Result<Editor<Helper, FileHistory>, Failure> {
    let unusable = |error| Failure::message(format!("cannot use the terminal: {error}"));
    let config = Config::builder()
        .max_history_size(HISTORY_ENTRIES)
        .map_err(unusable)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .build();
    let mut editor = Editor::with_config(config).map_err(unusable)?;
    let names = Names::new(shell.session().clone(), shell.workers().clone());
    editor.set_helper(Some(Helper::new(names)));
    Ok(editor)
}

/// Writes the entry to the history at once, so that it survives a kill and other prompts add theirs.
fn remember(editor: &mut Editor<Helper, FileHistory>, file: Option<&PathBuf>, input: &str) {
    // History is a convenience: a full disk or a home that cannot be written must not stop the session.
    let _ = editor.add_history_entry(input);
    if let Some(path) = file {
        let _ = editor.append_history(path);
    }
}

/// Where the history is kept: the user's folder for state. `None` without a home.
fn history_file() -> Option<PathBuf> {
    let state = match env::var_os("XDG_STATE_HOME").or_else(|| env::var_os("LOCALAPPDATA")).map(PathBuf::from) {
        Some(state) if state.is_absolute() => state,
        _ => env::home_dir().filter(|home| home.is_absolute())?.join(".local/state"),
    };
    let folder = state.join("foretell");
    fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_taken_at_its_semicolon() {
        let mut typed = String::new();
        assert_eq!(take_input(&mut typed, "SELECT"), None);
        assert_eq!(take_input(&mut typed, ""), None);
        assert_eq!(take_input(&mut typed, "';"), None);
        assert_eq!(take_input(&mut typed, "'; "), Some("SELECT\n\n';\n';".to_owned()));
        assert_eq!(typed, "");
    }

    #[test]
    fn a_command_is_taken_at_once_but_not_inside_a_statement() {
        let mut typed = String::new();
        assert_eq!(take_input(&mut typed, " \\d t "), Some("\\d t".to_owned()));
        assert_eq!(take_input(&mut typed, "quit;"), Some("\\q".to_owned()));
        assert_eq!(take_input(&mut typed, "SELECT 1"), None);
        assert_eq!(take_input(&mut typed, "quit;"), Some("SELECT 1\nquit;".to_owned()));
    }
}
