//! Layers of a network for pictures that are done together, a few pictures at a time, by the kernels of `foretell-kernels`.
//!
//! A convolution that fills the vectors of the processor with its filters, and the functions, windows and convolutions of that
//! kind behind it, each of which alone reads what the one before gives, are one network: what lies in between is never written to
//! memory, and never as ONNX has it. The network is kept with the first of its steps, its weights packed, and serves the next run
//! over pictures of the same extents. Alone or together, a layer has the same bits.
//!
//! Deliberately not here: what is not of single precision, and anything that is wrong with a layer, which its operator tells.

use std::sync::Arc;

use foretell_kernels::convolution::{Axis, Shape};
use foretell_kernels::forms::Form;
use foretell_kernels::functions::Function;
use foretell_kernels::pictures::{Extents, Layer, Network, Scratch, Sizes};

use crate::budget::Meter;
use crate::call::Call;
use crate::error::Outcome;
use crate::kept::Kept;
use crate::lines::{function, only_output};
use crate::multiply;
use crate::ops::{bias_of, convolution_of_pictures, greatest_axes};
use crate::plan::{Body, Step};
use crate::run::{Frame, NODE_WORK};
use crate::shape;
use crate::tensor::Tensor;
use crate::value::Value;

/// Cells of a window that are compared one after the other at most; larger windows are for [`foretell_kernels::pooling`].
const CELLS_MAX: usize = 16;

/// Layers that go together at most.
const LAYERS_MAX: usize = 256;

/// What a layer does, but for its weights.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Convolution(Shape),
    Function(Function),
    Greatest { channels: usize, axes: [Axis; 2] },
}

/// The weights and the bias of a convolution.
struct Weights {
    weights: Tensor,
    bias: Vec<f32>,
}

/// Layers that go together.
pub(crate) struct Layers {
    pictures: Tensor,
    taken: Extents,
    kinds: Vec<Kind>,
    /// Those of each convolution.
    weights: Vec<Weights>,
    /// The shape of the result, and where it goes.
    shape: Vec<usize>,
    slot: usize,
    /// Whether every run has these weights.
    are_constant: bool,
    work: u64,
    /// What the network takes room for.
    sizes: Sizes,
}

/// A network, and what it was made for.
struct Known {
    taken: Extents,
    kinds: Vec<Kind>,
    network: Network,
}

impl Layers {
    /// The layers that go together from this step on, if it is a convolution that is faster with them.
    pub(crate) fn of(frame: &Frame, body: &Body, at: usize) -> Option<Self> {
        let first = &body.steps[at];
        if !is_convolution(first) {
            return None;
        }
        let Value::Tensor(pictures) = frame.slots[(*first.inputs.first()?)?].as_ref()? else { return None };
        pictures.values::<f32>().filter(|values| !values.is_empty())?;
        let taken = extents(pictures.shape())?;
        let mut layers = Self {
            pictures: pictures.clone(),
            taken,
            kinds: Vec::new(),
            weights: Vec::new(),
            shape: pictures.shape().to_vec(),
            slot: usize::MAX,
            are_constant: true,
            work: 0,
            sizes: Sizes::of(taken, &[])?,
        };
        for (at, step) in body.steps.iter().enumerate().skip(at).take(LAYERS_MAX) {
            let follows = layers.kinds.is_empty() || layers.is_read_by(step, body.last_read[layers.slot] == at);
            if !follows || layers.take(frame, step).is_none() {
                break;
            }
        }
        // A single product of channels is faster as ONNX has pictures.
        let are_cells =
            |kind: &Kind| matches!(kind, Kind::Convolution(shape) if shape.axes.iter().any(|axis| axis.kernel > 1));
        let is_faster = layers.weights.len() > 1 || layers.kinds.iter().any(are_cells);
        layers.sizes = Sizes::of(taken, &layers.layers())?;
        (is_faster && shape::volume(&layers.shape).is_ok_and(|volume| volume > 0)).then_some(layers)
    }

    /// How many steps of the graph they are.
    pub(crate) fn count(&self) -> usize {
        self.kinds.len()
    }

    /// Whether a step reads the result up to here, and nobody else does.
    fn is_read_by(&self, step: &Step, is_last: bool) -> bool {
        let readers = step.inputs.iter().filter(|slot| **slot == Some(self.slot)).count();
        is_last && readers == 1 && step.inputs.first() == Some(&Some(self.slot))
    }

    /// Adds a step, if it goes together with those before.
    fn take(&mut self, frame: &Frame, step: &Step) -> Option<()> {
        let slot = only_output(step)?;
        let volume = shape::volume(&self.shape).ok()?;
        let call = Call { node: &step.node, inputs: &frame.inputs(step), meter: frame.meter, kept: None };
        let (kind, work) = if let Some(function) = function(frame, step) {
            (Kind::Function(function), volume)
        } else if is_convolution(step) {
            let weights = call.tensor(1).ok()?;
            weights.values::<f32>()?;
            let (pictures, shape) = convolution_of_pictures(&call, &self.shape, weights.shape())?;
            if !Layer::is_dense(&shape) {
                return None;
            }
            let bias = bias_of(&call, shape.filters).ok()?;
            self.are_constant &= step.has_constant_weights;
            let depth = weights.len() / shape.filters;
            self.weights.push(Weights { weights: weights.clone(), bias });
            self.enter(shape.filters, shape.axes)?;
            let places = shape.axes[0].outputs.checked_mul(shape.axes[1].outputs)?;
            let of_picture = multiply::Extents { rows: shape.filters, depth, columns: places }.work();
            (Kind::Convolution(shape), usize::try_from(of_picture).ok()?.checked_mul(pictures)?)
        } else if step.node.domain.is_empty() && step.node.op_type == "MaxPool" {
            let axes = greatest_axes(&call, &self.shape)?;
            let cells = axes[0].kernel.checked_mul(axes[1].kernel).filter(|cells| *cells <= CELLS_MAX)?;
            let channels = *self.shape.get(1)?;
            self.enter(channels, axes)?;
            (Kind::Greatest { channels, axes }, shape::volume(&self.shape).ok()?.checked_mul(cells)?)
        } else {
            return None;
        };
        self.work = self.work.saturating_add(NODE_WORK).saturating_add(work as u64);
        self.kinds.push(kind);
        self.slot = slot;
        Some(())
    }

    /// Notes the shape behind a layer.
    fn enter(&mut self, channels: usize, axes: [Axis; 2]) -> Option<()> {
        *self.shape.get_mut(1)? = channels;
        let outputs = axes.map(|axis| axis.outputs);
        let along = self.shape.get_mut(2..)?;
        let outputs = &outputs[2_usize.checked_sub(along.len())?..];
        along.copy_from_slice(outputs);
        Some(())
    }

    /// Computes the result, with the slot it belongs to.
    pub(crate) fn compute(&self, kept: &Kept, scratch: &mut Scratch, meter: &Meter) -> Outcome<(usize, Tensor)> {
        let pictures = self.pictures.values::<f32>().unwrap_or_default();
        let Sizes { kept: own, run, .. } = self.sizes;
        let count = shape::volume(&self.shape)?;
        let bytes = count.saturating_mul(size_of::<f32>()).saturating_add(own).saturating_add(run);
        meter.room(bytes, 1)?;
        meter.work(self.work.saturating_add(((own + run) / size_of::<f32>()) as u64))?;
        let known = self.known(kept);
        let mut result = vec![0.0; count];
        known.network.evaluate(pictures, &mut result, scratch);
        Ok((self.slot, Tensor::new(self.shape.clone(), result)))
    }

    fn layers(&self) -> Vec<Layer<'_>> {
        let mut weights = self.weights.iter();
        let layer = |kind: &Kind| match *kind {
            Kind::Function(function) => Some(Layer::Function(function)),
            Kind::Greatest { channels, axes } => Some(Layer::Greatest { channels, axes }),
            Kind::Convolution(shape) => weights.next().map(|Weights { weights, bias }| Layer::Convolution {
                shape,
                weights: weights.values::<f32>().unwrap_or_default(),
                bias,
            }),
        };
        self.kinds.iter().filter_map(layer).collect()
    }

    /// The network that is kept, if it is this one; else it is made, and kept if its weights are always these.
    fn known(&self, kept: &Kept) -> Arc<Known> {
        let taken = self.taken;
        let network = || Network::new(Form::best(), taken, &self.layers());
        let make = || Known { taken, kinds: self.kinds.clone(), network: network() };
        if !self.are_constant {
            return Arc::new(make());
        }
        kept.get_or_make(|known: &Known| known.taken == taken && known.kinds == self.kinds, make)
    }
}

/// Extents of pictures, or of series, which are pictures of one row.
fn extents(shape: &[usize]) -> Option<Extents> {
    match *shape {
        [_, channels, height, width] => Some(Extents { channels, height, width }),
        [_, channels, width] => Some(Extents { channels, height: 1, width }),
        _ => None,
    }
}

fn is_convolution(step: &Step) -> bool {
    step.node.domain.is_empty() && step.node.op_type == "Conv"
}

#[cfg(test)]
mod tests;
