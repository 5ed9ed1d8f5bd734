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

/// Scores before any post transform; coefficients lie in the file output by output.
fn scores(builder: &mut Builder, node: &Node, fact: &Fact, outputs: usize) -> Result<Vec<ColumnId>> {
    let features = float_features(builder, node, fact)?;
    let coefficients = node.floats("coefficients")?.unwrap_or_default();
    if outputs == 0 || coefficients.len() != outputs * features.len() {
        return Err(node.malformed(format!(
            "{} coefficients for {outputs} outputs and {} features",
            coefficients.len(),
            features.len()
        )));
    }
    let mut weights = vec![0.0; coefficients.len()];
    for (at, &coefficient) in coefficients.iter().enumerate() {
        weights[(at % features.len()) * outputs + at / features.len()] = coefficient;
    }
    let intercepts = match node.floats("intercepts")? {
        Some(intercepts) if intercepts.len() == outputs => intercepts.to_vec(),
        Some(intercepts) if !intercepts.is_empty() => {
            return Err(node.malformed(format!("{} intercepts for {outputs} outputs", intercepts.len())));
        }
        _ => vec![0.0; outputs],
    };
    linear(builder, node, &features, weights, intercepts)
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
