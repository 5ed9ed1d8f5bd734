//! Whole files of tensor operators, with inputs of the types and shapes that they declare.

use foretell_model::{Error, Limits, TensorModel};
use foretell_tensors::{Data, Tensor, Value};
use foretell_testing::onnx::encode;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Extent;
use tract_onnx::pb::type_proto::Value as Kind;
use tract_onnx::pb::{ModelProto, ValueInfoProto};

use crate::graph;
use crate::network::{Wanted, network};

/// Extent of a dimension that the file leaves open.
const OPEN_EXTENT: usize = 2;

/// Loads the model that these bytes ask for, and runs it twice.
///
/// # Panics
/// When the engine does, or the answers differ.
pub fn load_and_run(bytes: &[u8]) {
    if bytes.first().is_some_and(|first| first % 4 > 0) {
        return networks_agree(bytes[0], &bytes[1..]);
    }
    let model = graph::tensor_model(bytes);
    if let Err(error @ Error::Internal(_)) = run_twice(&model) {
        panic!("{error}");
    }
}

fn run_twice(model: &ModelProto) -> Result<(), Error> {
    let mut limits = Limits::default();
    limits.run_bytes = 64 << 20;
    limits.run_work = 100_000_000;
    let program = TensorModel::from_bytes(&encode(model), &limits)?;
    let inputs = model.graph.iter().flat_map(|graph| &graph.input);
    let inputs: Vec<Value> = inputs.map(|input| value(input).into()).collect();
    let first = program.run(inputs.clone())?;
    let again = program.run(inputs).expect("it ran before");
    // NaN is not equal to itself, but is written the same.
    assert_eq!(format!("{first:?}"), format!("{again:?}"));
    Ok(())
}

/// A network has the same answer in single and in double precision, but for rounding.
fn networks_agree(first: u8, bytes: &[u8]) {
    let wanted = |double| Wanted { double, rows: OPEN_EXTENT as i64 };
    let (single, double) = (network(bytes, &wanted(false)), network(bytes, &wanted(true)));
    if let Some(path) = std::env::var_os("FORETELL_FUZZ_MODEL") {
        std::fs::write(path, encode(&single)).expect("a writable file");
    }
    let is_finite = first % 4 > 1;
    let run = |model: &ModelProto| -> Result<Vec<Value>, Error> {
        let mut limits = Limits::default();
        limits.run_bytes = 64 << 20;
        limits.run_work = 100_000_000;
        let program = TensorModel::from_bytes(&encode(model), &limits)?;
        let inputs = model.graph.iter().flat_map(|graph| &graph.input);
        let inputs: Vec<Value> =
            inputs.map(|input| if is_finite { finite(input) } else { value(input) }.into()).collect();
        let first = program.run(inputs.clone())?;
        let again = program.run(inputs).expect("it ran before");
        assert_eq!(format!("{first:?}"), format!("{again:?}"));
        Ok(first)
    };
    let show = std::env::var_os("FORETELL_FUZZ_SHOW").is_some();
    match (run(&single), run(&double)) {
        (Err(error @ Error::Internal(_)), _) | (_, Err(error @ Error::Internal(_))) => panic!("{error}"),
        (Err(Error::Limit { .. }), _) | (_, Err(Error::Limit { .. })) => {}
        (Err(one), Err(other)) => {
            if show {
                eprintln!("both fail: {one:?} {other:?}")
            }
        }
        (Ok(one), Ok(other)) => {
            if show {
                eprintln!("{one:?}\n{other:?}")
            }
            one.iter().zip(&other).for_each(|(one, other)| are_close(one, other));
        }
        (one, other) => panic!("single {one:?}, double {other:?}"),
    }
}

fn are_close(one: &Value, other: &Value) {
    let (Some(one), Some(other)) = (one.tensor(), other.tensor()) else { panic!("tensors") };
    assert_eq!(one.shape(), other.shape(), "shapes");
    let (Some(one), Some(other)) = (one.values::<f32>(), other.values::<f64>()) else { return };
    let most = other.iter().filter(|number| number.is_finite()).fold(1.0, |most: f64, number| most.max(number.abs()));
    if most > 1e20 {
        return;
    }
    for (at, (&one, &other)) in one.iter().zip(other).enumerate() {
        let one = f64::from(one);
        let alike = one == other || one.is_nan() && other.is_nan() || (one - other).abs() <= 1e-4 * most;
        assert!(alike, "number {at}: {one} in single, {other} in double precision");
    }
}

/// A tensor of ordinary numbers for an input.
fn finite(input: &ValueInfoProto) -> Tensor {
    let tensor = value(input);
    let number = |at: usize| f64::from((at * 7 % 23) as u8) / 4.0 - 2.5;
    let count = tensor.len();
    let data = match tensor.data() {
        Data::F64(_) => Data::F64((0..count).map(number).collect()),
        _ => Data::F32((0..count).map(|at| number(at) as f32).collect()),
    };
    Tensor::try_new(tensor.shape().to_vec(), data).expect("as many")
}

/// A tensor for an input.
fn value(input: &ValueInfoProto) -> Tensor {
    let Some(Kind::TensorType(tensor)) = input.r#type.as_ref().and_then(|kind| kind.value.as_ref()) else {
        return Tensor::scalar(1.0_f32);
    };
    let dims = tensor.shape.iter().flat_map(|shape| &shape.dim);
    let extent = |extent: &Option<Extent>| match extent {
        Some(Extent::DimValue(extent)) => usize::try_from(*extent).unwrap_or(0),
        _ => OPEN_EXTENT,
    };
    let shape: Vec<usize> = dims.map(|dim| extent(&dim.value)).collect();
    let count = shape.iter().product();
    let numbers = || [0.0_f32, 1.0, -1.5, f32::NAN, 3.0, f32::INFINITY, 2.0].into_iter().cycle().take(count);
    let data = match DataType::try_from(tensor.elem_type) {
        Ok(DataType::Double) => Data::F64(numbers().map(f64::from).collect()),
        Ok(DataType::Int64) => Data::I64(numbers().map(|number| number as i64).collect()),
        Ok(DataType::Int32) => Data::I32(numbers().map(|number| number as i32).collect()),
        Ok(DataType::Uint8) => Data::U8(numbers().map(|number| number as u8).collect()),
        Ok(DataType::Int8) => Data::I8(numbers().map(|number| number as i8).collect()),
        Ok(DataType::Bool) => Data::Bool(numbers().map(|number| number > 0.0).collect()),
        Ok(DataType::String) => Data::Text(numbers().map(|number| number.to_string()).collect()),
        _ => Data::F32(numbers().collect()),
    };
    Tensor::try_new(shape, data).expect("as many elements as places")
}
