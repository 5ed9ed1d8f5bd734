//! A one-hot encoding that only trees read: a test on an indicator becomes a test on the category's code.
//!
//! An indicator is 0 or 1, so whatever a branch asks about it is one of four things: is it this category, is it another,
//! always yes, always no.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use foretell_kernels::trees::{Branch, Node, Test, TreeEnsemble};

use super::uses::Uses;
use crate::program::{ColumnId, OneHot, Op, Program, Step};

/// Codes up to here are exact as `f32`.
const CATEGORIES_MAX: usize = 1 << 24;

pub(super) fn run(program: &mut Program, wanted: &[ColumnId]) {
    let uses = Uses::of(program, wanted);
    let mut steps = Vec::with_capacity(program.steps.len());
    for at in 0..program.steps.len() {
        let mut step = program.steps[at].clone();
        if let Op::Trees(ensemble) = &step.op {
            let encodings = encodings(program, &uses, &step.inputs);
            if !encodings.is_empty() {
                let mut codes = Vec::new();
                let sources = encodings.iter().map(|encoding| code_column(program, encoding, &mut codes)).collect();
                if let Some(ensemble) = asking_codes(ensemble, &encodings) {
                    steps.extend(codes);
                    step.op = Op::Trees(Arc::new(ensemble));
                    step.inputs = [step.inputs, sources].concat();
                }
            }
        }
        steps.push(step);
    }
    program.steps = steps;
}

/// An encoding of which the trees read some indicators.
struct Encoding {
    one_hot: Arc<OneHot>,
    source: ColumnId,
    node: Arc<str>,
    /// The category of each feature that is an indicator.
    categories: HashMap<u32, usize>,
}

/// The encodings that these features come from and that nobody else reads.
fn encodings(program: &Program, uses: &Uses, features: &[ColumnId]) -> Vec<Encoding> {
    let mut found: Vec<(usize, Encoding)> = Vec::new();
    for (feature, &column) in features.iter().enumerate() {
        let Some((writer, category)) = uses.writer(column).filter(|_| uses.is_read_once(column)) else { continue };
        let step = &program.steps[writer];
        let (Op::OneHot(one_hot), &[source]) = (&step.op, &step.inputs[..]) else { continue };
        if one_hot.len() > CATEGORIES_MAX {
            continue;
        }
        if found.last().is_none_or(|(last, _)| *last != writer) {
            let (one_hot, node) = (Arc::clone(one_hot), Arc::clone(&step.node));
            found.push((writer, Encoding { one_hot, source, node, categories: HashMap::new() }));
        }
        if let Some((_, encoding)) = found.last_mut() {
            encoding.categories.insert(feature as u32, category);
        }
    }
    found.into_iter().map(|(_, encoding)| encoding).collect()
}

/// Adds the steps that compute an encoding's code as a float; a value that is no category has a code above all others.
fn code_column(program: &mut Program, encoding: &Encoding, steps: &mut Vec<Step>) -> ColumnId {
    let (code, float) = (program.add_column(DataType::UInt32), program.add_column(DataType::Float32));
    let op = Op::CategoryCode(Arc::clone(&encoding.one_hot));
    steps.push(Step { op, inputs: vec![encoding.source], outputs: vec![code], node: Arc::clone(&encoding.node) });
    let op = Op::Cast(DataType::Float32);
    steps.push(Step { op, inputs: vec![code], outputs: vec![float], node: Arc::clone(&encoding.node) });
    float
}

/// The ensemble with one more feature per encoding, and every test on an indicator put to it.
fn asking_codes(ensemble: &TreeEnsemble, encodings: &[Encoding]) -> Option<TreeEnsemble> {
    let mut parts = ensemble.parts().clone();
    let mut places: HashMap<u32, (u32, usize)> = HashMap::new();
    for encoding in encodings {
        let code = u32::try_from(parts.features).ok()?;
        parts.features += 1;
        places.extend(encoding.categories.iter().map(|(&feature, &category)| (feature, (code, category))));
    }
    for node in &mut parts.nodes {
        if let Node::Branch(branch) = node
            && let Some(&(code, category)) = places.get(&branch.feature)
        {
            let accepts = |indicator| branch.test.accepts(indicator, &parts.members, &parts.category_bits);
            let test = code_test(accepts, category);
            *branch = Branch { feature: code, test, missing_tracks_true: false, ..*branch };
        }
    }
    TreeEnsemble::try_new(parts).ok()
}

/// The test on the code that has the answer of a test on the indicator of `category`.
fn code_test(accepts: impl Fn(f32) -> bool, category: usize) -> Test<f32> {
    match (accepts(0.0), accepts(1.0)) {
        (false, true) => Test::Eq(category as f32),
        (true, false) => Test::Neq(category as f32),
        // Everything differs from NaN.
        (true, true) => Test::Neq(f32::NAN),
        (false, false) => Test::Eq(f32::NAN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_answers() {
        let of =
            |test: Test<f32>, category| code_test(|indicator| test.accepts(indicator, &[1.0, 5.0], &[0b10]), category);
        assert_eq!(of(Test::Leq(0.5), 3), Test::Neq(3.0));
        assert!(!of(Test::Lt(0.0), 3).accepts(3.0, &[], &[]));
        assert_eq!(of(Test::Gt(0.0), 3), Test::Eq(3.0));
        assert_eq!(of(Test::Gte(1.0), 0), Test::Eq(0.0));
        assert!(of(Test::Gte(-1.0), 3).accepts(3.0, &[], &[]));
        assert_eq!(of(Test::Member { first: 0, count: 2 }, 7), Test::Eq(7.0));
        assert_eq!(of(Test::Category { first: 0, count: 1 }, 7), Test::Eq(7.0));
    }
}
