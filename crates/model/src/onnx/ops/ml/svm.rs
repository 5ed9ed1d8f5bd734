//! SVMRegressor and SVMClassifier, as libsvm trains them: kernels with the support vectors, a linear map, votes.
//!
//! A classifier compares each pair of classes; a positive score is a vote for the first one. Without calibration the
//! scores of the pairs are its second output, with it the probabilities of the classes.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float32Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;

use super::scores::{PostTransform, class_labels, classifier_outputs, float_features, label, matrix};
use crate::error::Result;
use crate::limits::Limits;
use crate::onnx::builder::{Builder, Origin};
use crate::onnx::fact::Fact;
use crate::onnx::node::Node;
use crate::onnx::ops::axes::input;
use crate::onnx::ops::broadcast::Element;
use crate::onnx::ops::dense::linear;
use crate::onnx::ops::elementwise::binary_column;
use crate::program::{BinaryOp, ColumnId, Kernel, LabelChoice, Op, PairwiseCoupling, SupportVectors};

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

/// One column per support vector.
fn kernels(builder: &mut Builder, node: &Node, features: Vec<ColumnId>, count: usize) -> Result<Vec<ColumnId>> {
    let vectors = node.floats("support_vectors")?.unwrap_or_default();
    if count == 0 || Some(vectors.len()) != count.checked_mul(features.len()) {
        return Err(node.malformed(format!(
            "{} numbers for {count} support vectors of {} features",
            vectors.len(),
            features.len()
        )));
    }
    let vectors = SupportVectors { vectors: vectors.to_vec(), features: features.len(), kernel: kernel(node)? };
    builder.push(node, Op::SupportVectors(Arc::new(vectors)), features, vec![DataType::Float32; count])
}

/// SVMRegressor.
pub(crate) fn regressor(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let features = float_features(builder, node, input(node, inputs, 0)?)?;
    let count = usize::try_from(node.int_or("n_supports", 0)?).unwrap_or(0);
    let inputs = if count == 0 { features } else { kernels(builder, node, features, count)? };
    let coefficients = node.floats("coefficients")?.unwrap_or_default();
    let rho = node.floats("rho")?.and_then(|rho| rho.first().copied()).unwrap_or(0.0);
    if coefficients.len() != inputs.len() {
        return Err(node.malformed(format!("{} coefficients for {} terms", coefficients.len(), inputs.len())));
    }
    let mut scores = linear(builder, node, &inputs, coefficients.to_vec(), vec![rho])?;
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
    let per_class: Option<Vec<usize>> =
        node.ints("vectors_per_class")?.unwrap_or_default().iter().map(|&count| usize::try_from(count).ok()).collect();
    let per_class = per_class.filter(|counts| counts.len() == classes.len());
    let Some(per_class) = per_class else {
        return Err(node.unsupported("support vectors that are not counted per class"));
    };
    let pairs = classes.len() * (classes.len().saturating_sub(1)) / 2;
    let count: usize = per_class.iter().fold(0, |sum, count| sum.saturating_add(*count));
    let features = float_features(builder, node, input(node, inputs, 0)?)?;
    let kernels = kernels(builder, node, features, count)?;
    let (weights, rho) = pair_weights(builder, node, &per_class, pairs)?;
    let scores = linear(builder, node, &kernels, weights, rho)?;
    let label = vote(builder, node, &classes, &scores)?;
    let transform = PostTransform::of(node)?;
    let sigmoids = node.floats("prob_a")?.unwrap_or_default();
    let offsets = node.floats("prob_b")?.unwrap_or_default();
    let outputs = match (sigmoids.len(), pairs) {
        (0, 1) => transform.spread(builder, node, scores[0], transform != PostTransform::None)?,
        (0, _) => transform.apply(builder, node, &scores)?,
        (count, pairs) if count == pairs && offsets.len() == pairs => {
            let sigmoids = sigmoids.iter().copied().zip(offsets.iter().copied()).collect();
            let coupling = PairwiseCoupling { classes: classes.len(), sigmoids };
            let types = vec![DataType::Float32; classes.len()];
            let probabilities = builder.push(node, Op::PairwiseCoupling(Arc::new(coupling)), scores, types)?;
            transform.apply(builder, node, &probabilities)?
        }
        (count, _) => return Err(node.malformed(format!("{count} sigmoids for {pairs} pairs of classes"))),
    };
    Ok(classifier_outputs(&classes, label, outputs))
}

/// The weights of the support vectors in each pair's score, `weights[vector * pairs + pair]`, and its constant.
///
/// The file has a row of coefficients for each other class: those of class `i` against `j > i` lie in row `j - 1`, those
/// of `j` against `i` in row `i`.
fn pair_weights(builder: &Builder, node: &Node, per_class: &[usize], pairs: usize) -> Result<(Vec<f32>, Vec<f32>)> {
    let count: usize = per_class.iter().sum();
    let coefficients = node.floats("coefficients")?.unwrap_or_default();
    let rho = node.floats("rho")?.unwrap_or_default();
    if pairs == 0 || coefficients.len() != (per_class.len() - 1) * count || rho.len() < pairs {
        return Err(node.malformed(format!("{} coefficients for {count} support vectors", coefficients.len())));
    }
    check_weights(builder, count, pairs)?;
    let starts: Vec<usize> =
        per_class.iter().scan(0, |end, count| Some(std::mem::replace(end, *end + count))).collect();
    let mut weights = vec![0.0; count * pairs];
    let mut pair = 0;
    for i in 0..per_class.len() {
        for j in i + 1..per_class.len() {
            for (class, row) in [(i, j - 1), (j, i)] {
                for vector in starts[class]..starts[class] + per_class[class] {
                    weights[vector * pairs + pair] = coefficients[row * count + vector];
                }
            }
            pair += 1;
        }
    }
    Ok((weights, rho[..pairs].to_vec()))
}

/// The weights grow with the cube of the number of classes, the file with the square.
fn check_weights(builder: &Builder, inputs: usize, outputs: usize) -> Result<()> {
    let weights = (inputs as u64).saturating_mul(outputs as u64);
    Limits::check("weights of support vectors", "tensor_elements", weights, builder.limits.tensor_elements)
}

/// The class with the most votes; the first of equal ones.
fn vote(builder: &mut Builder, node: &Node, classes: &ArrayRef, scores: &[ColumnId]) -> Result<ColumnId> {
    if scores.len() == 1 {
        // A score above 0 is the first class.
        let reversed = take(classes, &UInt32Array::from(vec![1, 0]), None)?;
        let column = label(builder, node, &reversed, LabelChoice::Above(0.0), scores)?;
        builder.note(&[column], &Origin::Label(Arc::clone(classes)));
        return Ok(column);
    }
    let mut wins = Vec::with_capacity(scores.len());
    for &score in scores {
        let positive = is_positive(builder, node, score)?;
        wins.extend(builder.cast(node, &[positive], &DataType::Float32)?);
    }
    let count = classes.len();
    check_weights(builder, scores.len(), count)?;
    let mut weights = vec![0.0; scores.len() * count];
    let mut constants = vec![0.0; count];
    let mut pair = 0;
    for i in 0..count {
        for (j, constant) in constants.iter_mut().enumerate().skip(i + 1) {
            weights[pair * count + i] = 1.0;
            weights[pair * count + j] = -1.0;
            *constant += 1.0;
            pair += 1;
        }
    }
    let votes = linear(builder, node, &wins, weights, constants)?;
    label(builder, node, classes, LabelChoice::ArgMax, &votes)
}
