//! The tables of a database directory as a DataFusion schema, with a session's own tables beside them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::error::Result;

use crate::{Error, Warehouse};

type Tables = BTreeMap<String, Arc<dyn TableProvider>>;

/// Finds stored tables, always in their newest version, and keeps what is registered (temporary tables, external
/// tables, views) in memory. Registering never changes the database; [`Warehouse::create_table`] and
/// [`Warehouse::drop_table`] do.
#[derive(Debug)]
pub struct WarehouseSchema {
    warehouse: Warehouse,
    session: RwLock<Tables>,
}

impl WarehouseSchema {
    /// The schema of `warehouse`, for one session.
    pub fn new(warehouse: Warehouse) -> Self {
        Self { warehouse, session: RwLock::default() }
    }

    /// The database behind this schema.
    pub fn warehouse(&self) -> &Warehouse {
        &self.warehouse
    }

    /// Is `name` a table that only this session has?
    pub fn is_session_table(&self, name: &str) -> bool {
        self.read().contains_key(name)
    }

    /// The map stays whole when a thread panics: each change is one call on it.
    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.session.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.session.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SchemaProvider for WarehouseSchema {
    /// A directory that cannot be read shows no tables here; asking for one tells why.
    fn table_names(&self) -> Vec<String> {
        let mut names = self.warehouse.table_names().unwrap_or_default();
        names.extend(self.read().keys().cloned());
        names.sort();
        names.dedup();
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let session = self.read().get(name).cloned();
        match session {
            Some(table) => Ok(Some(table)),
            None => Ok(self.warehouse.table(name).await?),
        }
    }

    fn register_table(&self, name: String, table: Arc<dyn TableProvider>) -> Result<Option<Arc<dyn TableProvider>>> {
        if self.table_exist(&name) {
            return Err(Error::Exists { kind: "table", name }.into());
        }
        Ok(self.write().insert(name, table))
    }

    fn deregister_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(self.write().remove(name))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.is_session_table(name) || self.warehouse.table_exists(name).unwrap_or(false)
    }
}
