//! The command line: one table of flags, from which the parser and `--help` both come.
//!
//! Reading it takes two steps: [`LowArgs`] is what was typed, [`Invocation`] what was meant. Nothing is opened or read
//! here, so that wrong usage is told before anything happens.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use crate::print::Format;

/// What the program is asked to do.
#[derive(Debug, PartialEq)]
pub enum Invocation {
    /// Print the help text.
    Help,
    /// Print name and version.
    Version,
    /// Open the database and read statements.
    Run(Options),
}

/// How to run.
#[derive(Debug, PartialEq)]
pub struct Options {
    /// The database directory; without it everything is in memory.
    pub directory: Option<PathBuf>,
    /// How results are printed.
    pub format: Format,
    /// Where statements come from.
    pub input: Input,
}

/// Where statements come from.
#[derive(Debug, PartialEq)]
pub enum Input {
    /// A person at the prompt.
    Prompt,
    /// Scripts, run in this order.
    Scripts(Vec<Source>),
}

/// Where one script comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The text itself, from `-c`. `number` counts the `-c` flags when there are several.
    Command { text: String, number: Option<usize> },
    /// A file, from `-f`.
    File(PathBuf),
    /// Standard input.
    Standard,
}

/// Reads the arguments, without the program's name.
///
/// # Errors
/// The message for the user who typed something that has no meaning.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    stdin_is_terminal: bool,
) -> Result<Invocation, lexopt::Error> {
    let low = LowArgs::parse(arguments)?;
    Ok(low.into_invocation(stdin_is_terminal))
}

/// The text of `--help`.
pub fn help() -> String {
    let mut text = format!("{INTRODUCTION}\nFlags:\n");
    for flag in FLAGS {
        let short = flag.short.map_or_else(|| "   ".to_owned(), |short| format!("-{short},"));
        let value = flag.value.map_or_else(String::new, |value| format!(" {value}"));
        let left = format!("{short} --{}{value}", flag.long);
        for (index, line) in flag.help.lines().enumerate() {
            let left = if index == 0 { left.as_str() } else { "" };
            text.push_str(&format!("  {left:<20}  {line}\n"));
        }
    }
    text.push_str(CLOSING);
    text
}

/// The text of `--version`.
pub fn version() -> String {
    format!("foretell {}", env!("CARGO_PKG_VERSION"))
}

const INTRODUCTION: &str = "\
foretell: machine-learning models as SQL functions

Usage: foretell [FLAGS] [DIR]

DIR is the database directory that keeps tables and models; it is created if it does not exist.
Without DIR they are in memory and gone at the end. Statements come from -c and -f, else from
standard input; at a terminal a prompt opens, where \\? lists the commands.
";

const CLOSING: &str = "
Exit code: 0 success, 1 a statement failed, 2 wrong usage (nothing was run), 130 cancelled by Ctrl-C.
";

/// A flag: its names, its line in the help text and what it does.
struct Flag {
    short: Option<char>,
    long: &'static str,
    /// What the value is called in the help text; a flag without one takes no value.
    value: Option<&'static str>,
    help: &'static str,
    update: fn(&mut LowArgs, OsString) -> Result<(), lexopt::Error>,
}

const FLAGS: &[Flag] = &[
    Flag {
        short: Some('c'),
        long: "command",
        value: Some("SQL"),
        help: "Run SQL, then leave. May be repeated; -c and -f run in the order given.\nA backslash command of the prompt works too: -c '\\d'",
        update: |low, value| {
            low.scripts.push(LowScript::Command(value.into_string()?));
            Ok(())
        },
    },
    Flag {
        short: Some('f'),
        long: "file",
        value: Some("FILE"),
        help: "Run the SQL script FILE, then leave; - is standard input. May be repeated",
        update: |low, value| {
            low.scripts.push(LowScript::File(PathBuf::from(value)));
            Ok(())
        },
    },
    Flag {
        short: None,
        long: "format",
        value: Some("NAME"),
        help: "Print results as table (default), csv, tsv, json, ndjson or markdown",
        update: |low, value| {
            let name = value.into_string()?;
            low.format = Some(Format::from_name(&name).ok_or_else(|| Format::unknown(&name))?);
            Ok(())
        },
    },
    Flag {
        short: Some('h'),
        long: "help",
        value: None,
        help: "Print this text",
        update: |low, _| {
            low.special.get_or_insert(Invocation::Help);
            Ok(())
        },
    },
    Flag {
        short: Some('V'),
        long: "version",
        value: None,
        help: "Print the version",
        update: |low, _| {
            low.special.get_or_insert(Invocation::Version);
            Ok(())
        },
    },
];

/// What was typed, flag by flag.
#[derive(Default)]
struct LowArgs {
    directory: Option<PathBuf>,
    scripts: Vec<LowScript>,
    format: Option<Format>,
    special: Option<Invocation>,
}

enum LowScript {
    Command(String),
    File(PathBuf),
}

impl LowArgs {
    fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, lexopt::Error> {
        let mut low = LowArgs::default();
        let mut parser = Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            let flag = match argument {
                Arg::Value(value) if low.directory.is_some() => {
                    let value = value.display();
                    return Err(
                        format!("'{value}': one database directory at most; a script needs -f, SQL needs -c").into()
                    );
                }
                Arg::Value(value) => {
                    low.directory = Some(PathBuf::from(value));
                    continue;
                }
                named => find_flag(named)?,
            };
            let value = if flag.value.is_some() { parser.value()? } else { OsString::new() };
            (flag.update)(&mut low, value)?;
        }
        Ok(low)
    }

    fn into_invocation(self, stdin_is_terminal: bool) -> Invocation {
        if let Some(special) = self.special {
            return special;
        }
        let commands = self.scripts.iter().filter(|script| matches!(script, LowScript::Command(_))).count();
        let mut numbers = 1..;
        let mut sources: Vec<Source> = self
            .scripts
            .into_iter()
            .map(|script| match script {
                LowScript::Command(text) => {
                    let number = numbers.next().filter(|_| commands > 1);
                    Source::Command { text, number }
                }
                LowScript::File(path) if path.as_os_str() == "-" => Source::Standard,
                LowScript::File(path) => Source::File(path),
            })
            .collect();
        let input = if !sources.is_empty() {
            Input::Scripts(sources)
        } else if stdin_is_terminal {
            Input::Prompt
        } else {
            sources.push(Source::Standard);
            Input::Scripts(sources)
        };
        Invocation::Run(Options { directory: self.directory, format: self.format.unwrap_or_default(), input })
    }
}

fn find_flag(argument: Arg<'_>) -> Result<&'static Flag, lexopt::Error> {
    let found = match &argument {
        Arg::Short(short) => FLAGS.iter().find(|flag| flag.short == Some(*short)),
        Arg::Long(long) => FLAGS.iter().find(|flag| flag.long == *long),
        Arg::Value(_) => None,
    };
    found.ok_or_else(|| argument.unexpected())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_at_terminal(arguments: &[&str]) -> Result<Invocation, String> {
        parse(arguments.iter().map(OsString::from), true).map_err(|error| error.to_string())
    }

    fn input(arguments: &[&str], stdin_is_terminal: bool) -> Input {
        match parse(arguments.iter().map(OsString::from), stdin_is_terminal) {
            Ok(Invocation::Run(options)) => options.input,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_terminal_gets_a_prompt_and_a_pipe_is_a_script() {
        assert_eq!(input(&["db"], true), Input::Prompt);
        assert_eq!(input(&["db"], false), Input::Scripts(vec![Source::Standard]));
        assert_eq!(input(&["-f", "-"], true), Input::Scripts(vec![Source::Standard]));
    }

    #[test]
    fn scripts_keep_their_order_and_commands_are_numbered() {
        let command = |text: &str, number| Source::Command { text: text.to_owned(), number: Some(number) };
        assert_eq!(
            input(&["-c", "a", "-fb", "--command=c"], true),
            Input::Scripts(vec![command("a", 1), Source::File("b".into()), command("c", 2)])
        );
        assert_eq!(
            input(&["-c", "a"], true),
            Input::Scripts(vec![Source::Command { text: "a".to_owned(), number: None }])
        );
    }

    #[test]
    fn help_wins_over_the_rest() {
        assert_eq!(parse_at_terminal(&["-c", "SELECT 1", "--help"]), Ok(Invocation::Help));
        assert_eq!(parse_at_terminal(&["-Vh"]), Ok(Invocation::Version));
    }

    #[test]
    fn wrong_usage_says_what_is_wrong() {
        let message = |arguments: &[&str]| parse_at_terminal(arguments).expect_err("wrong usage");
        assert_eq!(message(&["--nope"]), "invalid option '--nope'");
        assert_eq!(message(&["-c"]), "missing argument for option '-c'");
        assert_eq!(message(&["--help=x"]), "unexpected argument for option '--help': \"x\"");
        assert_eq!(
            message(&["db", "SELECT 1"]),
            "'SELECT 1': one database directory at most; a script needs -f, SQL needs -c"
        );
        assert_eq!(message(&["--format", "xml"]), "no format `xml`; there are table, csv, tsv, json, ndjson, markdown");
    }

    #[test]
    fn the_help_text_fits_a_terminal_and_names_every_flag() {
        let help = help();
        for flag in FLAGS {
            assert!(help.contains(&format!("--{}", flag.long)), "{}", flag.long);
        }
        for line in help.lines() {
            assert!(line.len() <= 102, "{line}");
        }
    }
}
