//! `cargo xtask coverage`: how much is proved, counted by the tests that prove it.
//!
//! The tests write what they count into a folder (`foretell_testing::counts`); here they are run, once, and what they wrote
//! is printed. No number is known here, so that none can be wrong; only the sections are, so that none can be forgotten.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::check::{cargo, succeed};
use crate::tree::target_folder;

/// Names the folder to the tests.
const FOLDER: &str = "FORETELL_COUNTS";

/// The sections of the table.
const SECTIONS: [&str; 10] = [
    "Backend suite of onnx",
    "Zoo of ONNX exports",
    "Operator cases",
    "Files of XGBoost",
    "Files of LightGBM",
    "Files of CatBoost",
    "MLflow directories",
    "Deep models",
    "Properties",
    "Hostile files",
];

/// The tests that count, as arguments for cargo.
const TESTS: [&str; 2] =
    ["test --locked --workspace --test it", "test --locked --workspace --test main -- mlflow::flavors"];

/// Runs the tests that count, and prints their counts.
///
/// # Errors
/// When a test fails, or a section has no counts; the others are printed all the same.
pub fn run(root: &Path) -> Result {
    let folder = emptied(target_folder(root).join("coverage"))?;
    let tested: Vec<Result> = TESTS.iter().map(|tests| run_tests(root, tests, &folder)).collect();
    let mut table = read(&folder)?;
    table.push(fuzz_targets(root)?);
    print!("{}", show(&table));
    tested.into_iter().collect::<Result>()?;
    match table.iter().filter(|section| section.lines.is_empty()).map(|section| &*section.name).collect::<Vec<_>>()[..]
    {
        [] => Ok(()),
        ref empty => Err(format!("no test counted for: {}", empty.join(", ")).into()),
    }
}

fn run_tests(root: &Path, arguments: &str, folder: &Path) -> Result {
    let mut command = cargo();
    command.args(arguments.split(' ')).env(FOLDER, folder).current_dir(root);
    succeed(&mut command, &format!("cargo {arguments}"))
}

/// The folder without what an earlier run wrote into it.
fn emptied(folder: PathBuf) -> Result<PathBuf> {
    let name = |error| format!("{}: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(name)?;
    }
    fs::create_dir_all(&folder).map_err(name)?;
    Ok(folder)
}

/// A section: what was counted, and how much of it there is.
#[derive(Debug, PartialEq, Eq)]
struct Section {
    name: String,
    lines: Vec<(String, String)>,
}

/// The fuzz targets, which need another compiler and hours, and do not run here.
fn fuzz_targets(root: &Path) -> Result<Section> {
    let files = files_in(&root.join("crates/model/fuzz/fuzz_targets"))?;
    let names: Vec<String> = files.iter().filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    let lines = vec![(format!("{} targets of cargo-fuzz", names.len()), format!("{}; not run here", names.join(", ")))];
    Ok(Section { name: "Fuzz targets".to_owned(), lines })
}

/// All sections, in their order; those that are not listed come last.
fn read(folder: &Path) -> Result<Vec<Section>> {
    let mut names: Vec<String> = SECTIONS.map(str::to_owned).to_vec();
    let others = files_in(folder)?.into_iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
    names.extend(others.filter(|name| !SECTIONS.contains(&name.as_str())));
    names.into_iter().map(|name| Ok(Section { lines: lines(&folder.join(&name))?, name })).collect()
}

/// The lines of all parts of a section, in the order of the parts' names.
fn lines(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut lines = Vec::new();
    for path in files_in(folder)? {
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        lines.extend(
            text.lines().filter_map(|line| line.split_once('\t')).map(|(what, count)| (what.into(), count.into())),
        );
    }
    Ok(lines)
}

/// What is in a folder, by name; nothing if it is not there.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries: std::result::Result<Vec<_>, _> = fs::read_dir(folder)?.collect();
    let mut paths: Vec<PathBuf> = entries?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

/// The table as text.
fn show(table: &[Section]) -> String {
    let widest =
        table.iter().flat_map(|section| &section.lines).map(|(what, _)| what.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Section { name, lines } in table {
        text.push_str(&format!("\n{name}\n"));
        for (what, count) in lines {
            text.push_str(&format!("  {what:widest$}  {count}\n"));
        }
        if lines.is_empty() {
            text.push_str("  nothing was counted\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::root;

    fn write(folder: &Path, section: &str, part: &str, text: &str) {
        fs::create_dir_all(folder.join(section)).expect("a folder");
        fs::write(folder.join(section).join(part), text).expect("a file");
    }

    #[test]
    fn sections_have_the_lines_of_all_their_parts() {
        let folder = emptied(target_folder(&root()).join("coverage of tests")).expect("a folder");
        write(&folder, "Properties", "b.tsv", "second\t3 cases\n");
        write(&folder, "Properties", "a.tsv", "first\t1 of 2\n  indented\t4\n");
        write(&folder, "Of tomorrow", "a.tsv", "new\t1\n");
        let table = read(&folder).expect("readable counts");
        let names: Vec<&str> = table.iter().map(|section| section.name.as_str()).collect();
        assert_eq!(names, [&SECTIONS[..], &["Of tomorrow"]].concat());
        let text = show(&table[8..9]);
        assert_eq!(text, "\nProperties\n  first       1 of 2\n    indented  4\n  second      3 cases\n");
        assert_eq!(show(&table[..1]), "\nBackend suite of onnx\n  nothing was counted\n");
    }

    #[test]
    fn the_tests_know_the_folder_by_the_same_name() {
        let counts = fs::read_to_string(root().join("crates/testing/src/counts.rs")).expect("the file");
        assert!(counts.contains(&format!("const FOLDER: &str = \"{FOLDER}\";")));
    }
}
