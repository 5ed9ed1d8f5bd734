//! Directories of MLflow: an `MLmodel` of any content, with an input example of any content, beside a sound model.

use std::sync::OnceLock;

use foretell_mlflow::{InnerPath, MlModel, ModelUri};
use foretell_model::{LoadOptions, Model};

/// Models that directories are about.
pub const MODELS: [&[u8]; 3] = [
    include_bytes!("../../../../tests/fixtures/mlflow/mlflow3/models/iris_onnx/model.onnx"),
    include_bytes!("../../../../tests/fixtures/mlflow/mlflow3/models/mixed_onnx/model.onnx"),
    include_bytes!("../../../../tests/fixtures/mlflow/mlflow3/models/unnamed_xgb/model.xgb"),
];

/// Ends the text of `MLmodel`.
const END: u8 = 0;

/// A directory as the bytes of a seed: which model, its `MLmodel`, its example.
pub fn seed(model: u8, mlmodel: &[u8], example: &[u8]) -> Vec<u8> {
    [&[model], mlmodel, &[END], example].concat()
}

/// Reads a directory as `CREATE MODEL` does.
///
/// # Panics
/// When the reader does, an address is not read as it is written, or an error is called a bug.
pub fn read(bytes: &[u8]) {
    let Some((which, rest)) = bytes.split_first() else { return };
    let mut parts = rest.splitn(2, |byte| *byte == END);
    let (mlmodel, example) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if let Ok(text) = std::str::from_utf8(example) {
        read_names(text);
    }
    let Ok(mlmodel) = MlModel::parse(mlmodel) else { return };
    assert_eq!(InnerPath::parse(&mlmodel.data().to_string()).as_ref().ok(), Some(mlmodel.data()));
    let mut model = load(usize::from(*which) % MODELS.len(), mlmodel.feature_count());
    let Some(model) = &mut model else { return };
    let answered = mlmodel.name_features(model).and_then(|()| mlmodel.answer_example(model, example));
    if let Err(error) = answered {
        let text = error.to_string();
        assert!(!text.contains("internal error"), "{text}");
    }
}

fn read_names(text: &str) {
    if let Ok(path) = InnerPath::parse(text) {
        assert!(path.parts().iter().all(|part| !part.is_empty() && part != ".." && !part.contains(['/', '\\'])));
        assert_eq!(InnerPath::parse(&path.to_string()).ok(), Some(path));
    }
    if let Some(Ok(uri)) = ModelUri::parse(text) {
        assert!(matches!(ModelUri::parse(&uri.to_string()), Some(Ok(again)) if again == uri), "{uri}");
    }
}

/// A model, if it can have as many features.
fn load(which: usize, feature_count: Option<usize>) -> Option<Model> {
    static WIDTHS: OnceLock<[usize; MODELS.len()]> = OnceLock::new();
    let load = |which: usize, feature_count| {
        Model::from_bytes(MODELS[which], &LoadOptions { feature_count, ..LoadOptions::default() }).ok()
    };
    let own = |which| load(which, None).map_or(0, |model| model.signature().features.len());
    let widths = WIDTHS.get_or_init(|| std::array::from_fn(own));
    load(which, feature_count.filter(|count| *count == widths[which]))
}
