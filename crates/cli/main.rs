//! Machine-learning models as SQL functions: the shell and the command line.
//!
//! This program opens a session and feeds it statements, from a prompt or from scripts. It knows terminals, files and
//! exit codes; what a statement means is the business of the crate `foretell`.

mod args;
mod command;
mod complete;
mod failure;
mod function_help;
mod helper;
mod lexer;
mod print;
mod repl;
mod script;
mod shell;

use std::env;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use args::{Input, Invocation, Options};
use failure::Failure;
use foretell::Session;
use mimalloc::MiMalloc;
use script::Script;
use shell::{Shell, until_interrupted};
use tokio::runtime::{Builder, Runtime};

/// Keeps the memory of one batch for the next.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How long a cancelled statement may take to put things in order before the program leaves.
const LEAVE_MAX: Duration = Duration::from_secs(1);

/// Stack of a worker. Expressions are trees and the engine walks them by recursion: a sum of a thousand terms, as programs
/// write them, does not fit the usual stack. Memory is only taken for what is used.
const WORKER_STACK_BYTES: usize = 64 << 20;

const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;
const CANCELLED: u8 = 130;

fn main() -> ExitCode {
    let invocation = match args::parse(env::args_os().skip(1), io::stdin().is_terminal()) {
        Ok(invocation) => invocation,
        Err(error) => {
            Failure::message(error.to_string()).report();
            let _ = writeln!(io::stderr(), "`foretell --help` lists the flags");
            return ExitCode::from(WRONG_USAGE);
        }
    };
    let result = match invocation {
        Invocation::Help => print(&args::help()),
        Invocation::Version => print(&format!("{}\n", args::version())),
        Invocation::Run(options) => return start(&options),
    };
    ExitCode::from(exit_code(result))
}

/// Runs what is asked for. Scripts are read before anything is opened: what cannot be read is wrong usage.
fn start(options: &Options) -> ExitCode {
    let scripts = match &options.input {
        Input::Prompt => None,
        Input::Scripts(sources) => match sources.iter().map(Script::read).collect::<Result<Vec<_>, _>>() {
            Ok(scripts) => Some(scripts),
            Err(failure) => {
                failure.report();
                return ExitCode::from(WRONG_USAGE);
            }
        },
    };
    let workers = Builder::new_multi_thread().enable_all().thread_stack_size(WORKER_STACK_BYTES).build();
    let result = workers.map_err(Failure::from).and_then(|workers| {
        let result = run(&workers, options, scripts.as_deref());
        workers.shutdown_timeout(LEAVE_MAX);
        result
    });
    ExitCode::from(exit_code(result))
}

/// Opens the session and runs the scripts or the prompt. Statements are computed on `workers`; this thread has a
/// runtime of its own, so that a signal is heard while all workers compute.
fn run(workers: &Runtime, options: &Options, scripts: Option<&[Script]>) -> Result<(), Failure> {
    let front = Builder::new_current_thread().enable_all().build()?;
    let _entered = workers.enter();
    let session = match &options.directory {
        Some(directory) => Session::open(directory)?,
        None => Session::in_memory()?,
    };
    let mut shell = Shell::new(session, workers.handle().clone(), options.format, scripts.is_none());
    let Some(scripts) = scripts else { return repl::run(&front, &mut shell) };
    front.block_on(until_interrupted(async {
        for script in scripts {
            script.run(&mut shell).await?;
        }
        Ok(())
    }))
}

fn print(text: &str) -> Result<(), Failure> {
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// Tells the failure, if there is one, and turns it into the program's exit code.
fn exit_code(result: Result<(), Failure>) -> u8 {
    let Err(failure) = result else { return 0 };
    failure.report();
    match failure {
        Failure::Error { .. } => FAILED,
        Failure::Interrupted => CANCELLED,
        Failure::OutputClosed => 0,
    }
}
