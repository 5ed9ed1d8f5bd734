//! DictVectorizer and CastMap: maps become columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::DataType;

use super::scores::matrix;
use crate::error::Result;
use crate::limits::Limits;
use crate::onnx::builder::Builder;
use crate::onnx::fact::{Block, Fact};
use crate::onnx::node::Node;
use crate::onnx::ops::axes::input;
use crate::program::{ColumnId, MapColumns, MapForm, Op};

/// The column of maps that is the node's input, with the types of its keys and values.
fn map_column(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<(ColumnId, DataType, DataType)> {
    let block = builder.block(node, input(node, inputs, 0)?)?;
    if let (DataType::Map(entries, _), &[column]) = (&block.data_type, &block.columns[..])
        && let DataType::Struct(fields) = entries.data_type()
        && let [key, value] = &fields[..]
    {
        return Ok((column, key.data_type().clone(), value.data_type().clone()));
    }
    Err(node.unsupported("its input is not a map that the model takes as a feature"))
}

/// DictVectorizer: the value of each word of the vocabulary; 0 or the empty text for one that a map has not.
pub(crate) fn dict_vectorizer(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let (map, key, value) = map_column(builder, node, inputs)?;
    let words: ArrayRef = match (node.texts("string_vocabulary")?, node.ints("int64_vocabulary")?) {
        (Some(texts), _) if !texts.is_empty() => Arc::new(StringArray::from(texts)),
        (_, Some(integers)) if !integers.is_empty() => Arc::new(Int64Array::from(integers.to_vec())),
        _ => return Err(node.malformed("it has no vocabulary")),
    };
    if *words.data_type() != key {
        return Err(node.malformed(format!("a vocabulary of {} for maps with {key} keys", words.data_type())));
    }
    let pad = match value {
        DataType::Utf8 => Arc::new(StringArray::from(vec![""])) as ArrayRef,
        _ => cast(&Int64Array::from(vec![0]), &value)?,
    };
    let (keys, positions) = distinct(&words)?;
    let columns = push(builder, node, map, &keys, MapForm::Same, pad)?;
    let columns: Vec<ColumnId> = positions.into_iter().map(|at| columns[at]).collect();
    Ok(vec![Fact::Block(Block { data_type: value, ..matrix(columns) })])
}

/// Each word once, and where each word of the list is among them.
fn distinct(words: &ArrayRef) -> Result<(ArrayRef, Vec<usize>)> {
    let texts = cast(words, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut firsts: Vec<u32> = Vec::new();
    let mut positions = Vec::with_capacity(words.len());
    for (at, text) in texts.iter().flatten().enumerate() {
        positions.push(*seen.entry(text).or_insert_with(|| {
            firsts.push(at as u32);
            firsts.len() - 1
        }));
    }
    Ok((take(words, &UInt32Array::from(firsts), None)?, positions))
}

/// CastMap: the values of the keys from 0 on.
pub(crate) fn cast_map(builder: &mut Builder, node: &Node, inputs: &[Fact]) -> Result<Vec<Fact>> {
    let (map, key, _) = map_column(builder, node, inputs)?;
    let (data_type, pad): (_, ArrayRef) = match node.text("cast_to")?.unwrap_or("TO_FLOAT") {
        "TO_FLOAT" => (DataType::Float32, cast(&Int64Array::from(vec![0]), &DataType::Float32)?),
        "TO_INT64" => (DataType::Int64, Arc::new(Int64Array::from(vec![0]))),
        // So ONNX Runtime fills gaps among texts.
        "TO_STRING" => (DataType::Utf8, Arc::new(StringArray::from(vec!["0.f"]))),
        other => return Err(node.malformed(format!("a type `{other}` to cast to"))),
    };
    match node.text("map_form")?.unwrap_or("DENSE") {
        "SPARSE" => {}
        "DENSE" => {
            let why = "`map_form` DENSE, which gives as many columns as a row's map has keys; export it as SPARSE";
            return Err(node.unsupported(why));
        }
        other => return Err(node.malformed(format!("a map form `{other}`"))),
    }
    let count = node.int_or("max_map", 1)?;
    if count < 1 || key != DataType::Int64 {
        return Err(node.malformed(format!("{count} columns of a map with {key} keys")));
    }
    Limits::check("columns", "columns", count as u64, builder.limits.columns)?;
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
    let columns = push(builder, node, map, &keys, MapForm::Cast, pad)?;
    Ok(vec![Fact::Block(Block { data_type, ..matrix(columns) })])
}

fn push(
    builder: &mut Builder,
    node: &Node,
    map: ColumnId,
    keys: &ArrayRef,
    form: MapForm,
    pad: ArrayRef,
) -> Result<Vec<ColumnId>> {
    let types = vec![pad.data_type().clone(); keys.len()];
    let columns = MapColumns::try_new(keys, form, pad)?;
    builder.push(node, Op::MapColumns(Arc::new(columns)), vec![map], types)
}
