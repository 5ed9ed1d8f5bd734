//! Features and their categories.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, StringArray};
use arrow::datatypes::DataType;

use super::file::{Cats, Encoded, Learner};
use crate::boosters::{Assembly, Unknown};
use crate::error::{Error, Result};
use crate::program::{ColumnId, UnaryOp};
use crate::signature::NullPolicy;

/// Integers up to here are exact as numbers of double precision.
const EXACT_MAX: u64 = 1 << 53;

/// The categories that the file knows, for each feature.
#[derive(Debug)]
pub(super) struct Categories {
    of: Vec<Option<ArrayRef>>,
}

impl Categories {
    /// Reads the categories of a file with this many features.
    pub(super) fn read(assembly: &Assembly, learner: &Learner, features: usize) -> Result<Self> {
        let booster = &learner.gradient_booster;
        let model = booster.model.as_ref().or_else(|| booster.gbtree.as_ref().map(|inner| &inner.model));
        let lists = model.and_then(|model| model.cats.as_ref()).map_or(&[][..], |Cats { enc }| enc);
        for (what, got) in [
            ("feature names", learner.feature_names.len()),
            ("feature types", learner.feature_types.len()),
            ("lists of categories", lists.len()),
        ] {
            if got != 0 && got != features {
                return Err(assembly.malformed(format!("{got} {what} for {features} features")));
            }
        }
        let is_doubtful =
            |list: &Encoded| list.offsets.is_some() && !list.values.iter().all(|byte| (0..128).contains(byte));
        if let Some(feature) = lists.iter().position(is_doubtful) {
            return Err(Error::Unsupported { format: assembly.format(), what: cut_texts(learner, feature) });
        }
        let of: Result<Vec<_>> = lists
            .iter()
            .enumerate()
            .map(|(feature, list)| read_list(list).map_err(|what| at_feature(assembly, feature, &what)))
            .collect();
        let mut of = of?;
        of.resize(features, None);
        Ok(Self { of })
    }

    /// Adds the features of the file, and gives each as a column of numbers.
    pub(super) fn features(&self, assembly: &mut Assembly, learner: &Learner) -> Result<Vec<ColumnId>> {
        if learner.feature_names.is_empty() {
            assembly.forget_names();
        }
        let mut columns = Vec::with_capacity(self.of.len());
        for (feature, categories) in self.of.iter().enumerate() {
            let name = feature_name(learner, feature);
            let data_type = categories.as_ref().map_or(DataType::Float32, |categories| categories.data_type().clone());
            let column = assembly.feature(&name, data_type, NullPolicy::Missing)?;
            columns.push(match categories {
                Some(categories) => assembly.category_codes(column, categories, Unknown::Refuse, &DataType::Float32)?,
                None => column,
            });
        }
        Ok(columns)
    }

    /// The column to ask whether a feature is one of some categories. A code that the caller gives loses its fraction.
    pub(super) fn whole(&self, assembly: &mut Assembly, feature: usize, column: ColumnId) -> Result<ColumnId> {
        match self.of[feature] {
            Some(_) => Ok(column),
            None => assembly.unary(UnaryOp::Floor, column),
        }
    }
}

/// The versions read here count the characters of a pandas column's categories, and take as many bytes: each text behind one
/// that is not ASCII begins too early, and the last ones are lost. Whether that happened cannot be seen in the file.
fn cut_texts(learner: &Learner, feature: usize) -> String {
    format!(
        "has categories of feature `{}` that are not ASCII, which XGBoost saves wrongly; train it with categories in ASCII, \
         or with their codes",
        feature_name(learner, feature)
    )
}

fn feature_name(learner: &Learner, feature: usize) -> String {
    learner.feature_names.get(feature).cloned().unwrap_or_else(|| format!("f{feature}"))
}

fn at_feature(assembly: &Assembly, feature: usize, what: &str) -> Error {
    assembly.malformed(format!("`learner.gradient_booster.model.cats.enc[{feature}]`: {what}"))
}

fn read_list(list: &Encoded) -> Result<Option<ArrayRef>, String> {
    if list.values.is_empty() && list.offsets.as_ref().is_none_or(|offsets| offsets.len() < 2) {
        return Ok(None);
    }
    match &list.offsets {
        Some(offsets) => read_texts(offsets, &list.values).map(|texts| Some(Arc::new(texts) as ArrayRef)),
        None => {
            if let Some(large) = list.values.iter().find(|value| value.unsigned_abs() > EXACT_MAX) {
                return Err(format!("the category {large} is too large"));
            }
            let numbers = list.values.iter().map(|&value| value as f64);
            Ok(Some(Arc::new(Float64Array::from_iter_values(numbers))))
        }
    }
}

fn read_texts(offsets: &[u32], values: &[i64]) -> Result<StringArray, String> {
    let bytes: Option<Vec<u8>> = values
        .iter()
        .map(|&value| u8::try_from(value).ok().or_else(|| i8::try_from(value).ok().map(i8::cast_unsigned)))
        .collect();
    let bytes = bytes.ok_or("the texts are no bytes")?;
    let text = |ends: &[u32]| {
        let text = bytes.get(ends[0] as usize..ends[1] as usize).ok_or("the offsets do not fit the texts")?;
        std::str::from_utf8(text).map_err(|_| "a category is not UTF-8")
    };
    let texts: Result<Vec<&str>, &str> = offsets.windows(2).map(text).collect();
    Ok(StringArray::from(texts?))
}
