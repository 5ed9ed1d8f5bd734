//! One step, for a few lines: where the loops are compiled for each set of instructions.

use super::{Extent, Input, Starts};
use crate::functions::{self, Function};
use crate::vector::{Loops, Vector};

/// What a step reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// This input of the program.
    Input(usize),
    /// The result of this step.
    Step(usize),
}

/// What becomes a value of a program.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// A function of each number.
    Function(Function, Value),
    /// Arithmetic of two numbers at a time. One number for a line goes with each of another's.
    Pair(Pair, Value, Value),
    /// One number of a line.
    Fold(Fold, Value),
    /// The exponential of each number as a share of those of the line.
    Softmax(Value),
    /// Each number less the mean of its line, over the root of the variance and this.
    Standardise(f64, Value),
}

/// Arithmetic of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// Their sum.
    Add,
    /// The first less the second.
    Subtract,
    /// Their product.
    Multiply,
    /// The first over the second.
    Divide,
}

/// One number of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
}

impl Step {
    /// What it reads.
    pub(super) fn sources(&self) -> impl Iterator<Item = Value> {
        let (first, second) = match *self {
            Self::Pair(_, first, second) => (first, Some(second)),
            Self::Function(_, only) | Self::Fold(_, only) | Self::Softmax(only) | Self::Standardise(_, only) => {
                (only, None)
            }
        };
        [Some(first), second].into_iter().flatten()
    }

    /// Whether it looks at all numbers of a line.
    pub(super) fn is_along_line(&self) -> bool {
        matches!(self, Self::Fold(..) | Self::Softmax(_) | Self::Standardise(..))
    }
}

/// A value for the lines of a block.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    numbers: &'a [f32],
    starts: Starts<'a>,
    extent: Extent,
    /// The line of all that is the block's first.
    first: usize,
}

impl<'a> View<'a> {
    /// An input from a line on.
    pub(super) fn of_input(input: Input<'a>, extent: Extent, first: usize) -> Self {
        Self { numbers: input.numbers, starts: input.starts, extent, first }
    }

    /// A result of the block, line by line.
    pub(super) fn of_block(numbers: &'a [f32], extent: Extent, width: usize) -> Self {
        Self { numbers, starts: Starts::Every(extent.numbers(width)), extent, first: 0 }
    }

    #[inline(always)]
    fn start(&self, line: usize) -> usize {
        match self.starts {
            Starts::Every(distance) => (self.first + line) * distance,
            Starts::At(starts) => starts[self.first + line],
        }
    }

    /// So many numbers of the block, if its lines lie one behind the other, as wide as this.
    #[inline(always)]
    fn all(&self, width: usize, count: usize) -> Option<&'a [f32]> {
        match self.starts {
            Starts::Every(distance) if distance == width => Some(&self.numbers[self.first * distance..][..count]),
            _ => None,
        }
    }

    #[inline(always)]
    fn line(&self, line: usize, width: usize) -> &'a [f32] {
        &self.numbers[self.start(line)..][..width]
    }

    #[inline(always)]
    fn number(&self, line: usize) -> f32 {
        self.numbers[self.start(line)]
    }
}

/// A step over a few lines.
pub(super) struct Block<'a, F> {
    pub(super) step: &'a Step,
    /// What the step reads.
    pub(super) view: F,
    pub(super) width: usize,
    /// What the step gives.
    pub(super) extent: Extent,
    /// Where that goes, line by line.
    pub(super) to: &'a mut [f32],
}

impl<'a, F: Fn(Value) -> View<'a>> Loops for Block<'_, F> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { step, view, width, extent, to } = self;
        let numbers = extent.numbers(width);
        match *step {
            Step::Function(function, of) => {
                let of = view(of);
                copy(&of, numbers, to);
                functions::each(function, to);
            }
            Step::Pair(pair, first, second) => {
                let (first, second) = (view(first), view(second));
                match pair {
                    Pair::Add => zip(&first, &second, numbers, to, |a, b| a + b),
                    Pair::Subtract => zip(&first, &second, numbers, to, |a, b| a - b),
                    Pair::Multiply => zip(&first, &second, numbers, to, |a, b| a * b),
                    Pair::Divide => zip(&first, &second, numbers, to, |a, b| a / b),
                }
            }
            Step::Fold(fold, of) => {
                let of = view(of);
                for (line, to) in to.iter_mut().enumerate() {
                    let sum = sum(of.line(line, width), f64::from);
                    *to = match fold {
                        Fold::Sum => sum as f32,
                        Fold::Mean => (sum / width as f64) as f32,
                    };
                }
            }
            Step::Softmax(of) => {
                copy(&view(of), width, to);
                softmax(width, to);
            }
            Step::Standardise(epsilon, of) => {
                let of = view(of);
                for (line, to) in to.chunks_exact_mut(width).enumerate() {
                    standardise(of.line(line, width), epsilon, to);
                }
            }
        }
    }
}

#[inline(always)]
fn copy(of: &View, numbers: usize, to: &mut [f32]) {
    if let Some(all) = of.all(numbers, to.len()) {
        return to.copy_from_slice(all);
    }
    for (line, to) in to.chunks_exact_mut(numbers).enumerate() {
        to.copy_from_slice(of.line(line, numbers));
    }
}

/// Each number of one value with that of another.
#[inline(always)]
fn zip(first: &View, second: &View, numbers: usize, to: &mut [f32], combine: impl Fn(f32, f32) -> f32) {
    if (first.extent, second.extent) == (Extent::Line, Extent::Line)
        && let (Some(first), Some(second)) = (first.all(numbers, to.len()), second.all(numbers, to.len()))
    {
        let pairs = first.iter().zip(second);
        return to.iter_mut().zip(pairs).for_each(|(to, (&a, &b))| *to = combine(a, b));
    }
    for (line, to) in to.chunks_exact_mut(numbers).enumerate() {
        match (first.extent, second.extent) {
            (Extent::Line, Extent::Line) => {
                let pairs = first.line(line, numbers).iter().zip(second.line(line, numbers));
                for (to, (&a, &b)) in to.iter_mut().zip(pairs) {
                    *to = combine(a, b);
                }
            }
            (Extent::Line, Extent::Number) => {
                let (line, b) = (first.line(line, numbers), second.number(line));
                for (to, &a) in to.iter_mut().zip(line) {
                    *to = combine(a, b);
                }
            }
            (Extent::Number, Extent::Line) => {
                let (a, line) = (first.number(line), second.line(line, numbers));
                for (to, &b) in to.iter_mut().zip(line) {
                    *to = combine(a, b);
                }
            }
            (Extent::Number, Extent::Number) => to[0] = combine(first.number(line), second.number(line)),
        }
    }
}

/// Parts that a sum is taken in.
const PARTS: usize = 16;

/// The sum of something of each number of a line.
#[inline(always)]
fn sum(line: &[f32], of: impl Fn(f32) -> f64) -> f64 {
    let mut sums = [0.0_f64; PARTS];
    let wholes = line.chunks_exact(PARTS);
    let rest = wholes.remainder();
    for part in wholes {
        for (sum, &number) in sums.iter_mut().zip(part) {
            *sum += of(number);
        }
    }
    for (sum, &number) in sums.iter_mut().zip(rest) {
        *sum += of(number);
    }
    sums.iter().sum()
}

/// The greatest number of a line, NaN if there is one.
#[inline(always)]
fn greatest(line: &[f32]) -> f32 {
    let greater = |a: f32, b: f32| if b > a || b.is_nan() { b } else { a };
    let mut most = [f32::NEG_INFINITY; PARTS];
    let wholes = line.chunks_exact(PARTS);
    let rest = wholes.remainder();
    for part in wholes {
        for (most, &number) in most.iter_mut().zip(part) {
            *most = greater(*most, number);
        }
    }
    for (most, &number) in most.iter_mut().zip(rest) {
        *most = greater(*most, number);
    }
    most.into_iter().fold(f32::NEG_INFINITY, greater)
}

#[inline(always)]
fn softmax(width: usize, lines: &mut [f32]) {
    for line in lines.chunks_exact_mut(width) {
        let greatest = greatest(line);
        for number in line {
            *number -= greatest;
        }
    }
    functions::each(Function::Exp, lines);
    for line in lines.chunks_exact_mut(width) {
        let sum = sum(line, f64::from) as f32;
        for number in line {
            *number /= sum;
        }
    }
}

#[inline(always)]
fn standardise(line: &[f32], epsilon: f64, to: &mut [f32]) {
    let count = line.len() as f64;
    let mean = sum(line, f64::from) / count;
    let square = |number: f32| (f64::from(number) - mean) * (f64::from(number) - mean);
    let factor = 1.0 / (sum(line, square) / count + epsilon).sqrt();
    for (to, &number) in to.iter_mut().zip(line) {
        *to = ((f64::from(number) - mean) * factor) as f32;
    }
}
