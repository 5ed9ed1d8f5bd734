//! Inputs that are maps, such as the dictionaries that a DictVectorizer reads.
//!
//! The messages of tract know tensors only. Where an input has no type in them, the bytes are read again with messages that
//! hold nothing but the types of maps.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use prost::Message;
use tract_onnx::pb::ModelProto;

use super::decode::malformed;
use super::tensor::arrow_type;
use crate::error::Result;

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "11")]
    input: Vec<Input>,
}

#[derive(Clone, PartialEq, Message)]
struct Input {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Message)]
struct Kind {
    #[prost(message, optional, tag = "1")]
    tensor: Option<Tensor>,
    #[prost(message, optional, tag = "5")]
    map: Option<Map>,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int32, tag = "1")]
    element: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Map {
    #[prost(int32, tag = "1")]
    key: i32,
    // Recursive in ONNX; maps of maps are of no use to any operator.
    #[prost(message, optional, tag = "2")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(message, optional, tag = "1")]
    tensor: Option<Tensor>,
}

/// The Arrow type of each input that is a map.
pub(crate) fn map_inputs(bytes: &[u8], model: &ModelProto) -> Result<HashMap<String, DataType>> {
    let has_type =
        |input: &tract_onnx::pb::ValueInfoProto| input.r#type.as_ref().is_some_and(|kind| kind.value.is_some());
    if model.graph.as_ref().is_none_or(|graph| graph.input.iter().all(has_type)) {
        return Ok(HashMap::new());
    }
    let model = Model::decode(bytes).map_err(|error| malformed(format!("its inputs cannot be read ({error})")))?;
    let inputs = model.graph.into_iter().flat_map(|graph| graph.input);
    inputs
        .filter_map(|input| input.kind.and_then(|kind| kind.map).map(|map| (input.name, map)))
        .map(|(name, map)| match map.value.and_then(|value| value.tensor) {
            Some(value) => Ok((name, map_type(arrow_type(map.key)?, arrow_type(value.element)?))),
            None => Err(malformed(format!("input `{name}` is a map of something else than numbers and texts"))),
        })
        .collect()
}

/// Maps without NULL.
fn map_type(key: DataType, value: DataType) -> DataType {
    let entries = vec![Field::new("keys", key, false), Field::new("values", value, false)];
    DataType::Map(Arc::new(Field::new_struct("entries", entries, false)), false)
}
