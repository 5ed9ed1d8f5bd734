//! Tensors in files beside the model.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float32Array};
use arrow::datatypes::Float32Type;
use foretell_model::{Answer, Error, Limits, LoadOptions, Model, OnRefusedRow, external_files, with_external_data};
use insta::assert_snapshot;
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::{AttributeProto, StringStringEntryProto, TensorProto};

use crate::files::{encode, float_tensor, model, node};

/// `y = x + [1, 2]`, with the constant at `entries`.
fn add(entries: &[(&str, &str)]) -> Vec<u8> {
    encode(&model(2, vec![node("Add", &["x", "c"], "y", vec![])], vec![outside(entries)]))
}

fn outside(entries: &[(&str, &str)]) -> TensorProto {
    let entry = |(key, value): &(&str, &str)| StringStringEntryProto { key: (*key).into(), value: (*value).into() };
    TensorProto {
        data_location: Some(DataLocation::External as i32),
        external_data: entries.iter().map(entry).collect(),
        float_data: vec![],
        ..float_tensor("c", &[2], &[])
    }
}

fn data(bytes: &[u8]) -> HashMap<String, Vec<u8>> {
    HashMap::from([("weights".to_string(), bytes.to_vec())])
}

/// Four bytes that are not the tensor's, then 1.0 and 2.0.
fn weights() -> Vec<u8> {
    [9.0_f32, 1.0, 2.0].iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn answers(bytes: &[u8]) -> Vec<f32> {
    let model = Model::from_bytes(bytes, &LoadOptions::default()).expect("a whole model");
    let column = |value: f32| Arc::new(Float32Array::from(vec![value])) as ArrayRef;
    let answer =
        model.run(&[column(10.0), column(20.0)], 1, &[Answer::Prediction], OnRefusedRow::Fail).expect("an answer");
    answer[0].as_list::<i32>().value(0).as_primitive::<Float32Type>().values().to_vec()
}

#[test]
fn data_of_other_files_becomes_part_of_the_model() {
    let placed = add(&[("location", "weights"), ("offset", "4"), ("length", "8")]);
    let without_length = add(&[("location", "weights"), ("offset", "4")]);
    for bytes in [placed, without_length] {
        assert_eq!(external_files(&bytes), ["weights"]);
        let whole = with_external_data(&bytes, &data(&weights()), &Limits::default()).expect("the file is there");
        assert_eq!(external_files(&whole), [""; 0]);
        assert_eq!(answers(&whole), [11.0, 22.0]);
    }
}

/// The key and the length of a field, and its content.
fn field(tag: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::bytes::encode(tag, &content.to_vec(), &mut bytes);
    bytes
}

#[test]
fn every_other_byte_stays_as_it_is() {
    // As newer versions of ONNX may have: fields that no message here knows, in a model, its graph and a tensor.
    let unknown = field(1000, b"\xff\x00 of a later version");
    let with = |tensor: Vec<u8>| {
        let graph = [field(5, &tensor), unknown.clone(), field(2, b"name")].concat();
        [vec![8, 8], field(7, &graph), unknown.clone(), vec![14 << 3, 1]].concat()
    };
    let place = field(13, &[field(1, b"location"), field(2, b"weights")].concat());
    let length = field(13, &[field(1, b"length"), field(2, b"8")].concat());
    let named = [field(8, b"c"), unknown.clone()].concat();
    let outside = with([&place[..], &named, &[14 << 3, 1], &length, &[8, 2], &unknown].concat());
    let inside = with([&named[..], &[8, 2], &unknown, &field(9, &weights()[4..])].concat());
    let whole = with_external_data(&outside, &data(&weights()[4..]), &Limits::default()).expect("the file is there");
    assert_eq!(whole, inside);
}

#[test]
fn the_location_alone_says_that_a_tensor_is_outside() {
    let mut tensor = outside(&[("location", "weights")]);
    tensor.data_location = None;
    tensor.float_data = vec![1.0, 2.0];
    let bytes = encode(&model(2, vec![node("Add", &["x", "c"], "y", vec![])], vec![tensor]));
    assert_eq!(external_files(&bytes), [""; 0]);
    assert_eq!(answers(&bytes), [11.0, 22.0]);
}

#[test]
fn a_tensor_without_a_length_has_what_its_elements_take() {
    let taken = |data_type: i32| -> Result<usize, Error> {
        let tensor = TensorProto { data_type, dims: vec![3], ..outside(&[("location", "weights")]) };
        let bytes = encode(&model(2, vec![node("Relu", &["x"], "y", vec![])], vec![tensor]));
        let whole = with_external_data(&bytes, &data(&[1; 64]), &Limits::default())?;
        // The place of the data took 23 bytes, the key and the length of the data take two.
        Ok(whole.len() + 23 - bytes.len() - 2)
    };
    // int4, float8, float16, float, double, complex128
    for (data_type, bytes) in [(22, 2), (17, 3), (10, 6), (1, 12), (11, 24), (15, 48)] {
        assert_eq!(taken(data_type).expect("64 bytes are there"), bytes, "{data_type}");
    }
    assert_snapshot!(taken(8).expect_err("text"), @"not a valid ONNX model: tensor `c` is elsewhere without its length, which its type (8) does not tell; save the model as one file (`onnx.save(model, path)`)");
}

#[test]
fn tensors_in_attributes_may_be_outside() {
    let constant = AttributeProto {
        name: "value".into(),
        r#type: 4,
        t: Some(outside(&[("location", "weights")])),
        ..AttributeProto::default()
    };
    let nodes = vec![node("Constant", &[], "c", vec![constant]), node("Add", &["x", "c"], "y", vec![])];
    let bytes = encode(&model(2, nodes, vec![]));
    assert_eq!(external_files(&bytes), ["weights"]);
    let whole = with_external_data(&bytes, &data(&weights()[4..]), &Limits::default()).expect("the file is there");
    assert_eq!(answers(&whole), [11.0, 22.0]);
}

#[test]
fn whole_models_and_other_files_need_none() {
    assert_eq!(external_files(&encode(&model(2, vec![node("Relu", &["x"], "y", vec![])], vec![]))), [""; 0]);
    assert_eq!(external_files(b"tree\nversion=v4\n"), [""; 0]);
}

#[test]
fn data_that_does_not_fit_is_refused() {
    let inlined = |entries: &[(&str, &str)]| -> Result<Vec<u8>, Error> {
        with_external_data(&add(entries), &data(&weights()), &Limits::default())
    };
    let refusal = |entries: &[(&str, &str)]| inlined(entries).expect_err("does not fit").to_string();
    let at = |offset, length| refusal(&[("location", "weights"), ("offset", offset), ("length", length)]);
    assert_snapshot!(at("8", "8"), @"not a valid ONNX model: tensor `c` needs 8 bytes at 8 of `weights`, which has 12 bytes; copy the file again");
    assert_snapshot!(at("18446744073709551615", "8"), @"not a valid ONNX model: tensor `c` needs 8 bytes at 18446744073709551615 of `weights`, which has 12 bytes; copy the file again");
    assert_snapshot!(at("-4", "8"), @"not a valid ONNX model: tensor `c` has the offset `-4`, expected a number");
    assert_snapshot!(at("0", "99999999999999"), @"the model has 100000000000140 bytes with its external data, the limit is 2147483648; raise it with `SET foretell.limit_file_bytes = ...` if you trust the file");
    assert_snapshot!(refusal(&[("location", "elsewhere")]), @"not a valid ONNX model: tensor `c` keeps its data in another file, `elsewhere`, which did not come with the model; give the model by its path, with that file beside it, or save it as one file (`onnx.save(model, path)`)");
    assert_snapshot!(refusal(&[("offset", "0")]), @"not a valid ONNX model: tensor `c` is elsewhere, but it does not say where");

    let short = inlined(&[("location", "weights"), ("length", "4")]).expect("four bytes are there");
    let error = Model::from_bytes(&short, &LoadOptions::default()).expect_err("a tensor of the wrong size");
    assert_snapshot!(error, @"not a valid ONNX model: tensor `c` of shape [2] needs 8 bytes, the file has 4");
    let error = Model::from_bytes(&add(&[("location", "/etc/passwd")]), &LoadOptions::default()).expect_err("no data");
    assert_snapshot!(error, @"not a valid ONNX model: tensor `c` keeps its data in another file, `/etc/passwd`, which did not come with the model; give the model by its path, with that file beside it, or save it as one file (`onnx.save(model, path)`)");
}

#[test]
fn what_tensors_share_counts_for_each() {
    let mut tensors: Vec<TensorProto> =
        (0..100).map(|_| outside(&[("location", "weights"), ("length", "12")])).collect();
    tensors.iter_mut().enumerate().for_each(|(at, tensor)| tensor.name = format!("c{at}"));
    let bytes = encode(&model(2, vec![node("Relu", &["x"], "y", vec![])], tensors));
    let mut limits = Limits::default();
    limits.file_bytes = bytes.len() as u64 + 1000;
    let error = with_external_data(&bytes, &data(&weights()), &limits).expect_err("1200 bytes");
    assert!(matches!(error, Error::Limit { name: "file_bytes", .. }), "{error}");
}
