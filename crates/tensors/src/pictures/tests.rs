//! Layers that go together beside the same layers one by one: every value that is read as an answer, too, is computed by itself.

use std::collections::HashMap;

use crate::{Attribute, Budget, Data, Error, Fault, Graph, Node, Program, Tensor, Value};

const BUDGET: Budget = Budget { bytes: 1 << 26, work: 1 << 32 };

fn numbers(shape: &[usize], scale: f32) -> Value {
    let number = |at: usize| ((at * 7919 + 13) % 1009) as f32 / 504.5 - 1.0;
    let numbers = (0..shape.iter().product()).map(|at| scale * number(at)).collect();
    Tensor::try_new(shape.to_vec(), Data::F32(numbers)).expect("numbers of a shape").into()
}

fn node(op_type: &str, inputs: &[&str], output: &str, lists: &[(&str, &[i64])]) -> Node {
    let list = |(name, values): &(&str, &[i64])| ((*name).to_string(), Attribute::Ints(values.to_vec()));
    Node {
        op_type: op_type.to_string(),
        opset: 17,
        inputs: inputs.iter().map(|name| (*name).to_string()).collect(),
        outputs: vec![output.to_string()],
        attributes: lists.iter().map(list).collect::<HashMap<_, _>>(),
        ..Node::default()
    }
}

/// Convolutions, functions and windows over pictures; the second convolution takes each channel by itself.
fn layers() -> Vec<Node> {
    let mut each =
        node("Conv", &["pooled", "each", "each_bias"], "single", &[("strides", &[2, 1]), ("pads", &[1, 1, 1, 1])]);
    each.attributes.insert("group".to_string(), Attribute::Int(16));
    vec![
        node("Conv", &["x", "first", "first_bias"], "sums", &[("pads", &[1, 1, 1, 1])]),
        node("Relu", &["sums"], "positive", &[]),
        node(
            "MaxPool",
            &["positive"],
            "pooled",
            &[("kernel_shape", &[3, 3]), ("strides", &[2, 2]), ("pads", &[1, 1, 1, 1])],
        ),
        each,
        node("Clip", &["single", "", "greatest"], "shares", &[]),
        node("Conv", &["shares", "last"], "y", &[("dilations", &[1, 2])]),
    ]
}

fn constants() -> Vec<(String, Value)> {
    let shapes: [(&str, &[usize]); 5] = [
        ("first", &[16, 3, 3, 3]),
        ("first_bias", &[16]),
        ("each", &[16, 1, 3, 3]),
        ("each_bias", &[16]),
        ("last", &[32, 16, 2, 2]),
    ];
    let greatest = Tensor::try_new(vec![], Data::F32(vec![0.5])).expect("a number").into();
    let weights = shapes.map(|(name, shape)| (name.to_string(), numbers(shape, 0.3)));
    weights.into_iter().chain([("greatest".to_string(), greatest)]).collect()
}

fn program(nodes: Vec<Node>, constants: Vec<(String, Value)>, inputs: &[&str], outputs: &[&str]) -> Program {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect();
    let graph = Graph { inputs: names(inputs), constants, nodes, outputs: names(outputs), ..Graph::default() };
    Program::new(graph).expect("a sound graph")
}

fn bits(value: &Value) -> (Vec<usize>, Vec<u32>) {
    let tensor = value.tensor().expect("a tensor");
    let numbers = tensor.values::<f32>().expect("numbers of single precision");
    (tensor.shape().to_vec(), numbers.iter().map(|number| number.to_bits()).collect())
}

/// Every value that a node writes.
const ALL: [&str; 6] = ["y", "sums", "positive", "pooled", "single", "shares"];

#[test]
fn layers_have_the_same_bits_together() {
    let together = program(layers(), constants(), &["x"], &["y"]);
    let alone = program(layers(), constants(), &["x"], &ALL);
    // The network that is kept is that of the extents before.
    for (pictures, height, width) in [(1, 20, 13), (40, 20, 13), (2, 9, 30), (1, 20, 13)] {
        let x = numbers(&[pictures, 3, height, width], 1.0);
        let expected = alone.run(vec![x.clone()], BUDGET).expect("each layer");
        let got = together.run(vec![x], BUDGET).expect("all layers");
        assert!(bits(&got[0]) == bits(&expected[0]), "{pictures} pictures of {height} x {width}");
    }
}

#[test]
fn values_that_others_read_are_there() {
    let whole = program(layers(), constants(), &["x"], &ALL);
    let x = numbers(&[3, 3, 12, 12], 1.0);
    let expected = whole.run(vec![x.clone()], BUDGET).expect("each layer");
    for (at, other) in ALL.iter().enumerate().skip(1) {
        let got = program(layers(), constants(), &["x"], &["y", other]).run(vec![x.clone()], BUDGET).expect("layers");
        assert!(bits(&got[0]) == bits(&expected[0]) && bits(&got[1]) == bits(&expected[at]), "{other}");
    }
}

#[test]
fn weights_that_come_with_the_pictures_are_not_kept() {
    let mut constants = constants();
    let (_, first) = constants.remove(0);
    let together = program(layers(), constants.clone(), &["x", "first"], &["y"]);
    let alone = program(layers(), constants, &["x", "first"], &ALL);
    let x = numbers(&[2, 3, 10, 10], 1.0);
    for weights in [first, numbers(&[16, 3, 3, 3], -0.7)] {
        let inputs = vec![x.clone(), weights];
        let expected = alone.run(inputs.clone(), BUDGET).expect("each layer");
        assert!(bits(&together.run(inputs, BUDGET).expect("all layers")[0]) == bits(&expected[0]));
    }
}

#[test]
fn series_are_pictures_of_one_row() {
    let nodes = vec![
        node("Conv", &["x", "weights"], "sums", &[("pads", &[2, 0]), ("strides", &[2])]),
        node("Tanh", &["sums"], "bent", &[]),
        node("MaxPool", &["bent"], "y", &[("kernel_shape", &[2]), ("strides", &[2])]),
    ];
    let constants = vec![("weights".to_string(), numbers(&[16, 4, 3], 0.4))];
    let x = numbers(&[5, 4, 31], 1.0);
    let expected =
        program(nodes.clone(), constants.clone(), &["x"], &["y", "sums", "bent"]).run(vec![x.clone()], BUDGET);
    let got = program(nodes, constants, &["x"], &["y"]).run(vec![x], BUDGET).expect("all layers");
    assert_eq!(bits(&got[0]).0, [5, 16, 8]);
    assert!(bits(&got[0]) == bits(&expected.expect("each layer")[0]));
}

#[test]
fn layers_keep_to_the_budget() {
    let together = program(layers(), constants(), &["x"], &["y"]);
    let run = |budget: Budget| together.run(vec![numbers(&[8, 3, 20, 20], 1.0)], budget);
    let fault = |budget: Budget| match run(budget) {
        Err(Error::Node { fault, .. }) => fault,
        other => panic!("an answer beyond the budget: {:?}", other.map(|values| values.len())),
    };
    assert!(matches!(fault(Budget { bytes: 100_000, ..BUDGET }), Fault::Memory { .. }));
    assert!(matches!(fault(Budget { work: 100_000, ..BUDGET }), Fault::Work { .. }));
    assert!(run(BUDGET).is_ok());
}
