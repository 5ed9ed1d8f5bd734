//! Nodes that tract has compiled, before it is known which columns they give, and whether tract is right.

use arrow::array::{Array as _, ArrayRef};
use foretell_tensors::{ElementType, Tensor, Value};
use tract_onnx::pb::{ModelProto, ValueInfoProto};
use tract_onnx::prelude::{DatumType, TVec, TractError};
use tract_onnx::tract_hir::internal::{DimLike, SymbolValues, TDim, TypedFact, TypedModel};

use super::evaluated::{Found, Output, batch_starts, found_in_batches};
use super::probe::{Kind, Probe};
use super::trust::{are_close_columns, mixes_rows};
use super::{Batch, CHUNK_ROWS, Island, Port, border};
use crate::elements::arrow_type;
use crate::engine::{Cause, Engine, Evaluator, Extent, LIVE_VALUES, TractPlan, caught, element_of, input_of};
use crate::error::{Error, Result};

/// The number of rows in shapes.
const BATCH: &str = "N";
/// Elements of all values of an island for two rows, beyond which it is not tried.
const TRIAL_ELEMENTS: u64 = 1 << 26;
/// Elements of all values of the rows that are computed at once: a few megabytes, so that what lies between two steps is still in
/// a cache. `foretell-bench plans` says how many rows are best: of pictures of 28 x 28, whose values have some 30,000
/// elements, 16 to 32 at 8,000 rows per second (7,000 with 1,024); of a perceptron with 1,000 elements 512 or more.
const CHUNK_ELEMENTS: u64 = 1 << 20;

/// Bytes of an element of single precision.
const ELEMENT_BYTES: u64 = 4;

/// An input of an island.
#[derive(Debug, Clone)]
pub(crate) struct InputPort {
    pub(crate) name: String,
    pub(crate) element: ElementType,
    pub(crate) port: Port,
}

/// Nodes that tract has compiled, before it is known which columns they give.
pub(crate) struct Draft {
    plan: TractPlan,
    inputs: Vec<Port>,
    /// Types and shapes of the outputs.
    facts: Vec<(DatumType, TVec<TDim>)>,
    /// Elements of all values, for two rows.
    elements: u64,
    /// Those of a row.
    row_elements: u64,
    /// Those of a row's largest value.
    largest: u64,
    /// The number of rows that it was compiled for; `None` for any.
    batch: Option<usize>,
    /// Computes what tract is not trusted with.
    judge: Option<Evaluator>,
    /// The nodes, for messages.
    nodes: String,
}

/// Compiles a model that consists of an island's nodes; its inputs are set here, for any number of rows or for `batch`.
pub(crate) fn compile(model: ModelProto, inputs: Vec<InputPort>, batch: Option<usize>, nodes: String) -> Result<Draft> {
    let declared = inputs.iter().map(|input| declaration(input, batch)).collect();
    let compiled = TractPlan::compile(model, declared).and_then(|plan| {
        let elements = |rows: i64| elements_of(plan.model(), rows);
        let (facts, one, two) = caught(|| Ok((facts_of(plan.model())?, elements(1), elements(2))))?;
        // tract reads the first of no numbers.
        match two.contains(&0) {
            true => Err("a value without elements".into()),
            false => Ok((plan, facts, one, two)),
        }
    });
    let (plan, facts, one, two) = compiled.map_err(|source| Error::Island { nodes: nodes.clone(), source })?;
    let inputs = inputs.into_iter().map(|input| input.port).collect();
    let of_row: Vec<u64> = one.iter().zip(&two).map(|(one, two)| two.saturating_sub(*one)).collect();
    let sum = |elements: &[u64]| elements.iter().copied().fold(0, u64::saturating_add);
    let (elements, row_elements) = (sum(&two), sum(&of_row));
    let largest = of_row.into_iter().max().unwrap_or(0);
    Ok(Draft { plan, inputs, facts, elements, row_elements, largest, batch, judge: None, nodes })
}

/// Types and shapes of the outputs.
fn facts_of(model: &TypedModel) -> Result<Vec<(DatumType, TVec<TDim>)>, TractError> {
    let facts = model.output_outlets()?.iter().map(|outlet| {
        let fact = model.outlet_fact(*outlet)?;
        Ok((fact.datum_type, fact.shape.to_tvec()))
    });
    facts.collect()
}

/// Elements of each value that is computed for so many rows, as far as shapes tell.
fn elements_of(model: &TypedModel, count: i64) -> Vec<u64> {
    let mut rows = SymbolValues::default();
    if let Some(symbol) = model.symbols.get(BATCH) {
        rows.set(&symbol, count);
    }
    let volume = |fact: &TypedFact| {
        let extents = fact.shape.to_tvec().into_iter();
        let extents = extents.map(|dim| dim.eval_to_i64(&rows).ok().and_then(|extent| u64::try_from(extent).ok()));
        extents.fold(1_u64, |volume, extent| volume.saturating_mul(extent.unwrap_or(1)))
    };
    let outlets = model.nodes().iter().flat_map(|node| &node.outputs);
    outlets.filter(|outlet| outlet.fact.konst.is_none()).map(|outlet| volume(&outlet.fact)).collect()
}

impl Draft {
    /// Whether it can be tried with two rows without taking much memory.
    pub(super) fn is_small(&self) -> bool {
        self.elements <= TRIAL_ELEMENTS
    }

    /// Bytes that a row takes at most, as far as shapes tell.
    pub(super) fn row_bytes(&self) -> u64 {
        self.largest.saturating_mul(LIVE_VALUES * ELEMENT_BYTES)
    }

    /// What was compiled.
    pub(super) fn plan(&self) -> &TractPlan {
        &self.plan
    }

    /// The inputs for rows of a kind, as many as it is tried with.
    pub(super) fn trial(&self, kind: Kind, probe: &Probe) -> Result<Vec<Tensor>> {
        let rows = self.batch.unwrap_or(2);
        border::tensors(&self.inputs, &probe.rows(kind, rows)?, rows)
    }

    /// Gives what tract is not trusted with to the evaluator of the same nodes.
    pub(super) fn with_judge(self, judge: Evaluator) -> Self {
        Self { judge: Some(judge), ..self }
    }

    /// An island for any number of rows.
    pub(crate) fn into_island(self, probe: &Probe) -> Result<Island> {
        let is_small = self.is_small();
        let Self { plan, inputs, facts, row_elements, judge, nodes, .. } = self;
        let outputs = facts.into_iter().map(|(datum, dims)| output_port(datum, &dims));
        let failed = |source: Cause| Error::Island { nodes: nodes.clone(), source };
        let outputs = outputs.collect::<Result<_, Cause>>().map_err(failed)?;
        let (engine, batch) = (Engine::tract(plan, judge), Batch::UpTo(chunk_rows(row_elements)));
        let island = Island { engine, inputs, outputs, batch, nodes: nodes.clone() };
        match is_small && mixes_rows(&island, probe)? {
            true => Err(failed("it mixes rows: a row has another answer beside other rows".into())),
            false => Ok(island),
        }
    }

    /// An island for as many rows at a time as the draft was compiled for. `read` tells which outputs other nodes read.
    pub(crate) fn into_batches(self, batch: usize, read: &[bool], probe: &Probe) -> Result<Island> {
        let failed = |source: Cause| Error::Island { nodes: self.nodes.clone(), source };
        let columns = probe.rows(Kind::Mixed, 2 * batch)?;
        let rows = |start: usize| {
            let columns: Vec<ArrayRef> = columns.iter().map(|column| column.slice(start, batch)).collect();
            self.plan.run(&border::tensors(&self.inputs, &columns, batch)?).map_err(failed)
        };
        let [first, second, third] = batch_starts(batch).map(rows);
        let (first, second, third) = (first?, second?, third?);
        let mut outputs = Vec::with_capacity(first.len());
        for (at, &read) in read.iter().enumerate() {
            let values = [&first[at], &second[at], &third[at]].map(|tensor| Value::from(tensor.clone()));
            match found_in_batches(&values, batch, read, are_close_columns) {
                Found::Output(Output::Port, mut ports) => outputs.append(&mut ports),
                _ => return Err(failed("it mixes rows: an output that has no place for each row".into())),
            }
        }
        let Self { plan, inputs, judge, nodes, .. } = self;
        let (engine, batch) = (Engine::tract(plan, judge), Batch::Exactly(batch));
        Ok(Island { engine, inputs, outputs, batch, nodes })
    }
}

/// Rows that are computed at once, if all values of one have so many elements.
fn chunk_rows(row_elements: u64) -> usize {
    let rows = CHUNK_ELEMENTS / row_elements.max(1);
    usize::try_from(rows).map_or(CHUNK_ROWS, |rows| rows.clamp(1, CHUNK_ROWS))
}

fn declaration(input: &InputPort, batch: Option<usize>) -> ValueInfoProto {
    let mut extents: Vec<Extent> = input.port.shape.iter().map(|&extent| Extent::DimValue(extent as i64)).collect();
    let rows = batch.map_or_else(|| Extent::DimParam(BATCH.to_string()), |batch| Extent::DimValue(batch as i64));
    extents.insert(input.port.batch, rows);
    input_of(&input.name, input.element, extents)
}

/// The one dimension that is not a number is the batch.
fn output_port(datum: DatumType, dims: &[TDim]) -> Result<Port, Cause> {
    let data_type = element_of(datum).and_then(arrow_type).ok_or_else(|| format!("an output of type {datum:?}"))?;
    let open: Vec<usize> = (0..dims.len()).filter(|&axis| dims[axis].to_i64().is_err()).collect();
    let [batch] = open[..] else {
        return Err(format!("it mixes rows: an output of shape {dims:?}").into());
    };
    // Other symbols stand for extents that depend on elements, as those of NonZero do.
    if !matches!(&dims[batch], TDim::Sym(_)) || dims[batch].to_string() != BATCH {
        return Err(format!("it mixes rows: an output of shape {dims:?}").into());
    }
    let extents = dims.iter().enumerate().filter(|(axis, _)| *axis != batch).map(|(_, dim)| dim.to_usize());
    let shape = extents.collect::<Result<Vec<_>, _>>()?;
    Port::output(data_type, shape, batch).ok_or_else(|| format!("an output of shape {dims:?}").into())
}
