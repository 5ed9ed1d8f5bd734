//! A plan of tract for some nodes of a model.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::datatypes::DataType;
use tract_onnx::pb::{ModelProto, TensorShapeProto, TypeProto, ValueInfoProto, tensor_shape_proto, type_proto};
use tract_onnx::prelude::{
    DatumType, Framework, InferenceModelExt, IntoRunnable, TValue, TVec, Tensor, TractError, TypedSimplePlan,
};
use tract_onnx::tract_hir::internal::{DimLike, TDim};

use super::{Island, Port};
use crate::error::{Error, Result};

/// The number of rows in shapes.
const BATCH: &str = "N";
/// Outputs with more elements per row are one list column.
const COLUMNS_MAX: usize = 256;

/// A runnable plan, shared by all threads.
pub(crate) struct Plan(Arc<TypedSimplePlan>);

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plan({} nodes)", self.0.model().nodes().len())
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Plan {
    /// Runs the plan; a panic inside tract is an error like any other.
    pub(super) fn run(&self, inputs: Vec<Tensor>) -> Result<TVec<TValue>, Cause> {
        let inputs: TVec<TValue> = inputs.into_iter().map(Into::into).collect();
        guarded(|| self.0.run(inputs))
    }
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

/// Compiles a model that consists of the island's nodes; its inputs are set here.
pub(crate) fn compile(mut model: ModelProto, inputs: Vec<InputPort>, nodes: String) -> Result<Island> {
    if let Some(graph) = &mut model.graph {
        graph.input = inputs.iter().map(value_info).collect();
    }
    let failed = |source: Cause| Error::Island { nodes: nodes.clone(), source };
    let (plan, facts) = guarded(|| {
        let model = tract_onnx::onnx().with_ignore_value_info(true).model_for_proto_model(&model)?;
        let plan = model.into_optimized()?.into_runnable()?;
        let outputs = plan.model().output_outlets()?.to_vec();
        let facts = outputs.iter().map(|outlet| {
            let fact = plan.model().outlet_fact(*outlet)?;
            Ok((fact.datum_type, fact.shape.to_tvec()))
        });
        let facts = facts.collect::<Result<Vec<_>, TractError>>()?;
        Ok((plan, facts))
    })
    .map_err(failed)?;
    let outputs = facts.into_iter().map(|(datum, dims)| output_port(datum, &dims)).collect::<Result<Vec<_>, Cause>>();
    let outputs = outputs.map_err(|source| Error::Island { nodes: nodes.clone(), source })?;
    let inputs = inputs.into_iter().map(|input| input.port).collect();
    Ok(Island { plan: Plan(plan), inputs, outputs, nodes })
}

fn value_info(input: &InputPort) -> ValueInfoProto {
    use tensor_shape_proto::{Dimension, dimension::Value};
    let dimension = |value| Dimension { value: Some(value), ..Dimension::default() };
    let mut dim: Vec<Dimension> =
        input.port.shape.iter().map(|&extent| dimension(Value::DimValue(extent as i64))).collect();
    dim.insert(input.port.batch, dimension(Value::DimParam(BATCH.to_string())));
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
    if !matches!(&dims[batch], TDim::Sym(_)) {
        return Err(format!("it mixes rows: an output of shape {dims:?}").into());
    }
    let extents = dims.iter().enumerate().filter(|(axis, _)| *axis != batch).map(|(_, dim)| dim.to_usize());
    let shape = extents.collect::<Result<Vec<_>, _>>()?;
    let product = |elements: i32, &extent: &usize| elements.checked_mul(i32::try_from(extent).ok()?);
    let Some(elements) = shape.iter().try_fold(1, product) else {
        return Err(format!("an output of shape {dims:?}").into());
    };
    let packed = elements as usize > COLUMNS_MAX;
    Ok(Port { data_type, shape, batch, packed })
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
