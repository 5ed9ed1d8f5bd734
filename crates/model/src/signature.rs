//! What a model takes and returns.

use std::fmt;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;

/// What a model takes and returns, in Arrow types.
#[derive(Debug, Clone)]
pub struct Signature {
    /// What kind of answer the model gives.
    pub task: Task,
    /// Features in the order of positional arguments.
    pub features: Vec<Feature>,
    /// True when the file itself says what column each feature is. False when their names are made up, or that of the one
    /// input: then it is their order that counts.
    pub features_are_named: bool,
    /// Every output of the file in its order, as `predict_raw` returns them.
    pub outputs: Vec<OutputField>,
    /// Type of `predict`: the label's own type, a float, or a list of floats.
    pub prediction: DataType,
    /// Class labels in the order of the probabilities, in their own type; `None` when the model is no classifier.
    pub classes: Option<ArrayRef>,
    /// True when the model gives class probabilities, so that `predict_proba` works.
    pub has_probabilities: bool,
    /// Format of the file, such as `ONNX`.
    pub format: &'static str,
    /// Program that wrote the file, if it says so, such as `skl2onnx 1.20.0`.
    pub producer: String,
    /// SHA-256 of the file in lower-case hexadecimal digits.
    pub sha256: String,
    /// Size of the file in bytes.
    pub file_bytes: usize,
}

/// What kind of answer a model gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Task {
    /// One number.
    Regression,
    /// One of two labels.
    BinaryClassification,
    /// One of several labels.
    MulticlassClassification,
    /// Several numbers or labels.
    MultiOutput,
    /// A cluster's number, with distances.
    Clustering,
    /// An outlier flag, with a score.
    AnomalyDetection,
    /// A vector.
    Embedding,
}

impl Task {
    /// The name shown to users.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::BinaryClassification => "binary classification",
            Self::MulticlassClassification => "multiclass classification",
            Self::MultiOutput => "multi-output",
            Self::Clustering => "clustering",
            Self::AnomalyDetection => "anomaly detection",
            Self::Embedding => "embedding",
        }
    }
}

/// One argument of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Name that binds a column.
    pub name: String,
    /// Element type the model computes with.
    pub data_type: DataType,
    /// Extents without the batch dimension; empty for a plain number or text, `[k]` and more for a list argument.
    pub shape: Vec<Extent>,
    /// What a SQL NULL in this feature means.
    pub null_policy: NullPolicy,
}

/// How long a list feature is along one of its dimensions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Extent {
    /// As long in every row.
    Fixed(usize),
    /// As long as the row has it. Within a row, all features whose extents have the same name are equally long.
    Open(Option<String>),
}

impl Extent {
    /// The length, if it is the same in every row.
    pub fn fixed(&self) -> Option<usize> {
        match self {
            Self::Fixed(length) => Some(*length),
            Self::Open(_) => None,
        }
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(length) => write!(f, "{length}"),
            Self::Open(name) => f.write_str(name.as_deref().unwrap_or("?")),
        }
    }
}

impl Feature {
    /// The length of the lists along each dimension, if it is the same in every row; empty for a plain value.
    pub fn fixed_shape(&self) -> Option<Vec<usize>> {
        self.shape.iter().map(Extent::fixed).collect()
    }

    /// The type as users see it: `Float32`, `Float32[3, 224, 224]`, or `Int64[seq]` where the length is each row's own.
    pub fn type_text(&self) -> String {
        if self.shape.is_empty() {
            return self.data_type.to_string();
        }
        format!("{}{}", self.data_type, ShapeText(&self.shape))
    }
}

/// Extents in brackets.
pub(crate) struct ShapeText<'s>(pub(crate) &'s [Extent]);

impl fmt::Display for ShapeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extents: Vec<String> = self.0.iter().map(Extent::to_string).collect();
        write!(f, "[{}]", extents.join(", "))
    }
}

/// What a SQL NULL means to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NullPolicy {
    /// The value is missing, and the model knows what to do with a missing value.
    Missing,
    /// The prediction is NULL.
    Null,
    /// The statement fails and names the row.
    Error,
}

impl NullPolicy {
    /// The name in `WITH (on_null = ...)`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Null => "null",
            Self::Error => "error",
        }
    }
}

/// One output of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputField {
    /// Name in the file.
    pub name: String,
    /// Type as `predict_raw` returns it: an element, a `FixedSizeList` of them, or a struct with one field per class.
    pub data_type: DataType,
}

impl Signature {
    /// Number of classes; zero when the model is no classifier.
    pub fn class_count(&self) -> usize {
        self.classes.as_ref().map_or(0, |classes| classes.len())
    }
}
