//! Cases of tensors posed as queries pose them: the first dimension of an input is the rows, the others are features.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeListArray, Float16Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, StringArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type};
use foretell_model::{Answer, LoadOptions, Model, NullPolicy, OnRefusedRow};
use foretell_tensors::{Data, Tensor};
use prost::Message;
use tract_onnx::pb::ModelProto;

use crate::compare::elements;
use crate::suite::{Case, Packed, Suite, chain};

/// What `Model` makes of a case.
pub enum Answered {
    /// The suite's answer.
    Alike,
    /// Another answer.
    Otherwise(String),
    /// No answer.
    Refused(String),
    /// Its inputs are no rows of features.
    NotPosed,
}

/// Runs all data of a case through `Model`.
pub fn through_model(suite: &Suite, case: &Case) -> Answered {
    let mut answered = Answered::NotPosed;
    for [inputs, outputs] in &case.data_sets {
        answered = posed(suite, case, inputs, outputs);
        if !matches!(answered, Answered::Alike) {
            break;
        }
    }
    answered
}

/// All inputs as features if they have as many rows as the first; otherwise the first alone, the others as constants of the
/// model, as weights are.
fn posed(suite: &Suite, case: &Case, inputs: &[Packed], outputs: &[Packed]) -> Answered {
    let mut model = suite.model(case);
    let tensors = |packed: &[Packed]| -> Option<Vec<Tensor>> {
        suite.values(packed).iter().map(|value| value.tensor().cloned()).collect()
    };
    let (Some(given), Some(expected)) = (tensors(inputs), tensors(outputs)) else { return Answered::NotPosed };
    let Some(&rows) = given.first().and_then(|tensor| tensor.shape().first()) else { return Answered::NotPosed };
    // Where the rows lie along another axis, or there are none, `Model` answers otherwise by right.
    if expected.iter().any(|tensor| tensor.shape().first() != Some(&rows)) {
        return Answered::NotPosed;
    }
    let together = given.iter().all(|tensor| tensor.shape().first() == Some(&rows));
    let used = if together { given.len() } else { 1 };
    if used < given.len() {
        close(suite, &mut model, &inputs[1..]);
    }
    let features: Option<Vec<Vec<ArrayRef>>> = given[..used].iter().map(features).collect();
    let Some(features) = features.map(|features| features.concat()).filter(|_| rows > 0) else {
        return Answered::NotPosed;
    };
    match answers(&model, &features, rows) {
        Err(why) => Answered::Refused(why),
        Ok(got) => match difference(&got, &expected, case) {
            Some(why) => Answered::Otherwise(why),
            None => Answered::Alike,
        },
    }
}

/// Makes constants of all inputs but the first.
fn close(suite: &Suite, model: &mut ModelProto, others: &[Packed]) {
    let graph = model.graph.as_mut().expect("a graph");
    let given: Vec<String> = graph.initializer.iter().map(|tensor| tensor.name.clone()).collect();
    let open: Vec<String> =
        graph.input.iter().map(|input| input.name.clone()).filter(|name| !given.contains(name)).collect();
    graph.input.retain(|input| input.name == open[0]);
    let mut nodes = Vec::new();
    for (name, value) in open[1..].iter().zip(others) {
        suite.constant(name, value, &mut graph.initializer, &mut nodes);
    }
    graph.node.splice(0..0, nodes);
}

/// The columns of an input: one for each feature, or one of lists where a row has more than one dimension.
fn features(tensor: &Tensor) -> Option<Vec<ArrayRef>> {
    let rows = *tensor.shape().first()?;
    let width: usize = tensor.shape()[1..].iter().product();
    if tensor.rank() > 2 {
        let elements = array(tensor.data(), &mut (0..tensor.len()))?;
        let field = Arc::new(Field::new_list_field(elements.data_type().clone(), true));
        let width = i32::try_from(width).ok().filter(|&width| width > 0)?;
        return Some(vec![Arc::new(FixedSizeListArray::new(field, width, elements, None))]);
    }
    (0..width).map(|column| array(tensor.data(), &mut (0..rows).map(|row| row * width + column))).collect()
}

/// The elements at these positions; none for a type that Arrow does not have.
fn array(data: &Data, positions: &mut dyn Iterator<Item = usize>) -> Option<ArrayRef> {
    macro_rules! numbers {
        ($values:ident, $array:ty) => {
            Arc::new(<$array>::from_iter_values(positions.map(|at| $values[at])))
        };
    }
    Some(match data {
        Data::Bool(values) => Arc::new(positions.map(|at| Some(values[at])).collect::<BooleanArray>()),
        Data::I8(values) => numbers!(values, Int8Array),
        Data::I16(values) => numbers!(values, Int16Array),
        Data::I32(values) => numbers!(values, Int32Array),
        Data::I64(values) => numbers!(values, Int64Array),
        Data::U8(values) => numbers!(values, UInt8Array),
        Data::U16(values) => numbers!(values, UInt16Array),
        Data::U32(values) => numbers!(values, UInt32Array),
        Data::U64(values) => numbers!(values, UInt64Array),
        Data::F16(values) => numbers!(values, Float16Array),
        Data::F32(values) => numbers!(values, Float32Array),
        Data::F64(values) => numbers!(values, Float64Array),
        Data::Text(values) => Arc::new(StringArray::from_iter_values(positions.map(|at| &values[at]))),
        Data::Bf16(_) | Data::Narrow(..) => return None,
    })
}

/// Every output of the model, its rows one after the other.
fn answers(model: &ModelProto, features: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>, String> {
    let options = LoadOptions { on_null: Some(NullPolicy::Missing), ..LoadOptions::default() };
    let model = Model::from_bytes(&model.encode_to_vec(), &options).map_err(chain)?;
    let raw = model.run(features, rows, &[Answer::Raw], OnRefusedRow::Fail).map_err(chain)?.remove(0);
    Ok(raw.as_struct().columns().iter().map(elements).collect())
}

fn difference(got: &[ArrayRef], expected: &[Tensor], case: &Case) -> Option<String> {
    if got.len() != expected.len() {
        return Some(format!("{} outputs instead of {}", got.len(), expected.len()));
    }
    got.iter().zip(expected).enumerate().find_map(|(at, (got, expected))| {
        let expected = array(expected.data(), &mut (0..expected.len()))?;
        element_difference(got, &expected, case).map(|difference| format!("output {at}: {difference}"))
    })
}

fn element_difference(got: &ArrayRef, expected: &ArrayRef, case: &Case) -> Option<String> {
    if got.len() != expected.len() || got.data_type() != expected.data_type() {
        let kind = |array: &ArrayRef| format!("{} elements of {}", array.len(), array.data_type());
        return Some(format!("{} instead of {}", kind(got), kind(expected)));
    }
    let wrong = if expected.data_type().is_floating() {
        let numbers = |array: &ArrayRef| cast(array, &DataType::Float64).expect("a number");
        let (got, expected) = (numbers(got), numbers(expected));
        let (got, expected) = (got.as_primitive::<Float64Type>(), expected.as_primitive::<Float64Type>());
        let close = |got: f64, expected: f64| {
            got == expected
                || (got.is_nan() && expected.is_nan())
                || (got - expected).abs() <= case.absolute + case.relative * expected.abs()
        };
        (0..got.len()).find(|&at| got.is_null(at) || !close(got.value(at), expected.value(at)))
    } else {
        (0..got.len()).find(|&at| got.slice(at, 1) != expected.slice(at, 1))
    };
    wrong.map(|at| format!("{:?} instead of {:?} at {at}", got.slice(at, 1), expected.slice(at, 1)))
}
