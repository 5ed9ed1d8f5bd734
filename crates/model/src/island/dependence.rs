//! What the steps of an island depend on: the file alone, the number of rows, or what is in the rows.
//!
//! Where a condition, the length of a loop or the extent of a tensor comes out of the rows, rows that are computed together
//! could do something to each other that no try with a few rows shows. So they could where numbers are made of the number of
//! rows, or of a row's place among them: the tenth row may be treated in another way than the first five. Such an island
//! computes one row at a time.

use std::collections::HashSet;

use tract_onnx::pb::{GraphProto, NodeProto};

use crate::onnx::names_read;

/// Operators whose results have extents that depend on elements.
const OF_ELEMENTS: &[&str] =
    &["Compress", "NonMaxSuppression", "NonZero", "StringNormalizer", "StringSplit", "Tokenizer", "Unique"];

/// Operators whose elements depend on where they stand, however many places there are.
const OF_PLACES: &[&str] = &["EyeLike", "Range", "Trilu"];

/// Whether an operator makes elements of their places.
pub(crate) fn is_of_places(node: &NodeProto) -> bool {
    OF_PLACES.contains(&node.op_type.as_str())
}

/// What nodes have to do with the rows.
#[derive(Debug)]
pub(crate) struct Dependence<'g> {
    /// Names of values that hold elements of rows.
    pub(crate) of_rows: HashSet<&'g str>,
    /// True if what the nodes do depends on such elements, on how many rows there are, or on their places.
    pub(crate) steps: bool,
}

impl<'g> Dependence<'g> {
    /// That of nodes in the order they run in. The names in `rows` come from outside and hold elements of rows, those in
    /// `extents` shapes with the number of rows.
    pub(crate) fn of(
        nodes: &[&'g NodeProto],
        rows: impl IntoIterator<Item = &'g str>,
        extents: impl IntoIterator<Item = &'g str>,
    ) -> Self {
        let of_extents = extents.into_iter().collect();
        let mut names = Names { of_rows: rows.into_iter().collect(), of_extents, filled: HashSet::new() };
        let steps = names.walk(nodes.iter().copied());
        Self { of_rows: names.of_rows, steps }
    }
}

/// What values hold, by their names.
#[derive(Debug, Clone)]
struct Names<'g> {
    /// Elements of rows.
    of_rows: HashSet<&'g str>,
    /// Extents of other values, among which the number of rows may be.
    of_extents: HashSet<&'g str>,
    /// Elements of the file, over and over for as many rows as there are.
    filled: HashSet<&'g str>,
}

impl<'g> Names<'g> {
    /// Adds the names that nodes write; true if a step depends on rows.
    fn walk(&mut self, nodes: impl Iterator<Item = &'g NodeProto>) -> bool {
        let mut depends = false;
        for node in nodes {
            let read = names_read(node);
            let reads = |names: &HashSet<&str>| read.iter().any(|name| names.contains(name));
            let (rows, extents, filled) = (reads(&self.of_rows), reads(&self.of_extents), reads(&self.filled));
            if !rows && !extents && !filled {
                continue;
            }
            let asks_for_extents = node.domain.is_empty() && matches!(node.op_type.as_str(), "Shape" | "Size");
            depends |= !asks_for_extents && self.step_depends(node);
            let fills = filled || matches!(node.op_type.as_str(), "ConstantOfShape" | "Expand");
            let written = match (rows, fills) {
                _ if asks_for_extents => &mut self.of_extents,
                (true, _) => &mut self.of_rows,
                (false, true) => &mut self.filled,
                (false, false) => &mut self.of_extents,
            };
            written.extend(node.output.iter().map(String::as_str).filter(|name| !name.is_empty()));
        }
        depends
    }

    /// A node that reads something of the rows.
    fn step_depends(&self, node: &'g NodeProto) -> bool {
        let holds =
            |names: &HashSet<&str>, at: usize| node.input.get(at).is_some_and(|name| names.contains(name.as_str()));
        let elements_at = |at: usize| holds(&self.of_rows, at) || holds(&self.filled, at);
        let any_at = |at: usize| elements_at(at) || holds(&self.of_extents, at);
        let inputs = match node.op_type.as_str() {
            // Features that the file chooses are as many for all rows.
            "Compress" if !any_at(1) => false,
            "StringNormalizer" if node.attribute.iter().all(|attribute| attribute.name != "stopwords") => false,
            op if OF_PLACES.contains(&op) => return true,
            op if OF_ELEMENTS.contains(&op) => return (0..node.input.len()).any(elements_at),
            "If" => any_at(0),
            "Loop" => any_at(0) || any_at(1),
            _ => self.mixes_extents(node),
        };
        let mut bodies = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
        inputs || bodies.any(|body| self.body_depends(node, body))
    }

    /// Whether extents become elements of rows: they do, unless they say what shape a value gets.
    fn mixes_extents(&self, node: &NodeProto) -> bool {
        let is_shape = |at: usize| match node.op_type.as_str() {
            "Expand" | "Pad" | "Reshape" | "Slice" | "Split" | "Tile" => at > 0,
            "Resize" => at > 1,
            _ => false,
        };
        let reads_rows = node.input.iter().any(|name| self.of_rows.contains(name.as_str()));
        let is_mixed =
            |(at, name): (usize, &String)| self.of_extents.contains(name.as_str()) && reads_rows && !is_shape(at);
        node.input.iter().enumerate().any(is_mixed)
    }

    /// The body of a node, whose inputs may all hold elements of rows but for the count and the condition of a loop.
    fn body_depends(&self, node: &NodeProto, body: &'g GraphProto) -> bool {
        let is_loop = node.op_type == "Loop";
        let mut inner = self.clone();
        let inputs = body.input.iter().skip(if is_loop { 2 } else { 0 });
        inner.of_rows.extend(inputs.map(|input| input.name.as_str()));
        let depends = inner.walk(body.node.iter());
        let goes_on = body.output.first().is_some_and(|output| inner.of_rows.contains(output.name.as_str()));
        depends || (is_loop && goes_on)
    }
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
        Dependence::of(&nodes.iter().collect::<Vec<_>>(), ["x"], []).steps
    }

    #[test]
    fn a_shape_is_no_element() {
        assert!(depends(&[node("NonZero", &["x"], "y")]));
        assert!(!depends(&[node("Shape", &["x"], "s"), node("NonZero", &["s"], "y")]));
        assert!(!depends(&[
            node("Shape", &["x"], "s"),
            node("Mul", &["s", "c"], "t"),
            node("Expand", &["x", "t"], "y")
        ]));
        assert!(depends(&[node("ReduceMax", &["x"], "m"), node("Greater", &["m", "c"], "b"), node("If", &["b"], "y")]));
    }

    #[test]
    fn elements_that_are_made_of_places_or_of_the_number_of_rows_are_steps() {
        assert!(depends(&[node("EyeLike", &["x"], "y")]));
        assert!(depends(&[node("Size", &["x"], "n"), node("Range", &["c", "n", "c"], "y")]));
        assert!(depends(&[
            node("Shape", &["x"], "s"),
            node("Greater", &["s", "c"], "b"),
            node("Where", &["b", "x", "c"], "y")
        ]));
        assert!(depends(&[node("Size", &["x"], "n"), node("Loop", &["n", "", "x"], "y")]));
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
