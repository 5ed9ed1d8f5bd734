//! Fills `corpus/` with the small models of the fixtures: `cargo run --bin seeds`.

use std::fs;
use std::path::Path;

use foretell_testing::pack;

/// Larger files make the fuzzer slow and teach it nothing.
const BYTES_MAX: usize = 32 << 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = root.join("corpus/onnx");
    fs::create_dir_all(&corpus)?;
    for (name, model) in pack::family("zoo") {
        if name.ends_with(".onnx") && model.len() <= BYTES_MAX {
            fs::write(corpus.join(name), model)?;
        }
    }
    let cases = pack::unzipped(&root.join("../tests/fixtures/operators.json.gz"));
    let cases: Vec<serde_json::Value> = serde_json::from_slice(&cases)?;
    for (at, case) in cases.iter().enumerate() {
        let digits = case["model"].as_str().ok_or("a case without a model")?;
        let bytes: Result<Vec<u8>, _> =
            (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16)).collect();
        fs::write(corpus.join(format!("operator_{at}")), bytes?)?;
    }
    Ok(())
}
