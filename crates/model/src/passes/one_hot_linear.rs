//! A one-hot encoding that only a linear model reads: the weight of the category is looked up instead of multiplying every
//! indicator. A sum that starts at `+0` is not changed by adding `0 * weight` while the weight is finite, so the bits stay.

use std::sync::Arc;

use arrow::datatypes::DataType;
use foretell_kernels::linear::{FusedInput, LinearModel};

use super::fused::LinearParts;
use super::uses::Uses;
use crate::program::{ColumnId, OneHot, Op, Program, Step};

pub(super) fn run(program: &mut Program, wanted: &[ColumnId]) {
    let uses = Uses::of(program, wanted);
    let mut steps = Vec::with_capacity(program.steps.len());
    for at in 0..program.steps.len() {
        let mut step = program.steps[at].clone();
        if let Some(parts) = LinearParts::of(&step.op, &step.inputs)
            && let Some((codes, parts)) = with_codes(program, &uses, &parts)
            && let Some((op, inputs)) = parts.into_step()
        {
            steps.extend(codes);
            step.op = op;
            step.inputs = inputs;
        }
        steps.push(step);
    }
    program.steps = steps;
}

/// The steps that compute category codes, and the model that reads them; `None` if no encoding fits.
fn with_codes(program: &mut Program, uses: &Uses, parts: &LinearParts) -> Option<(Vec<Step>, LinearParts)> {
    let (mut codes, mut inputs) = (Vec::new(), Vec::new());
    let (mut at, mut feature) = (0, 0);
    while at < parts.inputs.len() {
        let width = match encoding_at(program, uses, parts, at, feature) {
            Some((one_hot, source)) => {
                let column = program.add_column(DataType::UInt32);
                let node = Arc::clone(&program.steps[uses.writer(parts.inputs[at].1)?.0].node);
                let width = one_hot.len();
                inputs.push((FusedInput::Category { categories: width }, column));
                codes.push(Step { op: Op::CategoryCode(one_hot), inputs: vec![source], outputs: vec![column], node });
                at += width;
                width
            }
            None => {
                let input = parts.inputs[at].clone();
                let width = input.0.width();
                inputs.push(input);
                at += 1;
                width
            }
        };
        feature += width;
    }
    (!codes.is_empty()).then(|| (codes, LinearParts { model: parts.model.clone(), inputs }))
}

/// The encoding whose indicators are the inputs from `at` on, all of them and in order, and the column it reads.
fn encoding_at(
    program: &Program,
    uses: &Uses,
    parts: &LinearParts,
    at: usize,
    feature: usize,
) -> Option<(Arc<OneHot>, ColumnId)> {
    let step = &program.steps[uses.writer(parts.inputs[at].1)?.0];
    let (Op::OneHot(one_hot), &[source]) = (&step.op, &step.inputs[..]) else { return None };
    let inputs = parts.inputs.get(at..at + one_hot.len())?;
    let is_plain = |input: &FusedInput| *input == FusedInput::Number(vec![]);
    let fits = inputs
        .iter()
        .zip(&step.outputs)
        .all(|((input, column), indicator)| is_plain(input) && column == indicator && uses.is_read_once(*column));
    (fits && weights_are_finite(&parts.model, feature, one_hot.len())).then(|| (Arc::clone(one_hot), source))
}

fn weights_are_finite(model: &LinearModel, first: usize, count: usize) -> bool {
    (first..first + count).all(|feature| model.weights_of(feature).iter().all(|weight| weight.is_finite()))
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;

    /// `[x, one-hot of c]` times weights; returns the program and its output.
    fn program(weights: Vec<f32>) -> (Program, ColumnId) {
        let mut program = Program::default();
        let (x, c) = (program.add_column(DataType::Float32), program.add_column(DataType::Utf8));
        program.inputs = vec![x, c];
        let node = Arc::from("node");
        let one_hot = OneHot::try_new(Arc::new(StringArray::from(vec!["a", "b"])), true).expect("categories");
        let one_hot = Op::OneHot(Arc::new(one_hot));
        let indicators = program.push(&node, one_hot, vec![c], [DataType::Float32, DataType::Float32]);
        let model = LinearModel::try_new(weights, vec![0.0]).expect("a model");
        let inputs = [vec![x], indicators].concat();
        let linear = program.push(&node, Op::Linear(Arc::new(model)), inputs, [DataType::Float32])[0];
        (program, linear)
    }

    #[test]
    fn a_whole_encoding_becomes_a_look_up() {
        let (mut program, linear) = program(vec![1.0, 2.0, 3.0]);
        run(&mut program, &[linear]);
        let [_, code, model] = &program.steps[..] else { panic!("three steps expected") };
        assert!(matches!(code.op, Op::CategoryCode(_)));
        assert_eq!(model.inputs, [program.inputs[0], code.outputs[0]]);
    }

    #[test]
    fn an_infinite_weight_or_another_reader_keeps_the_indicators() {
        let (mut infinite, linear) = program(vec![1.0, f32::INFINITY, 3.0]);
        run(&mut infinite, &[linear]);
        assert_eq!(infinite.steps.len(), 2);
        let (mut read, linear) = program(vec![1.0, 2.0, 3.0]);
        let indicator = read.steps[0].outputs[0];
        run(&mut read, &[linear, indicator]);
        assert_eq!(read.steps.len(), 2);
    }
}
