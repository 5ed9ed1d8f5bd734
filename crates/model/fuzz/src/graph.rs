//! Bytes as instructions to build a graph: whatever they say, the result is a sound protocol buffer, so that the readers of
//! operators are reached and not only that of the file.

use foretell_testing::onnx::{encode, float, floats, graph, input, int, ints, node, tensor, text, texts};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto,
};

use crate::dice::Dice;
use crate::operators::{Kind, OPERATORS, Operator, TENSOR_OPERATORS, TEXTS};

const NODES_MAX: usize = 8;
const DEPTH_MAX: usize = 2;
const ELEMENTS: [DataType; 14] = [
    DataType::Float,
    DataType::Double,
    DataType::Int64,
    DataType::String,
    DataType::Bool,
    DataType::Int32,
    DataType::Uint8,
    DataType::Int8,
    DataType::Uint64,
    DataType::Float16,
    DataType::Int16,
    DataType::Uint16,
    DataType::Uint32,
    DataType::Bfloat16,
];

/// A file that these bytes ask for, of operators on columns.
pub fn model(bytes: &[u8]) -> Vec<u8> {
    encode(&of_operators(&mut Dice::new(bytes), &|dice| dice.pick(OPERATORS)))
}

/// A file that these bytes ask for, of operators on tensors.
pub fn tensor_model(bytes: &[u8]) -> ModelProto {
    let of_both = |dice: &mut Dice| loop {
        let operator = if dice.is_head() { dice.pick(TENSOR_OPERATORS) } else { dice.pick(OPERATORS) };
        if !operator.name.starts_with("ai.onnx.ml.") {
            return operator;
        }
    };
    of_operators(&mut Dice::new(bytes), &of_both)
}

type Choose<'c> = &'c dyn Fn(&mut Dice) -> &'static Operator;

fn of_operators(dice: &mut Dice, choose: Choose) -> ModelProto {
    let opset =
        |domain: &str, version: usize| OperatorSetIdProto { domain: domain.to_string(), version: version as i64 };
    let opset_import =
        vec![opset("", 7 + dice.below(18)), opset("ai.onnx.ml", 1 + dice.below(5)), opset("com.microsoft", 1)];
    let mut names: Vec<String> = Vec::new();
    let mut inputs = Vec::new();
    for at in 0..1 + dice.below(3) {
        let name = format!("x{at}");
        let mut extents = vec![None];
        for _ in 0..if dice.is_rare() { dice.below(4) } else { 1 } {
            extents.push(if dice.is_rare() { None } else { Some(1 + dice.below(4) as i64) });
        }
        inputs.push(input(&name, element(dice), &extents));
        names.push(name);
    }
    let mut body = Bodies { dice, choose }.body(names, 0);
    body.input = inputs;
    ModelProto { ir_version: 8, opset_import, graph: Some(body), ..ModelProto::default() }
}

/// Whatever makes the graphs of a file.
struct Bodies<'d, 'b, 'c> {
    dice: &'d mut Dice<'b>,
    choose: Choose<'c>,
}

impl Bodies<'_, '_, '_> {
    /// Nodes over values with these names.
    fn body(&mut self, mut names: Vec<String>, depth: usize) -> GraphProto {
        let mut body = GraphProto { name: "g".to_string(), ..GraphProto::default() };
        for at in 0..self.dice.below(4) {
            let name = format!("k{depth}_{at}");
            body.initializer.push(constant(self.dice, &name));
            names.push(name);
        }
        for at in 0..1 + self.dice.below(NODES_MAX) {
            let node = self.node(&names, &format!("v{depth}_{at}_"), depth, &mut body.initializer);
            names.extend(node.output.iter().cloned());
            body.node.push(node);
        }
        let last = names.len() - 1;
        for _ in 0..1 + self.dice.below(3) {
            body.output.push(value(&names[last - self.dice.below(names.len().min(4))]));
        }
        body
    }

    /// A node that reads some of these values, or constants of its own.
    fn node(&mut self, names: &[String], prefix: &str, depth: usize, constants: &mut Vec<TensorProto>) -> NodeProto {
        let operator = (self.choose)(self.dice);
        let inputs = match operator.inputs {
            0 => 0,
            most if self.dice.is_rare() => self.dice.below(most + 2),
            most => most,
        };
        let mut picked = Vec::with_capacity(inputs);
        for at in 0..inputs {
            if at > 0 && self.dice.is_head() {
                let name = format!("{prefix}k{at}");
                constants.push(constant(self.dice, &name));
                picked.push(name);
            } else {
                picked.push(pick(self.dice, names));
            }
        }
        let outputs = if self.dice.is_rare() { 1 + self.dice.below(3) } else { operator.outputs };
        let outputs: Vec<String> = (0..outputs).map(|at| format!("{prefix}{at}")).collect();
        let length = 1 + self.dice.below(5);
        let mut attributes = Vec::new();
        for (name, kind) in operator.attributes {
            if !self.dice.is_rare() {
                attributes.push(self.attribute(name, *kind, length, names, depth));
            }
        }
        let inputs: Vec<&str> = picked.iter().map(String::as_str).collect();
        NodeProto { name: prefix.to_string(), ..node(operator.name, &inputs, &outputs.join(" "), attributes) }
    }

    fn attribute(&mut self, name: &str, kind: Kind, length: usize, names: &[String], depth: usize) -> AttributeProto {
        match kind {
            Kind::Graph | Kind::Loop | Kind::Scan if depth == DEPTH_MAX => graph(name, GraphProto::default()),
            Kind::Graph => graph(name, self.body(names.to_vec(), depth + 1)),
            // A loop goes on as long as its count says, and hands its value on; both are the last inputs here.
            Kind::Loop => graph(name, self.inner(names, &["i", "go", "s"], "go", depth)),
            Kind::Scan => graph(name, self.inner(names, &["s", "e"], "s", depth)),
            plain => plain_attribute(self.dice, name, plain, length),
        }
    }

    /// A body with inputs of its own, of which one is its first output.
    fn inner(&mut self, names: &[String], inputs: &[&str], first: &str, depth: usize) -> GraphProto {
        let own: Vec<String> = inputs.iter().map(|name| format!("{name}{depth}")).collect();
        let mut body = self.body(names.iter().chain(&own).cloned().collect(), depth + 1);
        body.input = own.iter().map(|name| value(name)).collect();
        if !self.dice.is_rare() {
            body.output.insert(0, value(&format!("{first}{depth}")));
        }
        body
    }
}

fn value(name: &str) -> ValueInfoProto {
    ValueInfoProto { name: name.to_string(), ..ValueInfoProto::default() }
}

/// A value; of the later ones more often, and rarely none.
fn pick(dice: &mut Dice, names: &[String]) -> String {
    if dice.is_rare() {
        return String::new();
    }
    let far = dice.below(names.len());
    names[names.len() - 1 - if dice.is_rare() { far } else { far.min(3) }].clone()
}

fn plain_attribute(dice: &mut Dice, name: &str, kind: Kind, length: usize) -> AttributeProto {
    let length = if dice.is_rare() { dice.below(9) } else { length };
    let some = |dice: &mut Dice, one: fn(&mut Dice) -> i64| (0..length).map(|_| one(dice)).collect::<Vec<i64>>();
    match kind {
        Kind::Int => int(name, dice.integer()),
        Kind::Flag => int(name, dice.below(2) as i64),
        Kind::Element => int(name, dice.below(17) as i64),
        Kind::Ints => ints(name, &some(dice, |dice| dice.integer())),
        Kind::Zeros => ints(name, &some(dice, |dice| if dice.is_rare() { dice.integer() } else { 0 })),
        Kind::Counting => {
            let shift = if dice.is_rare() { dice.integer() } else { 0 };
            ints(name, &(0..length as i64).map(|at| at.wrapping_add(shift)).collect::<Vec<_>>())
        }
        Kind::One => int(name, dice.nearly(1)),
        Kind::Sizes => ints(
            name,
            &some(dice, |dice| {
                let size = 1 + dice.below(3) as i64;
                dice.nearly(size)
            }),
        ),
        Kind::Float => float(name, dice.float()),
        Kind::Floats => floats(name, &(0..length).map(|_| dice.float()).collect::<Vec<_>>()),
        Kind::Text(choices) => text(name, choices[dice.below(choices.len())]),
        Kind::Texts(choices) => {
            texts(name, &(0..length).map(|_| choices[dice.below(choices.len())]).collect::<Vec<_>>())
        }
        Kind::Tensor => tensor(name, constant(dice, "")),
        Kind::Graph | Kind::Loop | Kind::Scan => graph(name, GraphProto::default()),
    }
}

/// The type of a value; one of the first, mostly.
fn element(dice: &mut Dice) -> DataType {
    let choices = if dice.is_rare() { ELEMENTS.len() } else { 4 };
    ELEMENTS[dice.below(choices)]
}

/// A tensor of few elements, rarely with other dimensions than it has elements for.
fn constant(dice: &mut Dice, name: &str) -> TensorProto {
    let dims: Vec<i64> = (0..dice.below(4)).map(|_| dice.below(4) as i64).collect();
    let count: i64 = dims.iter().product();
    let element = element(dice);
    let mut tensor = TensorProto { name: name.to_string(), dims, data_type: element as i32, ..TensorProto::default() };
    for _ in 0..count {
        match element {
            DataType::Float => tensor.float_data.push(dice.float()),
            DataType::Double => tensor.double_data.push(f64::from(dice.float())),
            DataType::Int64 => tensor.int64_data.push(dice.integer()),
            DataType::Uint64 | DataType::Uint32 => tensor.uint64_data.push(dice.integer() as u64),
            DataType::String => tensor.string_data.push(TEXTS[dice.below(TEXTS.len())].as_bytes().to_vec()),
            _ => tensor.int32_data.push(dice.below(256) as i32),
        }
    }
    if dice.is_rare() {
        tensor.dims.push(dice.integer());
    }
    tensor
}
