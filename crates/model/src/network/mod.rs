//! Networks: graphs of tensor operators that run as a whole, where a graph cannot be taken apart into columns.
//!
//! That is so when lists have any length (a transformer's tokens), when operators mix the rows of a batch (dynamic
//! quantisation takes its scale from all of them), and when the file is made for one batch size only. A network is one step
//! of a program. It computes rows alone, or several at once where that was seen to change no bit ([`Batch`]), so that a row's
//! answer never depends on the rows beside it.
//!
//! The evaluator of `foretell-tensors` computes a network where several rows may be computed at once and all that takes long
//! are products of matrices, convolutions, recurrent layers and functions of lines, which have kernels. tract computes the others
//! if it gives the evaluator's answers: networks that take one row at a time. The choice follows
//! from the operators in the file, not from a measurement while it is loaded, so that it is the same everywhere.
//!
//! Measured on one core of an AMD EPYC (Zen 4) with a MiniLM of 6 layers and 32 tokens a row, in rows per second of processor
//! time: 125 with 8 rows at once, 122 with 4, 121 with 16 and 119 with 32, whose numbers leave the second-level cache. By the
//! clock, through SQL: 127 with 8 rows a batch, beside 142 of ONNX Runtime 1.32 and 115 of tract; 130, 141 and 94 with 64.
//!
//! [`rows`] takes the rows out of columns and puts their answers into new ones, [`probe`] finds out how a network behaves
//! before it is used, [`room`] how long its lists may be for tract; what computes is in `engine/`. Nothing here knows files;
//! `onnx/network.rs` makes networks of them.

mod probe;
mod room;
mod rows;

use std::collections::HashMap;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use foretell_tensors::{ElementType, Tensor};
use tract_onnx::pb::ModelProto;

use crate::border::ragged_type;
use crate::engine::{By, Cause, Engine, Evaluator, Extent, Failure, Tolerance, TractPlan, caught, input_of};
use crate::error::{Error, Result};
use crate::program::{COLUMNS_MAX, RowFailures, packed_type};
use probe::Found;
use room::{Room, symbol_name};
use rows::{Answer, Answers, Rows};

pub(crate) use probe::{Subject, probe};

/// Rows of the same lengths that are computed at once.
const BATCH_ROWS_MAX: usize = 32;

/// Places along open lengths and of integers, such as tokens, that are computed at once: what one operator gives the next stays
/// in the cache.
const BATCH_PLACES_MAX: usize = 256;

/// How far tract may be from the evaluator.
const TOLERANCE: Tolerance = Tolerance { of_number: 1e-4, of_largest: 1e-5, of_largest_half: 0.0, steps: 0.0 };

/// A graph, ready to run over the columns of its inputs.
#[derive(Debug)]
pub(crate) struct Network {
    engine: Engine,
    /// The room that tract needs, where tract computes.
    room: Option<Room>,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
    batch: Batch,
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

impl Network {
    /// A network that behaves as found. tract computes it, if the evaluator is not the faster one, there is a model for it,
    /// and it gives the answers found.
    pub(crate) fn new(evaluator: Evaluator, model: Option<ModelProto>, inputs: Vec<Input>, found: Found) -> Self {
        let Found { batch, outputs, runs, rows } = found;
        let model = model.filter(|_| batch != Batch::Any || !evaluator.is_fast());
        let bytes_max = evaluator.budget().bytes;
        let names: Vec<String> = outputs.iter().map(|output| output.name.clone()).collect();
        let compile = |model| compile(model, &inputs, rows, bytes_max).ok();
        let is_trusted = |(plan, _): &(TractPlan, Room)| {
            runs.iter().all(|(inputs, expected)| plan.check(inputs, expected, &names, &TOLERANCE).is_ok())
        };
        match model.and_then(compile).filter(is_trusted) {
            None => Self { engine: Engine::tensors(evaluator), room: None, inputs, outputs, batch },
            Some((plan, room)) => {
                // tract is as fast on one row, and then none has neighbours.
                let batch = if batch == Batch::Any { Batch::One } else { batch };
                Self { engine: Engine::tract(plan, Some(evaluator)), room: Some(room), inputs, outputs, batch }
            }
        }
    }

    /// Who computes it: `tract` or `tensors`.
    pub(crate) fn engine(&self) -> &'static str {
        self.engine.name()
    }

    /// How it is computed on this processor, where that is known.
    pub(crate) fn choice(&self) -> Option<String> {
        self.engine.choice()
    }

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
        for Group { rows, by } in self.groups(&inputs, rows, failures) {
            for chunk in rows.chunks(self.rows_at_once(&inputs, rows[0])) {
                self.run_chunk(chunk, by, &inputs, &mut answers, failures)?;
            }
        }
        answers.into_columns(&self.outputs)
    }

    /// How many rows are computed at once that have the lengths of this one.
    fn rows_at_once(&self, inputs: &[Rows], row: usize) -> usize {
        let places = |(input, rows): (&Input, &Rows)| -> usize {
            let are_tokens = matches!(input.element, ElementType::I32 | ElementType::I64);
            let extents = input.shape.iter().zip(rows.extents(row));
            let counted = extents.filter(|(length, _)| are_tokens || matches!(length, Length::Open(_)));
            counted.fold(1, |places, (_, &extent)| places.saturating_mul(extent))
        };
        match self.batch {
            Batch::One => 1,
            Batch::Any => {
                let most = self.inputs.iter().zip(inputs).map(places).max().unwrap_or(1).max(1);
                (BATCH_PLACES_MAX / most).clamp(1, BATCH_ROWS_MAX)
            }
            Batch::Exactly(rows) => rows,
        }
    }

    /// The rows of each combination of lengths, in the order of their first, those with a number that is not finite by
    /// themselves: tract's comparisons and activations drop NaN. Rows whose lengths contradict each other are refused.
    fn groups(&self, inputs: &[Rows], rows: usize, failures: &mut RowFailures) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut known: HashMap<(Vec<usize>, bool), usize> = HashMap::new();
        for row in 0..rows {
            match self.lengths(inputs, row) {
                Ok(lengths) => {
                    let is_finite = inputs.iter().all(|input| input.is_finite(row));
                    let group = *known.entry((lengths, is_finite)).or_insert(groups.len());
                    if group == groups.len() {
                        let by = if is_finite { By::Fastest } else { By::Judge };
                        groups.push(Group { rows: Vec::new(), by });
                    }
                    groups[group].rows.push(row);
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
        by: By,
        inputs: &[Rows],
        answers: &mut Answers,
        failures: &mut RowFailures,
    ) -> Result<()> {
        match self.compute(chunk, by, inputs) {
            Ok(computed) => answers.add(&self.outputs, chunk, computed),
            Err(why) if chunk.len() == 1 => {
                failures.refuse(chunk[0], || why);
                Ok(())
            }
            Err(_) => chunk.iter().try_for_each(|&row| self.run_chunk(&[row], by, inputs, answers, failures)),
        }
    }

    fn compute(&self, chunk: &[usize], by: By, inputs: &[Rows]) -> Result<Vec<Answer>, String> {
        let mut rows = chunk.to_vec();
        if let (Batch::Exactly(count), Some(&last)) = (self.batch, chunk.last()) {
            rows.resize(count, last);
        }
        let tensors = self.inputs.iter().zip(inputs).map(|(input, of_input)| of_input.tensor(input, &rows));
        let tensors = tensors.collect::<Result<Vec<Tensor>>>().map_err(|error| error.to_string())?;
        let results = self.run_engine(by, tensors).map_err(|failure| failure.to_string())?;
        let outputs = self.outputs.iter().zip(results);
        outputs
            .map(|(output, tensor)| Ok((output.row_shape(tensor.shape(), rows.len())?, tensor.into_data())))
            .collect()
    }

    /// Where tract lacks room, or fails, the evaluator computes or says why not.
    fn run_engine(&self, by: By, tensors: Vec<Tensor>) -> Result<Vec<Tensor>, Failure> {
        let has_room = self.room.as_ref().is_none_or(|room| room.is_enough(&self.inputs, &tensors));
        match self.engine.run(if has_room { by } else { By::Judge }, tensors.clone()) {
            Err(Failure::Tract(_)) => self.engine.run(By::Judge, tensors),
            outcome => outcome,
        }
    }
}

/// Rows of the same lengths, and who is to compute them.
struct Group {
    rows: Vec<usize>,
    by: By,
}

/// Compiles a graph for inputs whose open lengths are symbols.
fn compile(model: ModelProto, inputs: &[Input], rows: usize, bytes_max: u64) -> Result<(TractPlan, Room), Cause> {
    let declarations = inputs.iter().map(|input| {
        let mut extents: Vec<Extent> = input
            .shape
            .iter()
            .map(|length| match length {
                Length::Fixed(extent) => Extent::DimValue(*extent as i64),
                Length::Open(symbol) => Extent::DimParam(symbol_name(*symbol)),
            })
            .collect();
        extents.insert(input.batch, Extent::DimValue(rows as i64));
        input_of(&input.name, input.element, extents)
    });
    let plan = TractPlan::compile(model, declarations.collect())?;
    let room = caught(|| Ok(Room::new(plan.model(), bytes_max)))?;
    Ok((plan, room))
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
