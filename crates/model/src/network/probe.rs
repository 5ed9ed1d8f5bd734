//! Finds out how a network behaves, by running it on made-up rows while the model is loaded.
//!
//! That shows which outputs there are, which of their extents follow from the lengths of a row, where the batch stands in
//! them, and whether rows that are computed together change each other's answers. A graph is asked because its text does not
//! say: exporters leave shapes out, or write those of the one batch they saw.

use foretell_tensors::{Budget, Data, ElementType, Fault, Tensor};

use super::{BATCH_ROWS_MAX, Batch, Input, Length, Output};
use crate::elements::arrow_type;
use crate::engine::{Evaluator, RowsAlong, mixed};
use crate::error::{Error, Result, is_over_limit};

/// Rows that are computed together to see whether they change each other.
const ROWS: usize = 4;
/// Sizes of the numbers in rows that are computed together. What holds for small ones need not hold beyond a bound.
const SIZES: [u32; 2] = [1, 1000];
/// Lengths that are tried, the first symbol's; each further symbol's is longer by the step. Convolutions want long ones, and
/// some graphs want all lengths to be alike.
const LENGTHS: [(usize, usize); 12] =
    [(5, 2), (8, 0), (3, 1), (16, 0), (32, 0), (64, 0), (224, 0), (2, 0), (1, 0), (4, 4), (1024, 0), (16_000, 0)];
/// Lengths that are tried besides, the first with which the graph runs: what steps over several places at a time gives for short
/// lengths may be the same for all of them.
const LONG: [(usize, usize); 3] = [(61, 13), (96, 0), (500, 0)];
/// Lengths of two runs tell what follows from them.
const RUNS: usize = 2;
/// Elementary operations that a run may take, whatever the file; and as many for each byte of the file.
const WORK_MIN: u64 = 1 << 22;
const WORK_PER_BYTE: u64 = 256;
const WORK_MAX: u64 = 1 << 34;
/// The same for a graph that kernels compute, which takes half a second: weights of convolutions meet every place of a picture.
const KERNEL_WORK: u64 = 1 << 31;
/// How much longer lengths are that are tried beside the only ones of [`LENGTHS`] that worked: an extent of one run could be any.
const LONGER: [usize; 3] = [7, 16, 1];
const BYTES_MAX: u64 = 128 << 20;
/// Bytes of the inputs of a run. A text has some of its own besides what points to it.
const INPUT_BYTES_MAX: usize = 64 << 20;
const TEXT_BYTES: usize = 64;

/// How a network behaves.
pub(crate) struct Found {
    pub(crate) batch: Batch,
    pub(crate) outputs: Vec<Output>,
    /// Inputs with what the evaluator computed from them, of [`Found::rows`] rows each.
    pub(crate) runs: Vec<(Vec<Tensor>, Vec<Tensor>)>,
    pub(crate) rows: usize,
}

/// A network to be tried.
pub(crate) struct Subject<'a> {
    pub(crate) evaluator: &'a Evaluator,
    pub(crate) inputs: &'a [Input],
    /// Names of the outputs.
    pub(crate) outputs: &'a [String],
    /// Number of rows that the file declares.
    pub(crate) declared_batch: Option<usize>,
    pub(crate) file_bytes: u64,
    /// Whether operators take a scale from all rows that they see.
    pub(crate) scales_by_batch: bool,
    /// Whether operators make elements of their places.
    pub(crate) is_of_places: bool,
}

/// Tries a network.
///
/// # Errors
/// When it fails for all lengths that are tried, or its answers depend on the order of the rows of a batch.
pub(crate) fn probe(subject: &Subject) -> Result<Found> {
    let worked = subject.lengths_that_work()?;
    let lengths = &worked[0];
    let batch = subject.batch(lengths)?;
    let rows = if let Batch::Exactly(rows) = batch { rows } else { 1 };
    let mut runs: Vec<_> = worked
        .iter()
        .map(|lengths| subject.run(lengths, &seeds(rows)))
        .collect::<Result<_, _>>()
        .map_err(|failure| cannot_run(&failure))?;
    if !lengths.is_empty() {
        let mut long = LONG.iter().map(|&first| subject.run(&lengths_of(first, lengths.len()), &seeds(rows)));
        runs.extend(long.find_map(Result::ok));
    }
    let outputs = subject.describe(batch, rows, &runs)?;
    Ok(Found { batch, outputs, runs, rows })
}

/// Why a run has no outputs.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Graph(#[from] foretell_tensors::Error),
    #[error("an output is a sequence, a map or nothing")]
    NoTensor,
    #[error("made-up rows of {0} bytes are too large to try it")]
    Inputs(usize),
}

impl Failure {
    /// Whether it took more memory or work than it may.
    fn is_over_limit(&self) -> bool {
        matches!(self, Self::Graph(error) if is_over_limit(error))
    }
}

fn cannot_run(failure: &Failure) -> Error {
    Error::Signature(format!("the model cannot be run: {failure}"))
}

fn seeds(rows: usize) -> Vec<usize> {
    (0..rows).collect()
}

/// Lengths of so many symbols.
fn lengths_of((first, step): (usize, usize), symbols: usize) -> Vec<usize> {
    (0..symbols).map(|symbol| first + symbol * step).collect()
}

type Run = (Vec<Tensor>, Vec<Tensor>);

impl Subject<'_> {
    /// Lengths of all symbols, for each run that is tried.
    fn lengths(&self) -> Vec<Vec<usize>> {
        let open = self.inputs.iter().flat_map(|input| &input.shape);
        let symbols = open.filter_map(|length| if let Length::Open(symbol) = length { Some(symbol + 1) } else { None });
        match symbols.max() {
            None => vec![Vec::new(); RUNS],
            Some(symbols) => LENGTHS.iter().map(|&first| lengths_of(first, symbols)).collect(),
        }
    }

    /// Numbers of rows that are tried.
    fn rows(&self) -> Vec<usize> {
        match self.declared_batch {
            Some(rows) if rows > 1 => vec![1, rows],
            _ => vec![1],
        }
    }

    fn budget(&self) -> Budget {
        let whole = self.evaluator.budget();
        let least = if self.evaluator.is_fast() { KERNEL_WORK } else { WORK_MIN };
        let work = self.file_bytes.saturating_mul(WORK_PER_BYTE).clamp(least, WORK_MAX);
        Budget { bytes: whole.bytes.min(BYTES_MAX), work: whole.work.min(work) }
    }

    /// The first lengths for which the graph runs, with one row or as many as it declares.
    fn lengths_that_work(&self) -> Result<Vec<Vec<usize>>> {
        let mut first_failure = None;
        let mut worked = Vec::new();
        for lengths in self.lengths() {
            match self.failures(&lengths) {
                None => worked.push(lengths),
                Some(mut failures) => {
                    // What is too large stays so, and is why no longer ones are tried.
                    if let Some(over) = failures.iter().position(Failure::is_over_limit) {
                        first_failure = Some(failures.swap_remove(over));
                        break;
                    }
                    first_failure = first_failure.or_else(|| failures.into_iter().next());
                }
            }
            if worked.len() == RUNS {
                break;
            }
        }
        if let [only] = &worked[..] {
            let mut longer = LONGER.iter().map(|more| only.iter().map(|length| length + more).collect::<Vec<usize>>());
            worked.extend(longer.find(|lengths| self.failures(lengths).is_none()));
        }
        match (worked.is_empty(), first_failure) {
            (true, Some(failure)) => Err(cannot_run(&failure)),
            _ => Ok(worked),
        }
    }

    /// Why rows of these lengths fail, whatever their number; `None` if some do not.
    fn failures(&self, lengths: &[usize]) -> Option<Vec<Failure>> {
        self.rows().into_iter().map(|rows| self.run(lengths, &seeds(rows)).err()).collect()
    }

    /// Runs made-up rows, one for each seed.
    fn run(&self, lengths: &[usize], seeds: &[usize]) -> Result<Run, Failure> {
        self.run_of_size(SIZES[0], lengths, seeds)
    }

    /// As [`Self::run`], with numbers up to this size.
    fn run_of_size(&self, size: u32, lengths: &[usize], seeds: &[usize]) -> Result<Run, Failure> {
        let bytes = self.inputs.iter().map(|input| bytes_of(input, lengths)).fold(0, usize::saturating_add);
        let bytes = bytes.saturating_mul(seeds.len());
        if bytes > INPUT_BYTES_MAX {
            return Err(Failure::Inputs(bytes));
        }
        let inputs = self.inputs.iter().enumerate().map(|(at, input)| made_up(input, at, size, lengths, seeds));
        let inputs = inputs.collect::<Result<Vec<Tensor>, Failure>>()?;
        let (outputs, _) = self.evaluator.measure(inputs.clone(), self.budget())?;
        let outputs: Option<Vec<Tensor>> = outputs.iter().map(|output| output.tensor().cloned()).collect();
        Ok((inputs, outputs.filter(|outputs| outputs.len() == self.outputs.len()).ok_or(Failure::NoTensor)?))
    }

    /// How many rows can be computed at once.
    fn batch(&self, lengths: &[usize]) -> Result<Batch> {
        // Each place has to be seen where places count.
        let rows = if self.is_of_places { BATCH_ROWS_MAX } else { ROWS };
        if self.are_independent(lengths, rows) {
            return Ok(Batch::Any);
        }
        let declared = self.declared_batch.unwrap_or(1);
        if declared > 1 && self.keep_their_places(lengths, declared) {
            return Ok(Batch::Exactly(declared));
        }
        let alone = self.run(lengths, &[0]);
        match &alone {
            Ok((_, outputs)) if self.takes_one_row(lengths) && outputs.iter().all(|output| self.is_one_row(output)) => {
                Ok(Batch::One)
            }
            Ok(_) => {
                Err(Error::Signature("it mixes rows: its answers depend on the other rows of a batch".to_string()))
            }
            Err(failure) => Err(cannot_run(failure)),
        }
    }

    /// Whether the graph is meant for one row at a time: the file says so, it fails for several, or its scales are those
    /// of what it sees.
    fn takes_one_row(&self, lengths: &[usize]) -> bool {
        self.scales_by_batch
            || self.declared_batch == Some(1)
            || self.inputs.iter().any(|input| input.batch > 0)
            || self.run(lengths, &seeds(ROWS)).is_err()
    }

    /// Whether an output for one row has a place for its batch. It needs none if there never is another row.
    fn is_one_row(&self, output: &Tensor) -> bool {
        match self.inputs.iter().all(|input| input.batch == 0) {
            true => self.declared_batch == Some(1) || output.shape().first() == Some(&1),
            false => output.shape().contains(&1),
        }
    }

    /// The rows of each output, which lie along its first dimension; `None` if the graph fails, or has no such rows.
    fn rows_of_run(&self, size: u32, lengths: &[usize], seeds: &[usize]) -> Option<Vec<RowsAlong>> {
        let (_, outputs) = self.run_of_size(size, lengths, seeds).ok()?;
        outputs.iter().map(|output| RowsAlong::new(output, 0)).collect()
    }

    /// Whether rows computed together have the answers, to the bit, that each has alone. Numbers that the graph cannot take, such
    /// as positions beyond a table, teach nothing.
    fn are_independent(&self, lengths: &[usize], rows: usize) -> bool {
        let is_alike = |size: u32, together: &[RowsAlong], row: usize| {
            let same = |(together, alone): (&RowsAlong, &RowsAlong)| {
                alone.get(0).is_some_and(|alone| together.get(row) == Some(alone))
            };
            let alone = self.rows_of_run(size, lengths, &[row]);
            alone.is_some_and(|alone| together.iter().zip(&alone).all(same))
        };
        let are_independent = |&size: &u32| match self.rows_of_run(size, lengths, &seeds(rows)) {
            Some(together) => {
                together.iter().all(|of_output| of_output.len() == rows)
                    && (0..rows).all(|row| is_alike(size, &together, row))
            }
            None => size != SIZES[0],
        };
        self.inputs.iter().all(|input| input.batch == 0) && SIZES.iter().all(are_independent)
    }

    /// Whether rows in reverse order, and one row over and over, have the answers that they have in their order.
    fn keep_their_places(&self, lengths: &[usize], rows: usize) -> bool {
        let orders = [seeds(rows), (0..rows).rev().collect(), vec![0; rows]];
        let [Some(forwards), Some(backwards), Some(repeated)] =
            orders.map(|order| self.rows_of_run(SIZES[0], lengths, &order))
        else {
            return false;
        };
        let keeps = |((forwards, backwards), repeated): ((&RowsAlong, &RowsAlong), &RowsAlong)| {
            [forwards, backwards, repeated].iter().all(|of_run| of_run.len() == rows)
                && (0..rows).all(|row| forwards.get(row) == backwards.get(rows - 1 - row))
                && (0..rows).all(|row| forwards.get(0) == repeated.get(row))
        };
        self.inputs.iter().all(|input| input.batch == 0) && forwards.iter().zip(&backwards).zip(&repeated).all(keeps)
    }

    /// The outputs, from what runs gave.
    fn describe(&self, batch: Batch, rows: usize, runs: &[Run]) -> Result<Vec<Output>> {
        let describe = |(at, name): (usize, &String)| {
            let tensors: Vec<&Tensor> = runs.iter().map(|(_, outputs)| &outputs[at]).collect();
            self.describe_one(name, batch, rows, &tensors)
        };
        self.outputs.iter().enumerate().map(describe).collect()
    }

    fn describe_one(&self, name: &str, batch: Batch, rows: usize, tensors: &[&Tensor]) -> Result<Output> {
        let wrong = |what: &str| Error::Signature(format!("output `{name}` {what}"));
        let (shape, element) = (tensors[0].shape(), tensors[0].element_type());
        let data_type = arrow_type(element)
            .ok_or_else(|| wrong(&format!("has elements of type {}, which no column has", element.name())))?;
        if tensors.iter().any(|other| other.rank() != shape.len()) {
            return Err(wrong("has a rank that depends on its values"));
        }
        let is_batch = |axis: &usize| tensors.iter().all(|tensor| tensor.shape()[*axis] == rows);
        let batch = match batch {
            Batch::One => (0..shape.len()).find(is_batch),
            Batch::Any | Batch::Exactly(_) => Some(0),
        };
        let extents = (0..shape.len()).filter(|&axis| Some(axis) != batch);
        let shape: Vec<Option<usize>> = extents
            .map(|axis| Some(shape[axis]).filter(|&extent| tensors.iter().all(|other| other.shape()[axis] == extent)))
            .collect();
        if shape.contains(&Some(0)) {
            return Err(wrong("has no elements"));
        }
        Ok(Output { name: name.to_string(), data_type, shape, batch })
    }
}

/// Extents of a row.
fn extents(input: &Input, lengths: &[usize]) -> Vec<usize> {
    let extent = |length: &Length| match length {
        Length::Fixed(extent) => *extent,
        Length::Open(symbol) => lengths[*symbol],
    };
    input.shape.iter().map(extent).collect()
}

/// What a row of an input occupies.
fn bytes_of(input: &Input, lengths: &[usize]) -> usize {
    let element = if input.element == ElementType::Text { TEXT_BYTES } else { input.element.width() };
    extents(input, lengths).into_iter().fold(element, usize::saturating_mul)
}

/// A tensor of made-up rows with numbers up to a size. Of size 1, integers are 0 and 1, which every table has a place for. Those
/// of the first row begin with 1: a mask that hides everything teaches nothing, and neither do rows that are all alike.
fn made_up(input: &Input, at: usize, size: u32, lengths: &[usize], seeds: &[usize]) -> Result<Tensor, Failure> {
    let mut shape = extents(input, lengths);
    let width: usize = shape.iter().product();
    shape.insert(input.batch, seeds.len());
    // The elements of a row stand side by side only if the batch comes first.
    let inner: usize =
        input.shape[input.batch..].iter().zip(&shape[input.batch + 1..]).map(|(_, extent)| extent).product();
    let place = |position: usize| {
        let outer = position / (seeds.len() * inner);
        let row = position / inner % seeds.len();
        (seeds[row], outer * inner + position % inner)
    };
    let bits = (0..width * seeds.len()).map(|position| {
        let (seed, element) = place(position);
        ((seed, element), mixed((seed as u64) << 40 | (at as u64) << 32 | element as u64))
    });
    Ok(Tensor::try_new(shape, elements(input.element, size, bits)).map_err(|fault| inputs_of(input, &fault))?)
}

fn inputs_of(input: &Input, fault: &Fault) -> foretell_tensors::Error {
    foretell_tensors::Error::Inputs(format!("input `{}`: {fault}", input.name))
}

/// Elements up to a size from random bits, and where they stand: in the row of which seed, and at which place there.
fn elements(element: ElementType, size: u32, bits: impl Iterator<Item = ((usize, usize), u64)>) -> Data {
    let number = |bits: u64| ((bits >> 40) as f32 / (1 << 23) as f32 - 1.0) * size as f32;
    // Of all bits the one of which the first rows of an input, turned or backwards, are not what they are in their order.
    let whole = |(place, bits): ((usize, usize), u64)| match size {
        1 if place == (0, 0) => 1,
        1 => (bits >> 28) as u32 & 1,
        _ => (bits >> 28) as u32 % size,
    };
    match element {
        ElementType::F32 => Data::F32(bits.map(|(_, bits)| number(bits)).collect()),
        ElementType::F64 => Data::F64(bits.map(|(_, bits)| f64::from(number(bits))).collect()),
        ElementType::F16 => Data::F16(bits.map(|(_, bits)| half::f16::from_f32(number(bits))).collect()),
        ElementType::Bf16 => Data::Bf16(bits.map(|(_, bits)| half::bf16::from_f32(number(bits))).collect()),
        ElementType::Bool => Data::Bool(bits.map(|place| whole(place) & 1 == 1).collect()),
        ElementType::I8 => Data::I8(bits.map(|place| whole(place) as i8).collect()),
        ElementType::I16 => Data::I16(bits.map(|place| whole(place) as i16).collect()),
        ElementType::I32 => Data::I32(bits.map(|place| whole(place) as i32).collect()),
        ElementType::I64 => Data::I64(bits.map(|place| i64::from(whole(place))).collect()),
        ElementType::U8 => Data::U8(bits.map(|place| whole(place) as u8).collect()),
        ElementType::U16 => Data::U16(bits.map(|place| whole(place) as u16).collect()),
        ElementType::U32 => Data::U32(bits.map(whole).collect()),
        ElementType::U64 => Data::U64(bits.map(|place| u64::from(whole(place))).collect()),
        ElementType::Text => {
            Data::Text(bits.map(|place| if whole(place) & 1 == 1 { "a" } else { "b" }.to_string()).collect())
        }
        ElementType::Narrow(kind) => Data::Narrow(kind, bits.map(|place| whole(place) as u8).collect()),
    }
}
