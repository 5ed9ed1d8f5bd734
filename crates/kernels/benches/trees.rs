//! Tree ensembles of the shapes that libraries grow: `cargo bench -p foretell-kernels --bench trees`.
//!
//! Trees are grown over random rows, split at quantiles as the libraries' histograms are, so that their thresholds, the lengths
//! of their ways and the rows at their leaves are like those of real ones.

use std::collections::BinaryHeap;
use std::hint::black_box;
use std::ops::Range;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use foretell_kernels::real::Real;
use foretell_kernels::trees::{Aggregate, Branch, Leaf, LeafWeight, Node, Test, TreeEnsemble, TreeParts};

/// What an ensemble looks like.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    trees: usize,
    leaves: usize,
    depth: usize,
    /// The node with the most rows is split next, wherever it is; else level by level.
    is_leaf_wise: bool,
    /// All nodes of a level ask the same.
    is_symmetric: bool,
    features: usize,
    outputs: usize,
    /// A leaf has a weight for each output, not one.
    has_vectors: bool,
    /// Thresholds per feature; none stands for as many as there are rows.
    thresholds: Option<usize>,
}

const BOOSTING: Shape = Shape {
    name: "gradient boosting, 100 trees of depth 6",
    trees: 100,
    leaves: 64,
    depth: 6,
    is_leaf_wise: false,
    is_symmetric: false,
    features: 28,
    outputs: 1,
    has_vectors: false,
    thresholds: Some(254),
};

const SHAPES: [Shape; 7] = [
    BOOSTING,
    Shape { name: "gradient boosting, 500 trees of depth 8", trees: 500, leaves: 256, depth: 8, ..BOOSTING },
    Shape {
        name: "gradient boosting, 500 trees of 255 leaves",
        trees: 500,
        leaves: 255,
        depth: 40,
        is_leaf_wise: true,
        ..BOOSTING
    },
    Shape { name: "symmetric trees, 500 of depth 6", trees: 500, is_symmetric: true, ..BOOSTING },
    Shape {
        name: "gradient boosting, 3 classes of 100 trees of depth 4",
        trees: 300,
        leaves: 16,
        outputs: 3,
        ..BOOSTING
    },
    Shape {
        name: "random forest, 100 trees of depth 12, 5 classes",
        leaves: 2300,
        depth: 12,
        is_leaf_wise: true,
        outputs: 5,
        has_vectors: true,
        thresholds: None,
        ..BOOSTING
    },
    Shape {
        name: "random forest, 100 trees of 200 leaves, 10 classes",
        leaves: 200,
        depth: 20,
        is_leaf_wise: true,
        features: 64,
        outputs: 10,
        has_vectors: true,
        thresholds: Some(31),
        ..BOOSTING
    },
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    trees(&mut criterion);
    criterion.final_summary();
}

fn trees(criterion: &mut Criterion) {
    for shape in SHAPES {
        let mut group = criterion.benchmark_group(shape.name);
        group.sample_size(10);
        let mut random = Random(88_172_645_463_325_252);
        let parts = grown(&mut random, shape);
        group.bench_function("to be ready for the first row", |bencher| {
            bencher.iter_with_setup(|| parts.clone(), |parts| TreeEnsemble::try_new(parts).map(|trees| trees.kernel()));
        });
        let columns: Vec<Vec<f32>> =
            (0..shape.features).map(|_| (0..8192).map(|_| random.normal()).collect()).collect();
        let wide: Vec<Vec<f64>> = columns.iter().map(|column| column.iter().map(|&x| f64::from(x)).collect()).collect();
        let wide_parts = widened(&parts);
        let (single, double) = (ensemble(parts), ensemble(wide_parts));
        calibrate(&single, &columns);
        calibrate(&double, &wide);
        for rows in [1, 64, 8192] {
            group.throughput(Throughput::Elements(rows as u64));
            let id = |precision| BenchmarkId::new(precision, format!("{rows} rows"));
            group.bench_function(id("f32"), |bencher| bencher.iter(|| evaluate(&single, &columns, 0..rows)));
            group.bench_function(id("f64"), |bencher| bencher.iter(|| evaluate(&double, &wide, 0..rows)));
        }
    }
}

fn ensemble<T: Real>(parts: TreeParts<T>) -> TreeEnsemble<T> {
    let ensemble = TreeEnsemble::try_new(parts).expect("grown trees are sound");
    eprintln!("{}", ensemble.kernel());
    ensemble
}

/// Tells how many rows one by one cost what a block costs: what the constants in `trees/engine.rs` are to foresee.
fn calibrate<T: Real>(ensemble: &TreeEnsemble<T>, columns: &[Vec<T>]) {
    const BLOCK: usize = 64;
    let seconds = |rows: usize| {
        let pass = || {
            let start = Instant::now();
            (0..BLOCK).for_each(|at| evaluate(ensemble, columns, at * BLOCK..at * BLOCK + rows));
            start.elapsed().as_secs_f64() / BLOCK as f64
        };
        (0..9).map(|_| pass()).fold(f64::INFINITY, f64::min)
    };
    let (row, block) = (seconds(1), seconds(BLOCK));
    eprintln!("{:.2} us a row, {:.2} us a block: {:.1} rows", row * 1e6, block * 1e6, block / row);
}

fn evaluate<T: Real>(ensemble: &TreeEnsemble<T>, columns: &[Vec<T>], rows: Range<usize>) {
    let columns: Vec<&[T]> = columns.iter().map(|column| &column[rows.clone()]).collect();
    let mut outputs = vec![vec![T::ZERO; rows.len()]; ensemble.outputs()];
    ensemble.evaluate(black_box(&columns), &mut outputs.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>());
    black_box(outputs);
}

/// Rows that trees are grown over.
const ROWS: usize = 20_000;

fn grown(random: &mut Random, shape: Shape) -> TreeParts<f32> {
    let columns: Vec<Vec<f32>> = (0..shape.features).map(|_| (0..ROWS).map(|_| random.normal()).collect()).collect();
    let thresholds: Vec<Vec<f32>> = columns.iter().map(|column| quantiles(column, shape.thresholds)).collect();
    let mut parts = TreeParts {
        nodes: vec![],
        roots: vec![],
        leaf_weights: vec![],
        members: vec![],
        category_bits: vec![],
        features: shape.features,
        outputs: shape.outputs,
        base_values: vec![],
        aggregate: Aggregate::Sum,
    };
    for tree in 0..shape.trees {
        parts.roots.push(parts.nodes.len() as u32);
        grow(random, shape, (&columns, &thresholds), tree, &mut parts);
    }
    parts
}

fn quantiles(column: &[f32], count: Option<usize>) -> Vec<f32> {
    let mut sorted = column.to_vec();
    sorted.sort_by(f32::total_cmp);
    let count = count.unwrap_or(sorted.len() - 1);
    (1..=count).map(|at| sorted[at * sorted.len() / (count + 1)]).collect()
}

/// Adds a tree: nodes are split until there are enough leaves, the ones with the most rows first or the highest ones.
fn grow(
    random: &mut Random,
    shape: Shape,
    (columns, thresholds): (&[Vec<f32>], &[Vec<f32>]),
    tree: usize,
    parts: &mut TreeParts<f32>,
) {
    let threshold = |random: &mut Random, row: u32| {
        let feature = random.below(shape.features);
        let x = columns[feature][row as usize];
        let at = thresholds[feature].partition_point(|&threshold| threshold < x);
        (feature as u32, thresholds[feature][at.min(thresholds[feature].len() - 1)])
    };
    let levels: Vec<(u32, f32)> = (0..shape.depth).map(|level| threshold(random, level as u32)).collect();
    let root = parts.nodes.len();
    let leaf = Node::Leaf(Leaf { first: 0, count: 0 });
    parts.nodes.push(leaf);
    // What comes first, the node, its level and its rows.
    let mut open = BinaryHeap::from([(0, root, 0, (0..ROWS as u32).collect::<Vec<u32>>())]);
    let mut leaves = 1;
    while leaves < shape.leaves
        && let Some((_, node, level, rows)) = open.pop()
    {
        if level == shape.depth || (rows.len() < 2 && !shape.is_symmetric) {
            continue;
        }
        let (feature, threshold) = match shape.is_symmetric {
            true => levels[level],
            false => {
                let row = rows[random.below(rows.len())];
                threshold(random, row)
            }
        };
        let halves: (Vec<u32>, Vec<u32>) =
            rows.iter().partition(|&&row| columns[feature as usize][row as usize] <= threshold);
        let child = parts.nodes.len();
        let test = Test::Leq(threshold);
        let (true_child, false_child) = (child as u32, child as u32 + 1);
        parts.nodes[node] = Node::Branch(Branch { feature, test, missing_tracks_true: false, true_child, false_child });
        for (at, rows) in [halves.0, halves.1].into_iter().enumerate() {
            parts.nodes.push(leaf);
            let first = if shape.is_leaf_wise { rows.len() as i64 } else { -(level as i64) };
            open.push((first, child + at, level + 1, rows));
        }
        leaves += 1;
    }
    for node in &mut parts.nodes[root..] {
        if let Node::Leaf(leaf) = node {
            let outputs =
                if shape.has_vectors { 0..shape.outputs } else { tree % shape.outputs..tree % shape.outputs + 1 };
            *leaf = Leaf { first: parts.leaf_weights.len() as u32, count: outputs.len() as u32 };
            let weights = outputs.map(|output| LeafWeight { output: output as u32, weight: random.normal() });
            parts.leaf_weights.extend(weights);
        }
    }
}

fn widened(parts: &TreeParts<f32>) -> TreeParts<f64> {
    let node = |node: &Node<f32>| match node {
        Node::Branch(Branch { feature, test: Test::Leq(threshold), missing_tracks_true, true_child, false_child }) => {
            Node::Branch(Branch {
                feature: *feature,
                test: Test::Leq(f64::from(*threshold)),
                missing_tracks_true: *missing_tracks_true,
                true_child: *true_child,
                false_child: *false_child,
            })
        }
        Node::Branch(branch) => unreachable!("{branch:?} was not grown"),
        Node::Leaf(leaf) => Node::Leaf(*leaf),
    };
    TreeParts {
        nodes: parts.nodes.iter().map(node).collect(),
        roots: parts.roots.clone(),
        leaf_weights: (parts.leaf_weights.iter())
            .map(|weight| LeafWeight { output: weight.output, weight: f64::from(weight.weight) })
            .collect(),
        members: vec![],
        category_bits: vec![],
        features: parts.features,
        outputs: parts.outputs,
        base_values: vec![],
        aggregate: parts.aggregate,
    }
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
        (self.next() >> 11) as usize % end
    }

    /// The sum of some numbers, which is nearly normal.
    fn normal(&mut self) -> f32 {
        (0..6).map(|_| (self.next() >> 40) as f32 / (1u64 << 24) as f32 - 0.5).sum::<f32>() * std::f32::consts::SQRT_2
    }
}
