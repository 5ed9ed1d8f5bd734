//! Runs a program over a batch of columns.
//!
//! A [`Plan`] keeps the steps that the wanted columns need and knows where each column is read last. Rows are computed in
//! chunks, so that the columns alive at the same time stay in the cache; nothing a step computes depends on the rows around.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::datatypes::DataType;

use super::{ColumnId, Program};
use crate::error::{Error, Result};

/// Bytes that the columns alive at one time may take.
const CHUNK_BYTES: usize = 4 << 20;
const CHUNK_ROWS_MIN: usize = 64;
const CHUNK_ROWS_MAX: usize = 8192;
/// What a list of any length is taken to occupy.
const LIST_BYTES: usize = 4096;
/// What one text is taken to occupy.
const TEXT_BYTES: usize = 32;

/// What has to be done to get some columns of a program. Columns that are computed or read have places; others cost nothing.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The columns to return, in this order.
    wanted: Vec<ColumnId>,
    /// Their places.
    wanted_places: Vec<usize>,
    /// The inputs of the program that are read, by position, and their places.
    inputs: Vec<(usize, usize)>,
    /// Those of them that are read otherwise than as a [`PlannedStep::run_of_inputs`].
    scattered: Vec<(usize, usize)>,
    steps: Vec<PlannedStep>,
    /// Number of places.
    places: usize,
    /// Rows to compute at a time.
    chunk_rows: usize,
    /// Bytes that one row's columns take where most are alive.
    row_bytes: usize,
}

/// A step, and the places of the columns that it reads and writes.
#[derive(Debug, Clone)]
struct PlannedStep {
    /// Which step of the program it is.
    at: usize,
    inputs: Vec<usize>,
    /// The inputs of the program, by position, if the step reads nothing but neighbours among them in their order.
    run_of_inputs: Option<Range<usize>>,
    outputs: Vec<usize>,
    /// Columns that nobody reads after it.
    released: Vec<usize>,
}

impl Plan {
    /// The plan for these columns of the program.
    pub(crate) fn new(program: &Program, wanted: &[ColumnId]) -> Self {
        let mut needed = vec![false; program.columns.len()];
        wanted.iter().for_each(|column| needed[column.index()] = true);
        // From the end: whoever is met first reads the column last. Wanted columns are read by the caller.
        let mut steps = Vec::new();
        let mut seen = needed.clone();
        for (at, step) in program.steps.iter().enumerate().rev() {
            if !step.outputs.iter().any(|output| needed[output.index()]) {
                continue;
            }
            step.inputs.iter().for_each(|input| needed[input.index()] = true);
            let is_last = |column: &&ColumnId| !std::mem::replace(&mut seen[column.index()], true);
            let released: Vec<ColumnId> = step.outputs.iter().chain(&step.inputs).filter(is_last).copied().collect();
            steps.push((at, released));
        }
        steps.reverse();
        let inputs: Vec<usize> = (0..program.inputs.len()).filter(|&at| needed[program.inputs[at].index()]).collect();
        let row_bytes = peak_row_bytes(program, &inputs, &steps);
        let chunk_rows = (CHUNK_BYTES / row_bytes).clamp(CHUNK_ROWS_MIN, CHUNK_ROWS_MAX);
        let mut places: HashMap<ColumnId, usize> = HashMap::new();
        let mut place = |column: &ColumnId| {
            let next = places.len();
            *places.entry(*column).or_insert(next)
        };
        let inputs: Vec<(usize, usize)> = inputs.into_iter().map(|at| (at, place(&program.inputs[at]))).collect();
        let steps = steps.into_iter().map(|(at, released)| PlannedStep {
            at,
            inputs: program.steps[at].inputs.iter().map(&mut place).collect(),
            run_of_inputs: run_of_inputs(program, &program.steps[at].inputs),
            outputs: program.steps[at].outputs.iter().map(&mut place).collect(),
            released: released.iter().map(&mut place).collect(),
        });
        let steps: Vec<PlannedStep> = steps.collect();
        let wanted_places: Vec<usize> = wanted.iter().map(&mut place).collect();
        let places = places.len();
        let mut is_scattered = vec![false; places];
        let scattering = steps.iter().filter(|step| step.run_of_inputs.is_none()).flat_map(|step| &step.inputs);
        scattering.chain(&wanted_places).for_each(|&place| is_scattered[place] = true);
        let scattered = inputs.iter().filter(|(_, place)| is_scattered[*place]).copied().collect();
        Self { wanted: wanted.to_vec(), wanted_places, inputs, scattered, steps, places, chunk_rows, row_bytes }
    }

    /// The columns to return, in their order.
    pub(crate) fn wanted(&self) -> &[ColumnId] {
        &self.wanted
    }

    /// The steps that run, by their position in the program.
    pub(crate) fn steps(&self) -> impl Iterator<Item = usize> {
        self.steps.iter().map(|step| step.at)
    }

    /// Bytes that the columns of one row take where most are alive.
    pub(crate) fn row_bytes(&self) -> u64 {
        self.row_bytes as u64
    }

    /// Bytes that the columns of one chunk take where most are alive, without what tract takes for itself.
    pub(crate) fn bytes_max(&self) -> u64 {
        self.row_bytes().saturating_mul(self.chunk_rows as u64)
    }
}

/// The positions of these columns among the inputs of a program, if they are neighbours in their order.
fn run_of_inputs(program: &Program, columns: &[ColumnId]) -> Option<Range<usize>> {
    let start = program.inputs.iter().position(|input| Some(input) == columns.first())?;
    let end = start + columns.len();
    (program.inputs.get(start..end)? == columns).then_some(start..end)
}

/// Bytes that one row's columns take where most are alive.
fn peak_row_bytes(program: &Program, inputs: &[usize], steps: &[(usize, Vec<ColumnId>)]) -> usize {
    let bytes =
        |columns: &[ColumnId]| -> usize { columns.iter().map(|&column| row_bytes(program.data_type(column))).sum() };
    let mut live: usize = inputs.iter().map(|&at| row_bytes(program.data_type(program.inputs[at]))).sum();
    let mut peak = live.max(1);
    for (at, released) in steps {
        live += bytes(&program.steps[*at].outputs);
        peak = peak.max(live);
        live = live.saturating_sub(bytes(released));
    }
    peak
}

fn row_bytes(data_type: &DataType) -> usize {
    match data_type {
        DataType::LargeList(_) => LIST_BYTES,
        DataType::FixedSizeList(item, size) => row_bytes(item.data_type()) * usize::try_from(*size).unwrap_or(0),
        other => other.primitive_width().unwrap_or(TEXT_BYTES),
    }
}

/// The rows that an operation refused, with the first reason of each.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowFailures {
    reasons: BTreeMap<usize, String>,
    /// Row of the batch where the present chunk begins.
    chunk_start: usize,
}

impl RowFailures {
    /// Notes that the present chunk's row `row` cannot be computed.
    pub(crate) fn refuse(&mut self, row: usize, reason: impl FnOnce() -> String) {
        self.reasons.entry(self.chunk_start + row).or_insert_with(reason);
    }

    /// Whether every row was computed.
    pub(crate) fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// The first refused row of the batch, with its reason.
    pub(crate) fn first(&self) -> Option<(usize, &str)> {
        self.iter().next()
    }

    /// The refused rows of the batch in their order, each with its reason.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &str)> {
        self.reasons.iter().map(|(&row, reason)| (row, reason.as_str()))
    }
}

/// Computes the wanted columns of a plan for `rows` rows.
///
/// `inputs` are the program's inputs in their order, without nulls. A refused row has any value in the answer.
pub(crate) fn run(
    program: &Program,
    plan: &Plan,
    inputs: &[ArrayRef],
    rows: usize,
) -> Result<(Vec<ArrayRef>, RowFailures)> {
    if inputs.len() != program.inputs.len() || inputs.iter().any(|input| input.len() != rows) {
        let lengths: Vec<usize> = inputs.iter().map(|input| input.len()).collect();
        let expected = program.inputs.len();
        return Err(Error::Internal(format!("{expected} inputs of {rows} rows expected, got lengths {lengths:?}")));
    }
    let mut failures = RowFailures::default();
    let mut columns: Vec<Option<ArrayRef>> = vec![None; plan.places];
    if rows <= plan.chunk_rows {
        plan.scattered.iter().for_each(|&(at, place)| columns[place] = Some(Arc::clone(&inputs[at])));
        run_chunk(program, plan, Some(inputs), &mut columns, rows, &mut failures)?;
        return Ok((read_all(&columns, &plan.wanted_places)?, failures));
    }
    let mut chunks: Vec<Vec<ArrayRef>> = vec![Vec::new(); plan.wanted.len()];
    for start in (0..rows).step_by(plan.chunk_rows) {
        let chunk_rows = plan.chunk_rows.min(rows - start);
        failures.chunk_start = start;
        plan.inputs.iter().for_each(|&(at, place)| columns[place] = Some(inputs[at].slice(start, chunk_rows)));
        run_chunk(program, plan, None, &mut columns, chunk_rows, &mut failures)?;
        for (chunks, &place) in chunks.iter_mut().zip(&plan.wanted_places) {
            chunks.push(Arc::clone(read(&columns, place)?));
        }
    }
    Ok((chunks.iter().map(|chunks| joined(chunks)).collect::<Result<_>>()?, failures))
}

/// All steps, for rows that are few enough to be computed together. `whole` are the inputs of the program if these are all rows:
/// a step that reads a run of them gets it as it is.
fn run_chunk(
    program: &Program,
    plan: &Plan,
    whole: Option<&[ArrayRef]>,
    columns: &mut [Option<ArrayRef>],
    rows: usize,
    failures: &mut RowFailures,
) -> Result<()> {
    for step in &plan.steps {
        let outputs = match (whole, &step.run_of_inputs) {
            (Some(inputs), Some(run)) => program.steps[step.at].op.run(&inputs[run.clone()], rows, failures)?,
            _ => program.steps[step.at].op.run(&read_all(columns, &step.inputs)?, rows, failures)?,
        };
        write(program, step, outputs, columns, rows)?;
        step.released.iter().for_each(|&place| columns[place] = None);
    }
    Ok(())
}

/// Puts the outputs of a step in their places.
fn write(
    program: &Program,
    planned: &PlannedStep,
    outputs: Vec<ArrayRef>,
    columns: &mut [Option<ArrayRef>],
    rows: usize,
) -> Result<()> {
    let step = &program.steps[planned.at];
    if outputs.len() != step.outputs.len() || outputs.iter().any(|output| output.len() != rows) {
        let node = &step.node;
        return Err(Error::Internal(format!("node `{node}` gave {} columns of a wrong shape", outputs.len())));
    }
    for ((id, &place), output) in step.outputs.iter().zip(&planned.outputs).zip(outputs) {
        if output.data_type() != program.data_type(*id) {
            let (node, expected, got) = (&step.node, program.data_type(*id), output.data_type());
            return Err(Error::Internal(format!("node `{node}` gave a column of type {got} instead of {expected}")));
        }
        columns[place] = Some(output);
    }
    Ok(())
}

fn read(columns: &[Option<ArrayRef>], place: usize) -> Result<&ArrayRef> {
    columns[place].as_ref().ok_or_else(|| Error::Internal(format!("place {place} is read before it is written")))
}

/// A collected `Result` does not know its length and would grow several times.
fn read_all(columns: &[Option<ArrayRef>], places: &[usize]) -> Result<Vec<ArrayRef>> {
    let mut all = Vec::with_capacity(places.len());
    for &place in places {
        all.push(Arc::clone(read(columns, place)?));
    }
    Ok(all)
}

fn joined(chunks: &[ArrayRef]) -> Result<ArrayRef> {
    match chunks {
        [chunk] => Ok(Arc::clone(chunk)),
        _ => Ok(concat(&chunks.iter().map(|chunk| chunk.as_ref()).collect::<Vec<_>>())?),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::program::{BinaryOp, Op, Operands, UnaryOp};

    /// `(a / b, -a)`.
    fn program() -> (Program, ColumnId, ColumnId) {
        let mut program = Program::default();
        let (a, b) = (program.add_column(DataType::Int64), program.add_column(DataType::Int64));
        program.inputs = vec![a, b];
        let node: Arc<str> = Arc::from("node");
        let quotient =
            program.push(&node, Op::Binary(BinaryOp::Div, Operands::Columns), vec![a, b], [DataType::Int64])[0];
        let negated = program.push(&node, Op::Unary(UnaryOp::Neg), vec![a], [DataType::Int64])[0];
        (program, quotient, negated)
    }

    fn column(values: impl IntoIterator<Item = i64>) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(values))
    }

    #[test]
    fn only_the_steps_needed_run() {
        let (program, quotient, negated) = program();
        assert_eq!(Plan::new(&program, &[negated]).steps.len(), 1);
        let inputs = [column([7, 8]), column([0, 2])];
        let (outputs, failures) = run(&program, &Plan::new(&program, &[negated]), &inputs, 2).expect("a sound program");
        assert!(failures.is_empty(), "the division by zero is not needed");
        assert_eq!(outputs[0].as_primitive::<Int64Type>().values(), &[-7, -8]);
        let wanted = [quotient, quotient, program.inputs[1]];
        let (outputs, failures) = run(&program, &Plan::new(&program, &wanted), &inputs, 2).expect("a sound program");
        assert_eq!(failures.iter().collect::<Vec<_>>(), [(0, "division of an integer by zero")]);
        assert_eq!(outputs[1].as_primitive::<Int64Type>().value(1), 4);
        assert_eq!(&outputs[2], &inputs[1]);
    }

    #[test]
    fn chunks_are_joined_and_rows_are_counted_from_the_batch() {
        let (program, quotient, negated) = program();
        let plan = Plan::new(&program, &[quotient, negated]);
        let rows = 2 * CHUNK_ROWS_MAX + 5;
        let divisors = (0..rows as i64).map(|row| if row == CHUNK_ROWS_MAX as i64 + 1 { 0 } else { 1 });
        let (outputs, failures) =
            run(&program, &plan, &[column(0..rows as i64), column(divisors)], rows).expect("rows");
        assert_eq!(failures.first().map(|(row, _)| row), Some(CHUNK_ROWS_MAX + 1));
        assert_eq!(outputs[0].len(), rows);
        assert_eq!(outputs[1].as_primitive::<Int64Type>().value(rows - 1), 1 - rows as i64);
    }

    #[test]
    fn an_empty_batch_has_typed_columns() {
        let (program, quotient, _) = program();
        let plan = Plan::new(&program, &[quotient]);
        let (outputs, _) = run(&program, &plan, &[column([]), column([])], 0).expect("no rows");
        assert_eq!((outputs[0].len(), outputs[0].data_type()), (0, &DataType::Int64));
        assert!(run(&program, &plan, &[column([1])], 1).is_err());
    }
}
