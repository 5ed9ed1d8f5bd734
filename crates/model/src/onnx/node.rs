//! A node of the graph with its attributes, and errors that name both.

use std::sync::Arc;

use tract_onnx::pb::attribute_proto::AttributeType as Kind;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto};

use super::decode::malformed;
use super::tensor::read_tensor;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::program::Tensor;

/// A node, its operator set version and a name for messages.
#[derive(Debug, Clone)]
pub(crate) struct Node<'a> {
    pub(crate) proto: &'a NodeProto,
    /// The node's name in the file, or its first output's.
    pub(crate) name: Arc<str>,
    /// Version of the operator set the node's operator belongs to.
    pub(crate) opset: i64,
}

impl<'a> Node<'a> {
    pub(crate) fn new(proto: &'a NodeProto, opset: i64) -> Self {
        let name = if proto.name.is_empty() { proto.output.first().map_or("", String::as_str) } else { &proto.name };
        Self { proto, name: Arc::from(name), opset }
    }

    /// The operator's name without its domain.
    pub(crate) fn op_type(&self) -> &'a str {
        &self.proto.op_type
    }

    /// The operator's domain; empty for the default one.
    pub(crate) fn domain(&self) -> &'a str {
        if self.proto.domain == "ai.onnx" { "" } else { &self.proto.domain }
    }

    /// The operator with its domain, such as `ai.onnx.ml.Scaler`.
    pub(crate) fn operator(&self) -> String {
        let domain = if self.domain().is_empty() { "ai.onnx" } else { self.domain() };
        format!("{domain}.{}", self.op_type())
    }

    /// Something about this node that foretell does not have.
    pub(crate) fn unsupported(&self, why: impl Into<String>) -> Error {
        Error::UnsupportedOperator {
            operator: self.operator(),
            node: self.name.to_string(),
            opset: self.opset,
            why: why.into(),
        }
    }

    /// What an operation said of this node's types when it was tried: that it has no form for them is no bug of ours.
    pub(crate) fn without_form(&self, error: Error) -> Error {
        match error {
            Error::Internal(what) => self.unsupported(what),
            error => error,
        }
    }

    /// Something about this node that breaks the rules of ONNX.
    pub(crate) fn malformed(&self, what: impl AsRef<str>) -> Error {
        malformed(format!("operator `{}` (node `{}`): {}", self.operator(), self.name, what.as_ref()))
    }

    /// True if output `index` is there and has a name.
    pub(crate) fn has_output(&self, index: usize) -> bool {
        self.proto.output.get(index).is_some_and(|name| !name.is_empty())
    }

    fn attribute(&self, name: &str, kind: Kind) -> Result<Option<&'a AttributeProto>> {
        let Some(attribute) = self.proto.attribute.iter().find(|attribute| attribute.name == name) else {
            return Ok(None);
        };
        if !attribute.ref_attr_name.is_empty() {
            return Err(self.malformed(format!("attribute `{name}` refers to a function's attribute")));
        }
        // Files of the first versions leave the kind out.
        if attribute.r#type != kind as i32 && attribute.r#type != 0 {
            let got = Kind::try_from(attribute.r#type).map_or("an unknown kind", |kind| kind.as_str_name());
            let message = format!("attribute `{name}` must be {}, got {got}", kind.as_str_name());
            return Err(self.malformed(message));
        }
        Ok(Some(attribute))
    }

    pub(crate) fn int(&self, name: &str) -> Result<Option<i64>> {
        Ok(self.attribute(name, Kind::Int)?.map(|attribute| attribute.i))
    }

    pub(crate) fn int_or(&self, name: &str, default: i64) -> Result<i64> {
        Ok(self.int(name)?.unwrap_or(default))
    }

    /// A flag stored as an integer.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool> {
        Ok(self.int(name)?.map_or(default, |value| value != 0))
    }

    pub(crate) fn float(&self, name: &str) -> Result<Option<f32>> {
        Ok(self.attribute(name, Kind::Float)?.map(|attribute| attribute.f))
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>> {
        self.attribute(name, Kind::String)?.map(|attribute| self.utf8(name, &attribute.s)).transpose()
    }

    pub(crate) fn ints(&self, name: &str) -> Result<Option<&'a [i64]>> {
        Ok(self.attribute(name, Kind::Ints)?.map(|attribute| attribute.ints.as_slice()))
    }

    pub(crate) fn floats(&self, name: &str) -> Result<Option<&'a [f32]>> {
        Ok(self.attribute(name, Kind::Floats)?.map(|attribute| attribute.floats.as_slice()))
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<&'a str>>> {
        let Some(attribute) = self.attribute(name, Kind::Strings)? else { return Ok(None) };
        attribute.strings.iter().map(|bytes| self.utf8(name, bytes)).collect::<Result<Vec<_>>>().map(Some)
    }

    pub(crate) fn tensor(&self, name: &str, limits: &Limits) -> Result<Option<Tensor>> {
        let Some(attribute) = self.attribute(name, Kind::Tensor)? else { return Ok(None) };
        let tensor = attribute.t.as_ref().ok_or_else(|| self.malformed(format!("attribute `{name}` is empty")))?;
        read_tensor(tensor, limits).map(Some)
    }

    pub(crate) fn graph(&self, name: &str) -> Result<&'a GraphProto> {
        self.attribute(name, Kind::Graph)?
            .and_then(|attribute| attribute.g.as_ref())
            .ok_or_else(|| self.malformed(format!("attribute `{name}` is missing")))
    }

    fn utf8(&self, name: &str, bytes: &'a [u8]) -> Result<&'a str> {
        std::str::from_utf8(bytes).map_err(|_| self.malformed(format!("attribute `{name}` has text that is not UTF-8")))
    }
}
