//! What a test counted, for `cargo xtask coverage`, which prints the counts of all tests as one table.
//!
//! A test says what it counted before it asserts that all is well, so that the table of a run that fails says how far it
//! came. Nothing is judged here, and without the command's variable nothing is written.

use std::path::Path;
use std::{env, fs};

/// Names the folder for the counts.
const FOLDER: &str = "FORETELL_COUNTS";

/// Reports the lines of a part of a section of the table: what was counted, and how much of it there is.
///
/// # Panics
/// When the folder that the variable names cannot be written.
pub fn report(section: &str, part: &str, lines: &[(String, String)]) {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder).join(section);
    let text: String = lines.iter().map(|(what, count)| format!("{what}\t{count}\n")).collect();
    fs::create_dir_all(&folder).expect("the folder for the counts");
    fs::write(folder.join(format!("{part}.tsv")), text).expect("a file for the counts");
}

/// How many of them are as they should be, in words.
pub fn of(good: usize, all: usize) -> String {
    format!("{good} of {all}")
}
