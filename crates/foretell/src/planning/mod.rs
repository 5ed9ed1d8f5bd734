//! What foretell adds to the host's planner: binding of model calls, class names in brackets, and `ml_predict` in FROM.

mod bind_models;
mod class_access;
mod ml_predict;

pub(crate) use bind_models::{BindModels, bind_plan};
pub(crate) use class_access::ClassAccess;
pub(crate) use ml_predict::MlPredict;
