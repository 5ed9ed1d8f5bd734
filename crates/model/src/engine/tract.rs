//! Plans of tract: a model compiled for given inputs, tensors in, tensors out.

use std::sync::Arc;

use foretell_tensors::{Data, ElementType, Tensor};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, TensorShapeProto, TypeProto, ValueInfoProto, tensor_shape_proto,
    type_proto,
};
use tract_onnx::prelude::{
    Datum, DatumType, Framework, InferenceModelExt, IntoRunnable, TValue, TVec, TractError, TypedModel, TypedSimplePlan,
};

use super::alike::{Tolerance, first_difference};
use super::caught::{Cause, caught};

/// Extent of a dimension of an input: a number, or a name for any.
pub(crate) use tensor_shape_proto::dimension::Value as Extent;

/// Most values that a run holds at the same time, as a multiple of the largest of them.
pub(crate) const LIVE_VALUES: u64 = 4;

/// A runnable plan, shared by all threads.
pub(crate) struct TractPlan(Arc<TypedSimplePlan>);

impl std::fmt::Debug for TractPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TractPlan({} nodes)", self.0.model().nodes().len())
    }
}

/// Whether tract lets an input of this operator have no elements. Others look at the first element of a constant, whether or not
/// it is there.
pub(crate) fn takes_nothing(op_type: &str) -> bool {
    matches!(
        op_type,
        "ConstantOfShape" | "Expand" | "Pad" | "Reshape" | "Resize" | "Slice" | "Squeeze" | "Unsqueeze" | "Upsample"
    ) || op_type.starts_with("Reduce")
}

/// Extents of windows and of what lies around a value beyond which tract is not asked: it lists every cell, and every place that
/// sees something beside the value.
const WINDOW_MAX: u64 = 1 << 10;

/// A window that tract would take any time and memory for.
fn has_vast_window(node: &NodeProto) -> bool {
    let is_vast = |attribute: &AttributeProto| {
        let extents = attribute.ints.iter().map(|extent| extent.unsigned_abs());
        match attribute.name.as_str() {
            "kernel_shape" => extents.fold(1, u64::saturating_mul) > WINDOW_MAX,
            "dilations" | "output_padding" | "output_shape" | "pads" => extents.max() > Some(WINDOW_MAX),
            _ => false,
        }
    };
    let in_body = |graph: &GraphProto| graph.node.iter().any(has_vast_window);
    let bodies = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
    node.attribute.iter().any(is_vast) || bodies.into_iter().any(in_body)
}

impl TractPlan {
    /// Compiles a model, whose own inputs are replaced by these.
    ///
    /// # Errors
    /// When tract lacks an operator or would take too much for it, or the shapes contradict each other.
    pub(crate) fn compile(mut model: ModelProto, inputs: Vec<ValueInfoProto>) -> Result<Self, Cause> {
        let mut nodes = model.graph.iter().flat_map(|graph| &graph.node);
        if let Some(node) = nodes.find(|node| has_vast_window(node)) {
            return Err(format!("operator `{}` with windows or pads beyond {WINDOW_MAX}", node.op_type).into());
        }
        if let Some(graph) = &mut model.graph {
            graph.input = inputs;
        }
        caught(|| {
            let model = tract_onnx::onnx().with_ignore_value_info(true).model_for_proto_model(&model)?;
            Ok(Self(model.into_optimized()?.into_runnable()?))
        })
    }

    /// What was compiled. Ask it within [`caught`]: it computes with symbols, and panics where it cannot.
    pub(crate) fn model(&self) -> &TypedModel {
        self.0.model()
    }

    /// Computes all outputs.
    pub(crate) fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Cause> {
        caught(|| {
            let inputs = inputs.iter().map(|input| to_tract(input).map(TValue::from));
            let outputs = self.0.run(inputs.collect::<Result<TVec<TValue>, Cause>>()?)?;
            outputs.iter().map(|output| from_tract(output)).collect()
        })
    }

    /// Tries the plan with inputs to which the evaluator gave these outputs, and compares; `names` are those of the outputs.
    ///
    /// # Errors
    /// When it has no answer or another one: what is wrong with it.
    pub(crate) fn check(
        &self,
        inputs: &[Tensor],
        expected: &[Tensor],
        names: &[String],
        tolerance: &Tolerance,
    ) -> Result<(), String> {
        let got = self.run(inputs).map_err(|cause| format!("it fails where ONNX has an answer: {cause}"))?;
        match first_difference(&got, expected, tolerance) {
            None => Ok(()),
            Some(at) => {
                let name = names.get(at).map_or("", String::as_str);
                Err(format!("it gives another `{name}` than ONNX asks for"))
            }
        }
    }
}

/// The declaration of an input.
pub(crate) fn input_of(name: &str, element: ElementType, extents: impl IntoIterator<Item = Extent>) -> ValueInfoProto {
    use tensor_shape_proto::Dimension;
    let dim = extents.into_iter().map(|extent| Dimension { value: Some(extent), ..Dimension::default() }).collect();
    let tensor = type_proto::Tensor { elem_type: element.to_onnx(), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: name.to_string(),
        r#type: Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}

/// Type of the elements of one of tract's tensors; `None` for those that no column has.
pub(crate) fn element_of(datum: DatumType) -> Option<ElementType> {
    Some(match datum {
        DatumType::Bool => ElementType::Bool,
        DatumType::I8 => ElementType::I8,
        DatumType::I16 => ElementType::I16,
        DatumType::I32 => ElementType::I32,
        // Shapes and positions have a type of their own in tract.
        DatumType::I64 | DatumType::TDim => ElementType::I64,
        DatumType::U8 => ElementType::U8,
        DatumType::U16 => ElementType::U16,
        DatumType::U32 => ElementType::U32,
        DatumType::U64 => ElementType::U64,
        DatumType::F16 => ElementType::F16,
        DatumType::F32 => ElementType::F32,
        DatumType::F64 => ElementType::F64,
        _ => return None,
    })
}

fn to_tract(tensor: &Tensor) -> Result<tract_onnx::prelude::Tensor, Cause> {
    macro_rules! converted {
        ($($variant:ident),*) => {
            match tensor.data() {
                $(Data::$variant(values) => tract_onnx::prelude::Tensor::from_shape(tensor.shape(), values),)*
                other => return Err(format!("a tensor of {}", other.element_type().name()).into()),
            }
        };
    }
    converted!(Bool, I8, I16, I32, I64, U8, U16, U32, U64, F16, F32, F64).map_err(Into::into)
}

fn from_tract(tensor: &tract_onnx::prelude::Tensor) -> Result<Tensor, Cause> {
    macro_rules! converted {
        ($element:expr, $($variant:ident => $native:ty),*) => {
            match $element {
                $(Some(ElementType::$variant) => Data::$variant(elements::<$native>(tensor)?),)*
                _ => return Err(format!("an output of type {:?}", tensor.datum_type()).into()),
            }
        };
    }
    let data = converted!(
        element_of(tensor.datum_type()),
        Bool => bool, I8 => i8, I16 => i16, I32 => i32, I64 => i64, U8 => u8, U16 => u16, U32 => u32, U64 => u64,
        F16 => half::f16, F32 => f32, F64 => f64
    );
    Ok(Tensor::try_new(tensor.shape().to_vec(), data)?)
}

fn elements<T: Datum + Copy>(tensor: &tract_onnx::prelude::Tensor) -> Result<Vec<T>, TractError> {
    let tensor = tensor.cast_to::<T>()?;
    Ok(tensor.try_as_plain_ram()?.as_slice::<T>()?.to_vec())
}
