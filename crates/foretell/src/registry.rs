//! The session's function registry as the one place where models are found.

use std::sync::{Arc, Weak};

use datafusion::common::DataFusionError;
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::ScalarUDF;
use foretell_udfs::{ModelFunc, ModelSource, NamedModel};
use parking_lot::RwLock;

/// The models of a session: those of its functions that are models.
///
/// There is no second list that could differ: whoever drops the function, by `DROP MODEL` or the host's `DROP FUNCTION`, drops
/// the model. The session owns this, so the way back is weak.
#[derive(Debug, Clone)]
pub(crate) struct SessionModels {
    state: Weak<RwLock<SessionState>>,
}

impl SessionModels {
    pub(crate) fn new(state: Weak<RwLock<SessionState>>) -> Self {
        Self { state }
    }

    /// The session's state.
    ///
    /// # Errors
    /// When the session has ended.
    pub(crate) fn state(&self) -> Result<Arc<RwLock<SessionState>>> {
        self.state.upgrade().ok_or_else(|| DataFusionError::Execution("the session has ended".to_owned()))
    }

    /// Every model, by name.
    pub(crate) fn all(&self) -> Vec<NamedModel> {
        let Some(state) = self.state.upgrade() else { return Vec::new() };
        let state = state.read();
        let mut models: Vec<NamedModel> =
            state.scalar_functions().values().filter_map(|udf| model_of(udf).cloned()).collect();
        models.sort_by(|left, right| left.name.cmp(&right.name));
        models
    }

    /// True when `name` is a function that is no model.
    pub(crate) fn is_other_function(&self, name: &str) -> Result<bool> {
        let state = self.state()?;
        let state = state.read();
        Ok(state.scalar_functions().get(name).is_some_and(|udf| model_of(udf).is_none())
            || state.aggregate_functions().contains_key(name)
            || state.window_functions().contains_key(name)
            || state.table_functions().contains_key(name)
            || state.higher_order_functions().contains_key(name)
            || name == "ml_predict")
    }
}

impl ModelSource for SessionModels {
    fn model(&self, name: &str) -> Option<NamedModel> {
        let state = self.state.upgrade()?;
        let state = state.read();
        let functions = state.scalar_functions();
        let found = functions.get(name).or_else(|| functions.get(&name.to_lowercase()));
        found.and_then(|udf| model_of(udf).cloned())
    }

    fn names(&self) -> Vec<String> {
        self.all().into_iter().map(|model| model.name.to_string()).collect()
    }
}

fn model_of(udf: &Arc<ScalarUDF>) -> Option<&NamedModel> {
    udf.inner().downcast_ref::<ModelFunc>().map(ModelFunc::model)
}
