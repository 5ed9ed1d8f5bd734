//! The backend suite of the `onnx` package: every case, with the tolerances of its own runner.
//!
//! `tests/fixtures/make_backend_suite.py` packs the suite. What does not pass is listed with its reason in
//! `tests/fixtures/backend/not_passing.txt`, which must match what happens here both ways; `UPDATE=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::read::ZlibDecoder;
use foretell_model::{Limits, TensorModel};
use foretell_tensors::{Data, ElementType, Tensor, Value};
use foretell_testing::counts;
use prost::Message;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto};

use crate::backend_columns::{self, Given, is_columnar};

#[test]
fn the_backend_suite_passes() {
    let mut failures = String::new();
    let mut counts = Counts::default();
    for kind in ["node", "simple", "pytorch-converted", "pytorch-operator"] {
        let suite = Suite::read(&folder().join(format!("{kind}.bin")));
        for case in &suite.cases {
            let result = suite.check(case);
            counts.add(domain(&suite.model(case)), result.as_ref().err());
            if let Err(reason) = result {
                writeln!(failures, "{kind}/{}: {reason}", case.name).expect("text can be written");
            }
        }
    }
    counts.report();
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

/// How many cases there are of each operator set, how many of them pass, and why the others do not.
#[derive(Default)]
struct Counts {
    /// Passed and all, by the name of the operator set.
    domains: BTreeMap<&'static str, (usize, usize)>,
    reasons: BTreeMap<String, usize>,
}

impl Counts {
    fn add(&mut self, domain: &'static str, failure: Option<&String>) {
        let (passed, all) = self.domains.entry(domain).or_default();
        *passed += usize::from(failure.is_none());
        *all += 1;
        if let Some(failure) = failure {
            *self.reasons.entry(reason(failure)).or_default() += 1;
        }
    }

    fn report(&self) {
        let passed =
            self.domains.iter().map(|(domain, &(passed, all))| ((*domain).to_string(), counts::of(passed, all)));
        let mut reasons: Vec<(&String, &usize)> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let reasons = reasons.into_iter().map(|(reason, count)| (format!("  not passed: {reason}"), count.to_string()));
        counts::report("Backend suite of onnx", "cases", &passed.chain(reasons).collect::<Vec<_>>());
    }
}

/// The operator set that a case is about.
fn domain(model: &ModelProto) -> &'static str {
    let of = |domain: &str| model.opset_import.iter().any(|import| import.domain == domain);
    match () {
        () if is_columnar(model) => "ai.onnx.ml",
        () if of("ai.onnx.preview.training") => "ai.onnx.preview.training",
        () => "ai.onnx",
    }
}

/// What a failure has in common with others: the operator that is not there, why it is not, or that the answer differs.
fn reason(failure: &str) -> String {
    match failure.split_once(" is not supported") {
        Some((_, why)) if !why.is_empty() => why.trim_start_matches(": ").to_string(),
        Some((operator, _)) => operator.split('`').nth(1).map_or(failure.to_string(), |name| format!("no {name}")),
        None => "the answer differs".to_string(),
    }
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
        let model = self.model(case);
        case.data_sets.iter().try_for_each(|[inputs, outputs]| {
            if is_columnar(&model) {
                return backend_columns::check(model.clone(), &self.given(inputs), &self.tensors(outputs));
            }
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

    fn model(&self, case: &Case) -> ModelProto {
        ModelProto::decode(&self.blobs[case.model][..]).expect("a model")
    }

    /// Tensors as the file has them, and read.
    fn given(&self, values: &[Packed]) -> Vec<Given> {
        let protos = values.iter().map(|value| match value {
            Packed::Tensor(blob) => TensorProto::decode(&self.blobs[*blob][..]).expect("a tensor"),
            _ => panic!("no operator on columns reads sequences"),
        });
        protos.zip(self.tensors(values)).map(|(proto, tensor)| Given { proto, tensor }).collect()
    }

    /// Tensors, read: what a model of constants gives.
    fn tensors(&self, values: &[Packed]) -> Vec<Tensor> {
        let graph = GraphProto::default();
        let opset = OperatorSetIdProto { version: 18, ..OperatorSetIdProto::default() };
        let constants =
            ModelProto { ir_version: 8, graph: Some(graph), opset_import: vec![opset], ..ModelProto::default() };
        let model = self.closed(constants, &[], values).encode_to_vec();
        let model = TensorModel::from_bytes(&model, &Limits::default()).expect("a model of constants");
        let values = model.run(Vec::new()).expect("constants");
        values.iter().map(|value| value.tensor().expect("a tensor").clone()).collect()
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
