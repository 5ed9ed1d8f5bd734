//! Measures foretell beside its peers; never published.
//!
//! Every measurement is a run of the real thing in a process of its own. What each command measures, and how to get
//! the peers, is in the README of this crate.

mod big;
mod flights;
mod job;
mod kernels;
mod measure;
mod report;
mod start;
mod tables;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::Parser;
use mimalloc::MiMalloc;

/// That of the program `foretell`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The errors of this program are read by the one who started it, once.
type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// One command. It reads its own flags.
struct Command {
    name: &'static str,
    help: &'static str,
    run: fn(Parser) -> Result<()>,
}

const COMMANDS: [Command; 11] = [
    Command { name: "kernels", help: "predict over rows in memory, beside every peer", run: kernels::run },
    Command { name: "tables", help: "score ten million rows of Parquet, beside every peer", run: tables::run },
    Command {
        name: "instructions",
        help: "count the instructions of a row with valgrind",
        run: kernels::count_instructions,
    },
    Command { name: "plans", help: "compare plans of tract for so many rows at once", run: kernels::compare_plans },
    Command { name: "flights", help: "score the flights and save the result, beside onnxruntime", run: flights::run },
    Command { name: "big", help: "score fifty million rows and save the result", run: big::run },
    Command { name: "start", help: "start the program and ask for one row", run: start::run },
    Command { name: job::NAME, help: "what flights and big run in a process of its own", run: job::run },
    Command { name: kernels::WORKER, help: "what kernels runs in processes of their own", run: kernels::work },
    Command { name: kernels::ONE_ROW, help: "what instructions runs in valgrind", run: kernels::one_row },
    Command { name: tables::JOB, help: "what tables runs in a process of its own", run: tables::run_job },
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
        println!("  {name:<12}  {help}");
    }
    println!("\ncrates/bench/README.md lists the flags.");
    Ok(())
}

/// The words of a flag that takes several.
fn list(text: &str) -> Vec<String> {
    text.split(',').map(|word| word.trim().to_owned()).collect()
}

/// Refuses words that name nothing.
fn check_names(what: &str, names: Option<&[String]>, known: &[&str]) -> Result<()> {
    match names.into_iter().flatten().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let mut known = known.to_vec();
            known.sort_unstable();
            known.dedup();
            Err(format!("no {what} `{name}`; there are {}", known.join(", ")).into())
        }
    }
}

/// The folder that `peers/make_models.py` wrote, as a whole path.
fn made_folder(folder: &Path) -> Result<PathBuf> {
    if !folder.join("models").is_dir() {
        let shown = folder.display();
        return Err(format!("no models in `{shown}`: name the folder that peers/make_models.py wrote").into());
    }
    Ok(folder.canonicalize()?)
}
