//! That what users see is documented, and that nothing is left of the machine and the runs it was written with.

use super::Violation;
use crate::source::line_of;
use crate::tree::Tree;

/// Files among the SQL functions that hold no function with a fixed name.
const NO_FUNCTION: [&str; 4] = ["mod.rs", "named.rs", "model.rs", "label_probabilities.rs"];

/// Folders that exist on one machine only.
const WORDS: [&str; 3] = [concat!("/", "root", "/"), concat!("/", "work", "/"), concat!("shared", "/", "reference")];

/// Ends of file names: snapshots that wait for somebody to look, and what an interrupted `UPDATE_SLT=1` leaves.
const LEFTOVERS: [&str; 3] = [".pending-snap", ".snap.new", ".temp"];

/// Checks that the index of the scripts names every script.
pub fn check_scripts(tree: &Tree, found: &mut Vec<Violation>) {
    let index = tree.text("sql/README.md").unwrap_or_default();
    for (path, _) in tree.files() {
        let Some(name) = path.strip_prefix("sql/").filter(|name| name.ends_with(".sql") && !name.contains('/')) else {
            continue;
        };
        if !index.contains(&format!("`{name}`")) && !index.contains(&format!("({name})")) {
            found.push(Violation::new(path, 1, "script", format!("sql/README.md does not mention `{name}`")));
        }
    }
}

/// Checks that every SQL function carries its documentation.
pub fn check_functions(tree: &Tree, found: &mut Vec<Violation>) {
    for (path, text) in tree.texts(is_function) {
        if !text.contains("#[user_doc(") {
            let what =
                "a SQL function carries `user_doc`; a file without one is listed in crates/xtask/src/tidy/pages.rs";
            found.push(Violation::new(path, 1, "user-doc", what));
        }
    }
}

/// Whether the path is a file of its own for one SQL function: `udfs/src/<family>/<function>.rs`.
pub fn is_function(path: &str) -> bool {
    let Some(path) = path.strip_prefix("udfs/src/") else { return false };
    match path.split('/').collect::<Vec<_>>()[..] {
        [_family, file] => file.ends_with(".rs") && !NO_FUNCTION.contains(&file),
        _ => false,
    }
}

/// Checks that no file names a folder of somebody's machine; models and data are searched as well.
pub fn check_words(tree: &Tree, found: &mut Vec<Violation>) {
    for (path, content) in tree.files() {
        for word in WORDS {
            let places = content.windows(word.len()).enumerate().filter(|(_, window)| *window == word.as_bytes());
            for (at, _) in places {
                let what = format!("`{word}` is a place on one machine");
                found.push(Violation::new(path, line_of(content, at), "machine", what));
            }
        }
    }
}

/// Checks that nothing is kept that a test run leaves behind.
pub fn check_leftovers(tree: &Tree, found: &mut Vec<Violation>) {
    for (path, _) in tree.files().filter(|(path, _)| LEFTOVERS.iter().any(|end| path.ends_with(end))) {
        found.push(Violation::new(path, 1, "leftover", "a test run left this; look at it, then remove it"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_in_the_index() {
        let mut found = Vec::new();
        let index = "- [a](a.sql)\n- `b.sql`: b\n";
        let files =
            [("sql/README.md", index), ("sql/a.sql", ""), ("sql/b.sql", ""), ("sql/c.sql", ""), ("sql/x/d.sql", "")];
        check_scripts(&Tree::of(&files), &mut found);
        let paths: Vec<&str> = found.iter().map(|violation| violation.path.as_str()).collect();
        assert_eq!(paths, ["sql/c.sql"]);
    }

    #[test]
    fn functions_are_documented() {
        let mut found = Vec::new();
        let files = [
            ("udfs/src/lib.rs", ""),
            ("udfs/src/predict/mod.rs", ""),
            ("udfs/src/predict/a.rs", "#[user_doc(description = \"\")]"),
            ("udfs/src/predict/b.rs", "struct B;"),
        ];
        check_functions(&Tree::of(&files), &mut found);
        let paths: Vec<&str> = found.iter().map(|violation| violation.path.as_str()).collect();
        assert_eq!(paths, ["udfs/src/predict/b.rs"]);
    }

    #[test]
    fn test_runs_leave_nothing() {
        let mut found = Vec::new();
        check_leftovers(&Tree::of(&[("a/b.snap.new", ""), ("a/b.snap", ""), ("a/temp.rs", "")]), &mut found);
        let paths: Vec<&str> = found.iter().map(|violation| violation.path.as_str()).collect();
        assert_eq!(paths, ["a/b.snap.new"]);
    }

    #[test]
    fn machines_are_not_named() {
        let mut found = Vec::new();
        let text = format!("a\nb {}x\nc", WORDS[0]);
        check_words(&Tree::of(&[("a.md", &text), ("b.md", "the root/of\nall work")]), &mut found);
        assert_eq!(found, [Violation::new("a.md", 2, "machine", format!("`{}` is a place on one machine", WORDS[0]))]);
    }
}
