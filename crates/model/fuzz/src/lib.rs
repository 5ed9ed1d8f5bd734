//! What the fuzz targets share.
//!
//! A target finds a panic, a hang, a great appetite for memory, or an answer that depends on more than its row; libFuzzer is
//! told the bounds (see the README here). An error is what most bytes deserve, but never one that calls itself a bug of ours.
//!
//! Two kinds of targets there are: those whose bytes are the file, and those whose bytes are decisions ([`dice`]) of which a
//! file is made that is sound in its outer form.

pub mod boosters;
pub mod dice;
#[path = "../../tests/it/exercise.rs"]
mod exercise;
pub mod external;
pub mod graph;
pub mod mlflow;
pub mod network;
mod operators;
pub mod tensors;

use std::env::var_os;
use std::fs;
use std::panic::{set_hook, take_hook};
use std::sync::Once;

use foretell_model::Error;

/// Names the file to which a model is written before it is loaded, so that what was found can be looked at.
const SHOWN: &str = "FORETELL_FUZZ_MODEL";

/// Loads the bytes as a model, and runs it on a few rows if it loads.
///
/// # Errors
/// When it is no model, or cannot be run.
///
/// # Panics
/// When the engine does, breaks a promise, or calls an error its own bug.
pub fn load_and_run(bytes: &[u8]) -> Result<(), Error> {
    let_tract_panic();
    if let Some(path) = var_os(SHOWN) {
        fs::write(path, bytes).expect("a writable file");
    }
    let done = exercise::load_and_run(bytes);
    if let Err(error @ Error::Internal(_)) = done {
        panic!("{error}");
    }
    done
}

/// The engine makes an error of a panic of tract; libFuzzer would end the process before it can.
fn let_tract_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let abort = take_hook();
        set_hook(Box::new(move |panic| {
            let is_foreign = |file: &str| ["/tract-", "/ndarray-"].iter().any(|name| file.contains(name));
            if !panic.location().is_some_and(|location| is_foreign(location.file())) {
                abort(panic);
            }
        }));
    });
}
