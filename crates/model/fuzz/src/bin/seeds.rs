//! Fills `corpus/` with the small models of the fixtures: `cargo run --bin seeds`.

use std::fs;
use std::path::Path;

/// Larger files make the fuzzer slow and teach it nothing.
const BYTES_MAX: u64 = 32 << 10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fixtures = root.join("../../../tests/fixtures");
    let corpus = root.join("corpus/onnx");
    fs::create_dir_all(&corpus)?;
    for entry in fs::read_dir(fixtures.join("zoo"))?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "onnx") && entry.metadata()?.len() <= BYTES_MAX {
            fs::copy(&path, corpus.join(entry.file_name()))?;
        }
    }
    let cases = fs::read_to_string(root.join("../tests/fixtures/operators.json"))?;
    let cases: Vec<serde_json::Value> = serde_json::from_str(&cases)?;
    for (at, case) in cases.iter().enumerate() {
        let digits = case["model"].as_str().ok_or("a case without a model")?;
        let bytes: Result<Vec<u8>, _> =
            (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16)).collect();
        fs::write(corpus.join(format!("operator_{at}")), bytes?)?;
    }
    Ok(())
}
