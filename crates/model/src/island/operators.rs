//! Which operators foretell, tract and the evaluator have, as far as the choice between them needs to know.

use tract_onnx::pb::{AttributeProto, NodeProto};

/// Operators that foretell computes wherever they stand.
pub(super) const NATIVE: &[&str] = &[
    "ArgMax",
    "ArgMin",
    "ConstantOfShape",
    "CumSum",
    "GatherElements",
    "If",
    "IsInf",
    "IsNaN",
    "OneHot",
    "Range",
    "Scan",
    "SequenceAt",
    "SequenceConstruct",
    "Size",
    "TopK",
];

/// Operators that both sides have: they stay with their inputs.
pub(super) const EITHER: &[&str] = &[
    "Abs",
    "Add",
    "And",
    "BatchNormalization",
    "Cast",
    "Ceil",
    "Clip",
    "Concat",
    "Cos",
    "Div",
    "Dropout",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Floor",
    "Gather",
    "Gelu",
    "Gemm",
    "Greater",
    "GreaterOrEqual",
    "HardSigmoid",
    "Hardmax",
    "Identity",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "LogSoftmax",
    "MatMul",
    "Max",
    "Mean",
    "Min",
    "Mod",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "PRelu",
    "Pow",
    "Reciprocal",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "Reshape",
    "Round",
    "Selu",
    "Shape",
    "Sigmoid",
    "Sign",
    "Sin",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Tanh",
    "Tile",
    "Transpose",
    "Unsqueeze",
    "Where",
    "Xor",
];

/// Operators that put the elements of a value in another order or shape.
pub(super) const ARRANGING: &[&str] = &["Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"];

/// Operators that tract knows and computes in another way than ONNX asks for, or not at all, as the cases of the `onnx`
/// package show. `value` is that of an attribute with which it does; empty for every value.
const MISTREATED: &[Mistreated] = &[
    // Shifts by as much as the width, or by less than nothing, end it.
    Mistreated { op_type: "BitShift", attribute: "", value: "" },
    // A number beyond the integers becomes the largest of them.
    Mistreated { op_type: "CastLike", attribute: "", value: "" },
    // A factor of `alpha` is left out.
    Mistreated { op_type: "Celu", attribute: "", value: "" },
    // A place counted from the end is none.
    Mistreated { op_type: "GatherND", attribute: "", value: "" },
    // The results of the steps come in the wrong order.
    Mistreated { op_type: "GRU", attribute: "direction", value: "reverse" },
    Mistreated { op_type: "LSTM", attribute: "direction", value: "reverse" },
    Mistreated { op_type: "RNN", attribute: "direction", value: "reverse" },
    // The mode is not read.
    Mistreated { op_type: "SpaceToDepth", attribute: "mode", value: "CRD" },
    // The logarithm of a share that is too small for a number, instead of a number.
    Mistreated { op_type: "LogSoftmax", attribute: "", value: "" },
    // A sum of tiny numbers has no reciprocal.
    Mistreated { op_type: "LpNormalization", attribute: "", value: "" },
    // A constant is put where the edge belongs.
    Mistreated { op_type: "Pad", attribute: "mode", value: "edge" },
    // `alpha` is not read.
    Mistreated { op_type: "Swish", attribute: "alpha", value: "" },
];

/// An operator of ai.onnx, with an attribute if that makes the difference.
struct Mistreated {
    op_type: &'static str,
    attribute: &'static str,
    value: &'static str,
}

impl Mistreated {
    fn is(&self, node: &NodeProto) -> bool {
        let has = |attribute: &AttributeProto| {
            attribute.name == self.attribute && (self.value.is_empty() || attribute.s == self.value.as_bytes())
        };
        self.op_type == node.op_type && (self.attribute.is_empty() || node.attribute.iter().any(has))
    }
}

/// Whether tract computes a node that it knows in another way than ONNX asks for.
pub(super) fn is_mistreated(node: &NodeProto) -> bool {
    MISTREATED.iter().any(|mistreated| mistreated.is(node))
}
