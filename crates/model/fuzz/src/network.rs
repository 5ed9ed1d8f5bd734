//! Bytes as instructions to build a network of convolutions, poolings and recurrent layers, whose weights fit, mostly, so that
//! the kernels are reached and not only the checks before them.

use foretell_testing::onnx::{float, floats, input, int, ints, node, text, texts};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, OperatorSetIdProto, TensorProto, ValueInfoProto};

use crate::dice::Dice;

const LAYERS_MAX: usize = 5;
const WEIGHTS_MAX: i64 = 1 << 12;
const PADS: &[&str] = &["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "?"];
/// Bounded ones first: gates of others grow beyond single precision.
const ACTIVATIONS: &[&str] = &[
    "Tanh",
    "Sigmoid",
    "HardSigmoid",
    "Softsign",
    "ScaledTanh",
    "Relu",
    "LeakyRelu",
    "Softplus",
    "Affine",
    "Elu",
    "ThresholdedRelu",
];

/// Whose bytes these are: `rows` is how many the caller will give.
pub struct Wanted {
    /// Numbers of double precision, which no kernel computes.
    pub double: bool,
    /// Rows, where the caller knows them; constants for each row are made for so many.
    pub rows: i64,
}

/// The network that these bytes ask for.
pub fn network(bytes: &[u8], wanted: &Wanted) -> ModelProto {
    let mut dice = Dice::new(bytes);
    let element = if wanted.double { DataType::Double } else { DataType::Float };
    let opset = 11 + dice.below(14) as i64;
    let is_open = !dice.is_rare();
    let mut shape = vec![wanted.rows];
    let extents = [1, 2, 3, 4, 5, 7, 8, 9, 12, 17, 33];
    match dice.below(4) {
        0 => (0..2).for_each(|_| shape.push(*dice.pick(&extents))),
        1 | 2 => {
            shape.push(*dice.pick(&[1, 2, 3, 4, 6, 8, 16]));
            (0..2).for_each(|_| shape.push(*dice.pick(&extents)));
        }
        _ => {
            shape.push(*dice.pick(&[1, 2, 3, 4]));
            (0..if dice.is_rare() { 3 } else { 1 }).for_each(|_| shape.push(*dice.pick(&extents)));
        }
    }
    let own = if dice.is_rare() { dice.below(4) as i64 } else { wanted.rows };
    let mut dims: Vec<Option<i64>> = shape.iter().copied().map(Some).collect();
    dims[0] = (!is_open).then_some(own);
    if let Some(last) = dims.last_mut().filter(|_| dice.is_rare()) {
        *last = None;
    }
    let mut network = Network {
        dice,
        element,
        opset,
        rows: wanted.rows,
        graph: GraphProto { name: "g".to_string(), input: vec![input("x", element, &dims)], ..GraphProto::default() },
        count: 0,
        seed: 1,
        last: "x".to_string(),
        shape,
        results: Vec::new(),
    };
    for _ in 0..1 + network.dice.below(LAYERS_MAX) {
        network.layer();
        if network.dice.below(4) == 3 {
            network.results.push(network.last.clone());
        }
    }
    network.results.push(network.last.clone());
    network.results.dedup();
    let mut graph = network.graph;
    let value = |name: &String| ValueInfoProto { name: name.clone(), ..ValueInfoProto::default() };
    graph.output = network.results.iter().filter(|name| *name != "x").map(value).collect();
    let opset_import = vec![OperatorSetIdProto { domain: String::new(), version: opset }];
    ModelProto { ir_version: 8, opset_import, graph: Some(graph), ..ModelProto::default() }
}

/// A recurrent layer.
struct Layer {
    operator: &'static str,
    gates: i64,
    /// Functions of one direction.
    functions: usize,
    hidden: i64,
    direction: &'static str,
    batch_first: bool,
}

impl Layer {
    fn directions(&self) -> i64 {
        if self.direction == "bidirectional" { 2 } else { 1 }
    }
}

struct Network<'b> {
    dice: Dice<'b>,
    element: DataType,
    opset: i64,
    rows: i64,
    graph: GraphProto,
    count: usize,
    seed: u32,
    last: String,
    shape: Vec<i64>,
    results: Vec<String>,
}

impl Network<'_> {
    fn name(&mut self) -> String {
        self.count += 1;
        format!("v{}", self.count)
    }

    /// Small numbers, of which some are zero.
    fn weights(&mut self, dims: &[i64]) -> String {
        let mut dims = dims.to_vec();
        if self.dice.is_rare() && !dims.is_empty() {
            let at = self.dice.below(dims.len());
            match self.dice.below(3) {
                0 => dims[at] = self.dice.below(4) as i64,
                1 => drop(dims.remove(at)),
                _ => dims.insert(at, 1),
            }
        }
        let count: i64 = dims.iter().product();
        if !(0..=WEIGHTS_MAX).contains(&count) {
            dims = vec![1];
        }
        let count: i64 = dims.iter().product();
        let name = self.name();
        let mut tensor =
            TensorProto { name: name.clone(), dims, data_type: self.element as i32, ..TensorProto::default() };
        for _ in 0..count {
            self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = f32::from(((self.seed >> 24) as u8 as i8) / 16) / 16.0;
            match self.element {
                DataType::Double => tensor.double_data.push(f64::from(number)),
                _ => tensor.float_data.push(number),
            }
        }
        self.graph.initializer.push(tensor);
        name
    }

    fn integers(&mut self, element: DataType, values: &[i64]) -> String {
        let name = self.name();
        let dims = vec![values.len() as i64];
        let mut tensor = TensorProto { name: name.clone(), dims, data_type: element as i32, ..TensorProto::default() };
        match element {
            DataType::Int32 => tensor.int32_data = values.iter().map(|value| *value as i32).collect(),
            _ => tensor.int64_data = values.to_vec(),
        }
        self.graph.initializer.push(tensor);
        name
    }

    fn push(
        &mut self,
        operator: &str,
        inputs: &[&str],
        outputs: usize,
        attributes: Vec<AttributeProto>,
    ) -> Vec<String> {
        let outputs: Vec<String> = (0..outputs).map(|_| self.name()).collect();
        self.graph.node.push(node(operator, inputs, &outputs.join(" "), attributes));
        outputs
    }

    /// A node over the last value.
    fn then(&mut self, operator: &str, others: &[&str], attributes: Vec<AttributeProto>) {
        let last = self.last.clone();
        let inputs: Vec<&str> = [last.as_str()].into_iter().chain(others.iter().copied()).collect();
        self.last = self.push(operator, &inputs, 1, attributes).remove(0);
    }

    fn layer(&mut self) {
        if self.dice.is_rare() {
            return self.function();
        }
        match (self.shape.len(), self.dice.below(8)) {
            (2, 0..5) => self.dense(),
            (2, 5) => self.grow(),
            (3, 0..4) => self.recurrent(),
            (3, 4) => self.turn(),
            (3 | 4 | 5, 5) => self.pool(),
            (4 | 5, 4) => self.pool(),
            (3, 6) => self.convolution(),
            (4 | 5, 0..4) => self.convolution(),
            (4 | 5, 6) => self.flatten(),
            _ => self.function(),
        }
    }

    fn function(&mut self) {
        let channels = self.shape.get(1).copied().unwrap_or(1);
        match self.dice.below(8) {
            0 => self.then("Relu", &[], vec![]),
            1 => self.then("Sigmoid", &[], vec![]),
            2 => self.then("Tanh", &[], vec![]),
            3 => {
                let by: Vec<i64> = self.shape[1..]
                    .iter()
                    .map(|_| 1)
                    .enumerate()
                    .map(|(at, one)| if at == 0 { channels } else { one })
                    .collect();
                let with = self.weights(&by);
                let operator = *self.dice.pick(&["Add", "Mul", "Sub"]);
                self.then(operator, &[&with], vec![]);
            }
            4 => {
                let last = self.last.clone();
                self.then("Add", &[&last], vec![]);
            }
            5 if self.shape.len() > 2 => {
                let operator = *self.dice.pick(&["GlobalAveragePool", "GlobalMaxPool"]);
                self.then(operator, &[], vec![]);
                self.shape[2..].fill(1);
            }
            6 => {
                let [scale, bias, mean, variance] = [(); 4].map(|()| self.weights(&[channels]));
                self.then("Abs", &[], vec![]);
                let variance = self.push("Abs", &[&variance], 1, vec![]).remove(0);
                self.then("BatchNormalization", &[&scale, &bias, &mean, &variance], vec![float("epsilon", 0.5)]);
            }
            _ => self.flatten(),
        }
    }

    fn flatten(&mut self) {
        self.then("Flatten", &[], vec![]);
        self.shape = vec![self.rows, self.shape[1..].iter().product()];
    }

    /// Numbers of a row as a picture of one channel.
    fn grow(&mut self) {
        let shape = self.integers(DataType::Int64, &[0, 1, 1, -1]);
        self.then("Reshape", &[&shape], vec![]);
        self.shape = vec![self.rows, 1, 1, self.shape[1]];
    }

    fn turn(&mut self) {
        self.then("Transpose", &[], vec![ints("perm", &[0, 2, 1])]);
        self.shape.swap(1, 2);
    }

    fn dense(&mut self) {
        let (depth, width) = (self.shape[1], 1 + self.dice.below(20) as i64);
        let turned = self.dice.is_head();
        let weights = self.weights(&if turned { [width, depth] } else { [depth, width] });
        let bias = self.weights(&[width]);
        self.then("Gemm", &[&weights, &bias], vec![int("transB", i64::from(turned))]);
        self.shape[1] = width;
    }

    /// How a window moves; the extents that are left.
    fn window(&mut self, is_pool: bool) -> (Vec<AttributeProto>, Vec<i64>) {
        let image = self.shape[2..].to_vec();
        let axes = image.len();
        let mut attributes = Vec::new();
        let mut some = |dice: &mut Dice, name: &str, usual: i64, from: i64, below: usize, count: usize, often: bool| {
            if !often && dice.below(3) > 0 {
                return vec![usual; count];
            }
            let mut list: Vec<i64> = (0..count)
                .map(|_| {
                    let number = from + dice.below(below) as i64;
                    dice.nearly(number)
                })
                .collect();
            if dice.is_rare() {
                list.pop();
            }
            attributes.push(ints(name, &list));
            list.resize(count, usual);
            list
        };
        let kernel = some(&mut self.dice, "kernel_shape", 1, 1, 4, axes, true);
        let strides = some(&mut self.dice, "strides", 1, 1, 5, axes, false);
        let dilations = some(&mut self.dice, "dilations", 1, 1, 4, axes, false);
        let pads = some(&mut self.dice, "pads", 0, 0, 4, 2 * axes, false);
        let mode = if self.dice.below(4) == 3 { *self.dice.pick(PADS) } else { "NOTSET" };
        if mode != "NOTSET" {
            attributes.push(text("auto_pad", mode));
        }
        let ceil = is_pool && self.dice.below(3) == 2;
        if ceil {
            attributes.push(int("ceil_mode", 1));
        }
        let outputs = (0..axes).map(|at| {
            let stride = strides[at].max(1);
            let pads = if mode == "VALID" { 0 } else { pads[at].wrapping_add(pads[at + axes]) };
            let reach = kernel[at].wrapping_sub(1).wrapping_mul(dilations[at]).wrapping_add(1);
            let span = image[at].wrapping_add(pads).wrapping_sub(reach);
            let places = if ceil { span.saturating_add(stride - 1) / stride } else { span / stride };
            let places = if mode.starts_with("SAME") { (image[at] - 1) / stride } else { places };
            places.saturating_add(1).clamp(1, 64)
        });
        let outputs = outputs.collect();
        if is_pool {
            attributes.push(int("count_include_pad", self.dice.below(2) as i64));
        }
        (attributes, [kernel, outputs].concat())
    }

    fn pool(&mut self) {
        let operator = *self.dice.pick(&["MaxPool", "MaxPool", "AveragePool", "LpPool", "MaxPool"]);
        let (mut attributes, found) = self.window(true);
        let axes = found.len() / 2;
        attributes.retain(|attribute| operator != "MaxPool" || attribute.name != "count_include_pad");
        attributes
            .retain(|attribute| operator != "LpPool" || !["count_include_pad"].contains(&attribute.name.as_str()));
        self.then(operator, &[], attributes);
        self.shape.splice(2.., found[axes..].iter().copied());
    }

    fn convolution(&mut self) {
        let channels = self.shape[1];
        let (mut attributes, found) = self.window(false);
        let axes = found.len() / 2;
        let groups = match self.dice.below(4) {
            2 => channels,
            3 if channels % 2 == 0 => 2,
            _ => 1,
        };
        // Some fill the vectors of the processor.
        let most = if self.dice.below(4) == 3 { 70 } else { 5 };
        let filters = groups * (1 + self.dice.below(most) as i64);
        let own: Vec<i64> = found[..axes].iter().map(|cells| *cells.clamp(&1, &5)).collect();
        let weights = self.weights(&[&[filters, channels / groups.max(1)], &own[..]].concat());
        let bias = self.dice.is_head().then(|| self.weights(&[filters]));
        if groups != 1 || self.dice.is_rare() {
            attributes.push(int("group", self.dice.nearly(groups)));
        }
        if self.dice.is_rare() {
            attributes.retain(|attribute| attribute.name != "kernel_shape");
        }
        let others: Vec<&str> = [Some(weights.as_str()), bias.as_deref()].into_iter().flatten().collect();
        self.then("Conv", &others, attributes);
        self.shape = [&[self.rows, filters], &found[axes..]].concat();
    }

    /// A layer over [rows, steps, inputs].
    fn recurrent(&mut self) {
        let (operator, gates, functions) =
            *self.dice.pick(&[("GRU", 3, 2), ("LSTM", 4, 3), ("RNN", 1, 1), ("GRU", 3, 2), ("LSTM", 4, 3)]);
        let is_wide = self.dice.below(4) == 3;
        let layer = Layer {
            operator,
            gates,
            functions,
            hidden: 1 + self.dice.below(if is_wide { 20 } else { 5 }) as i64,
            direction: *self.dice.pick(&["forward", "reverse", "bidirectional", "forward"]),
            batch_first: self.dice.below(5) == 4 && self.opset >= 14,
        };
        let attributes = self.attributes_of(&layer);
        let (steps, inputs) = (self.shape[1], self.shape[2]);
        if !layer.batch_first {
            self.then("Transpose", &[], vec![ints("perm", &[1, 0, 2])]);
        }
        let given = self.weights_of(&layer, steps, inputs);
        let last = self.last.clone();
        let inputs: Vec<&str> = [last.as_str()].into_iter().chain(given.iter().map(String::as_str)).collect();
        let outputs = self.push(operator, &inputs, if operator == "LSTM" { 3 } else { 2 }, attributes);
        if self.dice.below(3) == 2 {
            let count = if layer.batch_first { 3 } else { 0 };
            self.results.extend(outputs.iter().skip(self.dice.below(2)).take(count).cloned());
        }
        self.go_on(&layer, steps, &outputs);
    }

    fn attributes_of(&mut self, layer: &Layer) -> Vec<AttributeProto> {
        let mut attributes = vec![int("hidden_size", self.dice.nearly(layer.hidden))];
        if layer.direction != "forward" {
            attributes.push(text("direction", layer.direction));
        }
        if layer.batch_first {
            attributes.push(int("layout", 1));
        }
        if layer.operator == "GRU" && self.dice.is_head() {
            attributes.push(int("linear_before_reset", 1));
        }
        if layer.operator == "LSTM" && self.dice.below(6) == 5 {
            attributes.push(int("input_forget", 1));
        }
        if self.dice.below(6) == 5 {
            attributes.push(float("clip", self.dice.float()));
        }
        if self.dice.below(3) < 2 {
            return attributes;
        }
        let usual = layer.directions() as usize * layer.functions;
        let count = if self.dice.is_rare() { self.dice.below(8) } else { usual };
        let below = if layer.operator == "RNN" { 7 } else { 5 };
        let name = |dice: &mut Dice| if dice.is_rare() { "?" } else { ACTIVATIONS[dice.below(below)] };
        attributes.push(texts("activations", &(0..count).map(|_| name(&mut self.dice)).collect::<Vec<_>>()));
        for name in ["activation_alpha", "activation_beta"] {
            if self.dice.below(3) == 2 {
                let count = self.dice.below(4);
                let numbers = (0..count).map(|_| f32::from(self.dice.below(9) as u8) / 8.0);
                attributes.push(floats(name, &numbers.collect::<Vec<_>>()));
            }
        }
        attributes
    }

    /// What a layer reads besides its sequences.
    fn weights_of(&mut self, layer: &Layer, steps: i64, inputs: i64) -> Vec<String> {
        let (rows, directions, gates, hidden) = (self.rows, layer.directions(), layer.gates, layer.hidden);
        let width = gates * hidden;
        let mut given = vec![self.weights(&[directions, width, inputs]), self.weights(&[directions, width, hidden])];
        given.push(if self.dice.below(3) > 0 { self.weights(&[directions, 2 * width]) } else { String::new() });
        given.push(match self.dice.below(6) {
            4 => {
                let lengths: Vec<i64> = (0..rows)
                    .map(|_| {
                        let length = self.dice.below(steps as usize + 1) as i64;
                        self.dice.nearly(length)
                    })
                    .collect();
                self.integers(DataType::Int32, &lengths)
            }
            5 => self.lengths(layer.batch_first, steps),
            _ => String::new(),
        });
        let states = if layer.batch_first { [rows, directions, hidden] } else { [directions, rows, hidden] };
        for _ in 0..if layer.operator == "LSTM" { 2 } else { 1 } {
            given.push(if self.dice.below(5) == 4 { self.weights(&states) } else { String::new() });
        }
        if layer.operator == "LSTM" && self.dice.below(6) == 5 {
            given.push(self.weights(&[directions, 3 * hidden]));
        }
        while given.last().is_some_and(String::is_empty) {
            given.pop();
        }
        given
    }

    /// All steps, the last one, or the states behind it, for the next layer.
    fn go_on(&mut self, layer: &Layer, steps: i64, outputs: &[String]) {
        let width = layer.directions() * layer.hidden;
        match self.dice.below(3) {
            0 => {
                self.last = outputs[0].clone();
                if !layer.batch_first {
                    self.then("Transpose", &[], vec![ints("perm", &[2, 0, 1, 3])]);
                }
                let shape = self.integers(DataType::Int64, &[0, 0, -1]);
                self.then("Reshape", &[&shape], vec![]);
                self.shape = vec![self.rows, steps, width];
            }
            1 if !layer.batch_first => {
                self.last = outputs[0].clone();
                let at = self.dice.nearly(-1);
                let at = self.integers(DataType::Int64, &[at]);
                self.then("Gather", &[&at], vec![int("axis", 0)]);
                self.then("Transpose", &[], vec![ints("perm", &[2, 0, 1, 3])]);
                self.then("Flatten", &[], vec![]);
                self.shape = vec![self.rows, width];
            }
            at => {
                self.last = outputs[at.min(outputs.len() - 1).max(1)].clone();
                if !layer.batch_first {
                    self.then("Transpose", &[], vec![ints("perm", &[1, 0, 2])]);
                }
                self.then("Flatten", &[], vec![]);
                self.shape = vec![self.rows, width];
            }
        }
    }

    /// Lengths that the rows themselves say.
    fn lengths(&mut self, batch_first: bool, steps: i64) -> String {
        let axes = if batch_first { [1, 2] } else { [0, 2] };
        let last = self.last.clone();
        let most = match self.opset {
            ..18 => self.push("ReduceMax", &[&last], 1, vec![ints("axes", &axes), int("keepdims", 0)]).remove(0),
            _ => {
                let axes = self.integers(DataType::Int64, &axes);
                self.push("ReduceMax", &[&last, &axes], 1, vec![int("keepdims", 0)]).remove(0)
            }
        };
        let whole = self.push("Cast", &[&most], 1, vec![int("to", DataType::Int32 as i64)]).remove(0);
        let [least, greatest] = [0, steps].map(|bound| {
            let name = self.name();
            let tensor = TensorProto {
                name: name.clone(),
                data_type: DataType::Int32 as i32,
                int32_data: vec![bound as i32],
                ..TensorProto::default()
            };
            self.graph.initializer.push(tensor);
            name
        });
        if self.dice.is_rare() {
            return whole;
        }
        let whole = self.push("Max", &[&whole, &least], 1, vec![]).remove(0);
        self.push("Min", &[&whole, &greatest], 1, vec![]).remove(0)
    }
}
