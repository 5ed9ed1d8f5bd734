//! The family of functions that run a model.

mod label_probabilities;
mod model;
mod named;
#[expect(clippy::module_inception, reason = "file name = SQL name")]
mod predict;
mod predict_proba;
mod predict_raw;
mod try_predict;

pub use label_probabilities::LabelProbabilitiesFunc;
pub use model::ModelFunc;
pub use predict::{PredictFunc, predict_udf};
pub use predict_proba::{PredictProbaFunc, predict_proba_udf};
pub use predict_raw::{PredictRawFunc, predict_raw_udf};
pub use try_predict::{TryPredictFunc, try_predict_udf};

pub(crate) use named::NamedCall;
