//! Directories of MLflow: `MLmodel`, signature and input example.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| foretell_model_fuzz::mlflow::read(bytes));
