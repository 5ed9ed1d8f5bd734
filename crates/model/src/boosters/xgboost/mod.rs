//! The reader of XGBoost's own files, JSON and UBJSON, as `save_model` of versions 1.7 and later writes them.
//!
//! The arithmetic is XGBoost's on a CPU: features are rounded to single precision, a row goes left where `x < threshold`, the
//! sum begins with the intercept and takes the trees in their order, all in single precision. A NULL is a missing value
//! and goes where the node sends missing values; `missing=...` of the Python classes is not in the file and means nothing
//! here.
//!
//! **What `predict` answers.** A file of `XGBClassifier.save_model` says so, and so does one of the objectives
//! `binary:logistic`, `binary:hinge` and `multi:*` that nobody says anything about: the prediction is a class, `0` to
//! `k - 1` as BIGINT (XGBoost keeps no other labels), and there are probabilities. Two classes are told apart at 0.5, as
//! `XGBClassifier` does. Several labels at once (a classifier of several targets) are a list of `0` and `1`. Everything else is
//! a number, or a list of numbers, after the link function of the objective: `XGBRegressor`, `XGBRanker`, and a `Booster` of
//! any other objective, `binary:logitraw` included. `predict_raw` has the margin as well.
//!
//! **Early stopping.** The scikit-learn classes predict with the best iteration when there is one; `Booster.predict` uses all
//! trees. The file tells which of them saved it.
//!
//! **Categories.** From version 3.1 on a file may hold the categories of a data frame. Such a feature takes the categories
//! themselves, and a value that is none of them refuses its row, as XGBoost refuses the table. Where a file has none, a
//! categorical feature takes the codes.

mod categories;
mod file;
mod linear;
mod objective;
mod trees;

use serde::Deserialize;

use self::categories::Categories;
use self::file::{File, Learner};
use self::objective::{Link, Objective};
use super::{Assembly, classification, numbers};
use crate::encoding::{from_json, from_ubjson, shortened};
use crate::error::{Error, Result};
use crate::interface::{Outcome, Reading};
use crate::limits::Limits;
use crate::model::LoadOptions;
use crate::program::{ColumnId, LabelChoice};

/// The newest version whose files this reader was compared with. Later ones keep the weights of dropped trees elsewhere
/// and sort quantiles, and nothing in their files says what else has changed.
const NEWEST: [u32; 2] = [3, 2];

const JSON: &str = "XGBoost JSON";
const UBJSON: &str = "XGBoost UBJSON";

/// Reads a JSON file.
pub(crate) fn read_json(bytes: &[u8], options: &LoadOptions) -> Result<Reading> {
    read(&from_json(bytes, JSON, &options.limits)?, JSON, &options.limits)
}

/// Reads a UBJSON file.
pub(crate) fn read_ubjson(bytes: &[u8], options: &LoadOptions) -> Result<Reading> {
    read(&from_ubjson(bytes, UBJSON, &options.limits)?, UBJSON, &options.limits)
}

fn read(file: &File, format: &'static str, limits: &Limits) -> Result<Reading> {
    let version = file.version.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
    if file.version.iter().take(2).gt(&NEWEST) {
        let newest = NEWEST.map(|part| part.to_string()).join(".");
        let what = format!(
            "was written by version {version}, newer than {newest}, the newest one known; save it with XGBoost {newest}, or export it to ONNX"
        );
        return Err(Error::Unsupported { format, what });
    }
    let mut assembly = Assembly::new(format, "xgboost", limits);
    let shape = Shape::of(&assembly, file)?;
    let objective = Objective::named(&file.learner.objective.name, &file.version);
    let objective = objective.map_err(|what| Error::Unsupported { format, what })?;
    let margins = margins(&mut assembly, file, &shape, &objective)?;
    let outcome = answers(&mut assembly, &shape, &objective, margins)?;
    assembly.finish(outcome, format!("XGBoost {version}"))
}

/// The numbers that the file gives of itself.
struct Shape {
    features: usize,
    /// Sums that a row has: classes, or targets, or one.
    outputs: usize,
    classes: usize,
    /// What the wrapper of scikit-learn says it is, such as `classifier`.
    estimator: Option<String>,
    /// What the file says of early stopping, if the prediction goes by it.
    best_iteration: Option<usize>,
}

/// What the wrapper of scikit-learn leaves in a file.
#[derive(Deserialize)]
struct Estimator {
    #[serde(rename = "_estimator_type", default)]
    kind: Option<String>,
}

impl Shape {
    fn of(assembly: &Assembly, file: &File) -> Result<Self> {
        let Learner { learner_model_param: model, attributes, .. } = &file.learner;
        let count = |name: &str, text: &str| {
            let count = text.trim().parse::<u32>().map_err(|_| {
                assembly.malformed(format!("`learner.{name}` is `{}` instead of a whole number", shortened(text)))
            });
            Ok::<_, Error>(count? as usize)
        };
        let features = count("learner_model_param.num_feature", &model.num_feature)?;
        let classes = count("learner_model_param.num_class", &model.num_class)?;
        let targets = count("learner_model_param.num_target", model.num_target.as_deref().unwrap_or("1"))?;
        if classes > 1 && targets > 1 {
            return Err(assembly.malformed(format!("{classes} classes and {targets} targets at once")));
        }
        let wrapper: Option<Estimator> = match &attributes.scikit_learn {
            Some(text) => Some(from_json(text.as_bytes(), assembly.format(), assembly.limits())?),
            None => None,
        };
        let best_iteration = match (&wrapper, &attributes.best_iteration) {
            (Some(_), Some(best)) => Some(count("attributes.best_iteration", best)?),
            _ => None,
        };
        let estimator = wrapper.and_then(|wrapper| wrapper.kind);
        if features == 0 {
            return Err(assembly.malformed("the model has no features"));
        }
        Limits::check("features", "features", features as u64, assembly.limits().features)?;
        Limits::check("classes", "classes", classes.max(targets) as u64, assembly.limits().classes)?;
        Ok(Self { features, outputs: classes.max(targets).max(1), classes, estimator, best_iteration })
    }

    /// Whether the answer is a class.
    fn is_classifier(&self, objective: &Objective) -> bool {
        match self.estimator.as_deref() {
            Some(estimator) => estimator == "classifier",
            None => objective.is_classifier,
        }
    }
}

/// The sums of each row before the link function.
fn margins(assembly: &mut Assembly, file: &File, shape: &Shape, objective: &Objective) -> Result<Vec<ColumnId>> {
    let categories = Categories::read(assembly, &file.learner, shape.features)?;
    let columns = categories.features(assembly, &file.learner)?;
    let intercepts = intercepts(assembly, file, shape, objective)?;
    let booster = &file.learner.gradient_booster;
    match (booster.name.as_str(), &booster.model, &booster.gbtree) {
        ("gblinear", Some(model), _) => {
            let weights = model.weights.as_deref().unwrap_or_default();
            linear::margins(assembly, weights, intercepts[0], shape.outputs, columns)
        }
        ("gbtree", Some(model), _) => {
            let forest = trees::Forest::read(assembly, model, shape, None)?;
            forest.margins(assembly, &intercepts, &categories, columns)
        }
        ("dart", _, Some(inner)) => {
            let weights = booster.weight_drop.as_deref().unwrap_or_default();
            let forest = trees::Forest::read(assembly, &inner.model, shape, Some(weights))?;
            forest.margins(assembly, &intercepts, &categories, columns)
        }
        (name @ ("gblinear" | "gbtree" | "dart"), ..) => {
            Err(assembly.malformed(format!("a booster `{name}` without its model")))
        }
        (other, ..) => {
            let what = format!("has a booster `{}`; gbtree, dart and gblinear are supported", shortened(other));
            Err(Error::Unsupported { format: assembly.format(), what })
        }
    }
}

/// What the sum of each output begins with.
fn intercepts(assembly: &Assembly, file: &File, shape: &Shape, objective: &Objective) -> Result<Vec<f32>> {
    let text = &file.learner.learner_model_param.base_score;
    // One number, or since version 3.1 a list of them.
    let list = if text.trim_start().starts_with('[') { text.clone() } else { format!("[{text}]") };
    let refused = |instead: &str| {
        let text = shortened(text);
        assembly.malformed(format!("`learner.learner_model_param.base_score` is `{text}` instead of {instead}"))
    };
    let one_each = |_| refused("one number per output");
    let mut scores: Vec<f32> = from_json(list.as_bytes(), assembly.format(), assembly.limits()).map_err(one_each)?;
    if scores.len() == 1 {
        scores.resize(shape.outputs, scores[0]);
    }
    if scores.len() != shape.outputs || !scores.iter().all(|score| score.is_finite()) {
        return Err(refused("one number per output"));
    }
    let in_range =
        |score: &f32| objective.margin(*score).ok_or_else(|| refused("a number that the objective can have"));
    scores.iter().map(in_range).collect()
}

/// The answers from the margins.
fn answers(assembly: &mut Assembly, shape: &Shape, objective: &Objective, margins: Vec<ColumnId>) -> Result<Outcome> {
    let is_classifier = shape.is_classifier(objective);
    match objective.link {
        Link::Softmax | Link::ArgMax => {
            let classes = assembly.numbered_classes(margins.len())?;
            let probabilities = objective.link.apply(assembly, &margins)?;
            // One takes the largest probability, the other the largest margin: they differ where rounding makes two equal.
            let scores = if objective.link == Link::Softmax { probabilities.clone() } else { margins.clone() };
            let label = assembly.label(&classes, LabelChoice::ArgMax, scores)?;
            classification(label, classes, Some(probabilities), margins)
        }
        link if is_classifier && shape.classes <= 1 => {
            let scores = link.apply(assembly, &margins)?;
            let classes = assembly.numbered_classes(2)?;
            let label = |&score: &ColumnId| assembly.label(&classes, LabelChoice::Above(0.5), vec![score]);
            let labels: Vec<ColumnId> = scores.iter().map(label).collect::<Result<_>>()?;
            let [score] = scores[..] else { return numbers(labels, margins) };
            let probabilities = match objective.has_probabilities() {
                true => Some(vec![assembly.complement(score)?, score]),
                false => None,
            };
            classification(labels[0], classes, probabilities, margins)
        }
        _ if is_classifier => {
            let what = format!("is a classifier of {} classes with another objective than `multi:*`", shape.classes);
            Err(Error::Unsupported { format: assembly.format(), what })
        }
        link => {
            let predictions = link.apply(assembly, &margins)?;
            numbers(predictions, margins)
        }
    }
}
