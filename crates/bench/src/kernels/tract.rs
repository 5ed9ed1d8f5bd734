//! tract as a peer: a plan for a fixed number of rows, which is faster than one for any number, shared by all threads.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tract_onnx::prelude::{
    Datum, DatumExt, Framework, InferenceFact, InferenceModelExt, IntoRunnable, TValue, TVec, Tensor, TypedSimplePlan,
    tvec,
};

use super::rows::Tensors;
use super::worker::{Answers, Predictor, Timing};
use crate::Result;

/// Beyond this many rows at once, what lies between two layers does not stay in the cache.
const CHUNK_ROWS: usize = 4096;

/// tract on rows that lie in memory one after the other.
pub struct TractEngine {
    model: PathBuf,
    rows: Tensors,
    count: usize,
    threads: usize,
    plan: Option<(usize, Arc<TypedSimplePlan>)>,
    at: usize,
}

impl TractEngine {
    pub fn new(model: &Path, rows: Tensors, count: usize, threads: usize) -> Self {
        Self { model: model.to_owned(), rows, count, threads, plan: None, at: 0 }
    }

    /// The plan for so many rows at once.
    pub fn plan(&mut self, rows: usize) -> Result<Arc<TypedSimplePlan>> {
        if let Some((planned, plan)) = &self.plan
            && *planned == rows
        {
            return Ok(Arc::clone(plan));
        }
        let mut model = tract_onnx::onnx().model_for_path(&self.model)?;
        let facts: Vec<InferenceFact> = match &self.rows {
            Tensors::Matrix { width, .. } => vec![f32::fact([rows, *width]).into()],
            Tensors::Lists(lists) => lists.iter().map(|(_, width)| i64::fact([rows, *width]).into()).collect(),
        };
        for (at, fact) in facts.into_iter().enumerate() {
            model.set_input_fact(at, fact)?;
        }
        let plan = model.into_optimized()?.into_runnable()?;
        self.plan = Some((rows, Arc::clone(&plan)));
        Ok(plan)
    }

    fn inputs(&self, start: usize, rows: usize) -> Result<TVec<TValue>> {
        fn tensor<T: Datum + Copy>(values: &[T], width: usize, start: usize, rows: usize) -> Result<TValue> {
            let values = &values[start * width..(start + rows) * width];
            Ok(Tensor::from_shape(&[rows, width], values)?.into())
        }
        match &self.rows {
            Tensors::Matrix { values, width } => Ok(tvec![tensor(values, *width, start, rows)?]),
            Tensors::Lists(lists) => lists.iter().map(|(values, width)| tensor(values, *width, start, rows)).collect(),
        }
    }

    /// Predicts `chunks` chunks, one after the other, from row `start` on.
    fn predict(&self, plan: &Arc<TypedSimplePlan>, start: usize, chunk: usize, chunks: usize) -> Result<(), String> {
        for at in 0..chunks {
            let inputs = self.inputs(start + at * chunk, chunk).map_err(|error| error.to_string())?;
            std::hint::black_box(plan.run(inputs).map_err(|error| format!("{error:#}"))?);
        }
        Ok(())
    }
}

impl Predictor for TractEngine {
    fn run(&mut self, batch: usize, seconds: f64) -> Result<Timing> {
        let chunk = batch.min(CHUNK_ROWS);
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
                    .map(|thread| scope.spawn(move || this.predict(plan, from(thread), chunk, each)))
                    .collect();
                this.predict(plan, from(0), chunk, each)?;
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
        let outputs = self.plan(rows)?.run(self.inputs(0, rows)?)?;
        let last = outputs.last().ok_or("tract gave no output")?.cast_to::<f32>()?.into_owned();
        let values = last.try_as_plain_ram()?.as_slice::<f32>()?.to_vec();
        let width = values.len() / rows;
        Ok(Answers { values, width })
    }
}
