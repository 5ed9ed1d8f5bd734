//! Tables: creating, filling, replacing and dropping Delta Lake tables, each with one commit.
//!
//! Rows are written first, outside the lock; then, under the writer lock, the table is looked at again and one commit
//! file makes all of it visible. A kill before that leaves the table as it was.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::execution::SendableRecordBatchStream;
use deltalake::DeltaTableError;
use deltalake::kernel::StructType;
use deltalake::kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel};
use deltalake::protocol::SaveMode;
use uuid::Uuid;

use crate::commit::{Change, CommitInfo, commit};
use crate::delta::{self, DeltaVersion};
use crate::layout::{commit_file, log_versions};
use crate::pending::{self, PendingWrite};
use crate::provider::WarehouseTable;
use crate::types::{Conversion, nullable_schema, storable_schema};
use crate::warehouse::OnExisting;
use crate::write::{Destination, Written};
use crate::{Error, Result, Warehouse, files, names};

impl Warehouse {
    /// The names of all tables, sorted.
    ///
    /// # Errors
    ///
    /// The directory cannot be read.
    pub fn table_names(&self) -> Result<Vec<String>> {
        let mut tables = Vec::new();
        for dir in files::entries(&self.layout.tables())? {
            let name = dir.file_name().and_then(|name| name.to_str()).and_then(names::decode);
            if let Some(name) = name
                && is_table(&dir)?
            {
                tables.push(name);
            }
        }
        tables.sort();
        Ok(tables)
    }

    /// Is there a table of that name?
    ///
    /// # Errors
    ///
    /// The directory cannot be read, or no table can have that name.
    pub fn table_exists(&self, name: &str) -> Result<bool> {
        is_table(&self.layout.table(name)?)
    }

    /// The table `name` as it is now, `None` if there is none. It can be read, and written with `INSERT`.
    ///
    /// # Errors
    ///
    /// The table's log cannot be read.
    pub async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let dir = self.layout.table(name)?;
        if !is_table(&dir)? {
            return Ok(None);
        }
        let version = DeltaVersion::load(name, &dir, &self.store).await?;
        Ok(Some(Arc::new(WarehouseTable::try_new(self.clone(), name, version).await?)))
    }

    /// Creates a table with the rows of `streams`, in one commit. Returns the number of rows, or `None` if there was
    /// such a table and [`OnExisting::Keep`] left it alone.
    ///
    /// With no streams the table is empty and has the columns as given; columns filled by a query can all be NULL.
    /// [`OnExisting::Replace`] replaces columns and rows, and fails if another statement changes the table meanwhile.
    ///
    /// # Errors
    ///
    /// A table or view of that name exists, a column cannot be stored, or the query fails.
    pub async fn create_table(
        &self,
        name: &str,
        schema: &Schema,
        streams: Vec<SendableRecordBatchStream>,
        on_existing: OnExisting,
        info: &CommitInfo,
    ) -> Result<Option<u64>> {
        let stored = storable_schema(name, schema)?;
        let stored = if streams.is_empty() { stored } else { nullable_schema(&stored) };
        let (columns, target) = delta_schema(name, &stored)?;
        let dir = self.layout.table(name)?;
        let lock = self.lock_async().await?;
        if self.view(name)?.is_some() {
            return Err(Error::Exists { kind: "view", name: name.to_string() });
        }
        let base = match (is_table(&dir)?, on_existing) {
            (true, OnExisting::Fail) => return Err(Error::Exists { kind: "table", name: name.to_string() }),
            (true, OnExisting::Keep) => return Ok(None),
            (true, OnExisting::Replace) => Some(DeltaVersion::load(name, &dir, &self.store).await?),
            (false, _) => None,
        };
        let write = TableWrite::begin(self, name, dir, base)?;
        drop(lock);
        let conversion = Conversion::try_new(name, schema, &target)?;
        let written = write.rows(conversion, vec![], streams).await?;
        let rows = written.rows;
        match (write.commit(Change::Define { columns }, written, info).await, on_existing) {
            (Err(Error::Exists { kind: "table", .. }), OnExisting::Keep) => Ok(None),
            (Err(Error::Exists { kind: "table", name }), OnExisting::Replace) => Err(Error::Conflict { table: name }),
            (result, _) => result.map(|()| Some(rows)),
        }
    }

    /// Adds the rows of `streams` to a table, in one commit. Columns are matched by name. Returns the number of rows.
    ///
    /// # Errors
    ///
    /// There is no such table, the rows do not fit, the query fails, or the table was replaced meanwhile.
    pub async fn append(
        &self,
        name: &str,
        schema: &Schema,
        streams: Vec<SendableRecordBatchStream>,
        info: &CommitInfo,
    ) -> Result<u64> {
        let base = self.base(name).await?;
        self.fill(name, base, schema, streams, SaveMode::Append, info).await
    }

    /// Replaces all rows of a table by those of `streams`, in one commit. Returns the number of new rows.
    ///
    /// # Errors
    ///
    /// As [`Warehouse::append`]; also if the table was changed in any way meanwhile.
    pub async fn overwrite(
        &self,
        name: &str,
        schema: &Schema,
        streams: Vec<SendableRecordBatchStream>,
        info: &CommitInfo,
    ) -> Result<u64> {
        let base = self.base(name).await?;
        self.fill(name, base, schema, streams, SaveMode::Overwrite, info).await
    }

    /// Removes a table with all its history. `false` if there was none.
    ///
    /// # Errors
    ///
    /// A statement is writing to the table, or its files cannot be removed.
    pub async fn drop_table(&self, name: &str) -> Result<bool> {
        let dir = self.layout.table(name)?;
        let lock = self.lock_async().await?;
        if !is_table(&dir)? {
            return Ok(false);
        }
        if pending::is_written(&self.layout, &dir)? {
            return Err(Error::InUse { table: name.to_string() });
        }
        let trash = self.layout.trash().join(Uuid::new_v4().simple().to_string());
        std::fs::rename(&dir, &trash).map_err(|source| Error::io("remove", &dir, source))?;
        files::sync_parent(&dir)?;
        drop(lock);
        // The table is gone; what cannot be deleted now is deleted when the database is next opened.
        let _ = tokio::task::spawn_blocking(move || files::remove_dir(&trash)).await;
        Ok(true)
    }

    /// Adds or replaces rows of a table whose version `base` the caller has looked at.
    pub(crate) async fn fill(
        &self,
        name: &str,
        base: DeltaVersion,
        schema: &Schema,
        streams: Vec<SendableRecordBatchStream>,
        mode: SaveMode,
        info: &CommitInfo,
    ) -> Result<u64> {
        base.check_writable(name)?;
        let conversion = Conversion::try_new(name, schema, &base.schema())?;
        let partition_columns = base.snapshot.metadata().partition_columns().to_vec();
        let lock = self.lock_async().await?;
        let write = TableWrite::begin(self, name, self.layout.table(name)?, Some(base))?;
        drop(lock);
        let written = write.rows(conversion, partition_columns, streams).await?;
        let rows = written.rows;
        let change = if mode == SaveMode::Append { Change::Append } else { Change::Overwrite };
        write.commit(change, written, info).await?;
        Ok(rows)
    }

    async fn base(&self, name: &str) -> Result<DeltaVersion> {
        let dir = self.layout.table(name)?;
        if !is_table(&dir)? {
            return Err(Error::NotFound { kind: "table", name: name.to_string() });
        }
        DeltaVersion::load(name, &dir, &self.store).await
    }
}

/// One write, from its announcement to its commit.
struct TableWrite {
    warehouse: Warehouse,
    name: String,
    dir: PathBuf,
    /// The version the write started from; `None` for a new table.
    base: Option<DeltaVersion>,
    pending: Arc<PendingWrite>,
}

impl TableWrite {
    /// Announces the write. The caller holds the writer lock.
    fn begin(warehouse: &Warehouse, name: &str, dir: PathBuf, base: Option<DeltaVersion>) -> Result<Self> {
        let read_version = base.as_ref().map(|base| base.snapshot.version());
        let pending = Arc::new(PendingWrite::begin(&warehouse.layout, &dir, read_version)?);
        Ok(Self { warehouse: warehouse.clone(), name: name.to_string(), dir, base, pending })
    }

    async fn rows(
        &self,
        conversion: Conversion,
        partition_columns: Vec<String>,
        streams: Vec<SendableRecordBatchStream>,
    ) -> Result<Written> {
        let destination = Destination {
            table: self.name.clone(),
            conversion,
            partition_columns,
            store: delta::log_store(&self.name, &self.dir, &self.warehouse.store)?.object_store(None),
            pending: Arc::clone(&self.pending),
        };
        destination.write(streams).await
    }

    /// Makes the change visible, unless the table has changed in a way that this write did not expect. A statement
    /// that is cancelled meanwhile does not stop a commit half-way.
    async fn commit(self, change: Change, written: Written, info: &CommitInfo) -> Result<()> {
        let (table, info) = (self.name.clone(), info.clone());
        tokio::spawn(self.commit_locked(change, written, info)).await.map_err(|error| {
            Error::delta("commit to", &table, DeltaTableError::GenericError { source: error.into() })
        })?
    }

    async fn commit_locked(self, change: Change, written: Written, info: CommitInfo) -> Result<()> {
        let _lock = self.warehouse.lock_async().await?;
        let newest = if is_table(&self.dir)? {
            Some(DeltaVersion::load(&self.name, &self.dir, &self.warehouse.store).await?)
        } else {
            None
        };
        self.check_unchanged(&change, newest.as_ref())?;
        let log_store = delta::log_store(&self.name, &self.dir, &self.warehouse.store)?;
        self.pending.begin_commit();
        let committed = commit(&self.name, log_store, newest.as_ref(), change, written, &info).await?;
        self.pending.committed();
        // The rows are in the table now, so what comes after (a checkpoint of the log) must not fail the statement.
        let _ = committed.await;
        Ok(())
    }

    fn check_unchanged(&self, change: &Change, newest: Option<&DeltaVersion>) -> Result<()> {
        let unchanged = match (&self.base, newest) {
            (None, None) if self.warehouse.view(&self.name)?.is_some() => {
                return Err(Error::Exists { kind: "view", name: self.name.clone() });
            }
            (None, None) => true,
            (None, Some(_)) => return Err(Error::Exists { kind: "table", name: self.name.clone() }),
            (Some(_), None) => false,
            (Some(base), Some(newest)) => {
                let same_version = base.snapshot.version() == newest.snapshot.version();
                base.is_same_table(newest) && (same_version || matches!(change, Change::Append))
            }
        };
        if unchanged { Ok(()) } else { Err(Error::Conflict { table: self.name.clone() }) }
    }
}

/// Has this folder a committed version?
fn is_table(dir: &Path) -> Result<bool> {
    if commit_file(dir, 0).exists() {
        return Ok(true);
    }
    // A long log may have lost its beginning to a checkpoint.
    Ok(!log_versions(dir)?.is_empty())
}

/// The columns of a new table for the log, and as Arrow reads them back.
fn delta_schema(table: &str, stored: &Schema) -> Result<(StructType, SchemaRef)> {
    let columns: StructType = stored.try_into_kernel().map_err(|error| Error::delta("create", table, error))?;
    let target: Schema = (&columns).try_into_arrow().map_err(|error| Error::delta("create", table, error))?;
    Ok((columns, Arc::new(target)))
}
