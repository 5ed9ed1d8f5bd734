//! Linear models.

use super::trees::largest;
use super::{Answer, Classes, Precision, Transform};

/// A linear model in single precision.
#[derive(Debug, Clone)]
pub struct Linear {
    /// For each output one number per feature.
    pub coefficients: Vec<Vec<f64>>,
    /// One number for each output.
    pub intercepts: Vec<f64>,
}

impl Linear {
    /// One number for each output: products are added from the first feature to the last, each with one rounding, then
    /// comes the intercept. Rows are shorter than a block of features.
    #[expect(clippy::disallowed_methods, reason = "a product of matrices rounds a term and its sum once")]
    pub(super) fn scores(&self, row: &[f64]) -> Vec<f64> {
        assert!(row.len() <= 256, "one block of features");
        let score = |(coefficients, intercept): (&Vec<f64>, &f64)| {
            let terms = row.iter().zip(coefficients);
            // The product of two single numbers is exact in double precision, but its sum with a third is not.
            let sum = terms.fold(0.0_f32, |sum, (x, coefficient)| (*x as f32).mul_add(*coefficient as f32, sum));
            f64::from(sum + *intercept as f32)
        };
        self.coefficients.iter().zip(&self.intercepts).map(score).collect()
    }

    /// The label and the scores of a classifier.
    pub(super) fn classify(&self, row: &[f64], classes: &Classes) -> Answer {
        let scores = self.scores(row);
        if let ([score], 2) = (&scores[..], classes.labels.len()) {
            let label = classes.labels.at(usize::from(*score > 0.0));
            let positive =
                if classes.transform == Transform::Logistic { Transform::Logistic.of_one(*score) } else { *score };
            return Answer { label: Some(label), scores: vec![Precision::Single.round(1.0 - positive), positive] };
        }
        Answer { label: Some(classes.labels.at(largest(&scores))), scores: classes.transform.scores(scores) }
    }
}
