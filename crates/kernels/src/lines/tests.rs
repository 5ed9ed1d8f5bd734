//! Programs beside a plain interpreter in double precision, whatever the instructions.

use super::*;
use crate::functions::Function;
use crate::samples::sequence::numbers;

/// Three inputs: lines, one line for all, and a number for each line at its own place.
const INPUTS: [Extent; 3] = [Extent::Line, Extent::Line, Extent::Number];

fn all_steps() -> Vec<Step> {
    let (line, shared, number) = (Value::Input(0), Value::Input(1), Value::Input(2));
    vec![
        Step::Pair(Pair::Add, line, shared),
        Step::Pair(Pair::Multiply, number, Value::Step(0)),
        Step::Fold(Fold::Mean, Value::Step(1)),
        Step::Pair(Pair::Subtract, Value::Step(1), Value::Step(2)),
        Step::Pair(Pair::Multiply, Value::Step(2), number),
        Step::Function(Function::Exp, Value::Step(4)),
        Step::Pair(Pair::Divide, Value::Step(3), Value::Step(5)),
        Step::Function(Function::Tanh, Value::Step(6)),
        Step::Softmax(Value::Step(7)),
        Step::Standardise(1e-5, Value::Step(0)),
        Step::Pair(Pair::Multiply, Value::Step(9), shared),
        Step::Fold(Fold::Sum, Value::Step(10)),
    ]
}

/// Lines, widths and the numbers of the inputs.
struct Sample {
    lines: usize,
    width: usize,
    numbers: [Vec<f32>; 3],
    starts: Vec<usize>,
}

impl Sample {
    fn new(lines: usize, width: usize) -> Self {
        let starts = (0..lines).map(|line| (line * 7 + 3) % lines).collect();
        Self { lines, width, numbers: [numbers(1, lines * width), numbers(2, width), numbers(3, lines)], starts }
    }

    fn inputs(&self) -> [Input<'_>; 3] {
        let starts = [Starts::Every(self.width), Starts::Every(0), Starts::At(&self.starts)];
        std::array::from_fn(|at| Input { numbers: &self.numbers[at], starts: starts[at] })
    }

    fn run(&self, program: &Program) -> Vec<Vec<f32>> {
        let sizes = program.output_extents().map(|extent| self.lines * extent.numbers(self.width));
        let mut outputs: Vec<Vec<f32>> = sizes.map(|size| vec![0.0; size]).collect();
        let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        program.run(self.lines, self.width, &self.inputs(), &mut slices);
        outputs
    }

    /// The results of all steps for a line.
    fn expected(&self, steps: &[Step], line: usize) -> Vec<Vec<f64>> {
        let input = |at: usize| -> Vec<f64> {
            let numbers = match at {
                0 => &self.numbers[0][line * self.width..][..self.width],
                1 => &self.numbers[1][..],
                _ => &self.numbers[2][self.starts[line]..][..1],
            };
            numbers.iter().map(|&number| f64::from(number)).collect()
        };
        let mut results: Vec<Vec<f64>> = Vec::new();
        for step in steps {
            let of = |value: Value| match value {
                Value::Input(at) => input(at),
                Value::Step(at) => results[at].clone(),
            };
            let result = plain(step, of);
            results.push(result);
        }
        results
    }
}

/// A step in double precision.
fn plain(step: &Step, of: impl Fn(Value) -> Vec<f64>) -> Vec<f64> {
    let mean = |line: &[f64]| line.iter().sum::<f64>() / line.len() as f64;
    match *step {
        Step::Function(Function::Exp, value) => of(value).into_iter().map(f64::exp).collect(),
        Step::Function(Function::Tanh, value) => of(value).into_iter().map(f64::tanh).collect(),
        Step::Function(other, _) => panic!("{other:?} is not among the steps"),
        Step::Pair(pair, first, second) => {
            let (first, second) = (of(first), of(second));
            let at = |line: &[f64], at: usize| line[at % line.len()];
            let combine = |place: usize| {
                let (a, b) = (at(&first, place), at(&second, place));
                match pair {
                    Pair::Add => a + b,
                    Pair::Subtract => a - b,
                    Pair::Multiply => a * b,
                    Pair::Divide => a / b,
                }
            };
            (0..first.len().max(second.len())).map(combine).collect()
        }
        Step::Fold(Fold::Sum, value) => vec![of(value).iter().sum()],
        Step::Fold(Fold::Mean, value) => vec![mean(&of(value))],
        Step::Softmax(value) => {
            let powers: Vec<f64> = of(value).into_iter().map(f64::exp).collect();
            powers.iter().map(|power| power / powers.iter().sum::<f64>()).collect()
        }
        Step::Standardise(epsilon, value) => {
            let line = of(value);
            let centre = mean(&line);
            let variance = mean(&line.iter().map(|number| (number - centre).powi(2)).collect::<Vec<_>>());
            line.iter().map(|number| (number - centre) / (variance + epsilon).sqrt()).collect()
        }
    }
}

#[test]
fn every_form_gives_the_numbers_of_double_precision_and_the_same_bits() {
    let steps = all_steps();
    let all: Vec<usize> = (0..steps.len()).collect();
    let program = Program::try_new(&INPUTS, steps.clone(), &all).expect("a program");
    for (lines, width) in [(1, 1), (5, 2), (3, 17), (200, 32), (9, 384), (2, 5000)] {
        let sample = Sample::new(lines, width);
        let first = sample.run(&program.clone().with_form(Form::all()[0]));
        for line in 0..lines {
            for (at, expected) in sample.expected(&steps, line).iter().enumerate() {
                let got = &first[at][line * expected.len()..][..expected.len()];
                // Standardised lines of numbers that are nearly alike are sensitive; so are those of two.
                for (got, expected) in got.iter().zip(expected) {
                    let near = (f64::from(*got) - expected).abs() <= 2e-5 * expected.abs() + 2e-5;
                    assert!(near, "{lines} lines of {width}, step {at}: {got} instead of {expected}");
                }
            }
        }
        for form in Form::all() {
            let other = sample.run(&program.clone().with_form(form));
            let bits = |all: &[Vec<f32>]| -> Vec<u32> { all.iter().flatten().map(|number| number.to_bits()).collect() };
            assert_eq!(bits(&other), bits(&first), "{lines} lines of {width}, {form}");
        }
    }
}

#[test]
fn a_line_has_the_same_bits_whatever_is_around_it_and_whatever_is_asked_for() {
    let all: Vec<usize> = (0..all_steps().len()).collect();
    let whole = Program::try_new(&INPUTS, all_steps(), &all).expect("a program");
    let sample = Sample::new(100, 48);
    let together = sample.run(&whole);
    for step in all {
        let alone = Program::try_new(&INPUTS, all_steps(), &[step]).expect("a program");
        for line in [0, 1, 57, 99] {
            let part = Sample {
                lines: 1,
                width: 48,
                numbers: [
                    sample.numbers[0][line * 48..][..48].to_vec(),
                    sample.numbers[1].clone(),
                    sample.numbers[2].clone(),
                ],
                starts: vec![sample.starts[line]],
            };
            let got = part.run(&alone).remove(0);
            assert_eq!(got, together[step][line * got.len()..][..got.len()], "step {step}, line {line}");
        }
    }
}

#[test]
fn nan_and_infinity_flow() {
    let program = Program::try_new(&[Extent::Line], vec![Step::Softmax(Value::Input(0))], &[0]).expect("a program");
    let softmax = |numbers: &[f32]| {
        let mut result = vec![0.0; numbers.len()];
        let input = Input { numbers, starts: Starts::Every(numbers.len()) };
        program.run(1, numbers.len(), &[input], &mut [&mut result]);
        result
    };
    assert_eq!(softmax(&[0.0, f32::NEG_INFINITY]), [1.0, 0.0]);
    let mut line = vec![0.0; 40];
    line[33] = f32::NAN;
    assert!(softmax(&line).iter().all(|number| number.is_nan()));
    assert!(softmax(&[f32::NEG_INFINITY; 3]).iter().all(|number| number.is_nan()));
    assert!(softmax(&[f32::INFINITY, 0.0])[0].is_nan());
}

#[test]
fn what_does_not_fit_is_refused() {
    let program = |steps: Vec<Step>, outputs: &[usize]| {
        Program::try_new(&[Extent::Number], steps, outputs).expect_err("it does not fit").to_string()
    };
    let later = program(vec![Step::Pair(Pair::Add, Value::Input(0), Value::Step(0))], &[]);
    assert_eq!(later, "step 0 reads Step(0), which is not there before it");
    let number = program(vec![Step::Fold(Fold::Sum, Value::Input(0))], &[]);
    assert_eq!(number, "step 0 works along a line, its input is one number for each");
    assert_eq!(program(vec![], &[0]), "the result of step 0 is asked for, which is not there");
}

#[test]
fn numbers_that_stay_take_no_room_for_lines() {
    // A number for each line, and functions of it that are all given.
    let mut steps = vec![Step::Fold(Fold::Sum, Value::Input(0))];
    steps.extend((0..99).map(|at| Step::Function(Function::Negative, Value::Step(at))));
    let outputs: Vec<usize> = (0..100).collect();
    let program = Program::try_new(&[Extent::Line], steps, &outputs).expect("a program");
    assert!(program.numbers(1, 100_000) <= 100);
}
