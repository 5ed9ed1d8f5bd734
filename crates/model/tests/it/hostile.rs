//! Broken and hostile files: each is refused with a message that says what, where and how to go on.

use foretell_model::{DeclaredFeature, Error, Limits, LoadOptions, Model};
use insta::assert_snapshot;
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto};

use crate::files::{encode, float_tensor, graph, input, int, int_tensor, ints, model, node, texts, tree};

fn refusal(bytes: &[u8]) -> String {
    refusal_with(bytes, LoadOptions::default())
}

fn refusal_with(bytes: &[u8], options: LoadOptions) -> String {
    let error = Model::from_bytes(bytes, &options).expect_err("the file is refused");
    assert!(!matches!(error, Error::Internal(_)), "a broken file is no bug of ours: {error}");
    match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {}", source.to_string().lines().next().unwrap_or_default()),
        None => error.to_string(),
    }
}

fn within(bytes: &[u8], limit: impl FnOnce(&mut Limits)) -> String {
    let mut limits = Limits::default();
    limit(&mut limits);
    refusal_with(bytes, LoadOptions { limits, ..LoadOptions::default() })
}

fn relu() -> ModelProto {
    model(2, vec![node("Relu", &["x"], "y", vec![])], vec![])
}

fn with_graph(change: impl FnOnce(&mut GraphProto)) -> Vec<u8> {
    let mut model = relu();
    change(model.graph.as_mut().expect("a graph"));
    encode(&model)
}

fn of(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Vec<u8> {
    encode(&model(2, nodes, constants))
}

#[test]
fn a_sound_file_loads() {
    Model::from_bytes(&encode(&relu()), &LoadOptions::default()).expect("nothing is wrong with it");
}

#[test]
fn files_that_are_no_models() {
    let whole = encode(&relu());
    assert_snapshot!(refusal(b""), @"");
    assert_snapshot!(refusal(b"<!DOCTYPE html><html>404</html>"), @"");
    assert_snapshot!(refusal(b"PK\x03\x04\x14\x00\x00\x00"), @"");
    assert_snapshot!(refusal(&whole[..whole.len() / 2]), @"");
    assert_snapshot!(refusal(&encode(&ModelProto { graph: None, ..relu() })), @"");
    assert_snapshot!(refusal(&encode(&ModelProto { ir_version: 0, opset_import: vec![], ..relu() })), @"");
    let opset = |domain: &str, version| vec![OperatorSetIdProto { domain: domain.to_string(), version }];
    assert_snapshot!(refusal(&encode(&ModelProto { ir_version: 99, ..relu() })), @"");
    assert_snapshot!(refusal(&encode(&ModelProto { opset_import: opset("", 99), ..relu() })), @"");
    assert_snapshot!(refusal(&encode(&ModelProto { opset_import: opset("ai.onnx.ml", 9), ..relu() })), @"");
}

#[test]
fn files_above_a_limit() {
    let whole = encode(&relu());
    let deep = graph(
        "then_branch",
        GraphProto {
            node: vec![node("If", &["x"], "z", vec![graph("then_branch", GraphProto::default())])],
            ..GraphProto::default()
        },
    );
    let nested = of(vec![node("If", &["x"], "y", vec![deep])], vec![]);
    let constants = of(vec![node("Add", &["x", "c"], "y", vec![])], vec![float_tensor("c", &[1 << 20, 1 << 20], &[])]);
    let text =
        of(vec![node("ai.onnx.ml.OneHotEncoder", &["x"], "y", vec![texts("cats_strings", &["abcdef"])])], vec![]);
    let stump = of(vec![tree(&[Some((1, 2)), None, None])], vec![]);
    let wide = encode(&model(1 << 40, vec![node("Relu", &["x"], "y", vec![])], vec![]));
    let tiled = of(vec![node("Tile", &["x", "r"], "y", vec![])], vec![int_tensor("r", &[2], &[1, 1 << 40])]);
    let list =
        of(vec![node("ai.onnx.ml.Scaler", &["x"], "y", vec![crate::files::floats("offset", &[0.0; 5])])], vec![]);
    assert_snapshot!(within(&whole, |limits| limits.file_bytes = 10), @"");
    assert_snapshot!(within(&whole, |limits| limits.nodes = 0), @"");
    assert_snapshot!(within(&nested, |limits| limits.graph_depth = 2), @"");
    assert_snapshot!(refusal(&constants), @"");
    assert_snapshot!(within(&list, |limits| limits.tensor_elements = 4), @"");
    assert_snapshot!(within(&text, |limits| limits.string_bytes = 5), @"");
    assert_snapshot!(within(&stump, |limits| limits.trees = 0), @"");
    assert_snapshot!(within(&stump, |limits| limits.tree_nodes = 2), @"");
    assert_snapshot!(within(&stump, |limits| limits.tree_depth = 0), @"");
    assert_snapshot!(refusal(&wide), @"");
    assert_snapshot!(refusal(&tiled), @"");
    assert_snapshot!(within(&whole, |limits| limits.steps = 1), @"");
    assert_snapshot!(within(&whole, |limits| limits.columns = 1), @"");
}

#[test]
fn broken_tensors() {
    let with = |tensor: TensorProto| of(vec![node("Add", &["x", "c"], "y", vec![])], vec![tensor]);
    let sound = || float_tensor("c", &[2], &[1.0, 2.0]);
    assert_snapshot!(refusal(&with(float_tensor("c", &[-1], &[]))), @"");
    assert_snapshot!(refusal(&with(float_tensor("c", &[3], &[1.0]))), @"");
    assert_snapshot!(refusal(&with(TensorProto { float_data: vec![], raw_data: vec![0; 5], ..sound() })), @"");
    assert_snapshot!(refusal(&with(TensorProto { data_type: 77, ..sound() })), @"");
    assert_snapshot!(refusal(&with(TensorProto { data_type: 14, ..sound() })), @"");
    let outside = StringStringEntryProto { key: "location".to_string(), value: "/etc/passwd".to_string() };
    let external =
        TensorProto { data_location: Some(DataLocation::External as i32), external_data: vec![outside], ..sound() };
    assert_snapshot!(refusal(&with(external)), @"");
}

#[test]
fn broken_graphs() {
    let relu = |from: &str, to: &str| node("Relu", &[from], to, vec![]);
    assert_snapshot!(refusal(&of(vec![relu("nowhere", "y")], vec![])), @"");
    assert_snapshot!(refusal(&of(vec![relu("b", "a"), relu("a", "b"), relu("b", "y")], vec![])), @"");
    assert_snapshot!(refusal(&of(vec![relu("x", "y"), relu("x", "y")], vec![])), @"");
    assert_snapshot!(refusal(&of(vec![relu("x", "z")], vec![])), @"");
    assert_snapshot!(refusal(&with_graph(|graph| graph.output.clear())), @"");
    assert_snapshot!(refusal(&with_graph(|graph| graph.input.clear())), @"");
    assert_snapshot!(refusal(&of(vec![node("Frobnicate", &["x"], "y", vec![])], vec![])), @"");
    assert_snapshot!(refusal(&of(vec![node("org.example.Thing", &["x"], "y", vec![])], vec![])), @"");
    assert_snapshot!(refusal(&of(vec![node("ReduceSum", &["x", "a"], "y", vec![])], vec![int_tensor("a", &[1], &[0])])), @"");
    assert_snapshot!(refusal(&of(vec![node("Softmax", &["x"], "y", vec![ints("axis", &[1])])], vec![])), @"");
    assert_snapshot!(refusal(&of(vec![node("Softmax", &["x"], "y", vec![int("axis", 7)])], vec![])), @"");
    assert_snapshot!(refusal(&of(vec![node("Add", &["x"], "y", vec![]), relu("x", "z")], vec![])), @"");
    let three = float_tensor("c", &[3], &[1.0, 2.0, 3.0]);
    assert_snapshot!(refusal(&of(vec![node("Add", &["x", "c"], "y", vec![])], vec![three])), @"");
    let rows = int_tensor("s", &[2], &[2, -1]);
    assert_snapshot!(refusal(&of(vec![node("Reshape", &["x", "s"], "y", vec![])], vec![rows])), @"");
    let open = with_graph(|graph| {
        graph.input = vec![input("x", tract_onnx::pb::tensor_proto::DataType::Float, &[None, None, None])];
    });
    assert_snapshot!(refusal(&open), @"");
}

#[test]
fn broken_trees() {
    let load = |children: &[Option<(i64, i64)>]| refusal(&of(vec![tree(children)], vec![]));
    assert_snapshot!(load(&[Some((1, 9)), None]), @"");
    assert_snapshot!(load(&[Some((1, 0)), None]), @"");
    let changed = |change: fn(&mut NodeProto)| {
        let mut node = tree(&[Some((1, 2)), None, None]);
        change(&mut node);
        refusal(&of(vec![node], vec![]))
    };
    assert_snapshot!(changed(|node| node.attribute[1].ints = vec![0, 1, 1]), @"");
    assert_snapshot!(changed(|node| node.attribute[2].ints = vec![5, 0, 0]), @"");
    assert_snapshot!(changed(|node| node.attribute[3].floats = vec![0.0]), @"");
    assert_snapshot!(changed(|node| node.attribute[4] = texts("nodes_modes", &["BRANCH_SOMEHOW", "LEAF", "LEAF"])), @"");
    assert_snapshot!(changed(|node| node.attribute[9].ints = vec![0, 4]), @"");
}

#[test]
fn signatures_that_do_not_fit() {
    let named = |names: &[&str]| {
        let features = names.iter().map(|name| DeclaredFeature { name: (*name).to_string(), data_type: None });
        let options = LoadOptions { features: Some(features.collect()), ..LoadOptions::default() };
        refusal_with(&encode(&relu()), options)
    };
    assert_snapshot!(named(&["a"]), @"");
    assert_snapshot!(named(&["a", "A"]), @"");
    let typed = |data_type| DeclaredFeature { name: format!("{data_type}"), data_type: Some(data_type) };
    let features = vec![typed(arrow::datatypes::DataType::Int64), typed(arrow::datatypes::DataType::Utf8)];
    let options = LoadOptions { features: Some(features), ..LoadOptions::default() };
    assert_snapshot!(refusal_with(&encode(&relu()), options), @"");
}

#[test]
fn any_damage_is_an_error_and_no_panic() {
    let stump = tree(&[Some((1, 2)), None, None]);
    let whole = of(
        vec![node("ai.onnx.ml.Scaler", &["x"], "z", vec![]), NodeProto { input: vec!["z".into()], ..stump }],
        vec![],
    );
    for end in 0..whole.len() {
        let _ = Model::from_bytes(&whole[..end], &LoadOptions::default());
    }
    for position in 0..whole.len() {
        for bit in [1_u8, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[position] ^= bit;
            let _ = Model::from_bytes(&damaged, &LoadOptions::default());
        }
    }
}
