//! The input example of a model, run when the model is loaded: what its author tried must work here, too.
//!
//! The answers are not compared with anything; MLflow does not keep them.

use std::collections::{BTreeSet, HashMap};

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use foretell_model::{Answer, Feature, Model, OnRefusedRow};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::json;
use crate::mlmodel::MlModel;
use crate::schema::Schema;
use crate::sparse::{Compressed, Sparse};
use crate::values::{column, strict_json};

/// Rows of an example that are run; a longer one is cut.
pub(crate) const ROWS_MAX: usize = 1000;
/// Most cells of a table whose rows each name their own.
const CELLS_MAX: usize = 2 << 20;

/// What the file of an example is, as far as its content does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A table, an array, or a request to MLflow's server.
    Open,
    /// A matrix of SciPy, row by row.
    SparseRows,
    /// A matrix of SciPy, column by column.
    SparseColumns,
}

impl MlModel {
    /// Runs the input example, the bytes of the file [`MlModel::example`], through `model`. The model's features are called
    /// as [`MlModel::name_features`] calls them.
    ///
    /// # Errors
    /// [`Error::Example`] when the example cannot be read, does not fit, or the model refuses one of its rows.
    pub fn answer_example(&self, model: &Model, text: &[u8]) -> Result<()> {
        let file = self.example().map(ToString::to_string).unwrap_or_default();
        let failed = |why: String| Error::Example { file: file.clone(), why, source: None };
        let value: Value = json::parse(&strict_json(text)).map_err(failed)?;
        let features = &model.signature().features;
        let rows = Rows::read(value, self.form).map_err(failed)?;
        let columns = rows.columns(features, &declared(self.schema.as_ref())).map_err(failed)?;
        let count = same_length(features, &columns).map_err(failed)?;
        model.run(&columns, count, &[Answer::Prediction, Answer::Raw], OnRefusedRow::Fail).map_err(|error| {
            Error::Example { file: file.clone(), why: error.to_string(), source: Some(Box::new(error)) }
        })?;
        Ok(())
    }
}

/// An example, whatever form it was given in.
#[derive(Debug, PartialEq)]
enum Rows {
    /// Columns by name.
    Table(Vec<(String, Vec<Value>)>),
    /// Rows without names.
    Array(Vec<Value>),
}

impl Rows {
    /// Reads a request to MLflow's server, or an example as MLflow keeps it.
    fn read(value: Value, form: Form) -> Result<Self, String> {
        match form {
            Form::Open => Self::open(value),
            Form::SparseRows => Self::sparse(value, Compressed::Rows),
            Form::SparseColumns => Self::sparse(value, Compressed::Columns),
        }
    }

    /// A matrix, perhaps beside parameters.
    fn sparse(mut value: Value, compressed: Compressed) -> Result<Self, String> {
        let matrix = value.get_mut("inputs").map(Value::take).unwrap_or(value);
        let matrix: Sparse =
            serde_json::from_value(matrix).map_err(|error| format!("it is no sparse matrix: {error}"))?;
        matrix.rows(compressed).map(Self::Array)
    }

    fn open(value: Value) -> Result<Self, String> {
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
                Some(Value::Object(columns)) => return Ok(Self::by_column(columns)),
                Some(_) => return Err(format!("its `{rows}` are neither rows nor columns")),
                None => {}
            }
        }
        if object.contains_key("data") { Self::split(Value::Object(object)) } else { Ok(Self::by_column(object)) }
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
    fn by_column(object: Map<String, Value>) -> Self {
        let cells = |value| match value {
            Value::Array(cells) => cells,
            cell => vec![cell],
        };
        Self::Table(object.into_iter().map(|(name, value)| (name, cells(value))).collect())
    }

    /// The columns of the features, some of which have a declared type.
    fn columns(&self, features: &[Feature], declared: &HashMap<&str, &DataType>) -> Result<Vec<ArrayRef>, String> {
        let table = match self {
            Self::Table(columns) => columns,
            Self::Array(rows) => return of_array(rows, features),
        };
        let by_name: HashMap<&str, &Vec<Value>> = table.iter().map(|(name, cells)| (name.as_str(), cells)).collect();
        if let ([(_, rows)], Some(_)) =
            (&table[..], features.iter().find(|feature| !by_name.contains_key(&*feature.name)))
        {
            return of_array(rows, features);
        }
        let column = |feature: &Feature| {
            let cells = by_name.get(&*feature.name).ok_or_else(|| format!("it has no column `{}`", feature.name))?;
            match one_row(feature, cells) {
                Some(row) => of_cells(feature, [&row].into_iter(), None),
                None => of_cells(feature, cells.iter(), declared.get(&*feature.name).copied()),
            }
        };
        features.iter().map(column).collect()
    }
}

/// The value of a feature that is a list, where the example is one row.
fn one_row(feature: &Feature, cells: &[Value]) -> Option<Value> {
    let is_flat = cells.iter().all(|cell| !cell.is_array());
    let fits = match feature.fixed_shape() {
        Some(shape) => shape.iter().product::<usize>() == cells.len(),
        None => feature.shape.len() == 1,
    };
    (!feature.shape.is_empty() && is_flat && fits).then(|| Value::Array(cells.to_vec()))
}

/// The columns of the features from rows without names: a row is a list with a value for each, or what the one takes.
fn of_array(rows: &[Value], features: &[Feature]) -> Result<Vec<ArrayRef>, String> {
    if let [feature] = features {
        return Ok(vec![of_cells(feature, rows.iter(), None)?]);
    }
    let rows: Option<Vec<&Vec<Value>>> = rows.iter().take(ROWS_MAX).map(Value::as_array).collect();
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
    let cells = cells.take(ROWS_MAX);
    let cells: Vec<&Value> = if feature.shape.is_empty() { cells.map(only).collect() } else { cells.collect() };
    column(&cells, feature, declared).map_err(|why| format!("column `{}`: {why}", feature.name))
}

/// The value in `[[value]]`: a tensor may have dimensions of one element.
fn only(cell: &Value) -> &Value {
    match cell {
        Value::Array(cells) if cells.len() == 1 => only(&cells[0]),
        cell => cell,
    }
}

/// How many rows all columns have.
fn same_length(features: &[Feature], columns: &[ArrayRef]) -> Result<usize, String> {
    let rows = columns.first().map_or(0, |column| column.len());
    match columns.iter().zip(features).find(|(column, _)| column.len() != rows) {
        Some((column, feature)) => {
            Err(format!("its column `{}` has {} values, another one {rows}", feature.name, column.len()))
        }
        None => Ok(rows),
    }
}

/// The types of the columns that have one.
fn declared(schema: Option<&Schema>) -> HashMap<&str, &DataType> {
    match schema {
        Some(Schema::Columns(columns)) => {
            columns.iter().filter_map(|column| column.name.as_deref().zip(column.data_type.as_ref())).collect()
        }
        _ => HashMap::new(),
    }
}
