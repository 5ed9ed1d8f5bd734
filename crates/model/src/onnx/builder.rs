//! A program under construction: steps are appended while nodes are lowered.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, new_empty_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Int64Type};

use super::fact::{Block, Fact, span, volume};
use super::node::Node;
use crate::error::Result;
use crate::limits::Limits;
use crate::onnx::run_once;
use crate::program::{ColumnId, Op, Program, RowFailures, Tensor};

/// Where a column that leaves the model may come from; decides what the model is for.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// The label of a classifier with these classes.
    Label(ArrayRef),
    /// The position of the smallest of several distances.
    Cluster,
    /// A target of a regression.
    Target,
}

/// How much the facts about all values may weigh for each column that the limits allow.
const HELD_PER_COLUMN: u64 = 16;
/// And for each element of a constant of the file.
const HELD_PER_CONSTANT: u64 = 8;

fn held_max(limits: &Limits) -> u64 {
    // Small models have room whatever the limit.
    const COLUMNS_MIN: u64 = 1 << 10;
    limits.columns.saturating_add(COLUMNS_MIN).saturating_mul(HELD_PER_COLUMN)
}

/// A program under construction.
pub(crate) struct Builder<'a> {
    pub(crate) program: Program,
    pub(crate) limits: &'a Limits,
    /// What is known about columns that may leave the model.
    pub(crate) origins: HashMap<ColumnId, Origin>,
    /// Steps that understand a missing number in each of their inputs.
    pub(crate) missing_aware: HashSet<usize>,
    /// Batch size that the file declares; shapes in the file may repeat it.
    pub(crate) declared_batch: Option<i64>,
    /// Types of the inputs that are maps.
    pub(crate) map_inputs: HashMap<String, DataType>,
    /// True when the program that wrote the file trains trees with missing values.
    pub(crate) producer_knows_missing: bool,
    /// Nodes of bodies, each as often as it was lowered.
    unrolled: u64,
    /// Elements of the constants that ConstantOfShape made.
    made: u64,
    /// What the facts about all values weigh, and how much they may.
    held: u64,
    held_max: u64,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(limits: &'a Limits) -> Self {
        Self {
            program: Program::default(),
            limits,
            origins: HashMap::new(),
            missing_aware: HashSet::new(),
            declared_batch: None,
            map_inputs: HashMap::new(),
            producer_knows_missing: false,
            unrolled: 0,
            made: 0,
            held: 0,
            held_max: held_max(limits),
        }
    }

    /// Forgets all steps, but not what is known about the file.
    pub(crate) fn restart(&mut self) {
        self.program = Program::default();
        self.origins.clear();
        self.missing_aware.clear();
        self.declared_batch = None;
        (self.unrolled, self.made, self.held) = (0, 0, 0);
        self.held_max = held_max(self.limits);
    }

    /// Notes a constant of the file: what is computed from it may be as large, several times.
    pub(crate) fn give(&mut self, fact: &Fact) {
        self.held_max = self.held_max.saturating_add(fact.weight().saturating_mul(HELD_PER_CONSTANT));
    }

    /// Notes that ConstantOfShape is about to make so many elements.
    ///
    /// # Errors
    /// When all that it makes are too many.
    pub(crate) fn make(&mut self, elements: u64) -> Result<()> {
        self.made = self.made.saturating_add(elements);
        let limit = self.limits.constant_elements;
        Limits::check("elements of constants that ConstantOfShape makes", "constant_elements", self.made, limit)
    }

    /// Notes a fact that stays, such as the columns of a value: nodes that only move them make no step, but a copy.
    ///
    /// # Errors
    /// When they weigh too much together.
    pub(crate) fn hold(&mut self, fact: &Fact) -> Result<()> {
        self.hold_numbers(fact.weight())
    }

    /// Notes numbers that a step keeps for itself, whoever else has them.
    ///
    /// # Errors
    /// When they weigh too much together with all facts.
    pub(crate) fn hold_numbers(&mut self, count: u64) -> Result<()> {
        self.held = self.held.saturating_add(count);
        self.check_weight(self.held)
    }

    /// What the facts weigh so far, for [`Self::let_go`].
    pub(crate) fn held(&self) -> u64 {
        self.held
    }

    /// Forgets the facts since then: a body's do not outlive it.
    pub(crate) fn let_go(&mut self, held: u64) {
        self.held = held;
    }

    /// Whether facts may weigh so much together.
    ///
    /// # Errors
    /// When they may not.
    pub(crate) fn check_weight(&self, weight: u64) -> Result<()> {
        Limits::check("columns of all values, each counted by itself", "columns", weight, self.held_max)
    }

    /// Notes that a body of so many nodes is lowered once more. A loop over nothing goes on for long and makes no step.
    ///
    /// # Errors
    /// When there were too many.
    pub(crate) fn unroll(&mut self, nodes: usize) -> Result<()> {
        self.unrolled += nodes.max(1) as u64;
        Limits::check("nodes of unrolled loops", "steps", self.unrolled, self.limits.steps)
    }

    /// Appends a step and returns the columns it writes.
    pub(crate) fn push(
        &mut self,
        node: &Node,
        op: Op,
        inputs: Vec<ColumnId>,
        types: impl IntoIterator<Item = DataType>,
    ) -> Result<Vec<ColumnId>> {
        let (steps, columns) = (self.program.steps.len() as u64, self.program.columns.len() as u64);
        Limits::check("steps", "steps", steps + 1, self.limits.steps)?;
        Limits::check("columns", "columns", columns, self.limits.columns)?;
        let types: Vec<DataType> = types.into_iter().collect();
        self.try_types(node, &op, &inputs, &types)?;
        Ok(self.program.push(&node.name, op, inputs, types))
    }

    /// Tries an operation on no rows: which types of columns it has a form for is for it to know.
    fn try_types(&self, node: &Node, op: &Op, inputs: &[ColumnId], types: &[DataType]) -> Result<()> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(inputs.len());
        for &input in inputs {
            let data_type = self.program.data_type(input);
            let column = columns.last().filter(|last| last.data_type() == data_type).map(Arc::clone);
            columns.push(column.unwrap_or_else(|| new_empty_array(data_type)));
        }
        match op.run(&columns, 0, &mut RowFailures::default()) {
            Ok(outputs) if outputs.iter().map(|output| output.data_type()).eq(types) => Ok(()),
            Ok(_) => Err(node.unsupported("its inputs do not have the types that it takes")),
            Err(error) => Err(node.without_form(error)),
        }
    }

    /// Appends a step that writes one column.
    pub(crate) fn one(&mut self, node: &Node, op: Op, inputs: Vec<ColumnId>, data_type: DataType) -> Result<ColumnId> {
        Ok(self.push(node, op, inputs, [data_type])?[0])
    }

    /// A column with the same value in every row.
    pub(crate) fn constant(&mut self, node: &Node, value: ArrayRef) -> Result<ColumnId> {
        let data_type = value.data_type().clone();
        self.one(node, Op::Constant(value), Vec::new(), data_type)
    }

    /// The value as columns, whatever it is.
    pub(crate) fn block(&mut self, node: &Node, fact: &Fact) -> Result<Block> {
        match fact {
            Fact::Block(block) => Ok(block.clone()),
            Fact::Constant(tensor) => {
                let elements = tensor.values.len() as u64;
                Limits::check("columns", "columns", elements, self.limits.columns)?;
                let columns: Result<Vec<ColumnId>> =
                    (0..tensor.values.len()).map(|index| self.constant(node, tensor.values.slice(index, 1))).collect();
                let data_type = tensor.values.data_type().clone();
                Ok(Block { data_type, shape: tensor.shape.clone(), batch: None, columns: columns? })
            }
            Fact::Packed(packed) => {
                Limits::check("columns", "columns", span(&packed.shape), self.limits.columns)?;
                let types = vec![packed.data_type.clone(); volume(&packed.shape)];
                let columns = self.push(node, Op::Unpack, vec![packed.column], types)?;
                Ok(Block {
                    data_type: packed.data_type.clone(),
                    shape: packed.shape.clone(),
                    batch: Some(packed.batch),
                    columns,
                })
            }
            Fact::Ragged(_) => Err(node.unsupported("it reads lists of any length")),
            Fact::Dims(_) => Err(node.unsupported("it computes with the number of rows")),
            Fact::Sequence(_) => Err(node.unsupported("it reads a sequence")),
            Fact::Map { .. } => Err(node.unsupported("it reads the maps of a ZipMap")),
            Fact::Absent => Err(node.malformed("an input is missing")),
        }
    }

    /// The columns converted to a type; as they are if they have it.
    pub(crate) fn cast(&mut self, node: &Node, columns: &[ColumnId], to: &DataType) -> Result<Vec<ColumnId>> {
        columns
            .iter()
            .map(|&column| {
                if self.program.data_type(column) == to {
                    return Ok(column);
                }
                let converted = self.one(node, Op::Cast(to.clone()), vec![column], to.clone())?;
                self.carry_origin(column, converted)?;
                Ok(converted)
            })
            .collect()
    }

    /// A converted label is a label still, its classes converted alike.
    fn carry_origin(&mut self, from: ColumnId, to: ColumnId) -> Result<()> {
        let to_type = self.program.data_type(to).clone();
        let origin = match self.origins.get(&from) {
            Some(Origin::Label(classes)) => Origin::Label(arrow::compute::cast(classes, &to_type)?),
            Some(origin) => origin.clone(),
            None => return Ok(()),
        };
        self.origins.insert(to, origin);
        Ok(())
    }

    /// Notes where these columns come from.
    pub(crate) fn note(&mut self, columns: &[ColumnId], origin: &Origin) {
        for &column in columns {
            self.origins.insert(column, origin.clone());
        }
    }
}

/// Lowers a node whose inputs are all constant, and computes what it gives. Columns of the scratch program do not leave.
pub(crate) fn evaluated(
    limits: &Limits,
    node: &Node,
    lower: impl FnOnce(&mut Builder) -> Result<Vec<Fact>>,
) -> Result<Vec<Fact>> {
    let mut scratch = Builder::new(limits);
    let facts = lower(&mut scratch)?;
    facts
        .into_iter()
        .map(|fact| match fact {
            Fact::Block(block) if block.batch.is_none() => scratch.evaluate(&block).map(Fact::Constant),
            constant @ (Fact::Constant(_) | Fact::Absent) => Ok(constant),
            _ => Err(node.unsupported("it reads nothing but constants, and gives no constant")),
        })
        .collect()
}

impl Builder<'_> {
    /// Computes a block of a program that holds nothing but constants.
    fn evaluate(&self, block: &Block) -> Result<Tensor> {
        let arrays = run_once(&self.program, &block.columns)?;
        let parts: Vec<&dyn Array> = arrays.iter().map(|array| array.as_ref()).collect();
        let values = match parts.is_empty() {
            true => new_empty_array(&block.data_type),
            false => concat(&parts)?,
        };
        Ok(Tensor { shape: block.shape.clone(), values })
    }
}

/// The int64 numbers of a constant, converted where the file has int32.
pub(crate) fn integers(node: &Node, fact: &Fact, what: &str) -> Result<Vec<i64>> {
    let Fact::Constant(tensor) = fact else {
        return Err(node.unsupported(format!("its {what} must be constant")));
    };
    match tensor.values.data_type() {
        DataType::Int64 => Ok(tensor.values.as_primitive::<Int64Type>().values().to_vec()),
        DataType::Int32 => {
            let values = arrow::compute::cast(&tensor.values, &DataType::Int64)?;
            Ok(values.as_primitive::<Int64Type>().values().to_vec())
        }
        other => Err(node.malformed(format!("its {what} must be integers, got {other}"))),
    }
}
