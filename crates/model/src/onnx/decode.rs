//! Bytes to a checked protobuf message: what is not an ONNX model is told apart, what is too large is refused.
//!
//! Nothing here looks at the meaning of operators.

use std::collections::HashSet;

use prost::Message;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto};

use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::onnx::fact::{RANK_MAX, span};
use crate::onnx::graph::unique;
use crate::onnx::{sparse, wire};

/// The newest file format version this reader was checked with.
const IR_VERSION_MAX: i64 = 14;
/// The newest version of the default operator set this reader was checked with.
const OPSET_MAX: i64 = 28;
/// The newest version of the ai.onnx.ml operator set this reader was checked with.
const ML_OPSET_MAX: i64 = 5;

/// An error about the file's contents.
pub(crate) fn malformed(what: impl Into<String>) -> Error {
    Error::Malformed { format: "ONNX", what: what.into() }
}

/// Decodes a model and checks everything that can be checked without knowing operators.
pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<ModelProto> {
    wire::check(bytes, limits)?;
    let mut model = ModelProto::decode(bytes).map_err(|error| decode_error(bytes, &error))?;
    let Some(graph) = &model.graph else {
        return Err(malformed("a protocol buffer, but without a graph; export the model with its graph"));
    };
    if model.ir_version == 0 && model.opset_import.is_empty() {
        return Err(malformed("a protocol buffer, but without IR version and operator sets"));
    }
    check_versions(&model)?;
    let mut budget = Budget { limits, domains: domains(&model.opset_import).collect(), string_bytes: 0 };
    budget.graph(graph, 1)?;
    for function in &model.functions {
        budget.domains.extend(domains(&function.opset_import));
        budget.nodes(&function.node, 1)?;
    }
    sparse::make_dense(&mut model, limits)?;
    Ok(model)
}

fn decode_error(bytes: &[u8], error: &prost::DecodeError) -> Error {
    let text = error.to_string();
    if bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
        return malformed("the file is text, not a protocol buffer");
    }
    let truncated = text.contains("buffer underflow") || text.contains("delimited length exceeded");
    let starts_like_onnx = matches!(bytes, [0x08, version, ..] if i64::from(*version) <= IR_VERSION_MAX);
    if truncated && starts_like_onnx {
        return malformed(format!("the file ends early, after {} bytes; copy it again", bytes.len()));
    }
    if text.contains("recursion limit") {
        return malformed("messages are nested too deeply");
    }
    let reason = text.split_once("message: ").map_or(text.as_str(), |(_, reason)| reason);
    malformed(format!("not a protocol buffer of ONNX ({reason})"))
}

fn check_versions(model: &ModelProto) -> Result<()> {
    if model.ir_version > IR_VERSION_MAX {
        return Err(malformed(format!(
            "IR version {} is newer than {IR_VERSION_MAX}, the newest one known; export the model with an older `ir_version`",
            model.ir_version
        )));
    }
    for import in &model.opset_import {
        let newest = match import.domain.as_str() {
            "" | "ai.onnx" => OPSET_MAX,
            "ai.onnx.ml" => ML_OPSET_MAX,
            _ => continue,
        };
        if import.version > newest {
            let domain = if import.domain.is_empty() { "ai.onnx" } else { &import.domain };
            return Err(malformed(format!(
                "operator set `{domain}` {} is newer than {newest}, the newest one known; export the model with an older `target_opset`",
                import.version
            )));
        }
    }
    Ok(())
}

/// The operator sets that a model or a function names.
fn domains(imports: &[OperatorSetIdProto]) -> impl Iterator<Item = &str> {
    imports.iter().map(|import| plain_domain(&import.domain))
}

/// A domain by its one name.
fn plain_domain(domain: &str) -> &str {
    if domain.is_empty() { "ai.onnx" } else { domain }
}

/// Checks and counts what a file holds while its graphs are walked.
struct Budget<'a> {
    limits: &'a Limits,
    /// Operator sets that the file names.
    domains: HashSet<&'a str>,
    string_bytes: u64,
}

impl Budget<'_> {
    fn graph(&mut self, graph: &GraphProto, depth: u64) -> Result<()> {
        Limits::check("nested graphs", "graph_depth", depth, self.limits.graph_depth)?;
        for tensor in &graph.initializer {
            self.tensor(tensor)?;
        }
        self.nodes(&graph.node, depth)
    }

    fn nodes(&mut self, nodes: &[NodeProto], depth: u64) -> Result<()> {
        let domains = nodes.iter().map(|node| plain_domain(&node.domain));
        let mut unnamed = domains.filter(|domain| domain.starts_with("ai.onnx") && !self.domains.contains(domain));
        if let Some(domain) = unnamed.next() {
            return Err(malformed(format!(
                "it uses operators of `{domain}` without a version; it ends early: copy it again"
            )));
        }
        for node in nodes {
            unique(
                format_args!("node `{}`: attribute", node.name),
                node.attribute.iter().map(|attribute| attribute.name.as_str()),
            )?;
        }
        for attribute in nodes.iter().flat_map(|node| &node.attribute) {
            let elements = attribute.ints.len().max(attribute.floats.len()).max(attribute.strings.len());
            Limits::check(
                "elements in one attribute",
                "tensor_elements",
                elements as u64,
                self.limits.tensor_elements,
            )?;
            self.strings(&attribute.strings)?;
            for tensor in attribute.t.iter().chain(&attribute.tensors) {
                self.tensor(tensor)?;
            }
            for graph in attribute.g.iter().chain(&attribute.graphs) {
                self.graph(graph, depth + 1)?;
            }
        }
        Ok(())
    }

    fn tensor(&mut self, tensor: &TensorProto) -> Result<()> {
        check_shape(tensor, self.limits)?;
        self.strings(&tensor.string_data)
    }

    fn strings(&mut self, strings: &[Vec<u8>]) -> Result<()> {
        self.string_bytes += strings.iter().map(|text| text.len() as u64).sum::<u64>();
        Limits::check("bytes of strings", "string_bytes", self.string_bytes, self.limits.string_bytes)
    }
}

/// Checks the dimensions of a tensor, and gives them.
pub(crate) fn check_shape(tensor: &TensorProto, limits: &Limits) -> Result<Vec<usize>> {
    check_volume(&tensor.name, &tensor.dims, limits)
}

/// Checks dimensions that a file declares for the tensor of this name, and gives them.
pub(crate) fn check_volume(name: &str, dims: &[i64], limits: &Limits) -> Result<Vec<usize>> {
    if dims.len() > RANK_MAX {
        return Err(malformed(format!("tensor `{name}` has {} dimensions, the most is {RANK_MAX}", dims.len())));
    }
    let mut shape = Vec::with_capacity(dims.len());
    for &extent in dims {
        let extent = usize::try_from(extent)
            .map_err(|_| malformed(format!("tensor `{name}` has a negative dimension ({extent})")))?;
        shape.push(extent);
    }
    Limits::check("elements in one tensor", "tensor_elements", span(&shape), limits.tensor_elements)?;
    if shape.contains(&0) {
        // It costs the file nothing, but its other axes are walked.
        Limits::check("places in an empty tensor", "columns", span(&shape), limits.columns)?;
    }
    Ok(shape)
}
