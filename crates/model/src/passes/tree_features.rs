//! Features that no tree asks about are not read, so that what computes them can go too.
//!
//! A feature stays if computing it can refuse a row: a value that the model's encoder does not know is an error whether or
//! not a tree would have asked.

use std::sync::Arc;

use foretell_kernels::real::Real;
use foretell_kernels::trees::{Node, TreeEnsemble};

use crate::program::{ColumnId, Op, Program};

pub(super) fn run(program: &mut Program, _wanted: &[ColumnId]) {
    let refusing = refusing(program);
    for step in &mut program.steps {
        let must_stay: Vec<bool> = step.inputs.iter().map(|input| refusing[input.index()]).collect();
        let narrowed = match &step.op {
            Op::Trees(trees) => narrow(trees, &must_stay).map(|(trees, stays)| (Op::Trees(Arc::new(trees)), stays)),
            Op::Trees64(trees) => narrow(trees, &must_stay).map(|(trees, stays)| (Op::Trees64(Arc::new(trees)), stays)),
            _ => None,
        };
        if let Some((op, stays)) = narrowed {
            step.op = op;
            let mut stays = stays.into_iter();
            step.inputs.retain(|_| stays.next().unwrap_or(true));
        }
    }
}

/// For each column, whether computing it can refuse a row.
fn refusing(program: &Program) -> Vec<bool> {
    let mut refusing = vec![false; program.columns.len()];
    for step in &program.steps {
        let types = step.inputs.iter().map(|input| program.data_type(*input));
        if step.op.may_refuse(types) || step.inputs.iter().any(|input| refusing[input.index()]) {
            step.outputs.iter().for_each(|output| refusing[output.index()] = true);
        }
    }
    refusing
}

/// The ensemble without the features it does not use, and which ones stay; `None` if all do.
fn narrow<T: Real>(ensemble: &TreeEnsemble<T>, must_stay: &[bool]) -> Option<(TreeEnsemble<T>, Vec<bool>)> {
    let used = ensemble.used_features();
    let stays: Vec<bool> = used.iter().zip(must_stay).map(|(used, must_stay)| used | must_stay).collect();
    if stays.len() != used.len() || stays.iter().all(|&stays| stays) {
        return None;
    }
    // The new place of each feature: the number of those that stay before it.
    let mut places = Vec::with_capacity(stays.len());
    let mut count = 0;
    for &stays in &stays {
        places.push(count);
        count += u32::from(stays);
    }
    let mut parts = ensemble.parts().clone();
    for node in &mut parts.nodes {
        if let Node::Branch(branch) = node {
            branch.feature = places[branch.feature as usize];
        }
    }
    parts.features = count as usize;
    Some((TreeEnsemble::try_new(parts).ok()?, stays))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType::Float32;
    use foretell_kernels::trees::{Aggregate, Branch, Leaf, Test, TreeParts};

    use super::*;

    #[test]
    fn only_the_feature_asked_about_is_read() {
        let branch =
            Branch { feature: 2, test: Test::Leq(0.5f32), missing_tracks_true: false, true_child: 1, false_child: 1 };
        let parts = TreeParts {
            nodes: vec![Node::Branch(branch), Node::Leaf(Leaf { first: 0, count: 0 })],
            roots: vec![0],
            leaf_weights: vec![],
            members: vec![],
            category_bits: vec![],
            features: 4,
            outputs: 1,
            base_values: vec![],
            aggregate: Aggregate::Sum,
        };
        let mut program = Program::default();
        program.inputs = (0..4).map(|_| program.add_column(Float32)).collect();
        let inputs = program.inputs.clone();
        let trees = Op::Trees(Arc::new(TreeEnsemble::try_new(parts).expect("sound parts")));
        program.push(&Arc::from("node"), trees, inputs, [Float32]);
        run(&mut program, &[]);
        assert_eq!(program.steps[0].inputs, [program.inputs[2]]);
        let Op::Trees(ensemble) = &program.steps[0].op else { panic!("no trees") };
        assert_eq!(ensemble.features(), 1);
    }
}
