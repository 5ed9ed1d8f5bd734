//! Elementwise operators: arithmetic, comparisons, logic, activations, Cast, Clip and Where.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type};

use super::axes::input;
use super::broadcast::{Element, elementwise};
use crate::error::Result;
use crate::onnx::builder::{Builder, integers};
use crate::onnx::fact::{Dim, Dims, Fact};
use crate::onnx::node::Node;
use crate::onnx::tensor::arrow_type;
use crate::program::{BinaryOp, ColumnId, Op, Operands, RowFailures, Tensor, UnaryOp};

/// A function of one operand over all elements of a constant: they are the rows of one column.
fn constant(node: &Node, tensor: &Tensor, op: &Op) -> Result<Fact> {
    let mut failures = RowFailures::default();
    let ran = op.run(&[Arc::clone(&tensor.values)], tensor.values.len(), &mut failures);
    let mut columns = ran.map_err(|error| node.without_form(error))?;
    match (failures.first(), columns.pop()) {
        (None, Some(values)) => Ok(Fact::Constant(Tensor { shape: tensor.shape.clone(), values })),
        (Some((_, why)), _) => Err(node.malformed(format!("a constant cannot be computed: {why}"))),
        (None, None) => Err(node.malformed("no value")),
    }
}

/// One operand: `op` for every element.
pub(crate) fn unary(builder: &mut Builder, node: &Node, inputs: &[Fact], op: UnaryOp) -> Result<Vec<Fact>> {
    if let Fact::Constant(tensor) = input(node, inputs, 0)? {
        return Ok(vec![constant(node, tensor, &Op::Unary(op))?]);
    }
    let block = builder.block(node, input(node, inputs, 0)?)?;
    let data_type = match op {
        UnaryOp::IsNan | UnaryOp::IsInf => DataType::Boolean,
        _ => block.data_type.clone(),
    };
    let columns: Result<Vec<ColumnId>> =
        block.columns.iter().map(|&column| builder.one(node, Op::Unary(op), vec![column], data_type.clone())).collect();
    Ok(vec![Fact::Block(block.with_columns(data_type, columns?))])
}

/// The unary operator an ONNX name means.
pub(crate) fn unary_op(node: &Node) -> Result<Option<UnaryOp>> {
    Ok(Some(match node.op_type() {
        "Abs" => UnaryOp::Abs,
        "Ceil" => UnaryOp::Ceil,
        "Cos" => UnaryOp::Cos,
        "Elu" => UnaryOp::Elu(node.float("alpha")?.unwrap_or(1.0)),
        "Erf" => UnaryOp::Erf,
        "Exp" => UnaryOp::Exp,
        "Floor" => UnaryOp::Floor,
        "Gelu" if node.text("approximate")?.is_none_or(|approximation| approximation == "none") => UnaryOp::Gelu,
        "HardSigmoid" => UnaryOp::HardSigmoid {
            alpha: node.float("alpha")?.unwrap_or(0.2),
            beta: node.float("beta")?.unwrap_or(0.5),
        },
        "IsNaN" => UnaryOp::IsNan,
        "IsInf" if node.flag("detect_negative", true)? && node.flag("detect_positive", true)? => UnaryOp::IsInf,
        "LeakyRelu" => UnaryOp::LeakyRelu(node.float("alpha")?.unwrap_or(0.01)),
        "Log" => UnaryOp::Log,
        "Neg" => UnaryOp::Neg,
        "Not" => UnaryOp::Not,
        "Reciprocal" => UnaryOp::Reciprocal,
        "Relu" => UnaryOp::Relu,
        "Round" => UnaryOp::Round,
        "Selu" => UnaryOp::Selu {
            alpha: node.float("alpha")?.unwrap_or(1.673_263_2),
            gamma: node.float("gamma")?.unwrap_or(1.050_701),
        },
        "Sigmoid" => UnaryOp::Sigmoid,
        "Sign" => UnaryOp::Sign,
        "Sin" => UnaryOp::Sin,
        "Softplus" => UnaryOp::Softplus,
        "Softsign" => UnaryOp::Softsign,
        "Sqrt" => UnaryOp::Sqrt,
        "Tanh" => UnaryOp::Tanh,
        _ => return Ok(None),
    }))
}

/// The binary operator an ONNX name means.
pub(crate) fn binary_op(node: &Node) -> Result<Option<BinaryOp>> {
    Ok(Some(match node.op_type() {
        "Add" | "Sum" => BinaryOp::Add,
        "Sub" => BinaryOp::Sub,
        "Mul" => BinaryOp::Mul,
        "Div" => BinaryOp::Div,
        "Pow" => BinaryOp::Pow,
        "Mod" if node.flag("fmod", false)? => BinaryOp::Fmod,
        "Mod" => BinaryOp::Mod,
        "Min" => BinaryOp::Min,
        "Max" => BinaryOp::Max,
        "Equal" => BinaryOp::Equal,
        "Less" => BinaryOp::Less,
        "LessOrEqual" => BinaryOp::LessOrEqual,
        "Greater" => BinaryOp::Greater,
        "GreaterOrEqual" => BinaryOp::GreaterOrEqual,
        "And" => BinaryOp::And,
        "Or" => BinaryOp::Or,
        "Xor" => BinaryOp::Xor,
        _ => return Ok(None),
    }))
}

fn is_comparison(op: BinaryOp) -> bool {
    use BinaryOp::{And, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Or, Xor};
    matches!(op, Equal | Less | LessOrEqual | Greater | GreaterOrEqual | And | Or | Xor)
}

/// Two operands, or more where the operator takes any number: folded from the left.
pub(crate) fn binary(builder: &mut Builder, node: &Node, inputs: &[Fact], op: BinaryOp) -> Result<Vec<Fact>> {
    if inputs.iter().any(|fact| matches!(fact, Fact::Dims(_))) {
        return dims_arithmetic(node, inputs, op);
    }
    let any_number = matches!(node.op_type(), "Max" | "Mean" | "Min" | "Sum");
    if !any_number && inputs.len() != 2 {
        return Err(node.malformed(format!("it has {} inputs instead of 2", inputs.len())));
    }
    check_old_broadcast(node)?;
    let mut result = input(node, inputs, 0)?.clone();
    for next in &inputs[1..] {
        result = pair(builder, node, &result, next, op)?;
    }
    if node.op_type() == "Mean" {
        let count: ArrayRef = Arc::new(Float32Array::from(vec![inputs.len() as f32]));
        let data_type = result.data_type().cloned().unwrap_or(DataType::Float32);
        let count = Fact::Constant(Tensor { shape: Vec::new(), values: cast(&count, &data_type)? });
        result = pair(builder, node, &result, &count, BinaryOp::Div)?;
    }
    Ok(vec![result])
}

/// Operator sets before 7 broadcast only on request, along an axis that may be named.
fn check_old_broadcast(node: &Node) -> Result<()> {
    match (node.opset < 7 && node.flag("broadcast", false)?, node.int("axis")?) {
        (true, Some(axis)) => {
            Err(node.unsupported(format!("it broadcasts along axis {axis}; export with opset 7 or newer")))
        }
        _ => Ok(()),
    }
}

fn pair(builder: &mut Builder, node: &Node, left: &Fact, right: &Fact, op: BinaryOp) -> Result<Fact> {
    let (Some(left_type), Some(right_type)) = (left.data_type().cloned(), right.data_type().cloned()) else {
        return Err(node.unsupported("it reads a value that is no tensor"));
    };
    if op == BinaryOp::Pow && left_type.is_integer() && left_type != right_type {
        return power_of_integer(builder, node, left, right, &left_type);
    }
    // The exponent of Pow may have another type; the result has the type of the base.
    let right = match left_type == right_type {
        true => right.clone(),
        false if op == BinaryOp::Pow => convert(builder, node, right, &left_type)?,
        false => return Err(node.malformed(format!("operands of types {left_type} and {right_type}"))),
    };
    let data_type = if is_comparison(op) { DataType::Boolean } else { left_type };
    elementwise(builder, node, &[left, &right], data_type.clone(), |builder, elements| {
        binary_column(builder, node, op, &elements[0], &elements[1], &data_type)
    })
}

/// An integer to a power of another type, which may be a fraction: computed in double precision, whose fraction is lost.
fn power_of_integer(builder: &mut Builder, node: &Node, left: &Fact, right: &Fact, to: &DataType) -> Result<Fact> {
    let left = convert(builder, node, left, &DataType::Float64)?;
    let right = convert(builder, node, right, &DataType::Float64)?;
    let power = pair(builder, node, &left, &right, BinaryOp::Pow)?;
    convert(builder, node, &power, to)
}

/// One step of a binary operator.
pub(crate) fn binary_column(
    builder: &mut Builder,
    node: &Node,
    op: BinaryOp,
    left: &Element,
    right: &Element,
    data_type: &DataType,
) -> Result<ColumnId> {
    let (operands, columns) = match (left, right) {
        (Element::Column(left), Element::Column(right)) => (Operands::Columns, vec![*left, *right]),
        (Element::Column(left), Element::Value(right)) => (Operands::ConstantRight(Arc::clone(right)), vec![*left]),
        (Element::Value(left), Element::Column(right)) => (Operands::ConstantLeft(Arc::clone(left)), vec![*right]),
        (Element::Value(left), right) => {
            let left = builder.constant(node, Arc::clone(left))?;
            (Operands::Columns, vec![left, right.column(builder, node)?])
        }
    };
    builder.one(node, Op::Binary(op, operands), columns, data_type.clone())
}

/// Arithmetic of shapes, as far as the number of rows stays whole.
fn dims_arithmetic(node: &Node, inputs: &[Fact], op: BinaryOp) -> Result<Vec<Fact>> {
    let values = |fact: &Fact| -> Result<Vec<Dim>> {
        match fact {
            Fact::Dims(dims) => Ok(dims.values.clone()),
            constant => Ok(integers(node, constant, "operand")?.into_iter().map(Dim::Known).collect()),
        }
    };
    let (left, right) = (values(input(node, inputs, 0)?)?, values(input(node, inputs, 1)?)?);
    let length = left.len().max(right.len());
    let at = |values: &[Dim], index: usize| values[if values.len() == 1 { 0 } else { index }];
    if [left.len(), right.len()].iter().any(|&count| count != 1 && count != length) || length == 0 {
        return Err(node.malformed("shapes of different lengths"));
    }
    let combine = |left: Dim, right: Dim| match (op, left, right) {
        (BinaryOp::Mul, Dim::Batch, Dim::Known(1)) | (BinaryOp::Div, Dim::Batch, Dim::Known(1)) => Some(Dim::Batch),
        (BinaryOp::Mul, Dim::Known(1), Dim::Batch) => Some(Dim::Batch),
        (BinaryOp::Add | BinaryOp::Sub, Dim::Batch, Dim::Known(0)) => Some(Dim::Batch),
        (BinaryOp::Add, Dim::Known(0), Dim::Batch) => Some(Dim::Batch),
        (BinaryOp::Mul, Dim::Known(left), Dim::Known(right)) => left.checked_mul(right).map(Dim::Known),
        (BinaryOp::Add, Dim::Known(left), Dim::Known(right)) => left.checked_add(right).map(Dim::Known),
        (BinaryOp::Sub, Dim::Known(left), Dim::Known(right)) => left.checked_sub(right).map(Dim::Known),
        (BinaryOp::Div, Dim::Known(left), Dim::Known(right)) => left.checked_div(right).map(Dim::Known),
        _ => None,
    };
    let values: Option<Vec<Dim>> = (0..length).map(|index| combine(at(&left, index), at(&right, index))).collect();
    let values = values.ok_or_else(|| node.unsupported("it computes with the number of rows"))?;
    let scalar = inputs.iter().all(|fact| fact.dims().is_some_and(|dims| dims.is_empty()));
    Ok(vec![Dims { values, scalar }.into_fact()])
}

/// Cast.
pub(crate) fn cast_op(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let to = node.int("to")?.ok_or_else(|| node.malformed("attribute `to` is missing"))?;
    let to = arrow_type(i32::try_from(to).unwrap_or_default())?;
    let value = input(node, inputs, 0)?;
    if to == DataType::Float16 || value.data_type() == Some(&DataType::Float16) {
        return Err(node.unsupported("half precision outside the operators that tract runs"));
    }
    if let (Fact::Dims(_), DataType::Int64) = (value, &to) {
        return Ok(vec![value.clone()]);
    }
    convert(builder, node, value, &to).map(|fact| vec![fact])
}

/// The value in another element type.
pub(crate) fn convert(builder: &mut Builder, node: &Node, value: &Fact, to: &DataType) -> Result<Fact> {
    if value.data_type() == Some(to) {
        return Ok(value.clone());
    }
    if let Fact::Constant(tensor) = value {
        return constant(node, tensor, &Op::Cast(to.clone()));
    }
    let block = builder.block(node, value)?;
    let columns = builder.cast(node, &block.columns, to)?;
    Ok(Fact::Block(block.with_columns(to.clone(), columns)))
}

/// Clip, its bounds attributes before operator set 11 and inputs since. Without a bound it is the type's own, which is finite.
pub(crate) fn clip(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let mut value = input(node, inputs, 0)?.clone();
    let data_type = value.data_type().cloned().unwrap_or(DataType::Float32);
    for (index, name, op) in [(1, "min", BinaryOp::Max), (2, "max", BinaryOp::Min)] {
        let bound = match (node.float(name)?, inputs.get(index)) {
            (Some(bound), _) => {
                let bound: ArrayRef = Arc::new(Float32Array::from(vec![bound]));
                Fact::Constant(Tensor { shape: Vec::new(), values: cast(&bound, &data_type)? })
            }
            (None, Some(bound)) if !bound.is_absent() => bound.clone(),
            _ => match finite_bound(&data_type, op) {
                Some(values) => Fact::Constant(Tensor { shape: Vec::new(), values }),
                None => continue,
            },
        };
        value = pair(builder, node, &value, &bound, op)?;
    }
    Ok(vec![value])
}

/// The number that keeps a float finite; `None` for a type without infinities.
fn finite_bound(data_type: &DataType, op: BinaryOp) -> Option<ArrayRef> {
    let sign = if op == BinaryOp::Max { -1.0 } else { 1.0 };
    match data_type {
        DataType::Float32 => Some(Arc::new(Float32Array::from(vec![f32::MAX.copysign(sign as f32)]))),
        DataType::Float64 => Some(Arc::new(Float64Array::from(vec![f64::MAX.copysign(sign)]))),
        _ => None,
    }
}

/// Where.
pub(crate) fn select(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let operands = [input(node, inputs, 0)?, input(node, inputs, 1)?, input(node, inputs, 2)?];
    let data_type = operands[1].data_type().cloned().ok_or_else(|| node.malformed("input 1 is no tensor"))?;
    if operands[2].data_type() != Some(&data_type) || operands[0].data_type() != Some(&DataType::Boolean) {
        return Err(node.malformed("a condition that is not boolean, or values of different types"));
    }
    let result = elementwise(builder, node, &operands, data_type.clone(), |builder, elements| {
        let columns: Result<Vec<ColumnId>> = elements.iter().map(|element| element.column(builder, node)).collect();
        builder.one(node, Op::Select, columns?, data_type.clone())
    })?;
    Ok(vec![result])
}

/// PRelu: negative numbers are multiplied by a slope.
pub(crate) fn prelu(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let slope = match input(node, inputs, 1)? {
        Fact::Constant(tensor) if tensor.values.len() == 1 && *tensor.values.data_type() == DataType::Float32 => {
            tensor.values.as_primitive::<Float32Type>().value(0)
        }
        _ => return Err(node.unsupported("its slope is not one number")),
    };
    unary(builder, node, &inputs[..1], UnaryOp::LeakyRelu(slope))
}
