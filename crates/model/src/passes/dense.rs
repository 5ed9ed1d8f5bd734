//! Linear models that follow each other become one dense network, with the functions and the arithmetic between them.
//!
//! This is where it is decided who computes a product with constant weights: a [`DenseNetwork`] where rows meet many weights,
//! a [`LinearModel`] where the columns are read faster than multiplied. Both have the same sums, to the bit. A layer is
//! followed as long as each of its outputs is read once and all of them meet the same fate.
//!
//! Deliberately not here: products of computed values, and layers whose outputs go several ways.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::Float32Type;
use foretell_kernels::dense::{Arithmetic, DenseNetwork, Layer, Step};
use foretell_kernels::linear::{LinearModel, Rounding};

use super::uses::Uses;
use crate::program::{BinaryOp, ColumnId, Op, Operands, Program};

/// Outputs of a single layer from which on the products take longer than reading the columns does, as the kernels' benchmark
/// shows.
const OUTPUTS_MIN: usize = 8;

pub(super) fn run(program: &mut Program, wanted: &[ColumnId]) {
    let uses = Uses::of(program, wanted);
    let mut absorbed = HashSet::new();
    for at in 0..program.steps.len() {
        if absorbed.contains(&at) {
            continue;
        }
        let Some(chain) = Chain::from(program, &uses, at).filter(Chain::pays) else { continue };
        let Some(network) = chain.network() else { continue };
        absorbed.extend(chain.absorbed);
        program.steps[at].op = Op::Dense(Arc::new(network));
        program.steps[at].outputs = chain.outputs;
    }
    let mut at = 0;
    program.steps.retain(|_| {
        at += 1;
        !absorbed.contains(&(at - 1))
    });
}

/// Layers that follow each other.
struct Chain {
    layers: Vec<(Arc<LinearModel>, Vec<Step>)>,
    /// What the last layer gives.
    outputs: Vec<ColumnId>,
    /// The steps that the chain does besides the first.
    absorbed: Vec<usize>,
}

/// What all outputs of a layer meet next.
enum Next {
    Layer(Arc<LinearModel>),
    Step(Step),
}

impl Chain {
    /// The chain that begins with this step, if that is a layer.
    fn from(program: &Program, uses: &Uses, at: usize) -> Option<Self> {
        let model = layer(&program.steps[at].op)?;
        let outputs = program.steps[at].outputs.clone();
        let mut chain = Self { layers: vec![(model, Vec::new())], outputs, absorbed: Vec::new() };
        while let Some((next, readers)) = chain.next(program, uses) {
            match (next, chain.layers.last_mut()) {
                (Next::Step(step), Some((_, steps))) => steps.push(step),
                (Next::Step(_), None) => return None,
                (Next::Layer(model), _) => chain.layers.push((model, Vec::new())),
            }
            chain.outputs = readers.iter().flat_map(|&reader| &program.steps[reader].outputs).copied().collect();
            chain.absorbed.extend(readers);
        }
        Some(chain)
    }

    /// What the outputs meet next, and the steps that do it.
    fn next(&self, program: &Program, uses: &Uses) -> Option<(Next, Vec<usize>)> {
        let (first, _) = uses.reader(*self.outputs.first()?)?;
        if let Some(model) = layer(&program.steps[first].op) {
            let all = |(place, &column): (usize, &ColumnId)| uses.reader(column) == Some((first, place));
            let reads_all = self.outputs.len() == model.features() && self.outputs.iter().enumerate().all(all);
            return reads_all.then_some((Next::Layer(model), vec![first]));
        }
        let readers: Vec<usize> =
            self.outputs.iter().map(|&column| Some(uses.reader(column)?.0)).collect::<Option<_>>()?;
        let op = |reader: &usize| &program.steps[*reader].op;
        let step = match op(&first) {
            Op::Unary(unary) => {
                let same = readers.iter().all(|reader| matches!(op(reader), Op::Unary(other) if other == unary));
                Step::Function(unary.function().filter(|_| same)?)
            }
            _ => {
                let (arithmetic, _) = arithmetic(op(&first))?;
                let numbers = readers.iter().map(|reader| arithmetic_number(op(reader), arithmetic));
                Step::With(arithmetic, numbers.collect::<Option<_>>()?)
            }
        };
        Some((Next::Step(step), readers))
    }

    /// Whether the products outweigh the way into tiles and out again.
    fn pays(&self) -> bool {
        self.layers.len() > 1 || self.layers.iter().any(|(model, _)| model.outputs() >= OUTPUTS_MIN)
    }

    fn network(&self) -> Option<DenseNetwork> {
        let layers = self.layers.iter().map(|(model, steps)| {
            let weights: Vec<f32> =
                (0..model.features()).flat_map(|feature| model.weights_of(feature)).copied().collect();
            Layer::try_new(&weights, model.intercepts(), steps.clone()).ok()
        });
        DenseNetwork::try_new(layers.collect::<Option<_>>()?).ok()
    }
}

/// The linear model of a step, if its sums are those of a layer.
fn layer(op: &Op) -> Option<Arc<LinearModel>> {
    match op {
        Op::Linear(model) if model.rounding() == Rounding::Once && model.features() > 0 => Some(Arc::clone(model)),
        _ => None,
    }
}

fn arithmetic_number(op: &Op, expected: Arithmetic) -> Option<f32> {
    arithmetic(op).filter(|(found, _)| *found == expected).map(|(_, number)| number)
}

/// Arithmetic with a constant.
fn arithmetic(op: &Op) -> Option<(Arithmetic, f32)> {
    let Op::Binary(op, operands) = op else { return None };
    let (arithmetic, constant) = match (op, operands) {
        (BinaryOp::Add, Operands::ConstantLeft(c) | Operands::ConstantRight(c)) => (Arithmetic::Add, c),
        (BinaryOp::Mul, Operands::ConstantLeft(c) | Operands::ConstantRight(c)) => (Arithmetic::Multiply, c),
        (BinaryOp::Sub, Operands::ConstantRight(c)) => (Arithmetic::Subtract, c),
        (BinaryOp::Sub, Operands::ConstantLeft(c)) => (Arithmetic::SubtractFrom, c),
        (BinaryOp::Div, Operands::ConstantRight(c)) => (Arithmetic::Divide, c),
        (BinaryOp::Div, Operands::ConstantLeft(c)) => (Arithmetic::DivideInto, c),
        (BinaryOp::Min, Operands::ConstantRight(c)) => (Arithmetic::Least, c),
        (BinaryOp::Max, Operands::ConstantRight(c)) => (Arithmetic::Greatest, c),
        _ => return None,
    };
    Some((arithmetic, number(constant)?))
}

fn number(array: &ArrayRef) -> Option<f32> {
    match array.as_primitive_opt::<Float32Type>()?.values()[..] {
        [number] => Some(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Float32Array;
    use arrow::datatypes::DataType;

    use super::*;
    use crate::program::UnaryOp;

    fn constant(value: f32) -> ArrayRef {
        Arc::new(Float32Array::from(vec![value]))
    }

    fn linear(program: &mut Program, inputs: &[ColumnId], outputs: usize) -> Vec<ColumnId> {
        let weights = (0..inputs.len() * outputs).map(|at| at as f32).collect();
        let model = LinearModel::try_new(weights, vec![0.5; outputs]).expect("a model");
        let node = Arc::from("node");
        program.push(&node, Op::Linear(Arc::new(model)), inputs.to_vec(), vec![DataType::Float32; outputs])
    }

    fn each(program: &mut Program, inputs: &[ColumnId], op: impl Fn(usize) -> Op) -> Vec<ColumnId> {
        let node = Arc::from("node");
        let columns = inputs.iter().enumerate();
        columns.map(|(at, &input)| program.push(&node, op(at), vec![input], [DataType::Float32])[0]).collect()
    }

    /// Two layers with a function and a sum between them: what is in front of the last layer, and its output.
    fn network(functions: [UnaryOp; 2]) -> (Program, ColumnId, ColumnId) {
        let mut program = Program::default();
        let inputs: Vec<ColumnId> = (0..3).map(|_| program.add_column(DataType::Float32)).collect();
        program.inputs = inputs.clone();
        let hidden = linear(&mut program, &inputs, 2);
        let hidden = each(&mut program, &hidden, |at| Op::Unary(functions[at]));
        let hidden =
            each(&mut program, &hidden, |at| Op::Binary(BinaryOp::Add, Operands::ConstantRight(constant(at as f32))));
        let output = linear(&mut program, &hidden, 1)[0];
        (program, hidden[0], output)
    }

    fn names(program: &Program) -> Vec<&str> {
        program.steps.iter().map(|step| step.op.name()).collect()
    }

    #[test]
    fn a_chain_is_one_step() {
        let (mut program, _, output) = network([UnaryOp::Relu; 2]);
        let output = each(&mut program, &[output], |_| Op::Unary(UnaryOp::Sigmoid))[0];
        run(&mut program, &[output]);
        assert_eq!(names(&program), ["Dense"]);
        assert_eq!(program.steps[0].outputs, [output]);
    }

    #[test]
    fn outputs_that_others_read_or_that_differ_end_it() {
        let (mut program, hidden, output) = network([UnaryOp::Relu; 2]);
        run(&mut program, &[output, hidden]);
        assert_eq!(program.steps.len(), 6, "{:?}", names(&program));
        let (mut program, _, output) = network([UnaryOp::Relu, UnaryOp::Tanh]);
        run(&mut program, &[output]);
        assert_eq!(program.steps.len(), 6, "{:?}", names(&program));
    }
}
