//! Networks: graphs of tensor operators that run as a whole, where a graph cannot be taken apart into columns.
//!
//! That is so when lists have any length (a transformer's tokens), when operators mix the rows of a batch (dynamic
//! quantisation takes its scale from all of them), and when the file is made for one batch size only. A network is one step
//! of a program. It computes rows alone, or several at once where that was seen to change no bit ([`Batch`]), so that a row's
//! answer never depends on the rows beside it.
//!
//! [`rows`] takes the rows out of columns and puts their answers into new ones, [`data`] converts between Arrow and tensors,
//! [`engine`] has the two that compute, [`probe`] finds out how a network behaves before it is used. Nothing here knows
//! files; `onnx/network.rs` makes networks of them.

mod data;
mod engine;
mod probe;
mod rows;

use std::collections::HashMap;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use foretell_tensors::{Data, ElementType};

use crate::border::ragged_type;
use crate::error::{Error, Result};
use crate::program::{RowFailures, packed_type};
use rows::{Answers, Rows};

pub(crate) use engine::{Engine, TensorProgram};
pub(crate) use probe::{Subject, probe};

/// Rows of the same lengths that are computed at once.
const BATCH_ROWS_MAX: usize = 32;

/// A graph, ready to run over the columns of its inputs.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) engine: Engine,
    pub(crate) inputs: Vec<Input>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) batch: Batch,
}

/// How many rows are computed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Batch {
    /// One: together they would change each other's answers, or the graph takes no more.
    One,
    /// Any number of the same lengths.
    Any,
    /// As many as the file was made for; missing ones are repetitions.
    Exactly(usize),
}

/// A tensor that a graph takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) element: ElementType,
    /// Extents without the batch.
    pub(crate) shape: Vec<Length>,
    /// Where the batch stands among all dimensions.
    pub(crate) batch: usize,
    /// How many columns its elements are: one of lists, unless each element is a column.
    pub(crate) columns: usize,
}

/// Extent of a dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Fixed(usize),
    /// The length with this number, of those that each row has for itself.
    Open(usize),
}

/// A tensor that a graph gives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    /// Extents without the batch; `None` for one that follows from the lengths of a row.
    pub(crate) shape: Vec<Option<usize>>,
    /// Where the batch stands among all dimensions; `None` if all elements belong to the only row.
    pub(crate) batch: Option<usize>,
}

/// What an output's columns are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Form {
    /// A column for each element.
    Columns(usize),
    /// One column of lists of this length.
    Packed(usize),
    /// One column of nested lists of any length.
    Ragged,
}

/// Outputs with more elements per row are one list column.
const COLUMNS_MAX: usize = 256;

impl Output {
    pub(crate) fn form(&self) -> Form {
        let elements: Option<usize> =
            self.shape.iter().try_fold(1, |elements: usize, extent| Some(elements.saturating_mul((*extent)?)));
        match elements {
            None => Form::Ragged,
            Some(elements) if elements <= COLUMNS_MAX => Form::Columns(elements),
            Some(elements) => Form::Packed(elements),
        }
    }

    /// The dimensions that are levels of its lists: one that always has one element is none.
    pub(crate) fn levels(&self) -> impl DoubleEndedIterator<Item = usize> {
        (0..self.shape.len()).filter(|&axis| self.shape[axis] != Some(1))
    }

    /// Types of its columns.
    pub(crate) fn column_types(&self) -> Result<Vec<DataType>> {
        Ok(match self.form() {
            Form::Columns(count) => vec![self.data_type.clone(); count],
            Form::Packed(elements) => vec![packed_type(&self.data_type, elements)?],
            Form::Ragged => vec![ragged_type(&self.data_type, self.levels().count())],
        })
    }
}

/// A tensor's extents and elements.
pub(crate) type Tensor = (Vec<usize>, Data);

impl Network {
    /// Computes the columns of all outputs; a row that cannot be computed is refused.
    pub(crate) fn run(&self, columns: &[ArrayRef], rows: usize, failures: &mut RowFailures) -> Result<Vec<ArrayRef>> {
        let expected: usize = self.inputs.iter().map(|input| input.columns).sum();
        if columns.len() != expected {
            return Err(Error::Internal(format!("a network of {expected} columns got {}", columns.len())));
        }
        let mut columns = columns.iter().cloned();
        let inputs = self.inputs.iter().map(|input| {
            let columns: Vec<ArrayRef> = columns.by_ref().take(input.columns).collect();
            Rows::new(input, &columns, rows)
        });
        let inputs: Vec<Rows> = inputs.collect::<Result<_>>()?;
        let mut answers = Answers::new(&self.outputs, rows);
        for group in self.groups(&inputs, rows, failures) {
            for chunk in group.chunks(self.rows_at_once()) {
                self.run_chunk(chunk, &inputs, &mut answers, failures)?;
            }
        }
        answers.into_columns(&self.outputs)
    }

    fn rows_at_once(&self) -> usize {
        match self.batch {
            Batch::One => 1,
            Batch::Any => BATCH_ROWS_MAX,
            Batch::Exactly(rows) => rows,
        }
    }

    /// The rows of each combination of lengths, in the order of their first, those with a number that is not finite by
    /// themselves: another engine may compute them. Rows whose lengths contradict each other are refused.
    fn groups(&self, inputs: &[Rows], rows: usize, failures: &mut RowFailures) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut known: HashMap<(Vec<usize>, bool), usize> = HashMap::new();
        for row in 0..rows {
            match self.lengths(inputs, row) {
                Ok(lengths) => {
                    let is_finite = inputs.iter().all(|input| input.is_finite(row));
                    let group = *known.entry((lengths, is_finite)).or_insert(groups.len());
                    if group == groups.len() {
                        groups.push(Vec::new());
                    }
                    groups[group].push(row);
                }
                Err(why) => failures.refuse(row, || why),
            }
        }
        groups
    }

    /// The extents of all inputs in a row.
    fn lengths(&self, inputs: &[Rows], row: usize) -> Result<Vec<usize>, String> {
        let mut found: HashMap<usize, (usize, &str)> = HashMap::new();
        let mut all = Vec::new();
        for (input, rows) in self.inputs.iter().zip(inputs) {
            for (length, &extent) in input.shape.iter().zip(rows.extents(row)) {
                let name = input.name.as_str();
                match *length {
                    Length::Fixed(expected) if expected == extent => {}
                    Length::Fixed(expected) => {
                        return Err(format!("feature `{name}` is a list of {extent} elements instead of {expected}"));
                    }
                    Length::Open(symbol) => match found.insert(symbol, (extent, name)) {
                        Some((other, first)) if other != extent => {
                            return Err(format!(
                                "features `{first}` and `{name}` must have as many elements as each other, got {other} and {extent}"
                            ));
                        }
                        _ => {}
                    },
                }
                all.push(extent);
            }
        }
        Ok(all)
    }

    /// Computes rows of the same lengths; where that fails, each by itself, so that only the bad ones are refused.
    fn run_chunk(
        &self,
        chunk: &[usize],
        inputs: &[Rows],
        answers: &mut Answers,
        failures: &mut RowFailures,
    ) -> Result<()> {
        match self.compute(chunk, inputs) {
            Ok(tensors) => answers.add(&self.outputs, chunk, tensors),
            Err(why) if chunk.len() == 1 => {
                failures.refuse(chunk[0], || why);
                Ok(())
            }
            Err(_) => chunk.iter().try_for_each(|&row| self.run_chunk(&[row], inputs, answers, failures)),
        }
    }

    fn compute(&self, chunk: &[usize], inputs: &[Rows]) -> Result<Vec<Tensor>, String> {
        let mut rows = chunk.to_vec();
        if let (Batch::Exactly(count), Some(&last)) = (self.batch, chunk.last()) {
            rows.resize(count, last);
        }
        let tensors = self.inputs.iter().zip(inputs).map(|(input, of_input)| of_input.tensor(input, &rows));
        let tensors = tensors.collect::<Result<Vec<Tensor>>>().map_err(|error| error.to_string())?;
        let results = self.engine.run(&tensors).map_err(|failure| failure.to_string())?;
        let outputs = self.outputs.iter().zip(results);
        outputs.map(|(output, (shape, data))| Ok((output.row_shape(&shape, rows.len())?, data))).collect()
    }
}

impl Output {
    /// The extents of one row's answer in a tensor of several.
    fn row_shape(&self, shape: &[usize], rows: usize) -> Result<Vec<usize>, String> {
        let mut row_shape = shape.to_vec();
        let unexpected = || format!("output `{}` has shape {shape:?} for {rows} rows of the same lengths", self.name);
        if let Some(batch) = self.batch {
            if shape.get(batch) != Some(&rows) || (batch > 0 && rows > 1) {
                return Err(unexpected());
            }
            row_shape.remove(batch);
        }
        let as_expected = |(expected, &got): (&Option<usize>, &usize)| expected.is_none_or(|expected| expected == got);
        match row_shape.len() == self.shape.len() && self.shape.iter().zip(&row_shape).all(as_expected) {
            true => Ok(row_shape),
            false => Err(unexpected()),
        }
    }
}
