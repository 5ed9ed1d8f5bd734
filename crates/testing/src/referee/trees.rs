//! Trees, as ai.onnx.ml has them.

use super::encode::{Category, Keys};
use super::{Answer, Classes, Precision, Transform};

/// A tree, or what is below one of its branches.
#[derive(Debug, Clone)]
pub enum Tree {
    /// What is added to which output, in this order.
    Leaf(Vec<(usize, f64)>),
    /// A question.
    Branch(Box<Branch>),
}

/// A question about one feature.
#[derive(Debug, Clone)]
pub struct Branch {
    /// The feature.
    pub feature: usize,
    /// The question.
    pub test: Test,
    /// A missing value is a yes.
    pub missing_is_yes: bool,
    /// Where a yes leads.
    pub yes: Tree,
    /// Where a no leads.
    pub no: Tree,
}

/// A question about a number; every comparison with NaN is false but `Neq`.
#[derive(Debug, Clone)]
pub enum Test {
    /// `<=`
    Leq(f64),
    /// `<`
    Lt(f64),
    /// `>=`
    Gte(f64),
    /// `>`
    Gt(f64),
    /// `==`
    Eq(f64),
    /// `!=`
    Neq(f64),
    /// Equal to one of these; their integers if one of them is negative or above 30, and all of them are integers.
    In(Vec<f64>),
}

/// How the weights of all trees become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    /// Their sum.
    Sum,
    /// Their sum over the number of trees.
    Average,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

/// Several trees.
#[derive(Debug, Clone)]
pub struct Forest {
    /// The trees.
    pub trees: Vec<Tree>,
    /// Number of outputs.
    pub outputs: usize,
    /// How they are put together.
    pub aggregate: Aggregate,
    /// One number for each output, or none at all.
    pub base_values: Vec<f64>,
}

impl Tree {
    /// What the leaf of a row says.
    fn leaf(&self, row: &[f64]) -> &[(usize, f64)] {
        match self {
            Self::Leaf(weights) => weights,
            Self::Branch(branch) => {
                let x = row[branch.feature];
                let is_yes = branch.test.holds(x) || (branch.missing_is_yes && x.is_nan());
                if is_yes { branch.yes.leaf(row) } else { branch.no.leaf(row) }
            }
        }
    }

    /// All leaves, from left to right.
    fn leaves(&self) -> Vec<&[(usize, f64)]> {
        match self {
            Self::Leaf(weights) => vec![weights],
            Self::Branch(branch) => [branch.yes.leaves(), branch.no.leaves()].concat(),
        }
    }
}

impl Test {
    fn holds(&self, x: f64) -> bool {
        match self {
            Self::Leq(threshold) => x <= *threshold,
            Self::Lt(threshold) => x < *threshold,
            Self::Gte(threshold) => x >= *threshold,
            Self::Gt(threshold) => x > *threshold,
            Self::Eq(threshold) => x == *threshold,
            Self::Neq(threshold) => x != *threshold,
            Self::In(members) => {
                let is_large = members.iter().any(|member| !(0.0..=30.0).contains(member));
                let are_integers = members.iter().all(|&member| member == f64::from(member as i32));
                // As C cuts numbers on x86-64.
                let whole = match x.trunc() {
                    whole if whole.abs() < 2_147_483_648.0 => whole,
                    _ => f64::from(i32::MIN),
                };
                members.contains(if is_large && are_integers { &whole } else { &x })
            }
        }
    }
}

impl Forest {
    /// One number for each output, and `None` for one that no leaf of the row mentions; base values are left out.
    fn sums(&self, row: &[f64], precision: Precision) -> Vec<Option<f64>> {
        let mut sums: Vec<Option<f64>> = vec![None; self.outputs];
        // Of one output a leaf has one weight: its first, or zero.
        let weights = |tree: &Tree| match (tree.leaf(row), self.outputs) {
            ([], 1) => vec![(0, 0.0)],
            ([first, ..], 1) => vec![*first],
            (weights, _) => weights.to_vec(),
        };
        for (output, weight) in &self.trees.iter().flat_map(weights).collect::<Vec<_>>() {
            let sum = &mut sums[*output];
            *sum = Some(match (*sum, self.aggregate) {
                (None, Aggregate::Sum | Aggregate::Average) => precision.round(0.0 + weight),
                (Some(sum), Aggregate::Sum | Aggregate::Average) => precision.round(sum + weight),
                (Some(least), Aggregate::Min) if least <= *weight => least,
                (Some(greatest), Aggregate::Max) if greatest >= *weight => greatest,
                _ => *weight,
            });
        }
        sums
    }

    /// One number for each output. A base value counts only where there is a score.
    pub(super) fn scores(&self, row: &[f64], precision: Precision) -> Vec<f64> {
        let score = |(at, sum): (usize, Option<f64>)| {
            let Some(sum) = sum else { return 0.0 };
            let score = match self.aggregate {
                Aggregate::Average => precision.round(sum / self.trees.len() as f64),
                _ => sum,
            };
            self.base_values.get(at).map_or(score, |base| precision.round(score + base))
        };
        self.sums(row, precision).into_iter().enumerate().map(score).collect()
    }

    /// The label and the scores of a classifier.
    pub(super) fn classify(&self, row: &[f64], precision: Precision, classes: &Classes) -> Answer {
        let Classes { labels, transform, .. } = classes;
        let single = |score: f64| Precision::Single.round(score);
        if labels.len() > 2 {
            let mut sums = self.sums(row, precision);
            for (sum, base) in sums.iter_mut().zip(&self.base_values) {
                *sum = Some(precision.round(sum.unwrap_or_default() + base));
            }
            let candidates: Vec<f64> = sums.iter().map(|sum| sum.unwrap_or(f64::NEG_INFINITY)).collect();
            let label = labels.at(largest(&candidates));
            let scores: Vec<f64> = sums.into_iter().map(Option::unwrap_or_default).collect();
            return Answer { label: Some(label), scores: transform.scores(scores.into_iter().map(single).collect()) };
        }
        let weights = || self.trees.iter().flat_map(Tree::leaves).flatten();
        let (has_first, has_second) =
            (weights().any(|(output, _)| *output == 0), weights().any(|(output, _)| *output == 1));
        let is_probability = weights().all(|(_, weight)| *weight >= 0.0);
        let mut sums: Vec<f64> = self.sums(row, precision).into_iter().map(Option::unwrap_or_default).collect();
        let add = |sum: f64, base: f64| precision.round(sum + base);
        match (&self.base_values[..], has_second) {
            ([_, base], true) => {
                // ONNX Runtime takes the first score for the second one here.
                let second = add(sums[0], *base);
                sums = vec![-second, second];
            }
            ([base, ..], _) => sums[0] = add(sums[0], *base),
            ([], _) => {}
        }
        if has_first && has_second {
            // Integer labels are 0 and 1 here, whatever the file calls them.
            let is_second = sums[1] > 0.0;
            let label = match labels {
                Keys::Texts(texts) => Category::Text(texts[usize::from(is_second)].clone()),
                Keys::Integers(_) => Category::Integer(i64::from(is_second)),
            };
            return Answer { label: Some(label), scores: transform.scores(sums.into_iter().map(single).collect()) };
        }
        let decisive = if has_second { sums[1] } else { sums[0] };
        let label = labels.at(usize::from(decisive > if is_probability { 0.5 } else { 0.0 }));
        let scores = match has_second || self.base_values.len() == 2 {
            true => transform.scores(sums.into_iter().map(single).collect()),
            false => transform.one_score_of_two(single(decisive), is_probability),
        };
        Answer { label: Some(label), scores }
    }
}

/// Where the largest number is; the first of equal ones, and NaN only at the beginning.
pub(super) fn largest(scores: &[f64]) -> usize {
    let mut best = 0;
    for at in 1..scores.len() {
        if scores[at] > scores[best] {
            best = at;
        }
    }
    best
}

impl Transform {
    /// One score that stands for two classes.
    fn one_score_of_two(self, score: f64, is_probability: bool) -> Vec<f64> {
        match self {
            Self::Logistic => vec![self.of_one(-score), self.of_one(score)],
            _ if is_probability => vec![Precision::Single.round(1.0 - score), score],
            _ => vec![-score, score],
        }
    }
}
