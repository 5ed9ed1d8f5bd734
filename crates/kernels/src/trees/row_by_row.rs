//! Each row follows the branches as they stand in the parts of an ensemble.
//!
//! That is for ensembles without another form: those whose trees share so much that they would be too large with nothing shared.
//! All other forms are tested against this one.

use super::weights::leaf_weights;
use super::{Node, TreeParts};
use crate::real::Real;

/// Puts the weights of all trees together, beginning with the first of `combination` and going on with the second.
pub(super) fn fold<T: Real>(
    parts: &TreeParts<T>,
    columns: &[&[T]],
    outputs: &mut [&mut [T]],
    initial: T,
    combine: impl Fn(T, T) -> T,
) {
    let rows = outputs.first().map_or(0, |output| output.len());
    outputs.iter_mut().for_each(|output| output.fill(initial));
    visit(parts, columns, rows, |row, leaves| {
        for weight in leaves.iter().flat_map(|&leaf| leaf_weights(parts, leaf)) {
            let value = &mut outputs[weight.output as usize][row];
            *value = combine(*value, weight.weight);
        }
    });
}

/// Shows the leaf node of each row, tree by tree.
pub(super) fn visit<T: Real>(parts: &TreeParts<T>, columns: &[&[T]], rows: usize, mut show: impl FnMut(usize, &[u32])) {
    (0..rows).for_each(|row| {
        for &root in &parts.roots {
            show(row, &[leaf(parts, root, |feature| columns[feature as usize][row])]);
        }
    });
}

/// The leaf to which a row goes from a root.
fn leaf<T: Real>(parts: &TreeParts<T>, root: u32, value: impl Fn(u32) -> T) -> u32 {
    let mut at = root;
    while let Node::Branch(branch) = &parts.nodes[at as usize] {
        let x = value(branch.feature);
        let accepts = branch.test.accepts(x, &parts.members, &parts.category_bits);
        let yes = accepts | (branch.missing_tracks_true & x.is_nan());
        at = if yes { branch.true_child } else { branch.false_child };
    }
    at
}
