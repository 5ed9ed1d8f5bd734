//! Values as text, and how wide text is on a terminal.

use std::borrow::Cow;
use std::fmt::Write;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use rustyline::GraphemeClusterMode;

/// What stands for NULL where people read.
pub const NULL: &str = "NULL";

/// Text of the values of one column of one batch.
pub struct Column<'a> {
    formatter: ArrayFormatter<'a>,
    nulls: Option<NullBuffer>,
}

impl<'a> Column<'a> {
    /// Prepares `array`. Text inside lists and structs is quoted, so that its ends are seen.
    pub fn try_new(array: &'a ArrayRef) -> Result<Self, ArrowError> {
        let options = FormatOptions::new().with_null(NULL).with_quoted_strings(array.data_type().is_nested());
        Ok(Self { formatter: ArrayFormatter::try_new(array.as_ref(), &options)?, nulls: array.logical_nulls() })
    }

    /// Appends the value to `text`, unless it is NULL. Returns whether there is a value.
    pub fn append(&self, row: usize, text: &mut String) -> Result<bool, ArrowError> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(false);
        }
        self.formatter.value(row).write(text as &mut dyn Write)?;
        Ok(true)
    }
}

/// The values of a batch as people read them.
pub struct Cells<'a>(Vec<Column<'a>>);

impl<'a> Cells<'a> {
    /// Prepares the columns of `batch`.
    pub fn try_new(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
        batch.columns().iter().map(Column::try_new).collect::<Result<_, _>>().map(Cells)
    }

    /// One row.
    pub fn row(&self, row: usize) -> Result<Vec<String>, ArrowError> {
        self.0.iter().map(|column| readable(column, row)).collect()
    }
}

/// The value with what would disturb a terminal made visible. Line ends stay.
fn readable(column: &Column<'_>, row: usize) -> Result<String, ArrowError> {
    let mut text = String::new();
    if !column.append(row, &mut text)? {
        text.push_str(NULL);
    }
    Ok(match visible(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(changed) => changed,
    })
}

/// `text` with control characters written as escapes, except for line ends. Data must not move the cursor or colour
/// the screen of the person who looks at it.
pub fn visible(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| c.is_control() && c != '\n';
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut changed = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if harmful(c) {
            changed.extend(c.escape_default());
        } else {
            changed.push(c);
        }
    }
    Cow::Owned(changed)
}

/// Whether values of this type are aligned right and never cut.
pub fn is_number(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_number(value),
        other => other.is_numeric(),
    }
}

/// Columns that `text` takes on a terminal: the same rule by which the prompt is laid out.
pub fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.chars().map(char_width).sum()
}

/// The start of `text` that takes at most `width_max` columns, ending in `…` if something is missing.
pub fn cut(text: &str, width_max: usize) -> Cow<'_, str> {
    if width(text) <= width_max {
        return Cow::Borrowed(text);
    }
    let mut kept = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += char_width(c);
        if used > width_max {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    Cow::Owned(kept)
}

fn char_width(c: char) -> usize {
    usize::from(GraphemeClusterMode::WcWidth.width(c.encode_utf8(&mut [0; 4])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(width("naïve"), 5);
        assert_eq!(width("日本"), 4);
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
    }

    #[test]
    fn control_characters_are_made_visible() {
        assert_eq!(visible("a\tb\u{1b}[31m\nc"), "a\\tb\\u{1b}[31m\nc");
    }
}
