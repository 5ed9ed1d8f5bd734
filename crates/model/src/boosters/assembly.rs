//! A program under construction from the parts of boosted trees.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float32Array, Float64Array, Int64Array, StringArray};
use arrow::compute::{cast, concat};
use arrow::datatypes::DataType;
use foretell_kernels::trees::{Line, LinearLeaves, Term, TreeEnsemble, TreeError, TreeParts};

use crate::border::MISSING_TEXT;
use crate::error::{Error, Result};
use crate::interface::{Features, Interface, Outcome, Reading};
use crate::limits::Limits;
use crate::program::{
    BinaryOp, ColumnId, LabelChoice, LabelRule, LookupTable, OneHot, Op, Operands, Precision, Program, UnaryOp,
};
use crate::signature::{Feature, NullPolicy};

/// What becomes of a category that the model has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// Its row is refused.
    Refuse,
    /// It is missing.
    Missing,
}

/// A program under construction, with its features.
#[derive(Debug)]
pub(crate) struct Assembly<'l> {
    program: Program,
    features: Features,
    limits: &'l Limits,
    format: &'static str,
    /// What plans call the steps.
    node: Arc<str>,
}

impl<'l> Assembly<'l> {
    /// An empty program for a file of this format; plans call its steps `node`.
    pub(crate) fn new(format: &'static str, node: &str, limits: &'l Limits) -> Self {
        Self {
            program: Program::default(),
            features: Features { list: Vec::new(), are_named: true },
            limits,
            format,
            node: Arc::from(node),
        }
    }

    /// The format of the file.
    pub(crate) fn format(&self) -> &'static str {
        self.format
    }

    /// Bounds on what the file may ask for.
    pub(crate) fn limits(&self) -> &'l Limits {
        self.limits
    }

    /// An error about the file's contents.
    pub(crate) fn malformed(&self, what: impl Into<String>) -> Error {
        Error::Malformed { format: self.format, what: what.into() }
    }

    /// Another feature, and the column that the caller gives for it. A NULL text becomes [`MISSING_TEXT`] if the policy is
    /// that it is missing.
    pub(crate) fn feature(&mut self, name: &str, data_type: DataType, null_policy: NullPolicy) -> Result<ColumnId> {
        Limits::check("features", "features", self.features.list.len() as u64 + 1, self.limits.features)?;
        let column = self.program.add_column(data_type.clone());
        self.program.inputs.push(column);
        self.features.list.push(Feature { name: name.to_string(), data_type, shape: Vec::new(), null_policy });
        Ok(column)
    }

    /// The file has no names for its features: theirs are made up, and it is their order that counts.
    pub(crate) fn forget_names(&mut self) {
        self.features.are_named = false;
    }

    /// Appends a step and returns the columns it writes.
    pub(crate) fn push(
        &mut self,
        op: Op,
        inputs: Vec<ColumnId>,
        types: impl IntoIterator<Item = DataType>,
    ) -> Result<Vec<ColumnId>> {
        Limits::check("steps", "steps", self.program.steps.len() as u64 + 1, self.limits.steps)?;
        Limits::check("columns", "columns", self.program.columns.len() as u64, self.limits.columns)?;
        Ok(self.program.push(&self.node, op, inputs, types))
    }

    /// Appends a step that writes one column.
    pub(crate) fn one(&mut self, op: Op, inputs: Vec<ColumnId>, data_type: DataType) -> Result<ColumnId> {
        Ok(self.push(op, inputs, [data_type])?[0])
    }

    /// A function of a column, of the column's type.
    pub(crate) fn unary(&mut self, op: UnaryOp, column: ColumnId) -> Result<ColumnId> {
        let data_type = self.program.data_type(column).clone();
        self.one(Op::Unary(op), vec![column], data_type)
    }

    /// `1 - p`, the probability of the other of two classes.
    pub(crate) fn complement(&mut self, probability: ColumnId) -> Result<ColumnId> {
        let data_type = self.program.data_type(probability).clone();
        let one = cast(&Float32Array::from(vec![1.0]), &data_type)?;
        self.one(Op::Binary(BinaryOp::Sub, Operands::ConstantLeft(one)), vec![probability], data_type)
    }

    /// The position of each row's category as a number of the type `to`; a missing one is NaN. The categories have the type
    /// of the column, `Utf8` or `Float64`.
    pub(crate) fn category_codes(
        &mut self,
        column: ColumnId,
        categories: &ArrayRef,
        unknown: Unknown,
        to: &DataType,
    ) -> Result<ColumnId> {
        Limits::check(
            "elements in one array",
            "tensor_elements",
            categories.len() as u64,
            self.limits.tensor_elements,
        )?;
        let numbers = |numbers: Vec<f64>| cast(&Float64Array::from(numbers), to);
        let nan = numbers(vec![f64::NAN])?;
        if unknown == Unknown::Missing {
            let codes = numbers((0..categories.len()).map(|code| code as f64).collect())?;
            let table = LookupTable::try_new(categories, &codes, &nan)?;
            return self.one(Op::Lookup(Arc::new(table)), vec![column], to.clone());
        }
        let missing: ArrayRef = match categories.data_type() {
            DataType::Utf8 => Arc::new(StringArray::from(vec![MISSING_TEXT])),
            DataType::Float64 => Arc::new(Float64Array::from(vec![f64::NAN])),
            other => return Err(Error::Internal(format!("categories of type {other}"))),
        };
        let keys = concat(&[categories.as_ref(), missing.as_ref()])?;
        let one_hot = OneHot::try_new(keys, false)?;
        let code = self.one(Op::CategoryCode(Arc::new(one_hot)), vec![column], DataType::UInt32)?;
        let number = self.one(Op::Cast(to.clone()), vec![code], to.clone())?;
        let replaced = numbers(vec![categories.len() as f64])?;
        self.one(Op::Impute { replaced, fill: nan }, vec![number], to.clone())
    }

    /// The scores of checked trees, one column per output.
    pub(crate) fn trees<T: Precision>(&mut self, parts: TreeParts<T>, inputs: Vec<ColumnId>) -> Result<Vec<ColumnId>> {
        let ensemble = self.checked(parts)?;
        let types = vec![T::DATA_TYPE; ensemble.outputs()];
        self.push(T::step(ensemble), inputs, types)
    }

    /// The scores of checked trees whose leaves are linear functions: a line beside every leaf weight.
    pub(crate) fn linear_trees(
        &mut self,
        parts: TreeParts<f64>,
        (lines, terms): (Vec<Line<f64>>, Vec<Term<f64>>),
        inputs: Vec<ColumnId>,
    ) -> Result<Vec<ColumnId>> {
        let ensemble = self.checked(parts)?;
        let types = vec![DataType::Float64; ensemble.outputs()];
        let trees = LinearLeaves::try_new(ensemble, lines, terms).map_err(|error| self.unsound(&error))?;
        self.push(Op::LinearTrees(Arc::new(trees)), inputs, types)
    }

    fn checked<T: Precision>(&self, parts: TreeParts<T>) -> Result<TreeEnsemble<T>> {
        Limits::check("trees", "trees", parts.roots.len() as u64, self.limits.trees)?;
        Limits::check("tree nodes", "tree_nodes", parts.nodes.len() as u64, self.limits.tree_nodes)?;
        let ensemble = TreeEnsemble::try_new(parts).map_err(|error| self.unsound(&error))?;
        Limits::check("levels of one tree", "tree_depth", ensemble.depth() as u64, self.limits.tree_depth)?;
        Ok(ensemble)
    }

    fn unsound(&self, error: &TreeError) -> Error {
        self.malformed(error.to_string())
    }

    /// The label that these scores mean.
    pub(crate) fn label(&mut self, classes: &ArrayRef, choice: LabelChoice, scores: Vec<ColumnId>) -> Result<ColumnId> {
        let rule = LabelRule { classes: Arc::clone(classes), choice };
        self.one(Op::Label(Arc::new(rule)), scores, classes.data_type().clone())
    }

    /// The classes `0..count`.
    pub(crate) fn numbered_classes(&self, count: usize) -> Result<ArrayRef> {
        Limits::check("classes", "classes", count as u64, self.limits.classes)?;
        Ok(Arc::new(Int64Array::from_iter_values(0..count as i64)))
    }

    /// The model of this program.
    pub(crate) fn finish(self, outcome: Outcome, producer: String) -> Result<Reading> {
        if self.features.list.is_empty() {
            return Err(self.malformed("the model has no features"));
        }
        let interface = Interface::try_new(&self.program, self.features, outcome, self.format, producer)?;
        Ok(Reading { program: self.program, interface })
    }
}
