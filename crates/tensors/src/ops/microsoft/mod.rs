//! Operators of com.microsoft: those that ONNX Runtime's CPU provider runs and that its optimiser, its quantiser and the
//! exporters of skl2onnx and onnxmltools write. Not those of language models' decoders.
//!
//! Many are an operator of ONNX with something before or after it; they run that one.

mod attention;
mod fused;
mod hash;
mod layers;
mod linalg;
mod quant;
mod tokenizer;

use std::collections::HashMap;

use super::{Operator, general};
use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::graph::{Attribute, Node};
use crate::tensor::Tensor;
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    const FAMILIES: [fn(&str) -> Option<Operator>; 7] =
        [attention::find, fused::find, hash::find, layers::find, linalg::find, quant::find, tokenizer::find];
    FAMILIES.iter().find_map(|family| family(op_type))
}

/// An operator of ONNX in the place of the node, with its attributes and perhaps others.
struct Standard<'a> {
    op_type: &'a str,
    opset: i64,
    attributes: Vec<(&'a str, Attribute)>,
}

impl<'a> Standard<'a> {
    /// In the version that the operators of com.microsoft follow.
    fn new(op_type: &'a str) -> Self {
        Self { op_type, opset: 13, attributes: Vec::new() }
    }

    fn at(self, opset: i64) -> Self {
        Self { opset, ..self }
    }

    fn with(mut self, name: &'a str, value: Attribute) -> Self {
        self.attributes.push((name, value));
        self
    }

    fn run(&self, call: &Call, inputs: &[Option<Value>]) -> Outcome<Vec<Value>> {
        let mut attributes: HashMap<String, Attribute> = call.node.attributes.clone();
        attributes.extend(self.attributes.iter().map(|(name, value)| ((*name).to_string(), value.clone())));
        let node = Node {
            name: call.node.name.clone(),
            domain: String::new(),
            op_type: self.op_type.to_string(),
            opset: self.opset,
            inputs: Vec::new(),
            outputs: call.node.outputs.clone(),
            attributes,
        };
        let operator = general(self.op_type).ok_or_else(|| Fault::unsupported(self.op_type))?;
        operator.run(&Call { node: &node, inputs, meter: call.meter, kept: None })
    }

    /// Runs it for its first result.
    fn tensor(&self, call: &Call, inputs: &[Option<Value>]) -> Outcome<Tensor> {
        match self.run(call, inputs)?.into_iter().next() {
            Some(Value::Tensor(tensor)) => Ok(tensor),
            _ => Err(Fault::invalid(format!("{} gives no tensor", self.op_type))),
        }
    }
}

/// A tensor as the input of an operator.
fn given(tensor: &Tensor) -> Option<Value> {
    Some(tensor.clone().into())
}

/// The input of this index, for another operator.
fn passed(call: &Call, index: usize) -> Option<Value> {
    call.value(index).cloned()
}
