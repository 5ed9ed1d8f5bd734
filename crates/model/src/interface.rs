//! What a reader finds out about a model besides its program: the signature, and the columns behind the answers.
//!
//! Every reader says which outputs the file has and what they are for ([`Outcome`]); the types of the answers follow from
//! the program. Nothing here knows a file format.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};

use crate::border::{probabilities_type, struct_of_classes};
use crate::error::{Error, Result};
use crate::program::{ColumnId, Program, packed_type};
use crate::signature::{Feature, OutputField, Signature, Task};

/// A file, read.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) program: Program,
    pub(crate) interface: Interface,
}

/// A model's signature and the columns behind its answers.
#[derive(Debug)]
pub(crate) struct Interface {
    pub(crate) signature: Signature,
    pub(crate) answers: Answers,
}

/// The columns behind each answer.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    pub(crate) prediction: OutputColumns,
    /// One column per class.
    pub(crate) probabilities: Option<Vec<ColumnId>>,
    /// Every output of the file, in its order.
    pub(crate) raw: Vec<OutputColumns>,
}

/// The columns of one value.
#[derive(Debug, Clone)]
pub(crate) enum OutputColumns {
    One(ColumnId),
    /// Elements of a list.
    List(Vec<ColumnId>),
    /// One list column.
    Packed(ColumnId),
    /// One column of nested lists of any length.
    Ragged(ColumnId),
    /// Elements of the lists in a list: the number of each, and all columns.
    Lists(Vec<usize>, Vec<ColumnId>),
    /// Fields of a struct, called as the classes are.
    Classes(ArrayRef, Vec<ColumnId>),
}

/// What a model takes.
#[derive(Debug)]
pub(crate) struct Features {
    /// In the order of the program's inputs.
    pub(crate) list: Vec<Feature>,
    /// See [`Signature::features_are_named`].
    pub(crate) are_named: bool,
}

/// What a model's outputs are for.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) task: Task,
    /// Every output with its name, as `predict_raw` returns them.
    pub(crate) outputs: Vec<(String, OutputColumns)>,
    /// Which of them is the answer of `predict`.
    pub(crate) prediction: usize,
    pub(crate) classes: Option<ArrayRef>,
    /// One column per class.
    pub(crate) probabilities: Option<Vec<ColumnId>>,
}

impl OutputColumns {
    /// One number or label, or a list of them; `None` when there is none.
    pub(crate) fn of(columns: Vec<ColumnId>) -> Option<Self> {
        match columns[..] {
            [] => None,
            [column] => Some(Self::One(column)),
            _ => Some(Self::List(columns)),
        }
    }

    /// All columns, in order.
    pub(crate) fn columns(&self) -> &[ColumnId] {
        match self {
            Self::One(column) | Self::Packed(column) | Self::Ragged(column) => std::slice::from_ref(column),
            Self::List(columns) | Self::Lists(_, columns) | Self::Classes(_, columns) => columns,
        }
    }

    /// Type of `predict`.
    fn prediction_type(&self, program: &Program) -> Result<DataType> {
        match self {
            Self::One(column) => Ok(program.data_type(*column).clone()),
            Self::List(columns) => Ok(list_of(element_type(program, columns)?)),
            Self::Packed(column) => match program.data_type(*column) {
                DataType::FixedSizeList(item, _) => Ok(list_of(item.data_type())),
                other => Err(Error::Internal(format!("a list output of type {other}"))),
            },
            Self::Ragged(column) => Ok(nested_lists(program.data_type(*column))),
            Self::Lists(_, columns) => Ok(list_of(&list_of(element_type(program, columns)?))),
            Self::Classes(classes, _) => probabilities_type(classes),
        }
    }

    /// Type of a field of `predict_raw`.
    fn raw_type(&self, program: &Program) -> Result<DataType> {
        match self {
            Self::One(column) | Self::Packed(column) => Ok(program.data_type(*column).clone()),
            Self::List(columns) => packed_type(element_type(program, columns)?, columns.len()),
            Self::Lists(..) | Self::Ragged(_) => self.prediction_type(program),
            Self::Classes(classes, _) => struct_of_classes(classes),
        }
    }
}

fn list_of(item: &DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item.clone(), true)))
}

/// The type that users see for the nested lists of a program.
fn nested_lists(data_type: &DataType) -> DataType {
    match data_type {
        DataType::LargeList(item) => list_of(&nested_lists(item.data_type())),
        element => element.clone(),
    }
}

fn element_type<'p>(program: &'p Program, columns: &[ColumnId]) -> Result<&'p DataType> {
    match columns.first() {
        Some(&column) => Ok(program.data_type(column)),
        None => Err(Error::Internal("an output without a column".to_string())),
    }
}

impl Interface {
    /// The interface of a program whose inputs are these features.
    pub(crate) fn try_new(
        program: &Program,
        features: Features,
        outcome: Outcome,
        format: &'static str,
        producer: String,
    ) -> Result<Self> {
        let Outcome { task, outputs, prediction, classes, probabilities } = outcome;
        let fields: Result<Vec<OutputField>> = outputs
            .iter()
            .map(|(name, columns)| Ok(OutputField { name: name.clone(), data_type: columns.raw_type(program)? }))
            .collect();
        let predicted = &outputs[prediction].1;
        let signature = Signature {
            task,
            features: features.list,
            features_are_named: features.are_named,
            outputs: fields?,
            prediction: predicted.prediction_type(program)?,
            classes,
            has_probabilities: probabilities.is_some(),
            format,
            producer,
            sha256: String::new(),
            file_bytes: 0,
        };
        let answers = Answers {
            prediction: predicted.clone(),
            probabilities,
            raw: outputs.into_iter().map(|(_, columns)| columns).collect(),
        };
        Ok(Self { signature, answers })
    }
}
