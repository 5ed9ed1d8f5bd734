//! A plan of tract for some nodes of a model.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef};
use arrow::datatypes::DataType;
use foretell_tensors::{Data, Value};
use tract_onnx::pb::{ModelProto, TensorShapeProto, TypeProto, ValueInfoProto, tensor_shape_proto, type_proto};
use tract_onnx::prelude::{
    Datum, DatumType, Framework, InferenceModelExt, IntoRunnable, TValue, TVec, Tensor, TractError, TypedSimplePlan,
};
use tract_onnx::tract_hir::internal::{DimLike, SymbolValues, TDim, TypedFact, TypedModel};

use super::evaluator::{self, Found, Output, batch_starts, found_in_batches};
use super::probe::{Kind, Probe};
use super::trust::{are_close_columns, mixes_rows};
use super::{Batch, CHUNK_ROWS, Engine, Island, Port, border};
use crate::error::{Error, Result};

/// The number of rows in shapes.
const BATCH: &str = "N";
/// Elements of all values of an island for two rows, beyond which it is not tried.
const TRIAL_ELEMENTS: u64 = 1 << 26;

/// A runnable plan, shared by all threads.
pub(crate) struct Plan(Arc<TypedSimplePlan>);

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plan({} nodes)", self.0.model().nodes().len())
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Plan {
    /// Runs the plan over tensors and gives those of these ports.
    pub(super) fn run(
        &self,
        inputs: Vec<(Vec<usize>, Data)>,
        ports: &[Port],
        rows: usize,
        nodes: &str,
    ) -> Result<Vec<Data>> {
        let failed = |source: Cause| Error::Island { nodes: nodes.to_string(), source };
        let outputs = self.results(inputs).map_err(failed)?;
        let outputs = ports.iter().zip(&outputs).map(|(port, tensor)| {
            let fits = match rows {
                // A row alone need not have a batch dimension.
                1 => tensor.len() == port.elements(),
                _ => tensor.shape() == port.dims(rows),
            };
            if !fits {
                return Err(format!("an output of shape {:?} for {port:?}", tensor.shape()).into());
            }
            data(&port.data_type, tensor)
        });
        outputs.collect::<Result<_, Cause>>().map_err(failed)
    }

    /// Runs the plan; a panic inside tract is an error like any other.
    fn results(&self, inputs: Vec<(Vec<usize>, Data)>) -> Result<TVec<TValue>, Cause> {
        let inputs = inputs.into_iter().map(|(dims, data)| tensor(&dims, &data).map(Into::into));
        let inputs = inputs.collect::<Result<TVec<TValue>, Cause>>()?;
        guarded(|| self.0.run(inputs))
    }
}

fn tensor(dims: &[usize], data: &Data) -> Result<Tensor, Cause> {
    macro_rules! held {
        ($($variant:ident),*) => {
            match data {
                $(Data::$variant(values) => Tensor::from_shape(dims, values),)*
                other => return Err(format!("a tensor of {}", other.element_type().name()).into()),
            }
        };
    }
    held!(Bool, I8, I16, I32, I64, U8, U16, U32, U64, F16, F32, F64).map_err(Into::into)
}

fn data(data_type: &DataType, tensor: &Tensor) -> Result<Data, Cause> {
    fn values<T: Datum + Clone>(tensor: &Tensor) -> Result<Vec<T>, TractError> {
        let tensor = tensor.cast_to::<T>()?;
        Ok(tensor.try_as_plain_ram()?.as_slice::<T>()?.to_vec())
    }
    Ok(match data_type {
        DataType::Boolean => Data::Bool(values(tensor)?),
        DataType::Int8 => Data::I8(values(tensor)?),
        DataType::Int16 => Data::I16(values(tensor)?),
        DataType::Int32 => Data::I32(values(tensor)?),
        DataType::Int64 => Data::I64(values(tensor)?),
        DataType::UInt8 => Data::U8(values(tensor)?),
        DataType::UInt16 => Data::U16(values(tensor)?),
        DataType::UInt32 => Data::U32(values(tensor)?),
        DataType::UInt64 => Data::U64(values(tensor)?),
        DataType::Float16 => Data::F16(values(tensor)?),
        DataType::Float32 => Data::F32(values(tensor)?),
        DataType::Float64 => Data::F64(values(tensor)?),
        other => return Err(format!("an output of type {other}").into()),
    })
}

/// Runs tract, with its panics and its errors as errors.
fn guarded<T>(run: impl FnOnce() -> Result<T, TractError>) -> Result<T, Cause> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|error| error.into()),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_string());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(text.unwrap_or_else(|| "tract panicked".to_string()).into())
        }
    }
}

/// An input of an island.
#[derive(Debug, Clone)]
pub(crate) struct InputPort {
    pub(crate) name: String,
    /// Number of the element type in ONNX.
    pub(crate) element: i32,
    pub(crate) port: Port,
}

/// Nodes that tract has compiled, before it is known which columns they give.
pub(crate) struct Draft {
    plan: Plan,
    inputs: Vec<Port>,
    /// Types and shapes of the outputs.
    facts: Vec<(DatumType, TVec<TDim>)>,
    /// Elements of all values, for two rows.
    elements: u64,
    /// The number of rows that it was compiled for; `None` for any.
    batch: Option<usize>,
    /// Computes what tract is not trusted with.
    judge: Option<Engine>,
    /// The nodes, for messages.
    nodes: String,
}

/// Compiles a model that consists of an island's nodes; its inputs are set here, for any number of rows or for `batch`.
pub(crate) fn compile(
    mut model: ModelProto,
    inputs: Vec<InputPort>,
    batch: Option<usize>,
    nodes: String,
) -> Result<Draft> {
    if let Some(graph) = &mut model.graph {
        graph.input = inputs.iter().map(|input| value_info(input, batch)).collect();
    }
    let (plan, facts, elements) = guarded(|| {
        let model = tract_onnx::onnx().with_ignore_value_info(true).model_for_proto_model(&model)?;
        let plan = model.into_optimized()?.into_runnable()?;
        let outputs = plan.model().output_outlets()?.to_vec();
        let facts = outputs.iter().map(|outlet| {
            let fact = plan.model().outlet_fact(*outlet)?;
            Ok((fact.datum_type, fact.shape.to_tvec()))
        });
        let facts = facts.collect::<Result<Vec<_>, TractError>>()?;
        let elements = elements_of(plan.model());
        Ok((plan, facts, elements))
    })
    .map_err(|source| Error::Island { nodes: nodes.clone(), source })?;
    let inputs = inputs.into_iter().map(|input| input.port).collect();
    Ok(Draft { plan: Plan(plan), inputs, facts, elements, batch, judge: None, nodes })
}

/// Elements of all values for two rows, as far as shapes tell.
fn elements_of(model: &TypedModel) -> u64 {
    let mut rows = SymbolValues::default();
    if let Some(symbol) = model.symbols.get(BATCH) {
        rows.set(&symbol, 2);
    }
    let volume = |fact: &TypedFact| {
        let extents = fact.shape.to_tvec().into_iter();
        let extents = extents.map(|dim| dim.eval_to_i64(&rows).ok().and_then(|extent| u64::try_from(extent).ok()));
        extents.fold(1_u64, |volume, extent| volume.saturating_mul(extent.unwrap_or(1)))
    };
    let outlets = model.nodes().iter().flat_map(|node| &node.outputs);
    outlets.map(|outlet| volume(&outlet.fact)).fold(0, u64::saturating_add)
}

impl Draft {
    /// Whether it can be tried with two rows without taking much memory.
    pub(super) fn is_small(&self) -> bool {
        self.elements <= TRIAL_ELEMENTS
    }

    /// The nodes, for messages.
    pub(super) fn nodes(&self) -> &str {
        &self.nodes
    }

    /// Rows that it is tried with.
    pub(super) fn trial_rows(&self) -> usize {
        self.batch.unwrap_or(2)
    }

    /// Gives rows with a number that is not finite to the evaluator of the same nodes.
    pub(super) fn with_judge(self, judge: evaluator::Plan) -> Self {
        Self { judge: Some(Engine::Tensors(Box::new(judge))), ..self }
    }

    /// An island for any number of rows.
    pub(crate) fn into_island(self, probe: &Probe) -> Result<Island> {
        let is_small = self.is_small();
        let Self { plan, inputs, facts, judge, nodes, .. } = self;
        let outputs = facts.into_iter().map(|(datum, dims)| output_port(datum, &dims));
        let failed = |source: Cause| Error::Island { nodes: nodes.clone(), source };
        let outputs = outputs.collect::<Result<_, Cause>>().map_err(failed)?;
        let (engine, batch) = (Engine::Tract(plan), Batch::UpTo(CHUNK_ROWS));
        let island = Island { engine, judge, inputs, outputs, batch, nodes: nodes.clone() };
        match is_small && mixes_rows(&island, probe)? {
            true => Err(failed("it mixes rows: a row has another answer beside other rows".into())),
            false => Ok(island),
        }
    }

    /// An island for as many rows at a time as the draft was compiled for. `read` tells which outputs other nodes read.
    pub(crate) fn into_batches(self, batch: usize, read: &[bool], probe: &Probe) -> Result<Island> {
        let failed = |source: Cause| Error::Island { nodes: self.nodes.clone(), source };
        let columns = probe.rows(Kind::Mixed, 2 * batch)?;
        let rows = |start: usize| {
            let columns: Vec<ArrayRef> = columns.iter().map(|column| column.slice(start, batch)).collect();
            self.run(self.elements(&columns, batch)?).map_err(failed)
        };
        let [first, second, third] = batch_starts(batch).map(rows);
        let (first, second, third) = (first?, second?, third?);
        let mut outputs = Vec::with_capacity(first.len());
        for (at, &read) in read.iter().enumerate() {
            let values = [&first[at], &second[at], &third[at]].map(|tensor| Value::from(tensor.clone()));
            match found_in_batches(&values, batch, read, are_close_columns) {
                Found::Output(Output::Port, mut ports) => outputs.append(&mut ports),
                _ => return Err(failed("it mixes rows: an output that has no place for each row".into())),
            }
        }
        let Self { plan, inputs, judge, nodes, .. } = self;
        Ok(Island { engine: Engine::Tract(plan), judge, inputs, outputs, batch: Batch::Exactly(batch), nodes })
    }

    /// The tensors of the input ports.
    pub(super) fn elements(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<(Vec<usize>, Data)>> {
        border::port_elements(&self.inputs, columns, rows)
    }

    /// Runs what was compiled, and gives all its outputs.
    pub(super) fn run(&self, inputs: Vec<(Vec<usize>, Data)>) -> Result<Vec<foretell_tensors::Tensor>, Cause> {
        let results = self.plan.results(inputs)?;
        let tensors = results.iter().map(|result| {
            let kind = result.datum_type();
            let data_type = arrow_type(kind).ok_or_else(|| format!("an output of type {kind:?}"))?;
            Ok(foretell_tensors::Tensor::try_new(result.shape().to_vec(), data(&data_type, result)?)?)
        });
        tensors.collect()
    }
}

fn value_info(input: &InputPort, batch: Option<usize>) -> ValueInfoProto {
    use tensor_shape_proto::{Dimension, dimension::Value};
    let dimension = |value| Dimension { value: Some(value), ..Dimension::default() };
    let mut dim: Vec<Dimension> =
        input.port.shape.iter().map(|&extent| dimension(Value::DimValue(extent as i64))).collect();
    let rows = batch.map_or_else(|| Value::DimParam(BATCH.to_string()), |batch| Value::DimValue(batch as i64));
    dim.insert(input.port.batch, dimension(rows));
    let tensor = type_proto::Tensor { elem_type: input.element, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: input.name.clone(),
        r#type: Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}

/// The one dimension that is not a number is the batch.
fn output_port(datum: DatumType, dims: &[TDim]) -> Result<Port, Cause> {
    let data_type = arrow_type(datum).ok_or_else(|| format!("an output of type {datum:?}"))?;
    let open: Vec<usize> = (0..dims.len()).filter(|&axis| dims[axis].to_i64().is_err()).collect();
    let [batch] = open[..] else {
        return Err(format!("it mixes rows: an output of shape {dims:?}").into());
    };
    // Other symbols stand for extents that depend on elements, as those of NonZero do.
    if !matches!(&dims[batch], TDim::Sym(_)) || dims[batch].to_string() != BATCH {
        return Err(format!("it mixes rows: an output of shape {dims:?}").into());
    }
    let extents = dims.iter().enumerate().filter(|(axis, _)| *axis != batch).map(|(_, dim)| dim.to_usize());
    let shape = extents.collect::<Result<Vec<_>, _>>()?;
    Port::output(data_type, shape, batch).ok_or_else(|| format!("an output of shape {dims:?}").into())
}

fn arrow_type(datum: DatumType) -> Option<DataType> {
    Some(match datum {
        DatumType::Bool => DataType::Boolean,
        DatumType::U8 => DataType::UInt8,
        DatumType::U16 => DataType::UInt16,
        DatumType::U32 => DataType::UInt32,
        DatumType::U64 => DataType::UInt64,
        DatumType::I8 => DataType::Int8,
        DatumType::I16 => DataType::Int16,
        DatumType::I32 => DataType::Int32,
        // Shapes and positions have a type of their own in tract.
        DatumType::I64 | DatumType::TDim => DataType::Int64,
        DatumType::F16 => DataType::Float16,
        DatumType::F32 => DataType::Float32,
        DatumType::F64 => DataType::Float64,
        _ => return None,
    })
}
