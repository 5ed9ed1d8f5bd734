//! Networks beside linear models and plain functions, whatever the instructions.

use super::*;
use crate::functions::Function;
use crate::linear::LinearModel;
use crate::samples::sequence::Sequence;

impl Sequence {
    fn below(&mut self, count: usize) -> usize {
        (self.next().abs() * count as f32) as usize
    }
}

/// Weights and intercepts of each layer, and the network that has them.
struct Sample {
    parts: Vec<(Vec<f32>, Vec<f32>, Vec<Step>)>,
    network: DenseNetwork,
}

fn sample(numbers: &mut Sequence, widths: &[usize]) -> Sample {
    let functions = [
        Function::Relu,
        Function::LeakyRelu(0.1),
        Function::Elu(1.0),
        Function::Sigmoid,
        Function::Tanh,
        Function::Softplus,
        Function::Erf,
    ];
    let arithmetics = [
        Arithmetic::Add,
        Arithmetic::Subtract,
        Arithmetic::SubtractFrom,
        Arithmetic::Multiply,
        Arithmetic::Divide,
        Arithmetic::Least,
        Arithmetic::Greatest,
    ];
    let parts: Vec<_> = widths
        .windows(2)
        .map(|pair| {
            let mut steps = vec![Step::Function(functions[numbers.below(functions.len())])];
            steps.push(Step::With(arithmetics[numbers.below(arithmetics.len())], numbers.some(pair[1])));
            steps.truncate(numbers.below(3));
            (numbers.some(pair[0] * pair[1]), numbers.some(pair[1]), steps)
        })
        .collect();
    let layers = parts.iter().map(|(weights, intercepts, steps)| Layer::try_new(weights, intercepts, steps.clone()));
    let network = DenseNetwork::try_new(layers.collect::<Result<_, _>>().expect("layers")).expect("a network");
    Sample { parts, network }
}

fn evaluate(network: &DenseNetwork, columns: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let rows = columns[0].len();
    let mut outputs = vec![vec![0.0; rows]; network.outputs()];
    let columns: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
    network.evaluate(&columns, &mut outputs.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>());
    outputs
}

/// Layer by layer, each as a linear model and its steps.
fn expected(sample: &Sample, columns: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let mut present = columns.to_vec();
    for (weights, intercepts, steps) in &sample.parts {
        let model = LinearModel::try_new(weights.clone(), intercepts.clone()).expect("a model");
        let mut outputs = vec![vec![0.0; columns[0].len()]; intercepts.len()];
        let inputs: Vec<&[f32]> = present.iter().map(Vec::as_slice).collect();
        model.evaluate(&inputs, &mut outputs.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>());
        for (at, output) in outputs.iter_mut().enumerate() {
            let rows = output.len().max(1);
            steps.iter().for_each(|step| step.apply(Form::all()[0], at, rows, output));
        }
        present = outputs;
    }
    present
}

fn same(got: &[Vec<f32>], expected: &[Vec<f32>]) -> bool {
    let pairs = got.iter().flatten().zip(expected.iter().flatten());
    got.len() == expected.len()
        && pairs.into_iter().all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
}

const WIDTHS: [&[usize]; 9] = [
    &[1, 1],
    &[3, 8, 1],
    &[28, 64, 32, 3],
    &[7, 9, 17, 25, 2],
    &[5, 300, 4],
    &[600, 11, 33],
    &[256, 257, 12],
    &[2, 6, 5, 7],
    &[40, 1100, 1],
];

#[test]
fn every_form_gives_the_bits_of_linear_models() {
    let mut numbers = Sequence(1);
    for widths in WIDTHS {
        let sample = sample(&mut numbers, widths);
        for rows in [0, 1, 2, 5, 16, 47, 48, 49, 70, 200] {
            let mut columns: Vec<Vec<f32>> = (0..widths[0]).map(|_| numbers.some(rows)).collect();
            if let Some(value) = columns[0].get_mut(1) {
                *value = [f32::NAN, f32::INFINITY][rows % 2];
            }
            let expected = expected(&sample, &columns);
            for form in Form::all() {
                let network = sample.network.clone().with_form(form);
                assert!(same(&evaluate(&network, &columns), &expected), "{widths:?}, {rows} rows, {form}");
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_whatever_is_around_it() {
    let mut numbers = Sequence(2);
    let sample = sample(&mut numbers, &[28, 96, 40, 3]);
    let columns: Vec<Vec<f32>> = (0..28).map(|_| numbers.some(131)).collect();
    for form in Form::all() {
        let network = sample.network.clone().with_form(form);
        let together = evaluate(&network, &columns);
        for part in [0..1, 5..131, 7..9, 64..65, 90..106, 3..52] {
            let slices: Vec<Vec<f32>> = columns.iter().map(|column| column[part.clone()].to_vec()).collect();
            let expected: Vec<Vec<f32>> = together.iter().map(|column| column[part.clone()].to_vec()).collect();
            assert!(same(&evaluate(&network, &slices), &expected), "rows {part:?}, {form}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let layer = |features: usize, outputs: usize| {
        Layer::try_new(&vec![1.0; features * outputs], &vec![0.0; outputs], vec![]).expect("a layer")
    };
    let chain = DenseNetwork::try_new(vec![layer(2, 3), layer(2, 1)]).expect_err("three are not two");
    assert_eq!(chain.to_string(), "layer 1 reads 2 features, the one before it gives 3");
    let none = DenseNetwork::try_new(vec![]).expect_err("nothing");
    assert_eq!(none.to_string(), "a network needs at least one layer");
    let shape = Layer::try_new(&[1.0; 3], &[0.0; 2], vec![]).expect_err("a part of a row");
    assert_eq!(shape.to_string(), "3 weights are no matrix with a row per feature and 2 outputs");
    let step = Step::With(Arithmetic::Add, vec![1.0]);
    let step = Layer::try_new(&[1.0; 4], &[0.0; 2], vec![step]).expect_err("one number");
    assert_eq!(step.to_string(), "a step has 1 numbers for 2 outputs");
}
