//! One Delta Lake table as this crate sees it: loading its newest version, and whether we may write it.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use deltalake::DeltaTableBuilder;
use deltalake::delta_datafusion::DeltaScanNext;
use deltalake::kernel::transaction::PROTOCOL;
use deltalake::kernel::{EagerSnapshot, StructTypeExt};
use deltalake::logstore::LogStoreRef;
use url::Url;

use crate::store::DurableStore;
use crate::{Error, Result};

/// A version of a table.
#[derive(Debug, Clone)]
pub(crate) struct DeltaVersion {
    pub(crate) log_store: LogStoreRef,
    pub(crate) snapshot: EagerSnapshot,
}

/// The log of the table in `dir`, which need not exist yet.
pub(crate) fn log_store(name: &str, dir: &Path, store: &Arc<DurableStore>) -> Result<LogStoreRef> {
    let Ok(url) = Url::from_directory_path(dir) else {
        let source = std::io::Error::other("the path is not absolute");
        return Err(Error::io("read", dir, source));
    };
    DeltaTableBuilder::from_url(url.clone())
        .and_then(|builder| builder.with_storage_backend(Arc::clone(store) as _, url).build_storage())
        .map_err(|error| Error::delta("open", name, error))
}

impl DeltaVersion {
    /// The newest version of the table in `dir`.
    pub(crate) async fn load(name: &str, dir: &Path, store: &Arc<DurableStore>) -> Result<Self> {
        let log_store = log_store(name, dir, store)?;
        let snapshot =
            EagerSnapshot::try_new(&log_store, None).await.map_err(|error| Error::delta("read", name, error))?;
        Ok(Self { log_store, snapshot })
    }

    /// The table's columns, with the types in which they are stored.
    pub(crate) fn schema(&self) -> SchemaRef {
        self.snapshot.arrow_schema()
    }

    /// Same table, same columns, same partitioning?
    pub(crate) fn is_same_table(&self, other: &Self) -> bool {
        self.snapshot.metadata() == other.snapshot.metadata()
    }

    /// A provider that reads this version.
    pub(crate) async fn provider(&self, name: &str) -> Result<DeltaScanNext> {
        let builder = DeltaScanNext::builder()
            .with_log_store(Arc::clone(&self.log_store))
            .with_eager_snapshot(Arc::new(self.snapshot.clone()));
        builder.build().await.map_err(|error| Error::delta("read", name, error))
    }

    /// Refuses tables of other programs whose rules we do not enforce when writing.
    pub(crate) fn check_writable(&self, name: &str) -> Result<()> {
        let unsupported =
            |feature: &str| Err(Error::UnsupportedTable { table: name.to_string(), feature: feature.to_string() });
        PROTOCOL.can_write_to(&self.snapshot).map_err(|error| Error::delta("write", name, error))?;
        let configuration = self.snapshot.metadata().configuration();
        if configuration.keys().any(|key| key.starts_with("delta.constraints.")) {
            return unsupported("CHECK constraints");
        }
        if configuration.get("delta.columnMapping.mode").is_some_and(|mode| mode != "none") {
            return unsupported("column mapping");
        }
        let schema = self.snapshot.schema();
        if !schema.get_invariants().unwrap_or_default().is_empty() {
            return unsupported("column invariants");
        }
        if !schema.get_generated_columns().unwrap_or_default().is_empty() {
            return unsupported("generated columns");
        }
        Ok(())
    }
}
