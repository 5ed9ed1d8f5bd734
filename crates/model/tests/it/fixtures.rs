//! Reading of the fixtures: models, feature columns, and what the reference answers.

use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::ipc::reader::FileReader;

/// A model with features and reference answers.
pub struct Fixture {
    pub name: String,
    pub model: Vec<u8>,
    pub features: Vec<ArrayRef>,
    pub names: Vec<String>,
    /// Name of the output and its values.
    pub expected: Vec<(String, ArrayRef)>,
    pub rows: usize,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All fixtures of a folder of `tests/fixtures`, their models in `models`.
pub fn load(folder: &str, models: &str) -> Vec<Fixture> {
    let folder = root().join("tests/fixtures").join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the fixtures are in the repository")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "arrow"))
        .collect();
    paths.sort();
    paths.iter().map(|path| fixture(path, &root().join(models))).collect()
}

fn fixture(path: &Path, models: &Path) -> Fixture {
    let reader = FileReader::try_new(fs::File::open(path).expect("a readable file"), None).expect("an Arrow file");
    let schema = reader.schema();
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.expect("a readable batch")).collect();
    let table = concat_batches(&schema, &batches).expect("batches of one schema");
    let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name in UTF-8").to_string();
    let model = schema.metadata().get("model").expect("the fixture names its model");
    let model = fs::read(models.join(model)).expect("the model beside the fixture");
    let (mut features, mut names, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    for (field, column) in schema.fields().iter().zip(table.columns()) {
        match field.name().strip_prefix("expected:") {
            Some(output) => expected.push((output.to_string(), ArrayRef::clone(column))),
            None => {
                names.push(field.name().clone());
                features.push(ArrayRef::clone(column));
            }
        }
    }
    Fixture { name, model, features, names, expected, rows: table.num_rows() }
}
