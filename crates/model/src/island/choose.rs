//! Which nodes foretell computes over columns, and which go to tract: the one place where that is decided.
//!
//! Operators of ai.onnx.ml, and whatever foretell has an operation for, are native, unless they are part of a dense network:
//! a matrix product of two computed values, or with many weights, goes to tract, and so does everything foretell does not
//! know but tract does. Operators that both sides have stay where their inputs are, so that an island is left only for a
//! reason. Nodes are cut into islands by level, the number of borders on the longest way to a node: two nodes of one level
//! have no native node on any way between them, so that they can run together.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;

use tract_onnx::pb::{GraphProto, NodeProto};

use crate::onnx::names_read;

/// Weights of a matrix product beyond which tract is faster than the columns.
const NATIVE_WEIGHTS_MAX: i64 = 8_192;

/// A unit of lowering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Work {
    /// A node that becomes steps over columns.
    Native(usize),
    /// Nodes that tract runs together, in order.
    Island(Vec<usize>),
}

/// Operators that foretell computes wherever they stand.
const NATIVE: &[&str] = &[
    "ArgMax",
    "ArgMin",
    "ConstantOfShape",
    "CumSum",
    "GatherElements",
    "If",
    "IsInf",
    "IsNaN",
    "OneHot",
    "Range",
    "Scan",
    "SequenceAt",
    "SequenceConstruct",
    "Size",
    "TopK",
];

/// Operators that both sides have: they stay with their inputs.
const EITHER: &[&str] = &[
    "Abs",
    "Add",
    "And",
    "Cast",
    "Ceil",
    "Clip",
    "Concat",
    "Cos",
    "Div",
    "Dropout",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "Gemm",
    "Greater",
    "GreaterOrEqual",
    "HardSigmoid",
    "Hardmax",
    "Identity",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "LogSoftmax",
    "MatMul",
    "Max",
    "Mean",
    "Min",
    "Mod",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "PRelu",
    "Pow",
    "Reciprocal",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "Reshape",
    "Round",
    "Shape",
    "Sigmoid",
    "Sign",
    "Sin",
    "Slice",
    "Softmax",
    "Softplus",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Tanh",
    "Tile",
    "Transpose",
    "Unsqueeze",
    "Where",
    "Xor",
];

/// What a node is, before its inputs are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Native,
    Tensor,
    Either,
}

/// True if tract has an operator of this name, and foretell does not refuse it: tract draws random numbers.
pub(crate) fn tract_knows(op_type: &str) -> bool {
    static OPERATORS: OnceLock<HashSet<String>> = OnceLock::new();
    let operators = || tract_onnx::onnx().op_register.0.into_keys();
    let allowed = || operators().filter(|op_type| foretell_tensors::refusal("", op_type).is_empty()).collect();
    OPERATORS.get_or_init(allowed).contains(op_type)
}

/// Which nodes are lowered together, in which order. `order` is an order in which every value is written before it is read.
pub(crate) fn schedule(graph: &GraphProto, order: &[usize]) -> Vec<Work> {
    let weights: HashMap<&str, i64> = graph
        .initializer
        .iter()
        .map(|tensor| {
            (tensor.name.as_str(), tensor.dims.iter().fold(1_i64, |size, extent| size.saturating_mul(*extent)))
        })
        .collect();
    // Level and side of each value that depends on the row; constants have none.
    let inputs = graph.input.iter().map(|input| input.name.as_str()).filter(|name| !weights.contains_key(name));
    let mut values: HashMap<&str, (usize, bool)> = inputs.map(|name| (name, (0, false))).collect();
    let mut levels: BTreeMap<usize, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for &position in order {
        let node = &graph.node[position];
        let read: Vec<(usize, bool)> =
            names_read(node).into_iter().filter_map(|name| values.get(name).copied()).collect();
        let in_tensor = match kind(node, &values, &weights) {
            Kind::Native => false,
            Kind::Tensor => true,
            Kind::Either => read.iter().any(|(_, in_tensor)| *in_tensor),
        };
        let crossed = |&(level, from_tensor): &(usize, bool)| level + usize::from(from_tensor != in_tensor);
        let level = read.iter().map(crossed).max().unwrap_or(0);
        let (native, tensor) = levels.entry(level).or_default();
        if in_tensor {
            tensor.push(position)
        } else {
            native.push(position)
        }
        if !read.is_empty() {
            values.extend(node.output.iter().map(|name| (name.as_str(), (level, in_tensor))));
        }
    }
    // Within a level neither side reads the other: a value that crosses goes to a higher level.
    let mut work = Vec::with_capacity(order.len());
    for (native, tensor) in levels.into_values() {
        work.extend(native.into_iter().map(Work::Native));
        if !tensor.is_empty() {
            work.push(Work::Island(tensor));
        }
    }
    work
}

fn kind(node: &NodeProto, values: &HashMap<&str, (usize, bool)>, weights: &HashMap<&str, i64>) -> Kind {
    let op_type = node.op_type.as_str();
    let depends_on_row = names_read(node).into_iter().any(|name| values.contains_key(name));
    match node.domain.as_str() {
        "ai.onnx.ml" => return Kind::Native,
        _ if !depends_on_row => return Kind::Native,
        "" | "ai.onnx" => {}
        _ => return if tract_knows(op_type) { Kind::Tensor } else { Kind::Native },
    }
    if matches!(op_type, "MatMul" | "Gemm") {
        let factors = node.input.iter().take(2);
        let computed = factors.clone().filter(|name| values.contains_key(name.as_str())).count();
        let heavy = factors.filter_map(|name| weights.get(name.as_str())).any(|&size| size > NATIVE_WEIGHTS_MAX);
        return if computed == 2 || heavy { Kind::Tensor } else { Kind::Either };
    }
    if op_type == "Gather"
        && node.input.first().and_then(|name| weights.get(name.as_str())).is_some_and(|&size| size > NATIVE_WEIGHTS_MAX)
    {
        return Kind::Tensor;
    }
    match op_type {
        _ if NATIVE.contains(&op_type) => Kind::Native,
        _ if EITHER.contains(&op_type) => Kind::Either,
        _ if tract_knows(op_type) => Kind::Tensor,
        _ => Kind::Native,
    }
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb::{TensorProto, ValueInfoProto};

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

    #[test]
    fn a_dense_network_between_native_operators_is_one_island() {
        let graph = graph(vec![
            node("Sub", &["x", "mean"], "a"),
            node("MatMul", &["a", "large"], "b"),
            node("Relu", &["b"], "c"),
            node("MatMul", &["c", "small"], "d"),
            node("ArgMax", &["d"], "e"),
        ]);
        let work = schedule(&graph, &[0, 1, 2, 3, 4]);
        assert_eq!(work, [Work::Native(0), Work::Island(vec![1, 2, 3]), Work::Native(4)]);
    }

    #[test]
    fn an_island_has_no_native_node_between_its_nodes() {
        let graph = graph(vec![
            node("MatMul", &["x", "large"], "a"),
            node("ArgMax", &["a"], "b"),
            node("Cast", &["b"], "c"),
            node("Conv", &["a", "c"], "d"),
        ]);
        let work = schedule(&graph, &[0, 1, 2, 3]);
        assert_eq!(work, [Work::Island(vec![0]), Work::Native(1), Work::Native(2), Work::Island(vec![3])]);
    }

    #[test]
    fn small_products_stay_native() {
        let graph = graph(vec![node("MatMul", &["x", "small"], "a"), node("Softmax", &["a"], "b")]);
        assert_eq!(schedule(&graph, &[0, 1]), [Work::Native(0), Work::Native(1)]);
    }
}
