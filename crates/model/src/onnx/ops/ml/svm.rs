//! SVMRegressor and SVMClassifier, as libsvm trains them: kernels with the support vectors, a linear map, votes.
//!
//! A classifier compares each pair of classes; a positive score is a vote for the first one. Without calibration the
//! scores of the pairs are its second output, with it the probabilities of the classes. Without support vectors there is
//! no vote but a linear score for each class.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float32Array};
use arrow::datatypes::DataType;
use foretell_kernels::support::{Kernel, SupportError, SupportPairs, SupportSum, SupportVectors};

use super::linear::by_feature;
use super::scores::{PostTransform, class_labels, classifier_outputs, float_features, label, matrix, unary};
use crate::error::{Error, Result};
use crate::onnx::builder::{Builder, Origin};
use crate::onnx::fact::Fact;
use crate::onnx::node::Node;
use crate::onnx::ops::axes::input;
use crate::onnx::ops::broadcast::Element;
use crate::onnx::ops::dense::linear;
use crate::onnx::ops::elementwise::binary_column;
use crate::program::{BinaryOp, ColumnId, LabelChoice, Op, Operands, PairwiseCoupling, UnaryOp};

fn kernel(node: &Node) -> Result<Kernel> {
    let parameters = node.floats("kernel_params")?.unwrap_or(&[0.0, 0.0, 3.0]);
    let [gamma, offset, degree] = parameters[..] else {
        return Err(node.malformed("`kernel_params` must have three values"));
    };
    match node.text("kernel_type")?.unwrap_or("LINEAR") {
        "LINEAR" => Ok(Kernel::Linear),
        "POLY" => Ok(Kernel::Polynomial { gamma, offset, degree }),
        "RBF" => Ok(Kernel::Gaussian { gamma }),
        "SIGMOID" => Ok(Kernel::Sigmoid { gamma, offset }),
        other => Err(node.malformed(format!("a kernel `{other}`"))),
    }
}

fn support_vectors(node: &Node, features: usize, count: usize) -> Result<SupportVectors> {
    let vectors = node.floats("support_vectors")?.unwrap_or_default();
    if count == 0 || Some(vectors.len()) != count.checked_mul(features) {
        let numbers = vectors.len();
        return Err(node.malformed(format!("{numbers} numbers for {count} support vectors of {features} features")));
    }
    SupportVectors::try_new(vectors, features, kernel(node)?).map_err(|error| malformed(node, &error))
}

fn malformed(node: &Node, error: &SupportError) -> Error {
    node.malformed(error.to_string())
}

/// SVMRegressor.
pub(crate) fn regressor(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let features = float_features(builder, node, input(node, inputs, 0)?)?;
    let count = usize::try_from(node.int_or("n_supports", 0)?).unwrap_or(0);
    let coefficients = node.floats("coefficients")?.unwrap_or_default().to_vec();
    let rho = node.floats("rho")?.and_then(|rho| rho.first().copied()).unwrap_or(0.0);
    let terms = if count == 0 { features.len() } else { count };
    if coefficients.len() != terms {
        return Err(node.malformed(format!("{} coefficients for {terms} terms", coefficients.len())));
    }
    let mut scores = if count == 0 {
        linear(builder, node, &features, coefficients, vec![rho])?
    } else {
        let vectors = support_vectors(node, features.len(), count)?;
        let machine = SupportSum::try_new(vectors, coefficients, rho).map_err(|error| malformed(node, &error))?;
        vec![builder.one(node, Op::SupportSum(Arc::new(machine)), features, DataType::Float32)?]
    };
    if node.flag("one_class", false)? {
        scores = vec![sign(builder, node, scores[0])?];
    }
    builder.note(&scores, &Origin::Target);
    Ok(vec![Fact::Block(matrix(scores))])
}

/// 1 where the score is above 0, else -1.
fn sign(builder: &mut Builder, node: &Node, score: ColumnId) -> Result<ColumnId> {
    let constant = |value: f32| -> ArrayRef { Arc::new(Float32Array::from(vec![value])) };
    let above = is_positive(builder, node, score)?;
    let (one, minus_one) = (builder.constant(node, constant(1.0))?, builder.constant(node, constant(-1.0))?);
    builder.one(node, Op::Select, vec![above, one, minus_one], DataType::Float32)
}

fn is_positive(builder: &mut Builder, node: &Node, score: ColumnId) -> Result<ColumnId> {
    let zero = Element::Value(Arc::new(Float32Array::from(vec![0.0])));
    binary_column(builder, node, BinaryOp::Greater, &Element::Column(score), &zero, &DataType::Boolean)
}

/// SVMClassifier.
pub(crate) fn classifier(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let classes = class_labels(builder, node, "classlabels_ints", "classlabels_strings")?;
    let features = float_features(builder, node, input(node, inputs, 0)?)?;
    let per_class = node.ints("vectors_per_class")?.unwrap_or_default();
    if per_class.iter().all(|&count| count == 0) {
        return linear_classifier(builder, node, &classes, &features);
    }
    let starts = starts(per_class).filter(|starts| starts.len() == classes.len() + 1 && classes.len() > 1);
    let Some(starts) = starts else {
        return Err(node.malformed(format!("support vectors of {} of {} classes", per_class.len(), classes.len())));
    };
    let pairs = classes.len() * (classes.len() - 1) / 2;
    let (scores, label) = pairwise_scores(builder, node, &classes, features, starts, pairs)?;
    let transform = PostTransform::of(node)?;
    let sigmoids = node.floats("prob_a")?.unwrap_or_default();
    let offsets = node.floats("prob_b")?.unwrap_or_default();
    let outputs = match (sigmoids.len(), pairs) {
        (0, 1) => transform.spread(builder, node, scores[0], transform != PostTransform::None)?,
        (0, _) => transform.apply(builder, node, &scores)?,
        (count, pairs) if count >= pairs && offsets.len() == count => {
            let sigmoids = sigmoids.iter().copied().zip(offsets.iter().copied()).take(pairs).collect();
            let coupling = PairwiseCoupling { classes: classes.len(), sigmoids };
            let types = vec![DataType::Float32; classes.len()];
            let probabilities = builder.push(node, Op::PairwiseCoupling(Arc::new(coupling)), scores, types)?;
            transform.apply(builder, node, &probabilities)?
        }
        (count, _) => return Err(node.malformed(format!("{count} sigmoids for {pairs} pairs of classes"))),
    };
    Ok(classifier_outputs(&classes, label, outputs))
}

/// Where the vectors of each class begin, and where the last ones end.
fn starts(per_class: &[i64]) -> Option<Vec<usize>> {
    let mut starts = vec![0_usize];
    for &count in per_class {
        starts.push(starts.last()?.checked_add(usize::try_from(count).ok()?)?);
    }
    Some(starts)
}

/// The scores of all pairs of classes, and the label of the class that wins most of them.
fn pairwise_scores(
    builder: &mut Builder,
    node: &Node,
    classes: &ArrayRef,
    features: Vec<ColumnId>,
    starts: Vec<usize>,
    pairs: usize,
) -> Result<(Vec<ColumnId>, ColumnId)> {
    let count = starts[classes.len()];
    let vectors = support_vectors(node, features.len(), count)?;
    let coefficients = node.floats("coefficients")?.unwrap_or_default();
    let rho = node.floats("rho")?.unwrap_or_default();
    let needed = (classes.len() - 1).saturating_mul(count);
    if coefficients.len() < needed || rho.len() < pairs {
        return Err(node.malformed(format!(
            "{} coefficients and {} constants for {count} support vectors of {} classes",
            coefficients.len(),
            rho.len(),
            classes.len()
        )));
    }
    let (coefficients, constants) = (coefficients[..needed].to_vec(), rho[..pairs].to_vec());
    let machine = SupportPairs::try_new(vectors, starts, coefficients, constants);
    let machine = machine.map_err(|error| malformed(node, &error))?;
    let types = std::iter::repeat_n(DataType::Float32, pairs).chain([DataType::Int64]);
    let mut scores = builder.push(node, Op::SupportPairs(Arc::new(machine)), features, types)?;
    let winner = scores.split_off(pairs);
    let label = builder.one(node, Op::Take(Arc::clone(classes)), winner, classes.data_type().clone())?;
    builder.note(&[label], &Origin::Label(Arc::clone(classes)));
    Ok((scores, label))
}

/// Without support vectors a score for each class is linear in the features, whatever the kernel is said to be.
fn linear_classifier(
    builder: &mut Builder,
    node: &Node,
    classes: &ArrayRef,
    features: &[ColumnId],
) -> Result<Vec<Fact>> {
    let coefficients = node.floats("coefficients")?.unwrap_or_default();
    let Some(&constant) = node.floats("rho")?.and_then(|rho| rho.first()) else {
        return Err(node.malformed("it has no `rho`"));
    };
    let weights = by_feature(node, coefficients, features.len(), classes.len())?;
    let scores = linear(builder, node, features, weights, vec![constant; classes.len()])?;
    let calibrated = node.floats("prob_a")?.is_some_and(|sigmoids| !sigmoids.is_empty());
    let label = match classes.len() {
        2 if !calibrated => {
            let threshold = match coefficients.iter().all(|&coefficient| coefficient >= 0.0) {
                true => 0.5_f32.next_down(),
                false => 0.0,
            };
            label_above(builder, node, classes, &scores, threshold)?
        }
        _ => label(builder, node, classes, LabelChoice::ArgMax, &scores)?,
    };
    let scores = match (PostTransform::of(node)?, &scores[..]) {
        (transform, [_, _, ..]) => transform.apply(builder, node, &scores)?,
        (PostTransform::Probit, [score]) => vec![unary(builder, node, UnaryOp::Probit, *score)?],
        _ => scores,
    };
    Ok(classifier_outputs(classes, label, scores))
}

/// The second class where the largest score is above the threshold, else the class of the largest score.
fn label_above(
    builder: &mut Builder,
    node: &Node,
    classes: &ArrayRef,
    scores: &[ColumnId],
    threshold: f32,
) -> Result<ColumnId> {
    let [first, second] = *scores else { return Err(node.malformed("two classes have two scores")) };
    let constant = |value: f32| Element::Value(Arc::new(Float32Array::from(vec![value])) as ArrayRef);
    let compare = |builder: &mut Builder, score: ColumnId, other: &Element| {
        binary_column(builder, node, BinaryOp::Greater, &Element::Column(score), other, &DataType::Boolean)
    };
    let second_is_larger = compare(builder, second, &Element::Column(first))?;
    let largest = builder.one(node, Op::Select, vec![second_is_larger, second, first], DataType::Float32)?;
    let above = compare(builder, largest, &constant(threshold))?;
    let or = Op::Binary(BinaryOp::Or, Operands::Columns);
    let is_second = builder.one(node, or, vec![second_is_larger, above], DataType::Boolean)?;
    let position = builder.cast(node, &[is_second], &DataType::Float32)?;
    label(builder, node, classes, LabelChoice::Above(0.0), &position)
}
