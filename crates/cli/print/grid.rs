//! The box around a table: how wide its columns are and how its lines are drawn.

use std::io::{self, Write};
use std::ops::Range;

use arrow::datatypes::SchemaRef;

use super::cell::{cut, is_number, visible, width};

/// A column of text is not squeezed below this many characters; columns are hidden instead.
const TEXT_WIDTH_MIN: usize = 12;

/// The columns of a table before their widths are known.
pub struct Columns {
    names: Vec<String>,
    numbers: Vec<bool>,
}

impl Columns {
    /// The columns of results with this schema.
    pub fn new(schema: &SchemaRef) -> Self {
        let fields = schema.fields();
        Self {
            names: fields.iter().map(|field| visible(field.name()).into_owned()).collect(),
            numbers: fields.iter().map(|field| is_number(field.data_type())).collect(),
        }
    }

    /// A grid wide enough for `rows`, within `width_max` as far as possible: long text is cut first, then columns in
    /// the middle are hidden. Numbers are never cut, for a cut number looks like another number.
    pub fn grid<'a>(&self, rows: impl Iterator<Item = &'a Vec<String>>, width_max: Option<usize>) -> Grid {
        let mut widths: Vec<usize> = self.names.iter().map(|name| text_width(name)).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(text_width(cell));
            }
        }
        let mut hidden = 0..0;
        if let Some(width_max) = width_max {
            let least: Vec<usize> = (widths.iter().zip(&self.numbers))
                .map(|(width, number)| if *number { *width } else { (*width).min(TEXT_WIDTH_MIN) })
                .collect();
            hidden = hide(&least, width_max);
            squeeze(&mut widths, &least, &hidden, width_max);
        }
        Grid { names: self.names.clone(), numbers: self.numbers.clone(), widths, hidden, cuts: width_max.is_some() }
    }
}

/// Draws the lines of a table.
pub struct Grid {
    names: Vec<String>,
    numbers: Vec<bool>,
    widths: Vec<usize>,
    hidden: Range<usize>,
    cuts: bool,
}

impl Grid {
    /// How many columns are not shown.
    pub fn hidden(&self) -> usize {
        self.hidden.len()
    }

    /// The upper edge and the column names.
    pub fn write_head(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_edge(["┌", "┬", "┐"], out)?;
        self.write_row(&self.names, out)?;
        self.write_edge(["├", "┼", "┤"], out)
    }

    /// The lower edge.
    pub fn write_foot(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_edge(["└", "┴", "┘"], out)
    }

    /// One row; a cell with several lines takes several lines.
    pub fn write_row(&self, cells: &[String], out: &mut dyn Write) -> io::Result<()> {
        let height = cells.iter().map(|cell| cell.lines().count()).max().unwrap_or(0);
        for line in 0..height.max(1) {
            let mut text = String::from("│");
            for index in self.slots() {
                let cell = index.and_then(|index| cells[index].lines().nth(line));
                self.push_cell(index, cell, &mut text);
            }
            writeln!(out, "{text}")?;
        }
        Ok(())
    }

    /// The row that stands for rows left out.
    pub fn write_dots(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut text = String::from("│");
        for index in self.slots() {
            self.push_cell(index, index.map(|_| "·"), &mut text);
        }
        writeln!(out, "{text}")
    }

    fn push_cell(&self, index: Option<usize>, cell: Option<&str>, text: &mut String) {
        let Some(index) = index else {
            text.push_str(" … │");
            return;
        };
        let cell = cell.unwrap_or_default();
        let cell = if self.cuts { cut(cell, self.widths[index]) } else { cell.into() };
        let padding = " ".repeat(self.widths[index].saturating_sub(width(&cell)));
        let (left, right) = if self.numbers[index] { (padding.as_str(), "") } else { ("", padding.as_str()) };
        text.push_str(&format!(" {left}{cell}{right} │"));
    }

    fn write_edge(&self, [left, middle, right]: [&str; 3], out: &mut dyn Write) -> io::Result<()> {
        let pieces: Vec<String> =
            self.slots().map(|index| "─".repeat(index.map_or(1, |index| self.widths[index]) + 2)).collect();
        writeln!(out, "{left}{}{right}", pieces.join(middle))
    }

    /// The columns from left to right; `None` stands for the hidden ones.
    fn slots(&self) -> impl Iterator<Item = Option<usize>> {
        let hidden = self.hidden.clone();
        let mark = (!hidden.is_empty()).then_some(None);
        (0..hidden.start).map(Some).chain(mark).chain((hidden.end..self.widths.len()).map(Some))
    }
}

/// The columns to hide so that the others fit with the `least` widths. At least one column stays.
fn hide(least: &[usize], width_max: usize) -> Range<usize> {
    let middle = least.len().div_ceil(2);
    let mut hidden = middle..middle;
    while least.len() - hidden.len() > 1 && room(least.len(), &hidden, width_max) < shown(least, &hidden).sum() {
        // The right side first: the first columns of a table say what a row is.
        if hidden.end < least.len() && hidden.end - middle <= middle - hidden.start {
            hidden.end += 1;
        } else {
            hidden.start -= 1;
        }
    }
    hidden
}

/// Lowers one limit for all columns until they fit.
fn squeeze(widths: &mut [usize], least: &[usize], hidden: &Range<usize>, width_max: usize) {
    let room = room(widths.len(), hidden, width_max);
    let limited = |limit: usize| -> Vec<usize> {
        widths.iter().zip(least).map(|(width, least)| (*width).min(limit).max(*least)).collect()
    };
    let widest = widths.iter().copied().max().unwrap_or(0);
    // The widest limit that fits; if none fits, the narrowest.
    let (mut fits, mut fails) = (0, widest + 1);
    while fails - fits > 1 {
        let limit = fits.midpoint(fails);
        if shown(&limited(limit), hidden).sum::<usize>() <= room {
            fits = limit;
        } else {
            fails = limit;
        }
    }
    let chosen = limited(fits);
    widths.copy_from_slice(&chosen);
}

/// What is left for text in `columns` columns: each takes two spaces and an edge, and so does the mark for the hidden.
fn room(columns: usize, hidden: &Range<usize>, width_max: usize) -> usize {
    let mark = if hidden.is_empty() { 0 } else { 4 };
    width_max.saturating_sub(1 + 3 * (columns - hidden.len()) + mark)
}

fn shown<'a>(widths: &'a [usize], hidden: &Range<usize>) -> impl Iterator<Item = usize> + use<'a> {
    widths[..hidden.start].iter().chain(&widths[hidden.end..]).copied()
}

fn text_width(text: &str) -> usize {
    text.lines().map(width).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(widths: &[usize], least: &[usize], width_max: usize) -> (Vec<usize>, Range<usize>) {
        let mut widths = widths.to_vec();
        let hidden = hide(least, width_max);
        squeeze(&mut widths, least, &hidden, width_max);
        (widths, hidden)
    }

    #[test]
    fn what_fits_is_left_alone() {
        assert_eq!(fit(&[5, 20], &[5, 12], 80), (vec![5, 20], 1..1));
    }

    #[test]
    fn long_text_is_cut_before_columns_are_hidden() {
        // 40 - 1 - 2 * 3 = 33 characters of text, of which the number takes 5.
        assert_eq!(fit(&[5, 90], &[5, 12], 40), (vec![5, 28], 1..1));
    }

    #[test]
    fn columns_are_hidden_from_the_middle_outwards() {
        let (widths, hidden) = fit(&[10; 9], &[10; 9], 60);
        assert_eq!((widths, hidden), (vec![10; 9], 3..8));
    }

    #[test]
    fn one_column_stays_however_narrow_the_terminal_is() {
        assert_eq!(fit(&[30, 30], &[12, 12], 3).1.len(), 1);
        assert_eq!(fit(&[], &[], 3), (vec![], 0..0));
    }
}
