//! Broken and hostile files: each is refused with a message that says what, where and how to go on.

use foretell_model::{DeclaredFeature, Error, Limits, LoadOptions, Model};
use insta::assert_snapshot;
use tract_onnx::pb::{FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto};

use crate::files::{encode, float_tensor, graph, input, int, int_tensor, ints, model, node, texts, tree};

fn refusal(bytes: &[u8]) -> String {
    refusal_with(bytes, &LoadOptions::default())
}

fn refusal_with(bytes: &[u8], options: &LoadOptions) -> String {
    let error = Model::from_bytes(bytes, options).expect_err("the file is refused");
    assert!(!matches!(error, Error::Internal(_)), "a broken file is no bug of ours: {error}");
    match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {}", source.to_string().lines().next().unwrap_or_default()),
        None => error.to_string(),
    }
}

fn within(bytes: &[u8], limit: impl FnOnce(&mut Limits)) -> String {
    let mut limits = Limits::default();
    limit(&mut limits);
    refusal_with(bytes, &LoadOptions { limits, ..LoadOptions::default() })
}

fn opset(domain: &str, version: i64) -> Vec<OperatorSetIdProto> {
    vec![OperatorSetIdProto { domain: domain.to_string(), version }]
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
    assert_snapshot!(refusal(b""), @"the file is empty, not a model that foretell reads; copy it again");
    assert_snapshot!(refusal(b"<!DOCTYPE html><html>404</html>"), @"the file is a web page, not a model that foretell reads; give the address of the file itself");
    assert_snapshot!(refusal(b"PK\x03\x04\x14\x00\x00\x00"), @"the file is a ZIP archive, not a model that foretell reads; unpack it and give the model inside");
    assert_snapshot!(refusal(b"\x80\x04\x95\x1c\x00\x00"), @"the file is a Python pickle, which may run code when it is read, not a model that foretell reads; export the model to ONNX (skl2onnx for scikit-learn), or save it in its library's own format");
    assert_snapshot!(refusal(&whole[..whole.len() / 2]), @"not a valid ONNX model: the file ends early, after 34 bytes; copy it again");
    assert_snapshot!(refusal(&encode(&ModelProto { graph: None, ..relu() })), @"not a valid ONNX model: a protocol buffer, but without a graph; export the model with its graph");
    assert_snapshot!(refusal(&encode(&ModelProto { ir_version: 0, opset_import: vec![], ..relu() })), @"not a valid ONNX model: a protocol buffer, but without IR version and operator sets");
    assert_snapshot!(refusal(&encode(&ModelProto { ir_version: 99, ..relu() })), @"not a valid ONNX model: IR version 99 is newer than 14, the newest one known; export the model with an older `ir_version`");
    assert_snapshot!(refusal(&encode(&ModelProto { opset_import: opset("", 99), ..relu() })), @"not a valid ONNX model: operator set `ai.onnx` 99 is newer than 28, the newest one known; export the model with an older `target_opset`");
    assert_snapshot!(refusal(&encode(&ModelProto { opset_import: opset("ai.onnx.ml", 9), ..relu() })), @"not a valid ONNX model: operator set `ai.onnx.ml` 9 is newer than 5, the newest one known; export the model with an older `target_opset`");
}

#[test]
fn files_above_a_limit() {
    assert_snapshot!(within(&encode(&relu()), |limits| limits.run_bytes = 1_000), @"the model has 98304 bytes of columns in one batch, the limit is 1000; raise it with `SET foretell.limit_run_bytes = ...` if you trust the file");
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
    assert_snapshot!(within(&whole, |limits| limits.file_bytes = 10), @"the model has 68 bytes, the limit is 10; raise it with `SET foretell.limit_file_bytes = ...` if you trust the file");
    assert_snapshot!(within(&whole, |limits| limits.nodes = 0), @"the model has 1 nodes, the limit is 0; raise it with `SET foretell.limit_nodes = ...` if you trust the file");
    assert_snapshot!(within(&nested, |limits| limits.graph_depth = 2), @"the model has 3 nested graphs, the limit is 2; raise it with `SET foretell.limit_graph_depth = ...` if you trust the file");
    assert_snapshot!(refusal(&constants), @"the model has 1099511627776 elements in one tensor, the limit is 536870912; raise it with `SET foretell.limit_tensor_elements = ...` if you trust the file");
    assert_snapshot!(within(&list, |limits| limits.tensor_elements = 4), @"the model has 5 elements in one attribute, the limit is 4; raise it with `SET foretell.limit_tensor_elements = ...` if you trust the file");
    assert_snapshot!(within(&text, |limits| limits.string_bytes = 5), @"the model has 6 bytes of strings, the limit is 5; raise it with `SET foretell.limit_string_bytes = ...` if you trust the file");
    assert_snapshot!(within(&stump, |limits| limits.trees = 0), @"the model has 1 trees, the limit is 0; raise it with `SET foretell.limit_trees = ...` if you trust the file");
    assert_snapshot!(within(&stump, |limits| limits.tree_nodes = 2), @"the model has 3 tree nodes, the limit is 2; raise it with `SET foretell.limit_tree_nodes = ...` if you trust the file");
    assert_snapshot!(within(&stump, |limits| limits.tree_depth = 0), @"the model has 1 levels of one tree, the limit is 0; raise it with `SET foretell.limit_tree_depth = ...` if you trust the file");
    assert_snapshot!(refusal(&wide), @"the model has 1099511627776 features, the limit is 65536; raise it with `SET foretell.limit_features = ...` if you trust the file");
    assert_snapshot!(refusal(&tiled), @"the model has 2199023255552 columns, the limit is 524288; raise it with `SET foretell.limit_columns = ...` if you trust the file");
    assert_snapshot!(within(&whole, |limits| limits.steps = 1), @"the model has 2 steps, the limit is 1; raise it with `SET foretell.limit_steps = ...` if you trust the file");
    assert_snapshot!(within(&whole, |limits| limits.columns = 1), @"the model has 2 columns, the limit is 1; raise it with `SET foretell.limit_columns = ...` if you trust the file");
}

/// Nodes that join a value with itself, over and over.
fn doubled(from: &str, times: usize) -> Vec<NodeProto> {
    let name = |step: usize| if step == 0 { from.to_string() } else { format!("d{step}") };
    let join = |step: usize| node("Concat", &[&name(step), &name(step)], &name(step + 1), vec![int("axis", 1)]);
    let mut nodes: Vec<NodeProto> = (0..times).map(join).collect();
    nodes.push(node("Identity", &[&name(times)], "y", vec![]));
    nodes
}

#[test]
fn small_files_that_ask_for_much() {
    let constant = || vec![float_tensor("c", &[1, 1], &[1.0])];
    assert_snapshot!(refusal(&of(doubled("x", 60), vec![])), @"the model has 1048576 columns, the limit is 524288; raise it with `SET foretell.limit_columns = ...` if you trust the file");
    assert_snapshot!(refusal(&of(doubled("c", 60), constant())), @"the model has 1048576 columns, the limit is 524288; raise it with `SET foretell.limit_columns = ...` if you trust the file");
    let empty = int_tensor("c", &[1 << 40, 0], &[]);
    assert_snapshot!(refusal(&of(vec![node("Transpose", &["c"], "y", vec![])], vec![empty])), @"the model has 1099511627776 elements in one tensor, the limit is 536870912; raise it with `SET foretell.limit_tensor_elements = ...` if you trust the file");
    let shape = |values: &[i64]| int_tensor("s", &[values.len() as i64], values);
    let fill = |values: &[i64]| of(vec![node("ConstantOfShape", &["s"], "y", vec![])], vec![shape(values)]);
    assert_snapshot!(refusal(&fill(&[1 << 40, 0])), @"the model has 1099511627776 elements of constants that ConstantOfShape makes, the limit is 2097152; raise it with `SET foretell.limit_constant_elements = ...` if you trust the file");
    assert_snapshot!(refusal(&fill(&[-2])), @"not a valid ONNX model: operator `ai.onnx.ConstantOfShape` (node `constantofshape`): a dimension of -2");
    let reshape = |values: &[i64]| of(vec![node("Reshape", &["x", "s"], "y", vec![])], vec![shape(values)]);
    assert_snapshot!(refusal(&reshape(&[-1, -2])), @"operator `ai.onnx.Reshape` (node `reshape`, opset 18) is not supported: it mixes rows: reshapes [N, 2] to [-1, -2]");
    assert_snapshot!(refusal(&reshape(&[0, -2])), @"not a valid ONNX model: operator `ai.onnx.Reshape` (node `reshape`): cannot reshape [N, 2] to [N, -2]");
    let expand = of(vec![node("Expand", &["x", "s"], "y", vec![])], vec![shape(&[1 << 40, 1, 0])]);
    assert_snapshot!(refusal(&expand), @"not a valid ONNX model: operator `ai.onnx.Expand` (node `expand`): cannot expand [N, 2] to [1099511627776, 1, 0]");
}

#[test]
fn an_island_that_tract_refuses() {
    let kernel = float_tensor("k", &[1, 1, 3, 3], &[1.0; 9]);
    assert_snapshot!(refusal(&of(vec![node("Conv", &["x", "k"], "y", vec![])], vec![kernel])), @"tensor operators Conv (`conv`) failed: operator `ai.onnx.Conv` (node `conv`, opset 18): weights of shape [1, 1, 3, 3] for a value of shape [1, 2]");
}

#[test]
fn rows_that_depend_on_each_other() {
    let one = |op_type: &str, attributes| refusal(&of(vec![node(op_type, &["x"], "y", attributes)], vec![]));
    assert_snapshot!(one("Softmax", vec![int("axis", 0)]), @"operator `ai.onnx.Softmax` (node `softmax`, opset 18) is not supported: it mixes rows: it works along the batch of [N, 2]");
    assert_snapshot!(one("NonZero", vec![]), @"operator `ai.onnx.NonZero` (node `nonzero`, opset 18) is not supported: `y` has no dimension that follows the number of rows");
    assert_snapshot!(one("ReduceSum", vec![]), @"operator `ai.onnx.ReduceSum` (node `reducesum`, opset 18) is not supported: it mixes rows: it works along the batch of [N, 2]");
}

#[test]
fn broken_functions() {
    let opset = |domain: &str, version| OperatorSetIdProto { domain: domain.to_string(), version };
    let function = |body: Vec<NodeProto>| FunctionProto {
        name: Some("F".to_string()),
        domain: Some("local".to_string()),
        input: vec!["a".to_string()],
        output: vec!["b".to_string()],
        node: body,
        opset_import: vec![opset("", 18), opset("local", 1)],
        ..FunctionProto::default()
    };
    let with = |functions: Vec<FunctionProto>, inputs: &[&str]| {
        let mut file = model(2, vec![node("local.F", inputs, "y", vec![])], vec![]);
        file.functions = functions;
        file.opset_import.push(opset("local", 1));
        refusal(&encode(&file))
    };
    let relu = || function(vec![node("Relu", &["a"], "b", vec![])]);
    assert_snapshot!(with(vec![relu(), relu()], &["x"]), @"not a valid ONNX model: function `local.F` is there twice");
    assert_snapshot!(with(vec![relu()], &["x", "x"]), @"not a valid ONNX model: function `local.F` (node `f`) takes 1 values and gives 1, it is called with 2 and 1");
    assert_snapshot!(with(vec![function(vec![])], &["x"]), @"not a valid ONNX model: function `local.F` (node `f`): nothing writes its output `b`");
    assert_snapshot!(with(vec![function(vec![node("local.F", &["a"], "b", vec![])])], &["x"]), @"not a valid ONNX model: a function calls itself: `local.F` calls `local.F`; ONNX has no recursion");
    assert_snapshot!(with(vec![function(vec![node("Frobnicate", &["a"], "b", vec![])])], &["x"]), @"operator `ai.onnx.Frobnicate` (node `F#1/frobnicate`, opset 18) is not supported");
}

#[test]
fn operators_that_draw_random_numbers() {
    let random = |operator: &str| refusal(&of(vec![node(operator, &["x"], "y", vec![])], vec![]));
    assert_snapshot!(random("RandomNormalLike"), @"operator `ai.onnx.RandomNormalLike` (node `randomnormallike`, opset 18) is not supported: it draws random numbers, so that the same row would have another answer each time");
    assert_snapshot!(random("Bernoulli"), @"operator `ai.onnx.Bernoulli` (node `bernoulli`, opset 18) is not supported: it draws random numbers, so that the same row would have another answer each time");
}

#[test]
fn broken_tensors() {
    let with = |tensor: TensorProto| of(vec![node("Add", &["x", "c"], "y", vec![])], vec![tensor]);
    let sound = || float_tensor("c", &[2], &[1.0, 2.0]);
    assert_snapshot!(refusal(&with(float_tensor("c", &[-1], &[]))), @"not a valid ONNX model: tensor `c` has a negative dimension (-1)");
    assert_snapshot!(refusal(&with(float_tensor("c", &[3], &[1.0]))), @"not a valid ONNX model: tensor `c` of shape [3] needs 3 elements, the file has 1");
    assert_snapshot!(refusal(&with(TensorProto { float_data: vec![], raw_data: vec![0; 5], ..sound() })), @"not a valid ONNX model: tensor `c` of shape [2] needs 8 bytes, the file has 5");
    assert_snapshot!(refusal(&with(TensorProto { data_type: 77, ..sound() })), @"not a valid ONNX model: element type 77 does not exist");
    assert_snapshot!(refusal(&with(TensorProto { data_type: 14, ..sound() })), @"not a valid ONNX model: element type `complex64` is not supported; export the model in float32");
}

#[test]
fn broken_graphs() {
    let relu = |from: &str, to: &str| node("Relu", &[from], to, vec![]);
    assert_snapshot!(refusal(&of(vec![relu("nowhere", "y")], vec![])), @"not a valid ONNX model: node `relu` reads `nowhere`, which nothing writes");
    assert_snapshot!(refusal(&of(vec![relu("b", "a"), relu("a", "b"), relu("b", "y")], vec![])), @"not a valid ONNX model: node `relu` waits for its own output");
    assert_snapshot!(refusal(&of(vec![relu("x", "y"), relu("x", "y")], vec![])), @"not a valid ONNX model: value `y` is written twice");
    assert_snapshot!(refusal(&of(vec![relu("x", "z")], vec![])), @"not a valid ONNX model: nothing writes the output `y`");
    assert_snapshot!(refusal(&with_graph(|graph| graph.output.clear())), @"not a valid ONNX model: the model has no outputs");
    assert_snapshot!(refusal(&with_graph(|graph| graph.input.clear())), @"not a valid ONNX model: the model has no inputs");
    assert_snapshot!(refusal(&of(vec![node("Frobnicate", &["x"], "y", vec![])], vec![])), @"operator `ai.onnx.Frobnicate` (node `frobnicate`, opset 18) is not supported");
    assert_snapshot!(refusal(&of(vec![node("org.example.Thing", &["x"], "y", vec![])], vec![])), @"operator `org.example.Thing` (node `thing`, opset 1) is not supported");
    assert_snapshot!(refusal(&of(vec![node("ReduceSum", &["x", "a"], "y", vec![])], vec![int_tensor("a", &[1], &[0])])), @"operator `ai.onnx.ReduceSum` (node `reducesum`, opset 18) is not supported: it mixes rows: it works along the batch of [N, 2]");
    let nodes = vec![node("Transpose", &["x"], "t", vec![]), node("Softmax", &["t"], "y", vec![int("axis", 0)])];
    let flattened = encode(&ModelProto { opset_import: opset("", 12), ..model(2, nodes, vec![]) });
    assert_snapshot!(refusal(&flattened), @"operator `ai.onnx.Softmax` (node `softmax`, opset 12) is not supported: it mixes rows: it works along the batch");
    assert_snapshot!(refusal(&of(vec![node("Softmax", &["x"], "y", vec![ints("axis", &[1])])], vec![])), @"not a valid ONNX model: operator `ai.onnx.Softmax` (node `softmax`): attribute `axis` must be INT, got INTS");
    assert_snapshot!(refusal(&of(vec![node("Softmax", &["x"], "y", vec![int("axis", 7)])], vec![])), @"not a valid ONNX model: operator `ai.onnx.Softmax` (node `softmax`): axis 7 of a value with 2 dimensions");
    assert_snapshot!(refusal(&of(vec![node("Add", &["x"], "y", vec![]), relu("x", "z")], vec![])), @"not a valid ONNX model: operator `ai.onnx.Add` (node `add`): it has 1 inputs instead of 2");
    let three = float_tensor("c", &[3], &[1.0, 2.0, 3.0]);
    assert_snapshot!(refusal(&of(vec![node("Add", &["x", "c"], "y", vec![])], vec![three])), @"not a valid ONNX model: operator `ai.onnx.Add` (node `add`): shapes [N, 2] and [3] do not go together");
    let rows = int_tensor("s", &[2], &[2, -1]);
    assert_snapshot!(refusal(&of(vec![node("Reshape", &["x", "s"], "y", vec![])], vec![rows])), @"operator `ai.onnx.Reshape` (node `reshape`, opset 18) is not supported: it mixes rows: reshapes [N, 2] to [2, N]");
    let open = with_graph(|graph| {
        graph.input = vec![input("x", tract_onnx::pb::tensor_proto::DataType::Float, &[None, None])];
        graph.node = vec![node("ai.onnx.ml.Normalizer", &["x"], "y", vec![])];
    });
    assert_snapshot!(refusal(&open), @"input `x` leaves open how many elements a row has; name the features, or export the model with a fixed shape");
}

#[test]
fn broken_trees() {
    let load = |children: &[Option<(i64, i64)>]| refusal(&of(vec![tree(children)], vec![]));
    assert_snapshot!(load(&[Some((1, 9)), None]), @"not a valid ONNX model: operator `ai.onnx.ml.TreeEnsembleRegressor` (node `treeensembleregressor`): tree 0 has no node 9");
    assert_snapshot!(load(&[Some((1, 0)), None]), @"not a valid ONNX model: operator `ai.onnx.ml.TreeEnsembleRegressor` (node `treeensembleregressor`): node 0 is its own descendant");
    let changed = |change: fn(&mut NodeProto)| {
        let mut node = tree(&[Some((1, 2)), None, None]);
        change(&mut node);
        refusal(&of(vec![node], vec![]))
    };
    assert_snapshot!(changed(|node| node.attribute[1].ints = vec![0, 1, 1]), @"not a valid ONNX model: operator `ai.onnx.ml.TreeEnsembleRegressor` (node `treeensembleregressor`): node 1 of tree 0 is there twice");
    assert_snapshot!(changed(|node| node.attribute[2].ints = vec![5, 0, 0]), @"not a valid ONNX model: operator `ai.onnx.ml.TreeEnsembleRegressor` (node `treeensembleregressor`): its trees ask about 6 features, its input has 2");
    assert_snapshot!(changed(|node| node.attribute[3].floats = vec![0.0]), @"not a valid ONNX model: operator `ai.onnx.ml.TreeEnsembleRegressor` (node `treeensembleregressor`): its lists of nodes are empty or differ in length");
    assert_snapshot!(changed(|node| node.attribute[4] = texts("nodes_modes", &["BRANCH_SOMEHOW", "LEAF", "LEAF"])), @"operator `ai.onnx.ml.TreeEnsembleRegressor` (node `treeensembleregressor`, opset 3) is not supported: nodes of mode `BRANCH_SOMEHOW`");
    assert_snapshot!(changed(|node| node.attribute[9].ints = vec![0, 4]), @"not a valid ONNX model: operator `ai.onnx.ml.TreeEnsembleRegressor` (node `treeensembleregressor`): output 4 at position 1: there are only 1");
}

#[test]
fn signatures_that_do_not_fit() {
    let named = |names: &[&str]| {
        let features = names.iter().map(|name| DeclaredFeature { name: (*name).to_string(), data_type: None });
        let options = LoadOptions { features: Some(features.collect()), ..LoadOptions::default() };
        refusal_with(&encode(&relu()), &options)
    };
    assert_snapshot!(named(&["a"]), @"the model takes 2 features, 1 are named");
    assert_snapshot!(named(&["a", "A"]), @"feature `A` is named twice");
    let typed = |data_type| DeclaredFeature { name: format!("{data_type}"), data_type: Some(data_type) };
    let features = vec![typed(arrow::datatypes::DataType::Int64), typed(arrow::datatypes::DataType::Utf8)];
    let options = LoadOptions { features: Some(features), ..LoadOptions::default() };
    assert_snapshot!(refusal_with(&encode(&relu()), &options), @"feature `Utf8` takes a number, got Utf8; write CAST(... AS DOUBLE) if it holds numbers");
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
