//! The hostile files, made in code: each is small and asks for much.

use std::iter;

use foretell_testing::watch::File;
use prost::Message;
use tract_onnx::pb::tensor_proto::DataType as Element;
use tract_onnx::pb::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto,
};

use super::ml::{tables, trees};
use crate::files::{encode, float_tensor, graph, input, int, int_tensor, ints, model, node, tensor};
use crate::fixtures::load;

/// Every file that is hostile in a way of its own. Those called `odd_...` are models all the same.
pub fn hostile_files() -> Vec<File> {
    let graphs = [many_parts(), many_copies(), deep_files(), broken_graphs(), islands()].concat();
    let all = [graphs, shapes(), trees(), tables(), lists()].concat();
    all.into_iter().map(|(name, bytes)| (name.to_string(), bytes)).collect()
}

/// Models of every kind, ended at every tenth byte. What ends behind the graph is a whole model still.
pub fn truncated_files() -> Vec<File> {
    let fixtures = load("zoo");
    let mut seen = std::collections::HashSet::new();
    let mut files = Vec::new();
    for fixture in fixtures.iter().filter(|fixture| fixture.model.len() < 4096) {
        let proto = ModelProto::decode(&fixture.model[..]).expect("a model of the zoo");
        let nodes = &proto.graph.as_ref().expect("a graph").node;
        let is_new = nodes.iter().filter(|node| seen.insert(node.op_type.clone())).count() > 0;
        if is_new {
            let is_whole =
                |end: &usize| ModelProto::decode(&fixture.model[..*end]).is_ok_and(|cut| cut.graph == proto.graph);
            let ends = (0..fixture.model.len()).step_by(10).filter(|end| !is_whole(end));
            files.extend(ends.map(|end| (format!("{}_{end:05}", fixture.name), fixture.model[..end].to_vec())));
        }
    }
    files
}

pub(super) fn of(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Vec<u8> {
    encode(&model(2, nodes, constants))
}

pub(super) fn one(operator: &str, attributes: Vec<AttributeProto>) -> Vec<u8> {
    of(vec![node(operator, &["x"], "y", attributes)], vec![])
}

/// A node with constants behind its first input.
fn with_constants(operator: &str, constants: Vec<TensorProto>) -> Vec<u8> {
    let names: Vec<String> = constants.iter().map(|constant| constant.name.clone()).collect();
    let inputs: Vec<&str> = iter::once("x").chain(names.iter().map(String::as_str)).collect();
    of(vec![node(operator, &inputs, "y", vec![])], constants)
}

fn list(name: &str, values: &[i64]) -> TensorProto {
    int_tensor(name, &[values.len() as i64], values)
}

fn scalar(name: &str, value: i64) -> TensorProto {
    int_tensor(name, &[], &[value])
}

/// `count` nodes one behind the other.
fn chain(count: usize, width: i64, link: impl Fn(&str, &str) -> NodeProto) -> Vec<u8> {
    let name = |at: usize| {
        if at == 0 {
            "x".to_string()
        } else if at == count {
            "y".to_string()
        } else {
            format!("{at}")
        }
    };
    encode(&model(width, (0..count).map(|at| link(&name(at), &name(at + 1))).collect(), vec![]))
}

fn relu(from: &str, to: &str) -> NodeProto {
    NodeProto { name: String::new(), ..node("Relu", &[from], to, vec![]) }
}

/// Nodes that join a value with itself, over and over.
fn doubled(times: usize) -> Vec<u8> {
    chain(times, 2, |from, to| node("Concat", &[from, from], to, vec![int("axis", 1)]))
}

/// A Scan of a body without nodes over a constant without elements.
fn scan_over_nothing(steps: i64) -> Vec<u8> {
    let value = |name: &str| ValueInfoProto { name: name.to_string(), ..ValueInfoProto::default() };
    let body = GraphProto {
        input: vec![value("s"), value("e")],
        output: vec![value("s"), value("e")],
        ..GraphProto::default()
    };
    let scan = node("Scan", &["x", "c"], "y z", vec![int("num_scan_inputs", 1), graph("body", body)]);
    of(vec![scan], vec![float_tensor("c", &[steps, 0], &[])])
}

/// Nodes that copy what is known about values, and compute nothing.
fn many_copies() -> Vec<(&'static str, Vec<u8>)> {
    let identity = |from: &str, to: &str| node("Identity", &[from], to, vec![]);
    let twice = |operator: &'static str, times: usize| {
        move |first: NodeProto| {
            let link = |at: usize| {
                let from = format!("d{at}");
                node(operator, &[&from, &from], &format!("d{}", at + 1), vec![int("axis", 0)])
            };
            of(iter::once(first).chain((0..times).map(link)).chain([relu("x", "y")]).collect(), vec![])
        }
    };
    let constant = float_tensor("c0", &[100, 1_000], &vec![1.0; 100_000]);
    let turned = (0..2_000).map(|at| node("Transpose", &[&format!("c{at}")], &format!("c{}", at + 1), vec![]));
    vec![
        ("copies_of_a_wide_value", chain(2_000, 65_536, identity)),
        ("copies_of_a_constant", of(turned.chain([relu("x", "y")]).collect(), vec![constant])),
        ("copies_in_a_node", encode(&model(1_000, vec![node("Max", &vec!["x"; 100_000], "y", vec![])], vec![]))),
        ("sequences_of_sequences", twice("SequenceConstruct", 60)(node("SequenceConstruct", &["x"], "d0", vec![]))),
        ("shapes_doubled", twice("Concat", 60)(node("Shape", &["x"], "d0", vec![]))),
        ("scan_over_nothing", scan_over_nothing(1 << 28)),
    ]
}

fn many_parts() -> Vec<(&'static str, Vec<u8>)> {
    let attributes = vec![AttributeProto::default(); 300_000];
    let values = |count: usize| vec![ValueInfoProto::default(); count];
    let mut declared = model(2, vec![relu("x", "y")], vec![]);
    declared.graph.as_mut().expect("a graph").value_info = values(300_000);
    let mut constants = model(2, vec![relu("x", "y")], vec![]);
    constants.graph.as_mut().expect("a graph").initializer = vec![TensorProto::default(); 300_000];
    vec![
        ("nodes", chain(100_001, 2, relu)),
        ("messages_attributes", one("Relu", attributes)),
        ("messages_values", encode(&declared)),
        ("messages_constants", encode(&constants)),
        ("steps", chain(50_000, 100, relu)),
        ("features", encode(&model(65_537, vec![relu("x", "y")], vec![]))),
        ("columns_wide_input", encode(&model(i64::MAX, vec![relu("x", "y")], vec![]))),
        ("columns_doubled", doubled(60)),
        (
            "run_bytes",
            encode(&model(
                65_536,
                (0..40)
                    .map(|at| relu("x", &format!("y{at}")))
                    .chain([node(
                        "Concat",
                        &(0..40)
                            .map(|at| format!("y{at}"))
                            .collect::<Vec<_>>()
                            .iter()
                            .map(String::as_str)
                            .collect::<Vec<_>>(),
                        "y",
                        vec![int("axis", 1)],
                    )])
                    .collect(),
                vec![],
            )),
        ),
    ]
}

/// Graphs in graphs, each the branch of an If.
fn nested(depth: usize) -> Vec<u8> {
    let mut inner = GraphProto { node: vec![relu("x", "y")], ..GraphProto::default() };
    for _ in 0..depth {
        let branch = node("If", &["c"], "y", vec![graph("then_branch", inner)]);
        inner = GraphProto { node: vec![branch], ..GraphProto::default() };
    }
    of(inner.node, vec![])
}

/// Functions of which each calls the one before `calls` times.
fn functions(count: usize, calls: usize, first: &str) -> Vec<u8> {
    let opset = |domain: &str, version| OperatorSetIdProto { domain: domain.to_string(), version };
    let function = |at: usize| {
        let callee = if at == 0 { first.to_string() } else { format!("f{}", at - 1) };
        let name = |call: usize| {
            if call == 0 {
                "x".to_string()
            } else if call == calls {
                "y".to_string()
            } else {
                format!("{call}")
            }
        };
        let call = |call: usize| NodeProto {
            domain: if callee == "Relu" { String::new() } else { "local".to_string() },
            ..node(&callee, &[&name(call)], &name(call + 1), vec![])
        };
        FunctionProto {
            name: Some(format!("f{at}")),
            domain: Some("local".to_string()),
            input: vec!["x".to_string()],
            output: vec!["y".to_string()],
            node: (0..calls).map(call).collect(),
            opset_import: vec![opset("", 18), opset("local", 1)],
            ..FunctionProto::default()
        }
    };
    let call = NodeProto { domain: "local".to_string(), ..node(&format!("f{}", count - 1), &["x"], "y", vec![]) };
    let mut file = model(2, vec![call], vec![]);
    file.functions = (0..count).map(function).collect();
    file.opset_import.push(opset("local", 1));
    encode(&file)
}

/// A Loop whose body does nothing but go on.
fn endless_loop(times: Option<i64>) -> Vec<u8> {
    let (nodes, constants) = loop_parts(times);
    of(nodes, constants)
}

fn loop_parts(times: Option<i64>) -> (Vec<NodeProto>, Vec<TensorProto>) {
    let value = |name: &str, element| input(name, element, &[]);
    let body = GraphProto {
        node: vec![node("Identity", &["go"], "go_on", vec![]), node("Relu", &["v"], "w", vec![])],
        input: vec![
            value("i", Element::Int64),
            value("go", Element::Bool),
            input("v", Element::Float, &[None, Some(2)]),
        ],
        output: vec![value("go_on", Element::Bool), input("w", Element::Float, &[None, Some(2)])],
        ..GraphProto::default()
    };
    let go = TensorProto {
        data_type: Element::Bool as i32,
        int64_data: vec![],
        int32_data: vec![1],
        ..int_tensor("true", &[], &[])
    };
    let count = if times.is_some() { "times" } else { "" };
    let nodes = vec![node("Loop", &[count, "true", "x"], "y", vec![graph("body", body)])];
    (nodes, vec![go, scalar("times", times.unwrap_or(0))])
}

/// A model that takes lists of any length.
fn of_lists(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Vec<u8> {
    let mut file = model(1, nodes, constants);
    file.graph.as_mut().expect("a graph").input = vec![input("x", Element::Float, &[None, None])];
    encode(&file)
}

/// What a list of any length can ask for.
fn lists() -> Vec<(&'static str, Vec<u8>)> {
    let (endless, constants) = loop_parts(None);
    let large = || vec![list("s", &[1 << 15, 1 << 15, 1])];
    let wide = vec![node("Expand", &["x", "s"], "y", vec![])];
    let product = vec![
        node("ConstantOfShape", &["s"], "a", vec![]),
        node("MatMul", &["a", "a"], "b", vec![]),
        node("Add", &["x", "b"], "y", vec![]),
    ];
    vec![
        ("lists_loop", of_lists(endless, constants)),
        ("lists_expand", of_lists(wide, large())),
        ("lists_product", of_lists(product, vec![list("s", &[1 << 11, 1 << 11])])),
        ("lists_mixed", of_lists(vec![node("ReduceSum", &["x", "s"], "y", vec![])], vec![list("s", &[0])])),
    ]
}

fn deep_files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("graph_depth", nested(17)),
        ("graph_depth_of_the_decoder", nested(1_000)),
        ("functions_call_themselves", functions(1, 2, "f0")),
        ("functions_call_each_other", functions(3, 2, "f2")),
        ("functions_explode", functions(60, 2, "Relu")),
        ("functions_deep", functions(5_000, 1, "Relu")),
        ("loop_long", endless_loop(Some(1 << 60))),
        ("loop_endless", endless_loop(None)),
        ("odd_loop_negative", endless_loop(Some(-1))),
    ]
}

fn shapes() -> Vec<(&'static str, Vec<u8>)> {
    let add = |constant: TensorProto| with_constants("Add", vec![TensorProto { name: "c".to_string(), ..constant }]);
    let fill = |dims: &[i64]| of(vec![node("ConstantOfShape", &["s"], "y", vec![])], vec![list("s", dims)]);
    let reshape = |dims: &[i64]| with_constants("Reshape", vec![list("s", dims)]);
    let range = |from: i64, to: i64, by: i64| {
        of(
            vec![node("Range", &["a", "b", "c"], "y", vec![])],
            vec![scalar("a", from), scalar("b", to), scalar("c", by)],
        )
    };
    let one_hot = |depth: i64| {
        let index = node("Cast", &["x"], "i", vec![int("to", Element::Int64 as i64)]);
        let spread = node("OneHot", &["i", "d", "v"], "y", vec![]);
        of(vec![index, spread], vec![scalar("d", depth), float_tensor("v", &[2], &[0.0, 1.0])])
    };
    vec![
        ("dims_that_multiply_over", add(float_tensor("c", &[1 << 32, 1 << 32], &[]))),
        ("dims_that_multiply_to_nothing", add(float_tensor("c", &[1 << 62, 1 << 62, 0], &[]))),
        ("dims_of_a_giant", add(float_tensor("c", &[1 << 29], &[]))),
        ("dims_negative", add(float_tensor("c", &[-4], &[]))),
        ("dims_many", add(float_tensor("c", &[1; 100_000], &[1.0]))),
        ("odd_dims_at_the_limit", add(float_tensor("c", &[1; 63], &[1.0]))),
        ("constant_of_shape", fill(&[1 << 31, 1 << 31])),
        ("constant_of_shape_negative", fill(&[-1])),
        ("constant_of_shape_below_the_limit", fill(&[1 << 28])),
        // As much as may be, and then a copy for every product, and one of every cast.
        ("constant_of_shape_in_every_product", {
            let mut nodes =
                vec![node("ConstantOfShape", &["s"], "w", vec![]), node("ConstantOfShape", &["t"], "v", vec![])];
            nodes.push(node("MatMul", &["x", "v"], "h0", vec![]));
            nodes.extend((0..100).map(|at| node("MatMul", &[&format!("h{at}"), "w"], &format!("h{}", at + 1), vec![])));
            nodes.push(node("MatMul", &["h100", "w"], "y", vec![]));
            of(nodes, vec![list("s", &[1447, 1447]), list("t", &[2, 1447])])
        }),
        ("constant_of_shape_in_every_type", {
            let fill = node("ConstantOfShape", &["s"], "w", vec![]);
            let casts =
                (0..100).map(|at| node("Cast", &["w"], &format!("c{at}"), vec![int("to", Element::Double as i64)]));
            of(iter::once(fill).chain(casts).collect(), vec![list("s", &[1 << 21])])
        }),
        ("constant_of_shape_of_a_long_text", {
            let value = TensorProto {
                dims: vec![1],
                data_type: Element::String as i32,
                string_data: vec![vec![b'x'; 1 << 16]],
                ..TensorProto::default()
            };
            of(vec![node("ConstantOfShape", &["s"], "y", vec![tensor("value", value)])], vec![list("s", &[1 << 21])])
        }),
        ("slice_of_one_axis_over_and_over", {
            let zeros = vec![0; 100_000];
            let ends = list("ends", &vec![i64::MAX; 100_000]);
            let nodes = vec![node("Slice", &["x", "zeros", "ends", "zeros"], "y", vec![])];
            of(nodes, vec![list("zeros", &zeros), ends])
        }),
        ("odd_expand", with_constants("Expand", vec![list("s", &[1 << 40, 2])])),
        ("tile", with_constants("Tile", vec![list("r", &[1, i64::MAX])])),
        ("range_long", range(0, i64::MAX, 1)),
        ("range_back", range(i64::MAX, i64::MIN, -1)),
        ("range_of_step_zero", range(0, 1, 0)),
        ("one_hot_depth", one_hot(1 << 40)),
        ("one_hot_depth_negative", one_hot(-1)),
        ("odd_range_of_great_steps", range(i64::MIN, i64::MAX, 1 << 62)),
        ("reshape_to_many_dimensions", reshape(&[1; 100_000])),
        ("expand_to_many_dimensions", with_constants("Expand", vec![list("s", &[1; 100_000])])),
        ("fill_of_many_dimensions", fill(&[1; 100_000])),
        ("unsqueeze_to_many_dimensions", {
            let axes: Vec<i64> = (2..100_000).collect();
            with_constants("Unsqueeze", vec![list("a", &axes)])
        }),
        ("squeeze_of_many", with_constants("Squeeze", vec![list("a", &[1; 100_000])])),
        ("reduce_over_many", with_constants("ReduceSum", vec![list("a", &[1; 100_000])])),
        ("reshape_to_many", reshape(&[0, 1 << 40])),
        ("reshape_twice_open", reshape(&[-1, -1])),
        ("reshape_below", reshape(&[i64::MIN, 2])),
        (
            "odd_slice_extremes",
            with_constants(
                "Slice",
                vec![list("s", &[i64::MIN]), list("e", &[i64::MAX]), list("a", &[1]), list("t", &[i64::MIN])],
            ),
        ),
        (
            "slice_step_zero",
            with_constants("Slice", vec![list("s", &[0]), list("e", &[2]), list("a", &[1]), list("t", &[0])]),
        ),
        (
            "gather_outside",
            of(vec![node("Gather", &["x", "i"], "y", vec![int("axis", 1)])], vec![list("i", &[1 << 40])]),
        ),
        ("top_k_many", with_constants("TopK", vec![list("k", &[1 << 40])])),
        ("top_k_negative", with_constants("TopK", vec![list("k", &[-1])])),
        (
            "split_negative",
            of(vec![node("Split", &["x", "s"], "y z", vec![int("axis", 1)])], vec![list("s", &[3, -1])]),
        ),
        ("split_many", one("Split", vec![int("num_outputs", i64::MAX), int("axis", 1)])),
        ("axis_outside", one("Flatten", vec![int("axis", i64::MIN)])),
        ("transpose_twice_the_same", one("Transpose", vec![ints("perm", &[1, 1])])),
        ("pad_many", with_constants("Pad", vec![list("p", &[0, 1 << 40, 0, 1 << 40])])),
        (
            "eye_of_a_giant",
            of(vec![node("EyeLike", &["c"], "y", vec![])], vec![float_tensor("c", &[1 << 14, 1 << 14], &[])]),
        ),
    ]
}

fn broken_graphs() -> Vec<(&'static str, Vec<u8>)> {
    let named_twice = {
        let mut file = model(2, vec![relu("x", "y")], vec![]);
        let graph = file.graph.as_mut().expect("a graph");
        graph.input = vec![input("x", Element::Float, &[None, Some(2)]); 2];
        encode(&file)
    };
    let output_twice = {
        let mut file = model(2, vec![relu("x", "y")], vec![]);
        let graph = file.graph.as_mut().expect("a graph");
        graph.output = vec![ValueInfoProto { name: "y".to_string(), ..ValueInfoProto::default() }; 2];
        encode(&file)
    };
    let hidden = of(vec![relu("x", "y")], vec![float_tensor("x", &[1, 2], &[1.0, 2.0])]);
    let constants = vec![float_tensor("c", &[2], &[1.0, 2.0]), float_tensor("c", &[2], &[3.0, 4.0])];
    vec![
        ("cycle", of(vec![relu("b", "a"), relu("a", "b"), relu("b", "y")], vec![])),
        ("cycle_of_one", of(vec![relu("y", "y")], vec![])),
        ("input_twice", named_twice),
        ("input_that_is_a_constant", hidden),
        ("output_twice", output_twice),
        ("constant_twice", of(vec![node("Add", &["x", "c"], "y", vec![])], constants)),
        ("value_twice", of(vec![relu("x", "y"), relu("x", "y")], vec![])),
        ("attribute_twice", one("Flatten", vec![int("axis", 1), int("axis", 0)])),
        (
            "attribute_of_a_tensor_without_one",
            one("Constant", vec![AttributeProto { t: None, ..tensor("value", TensorProto::default()) }]),
        ),
        ("name_of_a_megabyte", of(vec![relu("x", &"y".repeat(1 << 20))], vec![])),
        ("zip_bytes", b"PK\x03\x04".iter().copied().chain(iter::repeat_n(0, 1 << 20)).collect()),
        ("zeros", vec![0; 1 << 20]),
        ("ones", vec![0xff; 1 << 20]),
        ("varint_without_end", vec![0x80; 1 << 20]),
        ("groups_in_groups", vec![0x0b; 1 << 20]),
    ]
}

fn islands() -> Vec<(&'static str, Vec<u8>)> {
    let image = |nodes: Vec<NodeProto>, constants: Vec<TensorProto>| {
        let mut file = model(1, nodes, constants);
        file.graph.as_mut().expect("a graph").input =
            vec![input("x", Element::Float, &[None, Some(1), Some(4), Some(4)])];
        encode(&file)
    };
    let kernel = || float_tensor("k", &[1, 1, 3, 3], &[1.0; 9]);
    let convolution =
        |operator: &str, attributes| image(vec![node(operator, &["x", "k"], "y", attributes)], vec![kernel()]);
    vec![
        ("convolution_padded", convolution("Conv", vec![ints("pads", &[1 << 40; 4])])),
        ("convolution_padded_below", convolution("Conv", vec![ints("pads", &[-100; 4])])),
        ("convolution_of_stride_zero", convolution("Conv", vec![ints("strides", &[0, 0])])),
        ("convolution_dilated", convolution("Conv", vec![ints("dilations", &[i64::MAX, i64::MAX])])),
        ("convolution_of_groups", convolution("Conv", vec![int("group", i64::MAX)])),
        ("convolution_of_no_group", convolution("Conv", vec![int("group", 0)])),
        ("convolution_transposed", convolution("ConvTranspose", vec![ints("strides", &[1 << 20, 1 << 20])])),
        (
            "pool_of_a_giant",
            image(vec![node("MaxPool", &["x"], "y", vec![ints("kernel_shape", &[1 << 40, 1 << 40])])], vec![]),
        ),
        ("image_of_a_giant", {
            let mut file = model(1, vec![relu("x", "y")], vec![]);
            file.graph.as_mut().expect("a graph").input =
                vec![input("x", Element::Float, &[None, Some(1 << 14), Some(1 << 14)])];
            encode(&file)
        }),
    ]
}
