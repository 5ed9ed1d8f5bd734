//! Islands that the tensor evaluator computes: it has every operator and every kind of value, and is not built for speed.
//!
//! The evaluator knows shapes only while it runs, so an island is tried with a few rows when the model is loaded: all of
//! them together, and two of them alone. Where a dimension of a result follows the number of rows, and the rows together have
//! the answers they have alone, that is the batch. What does not follow it cannot leave the island. A row may have several
//! places along the batch, one after the other, if nobody but the user reads them: that is a list of them.

use arrow::array::{Array as _, ArrayRef};
use foretell_tensors::{Budget, Graph, Tensor, Usage, Value};

use super::probe::{Kind, Probe, rows_at_border};
use super::{Batch, CHUNK_ROWS, Island, Port, TRIAL_ROWS, border, is_of_rows};
use crate::elements::arrow_type;
use crate::engine::{Engine, Evaluator, leaves};
use crate::error::{Error, Result};
use crate::limits::Limits;

/// Operations that an island may take while it is tried, besides those that its constants and inputs allow for.
const TRIAL_WORK: u64 = 1 << 25;
/// Operations for each element of a constant: a weight of a convolution meets every place of a picture.
const TRIAL_WORK_PER_CONSTANT: u64 = 1 << 12;
/// Operations for each element of a row.
const TRIAL_WORK_PER_ELEMENT: u64 = 1 << 10;
/// Operations of an island that kernels compute, which take half a second.
const KERNEL_TRIAL_WORK_MAX: u64 = 1 << 31;
/// Bytes that an island may take while it is tried, besides those that its constants allow for.
const TRIAL_BYTES: u64 = 96 << 20;
const TRIAL_BYTES_PER_CONSTANT: u64 = 64;
/// Trials go on with other kinds of rows while they take less work than this.
const CHEAP_WORK: u64 = 1 << 24;
/// Share of the bytes a run may take that the rows of one chunk fill.
const CHUNK_SHARE: u64 = 8;
/// Bytes that the rows of one chunk fill at most. Weights are packed for each chunk, and what lies between two steps of a few
/// megabytes is still in a cache.
const CHUNK_BYTES: u64 = 4 << 20;
/// The largest batch of a file that is taken for one.
pub(crate) const BATCH_MAX: usize = 4096;

/// What is said of an output whose rows were seen to change each other.
const MIXED: &str = "of a row depends on the rows beside it: it mixes rows";

/// Nodes for the evaluator.
pub(crate) struct Request<'a> {
    /// Its inputs are the ports.
    pub(crate) graph: Graph,
    pub(crate) ports: Vec<Port>,
    /// Which outputs hold elements of rows.
    pub(crate) of_rows: Vec<bool>,
    /// Which outputs other nodes read.
    pub(crate) read: Vec<bool>,
    /// What the graph does depends on elements of rows.
    pub(crate) steps_depend: bool,
    /// Number of rows that the file has in its shapes.
    pub(crate) declared_batch: Option<usize>,
    pub(crate) limits: &'a Limits,
    /// The nodes, for messages.
    pub(crate) nodes: String,
}

/// What became of the nodes.
pub(crate) struct Evaluated {
    /// Nothing where all results are known already.
    pub(crate) island: Option<Island>,
    /// What each output of the graph is.
    pub(crate) outputs: Vec<Output>,
}

/// A result of an island.
#[derive(Debug, Clone)]
pub(crate) enum Output {
    /// The next port of the island.
    Port,
    /// Tensors one after the other.
    Sequence(Vec<Output>),
    /// The same for all rows.
    Constant(Tensor),
    /// A shape: `None` is the number of rows.
    Rows { values: Vec<Option<i64>>, scalar: bool },
}

/// Why nodes cannot be computed together.
pub(crate) enum Refusal {
    /// They cannot at all.
    Failed(Error),
    /// These outputs cannot leave: whoever reads them must be computed along.
    Inside(Vec<usize>),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Compiles nodes for the evaluator and finds out what they give.
pub(crate) fn evaluate(request: Request, probe: &Probe) -> Result<Evaluated, Refusal> {
    let Request { graph, ports, nodes, .. } = &request;
    let constants = graph.constants.iter().map(|(_, value)| value.tensor().map_or(0, Tensor::len) as u64).sum::<u64>();
    let elements = ports.iter().map(|port| port.elements() as u64).fold(0, u64::saturating_add);
    let work = constants.saturating_mul(TRIAL_WORK_PER_CONSTANT);
    let work = work.saturating_add(elements.saturating_mul(TRIAL_WORK_PER_ELEMENT)).saturating_add(TRIAL_WORK);
    let bytes = constants.saturating_mul(TRIAL_BYTES_PER_CONSTANT).saturating_add(TRIAL_BYTES);
    let allowed = request.limits.budget();
    let evaluator = Evaluator::new(graph.clone(), allowed).map_err(|error| Error::tensors(nodes, error))?;
    // Each weight of a convolution meets every place of a picture, which kernels do soon.
    let of_kernels = constants.saturating_mul(elements).saturating_mul(TRIAL_ROWS as u64).min(KERNEL_TRIAL_WORK_MAX);
    let work = if evaluator.is_fast() { work.max(of_kernels) } else { work };
    let budget = Budget { bytes: allowed.bytes.min(bytes), work: allowed.work.min(work) };
    let trials = Trials { evaluator: &evaluator, ports, budget, nodes, probe };
    if ports.is_empty() {
        let values = trials.run(&[], 0)?.values;
        let constants = values.into_iter().enumerate().map(|(at, value)| constant(value).ok_or(at));
        let outputs = constants.collect::<Result<_, usize>>().map_err(|at| Refusal::Inside(vec![at]))?;
        return Ok(Evaluated { island: None, outputs });
    }
    let study = match (trials.together(&request), request.declared_batch) {
        (Err(refusal), Some(batch @ 1..=BATCH_MAX)) => {
            trials.batches(&request, batch).map_err(|other| match other {
                Refusal::Inside(outputs) => Refusal::Inside(outputs),
                Refusal::Failed(_) => refusal,
            })?
        }
        (study, _) => study?,
    };
    let shown = study.outputs.iter().map(has_port).collect();
    let engine = Engine::tensors(evaluator.showing(shown));
    let (inputs, nodes) = (request.ports, request.nodes);
    let island = Island { engine, inputs, outputs: study.ports, batch: study.batch, nodes };
    Ok(Evaluated { island: Some(island).filter(|island| !island.outputs.is_empty()), outputs: study.outputs })
}

fn has_port(output: &Output) -> bool {
    match output {
        Output::Port => true,
        Output::Sequence(items) => items.iter().any(has_port),
        Output::Constant(_) | Output::Rows { .. } => false,
    }
}

/// A value that is the same for all rows, where columns can hold it.
fn constant(value: Value) -> Option<Output> {
    match value {
        Value::Tensor(tensor) => arrow_type(tensor.element_type()).map(|_| Output::Constant(tensor)),
        Value::Optional(Some(value)) => constant(Value::clone(&value)),
        Value::Sequence(items) => items.iter().cloned().map(constant).collect::<Option<_>>().map(Output::Sequence),
        Value::Optional(None) | Value::Map(_) => None,
    }
}

/// Where batches begin that are compared: every row is in two of them at different places, but for those at the ends.
pub(super) fn batch_starts(batch: usize) -> [usize; 3] {
    [0, batch / 2, batch]
}

fn slices(columns: &[ArrayRef], start: usize, rows: usize) -> Vec<ArrayRef> {
    columns.iter().map(|column| column.slice(start, rows)).collect()
}

/// What trials have shown.
struct Study {
    batch: Batch,
    ports: Vec<Port>,
    outputs: Vec<Output>,
}

/// Runs of a program before there are rows of a table.
struct Trials<'t> {
    evaluator: &'t Evaluator,
    ports: &'t [Port],
    budget: Budget,
    nodes: &'t str,
    probe: &'t Probe<'t>,
}

struct Run {
    values: Vec<Value>,
    usage: Usage,
}

impl Trials<'_> {
    fn run(&self, columns: &[ArrayRef], rows: usize) -> Result<Run> {
        let inputs = border::tensors(self.ports, columns, rows)?;
        let run = self.evaluator.measure(inputs, self.budget);
        let (values, usage) = run.map_err(|error| Error::tensors(self.nodes, error))?;
        Ok(Run { values, usage })
    }

    /// Runs over some rows together, then over the first and the last of them alone.
    fn several(&self, columns: &[ArrayRef]) -> Result<[Run; 3]> {
        let alone = |row| self.run(&slices(columns, row, 1), 1);
        let [first, last] = [alone(0)?, alone(TRIAL_ROWS - 1)?];
        Ok([self.run(columns, TRIAL_ROWS)?, first, last])
    }

    /// Any number of rows at a time.
    fn together(&self, request: &Request) -> Result<Study, Refusal> {
        let mut failure = None;
        let mut runs = Vec::new();
        for kind in Kind::ALL {
            match self.probe.rows(kind, TRIAL_ROWS).and_then(|columns| self.several(&columns)) {
                Ok(several) => {
                    let is_cheap = several[0].usage.work < CHEAP_WORK;
                    runs.push(several);
                    if !is_cheap {
                        break;
                    }
                }
                // What takes too much with one kind of rows need not be tried with another.
                Err(error) if !is_of_rows(&error) => return Err(error.into()),
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        let Some([several, alone, _]) = runs.first() else {
            let error = failure.unwrap_or_else(|| Error::Internal("an island that was never tried".to_string()));
            return Err(error.into());
        };
        let more_bytes = several.usage.bytes.saturating_sub(alone.usage.bytes);
        let row_bytes = (more_bytes / (TRIAL_ROWS as u64 - 1)).max(1);
        let chunk = (request.limits.run_bytes / CHUNK_SHARE).min(CHUNK_BYTES) / row_bytes;
        let chunk = usize::try_from(chunk).map_or(CHUNK_ROWS, |chunk| chunk.clamp(1, CHUNK_ROWS));
        let found = |runs: &[[Run; 3]], at: usize| {
            let of_output = |run: &Run| run.values[at].clone();
            let results: Vec<[Value; 3]> = runs.iter().map(|runs| runs.each_ref().map(of_output)).collect();
            found(&results, request.of_rows[at], request.read[at])
        };
        let mut study = self.study(request, Batch::UpTo(chunk), |at| found(&runs, at))?;
        // Rows of features may all be the same here. Others teach something if they can be computed.
        let columns = rows_at_border(self.ports, TRIAL_ROWS)?;
        if let Ok(others) = self.several(&columns).map(|runs| [runs])
            && let Some(at) = (0..study.outputs.len()).find(|&at| matches!(found(&others, at), Found::Mixed))
        {
            return Err(self.unsupported(request, at, MIXED).into());
        }
        if request.steps_depend || study.ports.iter().any(|port| port.folded) {
            study.batch = Batch::Exactly(1);
        }
        Ok(study)
    }

    /// As many rows at a time as the file has in its shapes.
    fn batches(&self, request: &Request, batch: usize) -> Result<Study, Refusal> {
        let columns = self.probe.rows(Kind::Mixed, 2 * batch)?;
        let [first, second, third] = batch_starts(batch).map(|start| self.run(&slices(&columns, start, batch), batch));
        let runs = [first?, second?, third?];
        self.study(request, Batch::Exactly(batch), |at| {
            let of_output = |run: &Run| run.values[at].clone();
            let same = |one: &ArrayRef, other: &ArrayRef| one == other;
            found_in_batches(&runs.each_ref().map(of_output), batch, request.read[at], same)
        })
    }

    /// Collects what is found out about each output.
    fn study(&self, request: &Request, batch: Batch, find: impl Fn(usize) -> Found) -> Result<Study, Refusal> {
        let (mut ports, mut outputs, mut inside) = (Vec::new(), Vec::new(), Vec::new());
        for at in 0..request.of_rows.len() {
            match find(at) {
                Found::Output(output, mut found) => {
                    ports.append(&mut found);
                    outputs.push(output);
                }
                Found::Mixed => return Err(self.unsupported(request, at, MIXED).into()),
                Found::Unfit if request.read[at] => inside.push(at),
                Found::Unfit => {
                    let why = "has no dimension that follows the number of rows";
                    return Err(self.unsupported(request, at, why).into());
                }
            }
        }
        if inside.is_empty() { Ok(Study { batch, ports, outputs }) } else { Err(Refusal::Inside(inside)) }
    }

    /// The error about an output of the graph, in terms of the node that writes it.
    fn unsupported(&self, request: &Request, output: usize, why: &str) -> Error {
        let graph = &request.graph;
        let name = graph.outputs.get(output).map_or("", String::as_str);
        let Some(node) = graph.nodes.iter().find(|node| node.outputs.iter().any(|written| written == name)) else {
            return Error::Internal(format!("nothing writes `{name}` of {}", self.nodes));
        };
        let (operator, opset) = (node.operator(), node.opset);
        Error::UnsupportedOperator { operator, node: node.label(), opset, why: format!("`{name}` {why}") }
    }
}

/// What became of a value.
pub(super) enum Found {
    /// It can leave, by these ports.
    Output(Output, Vec<Port>),
    /// Its extents do not follow the number of rows alone.
    Unfit,
    /// A row has another value beside other rows.
    Mixed,
}

/// What a value is that rows give together, and the first and the last of them alone, in some trials.
fn found(trials: &[[Value; 3]], of_rows: bool, read: bool) -> Found {
    let mut lengths = trials.iter().flatten().map(|value| match value {
        Value::Sequence(items) => Some(items.len()),
        _ => None,
    });
    let length = lengths.next().flatten();
    if lengths.any(|other| other != length) {
        return Found::Unfit;
    }
    let leaves: Option<Vec<[Vec<Tensor>; 3]>> = Some(trials.iter().map(|values| values.clone().map(leaves)).collect());
    let count = length.unwrap_or(1);
    let leaves = leaves.filter(|all| all.iter().flatten().all(|tensors| tensors.len() == count));
    let Some(leaves) = leaves else { return Found::Unfit };
    let (mut items, mut ports) = (Vec::with_capacity(count), Vec::new());
    for at in 0..count {
        let trials: Vec<[&Tensor; 3]> =
            leaves.iter().map(|trial| trial.each_ref().map(|tensors| &tensors[at])).collect();
        match found_tensor(&trials, of_rows, read) {
            Found::Output(output, mut found) => {
                items.push(output);
                ports.append(&mut found);
            }
            other => return other,
        }
    }
    match length {
        Some(_) => Found::Output(Output::Sequence(items), ports),
        None => items.pop().map_or(Found::Unfit, |output| Found::Output(output, ports)),
    }
}

fn found_tensor(trials: &[[&Tensor; 3]], of_rows: bool, read: bool) -> Found {
    let Some([several, alone, _]) = trials.first() else { return Found::Unfit };
    let shapes = |trial: &[&Tensor; 3]| trial.map(|tensor| tensor.shape().to_vec());
    let kinds = |tensors: &[&Tensor; 3]| tensors.map(Tensor::element_type);
    let same = |trial| shapes(trial) == shapes(&trials[0]) && kinds(trial) == [several.element_type(); 3];
    if alone.rank() != several.rank() || trials.iter().any(|trial| !same(trial) || trial[1].shape() != trial[2].shape())
    {
        return Found::Unfit;
    }
    let Some(data_type) = arrow_type(several.element_type()) else { return Found::Unfit };
    let changed: Vec<usize> =
        (0..several.rank()).filter(|&axis| several.shape()[axis] != alone.shape()[axis]).collect();
    match changed[..] {
        [] if of_rows => Found::Unfit,
        [] => unchanged(trials),
        [axis] => {
            let places = alone.shape()[axis];
            // Whoever reads rows of several places each, takes each place for a row.
            if several.shape()[axis] != TRIAL_ROWS * places || (places > 1 && read) {
                return Found::Unfit;
            }
            let mut shape = alone.shape().to_vec();
            if places == 1 {
                shape.remove(axis);
            }
            let Some(port) = Port::output(data_type, shape, axis) else { return Found::Unfit };
            let port = Port { folded: places > 1, ..port };
            match trials.iter().all(|trial| rows_are_alike(&port, trial)) {
                true => Found::Output(Output::Port, vec![port]),
                false => Found::Mixed,
            }
        }
        _ => Found::Unfit,
    }
}

/// True if the first and the last row have the values together that they have alone.
fn rows_are_alike(port: &Port, [several, first, last]: &[&Tensor; 3]) -> bool {
    let columns = |tensor: &Tensor, rows: usize| border::columns(port, tensor.data(), rows);
    let (Ok(several), Ok(first), Ok(last)) = (columns(several, TRIAL_ROWS), columns(first, 1), columns(last, 1)) else {
        return false;
    };
    let is = |together: &ArrayRef, row: usize, alone: &ArrayRef| *together.slice(row, 1) == **alone;
    let alone = first.iter().zip(&last);
    several.iter().zip(alone).all(|(column, (first, last))| is(column, 0, first) && is(column, TRIAL_ROWS - 1, last))
}

/// A value without a dimension for the rows: always the same, or a shape with their number in it.
fn unchanged(trials: &[[&Tensor; 3]]) -> Found {
    let [several, alone, _] = trials[0];
    if trials.iter().flatten().all(|tensor| tensor.data() == several.data()) {
        return Found::Output(Output::Constant(several.clone()), Vec::new());
    }
    let numbers = |tensor: &Tensor| tensor.values::<i64>().map(<[i64]>::to_vec);
    let (Some(many), Some(one)) = (numbers(several), numbers(alone)) else { return Found::Unfit };
    let always = |[several, first, last]: &[&Tensor; 3]| {
        numbers(several).as_ref() == Some(&many)
            && [first, last].iter().all(|tensor| numbers(tensor).as_ref() == Some(&one))
    };
    let values: Option<Vec<Option<i64>>> = many
        .iter()
        .zip(&one)
        .map(|(&many, &one)| match (many, one) {
            _ if many == one => Some(Some(many)),
            (_, 1) if many == TRIAL_ROWS as i64 => Some(None),
            _ => None,
        })
        .collect();
    match values.filter(|_| several.rank() < 2 && trials.iter().all(always)) {
        Some(values) => Found::Output(Output::Rows { values, scalar: several.rank() == 0 }, Vec::new()),
        None => Found::Unfit,
    }
}

/// What a value is that three batches give, which begin at [`batch_starts`]; `read` tells whether other nodes read it.
pub(super) fn found_in_batches(
    batches: &[Value; 3],
    batch: usize,
    read: bool,
    same: impl Fn(&ArrayRef, &ArrayRef) -> bool,
) -> Found {
    let [Value::Tensor(first), Value::Tensor(second), Value::Tensor(third)] = batches else { return Found::Unfit };
    let shape = first.shape();
    let kind = first.element_type();
    if [second, third].iter().any(|tensor| tensor.shape() != shape || tensor.element_type() != kind) {
        return Found::Unfit;
    }
    let Some(data_type) = arrow_type(kind) else { return Found::Unfit };
    let axis = (0..shape.len()).find(|&axis| shape[axis] == batch && (axis == 0 || batch > 1));
    let (shape, axis) = match axis {
        Some(axis) => (shape[..axis].iter().chain(&shape[axis + 1..]).copied().collect(), axis),
        // Nobody asks for a dimension that a batch of one row leaves out.
        None if batch == 1 && !read => (shape.to_vec(), 0),
        None => return Found::Unfit,
    };
    let Some(port) = Port::output(data_type, shape, axis) else { return Found::Unfit };
    let columns = |tensor: &Tensor| border::columns(&port, tensor.data(), batch);
    let (Ok(first), Ok(second), Ok(third)) = (columns(first), columns(second), columns(third)) else {
        return Found::Unfit;
    };
    let half = batch / 2;
    let rest = batch - half;
    let alike = |at: usize| {
        batch == 1
            || (same(&first[at].slice(half, rest), &second[at].slice(0, rest))
                && same(&second[at].slice(rest, half), &third[at].slice(0, half)))
    };
    match (0..first.len()).all(alike) {
        true => Found::Output(Output::Port, vec![port]),
        false => Found::Mixed,
    }
}
