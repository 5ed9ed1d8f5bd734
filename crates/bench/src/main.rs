//! Measures foretell beside its peers; never published.
//!
//! Every measurement is a run of the real thing in a process of its own. What each command measures, and how to get
//! the peers, is in the README of this crate. Micro-benchmarks do not belong here: no user waits for them.

mod big;
mod flights;
mod job;
mod measure;
mod start;

use std::error::Error;
use std::process::ExitCode;

use lexopt::Parser;

/// The errors of this program are read by the one who started it, once.
type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// One command. It reads its own flags.
struct Command {
    name: &'static str,
    help: &'static str,
    run: fn(Parser) -> Result<()>,
}

const COMMANDS: [Command; 4] = [
    Command { name: "flights", help: "score the flights and save the result, beside onnxruntime", run: flights::run },
    Command { name: "big", help: "score fifty million rows and save the result", run: big::run },
    Command { name: "start", help: "start the program and ask for one row", run: start::run },
    Command { name: job::NAME, help: "what the others run in a process of its own", run: job::run },
];

fn main() -> ExitCode {
    let result = command_line();
    if let Err(error) = &result {
        eprintln!("error: {error}");
    }
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn command_line() -> Result<()> {
    let mut parser = Parser::from_env();
    let name = match parser.next()? {
        Some(lexopt::Arg::Value(name)) => name,
        Some(lexopt::Arg::Long("help") | lexopt::Arg::Short('h')) => return help(),
        Some(other) => return Err(other.unexpected().into()),
        None => return help(),
    };
    let Some(command) = COMMANDS.iter().find(|command| name == command.name) else {
        let names: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
        return Err(format!("no command `{}`; there are {}", name.display(), names.join(", ")).into());
    };
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: what it measures says nothing; use `cargo run --release`");
    }
    (command.run)(parser)
}

fn help() -> Result<()> {
    println!("Measures foretell beside its peers: foretell-bench COMMAND [FLAGS]\n");
    for Command { name, help, .. } in &COMMANDS {
        println!("  {name:<8}  {help}");
    }
    println!("\ncrates/bench/README.md lists the flags.");
    Ok(())
}
