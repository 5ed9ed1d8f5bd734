//! A numerical split: what goes left, told in the tests that trees have.
//!
//! LightGBM takes numbers within [`ZERO_MAX`] of zero for zero before it looks at a tree. Then NaN may be missing, or zero
//! may be, or nothing; what is missing goes to the default side, and NaN that is not missing is zero.

use foretell_kernels::trees::{Node, Test};

/// LightGBM's `kZeroThreshold`, a constant of single precision.
const ZERO_MAX: f64 = 1e-35_f32 as f64;

/// What a split takes for missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Nothing,
    /// Zero and NaN.
    Zero,
    Nan,
}

impl Missing {
    /// What these bits of a decision type mean.
    pub(super) fn of(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::Nothing),
            1 => Some(Self::Zero),
            2 => Some(Self::Nan),
            _ => None,
        }
    }
}

/// A numerical split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    /// What is not missing goes left up to here.
    pub(super) threshold: f64,
    pub(super) missing: Missing,
    /// Whether what is missing goes left.
    pub(super) default_left: bool,
}

impl Split {
    /// The node for this split, and two further ones if zero lies apart from the numbers that go its way; these will stand
    /// at `further` and behind it. `branch` makes a node of a test, whether NaN passes it, and the children for yes and no.
    pub(super) fn nodes(
        self,
        further: u32,
        [left, right]: [u32; 2],
        branch: impl Fn(Test<f64>, bool, u32, u32) -> Node<f64>,
    ) -> (Node<f64>, Option<[Node<f64>; 2]>) {
        let below_zero = ZERO_MAX.copysign(-1.0).next_down();
        let at_most = |threshold, nan_left| (branch(Test::Leq(threshold), nan_left, left, right), None);
        let threshold = self.threshold;
        match (self.missing, self.default_left) {
            (Missing::Nan, nan_left) => at_most(among_zeros(threshold), nan_left),
            (Missing::Nothing, _) => at_most(among_zeros(threshold), threshold >= 0.0),
            // Zero goes with the numbers next to it.
            (Missing::Zero, true) if threshold > below_zero => at_most(threshold.max(ZERO_MAX), true),
            (Missing::Zero, false) if threshold < ZERO_MAX => at_most(threshold.min(below_zero), false),
            // It goes left from among numbers that go right, or the other way round.
            (Missing::Zero, default_left) => {
                let (yes, no) = if default_left { (left, further) } else { (further, right) };
                let (outside, inside) = if default_left { (right, left) } else { (left, right) };
                let first = branch(Test::Leq(threshold), default_left, yes, no);
                let below = branch(Test::Leq(below_zero), false, outside, further + 1);
                (first, Some([below, branch(Test::Leq(ZERO_MAX), false, inside, outside)]))
            }
        }
    }
}

/// The threshold that tells numbers apart as this one does after those near zero have become zero.
fn among_zeros(threshold: f64) -> f64 {
    if !(-ZERO_MAX..ZERO_MAX).contains(&threshold) {
        threshold
    } else if threshold < 0.0 {
        ZERO_MAX.copysign(-1.0).next_down()
    } else {
        ZERO_MAX
    }
}

#[cfg(test)]
mod tests {
    use foretell_kernels::trees::{Aggregate, Branch, Leaf, LeafWeight, TreeEnsemble, TreeParts};

    use super::*;

    /// Whether a number goes left, as LightGBM's `NumericalDecision` decides.
    fn goes_left(split: Split, x: f64) -> bool {
        let x = if x.abs() <= ZERO_MAX { 0.0 } else { x };
        let x = if x.is_nan() && split.missing != Missing::Nan { 0.0 } else { x };
        let is_missing = match split.missing {
            Missing::Nothing => false,
            Missing::Zero => x.abs() <= ZERO_MAX,
            Missing::Nan => x.is_nan(),
        };
        if is_missing { split.default_left } else { x <= split.threshold }
    }

    fn ensemble(split: Split) -> TreeEnsemble<f64> {
        let leaf = |first| Node::Leaf(Leaf { first, count: 1 });
        let (branch, more) = split.nodes(3, [0, 1], |test, missing_tracks_true, true_child, false_child| {
            Node::Branch(Branch { feature: 0, test, missing_tracks_true, true_child, false_child })
        });
        let mut nodes = vec![leaf(0), leaf(1), branch];
        nodes.extend(more.into_iter().flatten());
        let parts = TreeParts {
            nodes,
            roots: vec![2],
            leaf_weights: [1.0, 0.0].map(|weight| LeafWeight { output: 0, weight }).to_vec(),
            members: vec![],
            category_bits: vec![],
            features: 1,
            outputs: 1,
            base_values: vec![],
            aggregate: Aggregate::Sum,
        };
        TreeEnsemble::try_new(parts).expect("sound nodes")
    }

    #[test]
    fn every_kind_of_split_near_zero_and_far() {
        let mut values = vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0];
        for size in [5e-324, 1e-36, ZERO_MAX.next_down(), ZERO_MAX, ZERO_MAX.next_up(), 1e-34, 1.0, 1e300] {
            values.extend([size, -size]);
        }
        let thresholds = values.clone();
        for &threshold in thresholds.iter().filter(|threshold| !threshold.is_nan()) {
            for missing in [Missing::Nothing, Missing::Zero, Missing::Nan] {
                for default_left in [false, true] {
                    let split = Split { threshold, missing, default_left };
                    let mut got = vec![0.0; values.len()];
                    ensemble(split).evaluate(&[&values], &mut [&mut got]);
                    for (&x, &got) in values.iter().zip(&got) {
                        assert_eq!(got == 1.0, goes_left(split, x), "{x:e} at {split:?}");
                    }
                }
            }
        }
    }
}
