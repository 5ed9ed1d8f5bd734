//! LinearRegressor and LinearClassifier.

use arrow::array::Array;
use arrow::datatypes::DataType;

use super::scores::{PostTransform, class_labels, classifier_outputs, complement, float_features, label, matrix};
use crate::error::Result;
use crate::onnx::builder::{Builder, Origin};
use crate::onnx::fact::Fact;
use crate::onnx::node::Node;
use crate::onnx::ops::axes::input;
use crate::onnx::ops::dense::linear;
use crate::program::{ColumnId, LabelChoice, Op, UnaryOp};

/// Scores before any post transform. Intercepts that are not one per output are none.
fn scores(builder: &mut Builder, node: &Node, fact: &Fact, outputs: usize) -> Result<Vec<ColumnId>> {
    let features = float_features(builder, node, fact)?;
    let coefficients = node.floats("coefficients")?.unwrap_or_default();
    let weights = by_feature(node, coefficients, features.len(), outputs)?;
    let intercepts = node.floats("intercepts")?.filter(|intercepts| intercepts.len() == outputs);
    let intercepts = intercepts.map_or_else(|| vec![0.0; outputs], <[f32]>::to_vec);
    linear(builder, node, &features, weights, intercepts)
}

/// Coefficients, which lie in the file output by output, as `weights[feature * outputs + output]`.
pub(super) fn by_feature(node: &Node, coefficients: &[f32], features: usize, outputs: usize) -> Result<Vec<f32>> {
    let got = coefficients.len();
    if outputs == 0 || Some(got) != features.checked_mul(outputs) {
        return Err(node.malformed(format!("{got} coefficients for {outputs} outputs and {features} features")));
    }
    let mut weights = vec![0.0; got];
    for (at, &coefficient) in coefficients.iter().enumerate() {
        weights[(at % features) * outputs + at / features] = coefficient;
    }
    Ok(weights)
}

/// LinearRegressor.
pub(crate) fn linear_regressor(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let targets = usize::try_from(node.int_or("targets", 1)?).unwrap_or(0);
    let scores = scores(builder, node, input(node, inputs, 0)?, targets)?;
    let columns = match (PostTransform::of(node)?, &scores[..]) {
        (PostTransform::Probit, [score]) => {
            vec![builder.one(node, Op::Unary(UnaryOp::Probit), vec![*score], DataType::Float32)?]
        }
        // ONNX Runtime leaves one target as it is.
        (_, [_]) => scores,
        (transform, _) => transform.apply(builder, node, &scores)?,
    };
    builder.note(&columns, &Origin::Target);
    Ok(vec![Fact::Block(matrix(columns))])
}

/// LinearClassifier.
pub(crate) fn linear_classifier(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let classes = class_labels(builder, node, "classlabels_ints", "classlabels_strings")?;
    let intercepts = node.floats("intercepts")?.map_or(0, <[f32]>::len);
    let outputs = if intercepts == 0 { classes.len() } else { intercepts };
    let transform = PostTransform::of(node)?;
    let scores = scores(builder, node, input(node, inputs, 0)?, outputs)?;
    if let ([score], 2) = (&scores[..], classes.len()) {
        let label = label(builder, node, &classes, LabelChoice::Above(0.0), &[*score])?;
        let positive = match transform {
            PostTransform::Probit => return Err(node.unsupported("PROBIT of one score for two classes")),
            PostTransform::Logistic => {
                builder.one(node, Op::Unary(UnaryOp::Logistic), vec![*score], DataType::Float32)?
            }
            _ => *score,
        };
        let negative = complement(builder, node, positive)?;
        return Ok(classifier_outputs(&classes, label, vec![negative, positive]));
    }
    if scores.len() != classes.len() {
        return Err(node.malformed(format!("{} scores for {} classes", scores.len(), classes.len())));
    }
    let label = label(builder, node, &classes, LabelChoice::ArgMax, &scores)?;
    let scores = transform.apply(builder, node, &scores)?;
    Ok(classifier_outputs(&classes, label, scores))
}
