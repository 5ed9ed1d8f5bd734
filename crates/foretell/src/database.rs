//! The tables of a session: on disk or in memory, with views and external tables by their definition.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, internal_err, plan_err};
use datafusion::datasource::{TableType, ViewTable};
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{Ident, ObjectName};
use parking_lot::RwLock;

use crate::error::missing_table;
use crate::planning::bind_plan;
use crate::store::ModelStore;

#[cfg(feature = "warehouse")]
use foretell_warehouse::{OnExisting, ViewKind, Warehouse};

/// A view or an external table, as the statement that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) kind: DefinitionKind,
    /// The query of a view, the whole statement of an external table.
    pub(crate) sql: String,
}

/// What a definition defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DefinitionKind {
    View,
    ExternalTable,
}

impl DefinitionKind {
    /// In a sentence.
    pub(crate) fn described(self) -> &'static str {
        match self {
            Self::View => "a view",
            Self::ExternalTable => "an external table",
        }
    }
}

/// Where the tables of a session are.
#[derive(Debug)]
pub(crate) struct Database {
    tables: Arc<dyn SchemaProvider>,
    definitions: Arc<RwLock<BTreeMap<String, Definition>>>,
    #[cfg(feature = "warehouse")]
    warehouse: Option<Warehouse>,
}

impl Database {
    /// Tables that end with the session.
    pub(crate) fn in_memory() -> Self {
        Self {
            tables: Arc::new(MemorySchemaProvider::new()),
            definitions: Arc::default(),
            #[cfg(feature = "warehouse")]
            warehouse: None,
        }
    }

    /// Tables of a database directory.
    #[cfg(feature = "warehouse")]
    pub(crate) fn open(directory: &Path) -> crate::Result<Self> {
        let warehouse = Warehouse::open(directory)?;
        let mut definitions = BTreeMap::new();
        for record in warehouse.views()? {
            let kind = match record.kind {
                ViewKind::View => DefinitionKind::View,
                ViewKind::ExternalTable => DefinitionKind::ExternalTable,
            };
            definitions.insert(record.name, Definition { kind, sql: record.sql });
        }
        let tables = Arc::new(foretell_warehouse::WarehouseSchema::new(warehouse.clone()));
        Ok(Self { tables, definitions: Arc::new(RwLock::new(definitions)), warehouse: Some(warehouse) })
    }

    /// The directory, if there is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        #[cfg(feature = "warehouse")]
        return self.warehouse.as_ref().map(Warehouse::path);
        #[cfg(not(feature = "warehouse"))]
        None
    }

    #[cfg(feature = "warehouse")]
    pub(crate) fn warehouse(&self) -> Option<&Warehouse> {
        self.warehouse.as_ref()
    }

    /// Names of its tables, views and external tables.
    pub(crate) fn table_names(&self) -> Vec<String> {
        let mut names = self.tables.table_names();
        names.extend(self.definitions.read().keys().cloned());
        names
    }

    /// Where its models are kept.
    pub(crate) fn model_store(&self) -> ModelStore {
        #[cfg(feature = "warehouse")]
        return ModelStore::new(self.warehouse.clone());
        #[cfg(not(feature = "warehouse"))]
        ModelStore::default()
    }

    /// The tables as the host sees them.
    pub(crate) fn schema(&self, state: Weak<RwLock<SessionState>>) -> Arc<dyn SchemaProvider> {
        Arc::new(DatabaseSchema { tables: Arc::clone(&self.tables), definitions: Arc::clone(&self.definitions), state })
    }

    /// The definition of `name`, if it is a view or an external table.
    pub(crate) fn definition(&self, name: &str) -> Option<Definition> {
        self.definitions.read().get(name).cloned()
    }

    /// Makes a view or an external table; an existing one of the same name is replaced.
    pub(crate) fn define(&self, name: &str, definition: Definition) -> Result<()> {
        let mut definitions = self.definitions.read().clone();
        definitions.insert(name.to_owned(), definition.clone());
        check_cycle(name, &definitions)?;
        #[cfg(feature = "warehouse")]
        if let Some(warehouse) = &self.warehouse {
            let kind = match definition.kind {
                DefinitionKind::View => ViewKind::View,
                DefinitionKind::ExternalTable => ViewKind::ExternalTable,
            };
            warehouse.put_view(name, kind, &definition.sql, OnExisting::Replace).map_err(external)?;
        }
        self.definitions.write().insert(name.to_owned(), definition);
        Ok(())
    }

    /// Drops a view or an external table.
    pub(crate) fn undefine(&self, name: &str) -> Result<()> {
        #[cfg(feature = "warehouse")]
        if let Some(warehouse) = &self.warehouse {
            warehouse.drop_view(name).map_err(external)?;
        }
        self.definitions.write().remove(name);
        Ok(())
    }
}

#[cfg(feature = "warehouse")]
pub(crate) fn external(error: foretell_warehouse::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Tables, then definitions. A definition is planned each time it is used, so that a view sees the tables and models of now.
#[derive(Debug)]
struct DatabaseSchema {
    tables: Arc<dyn SchemaProvider>,
    definitions: Arc<RwLock<BTreeMap<String, Definition>>>,
    state: Weak<RwLock<SessionState>>,
}

#[async_trait]
impl SchemaProvider for DatabaseSchema {
    fn table_names(&self) -> Vec<String> {
        let mut names = self.tables.table_names();
        names.extend(self.definitions.read().keys().cloned());
        names.sort();
        names.dedup();
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(table) = self.tables.table(name).await? {
            return Ok(Some(table));
        }
        let definition = {
            let definitions = self.definitions.read();
            let Some(definition) = definitions.get(name).cloned() else { return Ok(None) };
            check_cycle(name, &definitions)?;
            definition
        };
        let Some(state) = self.state.upgrade() else { return Ok(None) };
        let state = state.read().clone();
        resolve(&definition, &state).await.map(Some).map_err(|error| unresolved(name, definition.kind, error))
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        match self.definitions.read().get(name).map(|definition| definition.kind) {
            Some(DefinitionKind::View) => Ok(Some(TableType::View)),
            Some(DefinitionKind::ExternalTable) => Ok(Some(TableType::Base)),
            None => Ok(self.tables.table_exist(name).then_some(TableType::Base)),
        }
    }

    fn register_table(&self, name: String, table: Arc<dyn TableProvider>) -> Result<Option<Arc<dyn TableProvider>>> {
        self.tables.register_table(name, table)
    }

    fn deregister_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        self.tables.deregister_table(name)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.table_exist(name) || self.definitions.read().contains_key(name)
    }
}

/// The error about a view or an external table that cannot be read any more.
fn unresolved(name: &str, kind: DefinitionKind, error: DataFusionError) -> DataFusionError {
    match (kind, missing_table(&error)) {
        (DefinitionKind::View, Some(table)) => DataFusionError::Plan(format!(
            "the view `{name}` reads `{table}`, and no table is called so any more; create `{table}` again, or drop the \
             view with DROP VIEW {name}"
        )),
        _ => error.context(format!("`{name}` cannot be read as it was defined")),
    }
}

async fn resolve(definition: &Definition, state: &SessionState) -> Result<Arc<dyn TableProvider>> {
    let mut statement = DFParser::parse_sql(&definition.sql)?;
    let Some(mut statement) = statement.pop_front() else { return internal_err!("foretell: an empty definition") };
    if let Statement::CreateExternalTable(create) = &mut statement {
        // Planning a statement looks up the names in it, and this one's own name would lead back here.
        create.name = ObjectName::from(vec![Ident::new("__external_table")]);
    }
    match (definition.kind, state.statement_to_plan(statement).await?) {
        (DefinitionKind::View, plan) => {
            Ok(Arc::new(ViewTable::new(bind_plan(plan, state)?, Some(definition.sql.clone()))))
        }
        (DefinitionKind::ExternalTable, LogicalPlan::Ddl(DdlStatement::CreateExternalTable(statement))) => {
            open_external(&statement, state).await
        }
        (DefinitionKind::ExternalTable, _) => internal_err!("foretell: the definition is not CREATE EXTERNAL TABLE"),
    }
}

/// Fails when the view `name` reads from itself, directly or through other views.
fn check_cycle(name: &str, definitions: &BTreeMap<String, Definition>) -> Result<()> {
    let mut seen = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(view) = open.pop() {
        let Some(definition) = definitions.get(&view).filter(|found| found.kind == DefinitionKind::View) else {
            continue;
        };
        for statement in DFParser::parse_sql(&definition.sql)? {
            let (tables, _) = resolve_table_references(&statement, true)?;
            for table in tables {
                if table.table() == name {
                    return plan_err!("view `{name}` reads from itself");
                }
                if seen.insert(table.table().to_owned()) {
                    open.push(table.table().to_owned());
                }
            }
        }
    }
    Ok(())
}

/// The table that `CREATE EXTERNAL TABLE` describes.
pub(crate) async fn open_external(
    statement: &datafusion::logical_expr::CreateExternalTable,
    state: &SessionState,
) -> Result<Arc<dyn TableProvider>> {
    let format = statement.file_type.to_uppercase();
    let Some(factory) = state.table_factories().get(&format) else {
        return plan_err!("no files of format {format} can be read");
    };
    factory.create(state, statement).await
}
