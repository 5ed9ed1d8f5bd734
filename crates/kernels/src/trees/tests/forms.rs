//! Every form of evaluation that this processor has gives the bits of the walk row by row.

use super::super::engine::Engine;
use super::super::instructions::Instructions;
use super::super::row_by_row;
use super::*;

/// What is special about the thresholds and values of a round.
#[derive(Clone, Copy, Debug)]
enum Numbers {
    /// A small grid, so that thresholds are hit, with NaN, infinities and zeros of both signs.
    Grid,
    /// Neighbouring floating point numbers, ordinary and subnormal.
    Neighbours,
    /// As many different ones as there may be.
    Many,
}

/// How random ensembles look.
#[derive(Clone, Copy, Debug)]
struct Shape {
    numbers: Numbers,
    trees: usize,
    depth: usize,
    features: usize,
    outputs: usize,
    /// Of the kinds of tests, how many occur.
    kinds: usize,
    /// Of 100 nodes above the deepest, how many are leaves.
    early_leaves: usize,
    /// Of 100 nodes, how many are shared with a tree that is already there.
    shared: usize,
    weights_max: usize,
    /// All nodes of a level ask the same.
    is_symmetric: bool,
    aggregate: Aggregate,
}

const SHAPE: Shape = Shape {
    numbers: Numbers::Grid,
    trees: 5,
    depth: 5,
    features: 4,
    outputs: 1,
    kinds: 4,
    early_leaves: 10,
    shared: 0,
    weights_max: 1,
    is_symmetric: false,
    aggregate: Aggregate::Sum,
};

#[test]
fn all_depths_and_kinds_of_tests() {
    for depth in 0..=12 {
        for (kinds, numbers) in [(1, Numbers::Grid), (6, Numbers::Neighbours), (10, Numbers::Grid), (4, Numbers::Many)]
        {
            let trees = if depth > 9 { 2 } else { 6 };
            compare(Shape { depth, kinds, numbers, trees, ..SHAPE }, &[0, 1, 3, 64, 130, 700]);
        }
    }
}

#[test]
fn all_shapes_of_trees_and_leaves() {
    for aggregate in [Aggregate::Sum, Aggregate::Average, Aggregate::Min, Aggregate::Max] {
        for (outputs, weights_max) in [(1, 1), (3, 1), (3, 3), (10, 10), (5, 2), (40, 3)] {
            for early_leaves in [0, 30, 60] {
                let shape = Shape { outputs, weights_max, early_leaves, aggregate, kinds: 7, depth: 7, ..SHAPE };
                compare(shape, &[65, 200]);
            }
        }
    }
}

#[test]
fn symmetric_trees() {
    for depth in 1..=9 {
        compare(Shape { depth, is_symmetric: true, early_leaves: 0, kinds: 10, ..SHAPE }, &[1, 63, 300]);
    }
}

#[test]
fn shared_nodes() {
    for shared in [10, 50] {
        compare(Shape { shared, kinds: 10, trees: 12, depth: 8, ..SHAPE }, &[100]);
    }
}

#[test]
fn trees_that_lean_to_one_side() {
    for lean in [false, true] {
        for depth in [254, 255, 256, 3000] {
            let mut random = Random(depth as u64);
            let mut parts = leaves(&[0.5]);
            parts.nodes.clear();
            parts.leaf_weights.clear();
            let leaf = |parts: &mut TreeParts<f32>, random: &mut Random| {
                let first = parts.leaf_weights.len() as u32;
                parts.leaf_weights.push(LeafWeight { output: 0, weight: random.finite() });
                parts.nodes.push(Node::Leaf(Leaf { first, count: 1 }));
                parts.nodes.len() as u32 - 1
            };
            let mut child = leaf(&mut parts, &mut random);
            for node in 0..depth {
                let other = leaf(&mut parts, &mut random);
                let (true_child, false_child) = if lean { (child, other) } else { (other, child) };
                let test = if lean { Test::Gt(node as f32) } else { Test::Leq(-(node as f32)) };
                let branch = Branch { feature: 0, test, missing_tracks_true: node % 3 == 0, true_child, false_child };
                parts.nodes.push(Node::Branch(branch));
                child = parts.nodes.len() as u32 - 1;
            }
            parts.roots = vec![child; 3];
            let column: Vec<f32> = (0..300).map(|_| random.below(2 * depth + 1) as f32 - depth as f32).collect();
            compare_parts(&parts, &[column], &[300], "a tree that leans");
        }
    }
}

#[test]
fn every_number_of_rows() {
    let rows: Vec<usize> = (0..=200).chain([255, 256, 257, 511, 512, 513, 575, 1023, 1025]).collect();
    compare(Shape { kinds: 8, depth: 6, ..SHAPE }, &rows);
    compare(Shape { kinds: 8, depth: 6, outputs: 4, weights_max: 4, ..SHAPE }, &rows);
}

#[test]
fn more_thresholds_than_codes() {
    // 40 trees of some hundred thresholds over one feature: the features are coded for every few trees anew.
    let shape = Shape { numbers: Numbers::Many, trees: 40, depth: 7, features: 1, early_leaves: 0, ..SHAPE };
    assert!(compare(shape, &[200]).contains("times"));
}

#[test]
fn more_features_than_fit_a_block() {
    let kernel = compare(Shape { features: 700, trees: 20, depth: 8, early_leaves: 0, ..SHAPE }, &[500]);
    assert!(kernel.contains("blocks of 64 rows"), "{kernel}");
}

#[test]
fn the_choice_is_told() {
    let symmetric = compare(Shape { is_symmetric: true, early_leaves: 0, ..SHAPE }, &[10]);
    assert!(symmetric.contains("5 trees with one question per level"), "{symmetric}");
    let complete = compare(Shape { early_leaves: 0, ..SHAPE }, &[10]);
    assert!(complete.contains("5 trees with all questions of a complete tree"), "{complete}");
    let divided = compare(Shape { early_leaves: 40, depth: 9, kinds: 1, ..SHAPE }, &[10]);
    assert!(divided.contains("all questions in order"), "{divided}");
    let large = compare(Shape { early_leaves: 0, depth: 10, kinds: 1, ..SHAPE }, &[10]);
    assert!(large.contains("upper questions"), "{large}");
}

#[test]
fn trees_that_share_too_much_are_followed() {
    // Each level has two nodes that share their children: 2^40 ways.
    let mut parts = leaves(&[1.0, -1.0]);
    let mut children = [0, 1];
    for level in 0..40 {
        for (feature, [true_child, false_child]) in [(0, children), (1, [children[1], children[0]])] {
            let test = Test::Leq(level as f32 / 4.0 - 5.0);
            let branch = Branch { feature, test, missing_tracks_true: false, true_child, false_child };
            parts.nodes.push(Node::Branch(branch));
        }
        let count = parts.nodes.len() as u32;
        children = [count - 2, count - 1];
    }
    parts.features = 2;
    parts.roots = vec![children[0]];
    let ensemble = TreeEnsemble::try_new(parts).expect("sound parts");
    assert!(ensemble.kernel().to_string().starts_with("row by row"), "{}", ensemble.kernel());
    let outputs = run(&ensemble, &[vec![-7.0, 0.0, 7.0], vec![7.0, -7.0, 1.0]]);
    assert!(outputs[0].iter().all(|value| value.abs() == 1.0));
}

/// Compares all forms for random ensembles of a shape, and returns the words for the last one.
fn compare(shape: Shape, rows: &[usize]) -> String {
    let mut random = Random(0x9e37_79b9 + shape.depth as u64 + 100 * shape.kinds as u64 + 1000 * shape.outputs as u64);
    let rows_max = rows.iter().copied().max().unwrap_or(0);
    let parts = ensemble(&mut random, shape);
    let columns: Vec<Vec<f32>> =
        (0..shape.features).map(|_| (0..rows_max).map(|_| value(&mut random, shape.numbers)).collect()).collect();
    compare_parts(
        &widened(&parts),
        &columns.iter().map(|column| widened_column(column)).collect::<Vec<_>>(),
        rows,
        &format!("f64, {shape:?}"),
    );
    compare_parts(&parts, &columns, rows, &format!("f32, {shape:?}"));
    TreeEnsemble::try_new(parts).expect("sound parts").kernel().to_string()
}

fn compare_parts<T: Real>(parts: &TreeParts<T>, columns: &[Vec<T>], rows: &[usize], what: &str) {
    let sound = TreeEnsemble::try_new(parts.clone()).expect("sound parts");
    for &rows in rows {
        let columns: Vec<&[T]> = columns.iter().map(|column| &column[..rows]).collect();
        let expected = outputs_of(&sound, &columns, rows, |outputs| {
            let sum = |sum, weight| sum + weight;
            let least = |least: T, weight| if least.is_nan() || weight < least { weight } else { least };
            let greatest = |greatest: T, weight| if greatest.is_nan() || weight > greatest { weight } else { greatest };
            match parts.aggregate {
                Aggregate::Sum | Aggregate::Average => row_by_row::fold(parts, &columns, outputs, T::ZERO, sum),
                Aggregate::Min => row_by_row::fold(parts, &columns, outputs, T::NAN, least),
                Aggregate::Max => row_by_row::fold(parts, &columns, outputs, T::NAN, greatest),
            }
            sound.finish(outputs);
        });
        for instructions in Instructions::all() {
            for block_rows_min in [1, usize::MAX] {
                let Some(mut engine) = Engine::of(parts, instructions) else { continue };
                engine.block_rows_min = block_rows_min;
                let ensemble = TreeEnsemble { engine: OnceLock::from(Some(engine)), ..sound.clone() };
                let got = outputs_of(&ensemble, &columns, rows, |outputs| ensemble.evaluate(&columns, outputs));
                let same =
                    got.iter().flatten().zip(expected.iter().flatten()).all(|(got, expected)| is_same(*got, *expected));
                assert!(
                    same,
                    "{instructions}, blocks from {block_rows_min} rows, {rows} rows, {what}: {got:?} {expected:?}"
                );
            }
        }
    }
}

/// The same bits, or both no number.
fn is_same<T: Real>(a: T, b: T) -> bool {
    (a.is_nan() && b.is_nan()) || (a == b && (T::ONE / a == T::ONE / b))
}

fn outputs_of<T: Real>(
    ensemble: &TreeEnsemble<T>,
    columns: &[&[T]],
    rows: usize,
    evaluate: impl FnOnce(&mut [&mut [T]]),
) -> Vec<Vec<T>> {
    assert_eq!(columns.len(), ensemble.features());
    let mut outputs = vec![vec![T::LOWEST; rows]; ensemble.outputs()];
    evaluate(&mut outputs.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>());
    outputs
}

/// The same in double precision, but for thresholds a little beside those of single precision.
fn widened(parts: &TreeParts<f32>) -> TreeParts<f64> {
    let wide = |threshold: f32| {
        let wide = f64::from(threshold);
        // Between two numbers of single precision, near either of them, or on one.
        match threshold.to_bits() % 4 {
            0 => wide,
            1 => wide * (1.0 + 1e-12),
            2 => wide * (1.0 - 1e-9),
            _ => wide.next_up(),
        }
    };
    let test = |test| match test {
        Test::Leq(t) => Test::Leq(wide(t)),
        Test::Lt(t) => Test::Lt(wide(t)),
        Test::Gte(t) => Test::Gte(wide(t)),
        Test::Gt(t) => Test::Gt(wide(t)),
        Test::Eq(t) => Test::Eq(wide(t)),
        Test::Neq(t) => Test::Neq(wide(t)),
        Test::Member { first, count } => Test::Member { first, count },
        Test::IntegerMember { first, count } => Test::IntegerMember { first, count },
        Test::Category { first, count } => Test::Category { first, count },
    };
    let node = |node: &Node<f32>| match node {
        Node::Leaf(leaf) => Node::Leaf(*leaf),
        Node::Branch(branch) => Node::Branch(Branch {
            feature: branch.feature,
            test: test(branch.test),
            missing_tracks_true: branch.missing_tracks_true,
            true_child: branch.true_child,
            false_child: branch.false_child,
        }),
    };
    TreeParts {
        nodes: parts.nodes.iter().map(node).collect(),
        roots: parts.roots.clone(),
        leaf_weights: (parts.leaf_weights.iter())
            .map(|weight| LeafWeight { output: weight.output, weight: f64::from(weight.weight) / 3.0 })
            .collect(),
        members: parts.members.iter().map(|&member| f64::from(member)).collect(),
        category_bits: parts.category_bits.clone(),
        features: parts.features,
        outputs: parts.outputs,
        base_values: parts.base_values.iter().map(|&value| f64::from(value)).collect(),
        aggregate: parts.aggregate,
    }
}

fn widened_column(column: &[f32]) -> Vec<f64> {
    let wide = |(row, &x): (usize, &f32)| match row % 5 {
        0 => f64::from(x) * (1.0 + 1e-12),
        1 => f64::from(x).next_up(),
        2 => f64::from(x) * 1e30,
        _ => f64::from(x),
    };
    column.iter().enumerate().map(wide).collect()
}

fn ensemble(random: &mut Random, shape: Shape) -> TreeParts<f32> {
    let mut parts = TreeParts {
        nodes: Vec::new(),
        roots: Vec::new(),
        leaf_weights: Vec::new(),
        members: vec![-2_147_483_648.0, -3.0, -1.0, 0.0, 1.0, 2.25, 3.0, 16_777_216.0, 1e9],
        category_bits: BITS.to_vec(),
        features: shape.features,
        outputs: shape.outputs,
        base_values: (0..shape.outputs).map(|_| random.finite()).collect(),
        aggregate: shape.aggregate,
    };
    for _ in 0..shape.trees {
        let output = random.below(shape.outputs) as u32;
        let levels: Vec<(u32, Test<f32>)> = (0..shape.depth).map(|_| question(random, shape)).collect();
        let root = node(random, &mut parts, shape, (output, &levels), 0);
        parts.roots.push(root);
    }
    parts
}

fn node(
    random: &mut Random,
    parts: &mut TreeParts<f32>,
    shape: Shape,
    (output, levels): (u32, &[(u32, Test<f32>)]),
    level: usize,
) -> u32 {
    if level > 0 && random.below(100) < shape.shared {
        return random.below(parts.nodes.len()) as u32;
    }
    let node = if level == shape.depth || random.below(100) < shape.early_leaves {
        let first = parts.leaf_weights.len() as u32;
        let count = if shape.weights_max == 1 { 1 } else { random.below(shape.weights_max + 1) };
        for at in 0..count {
            let output = match shape.weights_max {
                1 => output,
                // Mostly each output once.
                _ if random.below(50) > 0 => (at as u32 + output) % shape.outputs as u32,
                _ => random.below(shape.outputs) as u32,
            };
            let weight = if random.below(10) == 0 { -0.0 } else { random.finite() / 3.0 };
            parts.leaf_weights.push(LeafWeight { output, weight });
        }
        Node::Leaf(Leaf { first, count: count as u32 })
    } else {
        let (feature, test) = if shape.is_symmetric { levels[level] } else { question(random, shape) };
        let missing_tracks_true = if shape.is_symmetric { level.is_multiple_of(2) } else { random.below(2) == 0 };
        let true_child = node(random, parts, shape, (output, levels), level + 1);
        let false_child = node(random, parts, shape, (output, levels), level + 1);
        Node::Branch(Branch { feature, test, missing_tracks_true, true_child, false_child })
    };
    parts.nodes.push(node);
    parts.nodes.len() as u32 - 1
}

fn question(random: &mut Random, shape: Shape) -> (u32, Test<f32>) {
    let threshold = match random.below(60) {
        0 => f32::NAN,
        1 => f32::INFINITY,
        2 => f32::NEG_INFINITY,
        3 => f32::MIN,
        4 => f32::MAX,
        _ => value(random, shape.numbers),
    };
    let tests = [
        Test::Leq(threshold),
        Test::Lt(threshold),
        Test::Gte(threshold),
        Test::Gt(threshold),
        Test::Eq(threshold),
        Test::Neq(threshold),
        Test::Category { first: random.below(2) as u32, count: random.below(3) as u32 },
        Test::Category { first: 0, count: 3 },
        Test::Member { first: random.below(3) as u32, count: random.below(7) as u32 },
        Test::IntegerMember { first: random.below(3) as u32, count: random.below(7) as u32 },
    ];
    (random.below(shape.features) as u32, tests[random.below(shape.kinds)])
}

fn value(random: &mut Random, numbers: Numbers) -> f32 {
    match (random.below(20), numbers) {
        (0, _) => f32::NAN,
        (1, _) => [f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30][random.below(4)],
        (2, _) => [0.0, -0.0][random.below(2)],
        (_, Numbers::Grid) => random.finite(),
        (_, Numbers::Neighbours) => {
            let near = [0.0f32, 1.0, -1.0, 3.5, 1e-40, 33.0, 16_777_216.0, -2_147_483_648.0][random.below(8)];
            let offset = random.below(9) as i32 - 4;
            (0..offset.abs()).fold(near, |x, _| if offset > 0 { x.next_up() } else { x.next_down() })
        }
        (_, Numbers::Many) => random.below(100_000) as f32 / 1000.0 - 50.0,
    }
}
