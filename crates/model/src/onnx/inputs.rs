//! The features: which columns the inputs of a graph stand for.
//!
//! An input of one dimension, or of two of which the second is 1, is one feature; `[N, k]` is k features; more dimensions
//! are one list feature. The first dimension is the batch whatever the file says of it: nothing, a name, or the number of
//! rows the exporter happened to use. A width that the file leaves open is found at the operators that read the input.

use std::collections::{HashMap, HashSet};

use arrow::datatypes::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Extent;
use tract_onnx::pb::type_proto::Value as ValueType;
use tract_onnx::pb::{GraphProto, NodeProto, ValueInfoProto};

use super::builder::Builder;
use super::decode::malformed;
use super::fact::{Block, Fact, Packed, span, volume};
use super::node::Node;
use super::tensor::arrow_type;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::model::LoadOptions;
use crate::program::packed_type;

/// A feature before its NULL policy is known.
#[derive(Debug, Clone)]
pub(crate) struct RawFeature {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    pub(crate) shape: Vec<usize>,
}

/// The features of a model, and what is known about each of its inputs.
pub(crate) struct Inputs {
    pub(crate) features: Vec<RawFeature>,
    /// Each feature is an input of its own, called as its column.
    pub(crate) named: bool,
    pub(crate) facts: Vec<(String, Fact)>,
}

/// An input as the file declares it.
struct Declared<'g> {
    name: &'g str,
    data_type: DataType,
    /// Extents without the batch; `None` where the file leaves one open.
    shape: Vec<Option<usize>>,
    batch: Option<i64>,
}

/// Adds a column for every feature and tells what is known about every input.
pub(crate) fn read_inputs(builder: &mut Builder, graph: &GraphProto, options: &LoadOptions) -> Result<Inputs> {
    let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let inputs = graph.input.iter().filter(|input| !constants.contains(input.name.as_str()));
    let mut inputs: Vec<Declared> = inputs.map(|input| declared(input, &builder.map_inputs)).collect::<Result<_>>()?;
    if inputs.is_empty() {
        return Err(malformed("the model has no inputs"));
    }
    let count = options.features.as_ref().map(Vec::len).or(options.feature_count);
    fill_widths(graph, &mut inputs, count)?;
    let every_input_is_one = inputs.iter().all(|input| input.shape.len() != 1 || input.shape[0] == Some(1));
    let (mut features, mut facts) = (Vec::new(), Vec::new());
    for input in &inputs {
        let shape: Vec<usize> = input.shape.iter().map(|extent| extent.unwrap_or(1)).collect();
        let name = |index: usize| if every_input_is_one { input.name.to_string() } else { format!("f{index}") };
        let elements = volume(&shape);
        let fact = if shape.len() > 1 {
            Limits::check("elements in one list", "tensor_elements", span(&shape), options.limits.tensor_elements)?;
            let column = builder.program.add_column(packed_type(&input.data_type, volume(&shape))?);
            builder.program.inputs.push(column);
            features.push(RawFeature {
                name: name(features.len()),
                data_type: input.data_type.clone(),
                shape: shape.clone(),
            });
            Fact::Packed(Packed { data_type: input.data_type.clone(), shape, batch: 0, column })
        } else {
            Limits::check(
                "features",
                "features",
                features.len().saturating_add(elements) as u64,
                options.limits.features,
            )?;
            let columns: Vec<_> =
                (0..volume(&shape)).map(|_| builder.program.add_column(input.data_type.clone())).collect();
            builder.program.inputs.extend(&columns);
            for _ in &columns {
                let data_type = input.data_type.clone();
                features.push(RawFeature { name: name(features.len()), data_type, shape: Vec::new() });
            }
            Fact::Block(Block { data_type: input.data_type.clone(), shape, batch: Some(0), columns })
        };
        facts.push((input.name.to_string(), fact));
    }
    builder.declared_batch = inputs.iter().find_map(|input| input.batch);
    Ok(Inputs { features, named: every_input_is_one && inputs.len() > 1, facts })
}

fn declared<'g>(input: &'g ValueInfoProto, maps: &HashMap<String, DataType>) -> Result<Declared<'g>> {
    if let Some(data_type) = maps.get(&input.name) {
        return Ok(Declared { name: &input.name, data_type: data_type.clone(), shape: Vec::new(), batch: None });
    }
    let Some(ValueType::TensorType(tensor)) = input.r#type.as_ref().and_then(|kind| kind.value.as_ref()) else {
        return Err(malformed(format!("input `{}` is neither a tensor nor a map", input.name)));
    };
    let data_type = arrow_type(tensor.elem_type)?;
    let dims = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dim[..]);
    let extents: Vec<Option<i64>> = dims
        .iter()
        .map(|dim| match dim.value {
            Some(Extent::DimValue(extent)) if extent > 0 => Some(extent),
            _ => None,
        })
        .collect();
    let Some((&batch, rest)) = extents.split_first() else {
        // No shape at all: the operators that read the input know its width.
        if tensor.shape.is_some() {
            return Err(malformed(format!("input `{}` has no batch dimension", input.name)));
        }
        return Ok(Declared { name: &input.name, data_type, shape: vec![None], batch: None });
    };
    let shape = rest.iter().map(|extent| extent.and_then(|extent| usize::try_from(extent).ok())).collect();
    Ok(Declared { name: &input.name, data_type, shape, batch })
}

/// Fills open widths from the operators that read an input, or from the number of features the caller knows of.
fn fill_widths(graph: &GraphProto, inputs: &mut [Declared], features: Option<usize>) -> Result<()> {
    let known =
        inputs.iter().map(|input| if input.shape == [None] { 0 } else { width(input) }).fold(0, usize::saturating_add);
    let open = inputs.iter().filter(|input| input.shape.contains(&None)).count();
    let readers = Readers::new(graph);
    for input in inputs.iter_mut().filter(|input| input.shape.contains(&None)) {
        let from_caller = features.filter(|_| open == 1).map(|features| features.saturating_sub(known));
        let found = match input.shape.len() {
            1 => readers.width(input.name).or(from_caller).filter(|&width| width > 0),
            _ => None,
        };
        let Some(found) = found else {
            return Err(Error::Signature(format!(
                "input `{}` leaves open how many elements a row has; name the features, or export the model with a fixed shape",
                input.name
            )));
        };
        input.shape = vec![Some(found)];
    }
    Ok(())
}

fn width(input: &Declared) -> usize {
    if input.shape.len() > 1 { 1 } else { volume(&input.shape.iter().flatten().copied().collect::<Vec<_>>()) }
}

/// Which nodes read a value.
struct Readers<'g> {
    by_name: HashMap<&'g str, Vec<&'g NodeProto>>,
    constants: HashMap<&'g str, &'g [i64]>,
}

impl<'g> Readers<'g> {
    fn new(graph: &'g GraphProto) -> Self {
        let mut by_name: HashMap<&str, Vec<&NodeProto>> = HashMap::new();
        for node in &graph.node {
            for input in &node.input {
                by_name.entry(input).or_default().push(node);
            }
        }
        let constants = graph.initializer.iter().map(|tensor| (tensor.name.as_str(), &tensor.dims[..])).collect();
        Self { by_name, constants }
    }

    /// How many features the readers of a value expect. Readers that only know a least number count together.
    fn width(&self, name: &str) -> Option<usize> {
        let mut seen: HashSet<&str> = HashSet::from([name]);
        let mut waiting = vec![name];
        let mut least = None;
        while let Some(value) = waiting.pop() {
            for node in self.by_name.get(value).into_iter().flatten() {
                match self.expected(node, value) {
                    Expected::Exactly(width) => return Some(width),
                    Expected::AtLeast(width) => least = least.max(Some(width)),
                    Expected::AsOutput => {
                        waiting.extend(node.output.iter().map(String::as_str).filter(|output| seen.insert(output)));
                    }
                    Expected::Unknown => {}
                }
            }
        }
        least
    }

    fn expected(&self, proto: &NodeProto, value: &str) -> Expected {
        let node = Node::new(proto, 0);
        let floats = |name: &str| node.floats(name).ok().flatten().map_or(0, <[f32]>::len);
        let ints = |name: &str| node.ints(name).ok().flatten();
        let exactly = |width: usize| if width > 1 { Expected::Exactly(width) } else { Expected::AsOutput };
        match node.op_type() {
            "Scaler" => exactly(floats("offset").max(floats("scale"))),
            "Imputer" => {
                exactly(floats("imputed_value_floats").max(ints("imputed_value_int64s").map_or(0, <[i64]>::len)))
            }
            "LinearRegressor" => {
                let targets = node.int_or("targets", 1).ok().and_then(|targets| usize::try_from(targets).ok());
                Expected::Exactly(floats("coefficients") / targets.unwrap_or(1).max(1))
            }
            "LinearClassifier" => Expected::Exactly(floats("coefficients") / floats("intercepts").max(1)),
            "TreeEnsemble" | "TreeEnsembleClassifier" | "TreeEnsembleRegressor" => {
                let greatest = ints("nodes_featureids").and_then(|ids| ids.iter().max().copied()).unwrap_or(0);
                Expected::AtLeast(usize::try_from(greatest).map_or(0, |id| id + 1))
            }
            "MatMul" | "Gemm" if proto.input.first().is_some_and(|first| first == value) => {
                let transposed = node.flag("transB", false).unwrap_or(false);
                let weights = proto.input.get(1).and_then(|weights| self.constants.get(weights.as_str()));
                match weights.and_then(|dims| dims.get(usize::from(transposed))) {
                    Some(&rows) => Expected::Exactly(usize::try_from(rows).unwrap_or(0)),
                    None => Expected::Unknown,
                }
            }
            "Add" | "Sub" | "Mul" | "Div" => {
                let others = proto.input.iter().filter(|input| *input != value);
                let last = others.filter_map(|other| self.constants.get(other.as_str())?.last()).max();
                exactly(last.and_then(|&width| usize::try_from(width).ok()).unwrap_or(0))
            }
            "Identity" | "Cast" | "Normalizer" | "Binarizer" | "Dropout" => Expected::AsOutput,
            _ => Expected::Unknown,
        }
    }
}

/// What a reader tells about the width of its input.
enum Expected {
    Exactly(usize),
    AtLeast(usize),
    /// Its output is as wide.
    AsOutput,
    Unknown,
}
