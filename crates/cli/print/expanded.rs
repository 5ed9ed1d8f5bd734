//! Expanded display: each value on its own line, for rows that are wider than the screen.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::Printer;
use super::cell::{Cells, visible, width};
use crate::failure::Failure;

/// Prints rows one below the other.
pub struct ExpandedPrinter {
    names: Vec<String>,
    name_width: usize,
    rows_max: usize,
    rows: usize,
}

impl ExpandedPrinter {
    /// A printer that shows the first `rows_max` rows, or all.
    pub fn new(schema: &SchemaRef, rows_max: Option<usize>) -> Self {
        let names: Vec<String> =
            schema.fields().iter().map(|field| visible(field.name()).replace('\n', "\\n")).collect();
        let name_width = names.iter().map(|name| width(name)).max().unwrap_or(0);
        Self { names, name_width, rows_max: rows_max.unwrap_or(usize::MAX), rows: 0 }
    }

    fn write_row(&self, cells: &[String], out: &mut dyn Write) -> Result<(), Failure> {
        let title = format!("─ row {} ", self.rows);
        let rule_width = (self.name_width + 1).max(width(&title) + 1);
        writeln!(out, "{title}{}┬{}", "─".repeat(rule_width - width(&title)), "─".repeat(20))?;
        for (name, cell) in self.names.iter().zip(cells) {
            let mut name = name.as_str();
            for line in cell.split('\n') {
                writeln!(out, "{name}{} │ {line}", " ".repeat(rule_width - 1 - width(name)))?;
                name = "";
            }
        }
        Ok(())
    }
}

impl Printer for ExpandedPrinter {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), Failure> {
        let cells = Cells::try_new(batch)?;
        let shown = batch.num_rows().min(self.rows_max - self.rows);
        for row in 0..shown {
            self.rows += 1;
            self.write_row(&cells.row(row)?, out)?;
        }
        Ok(())
    }

    fn finish(&mut self, _out: &mut dyn Write) -> Result<(), Failure> {
        Ok(())
    }
}
