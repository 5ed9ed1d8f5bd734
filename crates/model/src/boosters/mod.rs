//! The readers of boosted trees in their libraries' own files.
//!
//! Such a file names its features, knows their categories, and has trees (or a linear model) whose sums a link function
//! turns into an answer. [`Assembly`] is what the readers share: it builds the program from these parts. A reader knows one
//! library: its encodings, its arithmetic, and what its `predict` returns.

mod assembly;
pub(crate) mod catboost;
pub(crate) mod lightgbm;
mod outcome;
pub(crate) mod xgboost;

pub(crate) use assembly::{Assembly, Unknown};
pub(crate) use outcome::{classification, numbers};
