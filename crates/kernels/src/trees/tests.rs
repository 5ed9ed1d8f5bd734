//! Hand-checked ensembles, and random ones against a walk that shares no code with the kernel.

use super::*;

mod forms;

const SETS: [f32; 3] = [2.0, 3.0, 7.5];
/// From the second word on: categories 0, 3 and 33.
const BITS: [u32; 3] = [u32::MAX, 0b1001, 0b10];

#[test]
fn every_test_and_missing_values() {
    let nan = f32::NAN;
    // Test, values it accepts, values it refuses.
    let cases: [(Test<f32>, &[f32], &[f32]); 20] = [
        (Test::Leq(1.0), &[1.0, -5.0, f32::NEG_INFINITY], &[1.5, nan]),
        (Test::Lt(1.0), &[0.5], &[1.0, 2.0, nan]),
        (Test::Gte(1.0), &[1.0, f32::INFINITY], &[0.5, nan]),
        (Test::Gt(1.0), &[1.5], &[1.0, nan]),
        (Test::Lt(0.0), &[-1e-45], &[0.0, -0.0, nan]),
        (Test::Lt(f32::NEG_INFINITY), &[], &[f32::NEG_INFINITY, 0.0, nan]),
        (Test::Gte(f32::NEG_INFINITY), &[f32::NEG_INFINITY, 0.0], &[nan]),
        (Test::Gt(nan), &[], &[0.0, nan]),
        (Test::Leq(nan), &[], &[0.0, nan]),
        (Test::Lt(nan), &[], &[0.0, nan]),
        (Test::Eq(nan), &[], &[0.0, nan]),
        (Test::Neq(nan), &[0.0, nan], &[]),
        (Test::Eq(f32::NEG_INFINITY), &[f32::NEG_INFINITY], &[f32::MIN, nan]),
        (Test::Neq(f32::INFINITY), &[f32::MAX, nan], &[f32::INFINITY]),
        (Test::Eq(0.0), &[0.0, -0.0], &[1.0, nan]),
        (Test::Neq(1.0), &[0.0, nan], &[1.0]),
        (Test::Member { first: 1, count: 2 }, &[3.0, 7.5], &[2.0, nan]),
        (Test::IntegerMember { first: 1, count: 2 }, &[3.0, 3.9], &[2.9, -3.0, 4.0, 7.5, 1e30, nan]),
        (
            Test::Category { first: 1, count: 2 },
            &[0.0, -0.0, -0.9, 0.9, 3.0, 3.5, 33.0],
            &[-1.0, 1.0, 2.9, 4.0, 32.0, 64.0, -3.0, 1e30, f32::INFINITY, f32::NEG_INFINITY, nan],
        ),
        (Test::Category { first: 3, count: 0 }, &[], &[0.0, nan]),
    ];
    for (test, yes, no) in cases {
        for (values, answer) in [(yes, 1.0), (no, -1.0)] {
            let expected = vec![answer; values.len()];
            assert_eq!(run(&stump(test, false), &[values.to_vec()]), [expected], "{test:?} of {values:?}");
        }
        assert_eq!(run(&stump(test, true), &[vec![nan]]), [[1.0]], "{test:?} of a missing value");
    }
}

#[test]
fn aggregates_and_base_values() {
    let cases = [
        (Aggregate::Sum, [3.0 + 4.0 - 6.0 + 10.0, 20.0]),
        (Aggregate::Average, [(3.0 + 4.0 - 6.0) / 3.0 + 10.0, 20.0]),
        (Aggregate::Min, [-6.0 + 10.0, 20.0]),
        (Aggregate::Max, [4.0 + 10.0, 20.0]),
    ];
    for (aggregate, expected) in cases {
        let mut parts = leaves(&[3.0, 4.0, -6.0]);
        parts.outputs = 2;
        parts.base_values = vec![10.0, 20.0];
        parts.aggregate = aggregate;
        let outputs = run(&TreeEnsemble::try_new(parts).expect("sound parts"), &[vec![0.0]]);
        assert_eq!(outputs, expected.map(|value: f32| vec![value]), "{aggregate:?}");
    }
}

/// TreeEnsembleRegressor with three trees, two targets and missing values in ONNX Runtime 1.32.
#[test]
fn numbers_of_onnx_runtime() {
    let columns = [
        vec![0.2, 0.2, 0.7, 2.0, f32::NAN, f32::NAN],
        vec![1.3, 1.0, 0.05, 0.2, f32::NAN, 2.0],
        vec![0.0, -0.3, -1.0, 5.0, f32::NAN, -5.0],
    ];
    let cases = [
        (
            Aggregate::Sum,
            [0.3, 1.600_000_1, 3.9, 0.601, -0.799_999_95, 3.6],
            [-7.7, 0.330_000_04, 1.849_999_9, -7.95, -5.52, 0.0],
        ),
        (
            Aggregate::Average,
            [0.433_333_34, 0.866_666_7, 1.633_333_3, 0.533_666_7, 0.066_666_69, 1.533_333_3],
            [-2.733_333_3, -0.056_666_657, 0.45, -2.816_666_6, -2.006_666_7, -0.166_666_66],
        ),
        (
            Aggregate::Min,
            [-0.399_999_98, -0.799_999_95, 0.6, 0.501, -0.799_999_95, -0.399_999_98],
            [-7.95, 0.0, 1.849_999_9, -7.95, -7.95, 0.0],
        ),
        (
            Aggregate::Max,
            [1.2, 3.8, 3.8, 0.6, -0.799_999_95, 3.8],
            [0.0, 0.080_000_01, 1.849_999_9, -7.95, 1.849_999_9, 0.0],
        ),
    ];
    for (aggregate, first, second) in cases {
        let ensemble = TreeEnsemble::try_new(three_trees(aggregate)).expect("sound parts");
        let outputs = run(&ensemble, &columns);
        for (got, expected) in outputs.iter().flatten().zip(first.iter().chain(&second)) {
            assert!((got - expected).abs() <= 2e-7 * expected.abs(), "{got} instead of {expected}, {aggregate:?}");
        }
    }
}

fn three_trees(aggregate: Aggregate) -> TreeParts<f32> {
    let branch = |feature, test, missing_tracks_true, true_child, false_child| {
        Node::Branch(Branch { feature, test, missing_tracks_true, true_child, false_child })
    };
    let leaf = |first, count| Node::Leaf(Leaf { first, count });
    let weights =
        [(0, 0.1), (0, 0.7), (0, -1.3), (1, 0.33), (1, 2.1), (0, -0.9), (1, 0.25), (0, 1e-3), (0, 3.3), (1, -7.7)];
    TreeParts {
        nodes: vec![
            branch(0, Test::Lt(0.5), true, 1, 2),
            branch(1, Test::Gte(1.25), false, 3, 4),
            leaf(0, 1),
            leaf(1, 1),
            leaf(2, 2),
            branch(1, Test::Gt(0.1), false, 6, 7),
            branch(0, Test::Neq(2.0), true, 8, 9),
            leaf(4, 1),
            leaf(5, 2),
            leaf(7, 1),
            branch(2, Test::Leq(-0.3), false, 11, 12),
            leaf(8, 1),
            leaf(9, 1),
        ],
        roots: vec![0, 5, 10],
        leaf_weights: weights.map(|(output, weight)| LeafWeight { output, weight }).to_vec(),
        members: vec![],
        category_bits: vec![],
        features: 3,
        outputs: 2,
        base_values: vec![0.5, -0.25],
        aggregate,
    }
}

#[test]
fn weights_are_added_in_the_order_of_the_trees() {
    let ensemble = TreeEnsemble::try_new(leaves(&[1e8, 3.0, -1e8])).expect("sound parts");
    assert_eq!(run(&ensemble, &[vec![0.0]]), [[(1e8f32 + 3.0) - 1e8]]);
}

#[test]
fn shared_children_are_allowed_and_cycles_are_not() {
    let branch = |threshold, true_child, false_child| {
        let test = Test::Eq(threshold);
        Node::Branch(Branch { feature: 0, test, missing_tracks_true: false, true_child, false_child })
    };
    let mut parts = leaves(&[1.0, -1.0]);
    parts.nodes.extend([branch(5.0, 0, 3), branch(6.0, 0, 1)]);
    parts.roots = vec![2];
    let ensemble = TreeEnsemble::try_new(parts.clone()).expect("a chain of Eq nodes with one true child");
    assert_eq!(ensemble.depth(), 2);
    assert_eq!(run(&ensemble, &[vec![5.0, 6.0, 7.0]]), [[1.0, 1.0, -1.0]]);

    parts.nodes[3] = branch(6.0, 0, 2);
    assert_eq!(TreeEnsemble::try_new(parts), Err(TreeError::Cycle { node: 2 }));
}

#[test]
fn a_very_deep_tree_is_checked_without_recursion() {
    let mut parts = leaves(&[1.0]);
    for node in 0..200_000u32 {
        let branch =
            Branch { feature: 0, test: Test::Leq(0.0), missing_tracks_true: false, true_child: 0, false_child: node };
        parts.nodes.push(Node::Branch(branch));
    }
    parts.roots = vec![200_000];
    assert_eq!(TreeEnsemble::try_new(parts).expect("sound parts").depth(), 200_000);
}

#[test]
fn wrong_parts_are_refused() {
    type Break = fn(&mut TreeParts<f32>);
    let cases: [(Break, &str); 9] = [
        (|parts| parts.roots.push(9), "root 9 at position 1: there are only 3"),
        (|parts| parts.features = 0, "feature 0 at position 0: there are only 0"),
        (|parts| branch_of(parts).true_child = 3, "true child 3 at position 0: there are only 3"),
        (
            |parts| branch_of(parts).test = Test::Member { first: 0, count: 4 },
            "set member 3 at position 0: there are only 3",
        ),
        (
            |parts| branch_of(parts).test = Test::Category { first: 3, count: 1 },
            "set word 3 at position 0: there are only 3",
        ),
        (|parts| parts.leaf_weights.truncate(1), "leaf weight 1 at position 2: there are only 1"),
        (|parts| parts.outputs = 0, "the trees have no output"),
        (|parts| parts.base_values = vec![0.0; 2], "2 base values for 1 outputs"),
        (
            |parts| {
                parts.aggregate = Aggregate::Min;
                parts.leaf_weights[1].weight = f32::NAN;
            },
            "the leaf weight at position 1 is NaN, which has no minimum or maximum",
        ),
    ];
    for (damage, message) in cases {
        let mut parts = stump(Test::Leq(0.0), false).parts().clone();
        damage(&mut parts);
        assert_eq!(TreeEnsemble::try_new(parts).expect_err(message).to_string(), message);
    }
}

#[test]
fn random_ensembles_agree_with_a_walk_row_by_row() {
    let mut random = Random(42);
    for round in 0..80 {
        let aggregate = [Aggregate::Sum, Aggregate::Average, Aggregate::Min, Aggregate::Max][round % 4];
        // Most have no sets of any numbers, so that all rows of a block go through them together; some have categories.
        let tests = [6, 7, 8][round / 4 % 3];
        let parts = random_parts(&mut random, aggregate, tests);
        let rows = 1 + random.below(400);
        let columns: Vec<Vec<f32>> = (0..parts.features).map(|_| (0..rows).map(|_| random.value()).collect()).collect();
        let ensemble = TreeEnsemble::try_new(parts.clone()).expect("sound parts");
        let outputs = run(&ensemble, &columns);
        for row in 0..rows {
            let values: Vec<f32> = columns.iter().map(|column| column[row]).collect();
            let got: Vec<u32> = outputs.iter().map(|output| output[row].to_bits()).collect();
            let expected: Vec<u32> = walk(&parts, &values).iter().map(|value| value.to_bits()).collect();
            assert_eq!(got, expected, "round {round}, row {row}");
        }
        let tail = rows / 2;
        let columns: Vec<Vec<f32>> = columns.iter().map(|column| column[tail..].to_vec()).collect();
        let again: Vec<Vec<f32>> = outputs.iter().map(|output| output[tail..].to_vec()).collect();
        assert_eq!(run(&ensemble, &columns), again, "the same rows in a smaller batch");
    }
}

/// The ensemble's answer for one row, as the ONNX text tells it.
fn walk(parts: &TreeParts<f32>, values: &[f32]) -> Vec<f32> {
    let mut seen: Vec<Vec<f32>> = vec![Vec::new(); parts.outputs];
    for &root in &parts.roots {
        let mut node = &parts.nodes[root as usize];
        while let Node::Branch(branch) = node {
            let x = values[branch.feature as usize];
            let yes = match branch.test {
                _ if x.is_nan() && branch.missing_tracks_true => true,
                Test::Leq(t) => x <= t,
                Test::Lt(t) => x < t,
                Test::Gte(t) => x >= t,
                Test::Gt(t) => x > t,
                Test::Eq(t) => x == t,
                Test::Neq(t) => x != t,
                Test::Member { first, count } => (first..first + count).any(|at| parts.members[at as usize] == x),
                Test::IntegerMember { first, count } => {
                    (first..first + count).any(|at| parts.members[at as usize] == x.cut_to_i32())
                }
                Test::Category { first, count } => {
                    let bits = &parts.category_bits[first as usize..(first + count) as usize];
                    (0..bits.len() * 32).any(|n| bits[n / 32] >> (n % 32) & 1 == 1 && x.trunc() == n as f32)
                }
            };
            node = &parts.nodes[if yes { branch.true_child } else { branch.false_child } as usize];
        }
        let Node::Leaf(leaf) = node else { unreachable!("the walk ends at a leaf") };
        for at in leaf.first..leaf.first + leaf.count {
            let weight = parts.leaf_weights[at as usize];
            seen[weight.output as usize].push(weight.weight);
        }
    }
    let put_together = |weights: &Vec<f32>| match parts.aggregate {
        Aggregate::Sum => weights.iter().fold(0.0, |sum, weight| sum + weight),
        Aggregate::Average => weights.iter().fold(0.0, |sum, weight| sum + weight) / parts.roots.len() as f32,
        Aggregate::Min => weights.iter().copied().reduce(f32::min).unwrap_or(0.0),
        Aggregate::Max => weights.iter().copied().reduce(f32::max).unwrap_or(0.0),
    };
    seen.iter().zip(&parts.base_values).map(|(weights, base)| put_together(weights) + base).collect()
}

fn random_parts(random: &mut Random, aggregate: Aggregate, tests: usize) -> TreeParts<f32> {
    let outputs = 1 + random.below(3);
    let mut parts = TreeParts {
        nodes: Vec::new(),
        roots: Vec::new(),
        leaf_weights: Vec::new(),
        members: SETS.to_vec(),
        category_bits: BITS.to_vec(),
        features: 1 + random.below(5),
        outputs,
        base_values: (0..outputs).map(|_| random.finite()).collect(),
        aggregate,
    };
    for _ in 0..1 + random.below(8) {
        let depth = random.below(7);
        let root = random_node(random, &mut parts, depth, tests);
        parts.roots.push(root);
    }
    parts
}

fn random_node(random: &mut Random, parts: &mut TreeParts<f32>, depth: usize, kinds: usize) -> u32 {
    let node = if depth == 0 || random.below(6) == 0 {
        let first = parts.leaf_weights.len() as u32;
        let count = random.below(4) as u32;
        for _ in 0..count {
            let output = random.below(parts.outputs) as u32;
            parts.leaf_weights.push(LeafWeight { output, weight: random.finite() });
        }
        Node::Leaf(Leaf { first, count })
    } else {
        let threshold = random.threshold();
        let tests = [
            Test::Leq(threshold),
            Test::Lt(threshold),
            Test::Gte(threshold),
            Test::Gt(threshold),
            Test::Eq(threshold),
            Test::Neq(threshold),
            Test::Category { first: random.below(2) as u32, count: random.below(3) as u32 },
            Test::Member { first: random.below(2) as u32, count: random.below(3) as u32 },
        ];
        Node::Branch(Branch {
            feature: random.below(parts.features) as u32,
            test: tests[random.below(kinds)],
            missing_tracks_true: random.below(2) == 0,
            true_child: random_node(random, parts, depth - 1, kinds),
            false_child: random_node(random, parts, depth - 1, kinds),
        })
    };
    parts.nodes.push(node);
    parts.nodes.len() as u32 - 1
}

/// One tree per weight: a single leaf of output 0.
fn leaves(weights: &[f32]) -> TreeParts<f32> {
    TreeParts {
        nodes: (0..weights.len() as u32).map(|first| Node::Leaf(Leaf { first, count: 1 })).collect(),
        roots: (0..weights.len() as u32).collect(),
        leaf_weights: weights.iter().map(|&weight| LeafWeight { output: 0, weight }).collect(),
        members: SETS.to_vec(),
        category_bits: BITS.to_vec(),
        features: 1,
        outputs: 1,
        base_values: vec![],
        aggregate: Aggregate::Sum,
    }
}

/// One branch: 1 for yes, -1 for no.
fn stump(test: Test<f32>, missing_tracks_true: bool) -> TreeEnsemble {
    let mut parts = leaves(&[1.0, -1.0]);
    parts.nodes = vec![
        Node::Branch(Branch { feature: 0, test, missing_tracks_true, true_child: 1, false_child: 2 }),
        Node::Leaf(Leaf { first: 0, count: 1 }),
        Node::Leaf(Leaf { first: 1, count: 1 }),
    ];
    parts.roots = vec![0];
    TreeEnsemble::try_new(parts).expect("sound parts")
}

fn branch_of(parts: &mut TreeParts<f32>) -> &mut Branch<f32> {
    match &mut parts.nodes[0] {
        Node::Branch(branch) => branch,
        Node::Leaf(_) => unreachable!("a stump begins with a branch"),
    }
}

fn run(ensemble: &TreeEnsemble, columns: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let slices: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
    let mut outputs = vec![vec![f32::NAN; columns[0].len()]; ensemble.outputs()];
    let mut output_slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    ensemble.evaluate(&slices, &mut output_slices);
    outputs
}

/// A xorshift generator.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A value from a small grid, so that thresholds are hit exactly.
    fn finite(&mut self) -> f32 {
        self.below(21) as f32 * 0.75 - 7.5
    }

    fn threshold(&mut self) -> f32 {
        match self.below(40) {
            0 => f32::INFINITY,
            1 => -0.0,
            2 => f32::MIN,
            _ => self.finite(),
        }
    }

    fn value(&mut self) -> f32 {
        match self.below(12) {
            0 => f32::NAN,
            1 => f32::INFINITY,
            2 => f32::NEG_INFINITY,
            3 => -0.0,
            _ => self.finite(),
        }
    }
}
