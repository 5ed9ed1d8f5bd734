//! Models by name, in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::model::Model;

/// Models by name. Names are compared as SQL does: without regard to case.
#[derive(Debug, Default)]
pub struct ModelCatalog {
    models: RwLock<BTreeMap<String, Arc<Model>>>,
}

impl ModelCatalog {
    /// An empty catalog.
    pub fn new() -> Self {
        Self::default()
    }

    /// The model of this name.
    pub fn get(&self, name: &str) -> Option<Arc<Model>> {
        self.models.read().unwrap_or_else(PoisonError::into_inner).get(&folded(name)).map(Arc::clone)
    }

    /// Puts a model under a name, and returns the one that was there.
    pub fn insert(&self, name: &str, model: Arc<Model>) -> Option<Arc<Model>> {
        self.models.write().unwrap_or_else(PoisonError::into_inner).insert(folded(name), model)
    }

    /// Takes a model away.
    pub fn remove(&self, name: &str) -> Option<Arc<Model>> {
        self.models.write().unwrap_or_else(PoisonError::into_inner).remove(&folded(name))
    }

    /// All names, in order.
    pub fn names(&self) -> Vec<String> {
        self.models.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// The name most like `name`, for messages; `None` if none is alike.
    pub fn nearest(&self, name: &str) -> Option<String> {
        let name = folded(name);
        let alike = |other: &String| strsim::damerau_levenshtein(other, &name);
        let nearest = self.names().into_iter().min_by_key(alike)?;
        (alike(&nearest) <= name.chars().count().max(3) / 3).then_some(nearest)
    }
}

fn folded(name: &str) -> String {
    name.to_lowercase()
}
