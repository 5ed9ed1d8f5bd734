//! ONNX files made in code.

use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Extent};
use tract_onnx::pb::type_proto::{Tensor, Value as ValueType};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto,
};

/// The bytes of a model.
pub fn encode(model: &ModelProto) -> Vec<u8> {
    model.encode_to_vec()
}

/// A model of these nodes with an input `x` of `[N, width]` floats and an output `y`.
pub fn model(width: i64, nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> ModelProto {
    let opset = |domain: &str, version| OperatorSetIdProto { domain: domain.to_string(), version };
    let graph = GraphProto {
        node: nodes,
        initializer: constants,
        input: vec![input("x", DataType::Float, &[None, Some(width)])],
        output: vec![ValueInfoProto { name: "y".to_string(), ..ValueInfoProto::default() }],
        ..GraphProto::default()
    };
    ModelProto {
        ir_version: 8,
        opset_import: vec![opset("", 18), opset("ai.onnx.ml", 3)],
        graph: Some(graph),
        ..ModelProto::default()
    }
}

/// An input of these extents; `None` is open.
pub fn input(name: &str, element: DataType, extents: &[Option<i64>]) -> ValueInfoProto {
    let dim = extents
        .iter()
        .map(|extent| Dimension { value: extent.map(Extent::DimValue), ..Dimension::default() })
        .collect();
    let tensor = Tensor { elem_type: element as i32, shape: Some(TensorShapeProto { dim }) };
    let kind = TypeProto { value: Some(ValueType::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: name.to_string(), r#type: Some(kind), ..ValueInfoProto::default() }
}

/// A node called as its operator is; operators of ai.onnx.ml are written with their domain.
pub fn node(operator: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) -> NodeProto {
    let (domain, op_type) = operator.rsplit_once('.').unwrap_or(("", operator));
    NodeProto {
        name: op_type.to_lowercase(),
        domain: domain.to_string(),
        op_type: op_type.to_string(),
        input: inputs.iter().map(|name| (*name).to_string()).collect(),
        output: output.split(' ').map(str::to_string).collect(),
        attribute: attributes,
        ..NodeProto::default()
    }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: name.to_string(), r#type: kind as i32, ..AttributeProto::default() }
}

/// An attribute of one integer.
pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: value, ..attribute(name, AttributeType::Int) }
}

/// An attribute of integers.
pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..attribute(name, AttributeType::Ints) }
}

/// An attribute of floats.
pub fn floats(name: &str, values: &[f32]) -> AttributeProto {
    AttributeProto { floats: values.to_vec(), ..attribute(name, AttributeType::Floats) }
}

/// An attribute of one float.
pub fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: value, ..attribute(name, AttributeType::Float) }
}

/// An attribute of one text.
pub fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: value.as_bytes().to_vec(), ..attribute(name, AttributeType::String) }
}

/// An attribute that is a tensor.
pub fn tensor(name: &str, tensor: TensorProto) -> AttributeProto {
    AttributeProto { t: Some(tensor), ..attribute(name, AttributeType::Tensor) }
}

/// An attribute of texts.
pub fn texts(name: &str, values: &[&str]) -> AttributeProto {
    let strings = values.iter().map(|text| text.as_bytes().to_vec()).collect();
    AttributeProto { strings, ..attribute(name, AttributeType::Strings) }
}

/// An attribute that is a graph.
pub fn graph(name: &str, graph: GraphProto) -> AttributeProto {
    AttributeProto { g: Some(graph), ..attribute(name, AttributeType::Graph) }
}

/// A constant of floats.
pub fn float_tensor(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: name.to_string(),
        dims: dims.to_vec(),
        data_type: DataType::Float as i32,
        float_data: values.to_vec(),
        ..TensorProto::default()
    }
}

/// A constant of doubles.
pub fn double_tensor(name: &str, dims: &[i64], values: &[f64]) -> TensorProto {
    TensorProto {
        name: name.to_string(),
        dims: dims.to_vec(),
        data_type: DataType::Double as i32,
        double_data: values.to_vec(),
        ..TensorProto::default()
    }
}

/// A constant of integers.
pub fn int_tensor(name: &str, dims: &[i64], values: &[i64]) -> TensorProto {
    TensorProto {
        name: name.to_string(),
        dims: dims.to_vec(),
        data_type: DataType::Int64 as i32,
        int64_data: values.to_vec(),
        ..TensorProto::default()
    }
}

/// A regressor of one tree: node `i` asks feature 0 and goes to `yes[i]` or `no[i]`; a node without children is a leaf.
pub fn tree(children: &[Option<(i64, i64)>]) -> NodeProto {
    let count = children.len();
    let modes: Vec<&str> = children.iter().map(|child| if child.is_some() { "BRANCH_LEQ" } else { "LEAF" }).collect();
    let leaves: Vec<i64> = (0..count as i64).filter(|&at| children[at as usize].is_none()).collect();
    let child = |pick: fn(&(i64, i64)) -> i64| -> Vec<i64> {
        children.iter().map(|child| child.as_ref().map_or(0, pick)).collect()
    };
    node(
        "ai.onnx.ml.TreeEnsembleRegressor",
        &["x"],
        "y",
        vec![
            ints("nodes_treeids", &vec![0; count]),
            ints("nodes_nodeids", &(0..count as i64).collect::<Vec<_>>()),
            ints("nodes_featureids", &vec![0; count]),
            floats("nodes_values", &vec![0.0; count]),
            texts("nodes_modes", &modes),
            ints("nodes_truenodeids", &child(|child| child.0)),
            ints("nodes_falsenodeids", &child(|child| child.1)),
            ints("target_treeids", &vec![0; leaves.len()]),
            ints("target_nodeids", &leaves),
            ints("target_ids", &vec![0; leaves.len()]),
            floats("target_weights", &vec![1.0; leaves.len()]),
            int("n_targets", 1),
        ],
    )
}
