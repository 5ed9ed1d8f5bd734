//! Where a session keeps the models that outlive it: in the database directory, or nowhere.

use std::collections::BTreeMap;
#[cfg(feature = "warehouse")]
use std::sync::Arc;

use datafusion::error::Result;
use foretell_udfs::NamedModel;

#[cfg(feature = "warehouse")]
use {
    crate::engine::reload,
    datafusion::common::DataFusionError,
    foretell_model::{DeclaredFeature, LoadOptions, NullPolicy},
    foretell_udfs::ModelDetails,
    foretell_warehouse::{FoundModel, ModelParameter, ModelVersion, NewModel, OnExisting, Warehouse},
};

/// The models on disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct ModelStore {
    #[cfg(feature = "warehouse")]
    warehouse: Option<Warehouse>,
}

#[cfg(not(feature = "warehouse"))]
impl ModelStore {
    pub(crate) fn stored_models(&self) -> Result<Vec<NamedModel>> {
        Ok(Vec::new())
    }

    pub(crate) fn put(
        &self,
        _model: &NamedModel,
        _options: &BTreeMap<String, String>,
        _bytes: &[u8],
        _or_replace: bool,
    ) -> Result<()> {
        Ok(())
    }

    pub(crate) fn remove(&self, _name: &str) -> Result<()> {
        Ok(())
    }
}

#[cfg(feature = "warehouse")]
impl ModelStore {
    pub(crate) fn new(warehouse: Option<Warehouse>) -> Self {
        Self { warehouse }
    }

    /// Every stored model, not read yet.
    pub(crate) fn stored_models(&self) -> Result<Vec<NamedModel>> {
        let Some(warehouse) = &self.warehouse else { return Ok(Vec::new()) };
        let found = warehouse.models().map_err(external)?;
        Ok(found.into_iter().map(|found| stored_model(warehouse, found)).collect())
    }

    /// Keeps a model under its name.
    pub(crate) fn put(
        &self,
        model: &NamedModel,
        options: &BTreeMap<String, String>,
        bytes: &[u8],
        or_replace: bool,
    ) -> Result<()> {
        let Some(warehouse) = &self.warehouse else { return Ok(()) };
        let loaded = model.model()?;
        let parameters = loaded
            .signature()
            .features
            .iter()
            .map(|feature| ModelParameter { name: feature.name.clone(), data_type: None })
            .collect();
        let (source, resolved) = (&model.details.uri, model.details.resolved.as_deref());
        let new = NewModel { name: &model.name, source, resolved, parameters, options: options.clone() };
        let on_existing = if or_replace { OnExisting::Replace } else { OnExisting::Fail };
        warehouse.put_model(&new, bytes, on_existing).map_err(external)?;
        Ok(())
    }

    /// Forgets a model.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        if let Some(warehouse) = &self.warehouse {
            warehouse.drop_model(name).map_err(external)?;
        }
        Ok(())
    }
}

/// The model behind a record. One whose record is damaged is there as well, and says so when it is used.
#[cfg(feature = "warehouse")]
fn stored_model(warehouse: &Warehouse, found: FoundModel) -> NamedModel {
    let FoundModel { name, record } = found;
    let version = match record.map(|record| record.default_version().cloned()) {
        Ok(Some(version)) => version,
        Ok(None) => return unusable(&name, DataFusionError::Execution("it has no default version".to_owned())),
        Err(error) => return unusable(&name, external(error)),
    };
    let details = ModelDetails {
        uri: version.source.clone(),
        resolved: version.resolved.clone(),
        label: version.options.get("label").unwrap_or(&name).clone(),
        temporary: false,
        features: version.parameters.iter().map(|parameter| parameter.name.clone()).collect(),
    };
    let warehouse = warehouse.clone();
    NamedModel::lazy(&name.clone(), details, move || {
        let bytes = warehouse.model_bytes(&name, &version).map_err(external)?;
        reload(&name, &bytes, &load_options(&version))
    })
}

/// A model of which there is only the name.
#[cfg(feature = "warehouse")]
fn unusable(name: &str, error: DataFusionError) -> NamedModel {
    let what = format!("model `{name}` cannot be used until its record is restored, or removed by DROP MODEL {name}");
    let error = Arc::new(error.context(what));
    let details =
        ModelDetails { uri: String::new(), resolved: None, label: name.to_owned(), temporary: false, features: vec![] };
    NamedModel::lazy(name, details, move || Err(DataFusionError::Shared(Arc::clone(&error))))
}

/// The options a stored version was made with.
#[cfg(feature = "warehouse")]
fn load_options(version: &ModelVersion) -> LoadOptions {
    let declared = |parameter: &ModelParameter| DeclaredFeature { name: parameter.name.clone(), data_type: None };
    let features = Some(version.parameters.iter().map(declared).collect());
    let on_null = version.options.get("on_null").and_then(|policy| match policy.to_lowercase().as_str() {
        "missing" => Some(NullPolicy::Missing),
        "null" => Some(NullPolicy::Null),
        "error" => Some(NullPolicy::Error),
        _ => None,
    });
    LoadOptions { features, on_null, ..LoadOptions::default() }
}

#[cfg(feature = "warehouse")]
fn external(error: foretell_warehouse::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
