//! Machine-learning models as SQL functions: the crate to embed.
//!
//! [`Session`] is the engine with everything in it: models, tables in memory or in a database directory, SQL. [`register`]
//! adds the models alone to a [`SessionContext`](datafusion::prelude::SessionContext) that a host already has.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> foretell::Result<()> {
//! let session = foretell::Session::in_memory()?;
//! session.sql("CREATE MODEL late FROM '../../sql/models/late.onnx'").await?;
//! let answer = session
//!     .sql("SELECT flight, predict('late', *) AS prediction FROM '../../sql/data/flights.parquet' LIMIT 5")
//!     .await?;
//! answer.show().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The way of a statement: text, then `dialect`, which only turns foretell's own syntax into something standard; the host's
//! planner, to which `planning` adds the binding of model calls; then `execute`, one match over the kinds of statement.
//! Nothing here knows a terminal or a network protocol.

mod database;
mod dialect;
mod engine;
mod error;
mod execute;
mod fetch;
mod function_factory;
mod options;
mod planning;
mod register;
mod registry;
pub mod script;
mod session;
mod show;
mod store;
mod stores;
mod write;

pub use error::{Error, Result};
pub use foretell_model as model;
pub use options::ForetellOptions;
pub use register::register;
pub use session::{Outcome, Session};
