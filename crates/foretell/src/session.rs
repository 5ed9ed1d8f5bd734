//! The engine with everything in it: models, tables, SQL.

use std::path::Path;
use std::sync::Arc;

use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use foretell_udfs::{ModelSource, nearest};

use crate::database::Database;
use crate::dialect::{self, Parsed};
use crate::engine::Engine;
use crate::error::{Error, Result, missing_table};
use crate::execute::Executor;
use crate::planning::YieldInJoins;
use crate::register::register_with;
use crate::stores::LazyStores;

/// A session: a place for models and tables, and SQL over them.
///
/// Cheap to clone; clones share everything. A session [in memory](Self::in_memory) ends with its last clone, one on a
/// [directory](Self::open) keeps its models, tables, views and external tables there.
///
/// # Examples
/// ```
/// # #[tokio::main]
/// # async fn main() -> foretell::Result<()> {
/// let session = foretell::Session::in_memory()?;
/// session.sql("CREATE MODEL late FROM '../../sql/models/late.onnx'").await?;
/// let answer = session.sql("SELECT late(5.0, 400.0, 17, 'UA', 'EWR', 'ORD') AS late").await?;
/// assert_eq!(answer.schema().field(0).name(), "late");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Session {
    ctx: SessionContext,
    engine: Arc<Engine>,
    database: Arc<Database>,
}

/// What a statement gave.
#[derive(Debug)]
pub enum Outcome {
    /// Rows, computed as they are read.
    Rows(DataFrame),
    /// A change, made.
    Done {
        /// What was done, for people.
        message: String,
    },
}

impl Session {
    /// A session whose models and tables end with it.
    ///
    /// # Errors
    /// When the engine cannot be set up.
    pub fn in_memory() -> Result<Self> {
        Self::with_database(Database::in_memory())
    }

    /// A session on a database directory, which is made if it does not exist or is empty.
    ///
    /// # Errors
    /// When the directory is something else, is of a newer format, or cannot be read and written.
    #[cfg(feature = "warehouse")]
    pub fn open(directory: impl AsRef<Path>) -> Result<Self> {
        Self::with_database(Database::open(directory.as_ref())?)
    }

    fn with_database(database: Database) -> Result<Self> {
        let ctx = context()?;
        let database = Arc::new(database);
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema("public", database.schema(ctx.state_weak_ref()))?;
        ctx.register_catalog("foretell", Arc::new(catalog));
        let engine = register_with(&ctx, database.model_store())?;
        Ok(Self { ctx, engine, database })
    }

    /// The host's context, with foretell's functions in it.
    pub fn context(&self) -> &SessionContext {
        &self.ctx
    }

    /// The database directory; `None` for a session in memory.
    pub fn database(&self) -> Option<&Path> {
        self.database.path()
    }

    /// Names of the models, sorted.
    pub fn model_names(&self) -> Vec<String> {
        self.engine.models().names()
    }

    /// Runs one statement. A query's rows are computed as the frame is read; a change is made before this returns, and its
    /// frame is empty.
    ///
    /// # Errors
    /// When the statement is wrong or fails.
    pub async fn sql(&self, statement: &str) -> Result<DataFrame> {
        match self.execute(statement).await? {
            Outcome::Rows(frame) => Ok(frame),
            Outcome::Done { .. } => Ok(self.ctx.read_empty()?),
        }
    }

    /// Runs one statement and says what it did.
    ///
    /// # Errors
    /// When the statement is wrong or fails.
    pub async fn execute(&self, statement: &str) -> Result<Outcome> {
        let executor = Executor { ctx: &self.ctx, engine: &self.engine, database: &self.database };
        match dialect::parse(statement)? {
            Parsed::Empty => Ok(Outcome::Done { message: String::new() }),
            Parsed::Model(model) => executor.model(model).await,
            Parsed::Standard(standard) => {
                executor.standard(*standard, statement).await.map_err(|error| self.explained(error))
            }
        }
    }
}

impl Session {
    /// A missing table with the one that may have been meant.
    fn explained(&self, error: Error) -> Error {
        let Error::Query(query) = &error else { return error };
        let Some(name) = missing_table(query) else { return error };
        let names = self.database.table_names();
        let nearest = nearest(&name, names.iter().map(String::as_str)).map(str::to_owned);
        Error::NoTable { name, nearest }
    }
}

/// The host's context as foretell wants it: files by name in FROM, stores by address, `information_schema`.
fn context() -> Result<SessionContext> {
    let mut config = SessionConfig::new()
        .with_information_schema(true)
        .with_default_catalog_and_schema("foretell", "public")
        .with_create_default_catalog_and_schema(false);
    // Text from files is read as plain strings: the type of a table's column and of what is written from it stay the same.
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let runtime: Arc<RuntimeEnv> =
        RuntimeEnvBuilder::new().with_object_store_registry(Arc::new(LazyStores::default())).build_arc()?;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_physical_optimizer_rule(Arc::new(YieldInJoins))
        .build();
    Ok(SessionContext::new_with_state(state).enable_url_table())
}
