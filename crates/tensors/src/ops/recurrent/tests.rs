//! Layers that kernels compute beside the same layers in double precision, which are computed gate by gate.

use std::collections::HashMap;

use crate::{Attribute, Budget, Data, Error, Fault, Graph, Node, Program, Tensor, Value};

const BUDGET: Budget = Budget { bytes: 1 << 24, work: 1 << 24 };
const STEPS: usize = 7;
const BATCH: usize = 5;
const INPUTS: usize = 3;
const HIDDEN: usize = 9;

/// A layer and its inputs X, W, R, B, lengths and states; what is left out has no shape.
struct Layer {
    op_type: &'static str,
    attributes: Vec<(&'static str, Attribute)>,
    with: &'static [&'static str],
}

impl Layer {
    fn new(op_type: &'static str, with: &'static [&'static str], attributes: &[(&'static str, Attribute)]) -> Self {
        Self { op_type, attributes: attributes.to_vec(), with }
    }

    fn has(&self, part: &str) -> bool {
        self.with.contains(&part)
    }

    fn is_batch_first(&self) -> bool {
        self.attributes.iter().any(|(name, _)| *name == "layout")
    }

    fn directions(&self) -> usize {
        let is_both = |attribute: &Attribute| matches!(attribute, Attribute::Text(way) if way == "bidirectional");
        if self.attributes.iter().any(|(_, attribute)| is_both(attribute)) { 2 } else { 1 }
    }

    /// The inputs that are there, for these rows of the batch.
    fn inputs(&self, rows: std::ops::Range<usize>) -> Vec<(&'static str, Tensor)> {
        let (directions, batch_first) = (self.directions(), self.is_batch_first());
        let gates = HIDDEN
            * [("RNN", 1), ("GRU", 3), ("LSTM", 4)]
                .iter()
                .find(|(name, _)| *name == self.op_type)
                .map_or(0, |gates| gates.1);
        let of_rows = |shape: [usize; 3], seed: f32| {
            let whole = numbers(&if batch_first { [shape[1], shape[0], shape[2]] } else { shape }, seed);
            picked(&whole, usize::from(!batch_first), rows.clone())
        };
        let states = [directions, BATCH, HIDDEN];
        let lengths: Vec<i32> = [4, 7, 0, 1, 6][rows.clone()].to_vec();
        let lengths = Tensor::try_new(vec![rows.len()], Data::I32(lengths)).expect("lengths");
        let all = [
            ("X", of_rows([STEPS, BATCH, INPUTS], 0.0)),
            ("W", numbers(&[directions, gates, INPUTS], 1.0)),
            ("R", numbers(&[directions, gates, HIDDEN], 2.0)),
            ("B", numbers(&[directions, 2 * gates], 3.0)),
            ("lengths", lengths),
            ("hidden", of_rows(states, 4.0)),
            ("cell", of_rows(states, 5.0)),
            ("P", numbers(&[directions, 3 * HIDDEN], 6.0)),
        ];
        all.into_iter().filter(|(name, _)| ["X", "W", "R"].contains(name) || self.has(name)).collect()
    }

    /// The answers for inputs as they are.
    fn run(&self, inputs: Vec<(&'static str, Tensor)>, budget: Budget) -> Result<Vec<Tensor>, Error> {
        let program = Program::new(self.graph(&inputs))?;
        answers(&program, inputs, budget)
    }

    /// A graph of the layer alone.
    fn graph(&self, inputs: &[(&'static str, Tensor)]) -> Graph {
        let slots = ["X", "W", "R", "B", "lengths", "hidden", "cell", "P"];
        let name = |slot: &&str| inputs.iter().find(|(name, _)| name == slot).map_or("", |(name, _)| name).to_string();
        let outputs =
            ["Y", "Y_h", "Y_c"][..if self.op_type == "LSTM" { 3 } else { 2 }].iter().map(|name| (*name).to_string());
        let node = Node {
            op_type: self.op_type.to_string(),
            opset: 14,
            inputs: slots.iter().map(name).collect(),
            outputs: outputs.clone().collect(),
            attributes: self
                .attributes
                .iter()
                .map(|(name, value)| ((*name).to_string(), value.clone()))
                .collect::<HashMap<_, _>>(),
            ..Node::default()
        };
        Graph {
            inputs: inputs.iter().map(|(name, _)| (*name).to_string()).collect(),
            nodes: vec![node],
            outputs: outputs.collect(),
            ..Graph::default()
        }
    }

    fn answers(&self, rows: std::ops::Range<usize>) -> Vec<Tensor> {
        self.run(self.inputs(rows), BUDGET).expect("answers")
    }
}

fn answers(program: &Program, inputs: Vec<(&str, Tensor)>, budget: Budget) -> Result<Vec<Tensor>, Error> {
    let values = inputs.into_iter().map(|(_, tensor)| Value::from(tensor)).collect();
    let answers = program.run(values, budget)?;
    Ok(answers.iter().map(|value| value.tensor().expect("a tensor").clone()).collect())
}

fn text(value: &str) -> Attribute {
    Attribute::Text(value.to_string())
}

fn texts(values: &[&str]) -> Attribute {
    Attribute::Texts(values.iter().map(|value| (*value).to_string()).collect())
}

fn numbers(shape: &[usize], seed: f32) -> Tensor {
    let number = |at: usize| ((at as f32 + seed) * 12.9898).sin() * 0.8;
    Tensor::try_new(shape.to_vec(), Data::F32((0..shape.iter().product()).map(number).collect())).expect("a tensor")
}

fn singles(tensor: &Tensor) -> &[f32] {
    tensor.values::<f32>().expect("single precision")
}

/// Some places of an axis.
fn picked(tensor: &Tensor, axis: usize, places: std::ops::Range<usize>) -> Tensor {
    let mut shape = tensor.shape().to_vec();
    let inner: usize = shape[axis + 1..].iter().product();
    let blocks = singles(tensor).chunks(inner * shape[axis]);
    let own = blocks.flat_map(|block| block[places.start * inner..places.end * inner].to_vec()).collect();
    shape[axis] = places.len();
    Tensor::try_new(shape, Data::F32(own)).expect("a tensor")
}

/// The tensor in double precision, if it has numbers of single precision.
fn widened(tensor: &Tensor) -> Tensor {
    match tensor.values::<f32>() {
        Some(values) => {
            let wide = values.iter().copied().map(f64::from).collect();
            Tensor::try_new(tensor.shape().to_vec(), Data::F64(wide)).expect("a tensor")
        }
        None => tensor.clone(),
    }
}

/// What exporters write, and what is left to the loops over gates.
fn layers() -> Vec<Layer> {
    const ALL: &[&str] = &["B", "lengths", "hidden", "cell"];
    let one = Attribute::Int(1);
    let mut layers = Vec::new();
    for op_type in ["RNN", "GRU", "LSTM"] {
        for direction in ["forward", "reverse", "bidirectional"] {
            let way = ("direction", text(direction));
            layers.push(Layer::new(op_type, &["B"], std::slice::from_ref(&way)));
            layers.push(Layer::new(op_type, ALL, &[way.clone(), ("layout", one.clone())]));
            layers.push(Layer::new(op_type, ALL, &[way, ("linear_before_reset", one.clone())]));
        }
        layers.push(Layer::new(op_type, &[], &[]));
        layers.push(Layer::new(op_type, ALL, &[("clip", Attribute::Float(0.25))]));
    }
    layers.push(Layer::new("LSTM", &["B", "P"], &[]));
    layers.push(Layer::new("LSTM", &["B"], &[("input_forget", one)]));
    layers.push(Layer::new("RNN", ALL, &[("activations", texts(&["Relu"]))]));
    let functions = ["HardSigmoid", "Relu", "Softsign"];
    layers.push(Layer::new("LSTM", ALL, &[("activations", texts(&functions))]));
    let given = [
        ("activations", texts(&["HardSigmoid", "LeakyRelu"])),
        ("activation_alpha", Attribute::Floats(vec![0.3, 0.1])),
    ];
    layers.push(Layer::new("GRU", ALL, &given));
    let mixed = [("activations", texts(&["Softplus", "Elu"])), ("direction", text("bidirectional"))];
    layers.push(Layer::new("RNN", ALL, &mixed));
    let mixed = ["Sigmoid", "Tanh", "Softsign", "HardSigmoid", "Relu", "Tanh"];
    layers.push(Layer::new("LSTM", ALL, &[("activations", texts(&mixed)), ("direction", text("bidirectional"))]));
    layers
}

#[test]
fn answers_are_those_of_double_precision() {
    for layer in layers() {
        let got = layer.answers(0..BATCH);
        let wide = layer.inputs(0..BATCH).into_iter().map(|(name, tensor)| (name, widened(&tensor))).collect();
        let expected = layer.run(wide, BUDGET).expect("answers");
        let what = format!("{} with {:?}, {:?}", layer.op_type, layer.with, layer.attributes);
        for (got, expected) in got.iter().zip(&expected) {
            assert_eq!(got.shape(), expected.shape(), "{what}");
            for (got, expected) in singles(got).iter().zip(expected.values::<f64>().expect("double precision")) {
                assert!(
                    (f64::from(*got) - expected).abs() <= 1e-5 * expected.abs() + 1e-6,
                    "{what}: {got}, {expected}"
                );
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_whatever_is_around_it() {
    for layer in layers() {
        let together = layer.answers(0..BATCH);
        for row in 0..BATCH {
            for (alone, together) in layer.answers(row..row + 1).iter().zip(&together) {
                let axis = if layer.is_batch_first() { 0 } else { together.rank() - 2 };
                assert_eq!(*alone, picked(together, axis, row..row + 1), "{} {:?}", layer.op_type, layer.attributes);
            }
        }
    }
}

#[test]
fn weights_that_are_constants_serve_every_run() {
    for layer in layers() {
        let is_weight = |name: &str| ["W", "R", "B", "P"].contains(&name);
        let inputs = layer.inputs(0..BATCH);
        let mut graph = layer.graph(&inputs);
        graph.inputs.retain(|name| !is_weight(name));
        let weights = inputs.into_iter().filter(|(name, _)| is_weight(name));
        graph.constants = weights.map(|(name, tensor)| (name.to_string(), tensor.into())).collect();
        let program = Program::new(graph).expect("a layer");
        for rows in [0..BATCH, 1..2, 0..BATCH] {
            let others = layer.inputs(rows.clone()).into_iter().filter(|(name, _)| !is_weight(name)).collect();
            let got = answers(&program, others, BUDGET).expect("answers");
            assert_eq!(got, layer.answers(rows), "{} {:?}", layer.op_type, layer.attributes);
        }
    }
}

#[test]
fn no_number_at_all_is_no_reason_to_fail() {
    let layer = Layer::new("GRU", &[], &[]);
    for shape in [[0, 5, 3], [7, 0, 3]] {
        let mut inputs = layer.inputs(0..BATCH);
        inputs[0].1 = numbers(&shape, 0.0);
        let answers = layer.run(inputs, BUDGET).expect("answers");
        assert_eq!(answers[0].shape(), [shape[0], 1, shape[1], HIDDEN]);
        assert!(singles(&answers[1]).iter().all(|state| *state == 0.0));
    }
}

#[test]
fn what_takes_too_much_is_refused_before_it_is_taken() {
    let layer = Layer::new("LSTM", &[], &[]);
    let refused = |budget: Budget| match layer.run(layer.inputs(0..BATCH), budget) {
        Err(Error::Node { fault, .. }) => fault,
        other => panic!("{other:?}"),
    };
    assert!(matches!(refused(Budget { work: 10_000, ..BUDGET }), Fault::Work { .. }));
    assert!(matches!(refused(Budget { bytes: 6_000, ..BUDGET }), Fault::Memory { .. }));
}
