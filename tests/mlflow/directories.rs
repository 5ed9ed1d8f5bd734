//! Directories with an `MLmodel` file that is broken, hostile, or about another model.

use insta::assert_snapshot;

use super::{copy_model, run};
use crate::util::Sandbox;

/// A sandbox with the model `iris_onnx`, or another one.
struct Model {
    sandbox: Sandbox,
    name: &'static str,
}

impl Model {
    fn new(name: &'static str) -> Self {
        let sandbox = Sandbox::new();
        copy_model(&sandbox, name);
        Self { sandbox, name }
    }

    fn iris() -> Self {
        Self::new("iris_onnx")
    }

    /// Replaces a part of the `MLmodel` file, which must be there.
    fn with(self, part: &str, other: &str) -> Self {
        self.with_file("MLmodel", part, other)
    }

    fn with_file(self, file: &str, part: &str, other: &str) -> Self {
        let path = format!("{}/{file}", self.name);
        let text = self.sandbox.read(&path);
        assert!(text.contains(part), "{text}");
        self.sandbox.write(&path, &text.replace(part, other));
        self
    }

    fn without(self, file: &str) -> Self {
        std::fs::remove_file(self.sandbox.path(self.name).join(file)).expect("the file was there");
        self
    }

    fn created(&self, parameters: &str, options: &str) -> crate::util::Answer {
        run(&self.sandbox, &[format!("CREATE MODEL m {parameters} FROM '{}' {options}", self.name)], &[])
    }

    fn refused(&self) -> String {
        self.created("", "").error(1)
    }
}

#[test]
fn a_directory_needs_its_files() {
    assert_snapshot!(Model::iris().without("MLmodel").refused(), @"error: -c:1:1: `iris_onnx` is a directory without an `MLmodel` file; give the path of the model file in it");
    assert_snapshot!(Model::iris().without("model.onnx").refused(), @"error: -c:1:1: cannot use `iris_onnx`: there is no `model.onnx` in `iris_onnx`");
    assert_snapshot!(Model::iris().without("serving_input_example.json").refused(), @"error: -c:1:1: cannot use `iris_onnx`: there is no `serving_input_example.json` in `iris_onnx`");
    let file = Model::iris();
    run(&file.sandbox, &["CREATE MODEL m FROM 'iris_onnx/MLmodel'".to_owned()], &[]).output();
}

#[test]
fn a_path_in_it_stays_in_it() {
    assert_snapshot!(Model::iris().with("data: model.onnx", "data: ../iris_onnx/model.onnx").refused(), @"error: -c:1:1: cannot use `iris_onnx`: `../iris_onnx/model.onnx` is no path inside the model's directory: it goes up");
    assert_snapshot!(Model::iris().with("data: model.onnx", "data: /etc/passwd").refused(), @"error: -c:1:1: cannot use `iris_onnx`: `/etc/passwd` is no path inside the model's directory: it is absolute");
    assert_snapshot!(Model::iris().with("data: model.onnx", "data: ''").refused(), @"error: -c:1:1: cannot use `iris_onnx`: `` is no path inside the model's directory: it is empty");
    assert_snapshot!(Model::iris().with("serving_input_path: serving", "serving_input_path: ../../serving").refused(), @"error: -c:1:1: cannot use `iris_onnx`: `../../serving_input_example.json` is no path inside the model's directory: it goes up");
    #[cfg(unix)]
    {
        let linked = Model::iris().without("model.onnx");
        linked.sandbox.write("elsewhere.onnx", "secret");
        let link = linked.sandbox.path("iris_onnx/model.onnx");
        std::os::unix::fs::symlink("../elsewhere.onnx", link).expect("a link");
        assert_snapshot!(linked.refused(), @"error: -c:1:1: cannot use `iris_onnx`: `model.onnx` in `iris_onnx` is a link to a file outside of it; put the file itself there");
    }
}

#[test]
fn an_mlmodel_file_of_another_shape_is_refused() {
    let text = |text: &str| {
        let model = Model::iris();
        model.sandbox.write("iris_onnx/MLmodel", text);
        model.refused()
    };
    assert_snapshot!(text(""), @"error: -c:1:1: cannot use `iris_onnx`: `MLmodel` cannot be read: it is empty");
    assert_snapshot!(text("flavors: [onnx]"), @"error: -c:1:1: cannot use `iris_onnx`: `MLmodel` cannot be read: it has no `flavors`, so it does not say what the model is");
    assert_snapshot!(text("flavors:\n  onnx:\n    data: [model.onnx]\n"), @"error: -c:1:1: cannot use `iris_onnx`: `MLmodel` cannot be read: the flavor `onnx` has no `data`, so it does not say which file the model is");
    assert_snapshot!(text("flavors:\n  onnx:\n\tdata: x\n"), @"error: -c:1:1: cannot use `iris_onnx`: `MLmodel` cannot be read: it is no YAML: tabs disallowed within this context (block indentation) at byte 18 line 3 column 2");
    assert_snapshot!(text("flavors:\n  \"\\e[31mred\\a\":\n    data: x\n"), @r#"error: -c:1:1: cannot use `iris_onnx`: a model of the flavor `\u{1b}[31mred\u{7}` runs in Python only; log the model itself with mlflow.onnx, mlflow.xgboost, mlflow.lightgbm or mlflow.catboost"#);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let ten = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{ten}]\n");
    }
    assert_snapshot!(text(&bomb), @"error: -c:1:1: cannot use `iris_onnx`: `MLmodel` cannot be read: line 5: it has more than 100000 values or 33554432 bytes of text");
}

#[test]
fn flavors_that_need_python_are_named() {
    for (name, flavor) in [
        ("iris_sklearn", "`sklearn`"),
        ("doubled_python", "`python_function`"),
        ("classifier_lgb", "booster_"),
        ("net_pytorch", "torch.onnx.export"),
    ] {
        let error = Model::new(name).refused();
        assert!(error.contains(flavor) && error.contains(&format!("cannot use `{name}`")), "{error}");
    }
    let error = Model::new("diabetes_cat_cbm").refused();
    assert!(error.contains("`cbm`") && error.contains("format=\"onnx\""), "{error}");
}

#[test]
fn a_signature_that_does_not_fit_is_refused() {
    let first = r#"{"type": "double", "name": "sepal length (cm)", "required": true}, {"type":
    "double", "name": "sepal width (cm)", "required": true}"#;
    assert_snapshot!(Model::iris().with(first, r#"{"type": "double", "name": "a", "required": true}"#).refused(), @"error: -c:1:1: cannot use `iris_onnx`: the signature in `MLmodel` does not fit the model file: the file takes 4 features, the signature has 3 columns (`a`, `petal length (cm)`, `petal width (cm)`); if the file is right, name its features: CREATE MODEL m (a, b, ...) FROM ...");
    let text = r#"{"type": "double", "name": "a"}, {"type": "string", "name": "b"}"#;
    assert_snapshot!(Model::iris().with(first, text).refused(), @"error: -c:1:1: cannot use `iris_onnx`: the signature in `MLmodel` does not fit the model file: feature `b` is Utf8 in the signature, the file computes with Float32; if the file is right, name its features: CREATE MODEL m (a, b, ...) FROM ...");
    let mixed = Model::new("mixed_onnx").with(r#""name": "size""#, r#""name": "extent""#);
    assert_snapshot!(mixed.refused(), @"error: -c:1:1: cannot use `mixed_onnx`: the signature in `MLmodel` does not fit the model file: the file has the input `size`, the signature has `extent`, `petal_length`, `petal_width`; if the file is right, name its features: CREATE MODEL m (a, b, ...) FROM ...");
    let net = Model::new("net_onnx").with("[-1, 10]", "[-1, 12]");
    assert_snapshot!(net.refused(), @"error: -c:1:1: cannot use `net_onnx`: the signature in `MLmodel` does not fit the model file: a row of the file has 10 values, one of the signature's tensors 12; if the file is right, name its features: CREATE MODEL m (a, b, ...) FROM ...");
    // The statement's own names come before the signature's.
    Model::iris().with(first, text).created("(a, b, c, d)", "").output();
}

#[test]
fn the_input_example_must_be_answered() {
    let example = |from: &str, to: &str| Model::iris().with_file("serving_input_example.json", from, to);
    assert_snapshot!(example("5.1", "\"long\"").refused(), @r#"error: -c:1:1: cannot use `iris_onnx`: the model does not answer its input example `serving_input_example.json`: column `sepal length (cm)`: "long" is not a number; WITH (input_example = 'skip') loads it all the same"#);
    assert_snapshot!(example("sepal width", "sepal depth").refused(), @"error: -c:1:1: cannot use `iris_onnx`: the model does not answer its input example `serving_input_example.json`: it has no column `sepal width (cm)`; WITH (input_example = 'skip') loads it all the same");
    assert_snapshot!(example("dataframe_split", "dataframe_records").refused(), @"error: -c:1:1: cannot use `iris_onnx`: the model does not answer its input example `serving_input_example.json`: it has no column `sepal length (cm)`; WITH (input_example = 'skip') loads it all the same");
    assert_snapshot!(example("{", "[").refused(), @"error: -c:1:1: cannot use `iris_onnx`: the model does not answer its input example `serving_input_example.json`: expected `,` or `]` at line 2 column 20; WITH (input_example = 'skip') loads it all the same");
    example("5.1", "NaN").created("", "").output();
    example("5.1", "\"long\"").created("", "WITH (input_example = 'skip')").output();
    assert_snapshot!(Model::iris().created("", "WITH (input_example = 'maybe')").error(1), @"error: -c:1:1: input_example is 'check' or 'skip', got 'maybe'");
}

#[test]
fn the_answers_must_be_those_of_the_signature() {
    let other = Model::new("other_outputs_onnx");
    assert_snapshot!(other.refused(), @"error: -c:1:1: cannot use `other_outputs_onnx`: the signature in `MLmodel` promises answers that the model file does not give: the output `output_label` has numbers, the file gives `output_label` with a text; if the file is right, WITH (input_example = 'skip') loads it all the same");
    other.created("", "WITH (input_example = 'skip')").output();
    let regression = Model::new("diabetes_xgb");
    let text = regression.sandbox.read("diabetes_xgb/MLmodel");
    assert!(text.contains(r#"{"dtype": "float32", "shape": [-1]}"#), "{text}");
    assert_snapshot!(regression.with(r#""shape": [-1]}"#, r#""shape": [-1, 3]}"#).refused(), @"error: -c:1:1: cannot use `diabetes_xgb`: the signature in `MLmodel` promises answers that the model file does not give: the output has 3 numbers, the file gives `margin` with a number, `prediction` with a number; if the file is right, WITH (input_example = 'skip') loads it all the same");
}

/// MLflow kept a sparse example as such, and nothing else, before it kept requests.
#[test]
fn sparse_examples_are_answered() {
    for name in ["sparse_rows_xgb", "sparse_columns_xgb"] {
        let sparse = || Model::new(name).with("  serving_input_path: serving_input_example.json\n", "");
        sparse().created("", "").output();
        let cut = sparse().with_file("input_example.json", r#""indptr": [0, "#, r#""indptr": [1, "#).refused();
        assert!(cut.contains("its `indptr` does not divide"), "{cut}");
    }
    let wide = Model::new("sparse_rows_xgb").with("  serving_input_path: serving_input_example.json\n", "");
    assert_snapshot!(wide.with_file("input_example.json", "[3, 10]", "[3, 12]").refused(), @"error: -c:1:1: cannot use `sparse_rows_xgb`: the model does not answer its input example `input_example.json`: it has a row that has not 10 values; WITH (input_example = 'skip') loads it all the same");
}

#[test]
fn examples_hold_what_python_tables_and_arrays_hold() {
    let typed = |from: &str, to: &str| Model::new("typed_xgb").with_file("serving_input_example.json", from, to);
    typed(" 69,", " 69.0,").created("", "").output();
    typed("false", "null").created("", "").output();
    assert_snapshot!(typed(" 69,", " 69.5,").refused(), @"error: -c:1:1: cannot use `typed_xgb`: the model does not answer its input example `serving_input_example.json`: column `age`: 69.5 is no whole number; WITH (input_example = 'skip') loads it all the same");
    assert_snapshot!(typed(" 69,", " \"old\",").refused(), @r#"error: -c:1:1: cannot use `typed_xgb`: the model does not answer its input example `serving_input_example.json`: column `age`: "old" is not a number; WITH (input_example = 'skip') loads it all the same"#);
    let tensors = |from: &str, to: &str| Model::new("tensors_onnx").with_file("serving_input_example.json", from, to);
    tensors("\"small\"", "null").created("", "").output();
    assert_snapshot!(tensors("\"size\"", "\"sizes\"").refused(), @"error: -c:1:1: cannot use `tensors_onnx`: the model does not answer its input example `serving_input_example.json`: it has no column `size`; WITH (input_example = 'skip') loads it all the same");
    assert_snapshot!(tensors("\"small\"", "[\"small\", \"large\"]").refused(), @r#"error: -c:1:1: cannot use `tensors_onnx`: the model does not answer its input example `serving_input_example.json`: column `size`: ["small","large"] is not one value; WITH (input_example = 'skip') loads it all the same"#);
    // One row of each, as a dictionary of values.
    let model = Model::new("tensors_onnx");
    let row = r#"{"inputs": {"size": "small", "petal_width": 0.2, "petal_length": 1.4}}"#;
    model.sandbox.write("tensors_onnx/serving_input_example.json", row);
    model.created("", "").output();
}

#[test]
fn maps_are_objects_in_an_example() {
    let words = |from: &str, to: &str| Model::new("words_onnx").with_file("serving_input_example.json", from, to);
    Model::new("words_onnx").created("", "").output();
    words("\"word 7\": 1.0", "\"word 7\": null").created("", "").output();
    assert_snapshot!(words("\"word 7\": 1.0", "\"word 7\": \"many\"").refused(), @r#"error: -c:1:1: cannot use `words_onnx`: the model does not answer its input example `serving_input_example.json`: column `words`: "many" is not a number; WITH (input_example = 'skip') loads it all the same"#);
}
