//! Single operators in their corners, compared with ONNX Runtime.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int64Array, ListArray, MapArray, StringArray,
    StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use foretell_model::{Answer, LoadOptions, Model, NullPolicy, OnRefusedRow, PassOptions};
use foretell_testing::counts;
use foretell_testing::pack::unzipped;
use serde_json::{Value, json};

use crate::compare::{difference, elements};

#[test]
fn operators_answer_as_onnxruntime_does() {
    check_file("operators");
}

#[test]
fn operators_of_ai_onnx_ml_answer_as_onnxruntime_does() {
    check_file("ml_operators");
}

#[test]
fn every_attribute_of_ai_onnx_ml_means_what_it_means_to_onnxruntime() {
    check_file("ml_attributes");
}

#[test]
fn what_the_evaluator_computes_is_what_onnxruntime_does() {
    check_file("engines");
}

#[test]
fn dense_networks_answer_as_onnxruntime_does() {
    check_file("dense");
}

/// Checks every case of a file, and prints those whose answers are not equal to the bit.
fn check_file(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.json.gz"));
    let cases: Vec<Value> = serde_json::from_slice(&unzipped(&path)).expect("valid JSON");
    let (mut failures, mut rounded) = (Vec::new(), Vec::new());
    for case in &cases {
        match check(case) {
            Ok(true) => {}
            Ok(false) => rounded.push(case["name"].to_string()),
            Err(failure) => failures.push(format!("{}: {failure}", case["name"])),
        }
    }
    let (failed, all) = (failures.len(), cases.len());
    let good = all - failed;
    let equal = format!("{}, {} of them to the bit", counts::of(good, all), good - rounded.len());
    counts::report("Operator cases", name, &[(format!("{name}, equal to onnxruntime"), equal)]);
    println!("{name}: rounded differently:\n{}", rounded.join("\n"));
    assert!(failures.is_empty(), "{failed} of {all} operators differ:\n{}", failures.join("\n"));
}

/// Runs a case with and without passes, all rows together, each row alone and no row at all. Says whether the answers are
/// equal to the bit.
fn check(case: &Value) -> Result<bool, String> {
    let rows = case["rows"].as_u64().expect("a number of rows") as usize;
    let features: Vec<ArrayRef> = list(&case["features"]).iter().map(|feature| column(feature, rows)).collect();
    let refused: Vec<usize> = case.get("refused").map_or(Vec::new(), numbers);
    let model = bytes(case["model"].as_str().expect("a model"));
    let options = LoadOptions { on_null: Some(NullPolicy::Missing), ..LoadOptions::default() };
    let mut equal = true;
    for passes in [PassOptions::NONE, PassOptions::ALL] {
        let options = LoadOptions { passes, ..options.clone() };
        let model = Model::from_bytes(&model, &options).map_err(|error| chain(&error))?;
        let run = |start: usize, count: usize| {
            let features: Vec<ArrayRef> = features.iter().map(|feature| feature.slice(start, count)).collect();
            let answers = model.run(&features, count, &[Answer::Raw], OnRefusedRow::Null);
            answers.map(|mut answers| answers.remove(0)).map_err(|error| chain(&error))
        };
        let answers = run(0, rows)?;
        check_refused(&answers, &refused)?;
        for output in list(&case["outputs"]) {
            let name = output["name"].as_str().expect("a name");
            let got = answers.as_struct().column_by_name(name).ok_or_else(|| format!("no output {name}"))?;
            let (got, expected) = answered(&elements(got), &column(output, rows), rows, &refused);
            if let Some(difference) = difference(&got, &expected) {
                return Err(format!("{name}: {difference}"));
            }
            equal &= bits(&got) == bits(&expected);
        }
        let nothing = run(0, 0)?;
        if !nothing.is_empty() || nothing.data_type() != answers.data_type() {
            return Err("an empty batch has another type".to_string());
        }
        if let Some(row) =
            (0..rows).find(|&row| run(row, 1).map_or(true, |one| !same_row(&one, &answers.slice(row, 1))))
        {
            return Err(format!("row {row} alone has another answer"));
        }
    }
    Ok(equal)
}

fn check_refused(answers: &ArrayRef, refused: &[usize]) -> Result<(), String> {
    let nulls: Vec<usize> = (0..answers.len()).filter(|&row| answers.is_null(row)).collect();
    if nulls == refused { Ok(()) } else { Err(format!("rows {nulls:?} are refused instead of {refused:?}")) }
}

fn same_row(one: &ArrayRef, other: &ArrayRef) -> bool {
    let (one, other) = (one.as_struct(), other.as_struct());
    one.columns().iter().zip(other.columns()).all(|(one, other)| bits(&elements(one)) == bits(&elements(other)))
}

/// The elements of the rows that are not refused.
fn answered(got: &ArrayRef, expected: &ArrayRef, rows: usize, refused: &[usize]) -> (ArrayRef, ArrayRef) {
    if refused.is_empty() {
        return (ArrayRef::clone(got), ArrayRef::clone(expected));
    }
    let keep = |array: &ArrayRef| {
        let width = (array.len() / rows).max(1);
        let kept: BooleanArray = (0..array.len()).map(|at| Some(!refused.contains(&(at / width)))).collect();
        arrow::compute::filter(array, &kept).expect("as many flags as elements")
    };
    (keep(got), keep(expected))
}

/// Elements as text that tells -0 from 0 and shows every bit of a number but those of NaN.
fn bits(array: &ArrayRef) -> Vec<String> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options).expect("elements print");
    let is_float = array.data_type().is_floating();
    let doubles = is_float.then(|| cast(array, &DataType::Float64).expect("a number"));
    let doubles = doubles.as_ref().map(|doubles| doubles.as_primitive::<Float64Type>());
    let text = |at: usize| match doubles {
        Some(doubles) if doubles.value(at).is_nan() => "NaN".to_string(),
        Some(doubles) => format!("{:x}", doubles.value(at).to_bits()),
        None => formatter.value(at).to_string(),
    };
    (0..array.len()).map(text).collect()
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

fn numbers(value: &Value) -> Vec<usize> {
    list(value).iter().map(|number| number.as_u64().expect("a row") as usize).collect()
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digit = |digit: u8| (digit as char).to_digit(16).expect("hexadecimal digits") as u8;
    hexadecimal.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// A column of maps, whose keys and values are columns of all entries.
fn maps(value: &Value) -> ArrayRef {
    let part = |name: &str, at: usize| {
        let values: Vec<&Value> = list(&value["values"]).iter().map(|entry| &entry[at]).collect();
        column(&json!({"type": value[name], "values": values}), values.len())
    };
    let (keys, values) = (part("key", 0), part("value", 1));
    let field = |name: &str, array: &ArrayRef| Field::new(name, array.data_type().clone(), false);
    let fields = Fields::from(vec![field("keys", &keys), field("values", &values)]);
    let entries = StructArray::new(fields.clone(), vec![keys, values], None);
    let field = Arc::new(Field::new_struct("entries", fields, false));
    Arc::new(MapArray::new(field, OffsetBuffer::from_lengths(numbers(&value["lengths"])), entries, None, false))
}

/// A column of the type the case says; lists have as many elements as rows need.
fn column(value: &Value, rows: usize) -> ArrayRef {
    let values = list(&value["values"]);
    let number = |value: &Value| match value {
        Value::String(text) => text.parse::<f64>().expect("nan or inf"),
        other => other.as_f64().expect("a number"),
    };
    let elements: ArrayRef = match value["type"].as_str().expect("a type") {
        "map" => return maps(value),
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
