//! The order of evaluation: names are resolved, nodes sorted, cycles and undefined names refused.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;

use tract_onnx::pb::{GraphProto, NodeProto};

use super::decode::malformed;
use crate::error::Result;

/// Positions of a graph's nodes in an order in which every value is written before it is read; the file's order where
/// it is one. `outer` tells which names the graph finds outside.
pub(crate) fn sorted_nodes(graph: &GraphProto, outer: &dyn Fn(&str) -> bool) -> Result<Vec<usize>> {
    let mut given = unique("input", graph.input.iter().map(|input| input.name.as_str()))?;
    // Files of the first versions have constants among the inputs as well.
    given.extend(unique("constant", graph.initializer.iter().map(|tensor| tensor.name.as_str()))?);
    let mut producers: HashMap<&str, usize> = HashMap::new();
    for (position, node) in graph.node.iter().enumerate() {
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            if given.contains(output.as_str()) || producers.insert(output, position).is_some() {
                return Err(malformed(format!("value `{output}` is written twice")));
            }
        }
    }
    let mut waiting = vec![0_usize; graph.node.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); graph.node.len()];
    for (position, node) in graph.node.iter().enumerate() {
        for name in names_read(node) {
            if let Some(&producer) = producers.get(name) {
                readers[producer].push(position);
                waiting[position] += 1;
            } else if !given.contains(name) && !outer(name) {
                return Err(malformed(format!(
                    "node {} reads `{name}`, which nothing writes",
                    describe(node, position)
                )));
            }
        }
    }
    kahn(graph, waiting, &readers)
}

/// The names, or numbers, each of which is there once.
pub(crate) fn unique<T: Copy + Display + Eq + Hash>(
    what: impl Display,
    names: impl Iterator<Item = T>,
) -> Result<HashSet<T>> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(malformed(format!("{what} `{name}` is there twice")));
        }
    }
    Ok(seen)
}

fn kahn(graph: &GraphProto, mut waiting: Vec<usize>, readers: &[Vec<usize>]) -> Result<Vec<usize>> {
    let ready = (0..waiting.len()).filter(|&position| waiting[position] == 0).map(Reverse);
    let mut ready: BinaryHeap<Reverse<usize>> = ready.collect();
    let mut order = Vec::with_capacity(waiting.len());
    while let Some(Reverse(position)) = ready.pop() {
        order.push(position);
        for &reader in &readers[position] {
            waiting[reader] -= 1;
            if waiting[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    match waiting.iter().position(|&inputs| inputs > 0) {
        Some(stuck) => Err(malformed(format!("node {} waits for its own output", describe(&graph.node[stuck], stuck)))),
        None => Ok(order),
    }
}

/// Names a node reads, those its subgraphs take from outside included.
pub(crate) fn names_read(node: &NodeProto) -> Vec<&str> {
    let mut names: Vec<&str> = node.input.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
    for graph in node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)) {
        names.extend(names_captured(graph));
    }
    names
}

fn names_captured(graph: &GraphProto) -> Vec<&str> {
    let inner: HashSet<&str> = graph
        .input
        .iter()
        .map(|input| input.name.as_str())
        .chain(graph.initializer.iter().map(|tensor| tensor.name.as_str()))
        .chain(graph.node.iter().flat_map(|node| node.output.iter().map(String::as_str)))
        .collect();
    let read = graph.node.iter().flat_map(names_read);
    let returned = graph.output.iter().map(|output| output.name.as_str());
    read.chain(returned).filter(|name| !inner.contains(name)).collect()
}

fn describe(node: &NodeProto, position: usize) -> String {
    if node.name.is_empty() { format!("{position} ({})", node.op_type) } else { format!("`{}`", node.name) }
}
