//! The interpreter: steps in their order over a frame of slots.

use foretell_kernels::pictures::Scratch;

use crate::budget::Meter;
use crate::call::Call;
use crate::control;
use crate::error::{Error, Fault, Outcome, Result};
use crate::lines::Lines;
use crate::pictures::Layers;
use crate::plan::{Action, Body, Step};
use crate::shape;
use crate::value::Value;

/// Work that a node takes whatever it does.
pub(crate) const NODE_WORK: u64 = 128;

/// Runs a body; `captured` has the values it takes from outside, in the order of [`Body::captured`].
pub(crate) fn run_body(body: &Body, inputs: Vec<Value>, captured: Vec<Value>, meter: &Meter) -> Result<Vec<Value>> {
    let mut frame = Frame {
        slots: vec![None; body.slots],
        noted: vec![0; body.slots],
        meter,
        scratch: Scratch::default(),
        scratch_noted: 0,
    };
    for (slot, value) in body.constants.iter().cloned() {
        frame.slots[slot] = Some(value);
    }
    for (&slot, value) in body.inputs.iter().zip(inputs) {
        frame.slots[slot] = Some(value);
    }
    for (&(_, slot), value) in body.captured.iter().zip(captured) {
        frame.slots[slot] = Some(value);
    }
    let mut at = 0;
    while at < body.steps.len() {
        at += frame.next(body, at).map_err(|fault| body.steps[at].failed(fault))?;
    }
    body.outputs.iter().map(|&slot| frame.output(slot)).collect()
}

/// The values of a body that is running.
pub(crate) struct Frame<'m> {
    pub(crate) slots: Vec<Option<Value>>,
    /// Bytes noted in the meter for each slot; nothing for values from outside.
    noted: Vec<u64>,
    pub(crate) meter: &'m Meter,
    /// What networks of pictures are computed in, and its bytes noted in the meter.
    scratch: Scratch,
    scratch_noted: u64,
}

impl Frame<'_> {
    /// Runs a step, or several that go together picture by picture or line by line; how many.
    fn next(&mut self, body: &Body, at: usize) -> Outcome<usize> {
        if let Some(layers) = Layers::of(self, body, at) {
            let (slot, tensor) = layers.compute(&body.steps[at].kept, &mut self.scratch, self.meter)?;
            let grown = self.scratch.bytes() as u64 - self.scratch_noted;
            self.meter.keep(grown)?;
            self.scratch_noted += grown;
            self.put(slot, tensor.into())?;
            body.steps[at..at + layers.count()].iter().for_each(|step| self.release(step));
            return Ok(layers.count());
        }
        let together = Lines::of(self, body, at);
        let count = together.count();
        if count == 0 {
            self.step(&body.steps[at])?;
            return Ok(1);
        }
        for (slot, tensor) in together.compute(self.meter)? {
            self.put(slot, tensor.into())?;
        }
        body.steps[at..at + count].iter().for_each(|step| self.release(step));
        Ok(count)
    }

    /// The values that a step reads, as far as they are there.
    pub(crate) fn inputs(&self, step: &Step) -> Vec<Option<Value>> {
        step.inputs.iter().map(|slot| slot.and_then(|slot| self.slots[slot].clone())).collect()
    }

    fn step(&mut self, step: &Step) -> Outcome<()> {
        self.meter.work(NODE_WORK)?;
        let inputs = self.inputs(step);
        let kept = step.has_constant_weights.then_some(&step.kept);
        let call = Call { node: &step.node, inputs: &inputs, meter: self.meter, kept };
        let outputs = match &step.action {
            Action::Operator(operator) => operator.run(&call)?,
            Action::Control(control, bodies) => control::run(*control, &call, bodies, &self.slots)?,
        };
        let read = step.outputs.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        if read > outputs.len() {
            return Err(Fault::unsupported(format!("its output {} is read", outputs.len())));
        }
        for (slot, value) in step.outputs.iter().zip(outputs) {
            if let Some(slot) = *slot {
                self.put(slot, value)?;
            }
        }
        drop(inputs);
        self.release(step);
        Ok(())
    }

    fn put(&mut self, slot: usize, value: Value) -> Outcome<()> {
        // An empty value takes no memory, but its other axes are walked.
        if let Some(tensor) = value.tensor() {
            self.meter.room(shape::span(tensor.shape())?, 1)?;
        }
        let bytes = value.bytes();
        self.meter.work(bytes / 8)?;
        self.meter.keep(bytes)?;
        self.noted[slot] = bytes;
        self.slots[slot] = Some(value);
        Ok(())
    }

    fn release(&mut self, step: &Step) {
        for &slot in &step.released {
            self.slots[slot] = None;
            self.meter.release(std::mem::take(&mut self.noted[slot]));
        }
    }

    fn output(&self, slot: usize) -> Result<Value> {
        self.slots[slot].clone().ok_or_else(|| Error::Graph("an output that was not computed".to_string()))
    }
}

impl Drop for Frame<'_> {
    fn drop(&mut self) {
        self.meter.release(self.noted.iter().sum::<u64>() + self.scratch_noted);
    }
}
