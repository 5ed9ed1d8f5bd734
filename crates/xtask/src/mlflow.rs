//! `cargo xtask mlflow`: models that real MLflow servers keep, loaded from them and compared with the libraries' answers.
//!
//! It needs Python and the Python package index, so it is no part of `check`. What it proves there is proved in the tests with
//! what such servers once answered.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::check::{cargo, succeed};
use crate::tree::target_folder;

/// The kinds of server, by the file that says what to install.
const REQUIREMENTS: [&str; 2] = ["requirements.txt", "requirements-2.txt"];

/// Builds the program, makes an environment for each kind of server, and runs the comparison in it.
///
/// # Errors
/// When something cannot be installed, or the program does not do what it should.
pub fn run(root: &Path) -> Result {
    let target = target_folder(root);
    let mut build = cargo();
    succeed(build.args(["build", "--locked", "--bin", "foretell"]).current_dir(root), "cargo build --bin foretell")?;
    let program = target.join("debug").join(format!("foretell{}", std::env::consts::EXE_SUFFIX));
    let scripts = root.join("tests/fixtures/mlflow");
    let mut failed = Vec::new();
    for requirements in REQUIREMENTS {
        println!("== {requirements}");
        let python = environment(&target, &scripts.join(requirements))?;
        let mut live = Command::new(python);
        live.arg("live.py").arg("--foretell").arg(&program).current_dir(&scripts);
        if let Err(error) = succeed(&mut live, "python live.py") {
            failed.push(format!("with {requirements}: {error}"));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ").into()) }
}

/// The Python of an environment with these requirements, which is made if it is not there.
fn environment(target: &Path, requirements: &Path) -> Result<PathBuf> {
    let name = requirements.file_stem().unwrap_or_default().to_string_lossy();
    let folder = target.join("mlflow").join(&*name);
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.exists() {
        let mut make = Command::new(if cfg!(windows) { "python" } else { "python3" });
        succeed(make.args(["-m", "venv"]).arg(&folder), "python3 -m venv")?;
    }
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(requirements);
    succeed(&mut install, "pip install")?;
    Ok(python)
}
