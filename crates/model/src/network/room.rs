//! How much memory tract takes for rows of given lengths: it has no bounds of its own.

use std::collections::HashMap;
use std::sync::Mutex;

use foretell_tensors::Tensor;
use tract_onnx::prelude::{SymbolValues, TypedModel};
use tract_onnx::tract_hir::internal::{SymbolScope, TDim};

use super::{Input, Length};
use crate::engine::LIVE_VALUES;

/// Combinations of lengths whose need of memory is remembered.
const REMEMBERED_MAX: usize = 4096;

/// The memory that there is, and what the values of a compiled graph take of it.
pub(super) struct Room {
    /// The open lengths.
    symbols: SymbolScope,
    /// Bytes of each value whose size depends on lengths.
    sizes: Vec<TDim>,
    bytes_max: u64,
    /// Which lengths there is room for.
    known: Mutex<HashMap<Vec<usize>, bool>>,
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Room({} sizes, {} bytes)", self.sizes.len(), self.bytes_max)
    }
}

impl Room {
    pub(super) fn new(model: &TypedModel, bytes_max: u64) -> Self {
        let facts = model.nodes().iter().flat_map(|node| &node.outputs).map(|outlet| &outlet.fact);
        let sizes = facts.map(|fact| fact.shape.volume() * fact.datum_type.size_of() as i64);
        let sizes = sizes.filter(|size| size.to_i64().is_err()).collect();
        Self { symbols: model.symbols.clone(), sizes, bytes_max, known: Mutex::default() }
    }

    /// Whether the values for such tensors fit into memory.
    pub(super) fn is_enough(&self, inputs: &[Input], tensors: &[Tensor]) -> bool {
        if self.sizes.is_empty() {
            return true;
        }
        let key: Vec<usize> = tensors.iter().flat_map(|tensor| tensor.shape().iter().copied()).collect();
        let Ok(mut known) = self.known.lock() else { return false };
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        let fits = || self.largest(inputs, tensors).saturating_mul(LIVE_VALUES) <= self.bytes_max;
        *known.entry(key).or_insert_with(fits)
    }

    /// Bytes of the largest value.
    fn largest(&self, inputs: &[Input], tensors: &[Tensor]) -> u64 {
        let mut lengths = SymbolValues::default();
        for (input, tensor) in inputs.iter().zip(tensors) {
            let mut shape = tensor.shape().to_vec();
            shape.remove(input.batch);
            for (length, extent) in input.shape.iter().zip(shape) {
                if let Length::Open(symbol) = length
                    && let Some(symbol) = self.symbols.get(&symbol_name(*symbol))
                {
                    lengths.set(&symbol, extent as i64);
                }
            }
        }
        let sizes =
            self.sizes.iter().map(|size| size.eval(&lengths).to_i64().map_or(u64::MAX, |bytes| bytes.unsigned_abs()));
        sizes.max().unwrap_or(0)
    }
}

/// The name of an open length in tract.
pub(super) fn symbol_name(symbol: usize) -> String {
    format!("S{symbol}")
}
