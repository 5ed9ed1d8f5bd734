//! Which nodes foretell computes over columns, which go to tract and which to the tensor evaluator: the one place where
//! that is decided.
//!
//! Operators of ai.onnx.ml, and whatever foretell has an operation for, are native, dense networks over columns included. A
//! matrix product of two computed values goes to tract, and so does one with many weights unless it reads a table ([`Tables`])
//! that foretell computes, and everything foretell does not know but tract does. Operators that both sides have stay where their
//! inputs are, so that an island is left only for a reason. The evaluator has what neither takes, and instead of tract islands
//! that its kernels compute: lowering finds out which nodes those are. Nodes are cut into islands by
//! level, the number of borders on the longest way to a node: two nodes of one level have no node of another side on any way
//! between them, so that they can run together.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;

use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Extent};
use tract_onnx::pb::{GraphProto, NodeProto, ValueInfoProto};

use super::dependence::is_of_places;
use super::operators::{ARRANGING, EITHER, NATIVE, is_mistreated};
use super::table::Tables;
use crate::onnx::{dimensions, names_read};
use crate::program::COLUMNS_MAX;

/// Weights of a matrix product beyond which tract is faster than the columns, unless these are all that the product reads.
const NATIVE_WEIGHTS_MAX: i64 = 8_192;

/// A unit of lowering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Work {
    /// A node that becomes steps over columns.
    Native(usize),
    /// Nodes that tract runs together, in order.
    Tract(Vec<usize>),
    /// Nodes that the evaluator runs together, in order.
    Tensors(Vec<usize>),
}

impl Work {
    /// The nodes, in order.
    pub(crate) fn positions(&self) -> &[usize] {
        match self {
            Self::Native(position) => std::slice::from_ref(position),
            Self::Tract(positions) | Self::Tensors(positions) => positions,
        }
    }
}

/// Who computes a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Native,
    Tract,
    Tensors,
}

/// The nodes of one level, by their side.
#[derive(Default)]
struct Level {
    native: Vec<usize>,
    tract: Vec<usize>,
    tensors: Vec<usize>,
}

/// True if tract has an operator of this name, and foretell does not refuse it: tract draws random numbers. The domain does
/// not matter to tract.
pub(crate) fn tract_knows(op_type: &str) -> bool {
    static OPERATORS: OnceLock<HashSet<String>> = OnceLock::new();
    let operators = || tract_onnx::onnx().op_register.0.into_keys();
    // Labels come from our own operators, whatever domain a file gives them; tract has some of ai.onnx.ml, too.
    let is_ml = |op_type: &str| {
        let trees = op_type.starts_with("TreeEnsemble");
        trees || matches!(op_type, "CategoryMapper" | "LinearClassifier" | "LinearRegressor" | "Normalizer")
    };
    let is_allowed = |op_type: &String| foretell_tensors::refusal("", op_type).is_empty() && !is_ml(op_type);
    let allowed = || operators().filter(is_allowed).collect();
    OPERATORS.get_or_init(allowed).contains(op_type)
}

/// Whether foretell has an operator, whoever computes it: a function of the same name does not replace it.
pub(crate) fn is_known(node: &NodeProto) -> bool {
    let op_type = node.op_type.as_str();
    match node.domain.as_str() {
        "ai.onnx.ml" => true,
        "" | "ai.onnx" => {
            NATIVE.contains(&op_type)
                || EITHER.contains(&op_type)
                || tract_knows(op_type)
                || foretell_tensors::is_known("", op_type)
        }
        domain => (domain, op_type) == ("com.microsoft", "CDist") || foretell_tensors::is_known(domain, op_type),
    }
}

/// Whether the evaluator has the operator of a node, and those in its bodies.
pub(crate) fn evaluator_knows(node: &NodeProto) -> bool {
    let graphs = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
    foretell_tensors::is_known(&node.domain, &node.op_type) && graphs.flat_map(|graph| &graph.node).all(evaluator_knows)
}

/// Which nodes are lowered together, in which order. `order` is an order in which every value is written before it is read;
/// the evaluator computes the nodes in `evaluated`.
pub(crate) fn schedule(graph: &GraphProto, order: &[usize], evaluated: &HashSet<usize>) -> Vec<Work> {
    let weights: HashMap<&str, i64> = graph
        .initializer
        .iter()
        .map(|tensor| {
            (tensor.name.as_str(), tensor.dims.iter().fold(1_i64, |size, extent| size.saturating_mul(*extent)))
        })
        .collect();
    let sides = sides(graph, order, evaluated, &weights);
    // Level and side of each value that depends on the row; constants have none.
    let mut values: HashMap<&str, (usize, Side)> =
        features(graph, &weights).map(|input| (input.name.as_str(), (0, side_of_feature(input)))).collect();
    let mut levels: BTreeMap<usize, Level> = BTreeMap::new();
    for (&position, &side) in order.iter().zip(&sides) {
        let node = &graph.node[position];
        let read: Vec<(usize, Side)> =
            names_read(node).into_iter().filter_map(|name| values.get(name).copied()).collect();
        let crossed = |&(level, from): &(usize, Side)| level + usize::from(from != side);
        let depth = read.iter().map(crossed).max().unwrap_or(0);
        let level = levels.entry(depth).or_default();
        match side {
            Side::Native => level.native.push(position),
            Side::Tract => level.tract.push(position),
            Side::Tensors => level.tensors.push(position),
        }
        if !read.is_empty() {
            values.extend(node.output.iter().map(|name| (name.as_str(), (depth, side))));
        }
    }
    // Within a level no side reads another: a value that crosses goes to a higher level.
    let mut work = Vec::with_capacity(order.len());
    for level in levels.into_values() {
        work.extend(level.native.into_iter().map(Work::Native));
        work.extend((!level.tract.is_empty()).then_some(Work::Tract(level.tract)));
        work.extend((!level.tensors.is_empty()).then_some(Work::Tensors(level.tensors)));
    }
    work
}

/// The inputs that the file gives no value.
fn features<'g>(graph: &'g GraphProto, weights: &HashMap<&str, i64>) -> impl Iterator<Item = &'g ValueInfoProto> {
    graph.input.iter().filter(|input| !weights.contains_key(input.name.as_str()))
}

/// Who computes each node, in their order.
fn sides(graph: &GraphProto, order: &[usize], evaluated: &HashSet<usize>, weights: &HashMap<&str, i64>) -> Vec<Side> {
    let mut values: HashMap<&str, Side> =
        features(graph, weights).map(|input| (input.name.as_str(), side_of_feature(input))).collect();
    let mut tables = Tables::of(graph);
    let mut sides = Vec::with_capacity(order.len());
    for &position in order {
        let node = &graph.node[position];
        let read: Vec<Side> = names_read(node).into_iter().filter_map(|name| values.get(name).copied()).collect();
        let side = match evaluated.contains(&position) {
            true => Side::Tensors,
            false => side(node, &values, weights, &tables).unwrap_or_else(|| side_of_inputs(&read)),
        };
        tables.note(node);
        sides.push(side);
        if !read.is_empty() {
            values.extend(node.output.iter().map(|name| (name.as_str(), side)));
        }
    }
    let lists =
        features(graph, weights).filter(|input| dimensions(input).len() > 2).map(|input| input.name.as_str()).collect();
    join_readers(graph, order, lists, &mut sides);
    sides
}

/// Gives nodes that only arrange the elements of lists to the island that alone reads them: columns would be split for it and
/// put together again.
fn join_readers<'g>(graph: &'g GraphProto, order: &[usize], mut lists: HashSet<&'g str>, sides: &mut [Side]) {
    let mut arranges = vec![false; order.len()];
    for (at, &position) in order.iter().enumerate() {
        let node = &graph.node[position];
        let of_list = node.input.first().is_some_and(|name| lists.contains(name.as_str()));
        arranges[at] = of_list && sides[at] == Side::Native && ARRANGING.contains(&node.op_type.as_str());
        if arranges[at] {
            lists.extend(node.output.iter().map(String::as_str));
        }
    }
    // Who reads each value; an output of the graph is read as columns.
    let outputs = graph.output.iter().map(|output| (output.name.as_str(), HashSet::from([Side::Native])));
    let mut readers: HashMap<&str, HashSet<Side>> = outputs.collect();
    for (at, &position) in order.iter().enumerate().rev() {
        let node = &graph.node[position];
        let of_node = node.output.iter().filter_map(|name| readers.get(name.as_str())).flatten();
        let of_node: HashSet<Side> = of_node.copied().collect();
        if let (true, [side]) = (arranges[at], &of_node.into_iter().collect::<Vec<_>>()[..]) {
            sides[at] = *side;
        }
        for name in names_read(node) {
            readers.entry(name).or_default().insert(sides[at]);
        }
    }
}

/// A picture or a text is one list column, which tract takes as it is; as columns it would be thousands.
fn side_of_feature(input: &ValueInfoProto) -> Side {
    let dims = dimensions(input);
    let extent = |dim: &Dimension| match dim.value {
        Some(Extent::DimValue(extent)) => extent.max(1),
        _ => 1,
    };
    let elements = dims.iter().skip(1).map(extent).fold(1, i64::saturating_mul);
    if dims.len() > 2 && elements > COLUMNS_MAX as i64 { Side::Tract } else { Side::Native }
}

/// The side of an operator that all sides have: tract's as soon as one input comes from there, since it is the fastest.
fn side_of_inputs(read: &[Side]) -> Side {
    [Side::Tract, Side::Tensors].into_iter().find(|side| read.contains(side)).unwrap_or(Side::Native)
}

/// The side of a node that the evaluator was not asked to compute; `None` if it stays with its inputs.
fn side(node: &NodeProto, values: &HashMap<&str, Side>, weights: &HashMap<&str, i64>, tables: &Tables) -> Option<Side> {
    let op_type = node.op_type.as_str();
    let depends_on_row = names_read(node).into_iter().any(|name| values.contains_key(name));
    match node.domain.as_str() {
        "ai.onnx.ml" => return Some(Side::Native),
        _ if !depends_on_row => return Some(Side::Native),
        "" | "ai.onnx" => {}
        "com.microsoft" if tract_knows(op_type) => return Some(Side::Tract),
        _ => return Some(Side::Native),
    }
    if matches!(op_type, "MatMul" | "Gemm") {
        let factors = node.input.iter().take(2);
        let computed = factors.clone().filter(|name| values.contains_key(name.as_str())).count();
        let heavy = factors.filter_map(|name| weights.get(name.as_str())).any(|&size| size > NATIVE_WEIGHTS_MAX);
        let of_tract = |name: &String| values.get(name.as_str()) == Some(&Side::Tract);
        return match computed {
            2 => Some(Side::Tract),
            _ if !heavy => None,
            // What tract has computed stays there.
            _ if tables.is_product(node) && !node.input.first().is_some_and(of_tract) => Some(Side::Native),
            _ => Some(Side::Tract),
        };
    }
    if op_type == "Gather" && picks_inside(node, values) {
        // A position that does not exist is an error; tract reads what belongs to another place.
        return Some(Side::Native);
    }
    if op_type == "Gather"
        && node.input.first().and_then(|name| weights.get(name.as_str())).is_some_and(|&size| size > NATIVE_WEIGHTS_MAX)
    {
        return Some(Side::Tract);
    }
    match op_type {
        _ if is_mistreated(node) => Some(Side::Tensors),
        _ if NATIVE.contains(&op_type) => Some(Side::Native),
        // The evaluator computes these one row at a time.
        _ if is_of_places(node) => Some(Side::Tensors),
        _ if EITHER.contains(&op_type) => None,
        _ if tract_knows(op_type) => Some(Side::Tract),
        _ => Some(Side::Native),
    }
}

/// Whether the positions of a Gather depend on the row, and are along another axis than the first.
fn picks_inside(node: &NodeProto, values: &HashMap<&str, Side>) -> bool {
    let is_inner = node.attribute.iter().any(|attribute| attribute.name == "axis" && attribute.i != 0);
    is_inner && node.input.get(1).is_some_and(|positions| values.contains_key(positions.as_str()))
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb::tensor_proto::DataType as Element;
    use tract_onnx::pb::type_proto::Tensor;
    use tract_onnx::pb::{AttributeProto, TensorProto, TensorShapeProto, TypeProto, type_proto};

    use super::*;

    fn node(op_type: &str, input: &[&str], output: &str) -> NodeProto {
        NodeProto {
            op_type: op_type.to_string(),
            input: input.iter().map(|name| (*name).to_string()).collect(),
            output: vec![output.to_string()],
            ..NodeProto::default()
        }
    }

    fn graph(nodes: Vec<NodeProto>) -> GraphProto {
        let weights = |name: &str, dims: &[i64]| TensorProto {
            name: name.to_string(),
            dims: dims.to_vec(),
            ..TensorProto::default()
        };
        GraphProto {
            node: nodes,
            input: vec![ValueInfoProto { name: "x".to_string(), ..ValueInfoProto::default() }],
            initializer: vec![weights("large", &[128, 128]), weights("small", &[128, 2])],
            ..GraphProto::default()
        }
    }

    /// The type of a value with so many axes.
    fn floats(axes: usize) -> Option<TypeProto> {
        let dim = vec![Dimension::default(); axes];
        let tensor = Tensor { elem_type: Element::Float as i32, shape: Some(TensorShapeProto { dim }) };
        Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() })
    }

    #[test]
    fn lists_are_arranged_by_the_island_that_reads_them() {
        let work = |axes: usize, last: &str| {
            let nodes = vec![
                node("Transpose", &["x"], "a"),
                node("Squeeze", &["a"], "b"),
                node("Conv", &["b", "large"], "c"),
                node("ArgMax", &[last], "d"),
            ];
            let mut graph = graph(nodes);
            graph.input[0].r#type = floats(axes);
            schedule(&graph, &[0, 1, 2, 3], &HashSet::new())
        };
        assert_eq!(work(3, "c"), [Work::Tract(vec![0, 1, 2]), Work::Native(3)]);
        let apart = [Work::Native(0), Work::Native(1), Work::Native(3), Work::Tract(vec![2])];
        assert_eq!(work(3, "b"), apart, "somebody else reads columns");
        let columns = [Work::Native(0), Work::Native(1), Work::Tract(vec![2]), Work::Native(3)];
        assert_eq!(work(2, "c"), columns);
    }

    #[test]
    fn a_dense_network_between_native_operators_is_one_island() {
        let graph = graph(vec![
            node("Sub", &["x", "mean"], "a"),
            node("MatMul", &["a", "large"], "b"),
            node("Relu", &["b"], "c"),
            node("MatMul", &["c", "small"], "d"),
            node("ArgMax", &["d"], "e"),
        ]);
        let work = schedule(&graph, &[0, 1, 2, 3, 4], &HashSet::new());
        assert_eq!(work, [Work::Native(0), Work::Tract(vec![1, 2, 3]), Work::Native(4)]);
    }

    #[test]
    fn a_dense_network_over_a_table_is_native() {
        let mut graph = graph(vec![
            node("MatMul", &["x", "large"], "a"),
            node("Relu", &["a"], "b"),
            node("MatMul", &["b", "large"], "c"),
        ]);
        graph.initializer.iter_mut().for_each(|tensor| tensor.data_type = Element::Float as i32);
        graph.input[0].r#type = floats(2);
        let native = [Work::Native(0), Work::Native(1), Work::Native(2)];
        assert_eq!(schedule(&graph, &[0, 1, 2], &HashSet::new()), native);
        graph.input[0].r#type = floats(3);
        assert_eq!(schedule(&graph, &[0, 1, 2], &HashSet::new()), [Work::Tract(vec![0, 1, 2])]);
    }

    #[test]
    fn an_island_has_no_native_node_between_its_nodes() {
        let graph = graph(vec![
            node("MatMul", &["x", "large"], "a"),
            node("ArgMax", &["a"], "b"),
            node("Cast", &["b"], "c"),
            node("Conv", &["a", "c"], "d"),
        ]);
        let work = schedule(&graph, &[0, 1, 2, 3], &HashSet::new());
        assert_eq!(work, [Work::Tract(vec![0]), Work::Native(1), Work::Native(2), Work::Tract(vec![3])]);
    }

    #[test]
    fn tract_looks_up_rows_of_a_table_and_nothing_inside_of_them() {
        let axis = |axis: i64| AttributeProto { name: "axis".to_string(), i: axis, ..AttributeProto::default() };
        let looked_up = |attribute| NodeProto { attribute, ..node("Gather", &["large", "x"], "a") };
        let work = |attribute| schedule(&graph(vec![looked_up(attribute)]), &[0], &HashSet::new());
        assert_eq!(work(vec![]), [Work::Tract(vec![0])]);
        assert_eq!(work(vec![axis(0)]), [Work::Tract(vec![0])]);
        assert_eq!(work(vec![axis(1)]), [Work::Native(0)]);
    }

    #[test]
    fn small_products_stay_native() {
        let graph = graph(vec![node("MatMul", &["x", "small"], "a"), node("Softmax", &["a"], "b")]);
        assert_eq!(schedule(&graph, &[0, 1], &HashSet::new()), [Work::Native(0), Work::Native(1)]);
    }
}
