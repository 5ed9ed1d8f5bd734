//! Steps that go together beside the same steps one at a time, and beside sums in double precision.

use std::collections::HashMap;

use crate::{Attribute, Budget, Data, Graph, Node, Program, Tensor, Value};

const BUDGET: Budget = Budget { bytes: 1 << 24, work: 1 << 24 };

/// Nodes `name = operator(inputs)`, the inputs separated by blanks.
fn graph(inputs: &[&str], nodes: &[(&str, &str, &str)], outputs: &[&str]) -> Graph {
    let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_string).collect() };
    let node = |&(name, operator, inputs): &(&str, &str, &str)| Node {
        name: name.to_string(),
        op_type: operator.to_string(),
        opset: 17,
        inputs: words(inputs),
        outputs: vec![name.to_string()],
        attributes: match operator {
            "ReduceMean" => HashMap::from([("axes".to_string(), Attribute::Ints(vec![-1]))]),
            _ => HashMap::new(),
        },
        ..Node::default()
    };
    let scalar = |name: &str, value: f32| (name.to_string(), Value::from(Tensor::scalar(value)));
    Graph {
        inputs: inputs.iter().map(|name| (*name).to_string()).collect(),
        constants: vec![scalar("two", 2.0), scalar("epsilon", 1e-5), scalar("one", 1.0)],
        nodes: nodes.iter().map(node).collect(),
        outputs: outputs.iter().map(|name| (*name).to_string()).collect(),
        ..Graph::default()
    }
}

fn run(graph: Graph, inputs: &[Tensor]) -> Vec<Tensor> {
    let inputs = inputs.iter().cloned().map(Value::from).collect();
    let answers = Program::new(graph).expect("a graph").run(inputs, BUDGET).expect("answers");
    answers.iter().map(|value| value.tensor().expect("a tensor").clone()).collect()
}

fn numbers(shape: &[usize], seed: f32) -> Tensor {
    let count = shape.iter().product();
    let number = |at: usize| ((at as f32 + seed) * 12.9898).sin() * 3.0;
    Tensor::try_new(shape.to_vec(), Data::F32((0..count).map(number).collect())).expect("a tensor")
}

fn singles(tensor: &Tensor) -> &[f32] {
    tensor.values::<f32>().expect("single precision")
}

/// A layer normalisation as exporters write it, and what follows in a transformer.
const STEPS: [(&str, &str, &str); 15] = [
    ("sum", "Add", "x y"),
    ("mean", "ReduceMean", "sum"),
    ("centred", "Sub", "sum mean"),
    ("squares", "Pow", "centred two"),
    ("variance", "ReduceMean", "squares"),
    ("safe", "Add", "variance epsilon"),
    ("root", "Sqrt", "safe"),
    ("normal", "Div", "centred root"),
    ("scaled", "Mul", "normal scale"),
    ("erf", "Erf", "scaled"),
    ("more", "Add", "one erf"),
    ("half", "Mul", "scaled more"),
    ("masked", "Add", "half mask"),
    ("shares", "Softmax", "masked"),
    ("tanh", "Tanh", "shares"),
];
const INPUTS: [&str; 4] = ["x", "y", "scale", "mask"];

fn inputs(batch: usize) -> [Tensor; 4] {
    [
        numbers(&[batch, 3, 5, 33], 0.0),
        numbers(&[batch, 3, 5, 33], 0.5),
        numbers(&[33], 0.25),
        numbers(&[batch, 1, 1, 33], 0.75),
    ]
}

#[test]
fn steps_that_go_together_give_what_each_gives_alone() {
    let inputs = inputs(2);
    let names: Vec<&str> = STEPS.iter().map(|(name, ..)| *name).collect();
    let all = run(graph(&INPUTS, &STEPS, &names), &inputs);
    let last = run(graph(&INPUTS, &STEPS, &["tanh"]), &inputs);
    assert_eq!(singles(&last[0]), singles(&all[14]));
    // Each step by itself, over what the others gave.
    let mut known: HashMap<&str, Tensor> = INPUTS.into_iter().zip(inputs).collect();
    for ((name, operator, reads), expected) in STEPS.iter().zip(&all) {
        let read: Vec<&str> = reads.split(' ').filter(|name| known.contains_key(name)).collect();
        let values: Vec<Tensor> = read.iter().map(|name| known[name].clone()).collect();
        let got = run(graph(&read, &[(*name, *operator, *reads)], &[name]), &values).remove(0);
        assert_eq!((got.shape(), singles(&got)), (expected.shape(), singles(expected)), "{name}");
        known.insert(name, got);
    }
}

#[test]
fn numbers_are_those_of_double_precision() {
    let single = inputs(2);
    let doubles = single.clone().map(|tensor| {
        let values = singles(&tensor).iter().map(|&number| f64::from(number)).collect();
        Tensor::try_new(tensor.shape().to_vec(), Data::F64(values)).expect("a tensor")
    });
    let names: Vec<&str> = STEPS.iter().map(|(name, ..)| *name).collect();
    let mut of_doubles = graph(&INPUTS, &STEPS, &names);
    of_doubles.constants.iter_mut().for_each(|(_, value)| {
        let number = f64::from(singles(value.tensor().expect("a tensor"))[0]);
        *value = Tensor::scalar(number).into();
    });
    let expected = run(of_doubles, &doubles);
    for ((name, ..), (got, expected)) in
        STEPS.iter().zip(run(graph(&INPUTS, &STEPS, &names), &single).iter().zip(&expected))
    {
        assert_eq!(got.shape(), expected.shape(), "{name}");
        let expected = expected.values::<f64>().expect("double precision");
        for (&got, expected) in singles(got).iter().zip(expected) {
            assert!((f64::from(got) - expected).abs() <= 1e-5 * (1.0 + expected.abs()), "{name}: {got} for {expected}");
        }
    }
}

#[test]
fn a_row_has_the_same_bits_whatever_the_batch() {
    let part = |tensor: &Tensor, row: usize| match tensor.shape() {
        [2, rest @ ..] => {
            let width: usize = rest.iter().product();
            let values = singles(tensor)[row * width..][..width].to_vec();
            Tensor::try_new([&[1], rest].concat(), Data::F32(values)).expect("a tensor")
        }
        _ => tensor.clone(),
    };
    let inputs = inputs(2);
    let together = run(graph(&INPUTS, &STEPS, &["tanh"]), &inputs).remove(0);
    for row in 0..2 {
        let alone = run(graph(&INPUTS, &STEPS, &["tanh"]), &inputs.clone().map(|tensor| part(&tensor, row)));
        assert_eq!(singles(&alone[0]), singles(&part(&together, row)), "row {row}");
    }
}

#[test]
fn a_layer_normalisation_is_that_of_its_parts() {
    let [x, _, scale, _] = inputs(2);
    let inputs = [x, scale.clone(), scale];
    let node = |name, operator, inputs| [(name, operator, inputs)];
    let whole = run(graph(&["x", "scale", "bias"], &node("y", "LayerNormalization", "x scale bias"), &["y"]), &inputs);
    let parts = [&STEPS[1..9], &[("y", "Add", "scaled bias")][..]].concat();
    let parts: Vec<(&str, &str, String)> =
        parts.into_iter().map(|(name, operator, inputs)| (name, operator, inputs.replace("sum", "x"))).collect();
    let parts: Vec<(&str, &str, &str)> =
        parts.iter().map(|(name, operator, inputs)| (*name, *operator, inputs.as_str())).collect();
    let parts = run(graph(&["x", "scale", "bias"], &parts, &["y"]), &inputs);
    for (a, b) in singles(&whole[0]).iter().zip(singles(&parts[0])) {
        assert!((a - b).abs() < 1e-5, "{a} and {b}");
    }
}

#[test]
fn what_does_not_fit_is_told_by_the_operator_and_room_is_asked_for() {
    let fails = |inputs: [Tensor; 4], budget: Budget| {
        let program = Program::new(graph(&INPUTS, &STEPS, &["tanh"])).expect("a graph");
        program.run(inputs.into_iter().map(Value::from).collect(), budget).expect_err("it fails").to_string()
    };
    let mut others = inputs(2);
    others[2] = numbers(&[5], 0.0);
    assert!(fails(others, BUDGET).contains("do not go together"));
    assert!(fails(inputs(2), Budget { bytes: 4096, ..BUDGET }).contains("of 4096 allowed"));
    assert!(fails(inputs(2), Budget { work: 4096, ..BUDGET }).contains("more than the 4096 elementary operations"));
}

#[test]
fn a_sum_counts_all_numbers_that_it_reads() {
    let program = Program::new(graph(&["x"], &[("y", "ReduceMean", "x")], &["y"])).expect("a graph");
    let run = |work| program.run(vec![numbers(&[1, 4096], 0.0).into()], Budget { work, ..BUDGET });
    assert!(run(4095).is_err());
    assert!(run(1 << 14).is_ok());
}

#[test]
fn steps_beyond_those_that_go_together_have_the_same_answer() {
    let names: Vec<String> = (0..600).map(|at| format!("s{at}")).collect();
    let nodes: Vec<(&str, &str, String)> = (0..names.len())
        .map(|at| (names[at].as_str(), "Add", format!("{} one", if at == 0 { "x" } else { &names[at - 1] })))
        .collect();
    let nodes: Vec<(&str, &str, &str)> =
        nodes.iter().map(|(name, operator, inputs)| (*name, *operator, inputs.as_str())).collect();
    let answers = run(graph(&["x"], &nodes, &["s599"]), &[numbers(&[2, 3], 1.0)]);
    let expected: Vec<f32> =
        singles(&numbers(&[2, 3], 1.0)).iter().map(|&x| (0..600).fold(x, |sum, _| sum + 1.0)).collect();
    assert_eq!(singles(&answers[0]), expected);
}
