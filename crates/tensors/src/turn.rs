//! Weights that are given transposed, turned once instead of whenever they are multiplied.
//!
//! Deep-learning libraries write a dense layer as a `Gemm` with `transB`. Few rows would spend more time on turning its weights
//! than on multiplying. Weights that others read, too, and those of bodies stay as they are, so that they are never there twice.

use std::collections::{HashMap, HashSet};

use crate::graph::{Attribute, Graph, Node};
use crate::tensor::{Data, Tensor};
use crate::value::Value;

/// The graph with the transposed weights of its products turned.
pub(crate) fn turned(mut graph: Graph) -> Graph {
    let has_body = |attribute: &Attribute| matches!(attribute, Attribute::Graph(_));
    if graph.nodes.iter().any(|node| node.attributes.values().any(has_body)) {
        return graph;
    }
    let mut readers: HashMap<&str, usize> = HashMap::new();
    let read = graph.nodes.iter().flat_map(|node| &node.inputs).chain(&graph.outputs);
    read.for_each(|name| *readers.entry(name).or_default() += 1);
    // A name that somebody else gives a value is not the constant's.
    let others: HashSet<&String> =
        graph.inputs.iter().chain(graph.nodes.iter().flat_map(|node| &node.outputs)).collect();
    let own = graph.constants.iter().enumerate().filter(|(_, (name, _))| !others.contains(name));
    let places: HashMap<&str, usize> = own.map(|(at, (name, _))| (name.as_str(), at)).collect();
    let mut found = Vec::new();
    for (node, product) in graph.nodes.iter().enumerate().filter(|(_, node)| has_turned_weights(node)) {
        let name = product.inputs.get(1).map_or("", String::as_str);
        if readers.get(name) == Some(&1)
            && let Some(&constant) = places.get(name)
        {
            found.push((node, constant));
        }
    }
    for (node, constant) in found {
        if let Some(turned) = graph.constants[constant].1.tensor().and_then(transposed) {
            graph.constants[constant].1 = Value::from(turned);
            graph.nodes[node].attributes.remove("transB");
        }
    }
    graph
}

fn has_turned_weights(node: &Node) -> bool {
    let is_turned = matches!(node.attributes.get("transB"), Some(Attribute::Int(flag)) if *flag != 0);
    is_turned && node.op_type == "Gemm" && matches!(node.domain.as_str(), "" | "ai.onnx")
}

/// A matrix of single precision with its rows as columns.
fn transposed(matrix: &Tensor) -> Option<Tensor> {
    let (&[rows, columns], values) = (matrix.shape(), matrix.values::<f32>()?) else { return None };
    let mut turned = Vec::with_capacity(values.len());
    for column in 0..columns {
        turned.extend(values.iter().skip(column).step_by(columns));
    }
    Tensor::try_new(vec![columns, rows], Data::F32(turned)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(weights: &str, output: &str) -> Node {
        Node {
            op_type: "Gemm".to_string(),
            opset: 17,
            inputs: vec!["x".to_string(), weights.to_string()],
            outputs: vec![output.to_string()],
            attributes: HashMap::from([("transB".to_string(), Attribute::Int(1))]),
            ..Node::default()
        }
    }

    #[test]
    fn weights_that_the_caller_gives_are_not_turned() {
        let weights = Tensor::try_new(vec![1, 2], Data::F32(vec![1.0, 2.0])).expect("two");
        let graph = Graph {
            inputs: vec!["x".to_string(), "own".to_string()],
            constants: vec![("own".to_string(), Value::from(weights))],
            nodes: vec![product("own", "a")],
            outputs: vec!["a".to_string()],
            ..Graph::default()
        };
        let graph = turned(graph);
        assert!(graph.nodes[0].attributes.contains_key("transB"));
        assert_eq!(graph.constants[0].1.tensor().map(Tensor::shape), Some(&[1, 2][..]));
    }

    #[test]
    fn weights_of_one_reader_are_turned_and_others_stay() {
        let weights = Tensor::try_new(vec![2, 3], Data::F32(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])).expect("six");
        let constant = |name: &str| (name.to_string(), Value::from(weights.clone()));
        let graph = Graph {
            inputs: vec!["x".to_string()],
            constants: vec![constant("own"), constant("shared")],
            nodes: vec![product("own", "a"), product("shared", "b"), product("shared", "c")],
            outputs: vec!["a".to_string(), "b".to_string(), "c".to_string()],
            ..Graph::default()
        };
        let graph = turned(graph);
        let own = graph.constants[0].1.tensor().expect("a tensor");
        assert_eq!((own.shape(), own.values::<f32>()), (&[3, 2][..], Some(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0][..])));
        assert_eq!(graph.constants[1].1.tensor().map(Tensor::shape), Some(&[2, 3][..]));
        let flags: Vec<bool> = graph.nodes.iter().map(|node| node.attributes.contains_key("transB")).collect();
        assert_eq!(flags, [false, true, true]);
    }
}
