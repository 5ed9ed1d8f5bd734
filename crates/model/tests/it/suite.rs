//! Packed cases: models with inputs and expected outputs, and the comparison of values under a case's tolerance.
//!
//! `tests/fixtures/make_backend_suite.py` and `make_onnxruntime_cases.py` write them.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::ZlibDecoder;
use foretell_model::{Limits, TensorModel};
use foretell_tensors::{Data, ElementType, Tensor, Value};
use prost::Message;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto};

/// Where the packed cases are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/backend")
}

/// One file of packed cases.
pub struct Suite {
    blobs: Vec<Vec<u8>>,
    pub cases: Vec<Case>,
}

/// A model, and data to try it with.
pub struct Case {
    pub name: String,
    pub model: usize,
    pub relative: f64,
    pub absolute: f64,
    /// Inputs and outputs.
    pub data_sets: Vec<[Vec<Packed>; 2]>,
}

/// The answer for a row alone, beside that in a batch.
pub enum Alone {
    Same,
    /// The same but for rounding.
    Rounded(String),
    Other,
}

/// A value of a case; tensors are blobs.
pub enum Packed {
    Tensor(usize),
    Sequence(Vec<Packed>),
    Nothing,
}

/// Reads the packed form, whose numbers are little-endian.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn number(&mut self) -> usize {
        u32::from_le_bytes(self.bytes(4).try_into().expect("four bytes")) as usize
    }

    fn float(&mut self) -> f64 {
        f64::from_le_bytes(self.bytes(8).try_into().expect("eight bytes"))
    }

    fn many<T>(&mut self, one: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.number()).map(|_| one(self)).collect()
    }

    fn value(&mut self) -> Packed {
        match self.bytes(1)[0] {
            0 => Packed::Tensor(self.number()),
            1 => Packed::Sequence(self.many(Self::value)),
            _ => Packed::Nothing,
        }
    }

    fn case(&mut self) -> Case {
        let length = self.number();
        Case {
            name: String::from_utf8(self.bytes(length).to_vec()).expect("a name"),
            model: self.number(),
            relative: self.float(),
            absolute: self.float(),
            data_sets: self.many(|reader| [reader.many(Self::value), reader.many(Self::value)]),
        }
    }
}

impl Suite {
    /// Reads `name.bin`.
    pub fn read(name: &str) -> Self {
        let packed = fs::File::open(folder().join(format!("{name}.bin"))).expect("the suite is in the repository");
        let mut bytes = Vec::new();
        ZlibDecoder::new(packed).read_to_end(&mut bytes).expect("a zlib stream");
        let mut reader = Reader(&bytes);
        let blobs = reader.many(|reader| {
            let length = reader.number();
            reader.bytes(length).to_vec()
        });
        Self { blobs, cases: reader.many(Reader::case) }
    }

    /// The model of a case.
    pub fn model(&self, case: &Case) -> ModelProto {
        ModelProto::decode(&self.blobs[case.model][..]).expect("a model")
    }

    /// The values as the evaluator has them.
    pub fn values(&self, packed: &[Packed]) -> Vec<Value> {
        let opset = OperatorSetIdProto { domain: String::new(), version: 18 };
        let graph = Some(GraphProto::default());
        let model = ModelProto { ir_version: 8, opset_import: vec![opset], graph, ..ModelProto::default() };
        let closed = self.closed(model, &[], packed).encode_to_vec();
        let model = TensorModel::from_bytes(&closed, &Limits::default()).expect("a model of constants");
        model.run(Vec::new()).expect("constants")
    }

    /// Runs a case on the tensor evaluator.
    pub fn check(&self, case: &Case) -> Result<(), String> {
        let model = self.model(case);
        case.data_sets.iter().try_for_each(|[inputs, outputs]| {
            let closed = self.closed(model.clone(), inputs, outputs);
            let model = TensorModel::from_bytes(&closed.encode_to_vec(), &Limits::default()).map_err(chain)?;
            let mut got = model.run(Vec::new()).map_err(chain)?;
            let expected = got.split_off(outputs.len());
            let pairs = got.iter().zip(&expected).enumerate();
            pairs.map(|(at, (got, expected))| (at, difference(got, expected, case))).try_for_each(|(at, difference)| {
                difference.map_or(Ok(()), |difference| Err(format!("output {at}: {difference}")))
            })
        })
    }

    /// What the evaluator makes of the first row of the inputs alone; nothing where inputs or answers are no rows.
    pub fn row_alone(&self, case: &Case, inputs: &[Packed]) -> Option<Alone> {
        let given: Vec<Tensor> =
            self.values(inputs).iter().map(|value| value.tensor().cloned()).collect::<Option<_>>()?;
        let rows = *given.first()?.shape().first()?;
        if rows < 2 || given.iter().any(|tensor| tensor.shape().first() != Some(&rows)) {
            return None;
        }
        let model = TensorModel::from_bytes(&self.model(case).encode_to_vec(), &Limits::default()).ok()?;
        let run = |tensors: Vec<Tensor>| model.run(tensors.into_iter().map(Value::from).collect()).ok();
        let alone = run(given.iter().map(|tensor| first_rows(tensor, 1)).collect::<Option<_>>()?)?;
        let together = run(given)?;
        let mut answer = Alone::Same;
        for (alone, together) in alone.iter().zip(&together) {
            let (alone, together) = (alone.tensor()?, together.tensor()?);
            if together.shape().first() != Some(&rows) || alone.shape().first() != Some(&1) {
                return None;
            }
            let together = first_rows(together, 1)?;
            if bits(alone) == bits(&together) && (bits(alone).is_some() || alone == &together) {
                continue;
            }
            match tensor_difference(alone, &together, case) {
                None => answer = Alone::Rounded(format!("{:?} and {:?}", alone.data(), together.data())),
                Some(_) => return Some(Alone::Other),
            }
        }
        Some(answer)
    }

    /// The model with its inputs as constants, and what is expected beside what it gives.
    fn closed(&self, mut model: ModelProto, inputs: &[Packed], outputs: &[Packed]) -> ModelProto {
        let graph = model.graph.as_mut().expect("a graph");
        let constants: Vec<String> = graph.initializer.iter().map(|tensor| tensor.name.clone()).collect();
        let names: Vec<String> =
            graph.input.drain(..).map(|input| input.name).filter(|name| !constants.contains(name)).collect();
        assert_eq!(names.len(), inputs.len(), "as many inputs as values");
        let mut nodes = Vec::new();
        for (name, value) in names.iter().zip(inputs) {
            self.constant(name, value, &mut graph.initializer, &mut nodes);
        }
        for (at, value) in outputs.iter().enumerate() {
            let name = format!("expected {at}");
            self.constant(&name, value, &mut graph.initializer, &mut nodes);
            graph.output.push(ValueInfoProto { name, ..ValueInfoProto::default() });
        }
        graph.node.splice(0..0, nodes);
        model
    }

    /// Adds a constant of this name.
    pub fn constant(&self, name: &str, value: &Packed, tensors: &mut Vec<TensorProto>, nodes: &mut Vec<NodeProto>) {
        let node = |op_type: &str, input: Vec<String>| NodeProto {
            op_type: op_type.to_string(),
            input,
            output: vec![name.to_string()],
            ..NodeProto::default()
        };
        match value {
            Packed::Tensor(blob) => {
                let tensor = TensorProto::decode(&self.blobs[*blob][..]).expect("a tensor");
                tensors.push(TensorProto { name: name.to_string(), ..tensor });
            }
            Packed::Sequence(items) => {
                let names: Vec<String> = (0..items.len()).map(|at| format!("{name} item {at}")).collect();
                for (name, item) in names.iter().zip(items) {
                    self.constant(name, item, tensors, nodes);
                }
                nodes.push(node("SequenceConstruct", names));
            }
            Packed::Nothing => nodes.push(node("Optional", Vec::new())),
        }
    }
}

/// An error with its causes.
pub fn chain(error: impl std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

/// What differs between two values, if anything does.
pub fn difference(got: &Value, expected: &Value, case: &Case) -> Option<String> {
    match (got, expected) {
        (Value::Tensor(got), Value::Tensor(expected)) => tensor_difference(got, expected, case),
        (Value::Optional(Some(got)), expected) => difference(got, expected, case),
        (got, Value::Optional(Some(expected))) => difference(got, expected, case),
        (Value::Optional(None), Value::Optional(None)) => None,
        (Value::Sequence(got), Value::Sequence(expected)) if got.len() == expected.len() => {
            got.iter().zip(expected.iter()).find_map(|(got, expected)| difference(got, expected, case))
        }
        _ => Some(format!("got {got:?} instead of {expected:?}").chars().take(200).collect()),
    }
}

fn tensor_difference(got: &Tensor, expected: &Tensor, case: &Case) -> Option<String> {
    if got.element_type() != expected.element_type() || got.shape() != expected.shape() {
        let kind = |tensor: &Tensor| format!("{} {:?}", tensor.element_type().name(), tensor.shape());
        return Some(format!("got {} instead of {}", kind(got), kind(expected)));
    }
    let relative = match got.element_type() {
        ElementType::Bf16 => case.relative.max(1.0 / 64.0),
        _ => case.relative,
    };
    let (got, expected) = match (floats(got), floats(expected)) {
        (Some(got), Some(expected)) => (got, expected),
        _ if got.data() == expected.data() => return None,
        _ => return Some(format!("got {:?} instead of {:?}", got.data(), expected.data()).chars().take(300).collect()),
    };
    let equal = |got: f64, expected: f64| {
        got == expected
            || (got.is_nan() && expected.is_nan())
            || (got - expected).abs() <= case.absolute + relative * expected.abs()
    };
    let wrong = (0..got.len()).find(|&at| !equal(got[at], expected[at]))?;
    Some(format!("got {} instead of {} at {wrong}", got[wrong], expected[wrong]))
}

/// The first rows of a tensor of a type that answers have.
fn first_rows(tensor: &Tensor, rows: usize) -> Option<Tensor> {
    let mut shape = tensor.shape().to_vec();
    *shape.first_mut()? = rows;
    let count: usize = shape.iter().product();
    let data = match tensor.data() {
        Data::Bool(values) => Data::Bool(values[..count].to_vec()),
        Data::I32(values) => Data::I32(values[..count].to_vec()),
        Data::I64(values) => Data::I64(values[..count].to_vec()),
        Data::I8(values) => Data::I8(values[..count].to_vec()),
        Data::U8(values) => Data::U8(values[..count].to_vec()),
        Data::F16(values) => Data::F16(values[..count].to_vec()),
        Data::F32(values) => Data::F32(values[..count].to_vec()),
        Data::F64(values) => Data::F64(values[..count].to_vec()),
        _ => return None,
    };
    Tensor::try_new(shape, data).ok()
}

/// Every bit of the numbers of a tensor, all that is not a number alike; none for other elements.
fn bits(tensor: &Tensor) -> Option<Vec<u64>> {
    let bits = |value: f64| if value.is_nan() { u64::MAX } else { value.to_bits() };
    floats(tensor).map(|values| values.into_iter().map(bits).collect())
}

/// The elements of a tensor that may differ a little.
fn floats(tensor: &Tensor) -> Option<Vec<f64>> {
    match tensor.data() {
        Data::F16(values) => Some(values.iter().map(|value| value.to_f64()).collect()),
        Data::Bf16(values) => Some(values.iter().map(|value| value.to_f64()).collect()),
        Data::F32(values) => Some(values.iter().map(|&value| f64::from(value)).collect()),
        Data::F64(values) => Some(values.clone()),
        _ => None,
    }
}
