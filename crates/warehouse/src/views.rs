//! Stored definitions: views and external tables, kept as the SQL text that made them. Does not parse it.

use serde::{Deserialize, Serialize};

use crate::models::{now, read_all};
use crate::warehouse::OnExisting;
use crate::{Error, Result, Warehouse, files};

/// What a stored definition defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ViewKind {
    /// A query by a name.
    View,
    /// Files elsewhere that are read as a table.
    ExternalTable,
}

/// A stored definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewRecord {
    /// Its name.
    pub name: String,
    /// What it defines.
    pub kind: ViewKind,
    /// The text, as it was given.
    pub sql: String,
    /// When it was stored, RFC 3339, UTC.
    pub created: String,
}

impl Warehouse {
    /// All stored definitions, by name.
    ///
    /// # Errors
    ///
    /// One cannot be read.
    pub fn views(&self) -> Result<Vec<ViewRecord>> {
        let mut records: Vec<ViewRecord> = read_all(&self.layout.views())?;
        records.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(records)
    }

    /// One stored definition, `None` if there is none of that name.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn view(&self, name: &str) -> Result<Option<ViewRecord>> {
        files::read_json(&self.layout.view(name)?)
    }

    /// Stores a definition. `false` if there was one and [`OnExisting::Keep`] left it.
    ///
    /// # Errors
    ///
    /// A table or a definition of that name exists, or the file cannot be written.
    pub fn put_view(&self, name: &str, kind: ViewKind, sql: &str, on_existing: OnExisting) -> Result<bool> {
        let path = self.layout.view(name)?;
        let _lock = self.lock()?;
        if self.table_exists(name)? {
            return Err(Error::Exists { kind: "table", name: name.to_string() });
        }
        match on_existing {
            OnExisting::Fail if path.exists() => return Err(Error::Exists { kind: "view", name: name.to_string() }),
            OnExisting::Keep if path.exists() => return Ok(false),
            _ => {}
        }
        files::write_json(&path, &ViewRecord { name: name.to_string(), kind, sql: sql.to_string(), created: now() })?;
        Ok(true)
    }

    /// Removes a stored definition. `false` if there was none.
    ///
    /// # Errors
    ///
    /// Its file cannot be removed.
    pub fn drop_view(&self, name: &str) -> Result<bool> {
        let path = self.layout.view(name)?;
        let _lock = self.lock()?;
        if !path.exists() {
            return Ok(false);
        }
        files::remove_file(&path)?;
        files::sync_parent(&path)?;
        Ok(true)
    }
}
