//! SVMRegressor and SVMClassifier.

use crate::error::Result;
use crate::onnx::builder::Builder;
use crate::onnx::fact::Fact;
use crate::onnx::node::Node;

/// SVMRegressor.
pub(crate) fn regressor(_: &mut Builder, node: &Node, _: &[Fact]) -> Result<Vec<Fact>> {
    Err(node.unsupported(""))
}

/// SVMClassifier.
pub(crate) fn classifier(_: &mut Builder, node: &Node, _: &[Fact]) -> Result<Vec<Fact>> {
    Err(node.unsupported(""))
}
