//! The features: which columns the inputs of a graph stand for.
//!
//! An input of one dimension, or of two of which the second is 1, is one feature; `[N, k]` is k features; more dimensions
//! are one list feature. A width that the file leaves open is found at the operators that read the input, or is the number of
//! features that the caller knows of; if neither fixes it, the input is a list feature whose length is each row's own.
//! Nobody passes the tokens of a text one by one: where one of several inputs holds positions in a table, wide inputs are
//! lists as well, and so they are where the caller declares as many features as there are inputs, lists among them.
//!
//! The first dimension is the batch whatever the file says of it: nothing, a name, or the number of rows the exporter
//! happened to use. It is another one where the names of dimensions say so: recurrent networks of PyTorch take
//! `[sequence, batch, features]`, and states `[layers, batch, hidden]`.

use std::collections::{HashMap, HashSet};

use arrow::datatypes::DataType;
use tract_onnx::pb::tensor_shape_proto::Dimension;
use tract_onnx::pb::tensor_shape_proto::dimension::Value;
use tract_onnx::pb::type_proto::Value as ValueType;
use tract_onnx::pb::{GraphProto, NodeProto, ValueInfoProto};

use super::builder::Builder;
use super::decode::malformed;
use super::fact::{Block, Fact, Packed, RANK_MAX, Ragged, span, volume};
use super::node::Node;
use super::tensor::arrow_type;
use crate::border::ragged_type;
use crate::error::Result;
use crate::limits::Limits;
use crate::model::LoadOptions;
use crate::program::packed_type;
use crate::signature::Extent;

/// A feature before its NULL policy is known.
#[derive(Debug, Clone)]
pub(crate) struct RawFeature {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    pub(crate) shape: Vec<Extent>,
}

/// The features of a model, and what is known about each of its inputs.
pub(crate) struct Inputs {
    pub(crate) features: Vec<RawFeature>,
    /// Each feature is an input of its own, called as its column.
    pub(crate) named: bool,
    pub(crate) facts: Vec<(String, Fact)>,
}

/// An input as the file declares it.
#[derive(Debug)]
pub(crate) struct Declared<'g> {
    pub(crate) name: &'g str,
    /// Number of the element type in ONNX; zero for a map.
    pub(crate) element: i32,
    pub(crate) data_type: DataType,
    /// Extents without the batch.
    pub(crate) shape: Vec<Extent>,
    /// Where the batch stands among all dimensions.
    pub(crate) batch_axis: usize,
    /// The number of rows that the file declares.
    pub(crate) batch: Option<i64>,
    /// Whether a row of it is one list although it has one dimension of a fixed length.
    pub(crate) as_list: bool,
}

impl Declared<'_> {
    /// Whether rows may have different lengths.
    pub(crate) fn is_open(&self) -> bool {
        self.shape.iter().any(|extent| extent.fixed().is_none())
    }

    /// Whether a row of it is one list, rather than a value or several.
    fn is_list(&self) -> bool {
        self.shape.len() > 1 || self.is_open() || self.as_list
    }

    /// How many features it is.
    pub(crate) fn features(&self) -> usize {
        if self.is_list() { 1 } else { volume(&self.fixed()) }
    }

    fn fixed(&self) -> Vec<usize> {
        self.shape.iter().filter_map(Extent::fixed).collect()
    }
}

/// Adds a column for every feature and tells what is known about every input.
pub(crate) fn read_inputs(builder: &mut Builder, graph: &GraphProto, options: &LoadOptions) -> Result<Inputs> {
    let inputs = declared_inputs(graph, &builder.map_inputs, options)?;
    add_inputs(builder, &inputs, &options.limits)
}

/// The inputs of a graph, with the widths that its operators and the caller know of.
pub(crate) fn declared_inputs<'g>(
    graph: &'g GraphProto,
    maps: &HashMap<String, DataType>,
    options: &LoadOptions,
) -> Result<Vec<Declared<'g>>> {
    let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let inputs = graph.input.iter().filter(|input| !constants.contains(input.name.as_str()));
    let inputs: Vec<&ValueInfoProto> = inputs.collect();
    if inputs.is_empty() {
        return Err(malformed("the model has no inputs"));
    }
    let axes = batch_axes(&inputs);
    let declared = inputs.iter().zip(axes).map(|(input, axis)| declared(input, axis, maps));
    let mut inputs: Vec<Declared> = declared.collect::<Result<_>>()?;
    let readers = Readers::new(graph);
    fill_widths(&readers, &mut inputs, options);
    if means_lists(&inputs, &readers, options) {
        inputs.iter_mut().filter(|input| input.features() > 1).for_each(|input| input.as_list = true);
    }
    Ok(inputs)
}

/// Adds a column for every feature of these inputs.
pub(crate) fn add_inputs(builder: &mut Builder, inputs: &[Declared], limits: &Limits) -> Result<Inputs> {
    let every_input_is_one = inputs.iter().all(|input| input.features() == 1);
    let (mut features, mut facts) = (Vec::new(), Vec::new());
    for input in inputs {
        Limits::check("features", "features", features.len().saturating_add(input.features()) as u64, limits.features)?;
        let fact = input_fact(builder, input, limits)?;
        let names = (0..input.features()).map(|at| match input.features() == 1 {
            true => input.name.to_string(),
            false => format!("f{}", features.len() + at),
        });
        let shape = if input.is_list() { input.shape.clone() } else { Vec::new() };
        let data_type = &input.data_type;
        let own: Vec<RawFeature> =
            names.map(|name| RawFeature { name, data_type: data_type.clone(), shape: shape.clone() }).collect();
        features.extend(own);
        facts.push((input.name.to_string(), fact));
    }
    builder.declared_batch = inputs.iter().find_map(|input| input.batch);
    Ok(Inputs { features, named: every_input_is_one && inputs.len() > 1, facts })
}

/// The columns of an input.
fn input_fact(builder: &mut Builder, input: &Declared, limits: &Limits) -> Result<Fact> {
    let (data_type, shape, batch) = (input.data_type.clone(), input.fixed(), input.batch_axis);
    if input.is_list() {
        Limits::check("elements in one list", "tensor_elements", span(&shape), limits.tensor_elements)?;
    }
    let types = match (input.is_open(), input.is_list()) {
        (true, _) => vec![ragged_type(&data_type, input.shape.len())],
        (false, true) => vec![packed_type(&data_type, volume(&shape))?],
        (false, false) => vec![data_type.clone(); volume(&shape)],
    };
    let columns: Vec<_> = types.into_iter().map(|data_type| builder.program.add_column(data_type)).collect();
    builder.program.inputs.extend(&columns);
    Ok(match (input.is_open(), input.is_list()) {
        (true, _) => Fact::Ragged(Ragged { data_type, column: columns[0] }),
        (false, true) => Fact::Packed(Packed { data_type, shape, batch, column: columns[0] }),
        (false, false) => Fact::Block(Block { data_type, shape, batch: Some(batch), columns }),
    })
}

/// Where the batch stands among the dimensions of each input: first, unless their names say otherwise.
///
/// They do if a name stands once in every input, though not first in all of them; for a single input, if it says `batch`.
fn batch_axes(inputs: &[&ValueInfoProto]) -> Vec<usize> {
    let names: Vec<Vec<Option<&str>>> = inputs.iter().map(|input| dimension_names(input)).collect();
    let first = names.first().map_or(&[][..], Vec::as_slice);
    let says_batch = |name: &str| name.to_lowercase().contains("batch");
    let places = first.iter().flatten().filter(|name| inputs.len() > 1 || says_batch(name)).filter_map(|name| {
        let place = |names: &Vec<Option<&str>>| {
            let mut places = names.iter().enumerate().filter(|(_, other)| **other == Some(*name)).map(|(at, _)| at);
            places.next().filter(|_| places.next().is_none())
        };
        names.iter().map(place).collect::<Option<Vec<usize>>>()
    });
    let places: Vec<Vec<usize>> = places.collect();
    let is_first = |places: &Vec<usize>| places.iter().all(|&place| place == 0);
    match places.iter().any(is_first) {
        true => vec![0; inputs.len()],
        false => places.into_iter().next().unwrap_or_else(|| vec![0; inputs.len()]),
    }
}

/// The extents that a file declares for a tensor; none if it declares no shape, or something else.
pub(crate) fn dimensions(input: &ValueInfoProto) -> &[Dimension] {
    match input.r#type.as_ref().and_then(|kind| kind.value.as_ref()) {
        Some(ValueType::TensorType(tensor)) => tensor.shape.as_ref().map_or(&[], |shape| &shape.dim),
        _ => &[],
    }
}

fn dimension_names(input: &ValueInfoProto) -> Vec<Option<&str>> {
    dimensions(input).iter().map(open_name).collect()
}

/// What the file calls a dimension.
fn open_name(dim: &Dimension) -> Option<&str> {
    match &dim.value {
        Some(Value::DimParam(name)) if !name.is_empty() => Some(name),
        _ => None,
    }
}

fn declared<'g>(
    input: &'g ValueInfoProto,
    batch_axis: usize,
    maps: &HashMap<String, DataType>,
) -> Result<Declared<'g>> {
    let name = input.name.as_str();
    if let Some(data_type) = maps.get(name) {
        let data_type = data_type.clone();
        return Ok(Declared {
            name,
            element: 0,
            data_type,
            shape: Vec::new(),
            batch_axis: 0,
            batch: None,
            as_list: false,
        });
    }
    let Some(ValueType::TensorType(tensor)) = input.r#type.as_ref().and_then(|kind| kind.value.as_ref()) else {
        return Err(malformed(format!("input `{name}` is neither a tensor nor a map")));
    };
    let rank = dimensions(input).len();
    if rank > RANK_MAX {
        return Err(malformed(format!("input `{name}` has {rank} dimensions, the most is {RANK_MAX}")));
    }
    let (element, data_type) = (tensor.elem_type, arrow_type(tensor.elem_type)?);
    if tensor.shape.is_none() {
        // No shape at all: the operators that read the input know its width.
        return Ok(Declared {
            name,
            element,
            data_type,
            shape: vec![Extent::Open(None)],
            batch_axis: 0,
            batch: None,
            as_list: false,
        });
    }
    let mut shape = Vec::new();
    let mut batch = None;
    for (axis, dim) in dimensions(input).iter().enumerate() {
        let length = match dim.value {
            Some(Value::DimValue(length)) if length > 0 => Some(length),
            _ => None,
        };
        if axis == batch_axis {
            batch = length;
            continue;
        }
        let length = length.and_then(|length| usize::try_from(length).ok());
        shape.push(length.map_or_else(|| Extent::Open(open_name(dim).map(str::to_owned)), Extent::Fixed));
    }
    if dimensions(input).is_empty() {
        return Err(malformed(format!("input `{name}` has no batch dimension")));
    }
    Ok(Declared { name, element, data_type, shape, batch_axis, batch, as_list: false })
}

/// Fills open widths from the operators that read an input, or from the number of features the caller knows of.
fn fill_widths(readers: &Readers, inputs: &mut [Declared], options: &LoadOptions) {
    let is_unknown = |input: &Declared| input.shape.len() == 1 && input.is_open();
    let known = inputs.iter().filter(|input| !is_unknown(input)).map(Declared::features);
    let known = known.fold(0, usize::saturating_add);
    let unknown = inputs.iter().filter(|input| is_unknown(input)).count();
    let features = options.features.as_ref().map(Vec::len).or(options.feature_count);
    let from_caller =
        features.filter(|_| unknown == 1 && !names_lists(options)).map(|count| count.saturating_sub(known));
    for input in inputs.iter_mut().filter(|input| is_unknown(input)) {
        if let Some(width) = readers.width(input.name).or(from_caller).filter(|&width| width > 0) {
            input.shape = vec![Extent::Fixed(width)];
        }
    }
}

/// Whether inputs of several elements are lists and not as many features.
fn means_lists(inputs: &[Declared], readers: &Readers, options: &LoadOptions) -> bool {
    match &options.features {
        Some(features) => features.len() == inputs.len() && names_lists(options),
        None => {
            let has_positions = |input: &Declared| input.data_type.is_integer() && readers.look_up(input.name);
            inputs.len() > 1 && inputs.iter().any(has_positions)
        }
    }
}

/// Whether the caller declares a list among the features.
fn names_lists(options: &LoadOptions) -> bool {
    let types = options.features.iter().flatten().filter_map(|feature| feature.data_type.as_ref());
    types.into_iter().any(|data_type| data_type.is_list())
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

    /// Whether a value holds positions in a table.
    fn look_up(&self, name: &str) -> bool {
        let nodes = self.by_name.get(name).into_iter().flatten();
        nodes.into_iter().any(|node| {
            let is = |at: usize, name: &str| node.input.get(at).is_some_and(|input| input == name);
            let table = node.input.first().and_then(|table| self.constants.get(table.as_str()));
            node.op_type == "Gather" && is(1, name) && table.is_some_and(|dims| dims.len() == 2)
        })
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
