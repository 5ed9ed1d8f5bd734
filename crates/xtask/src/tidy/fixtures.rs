//! That the fixtures stay small: everybody who clones the repository has them for ever.

use super::Violation;
use crate::tree::Tree;

/// Folders of models and answers of other programs.
const FOLDERS: [&str; 2] = ["tests/fixtures/", "crates/model/tests/fixtures/"];
/// Bytes of all files in them.
const BYTES_MAX: usize = 10_000_000;

/// Checks the size of all fixtures together.
pub fn check_size(tree: &Tree, found: &mut Vec<Violation>) {
    let fixtures = || tree.files().filter(|(path, _)| FOLDERS.iter().any(|folder| path.starts_with(folder)));
    let bytes: usize = fixtures().map(|(_, content)| content.len()).sum();
    let Some((path, content)) = fixtures().max_by_key(|(_, content)| content.len()) else { return };
    if bytes > BYTES_MAX {
        let what = format!(
            "the fixtures have {bytes} bytes, at most {BYTES_MAX} are allowed, and this file has {}: score fewer rows, \
             or pack them with tests/fixtures/pack.py",
            content.len()
        );
        found.push(Violation::new(path, 1, "fixtures", what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_file_is_named() {
        let half = "x".repeat(BYTES_MAX / 2);
        let found = |more: &str| {
            let files = [("tests/fixtures/a", &half[..]), ("crates/model/tests/fixtures/b", &half), ("tests/c", "c")];
            let mut found = Vec::new();
            check_size(&Tree::of(&[&files[..], &[("tests/fixtures/d", more)]].concat()), &mut found);
            found
        };
        assert_eq!(found(""), []);
        let found = found("d");
        assert_eq!((found.len(), found[0].path.as_str()), (1, "tests/fixtures/a"));
        assert!(found[0].what.starts_with("the fixtures have 10000001 bytes, "), "{}", found[0].what);
    }
}
