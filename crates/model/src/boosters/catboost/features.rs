//! The features of a file, and the questions that its trees ask about them.
//!
//! A split of a tree is the number of a question. First come the borders of the numbers, feature by feature, then the
//! categories that are asked for directly, then the borders of the statistics.

use std::collections::HashMap;

use arrow::datatypes::DataType;
use foretell_kernels::trees::Test;

use super::file::{CategoricalFeature, File, FloatFeature};
use super::statistics;
use crate::boosters::Assembly;
use crate::encoding::shortened;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::model::DeclaredFeature;
use crate::program::{ColumnId, Op};
use crate::signature::NullPolicy;

/// A question, with the column of the trees that it is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Question {
    pub(super) column: u32,
    pub(super) test: Test<f64>,
    pub(super) nan_passes: bool,
}

/// What the trees read and ask.
#[derive(Debug, Default)]
pub(super) struct Questions {
    pub(super) columns: Vec<ColumnId>,
    pub(super) asked: Vec<Question>,
}

/// A feature of either kind.
#[derive(Clone, Copy)]
enum Kind<'f> {
    Float(&'f FloatFeature),
    Category(&'f CategoricalFeature),
}

/// Columns of features by their position among those of their kind.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// Numbers in double precision, and whether NaN is above all borders.
    pub(super) floats: HashMap<u32, (ColumnId, bool)>,
    /// Hashes of categories.
    pub(super) categories: HashMap<u32, ColumnId>,
}

impl Columns {
    /// Adds all features, in the order of the table that the model was trained on.
    pub(super) fn read(assembly: &mut Assembly, file: &File, declared: Option<&[DeclaredFeature]>) -> Result<Self> {
        let floats =
            file.features_info.float_features.iter().map(|feature| (feature.flat_feature_index, Kind::Float(feature)));
        let categories = file
            .features_info
            .categorical_features
            .iter()
            .map(|feature| (feature.flat_feature_index, Kind::Category(feature)));
        let mut features: Vec<(u32, Kind)> = floats.chain(categories).collect();
        features.sort_by_key(|(position, _)| *position);
        Limits::check("features", "features", features.len() as u64, assembly.limits().features)?;
        let mut columns = Self::default();
        for (expected, (position, feature)) in features.into_iter().enumerate() {
            if position as usize != expected {
                return Err(match (position as usize) < expected {
                    true => assembly.malformed(format!("feature {position} is there twice")),
                    false => Error::Unsupported {
                        format: assembly.format(),
                        what: format!("has a feature {expected} that is neither a number nor a category"),
                    },
                });
            }
            let declared = declared.and_then(|declared| declared.get(expected)?.data_type.as_ref());
            columns.add(assembly, position, feature, declared)?;
        }
        Ok(columns)
    }

    fn add(
        &mut self,
        assembly: &mut Assembly,
        position: u32,
        feature: Kind,
        declared: Option<&DataType>,
    ) -> Result<()> {
        let (index, is_new) = match feature {
            Kind::Float(feature) => {
                let name = name(feature.feature_name.as_deref(), &feature.feature_id, position);
                let column = assembly.feature(&name, DataType::Float32, NullPolicy::Missing)?;
                let column = assembly.one(Op::Cast(DataType::Float64), vec![column], DataType::Float64)?;
                let nan_is_above = match feature.nan_value_treatment.as_deref() {
                    Some("AsTrue") => feature.has_nans,
                    None | Some("AsIs" | "AsFalse") => false,
                    Some(other) => {
                        let what = format!("`nan_value_treatment` of feature {position} is `{}`", shortened(other));
                        return Err(assembly.malformed(what));
                    }
                };
                (feature.feature_index, self.floats.insert(feature.feature_index, (column, nan_is_above)).is_none())
            }
            Kind::Category(feature) => {
                let name = name(feature.feature_name.as_deref(), &feature.feature_id, position);
                let hash = category(assembly, &name, declared)?;
                (feature.feature_index, self.categories.insert(feature.feature_index, hash).is_none())
            }
        };
        match is_new {
            true => Ok(()),
            false => Err(assembly.malformed(format!("`feature_index` {index} is there twice"))),
        }
    }
}

/// A category is a text. CatBoost takes integers as well, for the text of their digits; so does a feature that is declared so.
fn category(assembly: &mut Assembly, name: &str, declared: Option<&DataType>) -> Result<ColumnId> {
    let text = match declared.is_some_and(DataType::is_integer) {
        true => {
            let integer = assembly.feature(name, DataType::Int64, NullPolicy::Null)?;
            assembly.one(Op::Cast(DataType::Utf8), vec![integer], DataType::Utf8)?
        }
        false => assembly.feature(name, DataType::Utf8, NullPolicy::Null)?,
    };
    assembly.one(Op::CategoryHash, vec![text], DataType::Float64)
}

fn name(name: Option<&str>, id: &str, position: u32) -> String {
    let given = name.filter(|name| !name.is_empty()).unwrap_or(id);
    if given.is_empty() { format!("f{position}") } else { given.to_string() }
}

impl Questions {
    /// The questions of a file, numbered as its splits do.
    pub(super) fn read(assembly: &mut Assembly, file: &File, columns: &Columns) -> Result<Self> {
        let mut questions = Self::default();
        for feature in file.features_info.float_features.iter().filter(|feature| !feature.borders.is_empty()) {
            let (column, nan_passes) = columns.floats[&feature.feature_index];
            questions.add_borders(assembly, column, &feature.borders, nan_passes)?;
        }
        for feature in file.features_info.categorical_features.iter().filter(|feature| !feature.values.is_empty()) {
            let column = questions.add_column(columns.categories[&feature.feature_index]);
            let asked = feature.values.iter().map(|&value| Question {
                column,
                test: Test::Eq(f64::from(value)),
                nan_passes: false,
            });
            questions.asked.extend(asked);
        }
        let statistics = statistics::read(assembly, file, columns)?;
        for (ctr, column) in file.features_info.ctrs.iter().zip(statistics) {
            questions.add_borders(assembly, column, &ctr.borders, false)?;
        }
        Ok(questions)
    }

    fn add_column(&mut self, column: ColumnId) -> u32 {
        self.columns.push(column);
        self.columns.len() as u32 - 1
    }

    fn add_borders(&mut self, assembly: &Assembly, column: ColumnId, borders: &[f32], nan_passes: bool) -> Result<()> {
        if borders.iter().any(|border| border.is_nan()) {
            return Err(assembly.malformed("a border is NaN"));
        }
        let column = self.add_column(column);
        let asked = borders.iter().map(|&border| Question { column, test: Test::Gt(f64::from(border)), nan_passes });
        self.asked.extend(asked);
        Ok(())
    }
}
