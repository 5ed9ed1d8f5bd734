//! Reading of the fixtures: models, feature columns, and what the reference answers.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::ipc::reader::FileReader;
use foretell_testing::pack;

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

/// All fixtures of a family in `tests/fixtures`, in the order of their names. The flights' models are the scripts'.
pub fn load(family: &str) -> Vec<Fixture> {
    let files = pack::family(family);
    let model = |name: &str| files.get(name).cloned().or_else(|| fs::read(scripts_models().join(name)).ok());
    let tables = files.iter().filter_map(|(name, table)| Some((name.strip_suffix(".arrow")?, table)));
    let fixtures: Vec<Fixture> = tables.map(|(name, table)| fixture(name, table, &model)).collect();
    assert!(!fixtures.is_empty(), "there are fixtures of {family}");
    fixtures
}

/// One file of a family that is text.
pub fn text_of(family: &str, name: &str) -> String {
    let file = pack::family(family).remove(name).unwrap_or_else(|| panic!("{family} has no {name}"));
    String::from_utf8(file).expect("text in UTF-8")
}

fn scripts_models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/models")
}

fn fixture(name: &str, table: &[u8], model: &dyn Fn(&str) -> Option<Vec<u8>>) -> Fixture {
    let reader = FileReader::try_new(Cursor::new(table), None).expect("an Arrow file");
    let schema = reader.schema();
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.expect("a readable batch")).collect();
    let table = concat_batches(&schema, &batches).expect("batches of one schema");
    let file = schema.metadata().get("model").expect("the fixture names its model");
    let model = model(file).expect("the model beside the fixture");
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
    Fixture { name: name.to_string(), model, features, names, expected, rows: table.num_rows() }
}
