//! Single operators in their corners, compared with ONNX Runtime.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int64Array, ListArray, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use foretell_model::{Answer, LoadOptions, Model, NullPolicy, OnRefusedRow, PassOptions};
use serde_json::Value;

use crate::compare::difference;

#[test]
fn operators_answer_as_onnxruntime_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/operators.json");
    let text = fs::read_to_string(path).expect("the cases are in the repository");
    let cases: Vec<Value> = serde_json::from_str(&text).expect("valid JSON");
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| check(case).err().map(|failure| format!("{}: {failure}", case["name"])))
        .collect();
    let (failed, all) = (failures.len(), cases.len());
    assert!(failures.is_empty(), "{failed} of {all} operators differ:\n{}", failures.join("\n"));
}

fn check(case: &Value) -> Result<(), String> {
    let rows = case["rows"].as_u64().expect("a number of rows") as usize;
    let features: Vec<ArrayRef> = list(&case["features"]).iter().map(|feature| column(feature, rows)).collect();
    let model = bytes(case["model"].as_str().expect("a model"));
    let options = LoadOptions { on_null: Some(NullPolicy::Missing), ..LoadOptions::default() };
    for passes in [PassOptions::NONE, PassOptions::ALL] {
        let options = LoadOptions { passes, ..options.clone() };
        let model = Model::from_bytes(&model, &options).map_err(|error| chain(&error))?;
        let answers = model.run(&features, rows, &[Answer::Raw], OnRefusedRow::Fail).map_err(|error| chain(&error))?;
        for output in list(&case["outputs"]) {
            let name = output["name"].as_str().expect("a name");
            let got = answers[0].as_struct().column_by_name(name).ok_or_else(|| format!("no output {name}"))?;
            if let Some(difference) = difference(got, &column(output, rows)) {
                return Err(format!("{name}: {difference}"));
            }
        }
        let empty: Vec<ArrayRef> = features.iter().map(|feature| feature.slice(0, 0)).collect();
        let nothing = model.run(&empty, 0, &[Answer::Raw], OnRefusedRow::Fail).map_err(|error| chain(&error))?;
        if !nothing[0].is_empty() || nothing[0].data_type() != answers[0].data_type() {
            return Err("an empty batch has another type".to_string());
        }
    }
    Ok(())
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digit = |digit: u8| (digit as char).to_digit(16).expect("hexadecimal digits") as u8;
    hexadecimal.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// A column of the type the case says; lists have as many elements as rows need.
fn column(value: &Value, rows: usize) -> ArrayRef {
    let values = list(&value["values"]);
    let number = |value: &Value| match value {
        Value::String(text) => text.parse::<f64>().expect("nan or inf"),
        other => other.as_f64().expect("a number"),
    };
    let elements: ArrayRef = match value["type"].as_str().expect("a type") {
        "float32" => Arc::new(values.iter().map(|value| Some(number(value) as f32)).collect::<Float32Array>()),
        "float64" => Arc::new(values.iter().map(|value| Some(number(value))).collect::<Float64Array>()),
        "bool" => Arc::new(values.iter().map(Value::as_bool).collect::<BooleanArray>()),
        "object" => Arc::new(values.iter().map(Value::as_str).collect::<StringArray>()),
        "int32" => cast(&values.iter().map(Value::as_i64).collect::<Int64Array>(), &DataType::Int32).expect("small"),
        _ => Arc::new(values.iter().map(Value::as_i64).collect::<Int64Array>()),
    };
    match value.get("list").and_then(Value::as_u64) {
        Some(width) => {
            let item = Arc::new(Field::new_list_field(elements.data_type().clone(), true));
            let offsets = OffsetBuffer::from_lengths(vec![width as usize; rows]);
            Arc::new(ListArray::new(item, offsets, elements, None))
        }
        None => elements,
    }
}
