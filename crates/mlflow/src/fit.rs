//! The signature against the model file: what the features are called, and whether the two are about the same model.
//!
//! A name in the file that says what column a feature is must be in the signature. Where the file has no such names, as with
//! one input for all columns, the signature's columns are the features in their order, as MLflow itself binds them.

use std::collections::{HashMap, HashSet};

use arrow::datatypes::{DataType, Field};
use foretell_model::{DeclaredFeature, Feature, Model};

use crate::error::{Error, Result};
use crate::flavor::Flavor;
use crate::mlmodel::MlModel;
use crate::schema::{Column, Schema, Tensor};

impl MlModel {
    /// Calls the features of `model` what the signature calls them, and checks that the two fit.
    ///
    /// # Errors
    /// [`Error::Signature`] when the signature is about another model.
    pub fn name_features(&self, model: &mut Model) -> Result<()> {
        match &self.schema {
            None => Ok(()),
            Some(Schema::Columns(columns)) => self.fit_columns(model, columns),
            Some(Schema::Tensors(tensors)) => fit_tensors(model, tensors).map_err(Error::Signature),
        }
    }

    fn fit_columns(&self, model: &mut Model, columns: &[Column]) -> Result<()> {
        let features = &model.signature().features;
        let in_file: Vec<&str> = features.iter().map(|feature| feature.name.as_str()).collect();
        let named: Option<Vec<&str>> = columns.iter().map(|column| column.name.as_deref()).collect();
        let names = match named {
            None => by_position(&in_file, &in_file, columns),
            Some(named) if !has_names(model) => by_position(&in_file, &named, columns),
            Some(named) if self.flavor == Flavor::Onnx => by_name(&in_file, &named),
            Some(named) => in_order(&in_file, &named),
        };
        let names = names.map_err(Error::Signature)?;
        if columns.len() == features.len() {
            check_types(features, &names, columns).map_err(Error::Signature)?;
        }
        let declared: Vec<DeclaredFeature> =
            names.into_iter().map(|name| DeclaredFeature { name, data_type: None }).collect();
        model.declare(&declared).map_err(|error| Error::Signature(error.to_string()))
    }
}

/// True when the file says which column each feature is. Names that boosting libraries make up for arrays do not.
fn has_names(model: &Model) -> bool {
    let features = &model.signature().features;
    let made_up = |(at, feature): (usize, &Feature)| {
        ["f", "Column_", ""].iter().any(|prefix| feature.name == format!("{prefix}{at}"))
    };
    model.signature().features_are_named && !features.iter().enumerate().all(made_up)
}

/// The signature's names in their order; one column of lists may stand for all features.
fn by_position(in_file: &[&str], named: &[&str], columns: &[Column]) -> Result<Vec<String>, String> {
    let own = || in_file.iter().map(|name| (*name).to_owned()).collect();
    match columns {
        [Column { data_type: Some(DataType::List(_)), .. }] if in_file.len() > 1 => Ok(own()),
        _ if columns.len() == in_file.len() => Ok(named.iter().map(|name| (*name).to_owned()).collect()),
        _ => Err(format!(
            "the file takes {} features, the signature has {} columns ({})",
            in_file.len(),
            columns.len(),
            list(named)
        )),
    }
}

/// The file's names, all of which the signature has in whatever order.
fn by_name(in_file: &[&str], named: &[&str]) -> Result<Vec<String>, String> {
    let known: HashSet<&str> = named.iter().copied().collect();
    match in_file.iter().find(|name| !known.contains(*name)) {
        Some(missing) => Err(format!("the file has the input `{missing}`, the signature has {}", list(named))),
        None => Ok(in_file.iter().map(|name| (*name).to_owned()).collect()),
    }
}

/// The signature's names, which must be those of the file in the file's order: the libraries bind columns by position.
fn in_order(in_file: &[&str], named: &[&str]) -> Result<Vec<String>, String> {
    // LightGBM writes `_` for white space.
    let same =
        |(written, name): (&&str, &&str)| *written == *name || *written == name.replace(char::is_whitespace, "_");
    if in_file.len() == named.len() && in_file.iter().zip(named).all(same) {
        return Ok(named.iter().map(|name| (*name).to_owned()).collect());
    }
    Err(format!("the features of the file are {}, those of the signature are {}", list(in_file), list(named)))
}

fn check_types(features: &[Feature], names: &[String], columns: &[Column]) -> Result<(), String> {
    let by_name: HashMap<&str, &Column> =
        columns.iter().rev().filter_map(|column| Some((column.name.as_deref()?, column))).collect();
    for (at, feature) in features.iter().enumerate() {
        let column = by_name.get(names[at].as_str()).copied().unwrap_or(&columns[at]);
        if let Some(data_type) = &column.data_type {
            check_type(&Feature { name: names[at].clone(), ..feature.clone() }, data_type)?;
        }
    }
    Ok(())
}

fn check_type(feature: &Feature, data_type: &DataType) -> Result<(), String> {
    let fits = feature.accepts(data_type).is_ok();
    if fits {
        Ok(())
    } else {
        Err(format!(
            "feature `{}` is {data_type} in the signature, the file computes with {}{}",
            feature.name,
            if feature.shape.is_empty() { "" } else { "lists of " },
            feature.data_type
        ))
    }
}

fn fit_tensors(model: &Model, tensors: &[Tensor]) -> Result<(), String> {
    let features = &model.signature().features;
    let widths: Option<Vec<usize>> = tensors.iter().map(Tensor::width).collect();
    let in_file = features.iter().try_fold(0, |sum: usize, feature| Some(sum.saturating_add(width(feature)?)));
    if let (Some(widths), Some(in_file)) = (widths, in_file) {
        let in_signature = widths.iter().fold(0, |sum: usize, width| sum.saturating_add(*width));
        if in_signature != in_file {
            return Err(format!(
                "a row of the file has {in_file} values, one of the signature's tensors {in_signature}"
            ));
        }
    }
    if has_names(model) {
        let named: Vec<&str> = tensors.iter().filter_map(|tensor| tensor.name.as_deref()).collect();
        by_name(&features.iter().map(|feature| feature.name.as_str()).collect::<Vec<_>>(), &named)?;
    }
    let by_name: HashMap<&str, &Tensor> =
        tensors.iter().rev().filter_map(|tensor| Some((tensor.name.as_deref()?, tensor))).collect();
    for feature in features {
        let tensor = match tensors {
            [tensor] => Some(tensor),
            _ => by_name.get(feature.name.as_str()).copied(),
        };
        if let Some(data_type) = tensor.and_then(|tensor| tensor.data_type.clone()) {
            let is_list = !feature.shape.is_empty();
            let list = |item| DataType::List(std::sync::Arc::new(Field::new_list_field(item, true)));
            check_type(feature, &if is_list { list(data_type) } else { data_type })?;
        }
    }
    Ok(())
}

/// Values that a row has of it, if all rows have as many.
fn width(feature: &Feature) -> Option<usize> {
    feature.shape.iter().try_fold(1, |width: usize, extent| Some(width.saturating_mul(extent.fixed()?)))
}

/// "`a`, `b`", the first twenty of them.
fn list(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(20).map(|name| format!("`{name}`")).collect();
    let more =
        if names.len() > shown.len() { format!(" and {} more", names.len() - shown.len()) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
