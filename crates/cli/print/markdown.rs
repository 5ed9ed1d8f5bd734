//! Tables for Markdown documents (GitHub's dialect). Cells are not padded: the reader of the document never sees it.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::Printer;
use super::cell::{Cells, is_number, visible};
use crate::failure::Failure;

/// Prints a Markdown table.
pub struct MarkdownPrinter {
    header: Option<String>,
}

impl MarkdownPrinter {
    /// A printer for results with this schema.
    pub fn new(schema: &SchemaRef) -> Self {
        let names: Vec<_> = schema.fields().iter().map(|field| visible(field.name()).into_owned()).collect();
        let mut header = line(&names);
        for field in schema.fields() {
            header.push_str(if is_number(field.data_type()) { "|---:" } else { "|---" });
        }
        header.push_str("|\n");
        Self { header: Some(header) }
    }

    fn write_header(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        if let Some(header) = self.header.take() {
            out.write_all(header.as_bytes())?;
        }
        Ok(())
    }
}

impl Printer for MarkdownPrinter {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), Failure> {
        self.write_header(out)?;
        let cells = Cells::try_new(batch)?;
        for row in 0..batch.num_rows() {
            out.write_all(line(&cells.row(row)?).as_bytes())?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        self.write_header(out)
    }
}

/// One row. A pipe or a line end inside a cell would end the cell.
fn line(cells: &[String]) -> String {
    let mut line = String::new();
    for cell in cells {
        let cell = cell.replace('\\', "\\\\").replace('|', "\\|").replace('\n', "<br>");
        line.push_str(&format!("| {cell} "));
    }
    line.push_str("|\n");
    line
}
