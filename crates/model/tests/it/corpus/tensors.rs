//! Hostile files of tensor operators, for the evaluator that runs them as a whole.

use foretell_model::{Error, Limits, TensorModel};
use foretell_tensors::Tensor;
use foretell_testing::watch::File;
use tract_onnx::pb::tensor_proto::DataType as Element;
use tract_onnx::pb::{GraphProto, NodeProto, SparseTensorProto, TensorProto, ValueInfoProto};

use crate::files::{encode, float_tensor, graph, input, int, int_tensor, model, node};

/// Computes the outputs for `[[1, 2]]`, with less memory and work than a user allows.
pub fn compute(bytes: &[u8]) -> Result<(), Error> {
    let mut limits = Limits::default();
    limits.run_bytes = 64 << 20;
    limits.run_work = 5_000_000;
    let model = TensorModel::from_bytes(bytes, &limits)?;
    model.run(vec![Tensor::vector(vec![1.0_f32, 2.0]).into()])?;
    Ok(())
}

fn of(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Vec<u8> {
    encode(&model(2, nodes, constants))
}

fn list(name: &str, values: &[i64]) -> TensorProto {
    int_tensor(name, &[values.len() as i64], values)
}

/// An operator on an empty value of this shape, with constants behind it.
fn on_nothing(shape: &[i64], operator: &str, outputs: &str, axis: i64, constants: Vec<TensorProto>) -> Vec<u8> {
    let names: Vec<String> = constants.iter().map(|constant| constant.name.clone()).collect();
    let inputs: Vec<&str> = std::iter::once("empty").chain(names.iter().map(String::as_str)).collect();
    let make = node("ConstantOfShape", &["s"], "nothing", vec![]);
    let shaped = node("Reshape", &["nothing", "shape"], "empty", vec![int("allowzero", 1)]);
    let last = node(operator, &inputs, outputs, vec![int("axis", axis)]);
    of(vec![make, shaped, last], [vec![list("s", &[0]), list("shape", shape)], constants].concat())
}

/// Sparse zeros of a shape.
fn sparse(dims: &[i64]) -> Vec<u8> {
    let mut file = model(2, vec![node("Identity", &["c"], "y", vec![])], vec![]);
    let values = float_tensor("c", &[0], &[]);
    let zeros = SparseTensorProto { values: Some(values), indices: Some(list("", &[])), dims: dims.to_vec() };
    file.graph.as_mut().expect("a graph").sparse_initializer = vec![zeros];
    encode(&file)
}

/// A loop of so many trips, or without an end.
fn endless(trips: &str) -> Vec<u8> {
    let value = |name: &str| ValueInfoProto { name: name.to_string(), ..ValueInfoProto::default() };
    let body = GraphProto {
        node: vec![node("Identity", &["go"], "go_on", vec![]), node("Relu", &["v"], "w", vec![])],
        input: vec![value("i"), value("go"), value("v")],
        output: vec![value("go_on"), value("w")],
        ..GraphProto::default()
    };
    let go = TensorProto {
        data_type: Element::Bool as i32,
        int64_data: vec![],
        int32_data: vec![1],
        ..int_tensor("true", &[], &[])
    };
    let nodes = vec![node("Loop", &[trips, "true", "x"], "y", vec![graph("body", body)])];
    of(nodes, vec![go, int_tensor("trips", &[], &[1 << 60])])
}

/// Every file that is hostile in a way of its own. Those called `odd_...` are models all the same.
pub fn hostile_files() -> Vec<File> {
    let giant = 1 << 40;
    let scan_over_nothing = {
        let value = |name: &str| input(name, Element::Float, &[]);
        let body = GraphProto { input: vec![value("e")], output: vec![value("e")], ..GraphProto::default() };
        let make = node("ConstantOfShape", &["s"], "nothing", vec![]);
        let shaped = node("Reshape", &["nothing", "shape"], "empty", vec![int("allowzero", 1)]);
        let scan = node("Scan", &["empty"], "y", vec![int("num_scan_inputs", 1), graph("body", body)]);
        of(vec![make, shaped, scan], vec![list("s", &[0]), list("shape", &[giant, 0])])
    };
    let doubled = (0..60).map(|at| {
        let (from, to) = (if at == 0 { "x".to_string() } else { format!("d{at}") }, at + 1);
        node(
            "Concat",
            &[&from, &from],
            &if to == 60 { "y".to_string() } else { format!("d{to}") },
            vec![int("axis", 0)],
        )
    });
    let files = [
        ("odd_tensors", of(vec![node("Relu", &["x"], "y", vec![])], vec![])),
        ("sparse_giant", sparse(&[1 << 28])),
        ("sparse_of_many_dimensions", sparse(&[1; 100_000])),
        ("odd_sparse_small", sparse(&[3, 4])),
        ("empty_concat", on_nothing(&[giant, 0], "Concat", "y", 1, vec![float_tensor("c", &[0, 0], &[])])),
        ("empty_split", on_nothing(&[giant, 0], "Split", "y z", 1, vec![list("p", &[0, 0])])),
        ("empty_gather", on_nothing(&[giant, 0, giant], "Gather", "y", 1, vec![list("i", &[])])),
        ("empty_pad", on_nothing(&[giant, 0], "Pad", "y", 0, vec![list("p", &[1, 0, 1, 0])])),
        ("empty_transpose", on_nothing(&[giant, 0], "Transpose", "y", 0, vec![])),
        ("empty_tile", on_nothing(&[giant, 0], "Tile", "y", 0, vec![list("r", &[giant, 1])])),
        ("empty_expand", on_nothing(&[1, 0], "Expand", "y", 0, vec![list("s2", &[giant, 0])])),
        ("empty_flatten", on_nothing(&[giant, giant, 0], "Flatten", "y", 2, vec![])),
        ("empty_softmax", on_nothing(&[giant, 0], "Softmax", "y", 1, vec![])),
        ("empty_arg_max", on_nothing(&[giant, 0], "ArgMax", "y", 0, vec![])),
        ("empty_cum_sum", on_nothing(&[giant, 0], "CumSum", "y", 0, vec![list("a", &[0])])),
        ("empty_top_k", on_nothing(&[giant, 0], "TopK", "y z", 1, vec![list("k", &[0])])),
        ("empty_reduce", on_nothing(&[giant, 0], "ReduceSum", "y", 0, vec![list("a", &[1])])),
        ("empty_unique", on_nothing(&[giant, 0], "Unique", "y", 1, vec![])),
        // An order in which NaN is like all numbers is none.
        ("odd_unique_with_nan", {
            let numbers: Vec<f32> = (0..64).map(|at| if at % 3 == 0 { f32::NAN } else { -(at as f32) }).collect();
            of(vec![node("Unique", &["c"], "y", vec![])], vec![float_tensor("c", &[64], &numbers)])
        }),
        ("empty_hardmax", on_nothing(&[giant, 0], "Hardmax", "y", 0, vec![])),
        ("scan_over_nothing", scan_over_nothing),
        ("loop_long", endless("trips")),
        ("loop_endless", endless("")),
        // It was spread before it was looked at.
        ("found_scale_of_more_dimensions", {
            let scale = float_tensor("scale", &[1, 1, 2], &[1.0, 1.0]);
            let mut file = model(2, vec![node("RMSNormalization", &["x", "scale"], "y", vec![])], vec![scale]);
            file.opset_import[0].version = 23;
            encode(&file)
        }),
        ("doubled", of(doubled.collect(), vec![])),
        ("unsqueeze_to_many_dimensions", {
            let axes: Vec<i64> = (2..100_000).collect();
            of(vec![node("Unsqueeze", &["x", "a"], "y", vec![])], vec![list("a", &axes)])
        }),
    ];
    files.into_iter().map(|(name, bytes)| (name.to_string(), bytes)).collect()
}
