//! The reader of CatBoost's JSON, as `save_model(path, format="json")` of versions 1.0 and later writes it.
//!
//! The format has no document but CatBoost's sources (`json_model_helpers.cpp` reads and writes it, the evaluators in
//! `libs/model` compute). The arithmetic is CatBoost's on a CPU: numbers are rounded to single precision and go right where
//! `x > border`; the values of leaves are summed in double precision in the order of the trees, then scaled, then the bias is
//! added. A NULL number is NaN and goes to the side that the training chose, which is below all borders where it met none.
//!
//! **Categories.** A categorical feature takes text, of which CatBoost keeps a hash ([`features`]); a text that the training did
//! not meet is no category of any split and has the prior as its statistics ([`statistics`]). CatBoost hashes an integer as
//! the text of its digits: a feature declared as an integer takes integers. A NULL category has no meaning to CatBoost, which
//! refuses it, so that its answer is NULL.
//!
//! **What `predict` answers** is what the `predict` of `CatBoostClassifier`, `CatBoostRegressor` or `CatBoostRanker` does. A file
//! with classes is a classifier's: the prediction is a label in its own type, and there are probabilities. One with several
//! labels at once (`MultiLogloss`, `MultiCrossEntropy`) answers a list of 0 and 1. Everything else is a number or a list of
//! numbers: `exp` of the sum under `Poisson` and `Tweedie`, mean and variance under `RMSEWithUncertainty`, else the sum.
//! `predict_raw` has the margin as well, which is CatBoost's `RawFormulaVal`.

mod features;
mod file;
mod labels;
mod statistics;
mod trees;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array};
use arrow::datatypes::DataType;

use self::features::{Columns, Questions};
use self::file::{File, LossFunction, Numbers};
use self::labels::Labels;
use super::{Assembly, classification, numbers};
use crate::encoding::{from_json, shortened};
use crate::error::Result;
use crate::interface::{Outcome, OutputColumns, Reading};
use crate::limits::Limits;
use crate::model::LoadOptions;
use crate::program::{AcrossOp, BinaryOp, ColumnId, LabelChoice, Op, Operands, UnaryOp};

const FORMAT: &str = "CatBoost JSON";

/// Reads a file.
pub(crate) fn read(bytes: &[u8], options: &LoadOptions) -> Result<Reading> {
    let limits = &options.limits;
    let file: File = from_json(bytes, FORMAT, limits)?;
    let mut assembly = Assembly::new(FORMAT, "catboost", limits);
    let columns = Columns::read(&mut assembly, &file, options.features.as_deref())?;
    let questions = Questions::read(&mut assembly, &file, &columns)?;
    let margins = margins(&mut assembly, &file, questions)?;
    let outcome = answers(&mut assembly, &file, margins)?;
    let version = version(&file.model_info.catboost_version_info);
    assembly.finish(outcome, format!("CatBoost {version}").trim_end().to_string())
}

/// The number of a version in the lines that CatBoost writes about itself; empty if it is not there.
pub(crate) fn version(about: &str) -> &str {
    about.split_ascii_whitespace().find_map(|word| word.strip_prefix("tags/v")).unwrap_or_default()
}

/// The sums of each row, scaled and shifted.
fn margins(assembly: &mut Assembly, file: &File, questions: Questions) -> Result<Vec<ColumnId>> {
    let (scale, biases) = match file.scale_and_bias.as_deref() {
        None => (1.0, &[][..]),
        Some([Numbers::One(scale), biases]) => (*scale, biases.as_slice()),
        Some(_) => return Err(assembly.malformed("`scale_and_bias` is not a number and a list")),
    };
    let outputs = trees::outputs(file).unwrap_or(biases.len()).max(1);
    Limits::check("classes", "classes", outputs as u64, assembly.limits().classes)?;
    if !(biases.is_empty() || biases == [0.0] || biases.len() == outputs) {
        let got = biases.len();
        return Err(assembly.malformed(format!("`scale_and_bias` has {got} biases for {outputs} outputs")));
    }
    let parts = trees::read(assembly, file, &questions, outputs)?;
    let sums = assembly.trees(parts, questions.columns)?;
    let shifted = |(output, sum): (usize, ColumnId)| {
        let scaled = with(assembly, BinaryOp::Mul, sum, scale, 1.0)?;
        with(assembly, BinaryOp::Add, scaled, biases.get(output).copied().unwrap_or(0.0), 0.0)
    };
    sums.into_iter().enumerate().map(shifted).collect()
}

/// The column and a number put together, unless the number is neutral.
fn with(assembly: &mut Assembly, op: BinaryOp, column: ColumnId, number: f64, neutral: f64) -> Result<ColumnId> {
    if number == neutral {
        return Ok(column);
    }
    let operand = Operands::ConstantRight(Arc::new(Float64Array::from(vec![number])));
    assembly.one(Op::Binary(op, operand), vec![column], DataType::Float64)
}

/// The answers from the margins.
fn answers(assembly: &mut Assembly, file: &File, margins: Vec<ColumnId>) -> Result<Outcome> {
    let info = &file.model_info;
    let own: Option<LossFunction> = match &info.loss_function {
        Some(text) => Some(from_json(text.as_bytes(), FORMAT, assembly.limits())?),
        None => None,
    };
    let trained = info.params.as_ref().and_then(|params| params.loss_function.as_ref());
    let loss = own.as_ref().or(trained).map_or("", |loss| loss.name.as_str());
    let classes = info.class_params.as_ref();
    let is_classifier =
        classes.is_some() || matches!(loss, "Logloss" | "CrossEntropy" | "Focal" | "MultiClass" | "MultiClassOneVsAll");
    match (loss, &margins[..]) {
        ("MultiLogloss" | "MultiCrossEntropy", _) => several_labels(assembly, margins),
        ("Poisson" | "Tweedie", _) => {
            let exponents = each(assembly, UnaryOp::Exp, &margins)?;
            numbers(exponents, margins)
        }
        ("RMSEWithUncertainty", &[mean, spread]) => {
            let doubled = with(assembly, BinaryOp::Mul, spread, 2.0, 1.0)?;
            let variance = assembly.unary(UnaryOp::Exp, doubled)?;
            numbers(vec![mean, variance], margins)
        }
        (_, &[margin]) if is_classifier => {
            let labels = Labels::read(assembly, classes, 1)?;
            two_classes(assembly, file, labels, margin)
        }
        (_, outputs) if is_classifier => {
            let labels = Labels::read(assembly, classes, outputs.len())?;
            several_classes(assembly, &labels, loss, outputs)
        }
        _ => numbers(margins.clone(), margins),
    }
}

fn each(assembly: &mut Assembly, op: UnaryOp, columns: &[ColumnId]) -> Result<Vec<ColumnId>> {
    columns.iter().map(|&column| assembly.unary(op, column)).collect()
}

/// One sum tells two classes apart, at a probability of 0.5 unless the file has another one.
fn two_classes(assembly: &mut Assembly, file: &File, labels: Labels, margin: ColumnId) -> Result<Outcome> {
    let threshold = match &file.model_info.binclass_probability_threshold {
        None => 0.5,
        Some(text) => {
            let number = text.parse().ok().filter(|number| (0.0..1.0).contains(number) && *number > 0.0);
            number.ok_or_else(|| {
                let text = shortened(text);
                assembly.malformed(format!("`binclass_probability_threshold` is `{text}` instead of a probability"))
            })?
        }
    };
    // A difference is zero only between equal numbers.
    let border = -(1.0_f64 / threshold - 1.0).ln();
    let above = with(assembly, BinaryOp::Sub, margin, border, 0.0)?;
    let label = assembly.label(&labels.classes, LabelChoice::Above(0.0), vec![above])?;
    let probability = assembly.unary(UnaryOp::PlainLogistic, margin)?;
    let probabilities = vec![assembly.complement(probability)?, probability];
    classification(label, labels.classes, Some(probabilities), vec![margin])
}

/// The sum of each label, if there are several; a label without a sum is never predicted.
fn several_classes(assembly: &mut Assembly, labels: &Labels, loss: &str, margins: &[ColumnId]) -> Result<Outcome> {
    let mut by_label: Vec<Option<ColumnId>> = vec![None; labels.classes.len()];
    labels.of_output.iter().zip(margins).for_each(|(&label, &margin)| by_label[label] = Some(margin));
    let mut sums = Vec::with_capacity(by_label.len());
    for sum in by_label {
        sums.push(match sum {
            Some(sum) => sum,
            None => {
                let least: ArrayRef = Arc::new(Float64Array::from(vec![f64::NEG_INFINITY]));
                assembly.one(Op::Constant(least), Vec::new(), DataType::Float64)?
            }
        });
    }
    let probabilities = match loss {
        "MultiClassOneVsAll" => each(assembly, UnaryOp::PlainLogistic, &sums)?,
        _ => assembly.push(Op::Across(AcrossOp::Softmax), sums.clone(), vec![DataType::Float64; sums.len()])?,
    };
    let label = assembly.label(&labels.classes, LabelChoice::ArgMax, sums.clone())?;
    classification(label, Arc::clone(&labels.classes), Some(probabilities), sums)
}

/// Every sum tells by itself whether its label applies.
fn several_labels(assembly: &mut Assembly, margins: Vec<ColumnId>) -> Result<Outcome> {
    let classes: ArrayRef = Arc::new(Int64Array::from(vec![0, 1]));
    let label = |&margin: &ColumnId| assembly.label(&classes, LabelChoice::Above(0.0), vec![margin]);
    let labels: Vec<ColumnId> = margins.iter().map(label).collect::<Result<_>>()?;
    let probabilities = each(assembly, UnaryOp::PlainLogistic, &margins)?;
    let mut outcome = numbers(labels, margins)?;
    outcome.outputs.insert(1, ("probabilities".to_string(), OutputColumns::List(probabilities)));
    Ok(outcome)
}
