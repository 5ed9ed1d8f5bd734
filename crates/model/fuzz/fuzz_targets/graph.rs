//! Graphs of known operators with any attributes and constants: sound protocol buffers, so that the readers of operators
//! are reached.

#![no_main]

use foretell_model_fuzz::{graph, load_and_run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| load_and_run(&graph::model(bytes)));
