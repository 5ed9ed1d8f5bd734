//! Machines beside linear models over kernels, and beside plain sums in double precision, whatever the instructions.

use super::*;
use crate::linear::LinearModel;
use crate::points::tests::slices;
use crate::samples::sequence::Sequence;

const KERNELS: [Kernel; 8] = [
    Kernel::Linear,
    Kernel::Gaussian { gamma: 0.3 },
    Kernel::Sigmoid { gamma: 0.4, offset: -0.2 },
    Kernel::Polynomial { gamma: 0.7, offset: 0.5, degree: 2.0 },
    Kernel::Polynomial { gamma: 0.7, offset: 0.5, degree: 3.0 },
    Kernel::Polynomial { gamma: 0.5, offset: 1.0, degree: 5.0 },
    Kernel::Polynomial { gamma: 0.5, offset: 1.0, degree: 0.0 },
    Kernel::Polynomial { gamma: 0.01, offset: 1.0, degree: 1.5 },
];
const ROWS: [usize; 8] = [0, 1, 3, 16, 47, 48, 50, 131];
const FEATURES: usize = 9;

/// A kernel in double precision.
fn exact(kernel: Kernel, row: &[f32], vector: &[f32]) -> f64 {
    let pairs = || row.iter().zip(vector).map(|(&x, &v)| (f64::from(x), f64::from(v)));
    let product: f64 = pairs().map(|(x, v)| x * v).sum();
    match kernel {
        Kernel::Linear => product,
        Kernel::Polynomial { gamma, offset, degree } => {
            (f64::from(gamma) * product + f64::from(offset)).powf(f64::from(degree))
        }
        Kernel::Gaussian { gamma } => (-f64::from(gamma) * pairs().map(|(x, v)| (x - v).powi(2)).sum::<f64>()).exp(),
        Kernel::Sigmoid { gamma, offset } => (f64::from(gamma) * product + f64::from(offset)).tanh(),
    }
}

/// The kernel with each vector, as a column.
fn kernels(vectors: &SupportVectors, columns: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let mut outputs = vec![vec![0.0; columns[0].len()]; vectors.count()];
    let points = vectors.points.clone().with_form(Form::all()[0]);
    points.evaluate(&slices(columns), &mut outputs.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>());
    outputs.iter_mut().for_each(|output| vectors.kernel.apply(Form::all()[0], output));
    outputs
}

fn same(got: &[f32], expected: &[f32]) -> bool {
    got.len() == expected.len()
        && got.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
}

#[test]
fn kernels_are_close_to_those_in_double_precision() {
    let mut numbers = Sequence(3);
    let values = numbers.some(FEATURES * 70);
    let columns: Vec<Vec<f32>> = (0..FEATURES).map(|_| numbers.some(50)).collect();
    for kernel in KERNELS {
        let vectors = SupportVectors::try_new(&values, FEATURES, kernel).expect("vectors");
        for (at, column) in kernels(&vectors, &columns).iter().enumerate() {
            for (row, &got) in column.iter().enumerate() {
                let x: Vec<f32> = columns.iter().map(|column| column[row]).collect();
                let expected = exact(kernel, &x, &values[at * FEATURES..][..FEATURES]);
                let error = (f64::from(got) - expected).abs();
                assert!(error <= 4e-6 * expected.abs().max(0.5), "{kernel:?}: {got} instead of {expected}");
            }
        }
    }
}

#[test]
fn the_sum_is_that_of_a_linear_model_over_kernels() {
    let mut numbers = Sequence(4);
    for (kernel, count) in KERNELS.into_iter().zip([1, 7, 64, 65, 256, 257, 300, 600]) {
        let vectors = SupportVectors::try_new(&numbers.some(FEATURES * count), FEATURES, kernel).expect("vectors");
        let coefficients = numbers.some(count);
        let linear = LinearModel::try_new(coefficients.clone(), vec![0.25]).expect("a model");
        for rows in ROWS {
            let columns = numbers.columns(FEATURES, rows);
            let mut expected = vec![0.0; rows];
            linear.evaluate(&slices(&kernels(&vectors, &columns)), &mut [&mut expected]);
            for form in Form::all() {
                let vectors = vectors.clone().with_form(form);
                let sum = SupportSum::try_new(vectors, coefficients.clone(), 0.25).expect("a machine");
                let mut scores = vec![0.0; rows];
                sum.evaluate(&slices(&columns), &mut scores);
                assert!(same(&scores, &expected), "{kernel:?}, {count} vectors, {rows} rows, {form}");
            }
        }
    }
}

/// The scores of all pairs and the winner, row by row.
fn pairwise(
    kernels: &[Vec<f32>],
    starts: &[usize],
    coefficients: &[f32],
    constants: &[f32],
) -> (Vec<Vec<f32>>, Vec<i64>) {
    let (classes, rows) = (starts.len() - 1, kernels[0].len());
    let mut scores = vec![vec![0.0; rows]; constants.len()];
    let winner = |(row, scores): (usize, &mut [Vec<f32>])| {
        let mut votes = vec![0; classes];
        let mut pair = 0;
        for i in 0..classes {
            for j in i + 1..classes {
                let terms = [(i, j - 1), (j, i)].into_iter().flat_map(|(class, other)| {
                    (starts[class]..starts[class + 1])
                        .map(move |at| f64::from(coefficients[other * kernels.len() + at] * kernels[at][row]))
                });
                let sum = terms.fold(0.0, |sum, term| sum + term) + f64::from(constants[pair]);
                scores[pair][row] = sum as f32;
                votes[if sum > 0.0 { i } else { j }] += 1;
                pair += 1;
            }
        }
        let most = votes.iter().max().expect("classes");
        votes.iter().position(|votes| votes == most).expect("the most") as i64
    };
    let winners = (0..rows).map(|row| winner((row, &mut scores))).collect();
    (scores, winners)
}

#[test]
fn pairs_are_summed_in_double_precision_and_vote() {
    let mut numbers = Sequence(5);
    for starts in [vec![0, 1, 2], vec![0, 40, 90], vec![0, 3, 3, 100, 131], vec![0, 70, 72, 90, 95, 140]] {
        let (classes, count) = (starts.len() - 1, starts[starts.len() - 1]);
        let kernel = KERNELS[classes % KERNELS.len()];
        let vectors = SupportVectors::try_new(&numbers.some(FEATURES * count), FEATURES, kernel).expect("vectors");
        let coefficients = numbers.some((classes - 1) * count);
        let constants = numbers.some(classes * (classes - 1) / 2);
        for rows in ROWS {
            let columns = numbers.columns(FEATURES, rows);
            let expected = pairwise(&kernels(&vectors, &columns), &starts, &coefficients, &constants);
            for form in Form::all() {
                let vectors = vectors.clone().with_form(form);
                let pairs = SupportPairs::try_new(vectors, starts.clone(), coefficients.clone(), constants.clone());
                let pairs = pairs.expect("a machine");
                let (mut scores, mut winners) = (vec![vec![0.0; rows]; pairs.pairs()], vec![0; rows]);
                let mut columns_of_scores: Vec<&mut [f32]> = scores.iter_mut().map(Vec::as_mut_slice).collect();
                pairs.evaluate(&slices(&columns), &mut columns_of_scores, &mut winners);
                assert!(
                    scores.iter().zip(&expected.0).all(|(got, expected)| same(got, expected)),
                    "{starts:?}, {form}"
                );
                assert_eq!(winners, expected.1, "{starts:?}, {rows} rows, {form}");
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_whatever_is_around_it() {
    let mut numbers = Sequence(6);
    let columns: Vec<Vec<f32>> = (0..FEATURES).map(|_| numbers.some(131)).collect();
    for (kernel, form) in KERNELS.into_iter().flat_map(|kernel| Form::all().into_iter().map(move |form| (kernel, form)))
    {
        let vectors = SupportVectors::try_new(&numbers.some(FEATURES * 300), FEATURES, kernel).expect("vectors");
        let sum = SupportSum::try_new(vectors.with_form(form), numbers.some(300), 0.5).expect("a machine");
        let mut together = vec![0.0; 131];
        sum.evaluate(&slices(&columns), &mut together);
        for part in [0..1, 5..131, 7..9, 64..65, 90..106, 3..52] {
            let some: Vec<&[f32]> = columns.iter().map(|column| &column[part.clone()]).collect();
            let mut scores = vec![0.0; part.len()];
            sum.evaluate(&some, &mut scores);
            assert!(same(&scores, &together[part.clone()]), "{kernel:?}, rows {part:?}, {form}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let vectors = || SupportVectors::try_new(&[1.0; 6], 2, Kernel::Linear).expect("three vectors");
    let error = |result: Result<SupportPairs, SupportError>| result.expect_err("it does not fit").to_string();
    let sum = SupportSum::try_new(vectors(), vec![1.0; 2], 0.0).expect_err("a coefficient is missing");
    assert_eq!(sum.to_string(), "2 coefficients instead of 3");
    let classes = SupportPairs::try_new(vectors(), vec![0, 1, 2], vec![1.0; 3], vec![0.0]);
    assert_eq!(error(classes), "2 classes have the first 2 of 3 support vectors");
    let coefficients = SupportPairs::try_new(vectors(), vec![0, 1, 2, 3], vec![1.0; 3], vec![0.0; 3]);
    assert_eq!(error(coefficients), "3 coefficients instead of 6");
    let constants = SupportPairs::try_new(vectors(), vec![0, 1, 3], vec![1.0; 3], vec![]);
    assert_eq!(error(constants), "0 constants for 1 pairs of classes");
    assert!(SupportVectors::try_new(&[1.0; 3], 2, Kernel::Linear).is_err());
}
