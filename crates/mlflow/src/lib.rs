//! What MLflow keeps: model directories with their `MLmodel` file, the model registry and its artifacts.
//!
//! An [`MlModel`] tells which file of a directory is the model, what its columns are called ([`MlModel::name_features`]), what
//! it must be able to answer ([`MlModel::answer_example`]) and with what ([`MlModel::check_outputs`]). A [`Registry`] finds the directory behind `models:/churn@champion`
//! on a tracking server. Reading directories of this machine and of object stores is left to the caller, and so is
//! everything that Python alone can do.
//!
//! ```
//! use foretell_mlflow::MlModel;
//!
//! let text = "flavors:\n  onnx:\n    data: model.onnx\nsignature:\n  inputs: '[{\"type\": \"double\", \"name\": \"a\"}]'\n";
//! let mlmodel = MlModel::parse(text.as_bytes())?;
//! assert_eq!(mlmodel.data().to_string(), "model.onnx");
//! # Ok::<(), foretell_mlflow::Error>(())
//! ```

mod allowance;
mod artifacts;
mod client;
mod error;
mod example;
mod fit;
mod flavor;
#[cfg(test)]
mod hostile;
mod json;
mod mlmodel;
mod path;
mod promise;
mod registry;
mod schema;
mod sparse;
mod uri;
mod values;
mod yaml;

pub use allowance::Allowance;
pub use artifacts::{HttpDirectory, Location};
pub use error::{Error, Result};
pub use mlmodel::{MLMODEL, MlModel};
pub use path::InnerPath;
pub use registry::{Registry, Resolved};
pub use uri::ModelUri;
