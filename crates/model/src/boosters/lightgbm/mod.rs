//! The reader of LightGBM's own files, the text of `Booster.save_model` and `model_to_string`, versions 2 to 4 of the format
//! (LightGBM 2.1 to 4.7).
//!
//! The format has no document but LightGBM's sources (`gbdt_model_text.cpp` and `tree.cpp` read and write it, `tree.h`
//! decides, the files in `objective/` convert). The arithmetic is LightGBM's: features, thresholds and sums in double
//! precision, the trees in their order. A NULL is NaN, and what that means is for each split to say ([`split`]). A category is
//! the integer part of a number; NaN and what is no category of the split goes right.
//!
//! **What `predict` answers.** The file does not know the labels that a classifier of scikit-learn was trained with. Under the
//! objectives `binary`, `multiclass` and `multiclassova` the prediction is a class, `0` to `k - 1` as BIGINT, and there are
//! probabilities; two classes are told apart at 0.5, as `LGBMClassifier` does. Everything else is a number after the
//! objective's link function. Without an objective (a custom one) it is the sum of the trees, or a list of sums.
//! `predict_raw` has the margin as well, which is LightGBM's `raw_score`: the plain sum, even for a random forest, whose answer
//! is the average.
//!
//! **Early stopping.** The file holds the trees that count: `save_model` leaves out those behind the best iteration.
//!
//! **Categories.** A model trained on a data frame holds the categories of its columns; such a feature takes the categories
//! themselves, and what is none of them is missing, as in LightGBM. Which features they belong to is found out
//! ([`categories`]). Other categorical features take the codes.

mod categories;
mod file;
mod objective;
mod split;
mod trees;

use arrow::datatypes::DataType;

use self::file::{Block, FORMAT, File, malformed, shortened};
use self::objective::{Kind, Objective, scaled};
use self::trees::Forest;
use super::{Assembly, Unknown, classification, numbers};
use crate::error::Result;
use crate::interface::{Outcome, Reading};
use crate::limits::Limits;
use crate::model::LoadOptions;
use crate::program::{BinaryOp, ColumnId, LabelChoice};
use crate::signature::NullPolicy;

/// Reads a file.
pub(crate) fn read(bytes: &[u8], options: &LoadOptions) -> Result<Reading> {
    let limits = &options.limits;
    let file = File::parse(bytes, limits)?;
    let version = version(&file.header)?;
    let shape = Shape::of(&file, limits)?;
    let objective = Objective::read(&file.header)?;
    let mut assembly = Assembly::new(FORMAT, "lightgbm", limits);
    let columns = features(&mut assembly, &file, &shape, options)?;
    let forest = Forest::read(&file.trees, shape.features, shape.outputs, limits)?;
    let margins = margins(&mut assembly, forest, columns)?;
    let outcome = answers(&mut assembly, &file, &shape, objective, margins)?;
    assembly.finish(outcome, format!("LightGBM, format {version}"))
}

/// The version of the format.
fn version<'f>(header: &Block<'f>) -> Result<&'f str> {
    match header.text("version")? {
        version @ ("v2" | "v3" | "v4") => Ok(version),
        other => Err(header.malformed(format!(
            "version `{}` of the format is not known; save the model with LightGBM 2.1 to 4.7",
            shortened(other)
        ))),
    }
}

/// The numbers that the header gives.
struct Shape {
    features: usize,
    /// Sums that a row has: trees of one iteration.
    outputs: usize,
    iterations: usize,
}

impl Shape {
    fn of(file: &File, limits: &Limits) -> Result<Self> {
        let header = &file.header;
        let classes = header.count("num_class")?;
        let outputs = match header.get("num_tree_per_iteration") {
            Some(_) => header.count("num_tree_per_iteration")?,
            None => classes,
        };
        let features = header.count("max_feature_idx")? + 1;
        Limits::check("features", "features", features as u64, limits.features)?;
        Limits::check("classes", "classes", classes.max(outputs) as u64, limits.classes)?;
        let trees = file.trees.len();
        if outputs == 0 || !trees.is_multiple_of(outputs) {
            return Err(malformed(format!("{trees} trees for {outputs} trees per iteration")));
        }
        Ok(Self { features, outputs, iterations: trees / outputs })
    }
}

/// Adds the features of the file, and gives each as a column of numbers.
fn features(assembly: &mut Assembly, file: &File, shape: &Shape, options: &LoadOptions) -> Result<Vec<ColumnId>> {
    let names: Vec<&str> = file.header.text("feature_names")?.split(' ').filter(|name| !name.is_empty()).collect();
    if names.len() != shape.features {
        let (got, features) = (names.len(), shape.features);
        return Err(file.header.malformed(format!("`feature_names` has {got} names for {features} features")));
    }
    let categories = categories::read(file, &names, options.features.as_deref(), &options.limits)?;
    let mut columns = Vec::with_capacity(names.len());
    for (name, categories) in names.into_iter().zip(&categories) {
        let data_type = categories.as_ref().map_or(DataType::Float64, |categories| categories.data_type().clone());
        let column = assembly.feature(name, data_type, NullPolicy::Missing)?;
        columns.push(match categories {
            Some(categories) => assembly.category_codes(column, categories, Unknown::Missing, &DataType::Float64)?,
            None => column,
        });
    }
    Ok(columns)
}

/// The sums of each row.
fn margins(assembly: &mut Assembly, forest: Forest, columns: Vec<ColumnId>) -> Result<Vec<ColumnId>> {
    match forest.is_linear() {
        true => assembly.linear_trees(forest.parts, (forest.lines, forest.terms), columns),
        false => {
            let mut parts = forest.parts;
            parts.leaf_weights.iter_mut().zip(&forest.lines).for_each(|(weight, line)| weight.weight = line.constant);
            assembly.trees(parts, columns)
        }
    }
}

/// The answers from the margins.
fn answers(
    assembly: &mut Assembly,
    file: &File,
    shape: &Shape,
    objective: Objective,
    margins: Vec<ColumnId>,
) -> Result<Outcome> {
    let is_average = file.header.get("average_output").is_some() && shape.iterations > 0;
    let divisor = if is_average { shape.iterations as f64 } else { 1.0 };
    let averages: Result<Vec<ColumnId>> =
        margins.iter().map(|&margin| scaled(assembly, BinaryOp::Div, margin, divisor)).collect();
    let scores = objective.link.apply(assembly, &averages?)?;
    match (objective.kind, &scores[..]) {
        (Kind::Numbers, _) => numbers(scores, margins),
        (Kind::Binary, &[score]) => {
            let classes = assembly.numbered_classes(2)?;
            let label = assembly.label(&classes, LabelChoice::Above(0.5), vec![score])?;
            let probabilities = vec![assembly.complement(score)?, score];
            classification(label, classes, Some(probabilities), margins)
        }
        (Kind::Multiclass, scores) if scores.len() > 1 => {
            let classes = assembly.numbered_classes(scores.len())?;
            let label = assembly.label(&classes, LabelChoice::ArgMaxOrNan, scores.to_vec())?;
            classification(label, classes, Some(scores.to_vec()), margins)
        }
        (_, scores) => {
            let (objective, outputs) = (file.header.get("objective").unwrap_or_default(), scores.len());
            Err(malformed(format!("{outputs} trees per iteration under the objective `{}`", shortened(objective))))
        }
    }
}
