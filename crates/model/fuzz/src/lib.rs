//! What the fuzz targets share.
//!
//! A target finds a panic, a hang or a great appetite for memory; libFuzzer is told the bounds (see the model crate's
//! README). An error is what most bytes deserve, but never one that calls itself a bug of ours.

#[path = "../../tests/it/exercise.rs"]
mod exercise;
pub mod graph;
mod operators;

use foretell_model::Error;

/// Loads the bytes as a model, and runs it on a few rows if it loads.
///
/// # Panics
/// When the engine does, breaks a promise, or calls an error its own bug.
pub fn load_and_run(bytes: &[u8]) {
    if let Err(error @ Error::Internal(_)) = exercise::load_and_run(bytes) {
        panic!("{error}");
    }
}
