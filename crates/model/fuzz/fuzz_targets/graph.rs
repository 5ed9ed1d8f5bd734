//! Graphs of known operators on columns with any attributes and constants: sound protocol buffers, so that the readers of
//! operators are reached.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| drop(foretell_model_fuzz::load_and_run(&foretell_model_fuzz::graph::model(bytes))));
