//! Steps that are done together, line by line, by the kernels of `foretell-kernels`.
//!
//! What stands between the products of a network are functions of a number, arithmetic with the number at the same place, and
//! sums along the last axis. As many steps of that kind as follow each other over tensors of one shape are one program over the
//! lines of that shape: each value that only they read is never written to memory. Alone or together, a step has the same bits,
//! and so has a line, whatever the lines around it.
//!
//! Deliberately not here: tensors whose elements are not `f32`, and what reads other lines than its own. Those are left to the
//! operators' functions, which also say what is wrong with inputs that do not fit.

use std::collections::HashMap;

use foretell_kernels::functions::Function;
use foretell_kernels::lines::{Extent, Fold, Input, Pair, Program, Starts, Step as LineStep, Value as Source};

use crate::budget::Meter;
use crate::call::Call;
use crate::element::ElementType;
use crate::error::{Fault, Outcome};
use crate::graph::{Attribute, Node};
use crate::ops::{clip_bounds, reduced_axes};
use crate::plan::{Body, Step};
use crate::run::{Frame, NODE_WORK};
use crate::shape;
use crate::tensor::Tensor;
use crate::value::Value;

/// Steps that go together at most: what it takes to plan them grows with the square of their number.
const STEPS_MAX: usize = 256;

/// What an operator does with lines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum LineOperator {
    Pair(Pair),
    Power,
    Clip,
    Function(Function),
    Fold(Fold),
    Softmax,
    LayerNormalization,
}

impl LineOperator {
    /// What a node does with lines, if that is all it does. Whether its inputs are lines is seen when it runs.
    pub(crate) fn of(node: &Node) -> Option<Self> {
        // The first versions spread one input over the other in their own way.
        let spreads = node.opset >= 7;
        let number = |name: &str, usual: f32| match node.attributes.get(name) {
            None => Some(usual),
            Some(Attribute::Float(number)) => Some(*number),
            Some(_) => None,
        };
        let is = |name: &str, text: &str| match node.attributes.get(name) {
            Some(Attribute::Text(value)) => value == text,
            _ => false,
        };
        if !node.domain.is_empty() {
            return None;
        }
        Some(match node.op_type.as_str() {
            "Add" if spreads => Self::Pair(Pair::Add),
            "Sub" if spreads => Self::Pair(Pair::Subtract),
            "Mul" if spreads => Self::Pair(Pair::Multiply),
            "Div" if spreads => Self::Pair(Pair::Divide),
            "Pow" if spreads => Self::Power,
            "Abs" => Self::Function(Function::Absolute),
            "Clip" => Self::Clip,
            "Erf" => Self::Function(Function::Erf),
            "Exp" => Self::Function(Function::Exp),
            "Gelu" if is("approximate", "tanh") => Self::Function(Function::FastGelu),
            "Gelu" if !node.attributes.contains_key("approximate") || is("approximate", "none") => {
                Self::Function(Function::Gelu)
            }
            "HardSigmoid" => {
                Self::Function(Function::HardSigmoid { alpha: number("alpha", 0.2)?, beta: number("beta", 0.5)? })
            }
            "LeakyRelu" => Self::Function(Function::LeakyRelu(number("alpha", 0.01)?)),
            "Neg" => Self::Function(Function::Negative),
            "Reciprocal" => Self::Function(Function::Reciprocal),
            "Relu" => Self::Function(Function::Relu),
            "Sigmoid" => Self::Function(Function::Sigmoid),
            "Sqrt" => Self::Function(Function::SquareRoot),
            "Tanh" => Self::Function(Function::Tanh),
            "LayerNormalization" => Self::LayerNormalization,
            "ReduceMean" => Self::Fold(Fold::Mean),
            "ReduceSum" => Self::Fold(Fold::Sum),
            "Softmax" => Self::Softmax,
            _ => return None,
        })
    }
}

/// What a tensor is as lines: the extents around them, and how wide they are.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Space {
    outer: Vec<usize>,
    width: usize,
}

impl Space {
    fn of(shape: &[usize]) -> Self {
        match shape.split_last() {
            Some((&width, outer)) => Self { outer: outer.to_vec(), width },
            None => Self { outer: Vec::new(), width: 1 },
        }
    }
}

/// The result of a step.
#[derive(Debug, Clone)]
struct Known {
    source: Source,
    extent: Extent,
    shape: Vec<usize>,
}

/// What a step reads: a result of a step before it, or a tensor from outside.
#[derive(Debug, Clone)]
enum Operand {
    Known(Known),
    Tensor(usize, Tensor),
}

impl Operand {
    fn shape(&self) -> &[usize] {
        match self {
            Self::Known(known) => &known.shape,
            Self::Tensor(_, tensor) => tensor.shape(),
        }
    }
}

/// Steps that go together.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    space: Option<Space>,
    /// Slots of the inputs, and what they are.
    slots: Vec<usize>,
    inputs: Vec<(Tensor, Extent)>,
    program: Vec<LineStep>,
    /// The results of the steps of the graph, by their slots.
    known: HashMap<usize, Known>,
    /// Slots that are read afterwards.
    outputs: Vec<usize>,
    count: usize,
    work: u64,
}

impl Lines {
    /// As many steps as go together from this one on; none if it does not work on lines.
    pub(crate) fn of(frame: &Frame, body: &Body, at: usize) -> Self {
        let mut lines = Self::default();
        for step in body.steps[at..].iter().take(STEPS_MAX) {
            if step.lines.and_then(|operator| lines.take(frame, step, operator)).is_none() {
                break;
            }
            lines.count += 1;
        }
        let written = body.steps[at..at + lines.count].iter().filter_map(only_output);
        lines.outputs = written.filter(|&slot| body.last_read[slot] >= at + lines.count).collect();
        lines
    }

    /// How many steps of the graph they are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Adds a step, if it goes together with those before.
    fn take(&mut self, frame: &Frame, step: &Step, operator: LineOperator) -> Option<()> {
        let slot = only_output(step)?;
        let first = self.operand(frame, step, 0)?;
        let known = match operator {
            LineOperator::Function(_) | LineOperator::Clip => {
                let shape = self.enter(first.shape())?;
                let of = self.source(first)?;
                self.push(LineStep::Function(function(frame, step)?, of.source), of.extent, shape)
            }
            LineOperator::Pair(pair) => {
                let second = self.operand(frame, step, 1)?;
                self.pair(pair, first, second)?
            }
            LineOperator::Power => {
                // Any other power is no matter of lines.
                let Operand::Tensor(_, exponent) = self.operand(frame, step, 1)? else { return None };
                let is_square = exponent.values::<f32>()? == [2.0] && exponent.rank() <= first.shape().len();
                if !is_square {
                    return None;
                }
                self.pair(Pair::Multiply, first.clone(), first)?
            }
            LineOperator::Fold(fold) => {
                let mut shape = self.enter(first.shape())?;
                let are_axes_known = step.inputs.iter().skip(1).flatten().all(|slot| !self.known.contains_key(slot));
                if !are_axes_known || !folds_lines(frame, step, shape.len()) {
                    return None;
                }
                let of = self.line(first)?;
                // All numbers are read, whatever is left of them.
                self.charge(&shape);
                *shape.last_mut()? = 1;
                self.push(LineStep::Fold(fold, of), Extent::Number, shape)
            }
            LineOperator::Softmax => {
                let shape = self.enter(first.shape())?;
                let usual = if step.node.opset < 13 { 1 } else { -1 };
                if !is_last(step, usual, shape.len()) {
                    return None;
                }
                let of = self.line(first)?;
                self.push(LineStep::Softmax(of), Extent::Line, shape)
            }
            LineOperator::LayerNormalization => self.layer_normalization(frame, step, first)?,
        };
        self.known.insert(slot, known);
        self.work = self.work.saturating_add(NODE_WORK);
        Some(())
    }

    fn layer_normalization(&mut self, frame: &Frame, step: &Step, first: Operand) -> Option<Known> {
        let shape = self.enter(first.shape())?;
        let epsilon = match step.node.attributes.get("epsilon") {
            None => 1e-5,
            Some(Attribute::Float(epsilon)) => *epsilon,
            Some(_) => return None,
        };
        // A scale and a bias as wide as a line.
        let is_for_lines = |operand: &Operand| matches!(operand, Operand::Tensor(_, tensor) if Some(&tensor.len()) == shape.last() && tensor.rank() == 1);
        let scale = self.operand(frame, step, 1).filter(is_for_lines)?;
        let bias = match step.inputs.get(2) {
            Some(Some(_)) => Some(self.operand(frame, step, 2).filter(is_for_lines)?),
            _ => None,
        };
        if !is_last(step, -1, shape.len()) {
            return None;
        }
        let of = self.line(first)?;
        let (scale, bias) = (self.source(scale)?, bias.map(|bias| self.source(bias)));
        let mut known = self.push(LineStep::Standardise(f64::from(epsilon), of), Extent::Line, shape.clone());
        let steps = [Some((Pair::Multiply, scale)), bias.flatten().map(|bias| (Pair::Add, bias))];
        for (pair, with) in steps.into_iter().flatten() {
            known = self.push(LineStep::Pair(pair, known.source, with.source), Extent::Line, shape.clone());
        }
        Some(known)
    }

    fn pair(&mut self, pair: Pair, first: Operand, second: Operand) -> Option<Known> {
        let shape = self.enter(&shape::broadcast(first.shape(), second.shape()).ok()?)?;
        let (first, second) = (self.source(first)?, self.source(second)?);
        let extent = if [first.extent, second.extent].contains(&Extent::Line) { Extent::Line } else { Extent::Number };
        Some(self.push(LineStep::Pair(pair, first.source, second.source), extent, shape))
    }

    fn push(&mut self, step: LineStep, extent: Extent, shape: Vec<usize>) -> Known {
        self.program.push(step);
        self.charge(&shape);
        Known { source: Source::Step(self.program.len() - 1), extent, shape }
    }

    /// Notes the work on a value of this shape.
    fn charge(&mut self, shape: &[usize]) {
        self.work = self.work.saturating_add(shape::span(shape).map_or(u64::MAX, |span| span as u64));
    }

    /// Checks that a value of this shape has the lines of the steps before, or one number for each.
    fn enter(&mut self, shape: &[usize]) -> Option<Vec<usize>> {
        let own = Space::of(shape);
        let space = self.space.get_or_insert_with(|| own.clone());
        let fits = shape::volume(shape).is_ok_and(|volume| volume > 0)
            && own.outer == space.outer
            && (own.width == space.width || own.width == 1);
        fits.then(|| shape.to_vec())
    }

    /// What a step reads, if it is there and of single precision.
    fn operand(&self, frame: &Frame, step: &Step, index: usize) -> Option<Operand> {
        let slot = (*step.inputs.get(index)?)?;
        if let Some(known) = self.known.get(&slot) {
            return Some(Operand::Known(known.clone()));
        }
        match frame.slots[slot].as_ref()? {
            Value::Tensor(tensor) if tensor.element_type() == ElementType::F32 => {
                Some(Operand::Tensor(slot, tensor.clone()))
            }
            _ => None,
        }
    }

    /// The operand as a value of the program.
    fn source(&mut self, operand: Operand) -> Option<Known> {
        let (slot, tensor) = match operand {
            Operand::Known(known) => return Some(known),
            Operand::Tensor(slot, tensor) => (slot, tensor),
        };
        let (space, width) = (self.space.as_ref()?, Space::of(tensor.shape()).width);
        let extent = if width == space.width { Extent::Line } else { Extent::Number };
        let at = self.slots.iter().position(|known| *known == slot).unwrap_or_else(|| {
            self.slots.push(slot);
            self.inputs.push((tensor.clone(), extent));
            self.slots.len() - 1
        });
        Some(Known { source: Source::Input(at), extent, shape: tensor.shape().to_vec() })
    }

    /// The operand as a value that has whole lines.
    fn line(&mut self, operand: Operand) -> Option<Source> {
        self.source(operand).filter(|known| known.extent == Extent::Line).map(|known| known.source)
    }

    /// Computes the values that are read afterwards, with their slots.
    pub(crate) fn compute(self, meter: &Meter) -> Outcome<Vec<(usize, Tensor)>> {
        let Self { space, inputs, program, known, outputs, work, .. } = self;
        meter.work(work)?;
        let (Some(space), false) = (space, outputs.is_empty()) else { return Ok(Vec::new()) };
        let lines = shape::volume(&space.outer)?;
        let results: Vec<&Known> = outputs.iter().filter_map(|slot| known.get(slot)).collect();
        let steps =
            results.iter().filter_map(|known| if let Source::Step(at) = known.source { Some(at) } else { None });
        let extents: Vec<Extent> = inputs.iter().map(|(_, extent)| *extent).collect();
        let program = Program::try_new(&extents, program, &steps.collect::<Vec<_>>());
        let program = program.map_err(|error| Fault::invalid(error.to_string()))?;
        let volumes = results.iter().map(|known| shape::volume(&known.shape)).collect::<Outcome<Vec<usize>>>()?;
        let own = volumes.iter().fold(program.numbers(lines, space.width), |all, volume| all.saturating_add(*volume));
        let starts = lines.saturating_mul(inputs.len()).saturating_mul(size_of::<usize>());
        meter.room(own.saturating_mul(size_of::<f32>()).saturating_add(starts), 1)?;
        let mut numbers: Vec<Vec<f32>> = volumes.into_iter().map(|volume| vec![0.0; volume]).collect();
        let starts: Vec<LineStarts> =
            inputs.iter().map(|(tensor, _)| LineStarts::new(tensor.shape(), &space)).collect();
        let inputs = inputs.iter().zip(&starts).map(|((tensor, _), starts)| Input {
            numbers: tensor.values::<f32>().unwrap_or_default(),
            starts: starts.view(),
        });
        let mut slices: Vec<&mut [f32]> = numbers.iter_mut().map(Vec::as_mut_slice).collect();
        program.run(lines, space.width, &inputs.collect::<Vec<_>>(), &mut slices);
        let tensors = results.iter().zip(numbers).map(|(known, numbers)| Tensor::new(known.shape.clone(), numbers));
        Ok(outputs.iter().copied().zip(tensors).collect())
    }
}

/// Where the numbers of a tensor for each line begin.
enum LineStarts {
    Every(usize),
    At(Vec<usize>),
}

impl LineStarts {
    /// Of a tensor that is spread over the lines.
    fn new(shape: &[usize], space: &Space) -> Self {
        let own = Space::of(shape);
        let count: usize = own.outer.iter().product();
        if count == 1 {
            return Self::Every(0);
        }
        if count == space.outer.iter().product::<usize>() {
            return Self::Every(own.width);
        }
        let strides = shape::spread_strides(&own.outer, &space.outer).into_iter().map(|stride| stride * own.width);
        Self::At(shape::offsets(&space.outer, &strides.collect::<Vec<_>>()))
    }

    fn view(&self) -> Starts<'_> {
        match self {
            Self::Every(distance) => Starts::Every(*distance),
            Self::At(starts) => Starts::At(starts),
        }
    }
}

/// The slot of the first output, if it is the only one that is read.
pub(crate) fn only_output(step: &Step) -> Option<usize> {
    match &step.outputs[..] {
        [Some(slot), others @ ..] if others.iter().all(Option::is_none) => Some(*slot),
        _ => None,
    }
}

/// Whether the axis of a node is the last one; `usual` is what it is if the node does not say.
fn is_last(step: &Step, usual: i64, rank: usize) -> bool {
    let axis = match step.node.attributes.get("axis") {
        None => usual,
        Some(Attribute::Int(axis)) => *axis,
        Some(_) => return false,
    };
    shape::axis(axis, rank).is_ok_and(|axis| axis + 1 == rank)
}

/// The function of each number that a step is, if it is one.
pub(crate) fn function(frame: &Frame, step: &Step) -> Option<Function> {
    match step.lines? {
        LineOperator::Function(function) => Some(function),
        LineOperator::Clip => clip(frame, step),
        _ => None,
    }
}

/// What a `Clip` does, if its bounds are there already.
fn clip(frame: &Frame, step: &Step) -> Option<Function> {
    let are_known = step.inputs.iter().skip(1).flatten().all(|slot| frame.slots[*slot].is_some());
    if !are_known {
        return None;
    }
    let (least, greatest) =
        clip_bounds::<f32>(&Call { node: &step.node, inputs: &frame.inputs(step), meter: frame.meter, kept: None })
            .ok()?;
    Some(Function::Clip { least, greatest })
}

/// Whether a reduction is one of each line, whose axis it keeps.
fn folds_lines(frame: &Frame, step: &Step, rank: usize) -> bool {
    let call = Call { node: &step.node, inputs: &frame.inputs(step), meter: frame.meter, kept: None };
    let keeps = call.flag("keepdims", true).is_ok_and(|keeps| keeps);
    keeps && reduced_axes(&call, rank).is_ok_and(|axes| axes.is_some_and(|axes| axes.len() == 1 && axes[0] + 1 == rank))
}

#[cfg(test)]
mod tests;
