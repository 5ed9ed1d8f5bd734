//! All of CI, one step after the other.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{Result, docs, one_build, tidy};

/// Whether the tests run here or were run before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tests {
    /// With the other steps.
    Run,
    /// Not again.
    Skip,
}

/// How a step ended that did not fail.
enum Outcome {
    Passed,
    Skipped(&'static str),
}

/// Runs every step in the order of their cost, and stops at the first that fails.
///
/// # Errors
/// When a step fails; its own output is above.
pub fn run(root: &Path, tests: Tests) -> Result {
    let cargo = |arguments: &str| run_cargo(root, arguments, &[]).map(|()| Outcome::Passed);
    let own = |result: Result| result.map(|()| Outcome::Passed);
    let started = Instant::now();

    step("cargo fmt", || cargo("fmt --all --check"))?;
    step("tidy", || own(tidy::run(root)))?;
    step("docs are fresh", || own(docs::check(root)))?;
    step("one build for run and test", || own(one_build::check(root)))?;
    step("cargo clippy", || cargo("clippy --locked --workspace --all-targets -- -D warnings"))?;
    step("cargo test", || match tests {
        Tests::Run => cargo("test --locked --workspace"),
        Tests::Skip => Ok(Outcome::Skipped("--no-tests")),
    })?;
    step("cargo doc", || {
        own(run_cargo(root, "doc --locked --workspace --no-deps", &[("RUSTDOCFLAGS", "-D warnings")]))
    })?;
    step("cargo deny", || {
        if installed(self::cargo().args(["deny", "--version"])) {
            cargo("deny check")
        } else {
            Ok(Outcome::Skipped("cargo-deny is not installed"))
        }
    })?;
    step("typos", || {
        if installed(Command::new("typos").arg("--version")) {
            own(succeed(Command::new("typos").current_dir(root), "typos"))
        } else {
            Ok(Outcome::Skipped("typos is not installed"))
        }
    })?;

    println!("All checks passed in {:.1} s.", started.elapsed().as_secs_f64());
    Ok(())
}

/// The cargo that runs us. What it told us about this package is not passed on: a build script that asks for it, as that of
/// `ring` does, would run again, and all that depends on it would be compiled anew.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        if ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

/// Announces a step, runs it and says how it ended and how long it took.
fn step(name: &str, action: impl FnOnce() -> Result<Outcome>) -> Result {
    println!("== {name}");
    std::io::stdout().flush()?;
    let started = Instant::now();
    let outcome = action().map_err(|error| format!("{name}: {error}"))?;
    match outcome {
        Outcome::Passed => println!("   passed in {:.1} s", started.elapsed().as_secs_f64()),
        Outcome::Skipped(why) => println!("   skipped: {why}"),
    }
    Ok(())
}

fn run_cargo(root: &Path, arguments: &str, environment: &[(&str, &str)]) -> Result {
    let mut command = cargo();
    command.args(arguments.split(' ')).envs(environment.iter().copied()).current_dir(root);
    succeed(&mut command, &format!("cargo {arguments}"))
}

/// Runs the command with its output where ours goes.
pub fn succeed(command: &mut Command, shown: &str) -> Result {
    let status = command.stdin(Stdio::null()).status().map_err(|error| format!("cannot run `{shown}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{shown}` failed ({status})").into()) }
}

fn installed(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_names_itself() {
        let error = step("cargo fmt", || Err("`cargo fmt` failed".into())).expect_err("fails");
        assert_eq!(error.to_string(), "cargo fmt: `cargo fmt` failed");
        assert!(step("tidy", || Ok(Outcome::Passed)).is_ok());
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let missing = "no-such-program-anywhere";
        let error = succeed(&mut Command::new(missing), "it --flag").expect_err("fails").to_string();
        assert!(error.starts_with("cannot run `it --flag`: "), "{error}");
        assert!(!installed(&mut Command::new(missing)));
    }
}
