//! The grammar of MLflow's signatures: what goes into a model, as columns or as tensors.
//!
//! What comes out is read elsewhere, in `promise`: that describes what a Python function returns, not what is in the file.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use serde::Deserialize;
use serde_json::Value;

use crate::json;

/// What goes into a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Schema {
    Columns(Vec<Column>),
    Tensors(Vec<Tensor>),
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: Option<String>,
    /// `None` for `any`.
    pub(crate) data_type: Option<DataType>,
}

/// A tensor whose first dimension is the rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) name: Option<String>,
    /// Type of its elements; `None` for one that has no counterpart.
    pub(crate) data_type: Option<DataType>,
    /// -1 is open.
    pub(crate) shape: Vec<i64>,
}

impl Tensor {
    /// Elements of one row, if the signature fixes them.
    pub(crate) fn width(&self) -> Option<usize> {
        let mut extents = self.shape.iter().skip(1).map(|&extent| usize::try_from(extent).ok());
        extents.try_fold(1, |width: usize, extent| Some(width.saturating_mul(extent?)))
    }
}

/// One input as it is written.
#[derive(Deserialize)]
struct Spec {
    name: Option<Value>,
    #[serde(flatten)]
    kind: Kind,
    #[serde(rename = "tensor-spec")]
    tensor: Option<TensorSpec>,
}

/// A type and what belongs to it.
#[derive(Deserialize)]
struct Kind {
    r#type: String,
    items: Option<Value>,
    values: Option<Value>,
    properties: Option<Value>,
}

#[derive(Deserialize)]
struct TensorSpec {
    dtype: String,
    shape: Vec<i64>,
}

impl Schema {
    /// Reads the JSON text that `MLmodel` has under `signature: inputs`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let specs: Vec<Spec> = json::parse(text.as_bytes()).map_err(|error| format!("its inputs: {error}"))?;
        if specs.is_empty() {
            return Err("its list of inputs is empty".to_owned());
        }
        if specs.iter().all(|spec| spec.kind.r#type == "tensor") {
            return specs.into_iter().map(tensor).collect::<Result<_, _>>().map(Self::Tensors);
        }
        let columns: Vec<Column> = specs.into_iter().map(column).collect::<Result<_, _>>()?;
        if columns.iter().any(|column| column.name.is_some()) && columns.iter().any(|column| column.name.is_none()) {
            return Err("some of its columns have names and some have none".to_owned());
        }
        Ok(Self::Columns(columns))
    }

    /// How many columns there are, or values in a row of all tensors, where that is fixed.
    pub(crate) fn width(&self) -> Option<usize> {
        match self {
            Self::Columns(columns) => Some(columns.len()),
            Self::Tensors(tensors) => {
                tensors.iter().try_fold(0, |sum: usize, tensor| Some(sum.saturating_add(tensor.width()?)))
            }
        }
    }
}

fn tensor(spec: Spec) -> Result<Tensor, String> {
    let name = name(spec.name)?;
    let Some(TensorSpec { dtype, shape }) = spec.tensor else {
        return Err("one of its tensors has no `tensor-spec`".to_owned());
    };
    if let Some(extent) = shape.iter().find(|&&extent| extent < -1) {
        return Err(format!("one of its tensors has the dimension {extent}"));
    }
    Ok(Tensor { name, data_type: element_type(&dtype), shape })
}

fn column(spec: Spec) -> Result<Column, String> {
    let name = name(spec.name)?;
    let shown = name.as_deref().unwrap_or("without a name").to_owned();
    let data_type = match spec.kind.r#type.as_str() {
        "any" => None,
        _ => Some(column_type(&spec.kind).map_err(|what| format!("its column `{shown}` is {what}"))?),
    };
    Ok(Column { name, data_type })
}

/// A name; pandas has columns that are called by a number.
fn name(name: Option<Value>) -> Result<Option<String>, String> {
    match name {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => Ok(Some(name)),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(other) => Err(format!("one of its inputs is called {other}, expected text")),
    }
}

fn column_type(kind: &Kind) -> Result<DataType, String> {
    Ok(match kind.r#type.as_str() {
        "boolean" => DataType::Boolean,
        "integer" => DataType::Int32,
        "long" => DataType::Int64,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "string" => DataType::Utf8,
        "binary" => DataType::Binary,
        "datetime" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "sparkml_vector" => list_of(DataType::Float64),
        "array" => list_of(inner_type(kind.items.as_ref().ok_or("an array without the type of its items")?)?),
        "map" => map_of(inner_type(kind.values.as_ref().ok_or("a map without the type of its values")?)?),
        "object" => struct_of(kind.properties.clone())?,
        other => return Err(format!("of type `{other}`, which no feature of a model file can have")),
    })
}

/// The type of what an array or a map holds.
fn inner_type(kind: &Value) -> Result<DataType, String> {
    match kind {
        Value::String(name) => column_type(&Kind { r#type: name.clone(), items: None, values: None, properties: None }),
        kind => {
            column_type(&Kind::deserialize(kind).map_err(|error| format!("of values that have no type ({error})"))?)
        }
    }
}

/// A map with text keys.
fn map_of(value: DataType) -> DataType {
    let entries = vec![Field::new("key", DataType::Utf8, false), Field::new("value", value, true)];
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries.into()), false)), false)
}

fn struct_of(properties: Option<Value>) -> Result<DataType, String> {
    let properties: BTreeMap<String, Value> = serde_json::from_value(properties.unwrap_or_default())
        .map_err(|error| format!("an object whose properties have no types ({error})"))?;
    let fields = properties.into_iter().map(|(name, kind)| Ok(Field::new(name, inner_type(&kind)?, true)));
    Ok(DataType::Struct(fields.collect::<Result<_, String>>()?))
}

fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

/// The Arrow type of a NumPy type.
fn element_type(dtype: &str) -> Option<DataType> {
    Some(match dtype {
        "bool" => DataType::Boolean,
        "int8" => DataType::Int8,
        "int16" => DataType::Int16,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "uint8" => DataType::UInt8,
        "uint16" => DataType::UInt16,
        "uint32" => DataType::UInt32,
        "uint64" => DataType::UInt64,
        "float16" => DataType::Float16,
        "float32" => DataType::Float32,
        "float64" => DataType::Float64,
        "object" | "str" => DataType::Utf8,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_names_and_types() {
        let json = r#"[{"type": "double", "name": "a", "required": true}, {"type": "string", "name": "b", "optional": true},
            {"type": "array", "items": {"type": "array", "items": {"type": "float"}}, "name": 3, "required": false},
            {"type": "any", "name": "d"}, {"type": "map", "values": {"type": "double"}, "name": "e"},
            {"type": "object", "properties": {"k": {"type": "long", "required": true}}, "name": "f"}]"#;
        let Ok(Schema::Columns(columns)) = Schema::parse(json) else { panic!("columns") };
        let types: Vec<Option<DataType>> = columns.iter().map(|column| column.data_type.clone()).collect();
        let list = list_of(list_of(DataType::Float32));
        let object = DataType::Struct(vec![Field::new("k", DataType::Int64, true)].into());
        let mapped = [Some(map_of(DataType::Float64)), Some(object)];
        assert_eq!(types[..4], [Some(DataType::Float64), Some(DataType::Utf8), Some(list), None]);
        assert_eq!(types[4..], mapped);
        let names: Vec<&str> = columns.iter().filter_map(|column| column.name.as_deref()).collect();
        assert_eq!(names, ["a", "b", "3", "d", "e", "f"]);
    }

    #[test]
    fn tensors_have_a_width() {
        let json = r#"[{"name": "X", "type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3, 2]}},
            {"name": "y", "type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]"#;
        let schema = Schema::parse(json).expect("sound");
        assert_eq!(schema.width(), Some(7));
        let open = r#"[{"type": "tensor", "tensor-spec": {"dtype": "complex64", "shape": [-1, -1]}}]"#;
        assert_eq!(Schema::parse(open).expect("sound").width(), None);
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        let refusal = |json: &str| Schema::parse(json).expect_err("refused");
        insta::assert_snapshot!(refusal("[]"), @"its list of inputs is empty");
        insta::assert_snapshot!(refusal("{}"), @"its inputs: invalid type: map, expected a sequence at line 1 column 0");
        insta::assert_snapshot!(refusal("[{}]"), @"its inputs: missing field `type` at line 1 column 3");
        insta::assert_snapshot!(refusal(r#"[{"type": 5}]"#), @"its inputs: invalid type: integer `5`, expected a string at line 1 column 12");
        insta::assert_snapshot!(refusal(r#"[{"type": "double", "name": ["a"]}]"#), @r#"one of its inputs is called ["a"], expected text"#);
        insta::assert_snapshot!(refusal(r#"[{"type": "object", "properties": [], "name": "a"}]"#), @"its column `a` is an object whose properties have no types (invalid type: sequence, expected a map)");
        insta::assert_snapshot!(refusal(r#"[{"type": "map", "name": "a"}]"#), @"its column `a` is a map without the type of its values");
        insta::assert_snapshot!(refusal(r#"[{"type": "quaternion", "name": "a"}]"#), @"its column `a` is of type `quaternion`, which no feature of a model file can have");
        insta::assert_snapshot!(refusal(r#"[{"type": "array", "name": "a"}]"#), @"its column `a` is an array without the type of its items");
        insta::assert_snapshot!(refusal(r#"[{"type": "long", "name": "a"}, {"type": "long"}]"#), @"some of its columns have names and some have none");
        insta::assert_snapshot!(refusal(r#"[{"type": "tensor", "name": "a"}]"#), @"one of its tensors has no `tensor-spec`");
        insta::assert_snapshot!(refusal(r#"[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-7]}}]"#), @"one of its tensors has the dimension -7");
        assert!(Schema::parse(&"[{\"type\": \"array\", \"items\": ".repeat(10_000)).is_err());
    }
}
