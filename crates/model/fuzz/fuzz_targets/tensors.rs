//! Graphs of tensor operators with any attributes, constants and bodies, run as a whole by the tensor evaluator.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| foretell_model_fuzz::tensors::load_and_run(bytes));
