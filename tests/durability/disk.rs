//! Reads a database directory as anybody could, without the program: is there anything that nothing explains?

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Asserts that every file is one that a record or a log mentions, and that nothing is under way.
#[track_caller]
pub fn assert_explained(database: &Path) {
    assert_eq!(leaves(&database.join("pending")), [""; 0], "writes under way");
    assert_eq!(leaves(&database.join("trash")), [""; 0], "dropped tables");
    let of_models = leaves(&database.join("models/files"));
    assert_eq!(BTreeSet::from_iter(of_models), recorded_files(database), "model files on disk, and in records");
    for table in entries(&database.join("tables")) {
        let (log, data): (Vec<_>, Vec<_>) = leaves(&table).into_iter().partition(|path| path.starts_with("_delta_log"));
        assert_eq!(
            BTreeSet::from_iter(data),
            logged_files(&table),
            "data files of {}, and in its log",
            table.display()
        );
        for name in log {
            let known = ["_last_checkpoint", ".json", ".checkpoint.parquet"].iter().any(|end| name.ends_with(end));
            assert!(known, "{name} in {}", table.display());
        }
    }
}

/// What is in `folder`, sorted; nothing if it is not there.
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(list) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = list.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// All files below `folder`, and the folders in which there is nothing.
fn leaves(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = entries(folder);
    while let Some(path) = open.pop() {
        let inner = entries(&path);
        if inner.is_empty() {
            found.push(path.strip_prefix(folder).expect("below the folder").display().to_string());
        }
        open.extend(inner);
    }
    found
}

/// The files that the log of a table ever added; no statement of these tests removes old versions.
fn logged_files(table: &Path) -> BTreeSet<String> {
    let commits =
        entries(&table.join("_delta_log")).into_iter().filter(|path| path.extension() == Some("json".as_ref()));
    let lines = commits.flat_map(|path| {
        let text = fs::read_to_string(path).expect("a commit can be read");
        text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a commit is JSON")).collect::<Vec<_>>()
    });
    lines.filter_map(|action| Some(action["add"]["path"].as_str()?.to_owned())).collect()
}

/// The files that the records of models mention.
fn recorded_files(database: &Path) -> BTreeSet<String> {
    let records = entries(&database.join("models")).into_iter().filter(|path| path.is_file());
    let versions = records.flat_map(|path| {
        let text = fs::read_to_string(path).expect("a record can be read");
        let record: Value = serde_json::from_str(&text).expect("a record is JSON");
        record["versions"].as_array().expect("a record has versions").clone()
    });
    versions.map(|version| version["file"].as_str().expect("a version has a file").to_owned()).collect()
}
