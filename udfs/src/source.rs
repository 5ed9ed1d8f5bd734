//! Where the functions find models.

use std::fmt::{Debug, Formatter};
use std::sync::{Arc, OnceLock};

use datafusion_common::{DataFusionError, Result};
use foretell_model::Model;

/// A model under the name people call it by.
#[derive(Debug, Clone)]
pub struct NamedModel {
    /// The name as it was given, folded like any SQL identifier.
    pub name: Arc<str>,
    /// What was said when it was created.
    pub details: Arc<ModelDetails>,
    model: Arc<LazyModel>,
}

/// What is known of a model before its file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelDetails {
    /// Where the model was read from.
    pub uri: String,
    /// What that address meant when the model was created, if it was one that can come to mean another model.
    pub resolved: Option<String>,
    /// Name of what it predicts, for `predicted_<label>` in `ml_predict`.
    pub label: String,
    /// True when the model ends with the session.
    pub temporary: bool,
    /// Names of its features, the parameters of its function.
    pub features: Vec<String>,
}

/// Reads a model when it is first needed.
type Load = Box<dyn Fn() -> Result<Arc<Model>> + Send + Sync>;

struct LazyModel {
    loaded: OnceLock<Result<Arc<Model>, Arc<DataFusionError>>>,
    load: Load,
}

impl Debug for LazyModel {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LazyModel").field("loaded", &self.loaded.get().is_some()).finish_non_exhaustive()
    }
}

impl NamedModel {
    /// A model that is in memory.
    pub fn new(name: &str, details: ModelDetails, model: &Arc<Model>) -> Self {
        let model = Arc::clone(model);
        Self::lazy(name, details, move || Ok(Arc::clone(&model)))
    }

    /// A model that `load` reads at its first use, once: a session starts quickly however many models it knows.
    pub fn lazy(
        name: &str,
        details: ModelDetails,
        load: impl Fn() -> Result<Arc<Model>> + Send + Sync + 'static,
    ) -> Self {
        let model = Arc::new(LazyModel { loaded: OnceLock::new(), load: Box::new(load) });
        Self { name: Arc::from(name), details: Arc::new(details), model }
    }

    /// The model itself.
    ///
    /// # Errors
    /// Whatever reading it answers, the same each time.
    pub fn model(&self) -> Result<Arc<Model>> {
        match self.model.loaded.get_or_init(|| (self.model.load)().map_err(Arc::new)) {
            Ok(model) => Ok(Arc::clone(model)),
            Err(error) => Err(DataFusionError::Shared(Arc::clone(error))),
        }
    }

    /// True when both are the same model, not merely equal ones.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.model, &other.model)
    }
}

/// Finds models by name while a statement is planned.
pub trait ModelSource: Debug + Send + Sync {
    /// The model called `name`, compared without regard to case.
    fn model(&self, name: &str) -> Option<NamedModel>;

    /// All names, sorted.
    fn names(&self) -> Vec<String>;
}

/// The candidate most like `name`, if any is close enough to be a slip.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name, &candidate.to_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity >= 0.75)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}
