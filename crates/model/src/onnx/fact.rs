//! What is known about an ONNX value while a graph is lowered.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::datatypes::DataType;

use crate::program::{ColumnId, Tensor};

/// A value of the graph.
#[derive(Debug, Clone)]
pub(crate) enum Fact {
    /// An optional input or output that is not there.
    Absent,
    /// The same for all rows, known now.
    Constant(Tensor),
    /// A vector of int64 (or one number) of which some elements are the number of rows.
    Dims(Dims),
    /// One element per row and position.
    Block(Block),
    /// As `Block`, but with all elements of a row in one `FixedSizeList` column.
    Packed(Packed),
    /// Lists whose length is each row's own, in one column.
    Ragged(Ragged),
    /// Tensors one after the other.
    Sequence(Vec<Fact>),
    /// A sequence of maps: class labels in order, and a column for each of them.
    Map { classes: ArrayRef, columns: Vec<ColumnId> },
}

/// Shape arithmetic: an int64 vector, or one number.
#[derive(Debug, Clone)]
pub(crate) struct Dims {
    pub(crate) values: Vec<Dim>,
    pub(crate) scalar: bool,
}

/// An element of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dim {
    /// The number of rows.
    Batch,
    Known(i64),
}

/// Columns in the row-major order of the dimensions other than the batch.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) data_type: DataType,
    /// Extents without the batch dimension.
    pub(crate) shape: Vec<usize>,
    /// Where the batch dimension stands among all dimensions; `None` for a value without one.
    pub(crate) batch: Option<usize>,
    pub(crate) columns: Vec<ColumnId>,
}

/// All elements of a row in one list column.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    pub(crate) data_type: DataType,
    pub(crate) shape: Vec<usize>,
    pub(crate) batch: usize,
    pub(crate) column: ColumnId,
}

/// Lists of any length, in one column.
#[derive(Debug, Clone)]
pub(crate) struct Ragged {
    /// Type of the elements.
    pub(crate) data_type: DataType,
    pub(crate) column: ColumnId,
}

/// An axis of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axis {
    Batch,
    /// Position in `Block::shape`.
    Inner(usize),
}

impl Block {
    /// Number of dimensions, the batch included.
    pub(crate) fn rank(&self) -> usize {
        self.shape.len() + usize::from(self.batch.is_some())
    }

    /// What the full axis `axis` is; it must be below the rank.
    pub(crate) fn axis(&self, axis: usize) -> Axis {
        match self.batch {
            Some(batch) if batch == axis => Axis::Batch,
            Some(batch) if batch < axis => Axis::Inner(axis - 1),
            _ => Axis::Inner(axis),
        }
    }

    /// All dimensions, the batch included.
    pub(crate) fn dims(&self) -> Vec<Dim> {
        let mut dims: Vec<Dim> = self.shape.iter().map(|&extent| Dim::Known(extent as i64)).collect();
        if let Some(batch) = self.batch {
            dims.insert(batch, Dim::Batch);
        }
        dims
    }

    /// The same layout with other columns.
    pub(crate) fn with_columns(&self, data_type: DataType, columns: Vec<ColumnId>) -> Self {
        Self { data_type, shape: self.shape.clone(), batch: self.batch, columns }
    }
}

impl Dims {
    /// A constant if no element is the number of rows.
    pub(crate) fn into_fact(self) -> Fact {
        let known: Option<Vec<i64>> = self
            .values
            .iter()
            .map(|dim| match dim {
                Dim::Known(value) => Some(*value),
                Dim::Batch => None,
            })
            .collect();
        match known {
            Some(values) => {
                let shape = if self.scalar { Vec::new() } else { vec![values.len()] };
                Fact::Constant(Tensor { shape, values: Arc::new(Int64Array::from(values)) })
            }
            None => Fact::Dims(self),
        }
    }
}

impl Fact {
    /// Element type; `None` for a map, a sequence or a value that is not there.
    pub(crate) fn data_type(&self) -> Option<&DataType> {
        match self {
            Self::Constant(tensor) => Some(tensor.values.data_type()),
            Self::Dims(_) => Some(&DataType::Int64),
            Self::Block(block) => Some(&block.data_type),
            Self::Packed(packed) => Some(&packed.data_type),
            Self::Ragged(ragged) => Some(&ragged.data_type),
            Self::Absent | Self::Sequence(_) | Self::Map { .. } => None,
        }
    }

    /// All dimensions, the batch included; `None` for lists of any length, a map, a sequence or a value that is not there.
    pub(crate) fn dims(&self) -> Option<Vec<Dim>> {
        match self {
            Self::Constant(tensor) => Some(tensor.shape.iter().map(|&extent| Dim::Known(extent as i64)).collect()),
            Self::Dims(dims) if dims.scalar => Some(Vec::new()),
            Self::Dims(dims) => Some(vec![Dim::Known(dims.values.len() as i64)]),
            Self::Block(block) => Some(block.dims()),
            Self::Packed(packed) => {
                let mut dims: Vec<Dim> = packed.shape.iter().map(|&extent| Dim::Known(extent as i64)).collect();
                dims.insert(packed.batch, Dim::Batch);
                Some(dims)
            }
            Self::Absent | Self::Ragged(_) | Self::Sequence(_) | Self::Map { .. } => None,
        }
    }

    /// About how much memory it takes, counted in columns.
    pub(crate) fn weight(&self) -> u64 {
        const SELF: u64 = 16;
        SELF + match self {
            Self::Constant(tensor) => constant_weight(&tensor.values),
            Self::Dims(dims) => 2 * dims.values.len() as u64,
            Self::Block(Block { columns, .. }) | Self::Map { columns, .. } => columns.len() as u64,
            Self::Sequence(facts) => facts.iter().map(Self::weight).sum(),
            Self::Packed(_) | Self::Ragged(_) | Self::Absent => 0,
        }
    }

    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    pub(crate) fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }
}

/// The elements of a constant, those of more than four bytes for as many as they would fill.
fn constant_weight(values: &ArrayRef) -> u64 {
    let bytes = values.to_data().get_slice_memory_size().unwrap_or(0);
    values.len().max(bytes / size_of::<f32>()) as u64
}

/// Most dimensions of a value; nobody needs more, and operators ask each axis about the others.
pub(crate) const RANK_MAX: usize = 64;

/// Number of elements of a shape.
pub(crate) fn volume(shape: &[usize]) -> usize {
    shape.iter().fold(1, |elements: usize, &extent| elements.saturating_mul(extent))
}

/// What it takes to walk a shape: its number of elements, but empty axes count as well, since the others are walked.
pub(crate) fn span(shape: &[usize]) -> u64 {
    shape.iter().fold(1, |elements: u64, &extent| elements.saturating_mul(extent.max(1) as u64))
}

/// Product of the known dimensions.
pub(crate) fn known_volume(dims: &[Dim]) -> i64 {
    dims.iter().fold(1, |product: i64, dim| match dim {
        Dim::Known(extent) => product.saturating_mul(*extent),
        Dim::Batch => product,
    })
}

/// Row-major strides of a shape.
pub(crate) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
    }
    strides
}

/// The axis a possibly negative number means in a value of `rank` dimensions.
pub(crate) fn normal_axis(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(axis).ok().filter(|&axis| axis < rank)
}
