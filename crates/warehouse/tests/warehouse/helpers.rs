//! A database in a temporary directory, and queries on it.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::util::pretty::pretty_format_batches;
use datafusion::catalog::MemoryCatalogProvider;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::{SessionConfig, SessionContext};
use foretell_warehouse::{CommitInfo, OnExisting, Result, Warehouse, WarehouseSchema};
use tempfile::TempDir;

pub struct Database {
    _dir: TempDir,
    pub warehouse: Warehouse,
    pub ctx: SessionContext,
}

impl Database {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let warehouse = Warehouse::open(&dir.path().join("db")).expect("new database");
        let ctx = session(&warehouse, CommitInfo::default());
        Self { _dir: dir, warehouse, ctx }
    }

    /// The same directory as another process would see it.
    pub fn reopen(&self) -> Warehouse {
        Warehouse::open(self.warehouse.path()).expect("database")
    }

    pub async fn create(&self, name: &str, sql: &str, on_existing: OnExisting) -> Result<Option<u64>> {
        let (schema, streams) = query(&self.ctx, sql).await;
        self.warehouse.create_table(name, &schema, streams, on_existing, &CommitInfo::default()).await
    }

    /// `CREATE TABLE name (...)`
    pub async fn declare(&self, name: &str, columns: &Schema) {
        let info = CommitInfo::default();
        let rows = self.warehouse.create_table(name, columns, vec![], OnExisting::Fail, &info).await;
        assert_eq!(rows.expect("create"), Some(0));
    }

    pub async fn append(&self, name: &str, sql: &str) -> Result<u64> {
        let (schema, streams) = query(&self.ctx, sql).await;
        self.warehouse.append(name, &schema, streams, &CommitInfo::default()).await
    }

    pub async fn sql(&self, sql: &str) -> Result<Vec<RecordBatch>, DataFusionError> {
        self.ctx.sql(sql).await?.collect().await
    }

    /// The result as a table of text.
    pub async fn show(&self, sql: &str) -> String {
        let batches = self.sql(sql).await.expect("query");
        pretty_format_batches(&batches).expect("table").to_string()
    }

    /// The message of the error, with the causes after colons.
    pub async fn fails(&self, sql: &str) -> String {
        let error = match self.sql(sql).await {
            Ok(_) => panic!("`{sql}` should fail"),
            Err(error) => foretell_warehouse::Error::from(error),
        };
        chain(&error)
    }
}

/// A session whose tables are those of `warehouse`.
pub fn session(warehouse: &Warehouse, info: CommitInfo) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(2)
        .with_default_catalog_and_schema("db", "main")
        .with_create_default_catalog_and_schema(false)
        .with_extension(Arc::new(info));
    let ctx = SessionContext::new_with_config(config);
    let catalog = Arc::new(MemoryCatalogProvider::new());
    datafusion::catalog::CatalogProvider::register_schema(
        catalog.as_ref(),
        "main",
        Arc::new(WarehouseSchema::new(warehouse.clone())),
    )
    .expect("schema");
    ctx.register_catalog("db", catalog);
    ctx
}

pub async fn query(ctx: &SessionContext, sql: &str) -> (SchemaRef, Vec<SendableRecordBatchStream>) {
    let frame = ctx.sql(sql).await.expect("valid query");
    let schema = Arc::clone(frame.schema().inner());
    (schema, frame.execute_stream_partitioned().await.expect("plan"))
}

/// An error with all its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// All files below `dir`, relative and sorted, with the changing parts of names replaced.
pub fn tree(dir: &Path) -> Vec<String> {
    let mut files = Vec::new();
    collect(dir, dir, &mut files);
    files.sort();
    files
}

fn collect(root: &Path, dir: &Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).expect("directory") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let relative = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
            let part = relative.split('/').map(|part| if is_id(part) { "<id>" } else { part });
            let part = part.map(|part| if part.starts_with("part-") { "<part>.parquet" } else { part });
            files.push(part.collect::<Vec<_>>().join("/"));
        }
    }
}

fn is_id(part: &str) -> bool {
    part.len() == 32 && part.bytes().all(|byte| byte.is_ascii_hexdigit())
}
