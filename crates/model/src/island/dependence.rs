//! What the steps of an island depend on: the file alone, the number of rows, or what is in the rows.
//!
//! Where a condition, the length of a loop or the extent of a tensor comes out of the rows, rows that are computed together
//! could do something to each other that no try with a few rows shows. Such an island computes one row at a time.

use std::collections::HashSet;

use tract_onnx::pb::{GraphProto, NodeProto};

use crate::onnx::names_read;

/// Operators whose results have extents that depend on elements.
const OF_ELEMENTS: &[&str] =
    &["Compress", "NonMaxSuppression", "NonZero", "StringNormalizer", "StringSplit", "Tokenizer", "Unique"];

/// What nodes have to do with the rows.
#[derive(Debug)]
pub(crate) struct Dependence<'g> {
    /// Names of values that hold elements of rows.
    pub(crate) of_rows: HashSet<&'g str>,
    /// True if what the nodes do depends on such elements.
    pub(crate) steps: bool,
}

impl<'g> Dependence<'g> {
    /// That of nodes in the order they run in; the names in `rows` come from outside and hold elements of rows.
    pub(crate) fn of(nodes: &[&'g NodeProto], rows: impl IntoIterator<Item = &'g str>) -> Self {
        let mut of_rows: HashSet<&str> = rows.into_iter().collect();
        let steps = walk(nodes.iter().copied(), &mut of_rows);
        Self { of_rows, steps }
    }
}

/// Adds to the names that hold elements of rows; true if a step depends on one of them.
fn walk<'g>(nodes: impl Iterator<Item = &'g NodeProto>, of_rows: &mut HashSet<&'g str>) -> bool {
    let mut depends = false;
    for node in nodes {
        let reads = names_read(node).into_iter().any(|name| of_rows.contains(name));
        if !reads || (node.domain.is_empty() && matches!(node.op_type.as_str(), "Shape" | "Size")) {
            continue;
        }
        depends |= step_depends(node, of_rows);
        of_rows.extend(node.output.iter().map(String::as_str).filter(|name| !name.is_empty()));
    }
    depends
}

/// A node that reads elements of rows.
fn step_depends<'g>(node: &'g NodeProto, of_rows: &HashSet<&'g str>) -> bool {
    let of_rows_at = |index: usize| node.input.get(index).is_some_and(|name| of_rows.contains(name.as_str()));
    let inputs = match node.op_type.as_str() {
        // Features that the file chooses are as many for all rows.
        "Compress" if !of_rows_at(1) => false,
        "StringNormalizer" if node.attribute.iter().all(|attribute| attribute.name != "stopwords") => false,
        op if OF_ELEMENTS.contains(&op) => return true,
        "If" => of_rows_at(0),
        "Loop" => of_rows_at(0) || of_rows_at(1),
        _ => false,
    };
    let mut bodies = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
    inputs || bodies.any(|body| body_depends(node, body, of_rows))
}

/// The body of a node, whose inputs may all hold elements of rows but for the count and the condition of a loop.
fn body_depends<'g>(node: &NodeProto, body: &'g GraphProto, of_rows: &HashSet<&'g str>) -> bool {
    let is_loop = node.op_type == "Loop";
    let mut inner = of_rows.clone();
    let inputs = body.input.iter().skip(if is_loop { 2 } else { 0 });
    inner.extend(inputs.map(|input| input.name.as_str()));
    let goes_on =
        |inner: &HashSet<&str>| body.output.first().is_some_and(|output| inner.contains(output.name.as_str()));
    walk(body.node.iter(), &mut inner) || (is_loop && goes_on(&inner))
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb::{AttributeProto, ValueInfoProto};

    use super::*;

    fn node(op_type: &str, input: &[&str], output: &str) -> NodeProto {
        NodeProto {
            op_type: op_type.to_string(),
            input: input.iter().map(|name| (*name).to_string()).collect(),
            output: vec![output.to_string()],
            ..NodeProto::default()
        }
    }

    fn depends(nodes: &[NodeProto]) -> bool {
        Dependence::of(&nodes.iter().collect::<Vec<_>>(), ["x"]).steps
    }

    #[test]
    fn a_shape_is_no_element() {
        assert!(depends(&[node("NonZero", &["x"], "y")]));
        assert!(!depends(&[node("Shape", &["x"], "s"), node("NonZero", &["s"], "y")]));
        assert!(depends(&[node("ReduceMax", &["x"], "m"), node("Greater", &["m", "c"], "b"), node("If", &["b"], "y")]));
    }

    #[test]
    fn a_loop_depends_on_what_its_condition_is_made_of() {
        let value = |name: &str| ValueInfoProto { name: name.to_string(), ..ValueInfoProto::default() };
        let with_condition = |condition: &str| {
            let body = GraphProto {
                input: ["i", "on", "state"].map(value).to_vec(),
                node: vec![node("Less", &["state", "limit"], "small"), node("Less", &["i", "limit"], "early")],
                output: [condition, "state"].map(value).to_vec(),
                ..GraphProto::default()
            };
            let attribute = AttributeProto { name: "body".to_string(), g: Some(body), ..AttributeProto::default() };
            NodeProto { attribute: vec![attribute], ..node("Loop", &["n", "", "x"], "y") }
        };
        assert!(!depends(&[with_condition("on")]));
        assert!(!depends(&[with_condition("early")]));
        assert!(depends(&[with_condition("small")]));
    }
}
