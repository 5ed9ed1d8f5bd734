//! Steps whose inputs are the same in every row: done once, now.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::ArrayRef;

use crate::program::{ColumnId, Op, Operands, Program, RowFailures, Step};

pub(super) fn run(program: &mut Program, _wanted: &[ColumnId]) {
    let mut constants: HashMap<ColumnId, ArrayRef> = HashMap::new();
    let mut steps = Vec::with_capacity(program.steps.len());
    for step in std::mem::take(&mut program.steps) {
        match fold(&step, &constants) {
            Some(values) => {
                for (output, value) in step.outputs.iter().zip(values) {
                    constants.insert(*output, Arc::clone(&value));
                    let (outputs, node) = (vec![*output], Arc::clone(&step.node));
                    steps.push(Step { op: Op::Constant(value), inputs: vec![], outputs, node });
                }
            }
            None => steps.push(with_constant_operand(step, &constants)),
        }
    }
    program.steps = steps;
}

/// The values of a step that reads only constants. A step that fails, or refuses, keeps its right to do so at run time.
fn fold(step: &Step, constants: &HashMap<ColumnId, ArrayRef>) -> Option<Vec<ArrayRef>> {
    if matches!(step.op, Op::Island(_)) {
        return None;
    }
    let inputs: Vec<ArrayRef> = step.inputs.iter().map(|input| constants.get(input).cloned()).collect::<Option<_>>()?;
    let mut failures = RowFailures::default();
    let values = step.op.run(&inputs, 1, &mut failures).ok()?;
    let is_sound =
        failures.is_empty() && values.len() == step.outputs.len() && values.iter().all(|value| value.len() == 1);
    is_sound.then_some(values)
}

/// A step over two columns of which one is constant reads only the other.
fn with_constant_operand(mut step: Step, constants: &HashMap<ColumnId, ArrayRef>) -> Step {
    if let (Op::Binary(op, Operands::Columns), [left, right]) = (&step.op, &step.inputs[..]) {
        let (op, left, right) = (*op, *left, *right);
        if let Some(value) = constants.get(&right) {
            step.op = Op::Binary(op, Operands::ConstantRight(Arc::clone(value)));
            step.inputs = vec![left];
        } else if let Some(value) = constants.get(&left) {
            step.op = Op::Binary(op, Operands::ConstantLeft(Arc::clone(value)));
            step.inputs = vec![right];
        }
    }
    step
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::DataType::Int64;
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::program::{BinaryOp, UnaryOp};

    #[test]
    fn constants_meet() {
        let mut program = Program::default();
        let x = program.add_column(Int64);
        program.inputs = vec![x];
        let node = Arc::from("node");
        let seven = Op::Constant(Arc::new(Int64Array::from(vec![7])));
        let constant = program.push(&node, seven, vec![], [Int64])[0];
        let negated = program.push(&node, Op::Unary(UnaryOp::Neg), vec![constant], [Int64])[0];
        program.push(&node, Op::Binary(BinaryOp::Sub, Operands::Columns), vec![negated, x], [Int64]);
        run(&mut program, &[]);
        let Op::Constant(value) = &program.steps[1].op else { panic!("not folded: {:?}", program.steps[1]) };
        assert_eq!(value.as_primitive::<Int64Type>().value(0), -7);
        assert!(matches!(&program.steps[2].op, Op::Binary(BinaryOp::Sub, Operands::ConstantLeft(_))));
        assert_eq!(program.steps[2].inputs, [x]);
    }

    #[test]
    fn a_division_by_zero_stays() {
        let mut program = Program::default();
        let node = Arc::from("node");
        let zero = Op::Constant(Arc::new(Int64Array::from(vec![0])));
        let zero = program.push(&node, zero, vec![], [Int64])[0];
        program.push(&node, Op::Binary(BinaryOp::Div, Operands::Columns), vec![zero, zero], [Int64]);
        run(&mut program, &[]);
        assert!(matches!(&program.steps[1].op, Op::Binary(BinaryOp::Div, _)));
    }
}
