//! Programs over lines of numbers: what stands between the products of a network.
//!
//! A tensor is looked at as lines of one width, those along its last dimension. A program makes values of values, step by step;
//! each value has a line of numbers, or one number, for every line of the tensor. All steps are done for a few lines before the
//! next lines are begun, so that what is only read by later steps never leaves the first-level cache: a layer normalisation
//! written in nine operators reads its input once and writes its result once.
//!
//! Sums along a line are taken in double precision, in a fixed number of parts, so that a line's values have the same bits
//! whatever the instructions and whatever the lines around.
//!
//! Deliberately not here: steps that read other lines than their own, and numbers that are not `f32`.
//!
//! ```
//! use foretell_kernels::lines::{Extent, Fold, Input, Pair, Program, Starts, Step, Value};
//!
//! // Each line less its mean.
//! let line = Value::Input(0);
//! let steps = vec![Step::Fold(Fold::Mean, line), Step::Pair(Pair::Subtract, line, Value::Step(0))];
//! let program = Program::try_new(&[Extent::Line], steps, &[1])?;
//! let mut result = [0.0; 4];
//! let input = Input { numbers: &[1.0, 3.0, 10.0, 30.0], starts: Starts::Every(2) };
//! program.run(2, 2, &[input], &mut [&mut result]);
//! assert_eq!(result, [-1.0, 1.0, -10.0, 10.0]);
//! # Ok::<(), foretell_kernels::lines::LinesError>(())
//! ```

mod step;

use std::error::Error;
use std::fmt;

use crate::forms::Form;
use step::{Block, View};

pub use step::{Fold, Pair, Step, Value};

/// Numbers of a value that are computed before the next step: a few values fit into the first-level cache.
const BLOCK_NUMBERS: usize = 2048;

/// What a value has for each line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// As many numbers as a line is wide.
    Line,
    /// One number.
    Number,
}

impl Extent {
    /// How many numbers that are.
    fn numbers(self, width: usize) -> usize {
        match self {
            Self::Line => width,
            Self::Number => 1,
        }
    }
}

/// A value that a program is given.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Its numbers.
    pub numbers: &'a [f32],
    /// Where those of each line begin.
    pub starts: Starts<'a>,
}

/// Where the numbers of each line begin.
#[derive(Debug, Clone, Copy)]
pub enum Starts<'a> {
    /// So many behind those of the line before; zero where all lines share them.
    Every(usize),
    /// There.
    At(&'a [usize]),
}

/// A list of steps.
#[derive(Debug, Clone)]
pub struct Program {
    form: Form,
    inputs: Vec<Extent>,
    steps: Vec<Step>,
    /// What each step gives, and the register where it lies.
    results: Vec<(Extent, usize)>,
    /// What each register has room for.
    registers: Vec<Extent>,
    /// The steps whose results are given.
    outputs: Vec<usize>,
}

impl Program {
    /// A program over inputs with these extents, which gives the results of these steps.
    ///
    /// # Errors
    /// When a step reads what is not there before it, folds what is one number already, or a result is asked for that no step
    /// gives.
    pub fn try_new(inputs: &[Extent], steps: Vec<Step>, outputs: &[usize]) -> Result<Self, LinesError> {
        let mut last_read: Vec<usize> = (0..steps.len()).collect();
        let mut extents: Vec<Extent> = Vec::with_capacity(steps.len());
        for (at, step) in steps.iter().enumerate() {
            let mut extent = Extent::Number;
            for value in step.sources() {
                let found = match value {
                    Value::Input(input) => inputs.get(input),
                    Value::Step(step) => extents.get(step),
                };
                let found = *found.ok_or(LinesError::NoValue { step: at, value })?;
                if let Value::Step(step) = value {
                    last_read[step] = at;
                }
                if found == Extent::Line {
                    extent = Extent::Line;
                }
            }
            if step.is_along_line() && extent == Extent::Number {
                return Err(LinesError::NoLine { step: at });
            }
            extents.push(if let Step::Fold(..) = step { Extent::Number } else { extent });
        }
        if let Some(&output) = outputs.iter().find(|output| **output >= steps.len()) {
            return Err(LinesError::NoStep { output });
        }
        outputs.iter().for_each(|&output| last_read[output] = usize::MAX);
        let (places, registers) = places(&steps, &extents, &last_read);
        let results = extents.into_iter().zip(places).collect();
        Ok(Self { form: Form::best(), inputs: inputs.to_vec(), steps, results, registers, outputs: outputs.to_vec() })
    }

    /// The same program with these instructions, whose results are the same.
    #[must_use]
    pub fn with_form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// What each result has for a line.
    pub fn output_extents(&self) -> impl Iterator<Item = Extent> {
        self.outputs.iter().map(|&step| self.results[step].0)
    }

    /// Numbers that a run over lines of this width keeps besides its inputs and outputs.
    pub fn numbers(&self, lines: usize, width: usize) -> usize {
        let of_line: usize = self.registers.iter().map(|extent| extent.numbers(width)).fold(0, usize::saturating_add);
        of_line.saturating_mul(lines_at_once(lines, width))
    }

    /// Runs the program over lines of this width.
    ///
    /// # Panics
    /// When there is not an input and an output for each that the program has, or one is too short.
    pub fn run(&self, lines: usize, width: usize, inputs: &[Input], outputs: &mut [&mut [f32]]) {
        assert_eq!(inputs.len(), self.inputs.len(), "the inputs of the program");
        assert_eq!(outputs.len(), self.outputs.len(), "the outputs of the program");
        if lines == 0 || width == 0 {
            return;
        }
        let at_once = lines_at_once(lines, width);
        let mut registers: Vec<Vec<f32>> =
            self.registers.iter().map(|extent| vec![0.0; at_once * extent.numbers(width)]).collect();
        for first in (0..lines).step_by(at_once) {
            let count = at_once.min(lines - first);
            for (step, &(extent, register)) in self.steps.iter().zip(&self.results) {
                let mut to = std::mem::take(&mut registers[register]);
                let view = |value: Value| match value {
                    Value::Input(at) => View::of_input(inputs[at], self.inputs[at], first),
                    Value::Step(at) => {
                        let (extent, register) = self.results[at];
                        View::of_block(&registers[register], extent, width)
                    }
                };
                self.form.run(Block { step, view, width, extent, to: &mut to[..count * extent.numbers(width)] });
                registers[register] = to;
            }
            for (output, &step) in outputs.iter_mut().zip(&self.outputs) {
                let (extent, register) = self.results[step];
                let numbers = extent.numbers(width);
                output[first * numbers..][..count * numbers].copy_from_slice(&registers[register][..count * numbers]);
            }
        }
    }
}

fn lines_at_once(lines: usize, width: usize) -> usize {
    (BLOCK_NUMBERS / width.max(1)).clamp(1, lines.max(1))
}

/// The register of each result, given the step that reads it last, and what each register has room for. No result has one of its
/// sources'.
fn places(steps: &[Step], extents: &[Extent], last_read: &[usize]) -> (Vec<usize>, Vec<Extent>) {
    let (mut places, mut registers, mut free) = (Vec::with_capacity(steps.len()), Vec::new(), Vec::new());
    for (at, (step, &extent)) in steps.iter().zip(extents).enumerate() {
        let fitting = free.iter().rposition(|&register| registers[register] == extent);
        places.push(fitting.map_or_else(
            || {
                registers.push(extent);
                registers.len() - 1
            },
            |fitting| free.remove(fitting),
        ));
        let sources = step.sources().filter_map(|value| if let Value::Step(step) = value { Some(step) } else { None });
        for done in sources.chain([at]).filter(|&done| last_read[done] == at) {
            if !free.contains(&places[done]) {
                free.push(places[done]);
            }
        }
    }
    (places, registers)
}

/// Why a program cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinesError {
    /// A step reads what is not there.
    NoValue {
        /// The step, counted from zero.
        step: usize,
        /// What it reads.
        value: Value,
    },
    /// A step works along a line where there is one number.
    NoLine {
        /// The step, counted from zero.
        step: usize,
    },
    /// A result is asked for that no step gives.
    NoStep {
        /// The step that is not there.
        output: usize,
    },
}

impl fmt::Display for LinesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoValue { step, value } => write!(f, "step {step} reads {value:?}, which is not there before it"),
            Self::NoLine { step } => write!(f, "step {step} works along a line, its input is one number for each"),
            Self::NoStep { output } => write!(f, "the result of step {output} is asked for, which is not there"),
        }
    }
}

impl Error for LinesError {}

#[cfg(test)]
mod tests;
