//! Rows to try an island with before any row of a table is there.
//!
//! They are made up for the features and computed on to the island, so that what arrives there is what can arrive there:
//! positions below the number of categories, shares that add up to one. A few kinds of rows are tried, since an island may
//! refuse the first: text that is no number, a position that does not exist.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeListArray, Float64Array, Int64Array, StringArray, new_empty_array,
};
use arrow::array::{MapArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::DataType;

use super::Port;
use crate::engine::mixed;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::program::{ColumnId, Plan, Program, run};

/// Bytes that the columns of rows to try may take.
const BYTES_MAX: u64 = 96 << 20;

/// Numbers and texts of rows to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Numbers of both signs, small positions, words.
    Mixed,
    /// As `Mixed`, but some numbers are missing.
    Gaps,
    /// Shares, zero and one, text that is a number.
    Small,
    /// Numbers so far apart that one exponential beside another vanishes.
    Large,
    /// Nothing but ones.
    Ones,
    /// Nothing but zeros and empty text.
    Zeros,
}

impl Kind {
    pub(super) const ALL: [Self; 6] = [Self::Mixed, Self::Gaps, Self::Small, Self::Large, Self::Ones, Self::Zeros];
}

/// The columns that an island will read, and the program that computes them.
pub(crate) struct Probe<'p> {
    pub(crate) program: &'p Program,
    pub(crate) columns: &'p [ColumnId],
}

impl Probe<'_> {
    /// The columns for some rows; the first of them are the same whatever their number.
    pub(super) fn rows(&self, kind: Kind, rows: usize) -> Result<Vec<ArrayRef>> {
        let plan = Plan::new(self.program, self.columns);
        let bytes = plan.row_bytes().saturating_mul(rows as u64);
        Limits::check("bytes in rows to try an island with", "run_bytes", bytes, BYTES_MAX)?;
        let features = self.program.inputs.iter().enumerate();
        let features =
            features.map(|(at, &column)| feature(self.program.data_type(column), Source { kind, at, width: 1 }, rows));
        // Rows that are refused before they arrive have any value.
        let (columns, _) = run(self.program, &plan, &features.collect::<Result<Vec<_>>>()?, rows)?;
        Ok(columns)
    }
}

/// Rows of any elements for these ports, whatever the features of a model can become there.
pub(super) fn rows_at_border(ports: &[Port], rows: usize) -> Result<Vec<ArrayRef>> {
    let mut types = Vec::new();
    for port in ports {
        types.extend(port.column_types()?);
    }
    let columns = types.iter().enumerate();
    columns.map(|(at, data_type)| feature(data_type, Source { kind: Kind::Mixed, at, width: 1 }, rows)).collect()
}

/// Where a feature's values come from: always the same for the same place.
#[derive(Clone, Copy)]
struct Source {
    kind: Kind,
    /// Position of the feature.
    at: usize,
    /// Elements of a row.
    width: usize,
}

impl Source {
    /// A number below 2^16 that looks random, for an element of the column.
    fn number(self, element: usize) -> u64 {
        let place = (element as u64).wrapping_add((self.at as u64) << 40).wrapping_add((self.kind as u64) << 56);
        mixed(place) & 0xffff
    }

    fn float(self, element: usize) -> f64 {
        let share = self.number(element) as f64 / 65_536.0;
        match self.kind {
            Kind::Gaps if self.number(element).is_multiple_of(3) => f64::NAN,
            Kind::Mixed | Kind::Gaps => 4.0 * share - 2.0,
            Kind::Small => share,
            Kind::Large => 240.0 * share - 120.0,
            Kind::Ones => 1.0,
            Kind::Zeros => 0.0,
        }
    }

    fn integer(self, element: usize) -> i64 {
        match self.kind {
            Kind::Mixed | Kind::Gaps | Kind::Large => (self.number(element) % 4) as i64,
            Kind::Small => (self.number(element) % 2) as i64,
            Kind::Ones => 1,
            Kind::Zeros => 0,
        }
    }

    fn text(self, element: usize) -> &'static str {
        const WORDS: [&str; 8] = ["the quick fox", "a", "B c", "no", "yes, it is", "x", "the", "Fox and dog"];
        const NUMBERS: [&str; 4] = ["1", "0", "2", "1"];
        match self.kind {
            Kind::Mixed | Kind::Gaps | Kind::Large => WORDS[self.number(element) as usize % WORDS.len()],
            Kind::Small => NUMBERS[self.number(element) as usize % NUMBERS.len()],
            Kind::Ones => "1",
            Kind::Zeros => "",
        }
    }
}

fn feature(data_type: &DataType, source: Source, rows: usize) -> Result<ArrayRef> {
    let elements = 0..rows * source.width;
    Ok(match data_type {
        DataType::FixedSizeList(item, size) => {
            let width = usize::try_from(*size).unwrap_or(0);
            let values = feature(item.data_type(), Source { width, ..source }, rows)?;
            Arc::new(FixedSizeListArray::try_new_with_length(Arc::clone(item), *size, values, None, rows)?)
        }
        DataType::Utf8 => Arc::new(StringArray::from_iter_values(elements.map(|at| source.text(at)))),
        DataType::Boolean => Arc::new(elements.map(|at| Some(source.integer(at) % 2 == 1)).collect::<BooleanArray>()),
        DataType::Map(field, _) => {
            let DataType::Struct(fields) = field.data_type() else {
                return Err(Error::Internal(format!("a map of {}", field.data_type())));
            };
            let entries = fields.iter().map(|field| new_empty_array(field.data_type())).collect();
            let entries = StructArray::try_new_with_length(fields.clone(), entries, None, 0)?;
            let offsets = OffsetBuffer::from_lengths(vec![0; rows]);
            Arc::new(MapArray::try_new(Arc::clone(field), offsets, entries, None, false)?)
        }
        number if number.is_floating() => {
            cast(&Float64Array::from_iter_values(elements.map(|at| source.float(at))), number)?
        }
        other => cast(&Int64Array::from_iter_values(elements.map(|at| source.integer(at))), other)?,
    })
}
