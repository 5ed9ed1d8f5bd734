//! What foretell adds to the host's planner: binding of model calls, class names in brackets, `ml_predict` in FROM, models in
//! `EXPLAIN`, and joins that can be cancelled.

mod bind_models;
mod class_access;
mod explain_models;
mod ml_predict;
mod yield_in_joins;

pub(crate) use bind_models::{BindModels, bind_plan};
pub(crate) use class_access::ClassAccess;
pub(crate) use explain_models::ExplainModels;
pub(crate) use ml_predict::MlPredict;
pub(crate) use yield_in_joins::YieldInJoins;
