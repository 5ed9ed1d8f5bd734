//! A one-hot encoding that only a linear model reads: the weight of the category is looked up instead of multiplying every
//! indicator. A sum that starts at `+0` is not changed by adding `0 * weight` while the weight is finite, so the bits stay.

use std::sync::Arc;

use foretell_kernels::linear::{FusedInput, LinearModel};

use super::fused::LinearParts;
use super::uses::Uses;
use crate::program::{ColumnId, LinearInput, OneHot, Op, Program};

pub(super) fn run(program: &mut Program, wanted: &[ColumnId]) {
    let uses = Uses::of(program, wanted);
    for at in 0..program.steps.len() {
        let step = &program.steps[at];
        if let Some(parts) = LinearParts::of(&step.op, &step.inputs)
            && let Some(parts) = with_encoders(program, &uses, &parts)
            && let Some((op, inputs)) = parts.into_step()
        {
            program.steps[at].op = op;
            program.steps[at].inputs = inputs;
        }
    }
}

/// The model that encodes by itself; `None` if no encoding fits.
fn with_encoders(program: &Program, uses: &Uses, parts: &LinearParts) -> Option<LinearParts> {
    let mut inputs = Vec::new();
    let (mut at, mut feature, mut encodes) = (0, 0, false);
    while at < parts.inputs.len() {
        let (input, columns) = match encoding_at(program, uses, parts, at, feature) {
            Some((one_hot, source)) => {
                encodes = true;
                let width = one_hot.len();
                ((LinearInput::Category(one_hot), source), width)
            }
            None => (parts.inputs[at].clone(), 1),
        };
        at += columns;
        feature += input.0.width();
        inputs.push(input);
    }
    encodes.then(|| LinearParts { model: parts.model.clone(), inputs })
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
    let is_plain =
        |input: &LinearInput| matches!(input, LinearInput::Number(FusedInput::Number(steps)) if steps.is_empty());
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
    use arrow::datatypes::DataType;

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
        let [_, model] = &program.steps[..] else { panic!("two steps expected") };
        assert!(matches!(&model.op, Op::FusedLinear(model) if model.encodes(1) && !model.encodes(0)));
        assert_eq!(model.inputs, program.inputs);
    }

    #[test]
    fn an_infinite_weight_or_another_reader_keeps_the_indicators() {
        let (mut infinite, linear) = program(vec![1.0, f32::INFINITY, 3.0]);
        run(&mut infinite, &[linear]);
        assert!(matches!(infinite.steps[1].op, Op::Linear(_)));
        let (mut read, linear) = program(vec![1.0, 2.0, 3.0]);
        let indicator = read.steps[0].outputs[0];
        run(&mut read, &[linear, indicator]);
        assert!(matches!(read.steps[1].op, Op::Linear(_)));
    }
}
