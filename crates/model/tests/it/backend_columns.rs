//! The cases of the backend suite whose operators work on columns: those of ai.onnx.ml, which are run as a query runs them.
//!
//! An input with as many rows as the outputs is a feature, one of another length is a constant.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, FixedSizeListArray, Float32Array, Float64Array, Int16Array, Int32Array,
    Int64Array, StringArray,
};
use arrow::datatypes::Field;
use foretell_model::{Answer, LoadOptions, Model, OnRefusedRow};
use foretell_tensors::{Data, Tensor};
use prost::Message;
use tract_onnx::pb::{GraphProto, ModelProto, TensorProto};

use crate::compare::{difference, elements};

/// Whether a case belongs here.
pub fn is_columnar(model: &ModelProto) -> bool {
    model.graph.as_ref().is_some_and(|graph| graph.node.iter().any(|node| node.domain == "ai.onnx.ml"))
}

/// A value of a case: as it is in the file, and read.
pub struct Given {
    pub proto: TensorProto,
    pub tensor: Tensor,
}

/// Runs a model over the rows of its inputs, and says what differs from the outputs.
pub fn check(mut model: ModelProto, inputs: &[Given], outputs: &[Tensor]) -> Result<(), String> {
    let rows = outputs[0].shape()[0];
    let graph = model.graph.as_mut().expect("a graph");
    let is_feature: Vec<bool> = inputs.iter().map(|input| input.tensor.shape()[0] == rows).collect();
    let names: Vec<String> = graph.input.iter().map(|input| input.name.clone()).collect();
    for ((name, input), _) in names.iter().zip(inputs).zip(&is_feature).filter(|(_, is_feature)| !**is_feature) {
        make_constant(graph, name, input);
    }
    let features = inputs.iter().zip(&is_feature).filter(|(_, is_feature)| **is_feature);
    let features: Vec<ArrayRef> = features.map(|(input, _)| feature(&input.tensor)).collect();
    let model =
        Model::from_bytes(&model.encode_to_vec(), &LoadOptions::default()).map_err(|error| error.to_string())?;
    let answers = model.run(&features, rows, &[Answer::Raw], OnRefusedRow::Fail).map_err(|error| error.to_string())?;
    let got = answers[0].as_struct().columns();
    if got.len() != outputs.len() {
        return Err(format!("{} outputs instead of {}", got.len(), outputs.len()));
    }
    for (at, (got, expected)) in got.iter().zip(outputs).enumerate() {
        let (got, expected) = (elements(got), column(expected));
        if got.data_type() != expected.data_type() {
            return Err(format!("output {at}: got {} instead of {}", got.data_type(), expected.data_type()));
        }
        if let Some(difference) = difference(&got, &expected) {
            return Err(format!("output {at}: {difference}"));
        }
    }
    Ok(())
}

fn make_constant(graph: &mut GraphProto, name: &str, input: &Given) {
    graph.input.retain(|other| other.name != name);
    graph.initializer.push(TensorProto { name: name.to_string(), ..input.proto.clone() });
}

/// The rows of a tensor: plain values, or lists where a row has several.
fn feature(tensor: &Tensor) -> ArrayRef {
    let values = column(tensor);
    if tensor.shape().len() == 1 {
        return values;
    }
    let width = tensor.shape()[1..].iter().product::<usize>() as i32;
    let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    Arc::new(FixedSizeListArray::new(item, width, values, None))
}

/// The elements of a tensor, row by row.
fn column(tensor: &Tensor) -> ArrayRef {
    match tensor.data().clone() {
        Data::Bool(values) => Arc::new(BooleanArray::from(values)),
        Data::I16(values) => Arc::new(Int16Array::from(values)),
        Data::I32(values) => Arc::new(Int32Array::from(values)),
        Data::I64(values) => Arc::new(Int64Array::from(values)),
        Data::F32(values) => Arc::new(Float32Array::from(values)),
        Data::F64(values) => Arc::new(Float64Array::from(values)),
        Data::Text(values) => Arc::new(StringArray::from(values)),
        other => panic!("no case has {other:?}"),
    }
}
