//! csv and tsv: RFC 4180 quoting, with a tab instead of the comma for tsv.
//!
//! NULL is an empty field and empty text is `""`, so that the two stay apart; only where NULL would make an empty line,
//! which readers skip, it is `""` too. Lists, structs and maps, which these formats do not know, become JSON text.
//! Numbers are printed with all digits that are needed to read them back.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;

use super::cell::Column;
use super::{Printer, json};
use crate::failure::Failure;

/// Prints csv or tsv.
pub struct DelimitedPrinter {
    delimiter: u8,
    header: Option<SchemaRef>,
    buffer: String,
}

impl DelimitedPrinter {
    /// A printer that puts `delimiter` between fields.
    pub fn new(schema: &SchemaRef, delimiter: u8) -> Self {
        Self { delimiter, header: Some(Arc::clone(schema)), buffer: String::new() }
    }

    fn push_header(&mut self) {
        if let Some(schema) = self.header.take() {
            for (index, field) in schema.fields().iter().enumerate() {
                self.push_delimiter(index);
                let start = self.buffer.len();
                self.buffer.push_str(field.name());
                self.quote_from(start);
            }
            self.buffer.push('\n');
        }
    }

    fn push_delimiter(&mut self, index: usize) {
        if index > 0 {
            self.buffer.push(char::from(self.delimiter));
        }
    }

    /// Quotes the field that was just appended, if it needs quotes.
    fn quote_from(&mut self, start: usize) {
        let field = &self.buffer[start..];
        let special = |byte: u8| byte == self.delimiter || matches!(byte, b'"' | b'\n' | b'\r');
        if field.is_empty() || field.bytes().any(special) {
            let quoted = format!("\"{}\"", field.replace('"', "\"\""));
            self.buffer.truncate(start);
            self.buffer.push_str(&quoted);
        }
    }
}

impl Printer for DelimitedPrinter {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), Failure> {
        self.push_header();
        let arrays = flatten(batch)?;
        let columns = arrays.iter().map(Column::try_new).collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            for (index, column) in columns.iter().enumerate() {
                self.push_delimiter(index);
                let start = self.buffer.len();
                if column.append(row, &mut self.buffer)? || columns.len() == 1 {
                    self.quote_from(start);
                }
            }
            self.buffer.push('\n');
        }
        out.write_all(self.buffer.as_bytes())?;
        self.buffer.clear();
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        self.push_header();
        out.write_all(self.buffer.as_bytes())?;
        self.buffer.clear();
        Ok(())
    }
}

/// The columns of `batch`, nested ones as JSON text.
fn flatten(batch: &RecordBatch) -> Result<Vec<ArrayRef>, Failure> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    columns
        .map(|(field, array)| {
            if !array.data_type().is_nested() {
                return Ok(Arc::clone(array));
            }
            let texts = json::texts(field, array)?;
            Ok(Arc::new(StringArray::from(texts)) as ArrayRef)
        })
        .collect()
}
