//! Bytes as they come to the reader of XGBoost's UBJSON.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| drop(foretell_model_fuzz::load_and_run(bytes)));
