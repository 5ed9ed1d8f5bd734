//! ONNX files whose tensors are in other files.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| foretell_model_fuzz::external::join_and_run(bytes));
