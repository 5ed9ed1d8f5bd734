//! Which values are tables: two dimensions, a row for each row of the batch and a column for each feature.
//!
//! A product of a table with constant weights is computed over columns, however many weights there are; one of a value with
//! more dimensions, such as that of a text's tokens, would take as many products as there are tokens, and is a tensor
//! operator's work. Ranks are told from operators alone, before anything is lowered: what is not known here is no table.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::tensor_proto::DataType as Element;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

use crate::onnx::dimensions;

/// Columns that the products of a model give together at most: each is a few steps for as long as the model is lowered.
const PRODUCTS_MAX: i64 = 1 << 15;

/// Names of the values that are known to be tables.
pub(super) struct Tables<'g> {
    constants: HashMap<&'g str, &'g TensorProto>,
    names: HashSet<&'g str>,
    /// Columns that products give.
    products: i64,
}

impl<'g> Tables<'g> {
    /// The inputs of a graph that are.
    pub(super) fn of(graph: &'g GraphProto) -> Self {
        let constants = graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let names =
            graph.input.iter().filter(|input| dimensions(input).len() == 2).map(|input| input.name.as_str()).collect();
        Self { constants, names, products: 0 }
    }

    /// Notes what a node writes.
    pub(super) fn note(&mut self, node: &'g NodeProto) {
        if self.is_product(node) {
            self.products += self.weights(node).map_or(0, columns);
        }
        if self.makes_table(node) {
            self.names.extend(node.output.iter().map(String::as_str));
        }
    }

    /// Whether a node multiplies a table with constant weights of `f32`, and its columns are not too many.
    pub(super) fn is_product(&self, node: &NodeProto) -> bool {
        let fits = |weights: &TensorProto| {
            let is_matrix = weights.dims.len() == 2 && weights.data_type == Element::Float as i32;
            is_matrix && self.products.saturating_add(columns(weights)) <= PRODUCTS_MAX
        };
        matches!(node.op_type.as_str(), "MatMul" | "Gemm")
            && node.input.first().is_some_and(|table| self.names.contains(table.as_str()))
            && self.weights(node).is_some_and(fits)
    }

    /// The second factor of a product, if it is constant.
    fn weights(&self, node: &NodeProto) -> Option<&'g TensorProto> {
        self.constant(node.input.get(1)?)
    }

    fn makes_table(&self, node: &NodeProto) -> bool {
        let mut inputs = node.input.iter().map(String::as_str).filter(|name| !name.is_empty());
        let is_table = |name: &str| self.names.contains(name);
        let first = node.input.first().is_some_and(|name| is_table(name));
        match node.op_type.as_str() {
            "Flatten" | "Gemm" => true,
            "MatMul" => first && self.weights(node).is_some_and(|weights| weights.dims.len() == 2),
            "Concat" => inputs.all(is_table),
            "Reshape" => node.input.get(1).and_then(|name| self.constant(name)).is_some_and(|shape| shape.dims == [2]),
            "Add" | "Div" | "Max" | "Min" | "Mul" | "PRelu" | "Sub" => {
                let fits = |name| is_table(name) || self.constant(name).is_some_and(|tensor| tensor.dims.len() <= 2);
                node.input.iter().any(|name| is_table(name)) && inputs.all(fits)
            }
            "Abs" | "BatchNormalization" | "Cast" | "Clip" | "Dropout" | "Elu" | "Erf" | "Exp" | "Gelu"
            | "HardSigmoid" | "Identity" | "Imputer" | "LeakyRelu" | "Log" | "LogSoftmax" | "Neg" | "Normalizer"
            | "Relu" | "Scaler" | "Selu" | "Sigmoid" | "Slice" | "Softmax" | "Softplus" | "Softsign" | "Split"
            | "Sqrt" | "Tanh" => first,
            _ => false,
        }
    }

    fn constant(&self, name: &str) -> Option<&'g TensorProto> {
        self.constants.get(name).copied()
    }
}

/// Columns of a product with these weights; features, if those are more, since the weights may be transposed.
fn columns(weights: &TensorProto) -> i64 {
    weights.dims.iter().copied().max().unwrap_or(0)
}
