//! The files of the repository, as git knows them: those that are committed and those that would be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;

/// The root of the repository, two folders above this crate.
///
/// Cargo says at run time where the crate is. The place it was compiled in can be another clone's, if both build into one
/// folder.
pub fn root() -> PathBuf {
    let crate_folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    Path::new(&crate_folder).ancestors().nth(2).unwrap_or_else(|| Path::new(".")).to_path_buf()
}

/// Where cargo puts what it builds.
pub fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}

/// Every file with its content; paths are relative to the root, with `/` between folders.
pub struct Tree {
    files: BTreeMap<String, Vec<u8>>,
}

impl Tree {
    /// Reads what `git ls-files` lists, with new files that are not ignored and without deleted ones.
    ///
    /// # Errors
    /// When git is missing, the folder is no git repository, or a file cannot be read.
    pub fn read(root: &Path) -> Result<Self> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .map_err(|error| format!("cannot run `git ls-files`: {error}"))?;
        if !listed.status.success() {
            let why = String::from_utf8_lossy(&listed.stderr);
            return Err(format!("`git ls-files` failed in {}: {}", root.display(), why.trim()).into());
        }
        let mut files = BTreeMap::new();
        for path in String::from_utf8(listed.stdout)?.split_terminator('\0') {
            let file = root.join(path);
            if file.is_file() {
                files.insert(path.to_owned(), std::fs::read(&file).map_err(|error| format!("{path}: {error}"))?);
            }
        }
        Ok(Self { files })
    }

    /// All files, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, content)| (path.as_str(), content.as_slice()))
    }

    /// The files that are text and that `wanted` picks by path, sorted by path.
    pub fn texts(&self, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = (&str, &str)> {
        self.files()
            .filter(move |(path, _)| wanted(path))
            .filter_map(|(path, content)| Some((path, std::str::from_utf8(content).ok()?)))
    }

    /// The text of one file; `None` if it does not exist or is not text.
    pub fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(self.files.get(path)?).ok()
    }
}

#[cfg(test)]
impl Tree {
    /// A tree from memory.
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_file_is_in_the_tree() {
        let tree = Tree::read(&root()).expect("git lists the files");
        assert_eq!(tree.text("crates/xtask/src/tree.rs"), Some(include_str!("tree.rs")));
        assert_eq!(tree.text("no/such/file"), None);
    }
}
