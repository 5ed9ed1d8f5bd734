//! What the line editor asks the shell: completion and colours.

use std::borrow::Cow;

use foretell::script::keywords;
use rustyline::Context;
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::Validator;

use crate::command::{self, Argument, COMMANDS};
use crate::complete::{Names, Spot};
use crate::lexer::{self, Kind};
use crate::print::FORMATS;

const BOLD: &str = "\x1b[1m";
const GREEN: &str = "\x1b[32m";
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// Completes and colours the line that is being typed.
pub struct Helper {
    names: Names,
    files: FilenameCompleter,
    /// The lines of the statement before this one.
    before: String,
}

impl Helper {
    /// A helper that completes the names of a session.
    pub fn new(names: Names) -> Self {
        Self { names, files: FilenameCompleter::new(), before: String::new() }
    }

    /// Tells which lines of the statement come before the one that is typed next.
    pub fn set_before(&mut self, before: &str) {
        before.clone_into(&mut self.before);
    }

    fn complete_command(&self, line: &str, pos: usize) -> rustyline::Result<(usize, Vec<Pair>)> {
        let Some((name, argument)) = line[..pos].split_once(char::is_whitespace) else {
            let typed = line[..pos].trim_start_matches('\\');
            let found = COMMANDS.iter().filter(|command| command.name.starts_with(typed));
            return Ok((0, pairs(found.map(|command| format!("\\{}", command.name)))));
        };
        let prefix = argument.trim_start();
        let start = pos - prefix.len();
        let (name, _) = command::split(name);
        let kind = COMMANDS.iter().find(|command| command.name == name).map(|command| command.argument);
        let words = |words: &[&str]| -> Vec<String> {
            words.iter().filter(|word| word.starts_with(prefix)).map(|word| (*word).to_owned()).collect()
        };
        let found = match kind {
            None | Some(Argument::None | Argument::Rows) => Vec::new(),
            Some(Argument::Table) => self.names.tables_matching(prefix),
            Some(Argument::Model) => self.names.models_matching(prefix),
            Some(Argument::Function) => self.names.functions_matching(prefix),
            Some(Argument::Format) => words(&FORMATS.iter().map(|(name, _)| *name).collect::<Vec<_>>()),
            Some(Argument::Switch) => words(&["on", "off"]),
            Some(Argument::FileIn | Argument::FileOut) => return self.files.complete_path(line, pos),
        };
        Ok((start, pairs(found)))
    }
}

impl Completer for Helper {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _context: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        if self.before.is_empty() && command::is_command(line) {
            return self.complete_command(line, pos);
        }
        let text = format!("{}{}", self.before, &line[..pos]);
        let spot = Spot::new(&text);
        // A name that began on an earlier line cannot be completed on this one.
        let start = pos.saturating_sub(spot.typed());
        let mut found = pairs(self.names.candidates(&spot));
        if spot.in_text() {
            let (files_start, files) = self.files.complete_path(line, pos)?;
            if files_start == start {
                found.extend(files);
            }
        }
        Ok((start, found))
    }
}

impl Highlighter for Helper {
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        if self.before.is_empty() && command::is_command(line) {
            return Cow::Borrowed(line);
        }
        let text = format!("{}{line}", self.before);
        let mut coloured = String::with_capacity(line.len() * 2);
        for piece in lexer::pieces(&text) {
            // The piece may begin before this line.
            let Some(word) = text.get(piece.range.start.max(self.before.len())..piece.range.end) else { continue };
            let colour = match piece.kind {
                Kind::Word if is_keyword(word) => BOLD,
                Kind::Text { .. } => GREEN,
                Kind::Comment => DIM,
                Kind::Word | Kind::Quoted | Kind::Other => "",
            };
            let reset = if colour.is_empty() { "" } else { RESET };
            coloured.extend([colour, word, reset]);
        }
        Cow::Owned(coloured)
    }

    fn highlight_char(&self, _line: &str, _pos: usize, kind: CmdKind) -> bool {
        kind != CmdKind::MoveCursor
    }
}

impl Hinter for Helper {
    type Hint = String;
}

impl Validator for Helper {}

impl rustyline::Helper for Helper {}

fn is_keyword(word: &str) -> bool {
    keywords().binary_search(&word.to_uppercase().as_str()).is_ok()
}

fn pairs(texts: impl IntoIterator<Item = String>) -> Vec<Pair> {
    texts.into_iter().map(|text| Pair { display: text.clone(), replacement: text }).collect()
}
