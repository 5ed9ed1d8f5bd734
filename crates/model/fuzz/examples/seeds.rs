//! Fills `corpus/` with the small models of the fixtures: `cargo run --example seeds`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use foretell_model_fuzz::mlflow;
use foretell_testing::pack;

/// Larger files make the fuzzer slow and teach it nothing.
const BYTES_MAX: usize = 32 << 10;

/// Where the files of a family go, by how their names end.
const FAMILIES: [(&str, &str, &str); 5] = [
    ("zoo", ".onnx", "onnx"),
    ("xgboost", ".json", "xgboost_json"),
    ("xgboost", ".ubj", "xgboost_ubjson"),
    ("lightgbm", ".txt", "lightgbm"),
    ("catboost", ".json", "catboost"),
];

/// Cases of the operator tests.
const CASES: [&str; 3] = ["operators", "ml_operators", "ml_attributes"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = |target: &str| -> Result<PathBuf, Box<dyn Error>> {
        let corpus = root.join("corpus").join(target);
        fs::create_dir_all(&corpus)?;
        Ok(corpus)
    };
    for (family, ending, target) in FAMILIES {
        let corpus = corpus(target)?;
        for (name, model) in pack::family(family) {
            if name.ends_with(ending) && model.len() <= BYTES_MAX {
                fs::write(corpus.join(name), model)?;
            }
        }
    }
    for name in CASES {
        operators(name, &root.join("../tests/fixtures").join(format!("{name}.json.gz")), &corpus("onnx")?)?;
    }
    directories(&root.join("../../../tests/fixtures/mlflow/mlflow3/models"), &corpus("mlflow")?)
}

fn operators(name: &str, cases: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    let cases: Vec<serde_json::Value> = serde_json::from_slice(&pack::unzipped(cases))?;
    for (at, case) in cases.iter().enumerate() {
        let digits = case["model"].as_str().ok_or("a case without a model")?;
        let bytes: Result<Vec<u8>, _> =
            (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16)).collect();
        fs::write(to.join(format!("{name}_{at}")), bytes?)?;
    }
    Ok(())
}

/// Each directory of MLflow with each model and each form of the example.
fn directories(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(from)?.flatten() {
        let mlmodel = fs::read(entry.path().join("MLmodel"))?;
        let name = entry.file_name().into_string().map_err(|_| "a name that is no text")?;
        for example in ["input_example.json", "serving_input_example.json"] {
            let Ok(example_bytes) = fs::read(entry.path().join(example)) else { continue };
            for model in 0..mlflow::MODELS.len() {
                let seed = mlflow::seed(model as u8, &mlmodel, &example_bytes);
                fs::write(to.join(format!("{name}_{model}_{example}")), seed)?;
            }
        }
    }
    Ok(())
}
