//! tract as a peer: a plan shared by all threads, for a fixed number of rows or for any.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tract_onnx::prelude::{
    Framework, InferenceFact, InferenceModelExt, IntoRunnable, TDim, TValue, TVec, Tensor, TypedSimplePlan,
};
use tract_onnx::tract_hir::infer::Factoid;

use super::worker::{Answers, Predictor, Timing};
use crate::Result;

/// Beyond this many rows at once, what lies between two layers does not stay in the cache.
pub const CHUNK_ROWS: usize = 4096;

/// tract on rows that lie in memory one after the other.
pub struct TractEngine {
    model: PathBuf,
    /// For each input of the model a matrix with a row for each row.
    rows: Vec<Tensor>,
    count: usize,
    threads: usize,
    chunk_rows: usize,
    kind: PlanKind,
    plan: Option<Arc<Plan>>,
    at: usize,
}

/// What a plan is compiled for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PlanKind {
    /// The rows that it computes at once.
    Specialised,
    /// Any number of rows.
    Symbolic,
}

/// A compiled model that is given so many rows at once.
pub struct Plan {
    rows: usize,
    runnable: Arc<TypedSimplePlan>,
    /// Shapes of the inputs.
    shapes: Vec<Vec<usize>>,
}

impl TractEngine {
    /// An engine that computes at most so many rows at once.
    pub fn new(model: &Path, rows: &[Tensor], threads: usize, chunk_rows: usize, kind: PlanKind) -> Self {
        let count = rows.first().map_or(0, |matrix| matrix.shape()[0]);
        Self { model: model.to_owned(), rows: rows.to_vec(), count, threads, chunk_rows, kind, plan: None, at: 0 }
    }

    /// The plan for so many rows at once.
    pub fn plan(&mut self, rows: usize) -> Result<Arc<Plan>> {
        if let Some(plan) = self.plan.as_ref().filter(|plan| plan.rows == rows) {
            return Ok(Arc::clone(plan));
        }
        let mut model = tract_onnx::onnx().model_for_path(&self.model)?;
        let mut shapes = Vec::new();
        for (at, matrix) in self.rows.iter().enumerate() {
            let declared = model.input_fact(at)?.shape.clone();
            // Extents that the file leaves open are as long as the lists.
            let inner = declared.dims().skip(1).map(|extent| usize::try_from(extent.concretize()?.to_i64().ok()?).ok());
            let inner = inner.collect::<Option<Vec<usize>>>().unwrap_or_else(|| vec![matrix.shape()[1]]);
            let first = match self.kind {
                PlanKind::Specialised => TDim::from(rows as i64),
                PlanKind::Symbolic => model.symbols.sym("rows").into(),
            };
            let extents: TVec<TDim> =
                std::iter::once(first).chain(inner.iter().map(|&extent| TDim::from(extent as i64))).collect();
            model.set_input_fact(at, InferenceFact::dt_shape(matrix.datum_type(), extents))?;
            shapes.push([&[rows], inner.as_slice()].concat());
        }
        let runnable = model.into_optimized()?.into_runnable()?;
        let plan = Arc::new(Plan { rows, runnable, shapes });
        self.plan = Some(Arc::clone(&plan));
        Ok(plan)
    }

    fn inputs(&self, plan: &Plan, start: usize) -> Result<TVec<TValue>> {
        let input = |(matrix, shape): (&Tensor, &Vec<usize>)| {
            Ok(TValue::from(matrix.slice(0, start, start + plan.rows)?.into_shape(shape)?))
        };
        self.rows.iter().zip(&plan.shapes).map(input).collect()
    }

    /// Predicts `chunks` chunks, one after the other, from row `start` on.
    fn predict(&self, plan: &Plan, start: usize, chunks: usize) -> Result<(), String> {
        for at in 0..chunks {
            let inputs = self.inputs(plan, start + at * plan.rows).map_err(|error| error.to_string())?;
            std::hint::black_box(plan.runnable.run(inputs).map_err(|error| format!("{error:#}"))?);
        }
        Ok(())
    }
}

impl Predictor for TractEngine {
    fn run(&mut self, batch: usize, seconds: f64) -> Result<Timing> {
        let chunk = batch.min(self.chunk_rows);
        let plan = self.plan(chunk)?;
        let each = batch / chunk;
        let start = Instant::now();
        let mut rows = 0;
        loop {
            if (self.at + self.threads) * batch > self.count {
                self.at = 0;
            }
            std::thread::scope(|scope| {
                let from = |thread: usize| (self.at + thread) * batch;
                let (this, plan) = (&*self, &plan);
                let others: Vec<_> = (1..this.threads)
                    .map(|thread| scope.spawn(move || this.predict(plan, from(thread), each)))
                    .collect();
                this.predict(plan, from(0), each)?;
                others.into_iter().try_for_each(|other| other.join().map_err(|_| "tract panicked".to_owned())?)
            })?;
            self.at += self.threads;
            rows += batch * self.threads;
            let elapsed = start.elapsed().as_secs_f64();
            if elapsed >= seconds {
                return Ok(Timing { rows, seconds: elapsed });
            }
        }
    }

    fn answers(&mut self, rows: usize) -> Result<Answers> {
        let plan = self.plan(rows)?;
        let outputs = plan.runnable.run(self.inputs(&plan, 0)?)?;
        let last = outputs.last().ok_or("tract gave no output")?.cast_to::<f32>()?.into_owned();
        let values = last.try_as_plain_ram()?.as_slice::<f32>()?.to_vec();
        let width = values.len() / rows;
        Ok(Answers { values, width })
    }
}
