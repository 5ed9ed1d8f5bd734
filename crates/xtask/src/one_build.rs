//! That `cargo run` and `cargo test` share one build of every dependency.
//!
//! Cargo compiles a crate again for each set of features it is asked for. When the tests' dependencies switch on a
//! feature that the program alone does not have, everything above that crate is built twice, DataFusion included.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::Result;

/// Package with version, and for each build of it the features.
type Builds = BTreeMap<String, BTreeSet<String>>;

/// Compares the features of the program's dependencies with those in the tests.
///
/// # Errors
/// When they differ, or when `cargo tree` fails.
pub fn check(root: &Path) -> Result {
    let program = builds(&cargo_tree(root, &["--edges", "normal,build"])?);
    let tests = builds(&cargo_tree(root, &["--edges", "normal,build,dev", "--workspace"])?);
    let differences = differences(&program, &tests);
    if differences.is_empty() {
        return Ok(());
    }
    let list = differences.join("\n  ");
    Err(format!(
        "`cargo run` and `cargo test` would build these twice; give the root package the same features:\n  {list}"
    )
    .into())
}

fn cargo_tree(root: &Path, arguments: &[&str]) -> Result<String> {
    let output = crate::check::cargo()
        .args(["tree", "--locked", "--prefix", "none", "--format", "{p}|{f}"])
        .args(arguments)
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot run `cargo tree`: {error}"))?;
    if !output.status.success() {
        return Err(format!("`cargo tree` failed: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Reads lines `package v1.0.0 (proc-macro)|feature,feature (*)`; our own packages, which name a path, are left out.
fn builds(tree: &str) -> Builds {
    let mut builds = Builds::new();
    for line in tree.lines() {
        let line = line.strip_suffix(" (*)").unwrap_or(line);
        let Some((package, features)) = line.split_once('|').filter(|(package, _)| !package.starts_with("foretell"))
        else {
            continue;
        };
        builds.entry(package.to_owned()).or_default().insert(features.to_owned());
    }
    builds
}

/// A line for each build of the program that the tests do not have.
fn differences(program: &Builds, tests: &Builds) -> Vec<String> {
    let none = BTreeSet::new();
    let mut lines = Vec::new();
    for (package, builds) in program {
        let in_tests = tests.get(package).unwrap_or(&none);
        for features in builds.difference(in_tests) {
            let others: Vec<&str> = in_tests.iter().map(String::as_str).collect();
            lines.push(format!("{package}: the program has [{features}], the tests have [{}]", others.join("] or [")));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_features_are_one_build() {
        let program = builds("foretell-cli v0.1.0 (/home)|\na v1.0.0|x,y\nb v1.0.0 (proc-macro)|\na v1.0.0|x,y (*)\n");
        let tests = builds(
            "foretell v0.1.0 (/home)|warehouse\na v1.0.0|x,y\na v1.0.0|x,y,z\nb v1.0.0 (proc-macro)|\nc v1.0.0|\n",
        );
        assert_eq!(program.len(), 2);
        assert!(differences(&program, &tests).is_empty());
    }

    #[test]
    fn other_features_are_a_second_build() {
        let found = differences(&builds("a v1.0.0|\nb v2.0.0|x"), &builds("a v1.0.0|std\nb v2.0.0|x"));
        assert_eq!(found, ["a v1.0.0: the program has [], the tests have [std]"]);
    }
}
