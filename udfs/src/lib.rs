//! The SQL functions of foretell, one file each.
//!
//! Two kinds of function exist. The *named* ones are what people write: `predict('late', ...)`, or one function per model,
//! `late(...)`. They are answered while the statement is planned: [`bind::bind_call`] finds the model, matches the arguments
//! with its features and checks their types. What remains in the plan is a *bound call* ([`BoundCall`]): a model, an answer
//! and exactly one argument per feature. Only bound calls run, and a bound call keeps its model even when the name is given to
//! another one meanwhile.
//!
//! This crate does no input or output and knows no session: models come from a [`ModelSource`].

mod args;
pub mod bind;
mod bound;
mod error;
mod predict;
mod source;

pub use bound::BoundCall;
pub use error::to_datafusion;
pub use predict::{
    LabelProbabilitiesFunc, ModelFunc, PredictFunc, PredictProbaFunc, PredictRawFunc, TryPredictFunc,
    predict_proba_udf, predict_raw_udf, predict_udf, try_predict_udf,
};
pub use source::{ModelDetails, ModelSource, NamedModel, nearest};

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_expr::registry::FunctionRegistry;

/// Registers every function of this crate that is not tied to one model.
///
/// # Errors
/// Whatever the registry answers.
pub fn register_all(registry: &mut dyn FunctionRegistry, source: &Arc<dyn ModelSource>) -> Result<()> {
    for udf in [predict_udf(source), predict_proba_udf(source), predict_raw_udf(source), try_predict_udf(source)] {
        registry.register_udf(Arc::new(udf))?;
    }
    Ok(())
}
