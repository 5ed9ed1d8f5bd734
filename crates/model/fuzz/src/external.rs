//! Models whose tensors are in other files.

use std::collections::HashMap;

use foretell_model::{Error, Limits, external_files, with_external_data};
use foretell_testing::onnx::{encode, float_tensor, model, node, tensor};
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::{StringStringEntryProto, TensorProto};

use crate::dice::Dice;

const PLACES: [&str; 6] = ["a", "b", "a/../b", "", "/etc/passwd", "c"];
const NUMBERS: [&str; 8] = ["0", "4", "8", "-1", "18446744073709551615", "9223372036854775807", "x", ""];

/// Makes a model of one file out of several, and loads it.
///
/// # Panics
/// When the engine does, or the one file is none.
pub fn join_and_run(bytes: &[u8]) {
    let mut dice = Dice::new(bytes);
    let tensors: Vec<TensorProto> = (0..1 + dice.below(4)).map(|at| external(&mut dice, &format!("k{at}"))).collect();
    let mut nodes = vec![node("Add", &["x", "k0"], "y", vec![])];
    nodes.extend(tensors.iter().map(|inner| node("Constant", &[], &inner.name, vec![tensor("value", inner.clone())])));
    let mut constants = Vec::new();
    if dice.is_head() {
        nodes.truncate(1);
        constants = tensors;
    }
    let whole = encode(&model(2, nodes, constants));
    let mut files = HashMap::new();
    for place in external_files(&whole) {
        if !dice.is_rare() {
            let length = dice.below(40);
            files.insert(place, (0..length).map(|_| dice.below(256) as u8).collect());
        }
    }
    let mut limits = Limits::default();
    limits.file_bytes = 1 << 20;
    match with_external_data(&whole, &files, &limits) {
        Ok(joined) => {
            assert_eq!(external_files(&joined), Vec::<String>::new());
            assert_eq!(with_external_data(&joined, &HashMap::new(), &limits).expect("one file"), joined);
            drop(crate::load_and_run(&joined));
        }
        Err(error @ Error::Internal(_)) => panic!("{error}"),
        Err(_) => {}
    }
}

/// A tensor that says where it is, perhaps.
fn external(dice: &mut Dice, name: &str) -> TensorProto {
    let dims: Vec<i64> = (0..dice.below(3)).map(|_| dice.below(4) as i64).collect();
    let dims: Vec<i64> = dims.into_iter().map(|extent| dice.nearly(extent)).collect();
    let elements = [DataType::Float, DataType::Double, DataType::Int64, DataType::String, DataType::Float16];
    let mut entries = Vec::new();
    for (key, values) in [("location", &PLACES[..]), ("offset", &NUMBERS[..]), ("length", &NUMBERS[..])] {
        if !dice.is_rare() && (key == "location" || dice.is_head()) {
            let value = dice.pick(values).to_string();
            entries.push(StringStringEntryProto { key: key.to_string(), value });
        }
    }
    let is_marked = !dice.is_rare();
    TensorProto {
        data_type: *dice.pick(&elements) as i32,
        data_location: is_marked.then_some(DataLocation::External as i32),
        external_data: entries,
        ..float_tensor(name, &dims, &[])
    }
}
