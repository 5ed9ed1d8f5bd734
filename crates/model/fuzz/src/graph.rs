//! Bytes as instructions to build a graph: whatever they say, the result is a sound protocol buffer, so that the readers of
//! operators are reached and not only that of the file.

use foretell_testing::onnx::{encode, float, floats, graph, input, int, ints, node, tensor, text, texts};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto,
};

use crate::operators::{Kind, OPERATORS, TEXTS};

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
const ODD_INTEGERS: [i64; 10] =
    [i64::MIN, i64::MAX, -1, 1 << 20, 1 << 31, 1 << 32, 1 << 40, -(1 << 40), i32::MAX as i64, u32::MAX as i64];
const ODD_FLOATS: [f32; 8] =
    [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE, 1e-40, -0.0, 0.5];

/// The file that these bytes ask for.
pub fn model(bytes: &[u8]) -> Vec<u8> {
    let mut dice = Dice { bytes };
    let opset =
        |domain: &str, version: usize| OperatorSetIdProto { domain: domain.to_string(), version: version as i64 };
    let opset_import =
        vec![opset("", 7 + dice.below(18)), opset("ai.onnx.ml", 1 + dice.below(5)), opset("com.microsoft", 1)];
    let elements = |dice: &mut Dice| ELEMENTS[dice.below(if dice.is_rare() { ELEMENTS.len() } else { 4 })];
    let mut names: Vec<String> = Vec::new();
    let mut inputs = Vec::new();
    for at in 0..1 + dice.below(3) {
        let name = format!("x{at}");
        let mut extents = vec![None];
        for _ in 0..if dice.is_rare() { dice.below(4) } else { 1 } {
            extents.push(if dice.is_rare() { None } else { Some(1 + dice.below(4) as i64) });
        }
        inputs.push(input(&name, elements(&mut dice), &extents));
        names.push(name);
    }
    let mut body = body(&mut dice, names, 0);
    body.input = inputs;
    encode(&ModelProto { ir_version: 8, opset_import, graph: Some(body), ..ModelProto::default() })
}

/// Nodes over values with these names.
fn body(dice: &mut Dice, mut names: Vec<String>, depth: usize) -> GraphProto {
    let mut body = GraphProto { name: "g".to_string(), ..GraphProto::default() };
    for at in 0..dice.below(4) {
        let name = format!("k{depth}_{at}");
        body.initializer.push(constant(dice, &name));
        names.push(name);
    }
    for at in 0..1 + dice.below(NODES_MAX) {
        let node = random_node(dice, &names, &format!("v{depth}_{at}_"), depth);
        names.extend(node.output.iter().cloned());
        body.node.push(node);
    }
    let last = names.len() - 1;
    for _ in 0..1 + dice.below(3) {
        let name = names[last - dice.below(names.len().min(4))].clone();
        body.output.push(ValueInfoProto { name, ..ValueInfoProto::default() });
    }
    body
}

fn random_node(dice: &mut Dice, names: &[String], prefix: &str, depth: usize) -> NodeProto {
    let operator = &OPERATORS[dice.below(OPERATORS.len())];
    let inputs = match operator.inputs {
        0 => 0,
        most if dice.is_rare() => dice.below(most + 2),
        most => most,
    };
    let picked: Vec<String> = (0..inputs).map(|_| pick(dice, names)).collect();
    let outputs = if dice.is_rare() { 1 + dice.below(3) } else { operator.outputs };
    let outputs: Vec<String> = (0..outputs).map(|at| format!("{prefix}{at}")).collect();
    let length = 1 + dice.below(5);
    let mut attributes = Vec::new();
    for (name, kind) in operator.attributes {
        if !dice.is_rare() {
            attributes.push(attribute(dice, name, *kind, length, names, depth));
        }
    }
    let inputs: Vec<&str> = picked.iter().map(String::as_str).collect();
    NodeProto { name: prefix.to_string(), ..node(operator.name, &inputs, &outputs.join(" "), attributes) }
}

/// A value; of the later ones more often, and rarely none.
fn pick(dice: &mut Dice, names: &[String]) -> String {
    if dice.is_rare() {
        return String::new();
    }
    let far = dice.below(names.len());
    names[names.len() - 1 - if dice.is_rare() { far } else { far.min(3) }].clone()
}

fn attribute(dice: &mut Dice, name: &str, kind: Kind, length: usize, names: &[String], depth: usize) -> AttributeProto {
    let length = if dice.is_rare() { dice.below(9) } else { length };
    let some = |dice: &mut Dice, one: fn(&mut Dice) -> i64| (0..length).map(|_| one(dice)).collect::<Vec<i64>>();
    match kind {
        Kind::Int => int(name, dice.integer()),
        Kind::Flag => int(name, dice.below(2) as i64),
        Kind::Element => int(name, dice.below(17) as i64),
        Kind::Ints => ints(name, &some(dice, Dice::integer)),
        Kind::Zeros => ints(name, &some(dice, |dice| if dice.is_rare() { dice.integer() } else { 0 })),
        Kind::Counting => {
            let shift = if dice.is_rare() { dice.integer() } else { 0 };
            ints(name, &(0..length as i64).map(|at| at.wrapping_add(shift)).collect::<Vec<_>>())
        }
        Kind::Float => float(name, dice.float()),
        Kind::Floats => floats(name, &(0..length).map(|_| dice.float()).collect::<Vec<_>>()),
        Kind::Text(choices) => text(name, choices[dice.below(choices.len())]),
        Kind::Texts(choices) => {
            texts(name, &(0..length).map(|_| choices[dice.below(choices.len())]).collect::<Vec<_>>())
        }
        Kind::Tensor => tensor(name, constant(dice, "")),
        Kind::Graph if depth < DEPTH_MAX => graph(name, body(dice, names.to_vec(), depth + 1)),
        Kind::Graph => graph(name, GraphProto::default()),
    }
}

/// A tensor of few elements, rarely with other dimensions than it has elements for.
fn constant(dice: &mut Dice, name: &str) -> TensorProto {
    let dims: Vec<i64> = (0..dice.below(4)).map(|_| dice.below(4) as i64).collect();
    let count: i64 = dims.iter().product();
    let element = ELEMENTS[dice.below(if dice.is_rare() { ELEMENTS.len() } else { 4 })];
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

/// The bytes, one decision after the other; zero when they end.
struct Dice<'b> {
    bytes: &'b [u8],
}

impl Dice<'_> {
    fn next(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((&first, rest)) => {
                self.bytes = rest;
                first
            }
            None => 0,
        }
    }

    /// A number below `bound`, or 0.
    fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { self.next() as usize % bound }
    }

    fn is_rare(&mut self) -> bool {
        self.next() > 240
    }

    fn integer(&mut self) -> i64 {
        if self.is_rare() { ODD_INTEGERS[self.below(ODD_INTEGERS.len())] } else { self.below(12) as i64 - 3 }
    }

    fn float(&mut self) -> f32 {
        if self.is_rare() { ODD_FLOATS[self.below(ODD_FLOATS.len())] } else { f32::from(self.next() as i8) / 4.0 }
    }
}
