//! The rows that a model is given, in memory.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StringViewArray, UInt32Array};
use arrow::buffer::Buffer;
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, Float32Type, Int32Type, Int64Type, Schema};
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use tokio::runtime::Builder;
use tract_onnx::prelude::Tensor;

use super::worker::{Answers, path_text};
use crate::Result;

/// The first rows of a file as one batch. Text has the type that `text` names: `Utf8View`, or `Dictionary`, as a reader gives it
/// that keeps a file's dictionaries.
pub fn read(path: &Path, text: &str, rows_max: usize) -> Result<RecordBatch> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    // Several partitions would give their rows in any order.
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    let path = path_text(path)?;
    let frame = runtime.block_on(context.read_parquet(path, ParquetReadOptions::default()))?;
    let frame = if rows_max == usize::MAX { frame } else { frame.limit(0, Some(rows_max))? };
    let schema = Arc::clone(frame.schema().inner());
    let batch = concat_batches(&schema, &runtime.block_on(frame.collect())?)?;
    let text = match text {
        "Utf8View" => DataType::Utf8View,
        "Dictionary" => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        other => return Err(format!("text columns cannot be of type {other}").into()),
    };
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let is_text = matches!(field.data_type(), DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8);
        let column = if is_text { cast(column, &text)? } else { Arc::clone(column) };
        fields.push(Field::new(field.name(), column.data_type().clone(), field.is_nullable()));
        columns.push(column);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// At most `count` batches of so many rows, from the batch `first` on, round and round. They share no memory with `rows`, as what two threads read from a file has none
/// in common: threads that share an array take turns at counting who has it. Texts share theirs with each other, as those of
/// a file's dictionary do.
pub fn batches(rows: &RecordBatch, batch: usize, first: usize, count: usize) -> Result<Vec<RecordBatch>> {
    let all = rows.num_rows() / batch;
    let starts = (0..all).take(count).map(|at| ((first + at) % all * batch) as u32);
    let texts = rows.columns().iter().map(copied_texts).collect();
    let rows = RecordBatch::try_new(rows.schema(), texts)?;
    let places = |start: u32| UInt32Array::from_iter_values(start..start + batch as u32);
    let batches: Vec<RecordBatch> =
        starts.map(|start| Ok(take_record_batch(&rows, &places(start))?)).collect::<Result<_>>()?;
    if batches.is_empty() {
        return Err(format!("there are {} rows, too few for a batch of {batch}", rows.num_rows()).into());
    }
    Ok(batches)
}

/// The column with texts of its own, if it has texts.
fn copied_texts(column: &ArrayRef) -> ArrayRef {
    let copied = |buffer: &Buffer| Buffer::from(buffer.as_slice());
    match column.data_type() {
        DataType::Utf8View => {
            let texts = column.as_string_view();
            let buffers: Vec<Buffer> = texts.data_buffers().iter().map(copied).collect();
            Arc::new(StringViewArray::new(texts.views().clone(), buffers, texts.nulls().cloned()))
        }
        DataType::Dictionary(..) => {
            let dictionary = column.as_dictionary::<Int32Type>();
            let values = dictionary.values().as_string::<i32>();
            let own = StringArray::new(values.offsets().clone(), copied(values.values()), values.nulls().cloned());
            Arc::new(dictionary.with_values(Arc::new(own)))
        }
        _ => Arc::clone(column),
    }
}

/// Answers row after row, whatever columns they are in.
pub fn answers(arrays: &[ArrayRef]) -> Result<Answers> {
    let mut values = Vec::new();
    let mut width = 0;
    for array in arrays {
        let columns = columns(array)?;
        width = columns.len();
        values.extend((0..array.len()).flat_map(|row| columns.iter().map(move |column| column[row])));
    }
    Ok(Answers { values, width })
}

/// Columns of numbers: of a struct its fields, of lists their elements.
fn columns(array: &ArrayRef) -> Result<Vec<Vec<f32>>> {
    if array.null_count() > 0 {
        return Err(format!("{} rows have no answer", array.null_count()).into());
    }
    match array.data_type() {
        DataType::Struct(_) => {
            let fields: Result<Vec<_>> = array.as_struct().columns().iter().map(columns).collect();
            Ok(fields?.concat())
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let width = if list.is_empty() { 0 } else { list.value_length(0) };
            if list.offsets().lengths().any(|length| i32::try_from(length) != Ok(width)) {
                return Err("answers are lists of different lengths".into());
            }
            let (start, width) = (list.offsets()[0], usize::try_from(width)?);
            let elements = floats(&list.values().slice(usize::try_from(start)?, width * list.len()))?;
            Ok((0..width).map(|at| elements.iter().skip(at).step_by(width).copied().collect()).collect())
        }
        DataType::FixedSizeList(_, width) => {
            let (list, width) = (array.as_fixed_size_list(), usize::try_from(*width)?);
            let first = usize::try_from(list.value_offset(0))?;
            let elements = floats(&list.values().slice(first, width * list.len()))?;
            Ok((0..width).map(|at| elements.iter().skip(at).step_by(width).copied().collect()).collect())
        }
        _ => Ok(vec![floats(array)?]),
    }
}

/// Numbers as float32.
fn floats(array: &ArrayRef) -> Result<Vec<f32>> {
    Ok(cast(array, &DataType::Float32)?.as_primitive::<Float32Type>().values().to_vec())
}

/// The rows as tract takes them: one matrix of all numbers, or one for each column of lists.
pub fn matrices(rows: &RecordBatch) -> Result<Vec<Tensor>> {
    let is_list = |column: &ArrayRef| matches!(column.data_type(), DataType::List(_));
    if rows.columns().iter().any(is_list) {
        return rows.columns().iter().map(matrix_of_lists).collect();
    }
    let columns: Vec<Vec<f32>> = rows.columns().iter().map(floats).collect::<Result<_>>()?;
    let at = |row| columns.iter().map(move |column| column[row]);
    let values: Vec<f32> = (0..rows.num_rows()).flat_map(at).collect();
    Ok(vec![Tensor::from_shape(&[rows.num_rows(), columns.len()], &values)?])
}

fn matrix_of_lists(column: &ArrayRef) -> Result<Tensor> {
    let list = column.as_list_opt::<i32>().ok_or("a column that is no list beside one that is")?;
    let elements = list.values();
    let shape = [list.len(), elements.len() / list.len()];
    match elements.data_type() {
        DataType::Int64 => Ok(Tensor::from_shape(&shape, elements.as_primitive::<Int64Type>().values())?),
        DataType::Float32 => Ok(Tensor::from_shape(&shape, elements.as_primitive::<Float32Type>().values())?),
        other => Err(format!("a list of {other}").into()),
    }
}
