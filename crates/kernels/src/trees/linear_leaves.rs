//! Trees whose leaves are linear functions of the features, as LightGBM's `linear_tree` grows them.
//!
//! The arithmetic is LightGBM's: a leaf's terms are added to its constant in their order, a row that lacks one of the leaf's
//! features gets the leaf's weight instead, and the values of all trees are summed in the order of the trees.

use super::check::{index, range};
use super::{Aggregate, Node, TreeEnsemble, TreeError};
use crate::real::Real;

/// The value of a leaf: `constant` plus `count` terms from `first` on in `LinearLeaves::terms`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line<T> {
    /// What a leaf without terms is worth.
    pub constant: T,
    /// Index of the first term.
    pub first: u32,
    /// Number of terms.
    pub count: u32,
}

/// A feature's part in the value of a leaf: `coefficient * x`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term<T> {
    /// The feature, counted from zero.
    pub feature: u32,
    /// Its factor.
    pub coefficient: T,
}

/// An ensemble in which a line stands beside every leaf weight; the weight counts where a feature of the line is NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearLeaves<T: Real> {
    trees: TreeEnsemble<T>,
    /// By the index of the leaf weight.
    lines: Vec<Line<T>>,
    terms: Vec<Term<T>>,
}

impl<T: Real> LinearLeaves<T> {
    /// Puts lines beside the weights of an ensemble that sums or averages.
    ///
    /// # Errors
    /// When there is not one line per weight, an index points to nothing, or the ensemble takes minima or maxima.
    pub fn try_new(trees: TreeEnsemble<T>, lines: Vec<Line<T>>, terms: Vec<Term<T>>) -> Result<Self, TreeError> {
        let weights = trees.parts.leaf_weights.len();
        if lines.len() != weights {
            return Err(TreeError::Lines { got: lines.len(), weights });
        }
        if matches!(trees.parts.aggregate, Aggregate::Min | Aggregate::Max) {
            return Err(TreeError::LineExtreme);
        }
        for (at, line) in lines.iter().enumerate() {
            range("term", at, line.first, line.count, terms.len())?;
        }
        for (at, term) in terms.iter().enumerate() {
            index("feature", at, term.feature, trees.parts.features)?;
        }
        Ok(Self { trees, lines, terms })
    }

    /// The trees, with the weights that count where a feature is missing.
    pub fn trees(&self) -> &TreeEnsemble<T> {
        &self.trees
    }

    /// Bytes of memory that the trees and their lines occupy.
    pub fn bytes(&self) -> usize {
        self.trees.bytes() + size_of_val(&self.lines[..]) + size_of_val(&self.terms[..])
    }

    /// Computes every output column from the feature columns.
    ///
    /// # Panics
    /// When the number of columns is not that of the ensemble, or their lengths differ.
    pub fn evaluate(&self, columns: &[&[T]], outputs: &mut [&mut [T]]) {
        let rows = self.trees.rows(columns, outputs);
        outputs.iter_mut().for_each(|output| output.fill(T::ZERO));
        self.trees.visit_leaves(columns, rows, |start, leaves| {
            for (row, &leaf) in (start..).zip(leaves) {
                let Node::Leaf(leaf) = &self.trees.parts.nodes[leaf as usize] else { continue };
                for at in leaf.first as usize..(leaf.first + leaf.count) as usize {
                    let weight = self.trees.parts.leaf_weights[at];
                    let value = self.line(&self.lines[at], columns, row).unwrap_or(weight.weight);
                    outputs[weight.output as usize][row] += value;
                }
            }
        });
        self.trees.finish(outputs);
    }

    /// A line's value for a row; `None` when one of its features is missing.
    fn line(&self, line: &Line<T>, columns: &[&[T]], row: usize) -> Option<T> {
        let mut value = line.constant;
        for term in &self.terms[line.first as usize..(line.first + line.count) as usize] {
            let x = columns[term.feature as usize][row];
            if x.is_nan() {
                return None;
            }
            value += term.coefficient * x;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Branch, Leaf, LeafWeight, Test, TreeParts};
    use super::*;

    /// `x0 <= 1` has the line `10 + 2 x1 - x0`, the other leaf is worth 5; a second tree is worth 0.5.
    fn parts() -> TreeParts<f64> {
        let branch =
            Branch { feature: 0, test: Test::Leq(1.0), missing_tracks_true: true, true_child: 1, false_child: 2 };
        let leaf = |first| Node::Leaf(Leaf { first, count: 1 });
        TreeParts {
            nodes: vec![Node::Branch(branch), leaf(0), leaf(1), leaf(2)],
            roots: vec![0, 3],
            leaf_weights: [7.0, 5.0, 0.5].map(|weight| LeafWeight { output: 0, weight }).to_vec(),
            members: vec![],
            category_bits: vec![],
            features: 2,
            outputs: 1,
            base_values: vec![],
            aggregate: Aggregate::Sum,
        }
    }

    fn lines() -> (Vec<Line<f64>>, Vec<Term<f64>>) {
        let line = |constant, count| Line { constant, first: 0, count };
        let term = |feature, coefficient| Term { feature, coefficient };
        (vec![line(10.0, 2), line(5.0, 0), line(0.5, 0)], vec![term(1, 2.0), term(0, -1.0)])
    }

    #[test]
    fn a_line_or_the_weight_where_a_feature_is_missing() {
        let (lines, terms) = lines();
        let trees = TreeEnsemble::try_new(parts()).expect("sound parts");
        let linear = LinearLeaves::try_new(trees, lines, terms).expect("sound lines");
        let mut output = [0.0; 4];
        let (first, second) = ([1.0, 2.0, f64::NAN, 0.0], [3.0, f64::NAN, 3.0, f64::NAN]);
        linear.evaluate(&[&first, &second], &mut [&mut output]);
        assert_eq!(output, [10.0 + 6.0 - 1.0 + 0.5, 5.5, 7.5, 7.5]);
    }

    #[test]
    fn wrong_lines_are_refused() {
        let (lines, terms) = lines();
        let trees = || TreeEnsemble::try_new(parts()).expect("sound parts");
        let refusal = |lines: &[Line<f64>], terms: &[Term<f64>], trees: TreeEnsemble<f64>| {
            LinearLeaves::try_new(trees, lines.to_vec(), terms.to_vec()).expect_err("unsound").to_string()
        };
        assert_eq!(refusal(&lines[1..], &terms, trees()), "2 linear leaves for 3 leaf weights");
        assert_eq!(refusal(&lines, &terms[1..], trees()), "term 1 at position 0: there are only 1");
        let far = [terms[0], Term { feature: 2, coefficient: 0.0 }];
        assert_eq!(refusal(&lines, &far, trees()), "feature 2 at position 1: there are only 2");
        let greatest = TreeEnsemble::try_new(TreeParts { aggregate: Aggregate::Max, ..parts() }).expect("sound parts");
        assert_eq!(refusal(&lines, &terms, greatest), "linear leaves have no minimum or maximum");
    }
}
