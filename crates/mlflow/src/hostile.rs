//! Hostile directories, one for each thing that a file in them can do to its reader.
//!
//! They are read in a process that is watched: none of them may end it, keep it busy for over a second, or make it take over
//! 256 MB. A directory is one file here: `MLmodel`, a zero byte, the input example.

use std::fmt::Write;

use foretell_model::{LoadOptions, Model};
use foretell_testing::onnx::{encode, model, node};
use foretell_testing::watch::{File, read_if_watched, watch};

use crate::allowance::Allowance;
use crate::error::Result;
use crate::mlmodel::MlModel;

/// Features of the model.
const FEATURES: usize = 20_000;

#[test]
fn hostile_directories_are_refused_soon_and_cheaply() {
    let files = [mlmodels(), signatures(), examples()].concat();
    for report in watch("hostile::directories_are_read_where_they_are_watched", "hostile MLflow", &files) {
        let (name, message) = (&report.name, &report.message);
        assert_eq!(message.is_empty(), name.starts_with("odd_"), "{name}: {message}");
    }
}

/// The process that is watched.
#[test]
fn directories_are_read_where_they_are_watched() {
    read_if_watched(|bytes| read(bytes).err().map_or_else(String::new, |error| error.to_string()));
}

fn read(bytes: &[u8]) -> Result<()> {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let (mlmodel, example) = (parts.next().unwrap_or_default(), parts.next());
    Allowance::MlModel.check("MLmodel", mlmodel.len() as u64)?;
    let mlmodel = MlModel::parse(mlmodel)?;
    let options = LoadOptions { feature_count: mlmodel.feature_count(), ..LoadOptions::default() };
    let file = encode(&model(FEATURES as i64, vec![node("Relu", &["x"], "y", vec![])], vec![]));
    let mut model = Model::from_bytes(&file, &options).expect("a sound model");
    mlmodel.name_features(&mut model)?;
    let Some(example) = example else { return Ok(()) };
    Allowance::Example.check("input_example.json", example.len() as u64)?;
    mlmodel.answer_example(&model, example)
}

const FLAVOR: &str = "flavors:\n  onnx:\n    data: model.onnx\n";

fn of_text((name, text): (&str, String)) -> File {
    (name.to_owned(), text.into_bytes())
}

fn mlmodels() -> Vec<File> {
    let with = |text: &str| format!("{FLAVOR}{text}");
    let bomb = (1..30).fold("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let ten = vec![format!("*a{}", level - 1); 10].join(", ");
        format!("{text}a{level}: &a{level} [{ten}]\n")
    });
    let kept = (0..60).fold("x".repeat(8 << 20), |inner, level| format!("&a{level} [{inner}]"));
    let keys = (0..100_001).fold(String::new(), |mut text, at| {
        writeln!(text, "k{at}: x").expect("writing to a text");
        text
    });
    let files = [
        ("mlmodel_empty", String::new()),
        ("odd_mlmodel", with("")),
        ("mlmodel_aliases", with(&bomb)),
        ("mlmodel_anchors_kept", with(&format!("x: {kept}"))),
        ("mlmodel_alias_of_itself", with("x: &x [*x]")),
        ("mlmodel_nested", with(&format!("x: {}", "[".repeat(1 << 20)))),
        ("mlmodel_nested_maps", with(&format!("x: {}", "{a: ".repeat(1 << 20)))),
        ("mlmodel_nested_lists", "- ".repeat(1 << 20)),
        ("mlmodel_keys_many", with(&keys)),
        ("mlmodel_key_twice", with("x: 1\nx: 2\n")),
        ("mlmodel_key_that_is_a_list", with("? [a]\n: b\n")),
        ("odd_mlmodel_of_comments", with(&"# x\n".repeat(1 << 20))),
        ("odd_mlmodel_of_one_line", with(&format!("x: {}", "y".repeat(4 << 20)))),
        ("mlmodel_of_quotes", with(&format!("x: \"{}", "\\x41".repeat(1 << 20)))),
        ("odd_mlmodel_of_tabs", with(&"\t".repeat(1 << 20))),
        ("mlmodel_of_more_than_is_allowed", with(&" ".repeat(17 << 20))),
        ("mlmodel_file_above", "flavors: {onnx: {data: ../../etc/passwd}}".to_owned()),
        ("mlmodel_file_elsewhere", "flavors: {onnx: {data: /etc/passwd}}".to_owned()),
    ];
    files.map(of_text).to_vec()
}

/// An `MLmodel` with these inputs in its signature.
fn signed(inputs: &str) -> String {
    format!("{FLAVOR}signature:\n  inputs: '{inputs}'\n")
}

/// `count` columns of one kind.
fn columns(count: usize, kind: &str) -> String {
    let columns: Vec<String> = (0..count).map(|at| format!(r#"{{"name": "c{at}", {kind}}}"#)).collect();
    format!("[{}]", columns.join(", "))
}

fn signatures() -> Vec<File> {
    let tensor = |shape: &str| format!(r#""type": "tensor", "tensor-spec": {{"dtype": "float32", "shape": {shape}}}"#);
    let array = r#"{"type": "array", "items": "#;
    let deep = |depth: usize| format!("[{}\"double\"{}]", array.repeat(depth), "}".repeat(depth));
    let of_one_name = format!("[{}]", vec![r#"{"type": "double", "name": "a"}"#; FEATURES].join(", "));
    let files = [
        ("odd_signature_wide", signed(&columns(FEATURES, "\"type\": \"float\""))),
        ("signature_wider", signed(&columns(FEATURES + 1, "\"type\": \"float\""))),
        ("signature_of_other_types", signed(&columns(FEATURES, "\"type\": \"string\""))),
        ("signature_of_one_name", signed(&of_one_name)),
        ("signature_of_tensors", signed(&columns(FEATURES, &tensor("[-1, 2]")))),
        ("odd_signature_of_tensors", signed(&columns(FEATURES, &tensor("[-1]")))),
        ("signature_shape_of_a_giant", signed(&columns(1, &tensor("[-1, 9223372036854775807, 9223372036854775807]")))),
        ("signature_shape_negative", signed(&columns(1, &tensor("[-1, -2]")))),
        ("signature_shape_too_large_to_read", signed(&columns(1, &tensor("[-1, 18446744073709551616]")))),
        ("signature_shape_long", signed(&columns(1, &tensor(&format!("[{}1]", "1, ".repeat(1 << 20)))))),
        ("signature_nested", signed(&"[".repeat(1 << 20))),
        ("signature_of_deep_lists", signed(&deep(1_000))),
        ("signature_of_empty_objects", signed(&format!("[{}{{}}]", "{},".repeat(4 << 20)))),
        (
            "signature_of_great_values",
            signed(&format!("[{{\"type\": \"x\", \"items\": [{}0]}}]", "{\"\":0},".repeat(1 << 20))),
        ),
    ];
    files.map(of_text).to_vec()
}

fn examples() -> Vec<File> {
    let with = |example: &str| format!("{FLAVOR}\0{example}");
    let info = "saved_input_example_info:\n  artifact_path: input_example.json\n";
    let example = |text: &str| format!("{FLAVOR}{info}\0{text}");
    let rows = |row: &str, count: usize| format!("[{}]", vec![row; count].join(","));
    let zeros = format!("[{}0]", "0,".repeat(FEATURES - 1));
    let records: Vec<String> = (0..1_000)
        .map(|row| {
            let cells: Vec<String> = (0..1_000).map(|cell| format!("\"{row}_{cell}\":0")).collect();
            format!("{{{}}}", cells.join(","))
        })
        .collect();
    let names: Vec<String> = (0..FEATURES).map(|at| format!("\"f{at}\"")).collect();
    let split = format!("{{\"columns\":[{}],\"data\":[{zeros}]}}", names.join(","));
    let files = [
        ("odd_example", with(&rows(&zeros, 10))),
        ("odd_example_by_name", example(&split)),
        ("example_narrow", example("[[1, 2]]")),
        ("example_nested", example(&"[".repeat(1 << 20))),
        ("example_nested_rows", example(&format!("[{}{}]", "[".repeat(120), "]".repeat(120)))),
        ("example_of_empty_objects", example(&format!("[{}{{}}]", "{},".repeat(4 << 20)))),
        ("example_of_great_values", example(&format!("[{}0]", "{\"\":0},".repeat(2 << 20)))),
        ("example_of_zeros", example(&format!("[{}0]", "0,".repeat(8 << 20)))),
        ("example_of_nan", example(&format!("[{}0]", "NaN,".repeat(1 << 20)))),
        ("example_of_names", example(&format!("[{}]", records.join(",")))),
        ("example_ends_early", example("{\"columns\": [")),
        ("example_of_more_than_is_allowed", example(&" ".repeat(17 << 20))),
        ("example_of_no_rows", example("{\"data\": 1}")),
        ("example_of_columns_that_differ", example("{\"a\": [1], \"b\": [1, 2]}")),
        ("example_number_of_a_megabyte", example(&"1".repeat(1 << 20))),
    ];
    files.map(of_text).to_vec()
}
