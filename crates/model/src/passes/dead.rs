//! Steps that no wanted column needs.

use crate::program::{ColumnId, Program};

pub(super) fn run(program: &mut Program, wanted: &[ColumnId]) {
    let mut needed = vec![false; program.columns.len()];
    wanted.iter().for_each(|column| needed[column.index()] = true);
    let mut steps = std::mem::take(&mut program.steps);
    steps.reverse();
    steps.retain(|step| {
        let is_needed = step.outputs.iter().any(|output| needed[output.index()]);
        if is_needed {
            step.inputs.iter().for_each(|input| needed[input.index()] = true);
        }
        is_needed
    });
    steps.reverse();
    program.steps = steps;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::DataType::Float32;

    use super::*;
    use crate::program::{Op, UnaryOp};

    #[test]
    fn only_what_leads_to_a_wanted_column_stays() {
        let mut program = Program::default();
        let (a, b) = (program.add_column(Float32), program.add_column(Float32));
        program.inputs = vec![a, b];
        let node = Arc::from("node");
        let exp = program.push(&node, Op::Unary(UnaryOp::Exp), vec![a], [Float32])[0];
        let log = program.push(&node, Op::Unary(UnaryOp::Log), vec![b], [Float32])[0];
        program.push(&node, Op::Unary(UnaryOp::Abs), vec![log], [Float32]);
        run(&mut program, &[exp]);
        assert_eq!(program.steps.iter().map(|step| step.outputs[0]).collect::<Vec<_>>(), [exp]);
    }
}
