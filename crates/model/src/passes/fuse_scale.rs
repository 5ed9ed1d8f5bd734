//! Scalers and imputers that only a linear model reads are done by the model, on the values it is about to multiply.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float32Type};
use foretell_kernels::linear::{FusedInput, PreStep};

use super::fused::LinearParts;
use super::uses::Uses;
use crate::program::{ColumnId, LinearInput, Op, Program};

pub(super) fn run(program: &mut Program, wanted: &[ColumnId]) {
    let uses = Uses::of(program, wanted);
    for at in 0..program.steps.len() {
        let step = &program.steps[at];
        let Some(mut parts) = LinearParts::of(&step.op, &step.inputs) else { continue };
        let mut changed = false;
        for (input, column) in &mut parts.inputs {
            let LinearInput::Number(FusedInput::Number(steps)) = input else { continue };
            while let Some((before, source)) = step_before(program, &uses, *column) {
                steps.insert(0, before);
                *column = source;
                changed = true;
            }
        }
        if changed && let Some((op, inputs)) = parts.into_step() {
            program.steps[at].op = op;
            program.steps[at].inputs = inputs;
        }
    }
}

/// What makes a column that is read once, and the column it is made from, if the linear model can do it.
fn step_before(program: &Program, uses: &Uses, column: ColumnId) -> Option<(PreStep, ColumnId)> {
    if !uses.is_read_once(column) {
        return None;
    }
    let step = &program.steps[uses.writer(column)?.0];
    let [source] = step.inputs[..] else { return None };
    if program.data_type(source) != &DataType::Float32 {
        return None;
    }
    match &step.op {
        Op::Scale { offset, scale } => Some((PreStep::Scale { offset: *offset, scale: *scale }, source)),
        Op::Impute { replaced, fill } => {
            Some((PreStep::Fill { replaced: number(replaced)?, fill: number(fill)? }, source))
        }
        _ => None,
    }
}

fn number(array: &ArrayRef) -> Option<f32> {
    match array.as_primitive_opt::<Float32Type>()?.values()[..] {
        [value] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Float32Array;
    use foretell_kernels::linear::LinearModel;

    use super::*;

    #[test]
    fn a_chain_is_fused_unless_someone_else_reads_it() {
        let mut program = Program::default();
        let x = program.add_column(DataType::Float32);
        program.inputs = vec![x];
        let node = Arc::from("node");
        let number = |value: f32| -> ArrayRef { Arc::new(Float32Array::from(vec![value])) };
        let impute = Op::Impute { replaced: number(f32::NAN), fill: number(1.0) };
        let filled = program.push(&node, impute, vec![x], [DataType::Float32])[0];
        let scale = Op::Scale { offset: 1.0, scale: 2.0 };
        let scaled = program.push(&node, scale, vec![filled], [DataType::Float32])[0];
        let model = LinearModel::try_new(vec![3.0], vec![0.0]).expect("a model");
        let linear = program.push(&node, Op::Linear(Arc::new(model)), vec![scaled], [DataType::Float32])[0];

        let mut whole = program.clone();
        run(&mut whole, &[linear]);
        assert_eq!(whole.steps[2].inputs, [x]);
        let Op::FusedLinear(fused) = &whole.steps[2].op else { panic!("not fused: {:?}", whole.steps[2].op) };
        let FusedInput::Number(steps) = &fused.linear().inputs()[0] else { panic!("no number: {fused:?}") };
        assert!(matches!(steps[..], [PreStep::Fill { fill: 1.0, .. }, PreStep::Scale { offset: 1.0, scale: 2.0 }]));

        run(&mut program, &[linear, filled]);
        assert_eq!(program.steps[2].inputs, [filled]);
    }
}
