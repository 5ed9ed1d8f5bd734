//! Tables in a box.
//!
//! Two printers: [`TablePrinter`] prints all rows, for files and pipes; [`ScreenPrinter`] prints what a person can
//! look at, the first and the last rows. Neither holds a whole result.

use std::collections::VecDeque;
use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::cell::Cells;
use super::grid::{Columns, Grid};
use super::{Printer, Screen};
use crate::failure::Failure;

/// So many rows are kept before the first is printed: they fix the widths of the columns. A longer value further down
/// is printed in full and pushes its line out of shape.
const WIDTH_ROWS: usize = 10_000;

/// Prints all rows.
pub struct TablePrinter {
    columns: Columns,
    /// Rows that wait for the widths.
    waiting: Vec<Vec<String>>,
    grid: Option<Grid>,
}

impl TablePrinter {
    /// A printer for results with this schema.
    pub fn new(schema: &SchemaRef) -> Self {
        Self { columns: Columns::new(schema), waiting: Vec::new(), grid: None }
    }

    /// Fixes the widths and prints the rows that waited for them.
    fn start(&mut self, out: &mut dyn Write) -> Result<Grid, Failure> {
        let grid = self.columns.grid(self.waiting.iter(), None);
        grid.write_head(out)?;
        for row in self.waiting.drain(..) {
            grid.write_row(&row, out)?;
        }
        Ok(grid)
    }
}

impl Printer for TablePrinter {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), Failure> {
        let cells = Cells::try_new(batch)?;
        for row in 0..batch.num_rows() {
            let row = cells.row(row)?;
            if let Some(grid) = &self.grid {
                grid.write_row(&row, out)?;
                continue;
            }
            self.waiting.push(row);
            if self.waiting.len() == WIDTH_ROWS {
                self.grid = Some(self.start(out)?);
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        let grid = match self.grid.take() {
            Some(grid) => grid,
            None => self.start(out)?,
        };
        Ok(grid.write_foot(out)?)
    }
}

/// Prints the first and the last rows within the width of the terminal.
pub struct ScreenPrinter {
    columns: Columns,
    width: Option<usize>,
    head_max: usize,
    tail_max: usize,
    head: Vec<Vec<String>>,
    tail: VecDeque<Vec<String>>,
    rows: usize,
    columns_hidden: usize,
}

impl ScreenPrinter {
    /// A printer for results with this schema.
    pub fn new(schema: &SchemaRef, screen: Screen) -> Self {
        Self {
            columns: Columns::new(schema),
            width: screen.width,
            head_max: screen.rows_max.div_ceil(2),
            tail_max: screen.rows_max / 2,
            head: Vec::new(),
            tail: VecDeque::new(),
            rows: 0,
            columns_hidden: 0,
        }
    }
}

impl Printer for ScreenPrinter {
    fn write(&mut self, batch: &RecordBatch, _out: &mut dyn Write) -> Result<(), Failure> {
        let cells = Cells::try_new(batch)?;
        let rows = batch.num_rows();
        let head = rows.min(self.head_max - self.head.len());
        for row in 0..head {
            self.head.push(cells.row(row)?);
        }
        for row in head.max(rows.saturating_sub(self.tail_max))..rows {
            if self.tail.len() == self.tail_max {
                self.tail.pop_front();
            }
            self.tail.push_back(cells.row(row)?);
        }
        self.rows += rows;
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        let grid = self.columns.grid(self.head.iter().chain(&self.tail), self.width);
        grid.write_head(out)?;
        for row in &self.head {
            grid.write_row(row, out)?;
        }
        if self.rows > self.head.len() + self.tail.len() {
            for _ in 0..3 {
                grid.write_dots(out)?;
            }
        }
        for row in &self.tail {
            grid.write_row(row, out)?;
        }
        grid.write_foot(out)?;
        self.columns_hidden = grid.hidden();
        Ok(())
    }

    fn note(&self) -> Option<String> {
        match self.columns_hidden {
            0 => None,
            1 => Some("1 column hidden, \\x shows it".to_owned()),
            hidden => Some(format!("{hidden} columns hidden, \\x shows them")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    /// A batch of numbers, each with a text of so many characters.
    fn batch(numbers: std::ops::Range<i64>, text_length: usize) -> RecordBatch {
        let texts = StringArray::from_iter_values(numbers.clone().map(|number| number.to_string().repeat(text_length)));
        let columns: [(&str, ArrayRef); 2] =
            [("n", Arc::new(Int64Array::from_iter_values(numbers))), ("text", Arc::new(texts))];
        RecordBatch::try_from_iter(columns).expect("columns of one length")
    }

    fn print(mut printer: impl Printer, batches: &[RecordBatch]) -> String {
        print_with(&mut printer, batches)
    }

    fn print_with(printer: &mut impl Printer, batches: &[RecordBatch]) -> String {
        let mut out = Vec::new();
        for batch in batches {
            printer.write(batch, &mut out).expect("a batch is printed");
        }
        printer.finish(&mut out).expect("the end is printed");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn the_screen_shows_the_first_and_the_last_rows() {
        let batches = [batch(0..1, 1), batch(1..4, 1), batch(4..4, 1), batch(4..9, 1)];
        let printer = ScreenPrinter::new(&batches[0].schema(), Screen { rows_max: 5, width: None });
        insta::assert_snapshot!(print(printer, &batches), @r"
        ┌───┬──────┐
        │ n │ text │
        ├───┼──────┤
        │ 0 │ 0    │
        │ 1 │ 1    │
        │ 2 │ 2    │
        │ · │ ·    │
        │ · │ ·    │
        │ · │ ·    │
        │ 7 │ 7    │
        │ 8 │ 8    │
        └───┴──────┘
        ");
    }

    #[test]
    fn a_result_that_fits_the_screen_is_whole() {
        let batches = [batch(0..3, 1), batch(3..4, 1)];
        let printer = ScreenPrinter::new(&batches[0].schema(), Screen { rows_max: 4, width: Some(80) });
        assert_eq!(print(printer, &batches), print(TablePrinter::new(&batches[0].schema()), &batches));
    }

    #[test]
    fn text_is_cut_at_the_edge_of_the_screen() {
        let batch = batch(5..6, 40);
        let printer = ScreenPrinter::new(&batch.schema(), Screen { rows_max: 4, width: Some(24) });
        insta::assert_snapshot!(print(printer, &[batch]), @r"
        ┌───┬──────────────────┐
        │ n │ text             │
        ├───┼──────────────────┤
        │ 5 │ 555555555555555… │
        └───┴──────────────────┘
        ");
    }

    #[test]
    fn columns_that_do_not_fit_are_named_in_the_note() {
        let columns = ["a", "b", "c", "d"].map(|name| (name, Arc::new(Int64Array::from(vec![1_000_000])) as ArrayRef));
        let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
        let mut printer = ScreenPrinter::new(&batch.schema(), Screen { rows_max: 4, width: Some(30) });
        insta::assert_snapshot!(print_with(&mut printer, &[batch]), @r"
        ┌─────────┬───┬─────────┐
        │       a │ … │       d │
        ├─────────┼───┼─────────┤
        │ 1000000 │ … │ 1000000 │
        └─────────┴───┴─────────┘
        ");
        assert_eq!(printer.note().as_deref(), Some("2 columns hidden, \\x shows them"));
    }

    #[test]
    fn a_value_longer_than_the_first_rows_is_printed_in_full() {
        let rows = i64::try_from(WIDTH_ROWS).expect("a small number");
        let batches = [batch(0..rows, 1), batch(rows..rows + 1, 10)];
        let text = print(TablePrinter::new(&batches[0].schema()), &batches);
        assert_eq!(text.lines().count(), WIDTH_ROWS + 5);
        assert!(text.contains(&format!("│ 10000 │ {} │", "10000".repeat(10))), "the last row is missing");
    }

    #[test]
    fn no_rows_still_have_a_head() {
        insta::assert_snapshot!(print(TablePrinter::new(&batch(0..0, 1).schema()), &[]), @r"
        ┌───┬──────┐
        │ n │ text │
        ├───┼──────┤
        └───┴──────┘
        ");
    }
}
