//! The rules for Rust files: their size, their documentation, and words that must not stay.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Violation;
use crate::source::{Source, within};
use crate::tree::Tree;

/// Lines of code in a file. What does not count: comments, blank lines, test modules, and items marked as tables.
const FILE_LINES_MAX: usize = 500;
/// Lines of a function, from its name to its closing brace: one screen.
const FUNCTION_LINES_MAX: usize = 70;
/// The crates in which `unsafe` may stand.
const UNSAFE_ROOMS: [&str; 2] = ["crates/kernels/", "crates/ffi/"];

/// Checks every Rust file.
pub fn check(tree: &Tree, found: &mut Vec<Violation>) {
    let modules_of_tests = test_module_files(tree);
    for (path, text) in rust_files(tree) {
        let source = Source::new(text);
        let all = 0..text.len() + 1;
        let is_test_module = modules_of_tests.iter().any(|module| belongs_to(path, module));
        let tests = if is_test_module || path.split('/').any(|folder| folder == "tests") {
            vec![all]
        } else {
            source.test_items()
        };
        if !is_test_module {
            check_size(path, &source, found);
        }
        check_functions(path, &source, &tests, found);
        check_module_doc(path, &source, found);
        check_unfinished(path, &source, found);
        check_unwrap(path, &source, &tests, found);
        check_unsafe(path, &source, found);
    }
}

fn rust_files(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.texts(|path| path.ends_with(".rs"))
}

/// The modules declared as `#[cfg(test)] mod name;`, as paths without `.rs`.
fn test_module_files(tree: &Tree) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for (path, text) in rust_files(tree) {
        let folder = match path.strip_suffix(".rs").unwrap_or(path) {
            stem if ["mod", "lib", "main"].iter().any(|name| stem == *name || stem.ends_with(&format!("/{name}"))) => {
                stem.rfind('/').map_or("", |slash| &stem[..slash])
            }
            stem => stem,
        };
        let source = Source::new(text);
        for item in source.test_items() {
            let declared = source.code()[item].strip_suffix(';').and_then(|item| item.rsplit_once("mod "));
            if let Some((_, name)) = declared {
                modules.insert(format!("{folder}/{}", name.trim()));
            }
        }
    }
    modules
}

/// Whether the file is the module or below it.
fn belongs_to(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

fn check_size(path: &str, source: &Source<'_>, found: &mut Vec<Violation>) {
    let mut left_out = source.test_items();
    left_out.extend(source.tables());
    let lines = source.code_lines(&left_out);
    if lines > FILE_LINES_MAX {
        let what = format!(
            "{lines} lines of code, at most {FILE_LINES_MAX}; split it along its meaning, or mark a table with `// tidy: table`"
        );
        found.push(Violation::new(path, 1, "file-size", what));
    }
}

fn check_functions(path: &str, source: &Source<'_>, tests: &[Range<usize>], found: &mut Vec<Violation>) {
    let tables = source.tables();
    for function in source.functions() {
        let start = function.span.start;
        let first = source.line(start);
        let lines = source.line(function.span.end) - first + 1;
        if lines > FUNCTION_LINES_MAX && !within(tests, start) && !within(&tables, start) {
            let what = format!("`{}` has {lines} lines, at most {FUNCTION_LINES_MAX}", function.name);
            found.push(Violation::new(path, first, "function-size", what));
        }
    }
}

fn check_module_doc(path: &str, source: &Source<'_>, found: &mut Vec<Violation>) {
    if !source.text().trim_start().starts_with("//!") {
        let what = "a module begins with `//!`: what it is for, and what it does not do";
        found.push(Violation::new(path, 1, "module-doc", what));
    }
}

fn check_unfinished(path: &str, source: &Source<'_>, found: &mut Vec<Violation>) {
    for name in ["todo", "unimplemented", "dbg"] {
        for at in source.words(name).filter(|at| source.code()[at + name.len()..].starts_with('!')) {
            found.push(Violation::new(path, source.line(at), "unfinished", format!("`{name}!` must not stay")));
        }
    }
    let ignored = source.words("ignore").filter(|at| source.code()[..*at].ends_with("#["));
    for at in ignored {
        let what = "`#[ignore]`: a test that may not fail is no test; mend it or remove it";
        found.push(Violation::new(path, source.line(at), "unfinished", what));
    }
}

fn check_unwrap(path: &str, source: &Source<'_>, tests: &[Range<usize>], found: &mut Vec<Violation>) {
    for (at, _) in source.code().match_indices(".unwrap()").filter(|(at, _)| !within(tests, *at)) {
        let what = "return the error, or `expect` with the proof that it cannot happen";
        found.push(Violation::new(path, source.line(at), "unwrap", what));
    }
}

fn check_unsafe(path: &str, source: &Source<'_>, found: &mut Vec<Violation>) {
    if UNSAFE_ROOMS.iter().any(|room| path.starts_with(room)) {
        return;
    }
    for at in source.words("unsafe") {
        let what = format!("`unsafe` lives only in {}", UNSAFE_ROOMS.join(" and "));
        found.push(Violation::new(path, source.line(at), "unsafe", what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(files: &[(&str, &str)]) -> Vec<String> {
        let mut found = Vec::new();
        check(&Tree::of(files), &mut found);
        found.iter().map(|violation| format!("{}:{}:{}", violation.path, violation.line, violation.rule)).collect()
    }

    #[test]
    fn files_and_functions_have_a_size() {
        let lines = |count: usize| "a;\n".repeat(count);
        let fits = format!("//! Doc.\nfn f() {{\n{}}}\n{}", lines(68), lines(430));
        assert!(rules(&[("a.rs", &fits)]).is_empty());
        let long_function = format!("//! Doc.\n\nfn f() {{\n{}}}\n", lines(69));
        assert_eq!(rules(&[("a.rs", &long_function)]), ["a.rs:3:function-size"]);
        assert_eq!(rules(&[("a.rs", &format!("//! Doc.\n{}", lines(501)))]), ["a.rs:1:file-size"]);
    }

    #[test]
    fn tables_and_tests_have_no_size() {
        let lines = "a;\n".repeat(600);
        let table = format!("//! Doc.\n// tidy: table\n/// Doc.\nfn f() {{\n{lines}}}\n");
        let tests = format!("//! Doc.\n#[cfg(test)]\nmod tests {{\nfn f() {{\n{lines}}}\n}}\n");
        let apart = format!("//! Doc.\nfn f() {{\n{lines}}}\n");
        assert!(rules(&[("a.rs", &table), ("b.rs", &tests)]).is_empty());
        let declared = "//! Doc.\n#[cfg(test)]\nmod checks;\n";
        assert!(rules(&[("src/lib.rs", declared), ("src/checks.rs", &apart)]).is_empty());
        assert!(rules(&[("src/a.rs", declared), ("src/a/checks/b.rs", &apart)]).is_empty());
        assert_eq!(rules(&[("tests/a.rs", &apart)]), ["tests/a.rs:1:file-size"]);
    }

    #[test]
    fn unfinished_work_is_found_in_tests_too() {
        let text = "//! Doc: todo!() dbg!().\nfn f() { todo!(\"x\") }\n#[cfg(test)]\nmod tests {\n #[ignore = \"slow\"]\n #[test]\n fn g() {\n  dbg!(1);\n  let todo = \"unimplemented!\";\n }\n}\n";
        assert_eq!(rules(&[("a.rs", text)]), ["a.rs:2:unfinished", "a.rs:8:unfinished", "a.rs:5:unfinished"]);
    }

    #[test]
    fn unwrap_is_for_tests() {
        let text = "//! Doc.\n/// x.unwrap()\nfn f() { x.unwrap(); x.unwrap_or(1) }\n#[cfg(test)]\nmod tests {\n fn f() { x.unwrap() }\n}\n";
        assert_eq!(rules(&[("a.rs", text), ("tests/b.rs", text)]), ["a.rs:3:unwrap"]);
    }

    #[test]
    fn unsafe_has_two_rooms() {
        let text = "//! Doc.\nfn f() { unsafe { g() } }\n";
        assert_eq!(
            rules(&[("crates/ffi/a.rs", text), ("crates/kernels/a.rs", text), ("crates/model/a.rs", text)]),
            ["crates/model/a.rs:2:unsafe"]
        );
    }
}
