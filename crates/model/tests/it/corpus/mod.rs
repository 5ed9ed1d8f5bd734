//! Hostile files, one for each thing that a file can do to its reader.
//!
//! They are loaded, and run if they load, in a process that is watched: none of them may end it, keep it busy for over a
//! second, or make it take over 256 MB. (No reader decompresses anything; what is compressed is refused.)

mod boosters;
mod files;
mod found;
mod ml;
mod tensors;

use foretell_model::Error;
use foretell_testing::watch::{read_if_watched, watch};

use self::files::{hostile_files, truncated_files};
use crate::exercise::load_and_run;

/// The test in which the files are read.
const WATCHED: &str = "corpus::files_are_loaded_where_they_are_watched";
const WATCHED_TENSORS: &str = "corpus::tensors_are_computed_where_they_are_watched";

#[test]
fn hostile_files_are_refused_soon_and_cheaply() {
    let files = [hostile_files(), boosters::hostile_files(), found::files()].concat();
    for report in watch(WATCHED, "hostile", &files) {
        let (name, message) = (&report.name, &report.message);
        assert_eq!(message.is_empty(), name.starts_with("odd_"), "{name}: {message}");
    }
}

#[test]
fn truncated_files_are_refused() {
    for report in watch(WATCHED, "truncated", &[truncated_files(), boosters::truncated_files()].concat()) {
        assert_ne!(report.message, "", "{} loads", report.name);
    }
}

/// The process that is watched.
#[test]
fn files_are_loaded_where_they_are_watched() {
    read_if_watched(|bytes| load_and_run(bytes).err().map_or_else(String::new, |error| chain(&error)));
}

#[test]
fn hostile_tensors_are_refused_soon_and_cheaply() {
    for report in watch(WATCHED_TENSORS, "hostile tensor", &tensors::hostile_files()) {
        let (name, message) = (&report.name, &report.message);
        assert_eq!(message.is_empty(), name.starts_with("odd_"), "{name}: {message}");
    }
}

/// The process that is watched.
#[test]
fn tensors_are_computed_where_they_are_watched() {
    read_if_watched(|bytes| tensors::compute(bytes).err().map_or_else(String::new, |error| chain(&error)));
}

/// The error with its cause.
fn chain(error: &Error) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}
