//! Tensor islands: the parts of a model that are general tensor computations.
//!
//! [`choose`] says which nodes those are and who computes them: tract, which is fast, or the evaluator of
//! `foretell-tensors`, which has every operator and every kind of value; both are in `engine/`. [`draft`] makes islands of
//! what tract has compiled, [`evaluated`] those of the evaluator. [`border`] converts on the way in and out, [`probe`] finds
//! rows to try an island with, [`trust`] whether tract is right, [`dependence`] says what the steps of an island depend on.
//! An island is one step of the program and is shared between all threads.

mod border;
mod choose;
mod dependence;
mod draft;
mod evaluated;
mod operators;
mod probe;
mod table;
mod trust;

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::{concat, interleave, take};
use arrow::datatypes::DataType;
use foretell_tensors::Tensor;

use crate::engine::{By, Engine, Failure};
use crate::error::{Error, Result, is_over_limit};
use crate::program::{COLUMNS_MAX, RowFailures, packed_type};

#[cfg(test)]
pub(crate) use choose::tract_knows;
pub(crate) use choose::{Work, evaluator_knows, is_known, schedule};
pub(crate) use dependence::{Dependence, is_of_places};
pub(crate) use draft::{Draft, InputPort, compile};
pub(crate) use evaluated::{BATCH_MAX, Evaluated, Output, Refusal, Request, evaluate};
pub(crate) use probe::Probe;
pub(crate) use trust::trusted;

/// Rows that an island computes at a time at most, however small they are.
const CHUNK_ROWS: usize = 1024;
/// Rows that an island is tried with, to see whether they change each other's answers: so many that an operator which picks
/// rows by position is seen to leave some out.
const TRIAL_ROWS: usize = 5;

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
    /// True if the extent behind the batch is no dimension of its own: each row has that many places along the batch, one
    /// after the other.
    pub(crate) folded: bool,
}

impl Port {
    /// The port of an output; `None` if a row has too many elements for a column.
    fn output(data_type: DataType, shape: Vec<usize>, batch: usize) -> Option<Self> {
        let product = |elements: i32, &extent: &usize| elements.checked_mul(i32::try_from(extent).ok()?);
        let elements = shape.iter().try_fold(1, product)?;
        let packed = usize::try_from(elements).ok()? > COLUMNS_MAX;
        Some(Self { data_type, shape, batch, packed, folded: false })
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
        match self.folded {
            true => dims[self.batch] *= rows,
            false => dims.insert(self.batch, rows),
        }
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
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    batch: Batch,
    /// The nodes, for messages.
    nodes: String,
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
        self.engine.name()
    }

    /// How it is computed on this processor, where that is known.
    pub(crate) fn choice(&self) -> Option<String> {
        self.engine.choice()
    }

    /// Runs the island over the columns of all input ports and returns those of all output ports. A row that it cannot
    /// compute is refused.
    pub(crate) fn run(&self, inputs: &[ArrayRef], rows: usize, failures: &mut RowFailures) -> Result<Vec<ArrayRef>> {
        let expected: usize = self.inputs.iter().map(Port::columns).sum();
        if inputs.len() != expected {
            return Err(Error::Internal(format!("an island of {expected} columns got {}", inputs.len())));
        }
        // Comparisons and activations of tract drop NaN.
        let odd = if self.engine.has_judge() { border::rows_not_finite(inputs, rows) } else { None };
        let Some(odd) = odd else { return self.run_by(By::Fastest, inputs, rows, failures) };
        let (odd, even): (Vec<usize>, Vec<usize>) = (0..rows).partition(|&row| odd[row]);
        let of_even = self.run_some(By::Fastest, inputs, &even, failures)?;
        let of_odd = self.run_some(By::Judge, inputs, &odd, failures)?;
        // Where each row's answer is: among those of which engine, and at which place.
        let mut places = vec![(0, 0); rows];
        even.iter().enumerate().for_each(|(place, &row)| places[row] = (0, place));
        odd.iter().enumerate().for_each(|(place, &row)| places[row] = (1, place));
        let columns = of_even.iter().zip(&of_odd);
        columns.map(|(even, odd)| Ok(interleave(&[even.as_ref(), odd.as_ref()], &places)?)).collect()
    }

    /// Runs some of the rows.
    fn run_some(
        &self,
        by: By,
        inputs: &[ArrayRef],
        rows: &[usize],
        failures: &mut RowFailures,
    ) -> Result<Vec<ArrayRef>> {
        let places = UInt32Array::from_iter_values(rows.iter().map(|&row| row as u32));
        let inputs = inputs.iter().map(|column| Ok(take(column, &places, None)?)).collect::<Result<Vec<_>>>()?;
        let mut failures_here = RowFailures::default();
        let columns = self.run_by(by, &inputs, rows.len(), &mut failures_here)?;
        failures_here.iter().for_each(|(at, why)| failures.refuse(rows[at], || why.to_string()));
        Ok(columns)
    }

    /// Runs all rows.
    fn run_by(&self, by: By, inputs: &[ArrayRef], rows: usize, failures: &mut RowFailures) -> Result<Vec<ArrayRef>> {
        if rows == 0 {
            return self.outputs.iter().map(border::empty_columns).collect::<Result<Vec<_>>>().map(|all| all.concat());
        }
        let (Batch::UpTo(chunk) | Batch::Exactly(chunk)) = self.batch;
        let starts = (0..rows).step_by(chunk);
        let chunks = starts.map(|start| self.run_rows(by, inputs, start, chunk.min(rows - start), failures));
        joined(chunks.collect::<Result<_>>()?)
    }

    /// Runs some of the rows; where that fails, it finds out which rows are to blame.
    fn run_rows(
        &self,
        by: By,
        inputs: &[ArrayRef],
        start: usize,
        rows: usize,
        failures: &mut RowFailures,
    ) -> Result<Vec<ArrayRef>> {
        let columns: Vec<ArrayRef> = inputs.iter().map(|column| column.slice(start, rows)).collect();
        match self.run_filled(by, &columns, rows) {
            Err(error) if !is_of_rows(&error) => Err(error),
            Err(error) if rows == 1 => {
                // tract may fail where there is an answer.
                let may_help = by == By::Fastest && self.engine.has_judge();
                let why = match may_help.then(|| self.run_filled(By::Judge, &columns, rows)) {
                    Some(Ok(answers)) => return Ok(answers),
                    Some(Err(better)) if is_of_rows(&better) => better,
                    _ => error,
                };
                failures.refuse(start, || chain(&why));
                let columns = self.outputs.iter().map(|port| border::any_columns(port, 1));
                columns.collect::<Result<Vec<_>>>().map(|all| all.concat())
            }
            Err(_) => {
                let half = rows / 2;
                let first = self.run_rows(by, inputs, start, half, failures)?;
                joined(vec![first, self.run_rows(by, inputs, start + half, rows - half, failures)?])
            }
            answers => answers,
        }
    }

    /// Runs some rows, the last one as often as the batch needs.
    fn run_filled(&self, by: By, columns: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
        match self.batch {
            Batch::Exactly(batch) if rows < batch => {
                let places = UInt32Array::from_iter_values((0..batch).map(|at| at.min(rows - 1) as u32));
                let columns =
                    columns.iter().map(|column| Ok(take(column, &places, None)?)).collect::<Result<Vec<_>>>()?;
                let answers = self.run_batch(by, &columns, batch)?;
                Ok(answers.iter().map(|column| column.slice(0, rows)).collect())
            }
            _ => self.run_batch(by, columns, rows),
        }
    }

    fn run_batch(&self, by: By, columns: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
        let inputs = border::tensors(&self.inputs, columns, rows)?;
        let results = self.engine.run(by, inputs).map_err(|failure| self.failed(failure))?;
        self.check_shapes(&results, rows)?;
        let columns =
            self.outputs.iter().zip(&results).map(|(port, tensor)| border::columns(port, tensor.data(), rows));
        columns.collect::<Result<Vec<_>>>().map(|all| all.concat())
    }

    fn check_shapes(&self, results: &[Tensor], rows: usize) -> Result<()> {
        let fits = |(tensor, port): (&Tensor, &Port)| match rows {
            // A row alone need not have a batch dimension.
            1 => tensor.len() == port.elements(),
            _ => tensor.shape() == port.dims(rows),
        };
        if results.len() == self.outputs.len() && results.iter().zip(&self.outputs).all(fits) {
            return Ok(());
        }
        let got: Vec<&[usize]> = results.iter().map(Tensor::shape).collect();
        let expected: Vec<Vec<usize>> = self.outputs.iter().map(|port| port.dims(rows)).collect();
        let what = format!("its results have shapes {got:?} instead of {expected:?}");
        Err(self.failed(Failure::Tensors(foretell_tensors::Error::Inputs(what))))
    }

    fn failed(&self, failure: Failure) -> Error {
        let nodes = self.nodes.clone();
        match failure {
            Failure::Tract(source) => Error::Island { nodes, source },
            Failure::Tensors(source) => Error::Tensors { nodes, source },
        }
    }
}

/// Whether other rows could fare better.
fn is_of_rows(error: &Error) -> bool {
    match error {
        Error::Tensors { source, .. } => !is_over_limit(source),
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
