//! A limit on instructions, in a process of its own, since it is set once.

use foretell_kernels::dense::{DenseNetwork, Layer};
use foretell_kernels::forms::Form;
use foretell_kernels::instructions::{Level, LimitError, limit};
use foretell_kernels::linear::LinearModel;
use foretell_kernels::trees::{Aggregate, Branch, Leaf, LeafWeight, Node, Test, TreeEnsemble, TreeParts};

#[test]
fn every_kernel_keeps_to_the_limit() {
    let most = Level::of_processor();
    for level in Level::ALL.into_iter().filter(|level| *level > most) {
        assert_eq!(limit(level), Err(LimitError::Lacking { level, most }));
    }
    limit(Level::Portable).expect("the first limit");

    assert_eq!(Form::best().to_string(), "portable code");
    let trees = TreeEnsemble::try_new(stump()).expect("a sound tree");
    let linear = LinearModel::try_new(vec![2.0], vec![1.0]).expect("a model");
    let layer = Layer::try_new(&[2.0], &[1.0], vec![]).expect("a layer");
    let dense = DenseNetwork::try_new(vec![layer]).expect("a network");
    for kernel in [trees.kernel().to_string(), linear.kernel().to_string(), dense.kernel().to_string()] {
        assert!(kernel.starts_with("portable code,"), "{kernel}");
    }
    let column: Vec<f32> = (0..100).map(|row| row as f32).collect();
    let mut output = vec![0.0; column.len()];
    trees.evaluate(&[&column], &mut [&mut output]);
    assert!(column.iter().zip(&output).all(|(x, y)| *y == if *x <= 41.5 { 3.0 } else { 5.0 }));
    linear.evaluate(&[&column], &mut [&mut output]);
    assert!(column.iter().zip(&output).all(|(x, y)| *y == 2.0 * x + 1.0));
    output.fill(0.0);
    dense.evaluate(&[&column], &mut [&mut output]);
    assert!(column.iter().zip(&output).all(|(x, y)| *y == 2.0 * x + 1.0));

    limit(Level::Portable).expect("the limit that there is");
    let too_late = LimitError::TooLate { level: Level::Baseline, in_force: Level::Portable };
    assert_eq!(limit(Level::Baseline), Err(too_late));
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
