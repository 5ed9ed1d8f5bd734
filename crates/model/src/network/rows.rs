//! Rows out of columns, and answers into columns again.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, LargeListArray, UInt64Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field};
use foretell_tensors::{Data, Tensor};

use super::{Form, Input, Length, Output};
use crate::elements::{array_as, blank, data_as, is_finite};
use crate::error::{Error, Result};
use crate::program::{Op, RowFailures, packed_type};

/// What all rows have of an input.
pub(super) struct Rows {
    elements: ArrayRef,
    /// Where each row's elements begin, and where the last one's end.
    starts: Vec<usize>,
    /// The extents of each row, one row's behind the other's.
    extents: Vec<usize>,
    rank: usize,
}

impl Rows {
    pub(super) fn new(input: &Input, columns: &[ArrayRef], rows: usize) -> Result<Self> {
        let fixed: Option<Vec<usize>> = input
            .shape
            .iter()
            .map(|length| if let Length::Fixed(extent) = length { Some(*extent) } else { None })
            .collect();
        match (fixed, columns) {
            (None, [column]) => Self::ragged(input, column, rows),
            (Some(shape), [column]) if matches!(column.data_type(), DataType::FixedSizeList(..)) => {
                Ok(Self::packed(column, &shape, rows))
            }
            (Some(shape), columns) => {
                let mut packed = Op::Pack.run(columns, rows, &mut RowFailures::default())?;
                let packed = packed.pop().ok_or_else(|| Error::Internal("packing gave no column".to_string()))?;
                Ok(Self::packed(&packed, &shape, rows))
            }
            (None, columns) => Err(Error::Internal(format!("{} columns for a list of any length", columns.len()))),
        }
    }

    fn packed(column: &ArrayRef, shape: &[usize], rows: usize) -> Self {
        let list = column.as_fixed_size_list();
        let width = list.value_length() as usize;
        Self {
            elements: Arc::clone(list.values()),
            starts: (0..=rows).map(|row| list.value_offset(0) as usize + row * width).collect(),
            extents: (0..rows).flat_map(|_| shape.iter().copied()).collect(),
            rank: shape.len(),
        }
    }

    fn ragged(input: &Input, column: &ArrayRef, rows: usize) -> Result<Self> {
        let rank = input.shape.len();
        let mut starts: Vec<usize> = (0..=rows).collect();
        let mut extents = vec![0; rows * rank];
        let mut elements = Arc::clone(column);
        for (level, length) in input.shape.iter().enumerate() {
            let wrong = || Error::Internal(format!("a column of {} for lists {rank} deep", column.data_type()));
            let list = elements.as_list_opt::<i64>().ok_or_else(wrong)?;
            let offset = |at: usize| list.value_offsets()[at] as usize;
            for row in 0..rows {
                extents[row * rank + level] = match (starts[row] < starts[row + 1], length) {
                    (true, _) => offset(starts[row] + 1) - offset(starts[row]),
                    // Without lists around it there is none to ask.
                    (false, Length::Fixed(extent)) => *extent,
                    (false, Length::Open(_)) => 0,
                };
            }
            starts.iter_mut().for_each(|start| *start = offset(*start));
            elements = Arc::clone(list.values());
        }
        Ok(Self { elements, starts, extents, rank })
    }

    /// Whether a row has no infinite number and no NaN.
    pub(super) fn is_finite(&self, row: usize) -> bool {
        is_finite(&self.elements, self.starts[row]..self.starts[row + 1])
    }

    /// The extents of a row, without the batch.
    pub(super) fn extents(&self, row: usize) -> &[usize] {
        &self.extents[row * self.rank..][..self.rank]
    }

    /// The tensor of some rows of the same extents; there must be one at least.
    pub(super) fn tensor(&self, input: &Input, rows: &[usize]) -> Result<Tensor> {
        let mut shape = self.extents(rows[0]).to_vec();
        shape.insert(input.batch, rows.len());
        let elements = match rows {
            [row] => self.elements.slice(self.starts[*row], self.starts[row + 1] - self.starts[*row]),
            rows => {
                let positions = rows.iter().flat_map(|&row| self.starts[row]..self.starts[row + 1]);
                take(&self.elements, &positions.map(|at| at as u64).collect::<UInt64Array>(), None)?
            }
        };
        Tensor::try_new(shape, data_as(&elements, input.element)?)
            .map_err(|fault| Error::Internal(format!("the rows of `{}`: {fault}", input.name)))
    }
}

/// The answers of some rows: the extents of each row's, and the elements of all.
pub(super) type Answer = (Vec<usize>, Data);

/// The answers of rows, as they come.
pub(super) struct Answers {
    /// For each output the elements of every chunk, in the order of computation.
    parts: Vec<Vec<ArrayRef>>,
    /// For each output, how many elements there are so far.
    lengths: Vec<usize>,
    /// For each output and row, where its elements begin and its extents; `None` for a row without an answer.
    rows: Vec<Vec<Option<Place>>>,
}

#[derive(Debug, Clone)]
struct Place {
    start: usize,
    extents: Vec<usize>,
}

impl Answers {
    pub(super) fn new(outputs: &[Output], rows: usize) -> Self {
        let count = outputs.len();
        Self { parts: vec![Vec::new(); count], lengths: vec![0; count], rows: vec![vec![None; rows]; count] }
    }

    /// Notes what each output is for some rows; behind these there may be repetitions.
    pub(super) fn add(&mut self, outputs: &[Output], rows: &[usize], answers: Vec<Answer>) -> Result<()> {
        for (at, (extents, data)) in answers.into_iter().enumerate() {
            let elements = array_as(data, &outputs[at].data_type)?;
            let width: usize = extents.iter().product();
            for (position, &row) in rows.iter().enumerate() {
                let start = self.lengths[at] + position * width;
                self.rows[at][row] = Some(Place { start, extents: extents.clone() });
            }
            self.lengths[at] += elements.len();
            self.parts[at].push(elements);
        }
        Ok(())
    }

    /// The columns of all outputs, rows in their order. A row without an answer has any value.
    pub(super) fn into_columns(self, outputs: &[Output]) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::new();
        for ((output, parts), rows) in outputs.iter().zip(self.parts).zip(self.rows) {
            columns.extend(output_columns(output, &parts, &rows)?);
        }
        Ok(columns)
    }
}

fn output_columns(output: &Output, parts: &[ArrayRef], rows: &[Option<Place>]) -> Result<Vec<ArrayRef>> {
    let width: usize = output.shape.iter().map(|extent| extent.unwrap_or(0)).product();
    // What stands in the place of an answer that is not there.
    let blanks = array_as(blank(&output.data_type, width)?, &output.data_type)?;
    let parts: Vec<&dyn Array> = parts.iter().chain([&blanks]).map(|part| part.as_ref()).collect();
    let elements = concat(&parts)?;
    let blanks_at = elements.len() - width;
    let start = |row: &Option<Place>| row.as_ref().map_or(blanks_at, |place| place.start);
    let picked = |positions: UInt64Array| -> Result<ArrayRef> { Ok(take(&elements, &positions, None)?) };
    match output.form() {
        Form::Columns(count) => {
            (0..count).map(|at| picked(rows.iter().map(|row| (start(row) + at) as u64).collect())).collect()
        }
        Form::Packed(width) => {
            let positions = rows.iter().flat_map(|row| (0..width).map(move |at| (start(row) + at) as u64));
            let DataType::FixedSizeList(item, size) = packed_type(&output.data_type, width)? else {
                return Err(Error::Internal("a packed type that is no list".to_string()));
            };
            let elements = picked(positions.collect())?;
            Ok(vec![Arc::new(FixedSizeListArray::try_new(item, size, elements, None)?)])
        }
        Form::Ragged => {
            let positions = rows.iter().flatten().flat_map(|place| {
                let width: usize = place.extents.iter().product();
                (place.start..place.start + width).map(|at| at as u64)
            });
            Ok(vec![nested(output, picked(positions.collect())?, rows)?])
        }
    }
}

/// Lists nested as the shape of the output.
fn nested(output: &Output, elements: ArrayRef, rows: &[Option<Place>]) -> Result<ArrayRef> {
    let mut column = elements;
    let outermost = output.levels().next();
    for level in output.levels().rev() {
        let lengths = rows.iter().flat_map(|row| match row {
            Some(place) => std::iter::repeat_n(place.extents[level], place.extents[..level].iter().product()),
            None => std::iter::repeat_n(0, usize::from(Some(level) == outermost)),
        });
        let offsets = OffsetBuffer::<i64>::from_lengths(lengths);
        let item = Arc::new(Field::new_list_field(column.data_type().clone(), true));
        column = Arc::new(LargeListArray::try_new(item, offsets, column, None)?);
    }
    Ok(column)
}
