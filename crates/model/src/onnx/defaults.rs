//! Attributes that a file leaves out and tract takes for others than the text of ONNX: they are written out, for all who
//! compute.

use tract_onnx::pb::attribute_proto::AttributeType as Kind;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto};

use super::opsets::Opsets;

/// The factors of Selu since version 6. tract has those of the first, of five digits.
const SELU: [(&str, f32); 2] = [("alpha", 1.673_263_2), ("gamma", 1.050_701)];

/// Writes out the attributes of all nodes, those of bodies as well.
pub(super) fn write_out(graph: &mut GraphProto, opsets: &Opsets) {
    for node in &mut graph.node {
        if is_selu(node) && opsets.of(node) >= 6 {
            for (name, value) in SELU {
                if !node.attribute.iter().any(|attribute| attribute.name == name) {
                    node.attribute.push(float(name, value));
                }
            }
        }
        let attributes = node.attribute.iter_mut();
        let bodies = attributes.flat_map(|attribute| attribute.g.iter_mut().chain(&mut attribute.graphs));
        bodies.for_each(|body| write_out(body, opsets));
    }
}

fn is_selu(node: &NodeProto) -> bool {
    node.op_type == "Selu" && matches!(node.domain.as_str(), "" | "ai.onnx")
}

fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { name: name.to_string(), r#type: Kind::Float as i32, f: value, ..AttributeProto::default() }
}
