//! The rules of the house that neither the compiler nor clippy knows.
//!
//! Each rule reads the tree and adds what it finds; all findings are printed, one a line, as `path:line: rule: what`.

mod crates;
mod fixtures;
mod manifest;
mod pages;
mod rust;

use std::fmt;
use std::path::Path;

use crate::Result;
use crate::tree::Tree;

pub use pages::is_function;

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The file, from the root of the repository.
    pub path: String,
    /// The line, counted from one.
    pub line: usize,
    /// The rule's name.
    pub rule: &'static str,
    /// What is wrong and what would be right.
    pub what: String,
}

impl Violation {
    fn new(path: &str, line: usize, rule: &'static str, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.what)
    }
}

/// Checks the tree against every rule.
///
/// # Errors
/// When a rule is broken; the violations are on standard output.
pub fn run(root: &Path) -> Result {
    let violations = violations(&Tree::read(root)?);
    for violation in &violations {
        println!("{violation}");
    }
    match violations.len() {
        0 => Ok(()),
        1 => Err("tidy found 1 violation".into()),
        count => Err(format!("tidy found {count} violations").into()),
    }
}

/// All violations, sorted by file and line.
fn violations(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    rust::check(tree, &mut found);
    crates::check_imports(tree, &mut found);
    crates::check_versions(tree, &mut found);
    fixtures::check_size(tree, &mut found);
    pages::check_scripts(tree, &mut found);
    pages::check_functions(tree, &mut found);
    pages::check_words(tree, &mut found);
    pages::check_leftovers(tree, &mut found);
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_sorted_and_print_as_one_line() {
        let tree = Tree::of(&[("b.rs", "fn f() { x.unwrap() }\n"), ("a.rs", "//! Doc.\nfn f() {\n dbg!(1);\n}\n")]);
        let lines: Vec<String> =
            violations(&tree).iter().filter(|found| found.path.ends_with(".rs")).map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "a.rs:3: unfinished: `dbg!` must not stay",
                "b.rs:1: module-doc: a module begins with `//!`: what it is for, and what it does not do",
                "b.rs:1: unwrap: return the error, or `expect` with the proof that it cannot happen",
            ]
        );
    }
}
