//! json and ndjson. NULL is written as `null`, so that every object has all keys.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, JsonFormat, LineDelimited, Writer, WriterBuilder, make_encoder};

use super::Printer;
use crate::failure::Failure;

/// Prints JSON, framed by `F`.
///
/// The text of one batch is collected before it is written: errors of the output then keep their kind.
pub struct JsonPrinter<F: JsonFormat>(Writer<Vec<u8>, F>);

impl JsonPrinter<Rows> {
    /// One array, an object per line.
    pub fn array() -> Self {
        Self(builder().build(Vec::new()))
    }
}

impl JsonPrinter<LineDelimited> {
    /// One object per line and nothing else.
    pub fn lines() -> Self {
        Self(builder().build(Vec::new()))
    }
}

impl<F: JsonFormat> Printer for JsonPrinter<F> {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), Failure> {
        self.0.write(&without_dictionaries(batch)?)?;
        out.write_all(self.0.get_ref())?;
        self.0.get_mut().clear();
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        self.0.finish()?;
        out.write_all(self.0.get_ref())?;
        self.0.get_mut().clear();
        Ok(())
    }
}

/// The JSON text of each value; `None` for NULL.
pub fn texts(field: &FieldRef, array: &ArrayRef) -> Result<Vec<Option<String>>, Failure> {
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let (field, array) = (plain_field(field), plain(array)?);
    let mut encoder = make_encoder(&field, array.as_ref(), &options)?;
    let mut bytes = Vec::new();
    let text = |row| {
        if encoder.is_null(row) {
            return Ok(None);
        }
        bytes.clear();
        encoder.encode(row, &mut bytes);
        let text = str::from_utf8(&bytes).map_err(|error| ArrowError::JsonError(error.to_string()))?;
        Ok(Some(text.to_owned()))
    };
    (0..array.len()).map(text).collect()
}

/// The batch with plain columns: the writer of arrow takes a NULL among a dictionary's values for a value.
fn without_dictionaries(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let fields: Vec<FieldRef> = schema.fields().iter().map(plain_field).collect();
    let columns = batch.columns().iter().map(plain).collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn plain(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match plain_type(column.data_type()) {
        same if same == *column.data_type() => Ok(Arc::clone(column)),
        plain => cast(column, &plain),
    }
}

fn plain_field(field: &FieldRef) -> FieldRef {
    Arc::new(Field::new(field.name(), plain_type(field.data_type()), true))
}

/// The type with the values of dictionaries instead of dictionaries.
fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::List(item) => DataType::List(plain_field(item)),
        DataType::LargeList(item) => DataType::LargeList(plain_field(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(plain_field(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
    }
}

fn builder() -> WriterBuilder {
    WriterBuilder::new().with_explicit_nulls(true)
}

/// An array with one row per line, which people can read and line tools can cut.
#[derive(Debug, Default)]
pub struct Rows;

impl JsonFormat for Rows {
    fn start_stream<W: Write>(&self, writer: &mut W) -> Result<(), ArrowError> {
        Ok(writer.write_all(b"[")?)
    }

    fn start_row<W: Write>(&self, writer: &mut W, is_first_row: bool) -> Result<(), ArrowError> {
        Ok(writer.write_all(if is_first_row { b"\n" } else { b",\n" })?)
    }

    fn end_stream<W: Write>(&self, writer: &mut W) -> Result<(), ArrowError> {
        Ok(writer.write_all(b"\n]\n")?)
    }
}
