//! Tensor islands: the parts of a model that are general tensor computations.
//!
//! [`choose`] says which nodes those are and who computes them: [`tract`], which is fast, or the [`evaluator`] of
//! `foretell-tensors`, which has every operator and every kind of value. [`border`] converts on the way in and out,
//! [`probe`] finds rows to try an island with, [`trust`] whether tract is right, [`dependence`] says what the steps of an
//! island depend on. An island is one step of the program and is shared between all threads.

mod border;
mod choose;
mod dependence;
mod evaluator;
mod probe;
mod table;
mod tract;
mod trust;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::{concat, interleave, take};
use arrow::datatypes::DataType;
use foretell_tensors::Fault;

use crate::error::{Error, Result};
use crate::program::{RowFailures, packed_type};

pub(crate) use border::{arrow_type, data_of};
#[cfg(test)]
pub(crate) use choose::tract_knows;
pub(crate) use choose::{Work, evaluator_knows, is_known, schedule};
pub(crate) use dependence::Dependence;
pub(crate) use evaluator::{BATCH_MAX, Evaluated, Output, Refusal, Request, evaluate};
pub(crate) use probe::Probe;
pub(crate) use tract::{Draft, InputPort, compile};
pub(crate) use trust::trusted;

/// Rows that an island computes at a time at most: activations of a layer stay in the second-level cache.
const CHUNK_ROWS: usize = 1024;
/// Rows that an island is tried with, to see whether they change each other's answers: so many that an operator which picks
/// rows by position is seen to leave some out.
const TRIAL_ROWS: usize = 5;
/// Outputs with more elements per row are one list column.
const COLUMNS_MAX: usize = 256;

/// A tensor on the border of an island.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Port {
    /// Arrow type of the elements.
    pub(crate) data_type: DataType,
    /// Extents without the batch.
    pub(crate) shape: Vec<usize>,
    /// Where the batch stands among all dimensions.
    pub(crate) batch: usize,
    /// True if the elements of a row are one list column, false if each is a column.
    pub(crate) packed: bool,
}

impl Port {
    /// The port of an output; `None` if a row has too many elements for a column.
    fn output(data_type: DataType, shape: Vec<usize>, batch: usize) -> Option<Self> {
        let product = |elements: i32, &extent: &usize| elements.checked_mul(i32::try_from(extent).ok()?);
        let elements = shape.iter().try_fold(1, product)?;
        let packed = usize::try_from(elements).ok()? > COLUMNS_MAX;
        Some(Self { data_type, shape, batch, packed })
    }

    /// Elements of a row.
    fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Number of columns at this port.
    pub(crate) fn columns(&self) -> usize {
        if self.packed { 1 } else { self.elements() }
    }

    /// Types of the columns at this port.
    pub(crate) fn column_types(&self) -> Result<Vec<DataType>> {
        match self.packed {
            true => Ok(vec![packed_type(&self.data_type, self.elements())?]),
            false => Ok(vec![self.data_type.clone(); self.columns()]),
        }
    }

    /// All extents for some rows.
    fn dims(&self, rows: usize) -> Vec<usize> {
        let mut dims = self.shape.clone();
        dims.insert(self.batch, rows);
        dims
    }
}

/// How many rows an island computes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Batch {
    /// Any number up to this one; a row's answer does not depend on the others.
    UpTo(usize),
    /// Always this one: the file has it in its shapes, or more rows would depend on each other. The last rows are repeated
    /// to fill it.
    Exactly(usize),
}

/// Nodes that are computed together.
#[derive(Debug)]
pub(crate) struct Island {
    engine: Engine,
    /// Computes the rows with a number that is not finite, where `engine` is tract: its comparisons and activations drop NaN.
    judge: Option<Engine>,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    batch: Batch,
    /// The nodes, for messages.
    nodes: String,
}

/// Who computes an island.
#[derive(Debug)]
enum Engine {
    Tract(tract::Plan),
    Tensors(Box<evaluator::Plan>),
}

impl Island {
    /// The tensors the island reads.
    pub(crate) fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The tensors the island gives, in the order of the names asked for.
    pub(crate) fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// Who computes it: `tract` or `tensors`.
    pub(crate) fn engine(&self) -> &'static str {
        match self.engine {
            Engine::Tract(_) => "tract",
            Engine::Tensors(_) => "tensors",
        }
    }

    /// Runs the island over the columns of all input ports and returns those of all output ports. A row that it cannot
    /// compute is refused.
    pub(crate) fn run(&self, inputs: &[ArrayRef], rows: usize, failures: &mut RowFailures) -> Result<Vec<ArrayRef>> {
        let expected: usize = self.inputs.iter().map(Port::columns).sum();
        if inputs.len() != expected {
            return Err(Error::Internal(format!("an island of {expected} columns got {}", inputs.len())));
        }
        let Some(judge) = &self.judge else { return self.run_by(&self.engine, inputs, rows, failures) };
        let Some(odd) = border::rows_not_finite(inputs, rows) else {
            return self.run_by(&self.engine, inputs, rows, failures);
        };
        let (odd, even): (Vec<usize>, Vec<usize>) = (0..rows).partition(|&row| odd[row]);
        let of_even = self.run_some(&self.engine, inputs, &even, failures)?;
        let of_odd = self.run_some(judge, inputs, &odd, failures)?;
        // Where each row's answer is: among those of which engine, and at which place.
        let mut places = vec![(0, 0); rows];
        even.iter().enumerate().for_each(|(place, &row)| places[row] = (0, place));
        odd.iter().enumerate().for_each(|(place, &row)| places[row] = (1, place));
        let columns = of_even.iter().zip(&of_odd);
        columns.map(|(even, odd)| Ok(interleave(&[even.as_ref(), odd.as_ref()], &places)?)).collect()
    }

    /// Runs some of the rows by one engine.
    fn run_some(
        &self,
        engine: &Engine,
        inputs: &[ArrayRef],
        rows: &[usize],
        failures: &mut RowFailures,
    ) -> Result<Vec<ArrayRef>> {
        let places = UInt32Array::from_iter_values(rows.iter().map(|&row| row as u32));
        let inputs = inputs.iter().map(|column| Ok(take(column, &places, None)?)).collect::<Result<Vec<_>>>()?;
        let mut failures_here = RowFailures::default();
        let columns = self.run_by(engine, &inputs, rows.len(), &mut failures_here)?;
        failures_here.iter().for_each(|(at, why)| failures.refuse(rows[at], || why.to_string()));
        Ok(columns)
    }

    /// Runs all rows by one engine.
    fn run_by(
        &self,
        engine: &Engine,
        inputs: &[ArrayRef],
        rows: usize,
        failures: &mut RowFailures,
    ) -> Result<Vec<ArrayRef>> {
        if rows == 0 {
            return self.outputs.iter().map(border::empty_columns).collect::<Result<Vec<_>>>().map(|all| all.concat());
        }
        let (Batch::UpTo(chunk) | Batch::Exactly(chunk)) = self.batch;
        let starts = (0..rows).step_by(chunk);
        let chunks = starts.map(|start| self.run_rows(engine, inputs, start, chunk.min(rows - start), failures));
        joined(chunks.collect::<Result<_>>()?)
    }

    /// Runs some of the rows; where that fails, it finds out which rows are to blame.
    fn run_rows(
        &self,
        engine: &Engine,
        inputs: &[ArrayRef],
        start: usize,
        rows: usize,
        failures: &mut RowFailures,
    ) -> Result<Vec<ArrayRef>> {
        let columns: Vec<ArrayRef> = inputs.iter().map(|column| column.slice(start, rows)).collect();
        match self.run_filled(engine, &columns, rows) {
            Err(error) if !is_of_rows(&error) => Err(error),
            Err(error) if rows == 1 => {
                failures.refuse(start, || chain(&error));
                let columns = self.outputs.iter().map(|port| border::any_columns(port, 1));
                columns.collect::<Result<Vec<_>>>().map(|all| all.concat())
            }
            Err(_) => {
                let half = rows / 2;
                let first = self.run_rows(engine, inputs, start, half, failures)?;
                joined(vec![first, self.run_rows(engine, inputs, start + half, rows - half, failures)?])
            }
            answers => answers,
        }
    }

    /// Runs some rows, the last one as often as the batch needs.
    fn run_filled(&self, engine: &Engine, columns: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
        match self.batch {
            Batch::Exactly(batch) if rows < batch => {
                let places = UInt32Array::from_iter_values((0..batch).map(|at| at.min(rows - 1) as u32));
                let columns =
                    columns.iter().map(|column| Ok(take(column, &places, None)?)).collect::<Result<Vec<_>>>()?;
                let answers = self.run_batch(engine, &columns, batch)?;
                Ok(answers.iter().map(|column| column.slice(0, rows)).collect())
            }
            _ => self.run_batch(engine, columns, rows),
        }
    }

    fn run_batch(&self, engine: &Engine, columns: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
        let inputs = border::port_elements(&self.inputs, columns, rows)?;
        let results = match engine {
            Engine::Tract(plan) => plan.run(inputs, &self.outputs, rows, &self.nodes)?,
            Engine::Tensors(plan) => plan.run(inputs, &self.outputs, rows, &self.nodes)?,
        };
        let columns = self.outputs.iter().zip(&results).map(|(port, data)| border::columns(port, data, rows));
        columns.collect::<Result<Vec<_>>>().map(|all| all.concat())
    }
}

/// Whether other rows could fare better.
fn is_of_rows(error: &Error) -> bool {
    fn is_of_values(source: &foretell_tensors::Error) -> bool {
        match source {
            foretell_tensors::Error::Node { fault: Fault::Memory { .. } | Fault::Work { .. }, .. } => false,
            foretell_tensors::Error::Node { fault: Fault::Inner(inner), .. } => is_of_values(inner),
            _ => true,
        }
    }
    match error {
        Error::Tensors { source, .. } => is_of_values(source),
        Error::Island { .. } => true,
        _ => false,
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

/// Columns of rows one after the other.
fn joined(mut chunks: Vec<Vec<ArrayRef>>) -> Result<Vec<ArrayRef>> {
    if chunks.len() == 1 {
        return Ok(chunks.remove(0));
    }
    let columns = chunks.first().map_or(0, Vec::len);
    let parts = |column: usize| chunks.iter().map(|chunk| chunk[column].as_ref()).collect::<Vec<&dyn Array>>();
    (0..columns).map(|column| Ok(concat(&parts(column))?)).collect()
}
