//! Versions of the operator sets that the nodes of a model ask for.

use std::collections::HashMap;

use tract_onnx::pb::{ModelProto, NodeProto};

/// Versions of the operator sets a model asks for, and nodes that ask for others.
#[derive(Debug, Clone)]
pub(crate) struct Opsets {
    versions: HashMap<String, i64>,
    /// Versions of nodes whose functions have imports of their own, by domain and name of the node.
    exceptions: HashMap<String, i64>,
}

impl Opsets {
    pub(crate) fn new(model: &ModelProto) -> Self {
        let imports = model.opset_import.iter();
        let mut versions: HashMap<String, i64> =
            imports.map(|import| (import.domain.clone(), import.version)).collect();
        if let Some(version) = versions.remove("ai.onnx") {
            versions.entry(String::new()).or_insert(version);
        }
        Self { versions, exceptions: HashMap::new() }
    }

    /// Notes the version that a node's function asks for. The node's name tells the call of the function.
    pub(super) fn note(&mut self, node: &NodeProto, version: i64) {
        if self.of_domain(&node.domain) != version {
            self.exceptions.insert(key(node), version);
        }
    }

    /// The version that holds for the operator of a node.
    pub(crate) fn of(&self, node: &NodeProto) -> i64 {
        self.exception(node).unwrap_or_else(|| self.of_domain(&node.domain))
    }

    /// The version of a node that asks for another one than the model.
    pub(crate) fn exception(&self, node: &NodeProto) -> Option<i64> {
        if self.exceptions.is_empty() { None } else { self.exceptions.get(&key(node)).copied() }
    }

    fn of_domain(&self, domain: &str) -> i64 {
        self.versions.get(plain(domain)).copied().unwrap_or(1)
    }
}

/// The default domain has two names.
pub(super) fn plain(domain: &str) -> &str {
    if domain == "ai.onnx" { "" } else { domain }
}

fn key(node: &NodeProto) -> String {
    format!("{} {}", plain(&node.domain), node.name)
}
