//! Chains of dense layers over columns.
//!
//! A layer is a matrix of weights, an intercept per output, and steps that each output takes before the next layer reads it.
//! Rows go through all layers in tiles small enough that what is between the layers stays in the cache. Sums are those of
//! [`crate::linear`], to the bit: features in their order, blocks of 256 of them, one rounding for a product and its addition.
//! So a row's answer does not depend on the rows around it, nor on the instructions at hand.
//!
//! Measured on one core of an AMD EPYC (Zen 4) beside ONNX Runtime 1.32, in rows per second of processor time, 8192 rows at a
//! time: 28-256-256-1 with ReLU 750,000 (110 GFLOP/s of 118) against 540,000, and 700,000 with the batch of 1024 at which ONNX
//! Runtime is best; the same with tanh 650,000 against 510,000; 28-64-32-1 12.4 million against 10.3; 784-512-512-10 81,000 against
//! 64,000; 64-1024-1024-1 50,000 against 37,000. What decides is that rows lie in the vectors and outputs in the
//! registers, so that columns need no transposition, and that a tile's numbers never leave the second-level cache. The crate
//! `gemm` multiplies as fast (114 GFLOP/s for 256 by 256 weights) and `matrixmultiply` less (104), but both choose where a sum
//! is cut by the number of rows or round otherwise without FMA, and both need a transposition and a pass for each activation.
//!
//! Deliberately not here: products of two computed matrices, convolutions, and layers whose weights are not `f32`.
//!
//! ```
//! use foretell_kernels::dense::{DenseNetwork, Layer, Step};
//! use foretell_kernels::functions::Function;
//!
//! let hidden = Layer::try_new(&[1.0, -1.0], &[0.0, 0.0], vec![Step::Function(Function::Relu)])?;
//! let last = Layer::try_new(&[1.0, 1.0], &[0.5], vec![])?;
//! let network = DenseNetwork::try_new(vec![hidden, last])?;
//! let mut sizes = [0.0; 2];
//! network.evaluate(&[&[-3.0, 2.0]], &mut [&mut sizes]);
//! assert_eq!(sizes, [3.5, 2.5]);
//! # Ok::<(), foretell_kernels::dense::DenseError>(())
//! ```

mod step;
mod tile;

use std::error::Error;
use std::fmt;

pub use step::{Arithmetic, Step};

use crate::forms::Form;
use crate::panels::Panels;
use tile::Tile;

/// A layer: `steps(intercepts[j] + sum over i of x[i] * weights[i][j])`.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    panels: Panels,
    steps: Vec<Step>,
}

impl Layer {
    /// A layer with one output per intercept and `weights[feature * outputs + output]`; its outputs take the steps in order.
    ///
    /// # Errors
    /// When there is no output or no feature, the weights are not a whole number of features, or a step does not have as many
    /// numbers as there are outputs.
    pub fn try_new(weights: &[f32], intercepts: &[f32], steps: Vec<Step>) -> Result<Self, DenseError> {
        let outputs = intercepts.len();
        if outputs == 0 || weights.is_empty() || !weights.len().is_multiple_of(outputs) {
            return Err(DenseError::Shape { weights: weights.len(), outputs });
        }
        for step in &steps {
            if let Step::With(_, numbers) = step
                && numbers.len() != outputs
            {
                return Err(DenseError::Step { numbers: numbers.len(), outputs });
            }
        }
        Ok(Self { panels: Panels::new(weights, intercepts, weights.len() / outputs), steps })
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.panels.features()
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.panels.outputs()
    }
}

/// Layers, each of which reads the outputs of the one before.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseNetwork {
    layers: Vec<Layer>,
    form: Form,
    /// Numbers that a row has between two layers at most.
    width: usize,
}

impl DenseNetwork {
    /// The network of these layers.
    ///
    /// # Errors
    /// When there is none, or one does not have a feature for each output of the one before.
    pub fn try_new(layers: Vec<Layer>) -> Result<Self, DenseError> {
        if layers.is_empty() {
            return Err(DenseError::NoLayers);
        }
        for (at, pair) in layers.windows(2).enumerate() {
            let (outputs, features) = (pair[0].outputs(), pair[1].features());
            if outputs != features {
                return Err(DenseError::Chain { layer: at + 1, features, outputs });
            }
        }
        let width =
            layers.iter().flat_map(|layer| [layer.features(), layer.panels.padded_outputs()]).max().unwrap_or(1);
        Ok(Self { layers, form: Form::best(), width })
    }

    /// The same network with these instructions, whose answers are the same.
    #[must_use]
    pub fn with_form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.layers[0].features()
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.layers[self.layers.len() - 1].outputs()
    }

    /// The layers.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Bytes of memory that the network occupies.
    pub fn bytes(&self) -> usize {
        let numbers = |layer: &Layer| {
            let of_steps =
                layer.steps.iter().map(|step| if let Step::With(_, numbers) = step { numbers.len() } else { 0 });
            layer.panels.numbers() + of_steps.sum::<usize>()
        };
        size_of::<f32>() * self.layers.iter().map(numbers).sum::<usize>()
    }

    /// How it is computed on this processor.
    pub fn kernel(&self) -> impl fmt::Display {
        Kernel { form: self.form, layers: self.layers.len(), tile_rows: tile::rows_max(self.form, self.width) }
    }

    /// Computes every output column from the feature columns.
    ///
    /// # Panics
    /// When the number of columns is not that of the network, or their lengths differ.
    pub fn evaluate(&self, columns: &[&[f32]], outputs: &mut [&mut [f32]]) {
        assert_eq!(columns.len(), self.features(), "one column per feature");
        assert_eq!(outputs.len(), self.outputs(), "one column per output");
        let rows = outputs.first().map_or(0, |output| output.len());
        let mut lengths = columns.iter().map(|column| column.len()).chain(outputs.iter().map(|output| output.len()));
        assert!(lengths.all(|length| length == rows), "features and outputs have the same number of rows");
        let mut tile = Tile::new(self.form, self.width, rows);
        let mut start = 0;
        while start < rows {
            start += tile.begin(columns, start..rows);
            self.layers.iter().for_each(|layer| tile.advance(layer));
            tile.finish(outputs);
        }
    }
}

/// How a network is computed, in words.
struct Kernel {
    form: Form,
    layers: usize,
    tile_rows: usize,
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { form, layers, tile_rows } = self;
        write!(f, "{form}, {layers} layers over tiles of {tile_rows} rows")
    }
}

/// Why a network cannot be built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DenseError {
    /// The weights are not a matrix with one column per output.
    Shape {
        /// Number of weights.
        weights: usize,
        /// Number of intercepts.
        outputs: usize,
    },
    /// A step does not have a number for each output.
    Step {
        /// Numbers of the step.
        numbers: usize,
        /// Outputs of the layer.
        outputs: usize,
    },
    /// There are no layers.
    NoLayers,
    /// A layer does not read what the one before gives.
    Chain {
        /// The layer, counted from zero.
        layer: usize,
        /// Its features.
        features: usize,
        /// Outputs of the layer before.
        outputs: usize,
    },
}

impl fmt::Display for DenseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { weights, outputs } => {
                write!(f, "{weights} weights are no matrix with a row per feature and {outputs} outputs")
            }
            Self::Step { numbers, outputs } => write!(f, "a step has {numbers} numbers for {outputs} outputs"),
            Self::NoLayers => write!(f, "a network needs at least one layer"),
            Self::Chain { layer, features, outputs } => {
                write!(f, "layer {layer} reads {features} features, the one before it gives {outputs}")
            }
        }
    }
}

impl Error for DenseError {}

#[cfg(test)]
mod tests;
