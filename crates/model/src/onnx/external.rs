//! Tensors whose data is in files beside the model: which files those are, and how the model becomes one file.
//!
//! No file is read here, and no path is judged: that is for whoever knows where the model came from.

use std::collections::{HashMap, HashSet};

use prost::Message;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType as Element};
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};

use super::decode::{check_shape, decode, malformed};
use super::fact::volume;
use crate::error::{Error, Result};
use crate::limits::Limits;

/// Places of the files in which an ONNX model keeps tensors, as the model has them, each once. None for a model that is one
/// file, and for bytes that are no ONNX model.
pub fn external_files(bytes: &[u8]) -> Vec<String> {
    let Ok(model) = outline::Model::decode(bytes) else { return Vec::new() };
    let (mut files, mut seen) = (Vec::new(), HashSet::new());
    model.tensors(&mut |tensor| {
        let locations = tensor.external_data.iter().filter(|entry| entry.key == "location");
        files.extend(locations.map(|entry| &entry.value).filter(|location| seen.insert((*location).clone())).cloned());
    });
    files
}

/// The model as one file, with the data of `files` in it. The same model and files give the same bytes.
///
/// # Errors
/// When the bytes are no ONNX model, a file is missing or too short, or all together exceed the limits.
pub fn with_external_data(bytes: &[u8], files: &HashMap<String, Vec<u8>>, limits: &Limits) -> Result<Vec<u8>> {
    let mut model = decode(bytes, limits)?;
    let mut inliner = Inliner { files, limits, bytes: bytes.len() as u64 };
    inliner.model(&mut model)?;
    Ok(model.encode_to_vec())
}

/// True for a tensor whose data is elsewhere.
pub(super) fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location == Some(DataLocation::External as i32) || !tensor.external_data.is_empty()
}

/// The error about data that nobody brought.
pub(super) fn not_here(tensor: &TensorProto) -> Error {
    let file = value(tensor, "location").map_or_else(String::new, |location| format!(", `{location}`"));
    malformed(format!(
        "tensor `{}` keeps its data in another file{file}, which did not come with the model; \
         give the model by its path, with that file beside it, or save it as one file (`onnx.save(model, path)`)",
        tensor.name
    ))
}

fn value<'t>(tensor: &'t TensorProto, key: &str) -> Option<&'t str> {
    tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
}

/// Puts data where tensors say that it is elsewhere, and counts what that takes.
struct Inliner<'a> {
    files: &'a HashMap<String, Vec<u8>>,
    limits: &'a Limits,
    bytes: u64,
}

impl Inliner<'_> {
    fn model(&mut self, model: &mut ModelProto) -> Result<()> {
        for function in &mut model.functions {
            self.nodes(&mut function.node)?;
        }
        model.graph.iter_mut().try_for_each(|graph| self.graph(graph))
    }

    fn graph(&mut self, graph: &mut GraphProto) -> Result<()> {
        graph.initializer.iter_mut().try_for_each(|tensor| self.tensor(tensor))?;
        self.nodes(&mut graph.node)
    }

    fn nodes(&mut self, nodes: &mut [NodeProto]) -> Result<()> {
        for attribute in nodes.iter_mut().flat_map(|node| &mut node.attribute) {
            attribute.t.iter_mut().chain(&mut attribute.tensors).try_for_each(|tensor| self.tensor(tensor))?;
            attribute.g.iter_mut().chain(&mut attribute.graphs).try_for_each(|graph| self.graph(graph))?;
        }
        Ok(())
    }

    fn tensor(&mut self, tensor: &mut TensorProto) -> Result<()> {
        if !is_external(tensor) {
            return Ok(());
        }
        let location = value(tensor, "location")
            .ok_or_else(|| malformed(format!("tensor `{}` is elsewhere, but it does not say where", tensor.name)))?;
        let file = self.files.get(location).ok_or_else(|| not_here(tensor))?;
        let (offset, length) = (number(tensor, "offset")?, number(tensor, "length")?);
        let offset = offset.unwrap_or(0);
        let length = length.map_or_else(|| byte_count(tensor, self.limits), Ok)?;
        self.bytes = self.bytes.saturating_add(length);
        Limits::check("bytes with its external data", "file_bytes", self.bytes, self.limits.file_bytes)?;
        let range = usize::try_from(offset).ok().zip(usize::try_from(offset.saturating_add(length)).ok());
        let Some(data) = range.and_then(|(start, end)| file.get(start..end)) else {
            return Err(malformed(format!(
                "tensor `{}` needs {length} bytes at {offset} of `{location}`, which has {} bytes; copy the file again",
                tensor.name,
                file.len()
            )));
        };
        tensor.raw_data = data.to_vec();
        tensor.external_data = Vec::new();
        tensor.data_location = None;
        Ok(())
    }
}

fn number(tensor: &TensorProto, key: &str) -> Result<Option<u64>> {
    value(tensor, key)
        .map(|text| {
            let wrong = |_| malformed(format!("tensor `{}` has the {key} `{text}`, expected a number", tensor.name));
            text.parse().map_err(wrong)
        })
        .transpose()
}

/// How many bytes a tensor of this shape has, for a file that does not say it.
fn byte_count(tensor: &TensorProto, limits: &Limits) -> Result<u64> {
    let width = match Element::try_from(tensor.data_type) {
        Ok(Element::Bool | Element::Int8 | Element::Uint8) => 1,
        Ok(Element::Float16 | Element::Bfloat16 | Element::Int16 | Element::Uint16) => 2,
        Ok(Element::Float | Element::Int32 | Element::Uint32) => 4,
        Ok(Element::Double | Element::Int64 | Element::Uint64) => 8,
        _ => return Err(malformed(format!("tensor `{}` is elsewhere without its length", tensor.name))),
    };
    Ok((volume(&check_shape(tensor, limits)?) as u64).saturating_mul(width))
}

/// As much of the protobuf messages as says which tensors are elsewhere. Everything else is skipped, not copied.
mod outline {
    use prost::Message;

    #[derive(Message)]
    pub(super) struct Model {
        #[prost(message, optional, tag = "7")]
        graph: Option<Graph>,
        #[prost(message, repeated, tag = "25")]
        functions: Vec<Function>,
    }

    #[derive(Message)]
    struct Function {
        #[prost(message, repeated, tag = "7")]
        nodes: Vec<Node>,
    }

    #[derive(Message)]
    struct Graph {
        #[prost(message, repeated, tag = "1")]
        nodes: Vec<Node>,
        #[prost(message, repeated, tag = "5")]
        initializers: Vec<Tensor>,
    }

    #[derive(Message)]
    struct Node {
        #[prost(message, repeated, tag = "5")]
        attributes: Vec<Attribute>,
    }

    #[derive(Message)]
    struct Attribute {
        #[prost(message, optional, tag = "5")]
        tensor: Option<Tensor>,
        #[prost(message, optional, tag = "6")]
        graph: Option<Graph>,
        #[prost(message, repeated, tag = "10")]
        tensors: Vec<Tensor>,
        #[prost(message, repeated, tag = "11")]
        graphs: Vec<Graph>,
    }

    #[derive(Message)]
    pub(super) struct Tensor {
        #[prost(message, repeated, tag = "13")]
        pub(super) external_data: Vec<Entry>,
    }

    #[derive(Message)]
    pub(super) struct Entry {
        #[prost(string, tag = "1")]
        pub(super) key: String,
        #[prost(string, tag = "2")]
        pub(super) value: String,
    }

    impl Model {
        pub(super) fn tensors(&self, see: &mut impl FnMut(&Tensor)) {
            self.graph.iter().for_each(|graph| graph.tensors(see));
            self.functions.iter().for_each(|function| tensors(&function.nodes, see));
        }
    }

    impl Graph {
        fn tensors(&self, see: &mut impl FnMut(&Tensor)) {
            self.initializers.iter().for_each(&mut *see);
            tensors(&self.nodes, see);
        }
    }

    fn tensors(nodes: &[Node], see: &mut impl FnMut(&Tensor)) {
        for attribute in nodes.iter().flat_map(|node| &node.attributes) {
            attribute.tensor.iter().chain(&attribute.tensors).for_each(&mut *see);
            attribute.graph.iter().chain(&attribute.graphs).for_each(|graph| graph.tensors(see));
        }
    }
}
