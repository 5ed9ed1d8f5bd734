//! The file `MLmodel`, which makes a directory a model.

use crate::error::{Error, Result};
use crate::example::Form;
use crate::flavor::{self, Flavor};
use crate::path::InnerPath;
use crate::promise::{self, Promise};
use crate::schema::Schema;
use crate::yaml::Node;

/// The name of the file that makes a directory a model.
pub const MLMODEL: &str = "MLmodel";

/// A directory's `MLmodel`: which of its files is the model, and what the model takes.
#[derive(Debug, Clone)]
pub struct MlModel {
    pub(crate) flavor: Flavor,
    pub(crate) schema: Option<Schema>,
    pub(crate) promises: Vec<Promise>,
    data: InnerPath,
    example: Option<InnerPath>,
    pub(crate) form: Form,
}

impl MlModel {
    /// Reads the bytes of an `MLmodel` file.
    ///
    /// # Errors
    /// When they are no such file, or the model is of a kind that only Python can run.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| Error::MlModel("it is not text in UTF-8".to_owned()))?;
        let root = Node::parse(text)?;
        let (flavor, data) = flavor::choose(&root)?;
        let schema = signature(&root, "inputs", Schema::parse)?;
        let promises = signature(&root, "outputs", promise::parse)?.unwrap_or_default();
        check_parameters(&root, flavor)?;
        let (example, form) = example(&root)?.unzip();
        Ok(Self { flavor, schema, promises, data, example, form: form.unwrap_or(Form::Open) })
    }

    /// The file that holds the model.
    pub fn data(&self) -> &InnerPath {
        &self.data
    }

    /// How many features the signature has, where it fixes them.
    pub fn feature_count(&self) -> Option<usize> {
        self.schema.as_ref().and_then(Schema::width)
    }

    /// The file with rows that the model must be able to answer.
    pub fn example(&self) -> Option<&InnerPath> {
        self.example.as_ref()
    }
}

/// What a part of the signature says, if it is there.
fn signature<T>(root: &Node, part: &str, parse: fn(&str) -> Result<T, String>) -> Result<Option<T>> {
    let Some(text) = root.get("signature").and_then(|signature| signature.get(part)) else { return Ok(None) };
    let unreadable = |what| Error::MlModel(format!("the signature is wrong: {what}"));
    let json = text.text().ok_or_else(|| unreadable(format!("its {part} are no JSON text")))?;
    parse(json).map(Some).map_err(unreadable)
}

/// Of the flavors that are read, XGBoost's alone hands the parameters of a signature to the model. They change its answers.
fn check_parameters(root: &Node, flavor: Flavor) -> Result<()> {
    let params = root.get("signature").and_then(|signature| signature.get("params")).and_then(Node::text);
    match (params, flavor) {
        (Some(params), Flavor::Xgboost) if params.trim() != "[]" => Err(Error::Flavor(format!(
            "the signature has parameters that change what XGBoost predicts, and a SQL function has none: {}; \
             log the model without them",
            params.chars().take(200).collect::<String>()
        ))),
        _ => Ok(()),
    }
}

/// The example as a request to MLflow's server if it is kept as such, else as the user gave it.
fn example(root: &Node) -> Result<Option<(InnerPath, Form)>> {
    let Some(info) = root.get("saved_input_example_info") else { return Ok(None) };
    let text = |key: &str| info.get(key).and_then(Node::text);
    if let Some(path) = text("serving_input_path") {
        return Ok(Some((InnerPath::parse(path)?, Form::Open)));
    }
    let Some(path) = text("artifact_path") else {
        return Err(Error::MlModel("`saved_input_example_info` does not say where the example is".to_owned()));
    };
    let form = match text("type") {
        Some("sparse_matrix_csr") => Form::SparseRows,
        Some("sparse_matrix_csc") => Form::SparseColumns,
        _ => Form::Open,
    };
    Ok(Some((InnerPath::parse(path)?, form)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAVOR: &str = "flavors:\n  onnx:\n    data: model.onnx\n";

    #[test]
    fn a_plain_save_has_no_signature_and_no_example() {
        let model = MlModel::parse(format!("{FLAVOR}signature: null\nmodel_id: null\n").as_bytes()).expect("sound");
        assert_eq!((model.example(), model.feature_count()), (None, None));
    }

    #[test]
    fn broken_files_are_refused() {
        let refusal = |text: &[u8]| MlModel::parse(text).expect_err("refused").to_string();
        let with = |text: &str| refusal(format!("{FLAVOR}{text}").as_bytes());
        insta::assert_snapshot!(refusal(b"\xff\xfe"), @"`MLmodel` cannot be read: it is not text in UTF-8");
        insta::assert_snapshot!(refusal(b"hello"), @"`MLmodel` cannot be read: it has no `flavors`, so it does not say what the model is");
        insta::assert_snapshot!(refusal(b"flavors: onnx"), @"`MLmodel` cannot be read: it has no `flavors`, so it does not say what the model is");
        insta::assert_snapshot!(with("signature:\n  inputs: [a, b]\n"), @"`MLmodel` cannot be read: the signature is wrong: its inputs are no JSON text");
        insta::assert_snapshot!(with("signature:\n  inputs: '[{\"type\": \"double\"'\n"), @"`MLmodel` cannot be read: the signature is wrong: its inputs: EOF while parsing an object at line 1 column 18");
        insta::assert_snapshot!(with("saved_input_example_info:\n  artifact_path: [x]\n"), @"`MLmodel` cannot be read: `saved_input_example_info` does not say where the example is");
        insta::assert_snapshot!(with("saved_input_example_info:\n  artifact_path: /etc/passwd\n"), @"`/etc/passwd` is no path inside the model's directory: it is absolute");
        let params = "flavors:\n  xgboost:\n    data: m\nsignature:\n  params: '[{\"name\": \"output_margin\"}]'\n";
        insta::assert_snapshot!(refusal(params.as_bytes()), @r#"the signature has parameters that change what XGBoost predicts, and a SQL function has none: [{"name": "output_margin"}]; log the model without them"#);
    }
}
