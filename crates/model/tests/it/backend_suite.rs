//! The backend suite of the `onnx` package: every case, with the tolerances of its own runner.
//!
//! `tests/fixtures/make_backend_suite.py` packs the suite. What does not pass is listed with its reason in
//! `tests/fixtures/backend/not_passing.txt`, which must match what happens here both ways; `UPDATE=1` writes it anew.

use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::read::ZlibDecoder;
use foretell_model::{Limits, TensorModel};
use foretell_tensors::{Data, ElementType, Tensor, Value};
use prost::Message;
use tract_onnx::pb::{ModelProto, NodeProto, TensorProto, ValueInfoProto};

#[test]
fn the_backend_suite_passes() {
    let mut failures = String::new();
    let (mut passed, mut all) = (0, 0);
    for kind in ["node", "simple", "pytorch-converted", "pytorch-operator"] {
        let suite = Suite::read(&folder().join(format!("{kind}.bin")));
        let mut passed_here = 0;
        for case in &suite.cases {
            match suite.check(case) {
                Ok(()) => passed_here += 1,
                Err(reason) => writeln!(failures, "{kind}/{}: {reason}", case.name).expect("text can be written"),
            }
        }
        println!("{kind}: {passed_here} of {} pass", suite.cases.len());
        passed += passed_here;
        all += suite.cases.len();
    }
    println!("the backend suite of onnx: {passed} of {all} pass");
    let list = folder().join("not_passing.txt");
    if env::var_os("UPDATE").is_some() {
        fs::write(&list, &failures).expect("the list can be written");
    }
    let listed = fs::read_to_string(&list).unwrap_or_default();
    let differing = |ours: &str, others: &str| -> Vec<String> {
        ours.lines().filter(|line| !others.lines().any(|other| other == *line)).map(str::to_string).collect()
    };
    let (new, gone) = (differing(&failures, &listed), differing(&listed, &failures));
    let message = format!("not listed:\n{}\nlisted, but not so:\n{}", new.join("\n"), gone.join("\n"));
    assert!(new.is_empty() && gone.is_empty(), "{message}");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/backend")
}

/// One file of packed cases.
struct Suite {
    blobs: Vec<Vec<u8>>,
    cases: Vec<Case>,
}

struct Case {
    name: String,
    model: usize,
    relative: f64,
    absolute: f64,
    /// Inputs and outputs.
    data_sets: Vec<[Vec<Packed>; 2]>,
}

/// A value of a case; tensors are blobs.
enum Packed {
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
    fn read(path: &Path) -> Self {
        let packed = fs::File::open(path).expect("the suite is in the repository");
        let mut bytes = Vec::new();
        ZlibDecoder::new(packed).read_to_end(&mut bytes).expect("a zlib stream");
        let mut reader = Reader(&bytes);
        let blobs = reader.many(|reader| {
            let length = reader.number();
            reader.bytes(length).to_vec()
        });
        Self { blobs, cases: reader.many(Reader::case) }
    }

    fn check(&self, case: &Case) -> Result<(), String> {
        let model = ModelProto::decode(&self.blobs[case.model][..]).expect("a model");
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

    fn constant(&self, name: &str, value: &Packed, tensors: &mut Vec<TensorProto>, nodes: &mut Vec<NodeProto>) {
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

fn chain(error: impl std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

/// What differs between two values, if anything does.
fn difference(got: &Value, expected: &Value, case: &Case) -> Option<String> {
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
