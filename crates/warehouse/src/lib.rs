//! The database directory: models, tables and their history on disk.
//!
//! This crate is the only writer of what is in such a directory. It knows no SQL text and no protocols, and does not
//! look into models.
//!
//! ```text
//! mydb/
//!   foretell.json            {"format": 1}
//!   lock                     held while something becomes visible or disappears
//!   models/<name>.json       record: versions with hash, source, parameters, options
//!   models/files/<sha256>.*  the bytes of models
//!   tables/<name>/           Delta Lake tables
//!   views/<name>.json        definitions of views and external tables
//!   pending/<id>             one per write that has not been committed
//!   trash/                   dropped tables on their way out
//! ```
//!
//! Everything becomes visible in one step (a rename, or the commit file of a Delta Lake log), and is on disk before
//! it does. So a process that is killed, or a machine that loses power, leaves the old state or the new one, and
//! [`Warehouse::open`] removes what is left over.
//!
//! ```
//! # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let parent = tempfile::tempdir()?;
//! # let dir = parent.path().join("mydb");
//! use std::sync::Arc;
//! use datafusion::prelude::SessionContext;
//! use foretell_warehouse::{CommitInfo, OnExisting, Warehouse};
//!
//! let warehouse = Warehouse::open(&dir)?;
//! let ctx = SessionContext::new();
//! let rows = ctx.sql("SELECT 1 AS id, 'late' AS label").await?;
//! let schema = Arc::clone(rows.schema().inner());
//! let streams = rows.execute_stream_partitioned().await?;
//! warehouse.create_table("scored", &schema, streams, OnExisting::Fail, &CommitInfo::default()).await?;
//! assert_eq!(warehouse.table_names()?, ["scored"]);
//! # Ok(())
//! # }
//! ```

mod commit;
mod delta;
mod error;
mod files;
mod insert;
mod layout;
mod lock;
mod models;
mod names;
mod pending;
mod provider;
mod schema;
mod stats;
mod store;
mod tables;
mod types;
mod views;
mod warehouse;
mod write;

pub use commit::CommitInfo;
pub use error::{Error, Result};
pub use models::{FoundModel, ModelParameter, ModelRecord, ModelVersion, NewModel};
pub use schema::WarehouseSchema;
pub use views::{ViewKind, ViewRecord};
pub use warehouse::{OnExisting, Warehouse};
