//! Steps that no wanted column needs.

use crate::program::{ColumnId, Program};

pub(super) fn run(program: &mut Program, wanted: &[ColumnId]) {
    let needed = needed(program, wanted);
    program.steps.retain(|step| step.outputs.iter().any(|output| needed[output.index()]));
}

/// For each input of the program, whether no wanted column depends on it.
pub(crate) fn unread_inputs(program: &Program, wanted: &[ColumnId]) -> Vec<bool> {
    let needed = needed(program, wanted);
    program.inputs.iter().map(|input| !needed[input.index()]).collect()
}

/// For each column, whether a wanted column depends on it.
fn needed(program: &Program, wanted: &[ColumnId]) -> Vec<bool> {
    let mut needed = vec![false; program.columns.len()];
    wanted.iter().for_each(|column| needed[column.index()] = true);
    for step in program.steps.iter().rev() {
        if step.outputs.iter().any(|output| needed[output.index()]) {
            step.inputs.iter().for_each(|input| needed[input.index()] = true);
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::DataType::Float32;

    use super::*;
    use crate::program::{Op, UnaryOp};

    #[test]
    fn steps_and_inputs_that_nobody_needs() {
        let mut program = Program::default();
        program.inputs = vec![program.add_column(Float32), program.add_column(Float32)];
        let [a, b] = program.inputs[..] else { unreachable!("two inputs") };
        let node = Arc::from("node");
        let exp = program.push(&node, Op::Unary(UnaryOp::Exp), vec![a], [Float32])[0];
        let log = program.push(&node, Op::Unary(UnaryOp::Log), vec![b], [Float32])[0];
        program.push(&node, Op::Unary(UnaryOp::Abs), vec![log], [Float32]);
        run(&mut program, &[exp]);
        assert_eq!(program.steps.len(), 1);
        assert_eq!(unread_inputs(&program, &[exp]), [false, true]);
    }
}
