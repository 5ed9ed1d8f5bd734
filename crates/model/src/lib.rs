//! Model files in, columns in, columns out.
//!
//! A [`Model`] is read once and is immutable from then on; [`Model::run`] takes Arrow columns and returns Arrow columns.
//! Nothing here knows SQL, files or networks.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use arrow::array::{ArrayRef, Float32Array};
//! use foretell_model::{Answer, LoadOptions, Model, OnRefusedRow};
//!
//! let bytes = std::fs::read("iris.onnx")?;
//! let model = Model::from_bytes(&bytes, &LoadOptions::default())?;
//! let column = |values: Vec<f32>| Arc::new(Float32Array::from(values)) as ArrayRef;
//! let flowers = [column(vec![5.1, 6.2]), column(vec![3.5, 2.9]), column(vec![1.4, 4.3]), column(vec![0.2, 1.3])];
//! let answers = model.run(&flowers, 2, &[Answer::Prediction, Answer::Probabilities], OnRefusedRow::Fail)?;
//! assert_eq!(answers[0].len(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Hostile files
//!
//! Files come from strangers. Whatever is in one, loading it gives a model or an error that says what is wrong, where and how
//! to go on, soon and with little memory; [`Limits`] are the bounds. `tests/it/corpus/` has a file for each way in which one
//! may be hostile, and `fuzz/` (see its README) looks for others.

mod boosters;
mod border;
mod elements;
mod encoding;
mod engine;
mod error;
mod format;
mod interface;
mod island;
mod limits;
mod model;
mod network;
mod onnx;
mod passes;
mod program;
mod signature;

pub use border::expand_list;
pub use error::{Error, Result};
pub use foretell_kernels::instructions;
pub use limits::Limits;
pub use model::{Answer, DeclaredFeature, LoadOptions, Model, OnRefusedRow, PlanLine};
pub use onnx::{TensorModel, external_files, with_external_data};
pub use passes::PassOptions;
pub use signature::{Extent, Feature, NullPolicy, OutputField, Signature, Task};
