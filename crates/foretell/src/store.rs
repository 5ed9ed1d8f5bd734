//! Where a session keeps the models that outlive it: in the database directory, or nowhere.

use std::collections::BTreeMap;

use datafusion::error::Result;
use foretell_udfs::NamedModel;

#[cfg(feature = "warehouse")]
use {
    crate::engine::reload,
    datafusion::common::DataFusionError,
    foretell_model::{DeclaredFeature, LoadOptions, NullPolicy},
    foretell_udfs::ModelDetails,
    foretell_warehouse::{ModelParameter, ModelRecord, ModelVersion, NewModel, OnExisting, Warehouse},
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
        let records = warehouse.models().map_err(external)?;
        Ok(records.into_iter().filter_map(|record| stored_model(warehouse, &record)).collect())
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
        let new = NewModel { name: &model.name, source: &model.details.uri, parameters, options: options.clone() };
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

#[cfg(feature = "warehouse")]
fn stored_model(warehouse: &Warehouse, record: &ModelRecord) -> Option<NamedModel> {
    let version = record.default_version()?.clone();
    let name = record.name.clone();
    let details = ModelDetails {
        uri: version.source.clone(),
        label: version.options.get("label").unwrap_or(&record.name).clone(),
        temporary: false,
        features: version.parameters.iter().map(|parameter| parameter.name.clone()).collect(),
    };
    let warehouse = warehouse.clone();
    Some(NamedModel::lazy(&record.name, details, move || {
        let bytes = warehouse.model_bytes(&name, &version).map_err(external)?;
        reload(&name, &bytes, &load_options(&version))
    }))
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
