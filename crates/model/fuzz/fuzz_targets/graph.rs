//! Graphs of known operators on columns with any attributes and constants: sound protocol buffers, so that the readers of
//! operators are reached.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    use foretell_model_fuzz::network::{Wanted, network};
    let file = match bytes.split_first() {
        Some((first, rest)) if first % 4 > 0 => {
            foretell_testing::onnx::encode(&network(rest, &Wanted { double: false, rows: 2 }))
        }
        _ => foretell_model_fuzz::graph::model(bytes),
    };
    drop(foretell_model_fuzz::load_and_run(&file));
});
