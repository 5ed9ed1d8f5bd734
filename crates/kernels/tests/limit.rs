//! A limit on instructions, in a process of its own, since it is set once.

use foretell_kernels::convolution::{Axis, Convolution, Shape as Picture};
use foretell_kernels::dense::{DenseNetwork, Layer};
use foretell_kernels::forms::Form;
use foretell_kernels::functions::Function;
use foretell_kernels::instructions::{Level, LimitError, limit};
use foretell_kernels::linear::LinearModel;
use foretell_kernels::lines::{Extent, Fold, Input, Pair, Program, Starts, Step, Value};
use foretell_kernels::matrix::{Extents, Order, Packed, Product};
use foretell_kernels::neighbours::{Distance, Neighbours};
use foretell_kernels::pictures;
use foretell_kernels::points::{Measure, Points};
use foretell_kernels::pooling::Greatest;
use foretell_kernels::recurrent::{self, Cell, Places, Reset, Sequences, Shape, Way, Weights};
use foretell_kernels::support::{Kernel, SupportPairs, SupportSum, SupportVectors};
use foretell_kernels::trees::{Aggregate, Branch, Leaf, LeafWeight, Node, Test, TreeEnsemble, TreeParts};

#[test]
fn every_kernel_keeps_to_the_limit() {
    let most = Level::of_processor();
    for level in Level::ALL.into_iter().filter(|level| *level > most) {
        assert_eq!(limit(level), Err(LimitError::Lacking { level, most }));
    }
    limit(Level::Portable).expect("the first limit");
    assert_eq!(Form::best().to_string(), "portable code");

    let column: Vec<f32> = (0..100).map(|row| row as f32).collect();
    trees_and_sums(&column);
    points(&column);
    support_vectors(&column);
    products();
    windows();
    lines(&column);
    recurrent_layers();

    limit(Level::Portable).expect("the limit that there is");
    let too_late = LimitError::TooLate { level: Level::Baseline, in_force: Level::Portable };
    assert_eq!(limit(Level::Baseline), Err(too_late));
}

fn trees_and_sums(column: &[f32]) {
    let trees = TreeEnsemble::try_new(stump()).expect("a sound tree");
    let linear = LinearModel::try_new(vec![2.0], vec![1.0]).expect("a model");
    let layer = Layer::try_new(&[2.0], &[1.0], vec![]).expect("a layer");
    let dense = DenseNetwork::try_new(vec![layer]).expect("a network");
    for kernel in [trees.kernel().to_string(), linear.kernel().to_string(), dense.kernel().to_string()] {
        assert_portable(&kernel);
    }
    assert_column(column, |output| trees.evaluate(&[column], &mut [output]), |x| if x <= 41.5 { 3.0 } else { 5.0 });
    assert_column(column, |output| linear.evaluate(&[column], &mut [output]), |x| 2.0 * x + 1.0);
    assert_column(column, |output| dense.evaluate(&[column], &mut [output]), |x| 2.0 * x + 1.0);
}

fn points(column: &[f32]) {
    const PLACES: [f32; 3] = [0.0, 40.0, 90.0];
    let points = Points::try_new(&PLACES, 1, Measure::SquaredDistance).expect("points");
    assert_portable(&points.kernel().to_string());
    let mut distances = PLACES.map(|_| vec![0.0; column.len()]);
    points.evaluate(&[column], &mut distances.each_mut().map(Vec::as_mut_slice));
    for (distances, place) in distances.iter().zip(PLACES) {
        assert!(column.iter().zip(distances).all(|(x, distance)| *distance == (x - place) * (x - place)), "{place}");
    }

    let neighbours = Neighbours::try_new(points, 1, Distance::Root).expect("one of three");
    assert_portable(&neighbours.kernel().to_string());
    let (mut distances, mut positions) = (vec![0.0; column.len()], vec![0; column.len()]);
    neighbours.evaluate(&[column], &mut [&mut distances], &mut [&mut positions]);
    for ((x, distance), position) in column.iter().zip(distances).zip(positions) {
        // The first of two that are as near.
        let expected = if *x <= 20.0 { 0 } else { 1 + i64::from(*x > 65.0) };
        assert_eq!((distance, position), ((x - PLACES[expected as usize]).abs(), expected), "of {x}");
    }
}

fn support_vectors(column: &[f32]) {
    let squares = Kernel::Polynomial { gamma: 1.0, offset: 1.0, degree: 2.0 };
    let vectors = |vectors: &[f32], kernel| SupportVectors::try_new(vectors, 1, kernel).expect("vectors");
    let sum = SupportSum::try_new(vectors(&[1.0, 2.0], squares), vec![2.0, -1.0], 0.5).expect("a machine");
    let pairs =
        SupportPairs::try_new(vectors(&[3.0, 1.0], Kernel::Linear), vec![0, 1, 2], vec![1.0, -1.0], vec![-50.0]);
    let pairs = pairs.expect("two classes");
    assert_portable(&sum.kernel().to_string());
    assert_portable(&pairs.kernel().to_string());
    let square = |x: f32| x * x;
    let expected = |x: f32| 2.0 * square(x + 1.0) - square(2.0 * x + 1.0) + 0.5;
    assert_column(column, |output| sum.evaluate(&[column], output), expected);
    let mut winners = vec![-1; column.len()];
    assert_column(column, |output| pairs.evaluate(&[column], &mut [output], &mut winners), |x| 2.0 * x - 50.0);
    assert!(column.iter().zip(winners).all(|(x, winner)| winner == i64::from(*x <= 25.0)));
}

fn products() {
    let extents = Extents { rows: 9, depth: 3, columns: 21 };
    let Extents { rows, depth, columns } = extents;
    let left: Vec<f32> = (0..rows * depth).map(|at| at as f32).collect();
    let right: Vec<f32> = (0..depth * columns).map(|at| (at % 11) as f32).collect();
    let expected: Vec<f32> = (0..rows * columns)
        .map(|at| (0..depth).map(|k| left[at / columns * depth + k] * right[k * columns + at % columns]).sum())
        .collect();
    let mut result = vec![0.0; rows * columns];
    Product::new(extents).add(&left, &right, &mut result);
    assert_eq!(result, expected);
    result.fill(0.0);
    Packed::new(Form::best(), [depth, columns], Order::Rows, &right).add(&left, &mut result);
    assert_eq!(result, expected);
}

/// Windows of 2 × 2 over a picture: sums of products, and the greatest.
fn windows() {
    const SIDE: usize = 20;
    let axis = |stride: usize| Axis {
        image: SIDE,
        kernel: 2,
        stride,
        dilation: 1,
        before: 0,
        outputs: (SIDE - 2) / stride + 1,
    };
    let picture: Vec<f32> = (0..SIDE * SIDE).map(|at| (at * 7 % 31) as f32).collect();
    // What each window sees, row by row.
    let seen = |stride: usize| {
        let places = (0..SIDE - 1).step_by(stride);
        let corners = places.clone().flat_map(move |row| places.clone().map(move |column| row * SIDE + column));
        corners.map(|at| [at, at + 1, at + SIDE, at + SIDE + 1].map(|at| picture[at]))
    };

    let shape = Picture { channels: 1, filters: 1, groups: 1, axes: [axis(1); 2] };
    let expected: Vec<f32> = seen(1).map(|[a, b, c, d]| 0.5 + a - 2.0 * b + 3.0 * c - 4.0 * d).collect();
    let mut result = vec![0.0; expected.len()];
    Convolution::new(shape).evaluate(&picture, &[1.0, -2.0, 3.0, -4.0], &[0.5], &mut result);
    assert_eq!(result, expected);

    let expected: Vec<f32> = seen(2).map(|cells| cells.into_iter().fold(f32::MIN, f32::max)).collect();
    let mut result = vec![0.0; expected.len()];
    Greatest::new([axis(2); 2]).evaluate(&picture, &mut result);
    assert_eq!(result, expected);

    // Filters that add the corners, each with one factor more.
    const FILTERS: usize = 16;
    let shape = Picture { filters: FILTERS, ..shape };
    let weights: Vec<f32> = (0..4 * FILTERS).map(|at| (at / 4) as f32).collect();
    let layer = pictures::Layer::Convolution { shape, weights: &weights, bias: &[0.5; FILTERS] };
    let taken = pictures::Extents { channels: 1, height: SIDE, width: SIDE };
    let sums: Vec<f32> = seen(1).map(|cells| cells.iter().sum()).collect();
    let of_filter = |filter: usize| sums.iter().map(move |sum| 0.5 + filter as f32 * sum);
    let expected: Vec<f32> = (0..FILTERS).flat_map(of_filter).collect();
    let mut result = vec![0.0; expected.len()];
    pictures::Network::new(Form::best(), taken, &[layer]).evaluate(
        &picture,
        &mut result,
        &mut pictures::Scratch::default(),
    );
    assert_eq!(result, expected);
}

/// What is above the mean of a line of ten.
fn lines(column: &[f32]) {
    const WIDTH: usize = 10;
    let line = Value::Input(0);
    let steps = vec![
        Step::Fold(Fold::Mean, line),
        Step::Pair(Pair::Subtract, line, Value::Step(0)),
        Step::Function(Function::Relu, Value::Step(1)),
    ];
    let program = Program::try_new(&[Extent::Line], steps, &[2]).expect("a program");
    let input = Input { numbers: column, starts: Starts::Every(WIDTH) };
    let run = |output: &mut [f32]| program.run(column.len() / WIDTH, WIDTH, &[input], &mut [output]);
    assert_column(column, run, |x| (x % 10.0 - 4.5).max(0.0));
}

/// Weights with which the state of any cell is the sum of the inputs so far: shares are constant, candidates are the input
/// and, but for an LSTM, which adds them to its cell, the state.
fn recurrent_layers() {
    const STEPS: usize = 5;
    const ROWS: usize = 11;
    let inputs: Vec<f32> = (0..ROWS * STEPS).map(|at| (at % 13) as f32).collect();
    let sums = |row: &[f32]| {
        row.iter()
            .scan(0.0, |sum, x| {
                *sum += x;
                Some(*sum)
            })
            .collect::<Vec<f32>>()
    };
    let expected: Vec<f32> = inputs.chunks_exact(STEPS).flat_map(sums).collect();
    // Constant shares and the weight of the state for the candidate.
    for (cell, shares, of_state) in [
        (Cell::Rnn, vec![], 1.0),
        // Nothing of the old state as it is, all of it in the candidate.
        (Cell::Gru(Reset::Before), vec![0.0, 1.0], 1.0),
        (Cell::Gru(Reset::After), vec![0.0, 1.0], 1.0),
        (Cell::Lstm, vec![1.0; 3], 0.0),
    ] {
        let gates = shares.len() + 1;
        let of_candidate = |weight: f32| [vec![0.0; shares.len()], vec![weight]].concat();
        let bias = [shares.clone(), vec![0.0; gates + 1]].concat();
        let (input, state) = (of_candidate(1.0), of_candidate(of_state));
        let weights = Weights { input: &input, state: &state, bias: Some(&bias) };
        let layer =
            recurrent::Layer::new(Form::best(), Shape { cell, inputs: 1, hidden: 1 }, [Function::Relu; 3], weights);
        let (mut results, mut hidden, mut cells) = (vec![0.0; ROWS * STEPS], vec![0.0; ROWS], vec![0.0; ROWS]);
        layer.run(Sequences {
            lengths: &[STEPS; ROWS],
            way: Way::Forward,
            inputs: &inputs,
            input_places: Places { start: 0, row: STEPS, step: 1 },
            results: &mut results,
            result_places: Places { start: 0, row: STEPS, step: 1 },
            hidden: &mut hidden,
            cell: if cell == Cell::Lstm { &mut cells } else { &mut [] },
            state_places: Places { start: 0, row: 1, step: 0 },
        });
        assert_eq!(results, expected, "{cell:?}");
    }
}

fn assert_portable(kernel: &str) {
    assert!(kernel.starts_with("portable code,"), "{kernel}");
}

/// Each number of a column becomes what is expected.
fn assert_column(column: &[f32], evaluate: impl FnOnce(&mut [f32]), expected: impl Fn(f32) -> f32) {
    let mut output = vec![0.0; column.len()];
    evaluate(&mut output);
    for (&x, y) in column.iter().zip(output) {
        assert_eq!(y, expected(x), "of {x}");
    }
}

/// 3 up to 41.5, then 5.
fn stump() -> TreeParts<f32> {
    let branch =
        Branch { feature: 0, test: Test::Leq(41.5), missing_tracks_true: false, true_child: 1, false_child: 2 };
    let leaf = |first| Node::Leaf(Leaf { first, count: 1 });
    let weight = |weight| LeafWeight { output: 0, weight };
    TreeParts {
        nodes: vec![Node::Branch(branch), leaf(0), leaf(1)],
        roots: vec![0],
        leaf_weights: vec![weight(3.0), weight(5.0)],
        members: vec![],
        category_bits: vec![],
        features: 1,
        outputs: 1,
        base_values: vec![],
        aggregate: Aggregate::Sum,
    }
}
