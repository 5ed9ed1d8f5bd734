//! How results look: one [`Printer`] per family of formats.
//!
//! A printer takes one batch after the other and keeps as little as it can: csv, tsv, json, ndjson and markdown keep
//! nothing, a table keeps the rows that fix its column widths. Printers know neither sessions nor terminals.

mod cell;
mod delimited;
mod expanded;
mod grid;
mod json;
mod markdown;
mod table;

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
pub use cell::visible;

use crate::failure::Failure;

/// The shape results are printed in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Format {
    /// A box with aligned columns.
    #[default]
    Table,
    /// Comma-separated values with a header line.
    Csv,
    /// Tab-separated values with a header line, quoted like csv.
    Tsv,
    /// One array of objects.
    Json,
    /// One object per line.
    Ndjson,
    /// A table for a Markdown document.
    Markdown,
}

/// Formats and the names they are called by.
pub const FORMATS: &[(&str, Format)] = &[
    ("table", Format::Table),
    ("csv", Format::Csv),
    ("tsv", Format::Tsv),
    ("json", Format::Json),
    ("ndjson", Format::Ndjson),
    ("markdown", Format::Markdown),
];

impl Format {
    /// The format called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        FORMATS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, format)| *format)
    }

    /// The message for a name that no format has.
    pub fn unknown(name: &str) -> String {
        let names: Vec<&str> = FORMATS.iter().map(|(name, _)| *name).collect();
        format!("no format `{name}`; there are {}", names.join(", "))
    }

    /// What the format is called.
    pub fn name(self) -> &'static str {
        FORMATS.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }
}

/// How much of a result a person wants to see at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Screen {
    /// Rows of a result that are shown, from its start and its end.
    pub rows_max: usize,
    /// Columns of the terminal; `None`: unknown.
    pub width: Option<usize>,
}

/// Prints one result.
pub trait Printer {
    /// Takes the next rows.
    ///
    /// # Errors
    /// The output cannot be written, or a value has no text in this format.
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), Failure>;

    /// Ends the result. Must be called once, also when there were no rows.
    ///
    /// # Errors
    /// As for [`Printer::write`].
    fn finish(&mut self, out: &mut dyn Write) -> Result<(), Failure>;

    /// What the person at the screen should know about the way the result was shown.
    fn note(&self) -> Option<String> {
        None
    }
}

/// The printer that prints everything.
pub fn printer(format: Format, schema: &SchemaRef) -> Box<dyn Printer> {
    match format {
        Format::Table => Box::new(table::TablePrinter::new(schema)),
        Format::Csv => Box::new(delimited::DelimitedPrinter::new(schema, b',')),
        Format::Tsv => Box::new(delimited::DelimitedPrinter::new(schema, b'\t')),
        Format::Json => Box::new(json::JsonPrinter::array()),
        Format::Ndjson => Box::new(json::JsonPrinter::lines()),
        Format::Markdown => Box::new(markdown::MarkdownPrinter::new(schema)),
    }
}

/// The printer of tables for a person at a terminal: the first and the last rows, within the terminal's width.
pub fn screen_printer(schema: &SchemaRef, screen: Screen) -> Box<dyn Printer> {
    Box::new(table::ScreenPrinter::new(schema, screen))
}

/// The printer that gives each value its own line.
pub fn expanded_printer(schema: &SchemaRef, rows_max: Option<usize>) -> Box<dyn Printer> {
    Box::new(expanded::ExpandedPrinter::new(schema, rows_max))
}
