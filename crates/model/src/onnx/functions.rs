//! Local functions: every call is replaced by the nodes of the function, before anything else looks at the graph.
//!
//! Values of a body get names that no file has, attributes that a body refers to get the values of the call, and a body that
//! asks for another version of an operator set than the model keeps it. Overloads are functions of different names. An
//! operator that foretell has is never replaced, as in ONNX Runtime.

use std::collections::{HashMap, HashSet};

use prost::Message;
use tract_onnx::pb::{AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto};

use super::decode::malformed;
use super::graph::unique;
use super::opsets::{Opsets, plain};
use crate::error::Result;
use crate::island;
use crate::limits::Limits;

/// Bytes of a copied node that count as one part of the file.
const PART_BYTES: u64 = 1024;

/// What the messages of tract leave out of functions and calls.
mod outline {
    use prost::Message;
    use tract_onnx::pb::AttributeProto;

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Model {
        #[prost(message, optional, tag = "7")]
        pub(super) graph: Option<Graph>,
        #[prost(message, repeated, tag = "25")]
        pub(super) functions: Vec<Function>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Graph {
        #[prost(message, repeated, tag = "1")]
        pub(super) node: Vec<Node>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Function {
        #[prost(message, repeated, tag = "7")]
        pub(super) node: Vec<Node>,
        /// Attributes with a value for calls that give none.
        #[prost(message, repeated, tag = "11")]
        pub(super) attribute_proto: Vec<AttributeProto>,
        #[prost(string, tag = "13")]
        pub(super) overload: String,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Node {
        #[prost(message, repeated, tag = "5")]
        pub(super) attribute: Vec<Bodies>,
        #[prost(string, tag = "8")]
        pub(super) overload: String,
    }

    /// The graphs in an attribute.
    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Bodies {
        #[prost(message, optional, tag = "6")]
        pub(super) g: Option<Graph>,
        #[prost(message, repeated, tag = "11")]
        pub(super) graphs: Vec<Graph>,
    }
}

/// A model without functions, from the bytes it was decoded from, and the versions its nodes ask for.
pub(crate) fn inlined(bytes: &[u8], mut model: ModelProto, limits: &Limits) -> Result<(ModelProto, Opsets)> {
    let opsets = Opsets::new(&model);
    if model.functions.is_empty() {
        return Ok((model, opsets));
    }
    let outline = outline::Model::decode(bytes);
    let outline = outline.map_err(|error| malformed(format!("its functions cannot be read ({error})")))?;
    if outline.functions.iter().any(|function| !function.overload.is_empty()) {
        name_overloads(&mut model, &outline);
    }
    let protos = std::mem::take(&mut model.functions);
    let Some(graph) = model.graph.take() else { return Ok((model, opsets)) };
    let functions = functions(&protos, outline.functions)?;
    let mark = unused_mark(&graph, &protos);
    let (calls, nodes, parts, depth) = (0, 0, 0, 0);
    let mut inliner =
        Inliner { functions: &functions, mark, limits, opsets, calls, nodes, parts, open: Vec::new(), depth };
    model.graph = Some(inliner.graph(graph, &Place::default())?);
    Ok((model, inliner.opsets))
}

/// A function, by what a call of it needs.
struct Function<'f> {
    proto: &'f FunctionProto,
    /// Values of attributes that a call leaves out.
    defaults: Vec<AttributeProto>,
    /// Versions of the operator sets of its body.
    imports: HashMap<&'f str, i64>,
}

/// Domain and name of an operator or a function.
fn identity(domain: &str, name: &str) -> String {
    format!("{}.{name}", plain(domain))
}

/// Gives every overload of a function a name of its own, and its calls that name.
fn name_overloads(model: &mut ModelProto, outline: &outline::Model) {
    for (function, outline) in model.functions.iter_mut().zip(&outline.functions) {
        if !outline.overload.is_empty() {
            function.name = Some(overloaded(function.name(), &outline.overload));
        }
        name_calls(&mut function.node, &outline.node);
    }
    if let (Some(graph), Some(outline)) = (&mut model.graph, &outline.graph) {
        name_calls(&mut graph.node, &outline.node);
    }
}

fn name_calls(nodes: &mut [NodeProto], outlines: &[outline::Node]) {
    for (node, outline) in nodes.iter_mut().zip(outlines) {
        if !outline.overload.is_empty() {
            node.op_type = overloaded(&node.op_type, &outline.overload);
        }
        for (attribute, outline) in node.attribute.iter_mut().zip(&outline.attribute) {
            let graphs = attribute.g.iter_mut().chain(&mut attribute.graphs);
            let outlines = outline.g.iter().chain(&outline.graphs);
            graphs.zip(outlines).for_each(|(graph, outline)| name_calls(&mut graph.node, &outline.node));
        }
    }
}

fn overloaded(name: &str, overload: &str) -> String {
    format!("{name} ({overload})")
}

/// The functions by their identities.
fn functions(protos: &[FunctionProto], outlines: Vec<outline::Function>) -> Result<HashMap<String, Function<'_>>> {
    let mut functions = HashMap::with_capacity(protos.len());
    for (proto, outline) in protos.iter().zip(outlines) {
        let imports = proto.opset_import.iter().map(|import| (plain(&import.domain), import.version)).collect();
        let function = Function { proto, defaults: outline.attribute_proto, imports };
        if let Some(function) = functions.insert(identity(proto.domain(), proto.name()), function) {
            let (domain, name) = (function.proto.domain(), function.proto.name());
            return Err(malformed(format!("function `{domain}.{name}` is there twice")));
        }
    }
    Ok(functions)
}

/// What tells the names made here from those of the file: it occurs in none of them.
fn unused_mark(graph: &GraphProto, functions: &[FunctionProto]) -> String {
    let mut longest = 0;
    let mut look = |name: &str| {
        let runs = name.split(|letter| letter != '#').map(str::len);
        longest = longest.max(runs.max().unwrap_or(0));
    };
    each_name(graph, &mut look);
    for function in functions {
        look(function.name());
        function.input.iter().chain(&function.output).for_each(|name| look(name));
        function.node.iter().for_each(|node| names_of_node(node, &mut look));
    }
    "#".repeat(longest + 1)
}

fn each_name(graph: &GraphProto, look: &mut dyn FnMut(&str)) {
    graph.input.iter().chain(&graph.output).for_each(|value| look(&value.name));
    graph.initializer.iter().for_each(|tensor| look(&tensor.name));
    graph.node.iter().for_each(|node| names_of_node(node, look));
}

fn names_of_node(node: &NodeProto, look: &mut dyn FnMut(&str)) {
    node.input.iter().chain(&node.output).for_each(|name| look(name));
    node.attribute.iter().flat_map(|one| one.g.iter().chain(&one.graphs)).for_each(|graph| each_name(graph, look));
}

/// Where a node stands: what its names and attributes mean there. Nothing in front of names is the model's own graph.
#[derive(Clone, Default)]
struct Place<'p> {
    /// What the names of the function's own values get in front.
    prefix: String,
    /// The values of the call behind the names of the function.
    bound: HashMap<&'p str, String>,
    /// Attributes of the call, and defaults.
    attributes: HashMap<&'p str, &'p AttributeProto>,
    /// Versions that the function asks for.
    imports: Option<&'p HashMap<&'p str, i64>>,
}

impl Place<'_> {
    fn value(&self, name: &str) -> String {
        match self.bound.get(name) {
            Some(value) => value.clone(),
            None if name.is_empty() => String::new(),
            None => format!("{}{name}", self.prefix),
        }
    }

    /// An attribute, with its value if it refers to one of the call; `None` when neither the call nor the function has one.
    fn attribute(&self, attribute: AttributeProto) -> Option<AttributeProto> {
        if attribute.ref_attr_name.is_empty() {
            return Some(attribute);
        }
        let value = self.attributes.get(attribute.ref_attr_name.as_str())?;
        Some(AttributeProto { name: attribute.name, ..AttributeProto::clone(value) })
    }

    /// The inside of a graph with these nodes, whose own values hide those of the function.
    fn within(&self, graph: &GraphProto, nodes: &[NodeProto]) -> Self {
        let mut inner = self.clone();
        if !inner.bound.is_empty() {
            let inputs = graph.input.iter().map(|value| value.name.as_str());
            let constants = graph.initializer.iter().map(|tensor| tensor.name.as_str());
            let written = nodes.iter().flat_map(|node| node.output.iter().map(String::as_str));
            let own: HashSet<&str> = inputs.chain(constants).chain(written).collect();
            inner.bound.retain(|name, _| !own.contains(name));
        }
        inner
    }
}

struct Inliner<'f> {
    functions: &'f HashMap<String, Function<'f>>,
    mark: String,
    limits: &'f Limits,
    opsets: Opsets,
    calls: u64,
    nodes: u64,
    parts: u64,
    /// The functions around the present node, the outermost first.
    open: Vec<&'f str>,
    /// Depth of graphs within each other.
    depth: u64,
}

impl<'f> Inliner<'f> {
    fn graph(&mut self, mut graph: GraphProto, place: &Place) -> Result<GraphProto> {
        self.depth += 1;
        Limits::check("nested graphs", "graph_depth", self.depth, self.limits.graph_depth)?;
        let nodes = std::mem::take(&mut graph.node);
        let place = place.within(&graph, &nodes);
        for value in graph.input.iter_mut().chain(&mut graph.output) {
            value.name = place.value(&value.name);
        }
        for tensor in &mut graph.initializer {
            tensor.name = place.value(&tensor.name);
        }
        graph.node = Vec::with_capacity(nodes.len());
        for node in nodes {
            self.node(node, &place, &mut graph.node)?;
        }
        self.depth -= 1;
        Ok(graph)
    }

    /// Appends a node of this place, or the nodes of the function that it calls.
    fn node(&mut self, mut node: NodeProto, place: &Place, nodes: &mut Vec<NodeProto>) -> Result<()> {
        self.nodes += 1;
        Limits::check("nodes with its functions in place", "nodes", self.nodes, self.limits.nodes)?;
        if !place.prefix.is_empty() {
            self.parts += node.encoded_len() as u64 / PART_BYTES + 1 + node.attribute.len() as u64;
            Limits::check("parts with its functions in place", "messages", self.parts, self.limits.messages)?;
            node.name.insert_str(0, &place.prefix);
            node.input.iter_mut().chain(&mut node.output).for_each(|name| *name = place.value(name));
            node.attribute = node.attribute.into_iter().filter_map(|attribute| place.attribute(attribute)).collect();
        }
        for attribute in &mut node.attribute {
            if let Some(graph) = attribute.g.take() {
                attribute.g = Some(self.graph(graph, place)?);
            }
            for graph in &mut attribute.graphs {
                *graph = self.graph(std::mem::take(graph), place)?;
            }
        }
        let called = self.functions.get_key_value(&identity(&node.domain, &node.op_type));
        if let Some((identity, function)) = called.filter(|_| !island::is_known(&node)) {
            self.open(identity)?;
            self.call(&node, function, nodes)?;
            self.open.pop();
            return Ok(());
        }
        if let Some(&version) = place.imports.and_then(|imports| imports.get(plain(&node.domain))) {
            self.opsets.note(&node, version);
        }
        nodes.push(node);
        Ok(())
    }

    /// Enters a function, which must not be entered already.
    fn open(&mut self, identity: &'f str) -> Result<()> {
        if self.open.contains(&identity) {
            let names = self.open.iter().chain([&identity]).map(|identity| format!("`{identity}`"));
            let way = names.collect::<Vec<_>>().join(" calls ");
            return Err(malformed(format!("a function calls itself: {way}; ONNX has no recursion")));
        }
        self.open.push(identity);
        let depth = self.open.len() as u64;
        Limits::check("functions that call each other", "graph_depth", depth, self.limits.graph_depth)
    }

    /// Appends the nodes of a function in the place of a call.
    fn call(&mut self, call: &NodeProto, function: &Function<'f>, nodes: &mut Vec<NodeProto>) -> Result<()> {
        let proto = function.proto;
        let what = || format!("function `{}.{}` (node `{}`)", proto.domain(), proto.name(), call.name);
        let (inputs, outputs) = (call.input.len(), call.output.len());
        if inputs > proto.input.len() || outputs > proto.output.len() {
            return Err(malformed(format!(
                "{} takes {} values and gives {}, it is called with {inputs} and {outputs}",
                what(),
                proto.input.len(),
                proto.output.len()
            )));
        }
        unique(what(), proto.input.iter().map(String::as_str))?;
        self.calls += 1;
        let prefix = format!("{}{}{}/", proto.name(), self.mark, self.calls);
        let given = call.input.iter().map(String::as_str).chain(std::iter::repeat(""));
        let mut bound: HashMap<&str, String> =
            proto.input.iter().map(String::as_str).zip(given.map(str::to_string)).collect();
        let written: HashSet<&str> =
            proto.node.iter().flat_map(|node| node.output.iter().map(String::as_str)).collect();
        let mut repeated = Vec::new();
        for (name, value) in proto.output.iter().zip(&call.output).filter(|(_, value)| !value.is_empty()) {
            match bound.contains_key(name.as_str()) {
                // An input that is an output as well, or an output that is there twice.
                true => repeated.push((name.as_str(), value)),
                false if written.contains(name.as_str()) => {
                    bound.insert(name, value.clone());
                }
                false => return Err(malformed(format!("{}: nothing writes its output `{name}`", what()))),
            }
        }
        let own = call.attribute.iter().chain(&function.defaults);
        let mut attributes = HashMap::new();
        for attribute in own {
            attributes.entry(attribute.name.as_str()).or_insert(attribute);
        }
        let place = Place { prefix, bound, attributes, imports: Some(&function.imports) };
        for node in &proto.node {
            self.node(node.clone(), &place, nodes)?;
        }
        for (name, value) in repeated {
            nodes.push(NodeProto {
                name: value.clone(),
                op_type: "Identity".to_string(),
                input: vec![place.value(name)],
                output: vec![value.clone()],
                ..NodeProto::default()
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb::{OperatorSetIdProto, ValueInfoProto};

    use super::*;

    fn node(domain: &str, op_type: &str, input: &[&str], output: &[&str]) -> NodeProto {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect();
        NodeProto {
            domain: domain.to_string(),
            op_type: op_type.to_string(),
            input: names(input),
            output: names(output),
            ..NodeProto::default()
        }
    }

    fn opset(domain: &str, version: i64) -> OperatorSetIdProto {
        OperatorSetIdProto { domain: domain.to_string(), version }
    }

    fn function(output: &[&str], node: Vec<NodeProto>) -> FunctionProto {
        FunctionProto {
            name: Some("F".to_string()),
            domain: Some("local".to_string()),
            input: vec!["a".to_string()],
            output: output.iter().map(|name| (*name).to_string()).collect(),
            node,
            opset_import: vec![opset("", 12)],
            ..FunctionProto::default()
        }
    }

    fn inlined_nodes(functions: Vec<FunctionProto>, node: Vec<NodeProto>) -> (Vec<NodeProto>, Opsets) {
        let value = |name: &str| ValueInfoProto { name: name.to_string(), ..ValueInfoProto::default() };
        let graph = GraphProto { node, input: vec![value("x")], ..GraphProto::default() };
        let opset_import = vec![opset("", 18), opset("local", 1)];
        let model = ModelProto { graph: Some(graph), functions, opset_import, ..ModelProto::default() };
        let bytes = model.encode_to_vec();
        let (model, opsets) = inlined(&bytes, model, &Limits::default()).expect("a sound model");
        (model.graph.expect("a graph").node, opsets)
    }

    #[test]
    fn a_body_keeps_its_operator_set() {
        let body = vec![node("", "Softmax", &["a"], &["t"]), node("", "Relu", &["t"], &["b"])];
        let call = vec![node("", "Softmax", &["x"], &["s"]), node("local", "F", &["s"], &["y"])];
        let (nodes, opsets) = inlined_nodes(vec![function(&["b"], body)], call);
        assert_eq!(nodes.iter().map(|node| opsets.of(node)).collect::<Vec<_>>(), [18, 12, 12]);
        assert_eq!((&nodes[1].input, &nodes[2].output), (&vec!["s".to_string()], &vec!["y".to_string()]));
        assert_eq!(nodes[1].output, nodes[2].input);
    }

    #[test]
    fn a_call_for_each_time_has_names_of_its_own() {
        let body = vec![node("", "Neg", &["a"], &["t"]), node("", "Abs", &["t"], &["b"])];
        // As if the file had been inlined before.
        let calls = vec![node("local", "F", &["x"], &["F#1/t"]), node("local", "F", &["F#1/t"], &["y"])];
        let (nodes, _) = inlined_nodes(vec![function(&["b"], body)], calls);
        let written: HashSet<&String> = nodes.iter().flat_map(|node| &node.output).collect();
        assert_eq!((nodes.len(), written.len()), (4, 4));
    }

    #[test]
    fn an_output_that_is_an_input_or_another_output_is_a_copy() {
        let body = vec![node("", "Abs", &["a"], &["b"])];
        let call = vec![node("local", "F", &["x"], &["u", "v", "w"])];
        let (nodes, _) = inlined_nodes(vec![function(&["a", "b", "b"], body)], call);
        let kinds: Vec<(&str, &str, &str)> =
            nodes.iter().map(|node| (node.op_type.as_str(), node.input[0].as_str(), node.output[0].as_str())).collect();
        assert_eq!(kinds, [("Abs", "x", "v"), ("Identity", "x", "u"), ("Identity", "v", "w")]);
    }

    #[test]
    fn an_operator_that_foretell_has_is_not_replaced() {
        let body = vec![node("", "Neg", &["a"], &["b"])];
        let relu = FunctionProto { name: Some("Relu".to_string()), domain: None, ..function(&["b"], body) };
        let (nodes, _) = inlined_nodes(vec![relu], vec![node("", "Relu", &["x"], &["y"])]);
        assert_eq!(nodes[0].op_type, "Relu");
    }
}
