//! What computes a network.
//!
//! The evaluator of `foretell-tensors` is the judge: it has every operator and counts bytes and work. tract is faster; it is
//! used where it takes the graph, gives the evaluator's answers to the rows that were tried while the model was loaded, and a
//! row does not ask for too much memory. Where tract fails on a row, the evaluator computes it or says why not.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use foretell_tensors::{Budget, Data, Fault, Program, Value};
use tract_onnx::pb::{ModelProto, TensorShapeProto, TypeProto, ValueInfoProto, tensor_shape_proto, type_proto};
use tract_onnx::prelude::{
    Framework, InferenceModelExt, IntoRunnable, SymbolValues, TValue, TVec, TractError, TypedSimplePlan,
};
use tract_onnx::tract_hir::internal::TDim;

use super::data::{from_tract, to_tract};
use super::{Input, Length, Tensor};

/// A graph for the evaluator.
#[derive(Debug)]
pub(crate) struct TensorProgram {
    program: Program,
    budget: Budget,
}

impl TensorProgram {
    pub(crate) fn new(program: Program, budget: Budget) -> Self {
        Self { program, budget }
    }

    /// Computes the outputs, or says which operator failed and why.
    fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Failure> {
        self.run_within(inputs, self.budget)
    }

    /// As [`Self::run`], within another budget.
    pub(super) fn run_within(&self, inputs: &[Tensor], budget: Budget) -> Result<Vec<Tensor>, Failure> {
        let inputs = inputs.iter().map(|(shape, data)| {
            foretell_tensors::Tensor::try_new(shape.clone(), data.clone()).map(Value::from).map_err(Failure::Input)
        });
        let outputs = self.program.run(inputs.collect::<Result<_, _>>()?, budget)?;
        let tensors = outputs.iter().map(|output| {
            let tensor = output.tensor().ok_or(Failure::NoTensor)?;
            Ok((tensor.shape().to_vec(), tensor.data().clone()))
        });
        tensors.collect()
    }

    pub(super) fn budget(&self) -> Budget {
        self.budget
    }
}

/// Why the evaluator has no outputs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Graph(#[from] foretell_tensors::Error),
    #[error(transparent)]
    Input(Fault),
    #[error("an output is a sequence, a map or nothing")]
    NoTensor,
    #[error("made-up rows of {0} bytes are too large to try it")]
    Inputs(usize),
}

impl Failure {
    /// Whether it took more memory or work than it may.
    pub(super) fn is_over_budget(&self) -> bool {
        fn is_over(error: &foretell_tensors::Error) -> bool {
            match error {
                foretell_tensors::Error::Node { fault: Fault::Inner(inner), .. } => is_over(inner),
                foretell_tensors::Error::Node { fault, .. } => {
                    matches!(fault, Fault::Memory { .. } | Fault::Work { .. })
                }
                _ => false,
            }
        }
        matches!(self, Self::Graph(error) if is_over(error))
    }
}

/// What computes a network.
#[derive(Debug)]
pub(crate) struct Engine {
    evaluator: TensorProgram,
    tract: Option<Tract>,
}

impl Engine {
    /// tract beside the evaluator, if there is a model for it and it gives the evaluator's answers to these runs: inputs, and
    /// the outputs expected.
    pub(crate) fn new(
        evaluator: TensorProgram,
        model: Option<ModelProto>,
        inputs: &[Input],
        rows: usize,
        runs: &[(Vec<Tensor>, Vec<Tensor>)],
    ) -> Self {
        let agrees = |tract: &Tract| {
            runs.iter().all(|(inputs, expected)| tract.run(inputs).is_ok_and(|got| agree(&got, expected)))
        };
        let bytes_max = evaluator.budget.bytes;
        let compile = |model| Tract::compile(model, inputs, rows, bytes_max).ok();
        let tract = model.and_then(compile).filter(|tract| agrees(tract));
        Self { evaluator, tract }
    }

    /// Who computes.
    pub(crate) fn name(&self) -> &'static str {
        if self.tract.is_some() { "tract" } else { "tensors" }
    }

    pub(super) fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Failure> {
        // Comparisons and activations of tract drop NaN.
        let by_tract = self.tract.as_ref().filter(|tract| tract.has_room(inputs) && inputs.iter().all(is_finite));
        match by_tract.map(|tract| tract.run(inputs)) {
            Some(Ok(outputs)) => Ok(outputs),
            Some(Err(_)) | None => self.evaluator.run(inputs),
        }
    }
}

fn is_finite((_, data): &Tensor) -> bool {
    match data {
        Data::F16(values) => values.iter().all(|value| value.is_finite()),
        Data::Bf16(values) => values.iter().all(|value| value.is_finite()),
        Data::F32(values) => values.iter().all(|value| value.is_finite()),
        Data::F64(values) => values.iter().all(|value| value.is_finite()),
        _ => true,
    }
}

/// How far tract may be from the evaluator, relative to a number and to the largest of its tensor.
const RELATIVE: f64 = 1e-4;
const FLOOR: f64 = 1e-5;

fn agree(got: &[Tensor], expected: &[Tensor]) -> bool {
    let same = |((shape, got), (expected_shape, expected)): (&Tensor, &Tensor)| {
        shape == expected_shape
            && match (floats(got), floats(expected)) {
                (Some(got), Some(expected)) => close(&got, &expected),
                _ => got == expected,
            }
    };
    got.len() == expected.len() && got.iter().zip(expected).all(same)
}

fn floats(data: &Data) -> Option<Vec<f64>> {
    match data {
        Data::F32(values) => Some(values.iter().map(|&value| f64::from(value)).collect()),
        Data::F64(values) => Some(values.clone()),
        _ => None,
    }
}

fn close(got: &[f64], expected: &[f64]) -> bool {
    let largest =
        expected.iter().filter(|value| value.is_finite()).fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let near = |(got, expected): (&f64, &f64)| {
        let allowed = (RELATIVE * expected.abs()).max(FLOOR * largest);
        got == expected || (got.is_nan() && expected.is_nan()) || (got - expected).abs() <= allowed
    };
    got.len() == expected.len() && got.iter().zip(expected).all(near)
}

/// Most values that a run holds at the same time, as a multiple of the largest of them.
const LIVE_VALUES: u64 = 4;
/// Combinations of lengths whose need of memory is remembered.
const REMEMBERED_MAX: usize = 4096;

/// A plan of tract in which open lengths are symbols.
struct Tract {
    plan: Arc<TypedSimplePlan>,
    inputs: Vec<Input>,
    /// Bytes of each value of the graph whose size depends on lengths.
    sizes: Vec<TDim>,
    bytes_max: u64,
    /// Which lengths there is room for.
    room: Mutex<HashMap<Vec<usize>, bool>>,
}

impl std::fmt::Debug for Tract {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tract({} nodes)", self.plan.model().nodes().len())
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Tract {
    fn compile(mut model: ModelProto, inputs: &[Input], rows: usize, bytes_max: u64) -> Result<Self, Cause> {
        if let Some(graph) = &mut model.graph {
            graph.input = inputs.iter().map(|input| value_info(input, rows)).collect();
        }
        guarded(|| {
            let model = tract_onnx::onnx().with_ignore_value_info(true).model_for_proto_model(&model)?;
            let plan = model.into_optimized()?.into_runnable()?;
            let facts = plan.model().nodes().iter().flat_map(|node| &node.outputs).map(|outlet| &outlet.fact);
            let sizes = facts.map(|fact| fact.shape.volume() * fact.datum_type.size_of() as i64);
            let sizes = sizes.filter(|size| size.to_i64().is_err()).collect();
            Ok(Self { plan, inputs: inputs.to_vec(), sizes, bytes_max, room: Mutex::default() })
        })
    }

    fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Cause> {
        guarded(|| {
            let inputs: Result<Option<TVec<TValue>>, TractError> =
                inputs.iter().map(|input| Ok(to_tract(input)?.map(TValue::from))).collect();
            let outputs =
                self.plan.run(inputs?.ok_or_else(|| TractError::msg("elements that tract does not have"))?)?;
            let outputs: Result<Option<Vec<Tensor>>, TractError> =
                outputs.iter().map(|output| from_tract(output)).collect();
            outputs?.ok_or_else(|| TractError::msg("elements that no column has"))
        })
    }

    /// Whether the values of such inputs fit into memory.
    fn has_room(&self, inputs: &[Tensor]) -> bool {
        if self.sizes.is_empty() {
            return true;
        }
        let key: Vec<usize> = inputs.iter().flat_map(|(shape, _)| shape.iter().copied()).collect();
        let Ok(mut room) = self.room.lock() else { return false };
        if room.len() >= REMEMBERED_MAX {
            room.clear();
        }
        *room.entry(key).or_insert_with(|| self.largest(inputs).saturating_mul(LIVE_VALUES) <= self.bytes_max)
    }

    /// Bytes of the largest value.
    fn largest(&self, inputs: &[Tensor]) -> u64 {
        let mut lengths = SymbolValues::default();
        for (input, (shape, _)) in self.inputs.iter().zip(inputs) {
            let mut shape = shape.clone();
            shape.remove(input.batch);
            for (length, extent) in input.shape.iter().zip(shape) {
                if let Length::Open(symbol) = length
                    && let Some(symbol) = self.plan.model().symbols.get(&symbol_name(*symbol))
                {
                    lengths.set(&symbol, extent as i64);
                }
            }
        }
        let sizes =
            self.sizes.iter().map(|size| size.eval(&lengths).to_i64().map_or(u64::MAX, |bytes| bytes.unsigned_abs()));
        sizes.max().unwrap_or(0)
    }
}

fn symbol_name(symbol: usize) -> String {
    format!("S{symbol}")
}

fn value_info(input: &Input, rows: usize) -> ValueInfoProto {
    use tensor_shape_proto::{Dimension, dimension::Value};
    let dimension = |value| Dimension { value: Some(value), ..Dimension::default() };
    let extents = input.shape.iter().map(|length| match length {
        Length::Fixed(extent) => Value::DimValue(*extent as i64),
        Length::Open(symbol) => Value::DimParam(symbol_name(*symbol)),
    });
    let mut dim: Vec<Dimension> = extents.map(dimension).collect();
    dim.insert(input.batch, dimension(Value::DimValue(rows as i64)));
    let tensor = type_proto::Tensor { elem_type: input.element.to_onnx(), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: input.name.clone(),
        r#type: Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}

/// Runs tract, with its panics and its errors as errors.
fn guarded<T>(run: impl FnOnce() -> Result<T, TractError>) -> Result<T, Cause> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|error| error.into()),
        Err(_) => Err("tract panicked".into()),
    }
}
