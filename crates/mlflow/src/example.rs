//! The input example of a model, run when the model is loaded: what its author tried must work here, too.
//!
//! The answers are not compared with anything; MLflow does not keep them.

use std::collections::BTreeSet;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use foretell_model::{Answer, Feature, Model, OnRefusedRow};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::mlmodel::MlModel;
use crate::schema::Schema;
use crate::values::{column, strict_json};

/// Rows of an example that are run; a longer one is cut.
const ROWS_MAX: usize = 1000;
/// Most cells of a table whose rows each name their own.
const CELLS_MAX: usize = 4 << 20;

impl MlModel {
    /// Runs the input example, the bytes of the file [`MlModel::example`], through `model`. The model's features are called
    /// as [`MlModel::name_features`] calls them.
    ///
    /// # Errors
    /// [`Error::Example`] when the example cannot be read, does not fit, or the model refuses one of its rows.
    pub fn answer_example(&self, model: &Model, json: &[u8]) -> Result<()> {
        let file = self.example().map(ToString::to_string).unwrap_or_default();
        let failed = |why: String| Error::Example { file: file.clone(), why, source: None };
        let value: Value = serde_json::from_slice(&strict_json(json)).map_err(|error| failed(error.to_string()))?;
        let features = &model.signature().features;
        let rows = Rows::read(value).map_err(failed)?;
        let columns = rows.columns(features, self.schema.as_ref()).map_err(failed)?;
        let count = columns.first().map_or(0, |column| column.len());
        model.run(&columns, count, &[Answer::Prediction, Answer::Raw], OnRefusedRow::Fail).map_err(|error| {
            Error::Example { file: file.clone(), why: error.to_string(), source: Some(Box::new(error)) }
        })?;
        Ok(())
    }
}

/// An example, whatever form it was given in.
#[derive(Debug, PartialEq)]
enum Rows {
    /// Columns of one length by name.
    Table(Vec<(String, Vec<Value>)>),
    /// Rows without names.
    Array(Vec<Value>),
}

impl Rows {
    /// Reads a request to MLflow's server, or an example as MLflow keeps it.
    fn read(value: Value) -> Result<Self, String> {
        let mut object = match value {
            Value::Object(object) => object,
            Value::Array(rows) => return Self::records(rows),
            other => return Err(format!("it is {other}, expected rows")),
        };
        if let Some(split) = object.remove("dataframe_split") {
            return Self::split(split);
        }
        for rows in ["dataframe_records", "instances", "inputs"] {
            match object.remove(rows) {
                Some(Value::Array(rows)) => return Self::records(rows),
                Some(Value::Object(columns)) => return Self::by_column(columns),
                Some(_) => return Err(format!("its `{rows}` are neither rows nor columns")),
                None => {}
            }
        }
        if object.contains_key("indptr") {
            return Err("it is a sparse matrix, which is not read here".to_owned());
        }
        if object.contains_key("data") { Self::split(Value::Object(object)) } else { Self::by_column(object) }
    }

    /// `{"columns": [...], "data": [[...], ...]}`
    fn split(value: Value) -> Result<Self, String> {
        let Value::Object(mut object) = value else { return Err("its table is no object".to_owned()) };
        let Some(Value::Array(rows)) = object.remove("data") else { return Err("its table has no `data`".to_owned()) };
        let Some(Value::Array(names)) = object.remove("columns") else { return Ok(Self::Array(rows)) };
        let names: Vec<String> =
            names.into_iter().map(|name| name.as_str().map_or_else(|| name.to_string(), str::to_owned)).collect();
        let mut columns: Vec<(String, Vec<Value>)> = names.into_iter().map(|name| (name, Vec::new())).collect();
        for row in rows.into_iter().take(ROWS_MAX) {
            match row {
                Value::Array(cells) if cells.len() == columns.len() => {
                    columns.iter_mut().zip(cells).for_each(|((_, column), cell)| column.push(cell));
                }
                _ => return Err(format!("its table has a row that has not {} cells", columns.len())),
            }
        }
        Ok(Self::Table(columns))
    }

    /// Rows, each with the names of its cells or none with any.
    fn records(mut rows: Vec<Value>) -> Result<Self, String> {
        rows.truncate(ROWS_MAX);
        if !matches!(rows.first(), Some(Value::Object(_))) {
            return Ok(Self::Array(rows));
        }
        let objects: Option<Vec<&Map<String, Value>>> = rows.iter().map(Value::as_object).collect();
        let Some(objects) = objects else { return Err("some of its rows have names and some have none".to_owned()) };
        let names: BTreeSet<&String> = objects.iter().flat_map(|row| row.keys()).collect();
        if names.len().saturating_mul(objects.len()) > CELLS_MAX {
            return Err(format!("its {} rows have {} different names", objects.len(), names.len()));
        }
        let cells = |name: &String| objects.iter().map(|row| row.get(name).cloned().unwrap_or(Value::Null)).collect();
        Ok(Self::Table(names.into_iter().map(|name| (name.clone(), cells(name))).collect()))
    }

    /// `{"a": [...], "b": [...]}`, or one row `{"a": 1, "b": 2}`.
    fn by_column(object: Map<String, Value>) -> Result<Self, String> {
        let columns: Vec<(String, Vec<Value>)> = object
            .into_iter()
            .map(|(name, value)| match value {
                Value::Array(mut cells) => {
                    cells.truncate(ROWS_MAX);
                    (name, cells)
                }
                cell => (name, vec![cell]),
            })
            .collect();
        let rows = columns.first().map_or(0, |(_, cells)| cells.len());
        match columns.iter().find(|(_, cells)| cells.len() != rows) {
            Some((name, cells)) => Err(format!("its column `{name}` has {} values, another one {rows}", cells.len())),
            None => Ok(Self::Table(columns)),
        }
    }

    /// The columns of the features.
    fn columns(&self, features: &[Feature], schema: Option<&Schema>) -> Result<Vec<ArrayRef>, String> {
        let table = match self {
            Self::Table(columns) => columns,
            Self::Array(rows) => return of_array(rows, features),
        };
        let by_name = |feature: &Feature| table.iter().find(|(name, _)| *name == feature.name).map(|(_, cells)| cells);
        let found: Option<Vec<&Vec<Value>>> = features.iter().map(by_name).collect();
        let found = match (found, &table[..]) {
            (Some(found), _) => found,
            (None, [(_, rows)]) => return of_array(rows, features),
            (None, _) => {
                let missing = features.iter().find(|feature| by_name(feature).is_none()).map(|feature| &feature.name);
                return Err(format!("it has no column `{}`", missing.map_or("", String::as_str)));
            }
        };
        let features = features.iter().zip(found);
        features.map(|(feature, cells)| of_cells(feature, cells.iter(), declared(schema, &feature.name))).collect()
    }
}

/// The columns of the features from rows without names: a row is a list with a value for each, or what the one takes.
fn of_array(rows: &[Value], features: &[Feature]) -> Result<Vec<ArrayRef>, String> {
    if let [feature] = features {
        let cells = rows.iter().map(|row| match row {
            Value::Array(cells) if feature.shape.is_empty() && cells.len() == 1 => &cells[0],
            row => row,
        });
        return Ok(vec![of_cells(feature, cells, None)?]);
    }
    let rows: Option<Vec<&Vec<Value>>> = rows.iter().map(Value::as_array).collect();
    let rows = rows.filter(|rows| rows.iter().all(|row| row.len() == features.len()));
    let Some(rows) = rows else { return Err(format!("it has a row that has not {} values", features.len())) };
    let features = features.iter().enumerate();
    features.map(|(at, feature)| of_cells(feature, rows.iter().map(|row| &row[at]), None)).collect()
}

fn of_cells<'v>(
    feature: &Feature,
    cells: impl Iterator<Item = &'v Value>,
    declared: Option<&DataType>,
) -> Result<ArrayRef, String> {
    let cells: Vec<&Value> = cells.collect();
    column(&cells, feature, declared).map_err(|why| format!("column `{}`: {why}", feature.name))
}

fn declared<'s>(schema: Option<&'s Schema>, name: &str) -> Option<&'s DataType> {
    match schema {
        Some(Schema::Columns(columns)) => {
            columns.iter().find(|column| column.name.as_deref() == Some(name))?.data_type.as_ref()
        }
        _ => None,
    }
}
