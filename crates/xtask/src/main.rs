//! `cargo xtask`: what CI checks, and the pages that are written from the code.
//!
//! It uses the standard library only, so that it builds in a second, and imports none of our crates, so that it works
//! while they do not compile.

mod attribute;
mod check;
mod coverage;
mod docs;
mod mlflow;
mod one_build;
mod source;
mod tidy;
mod tree;

use std::process::ExitCode;

/// What every command returns: nothing, or why it failed.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "\
Usage: cargo xtask <command>

Commands:
  check [--no-tests]  All of CI; stops at the first failure
  tidy                The rules of the house that no other tool checks
  coverage            Runs the tests that prove what models are answered, and prints what they count
  mlflow              Loads models from real MLflow servers and compares answers; needs Python and its packages
  docs [--check]      Writes the pages about SQL functions from their `user_doc`; --check only compares
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = tree::root();
    let result = match arguments.as_slice() {
        ["check"] => check::run(&root, check::Tests::Run),
        ["check", "--no-tests"] => check::run(&root, check::Tests::Skip),
        ["tidy"] => tidy::run(&root),
        ["coverage"] => coverage::run(&root),
        ["mlflow"] => mlflow::run(&root),
        ["docs"] => docs::write(&root),
        ["docs", "--check"] => docs::check(&root),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
