//! Writes that have not been committed, so that what a killed process left can be told from what a live one is
//! writing.
//!
//! A write puts its data files into a folder of its own inside the table and has a file `pending/<id>`, on which it
//! holds a lock until it has committed or given up. The lock ends with the process. Whoever opens the database and
//! gets that lock knows the writer is dead; if no commit mentions the folder, the folder goes. Nothing else is ever
//! removed from `tables/`: not the folder of a live writer, not a table that somebody copied in.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::layout::{Layout, commit_file, log_dir, log_versions};
use crate::{Error, Result, files};

/// What `pending/<id>` says.
#[derive(Debug, Serialize, Deserialize)]
struct Journal {
    /// Folder of the table inside `tables/`.
    table: String,
    /// Newest version when the write began; a commit of it comes after that.
    read_version: Option<u64>,
}

/// One write that is going on. Dropped before its commit begins, it takes its files with it.
#[derive(Debug)]
pub(crate) struct PendingWrite {
    id: String,
    table_dir: PathBuf,
    journal: PathBuf,
    _lock: File,
    committing: AtomicBool,
}

impl PendingWrite {
    /// Announces a write to `table_dir`. The caller holds the writer lock, so no cleaner sees the file unlocked.
    pub(crate) fn begin(layout: &Layout, table_dir: &Path, read_version: Option<u64>) -> Result<Self> {
        let id = Uuid::new_v4().simple().to_string();
        let journal = layout.pending().join(&id);
        let table = table_dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = serde_json::to_vec(&Journal { table, read_version })
            .map_err(|source| Error::Damaged { path: journal.clone(), source })?;
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).open(&journal)?;
            file.try_lock()?;
            file.write_all(&text)?;
            file.sync_all()?;
            Ok(file)
        };
        let lock = write().map_err(|source| Error::io("write", &journal, source))?;
        files::sync_parent(&journal)?;
        Ok(Self { id, table_dir: table_dir.to_path_buf(), journal, _lock: lock, committing: AtomicBool::new(false) })
    }

    /// The folder of this write's data files, relative to the table.
    pub(crate) fn folder(&self) -> &str {
        &self.id
    }

    /// From here on only the log can tell whether the files belong to the table, so they are not removed any more.
    pub(crate) fn begin_commit(&self) {
        self.committing.store(true, Ordering::Release);
    }

    /// The commit has succeeded.
    pub(crate) fn committed(&self) {
        // A journal that stays is found when the database is next opened, and then the log tells.
        let _ = files::remove_file(&self.journal);
    }
}

impl Drop for PendingWrite {
    fn drop(&mut self) {
        // Failures are left for the next opening of the database, which finds the journal and tries again.
        if !self.committing.load(Ordering::Acquire) && remove_data(&self.table_dir, &self.id).is_ok() {
            let _ = files::remove_file(&self.journal);
        }
    }
}

/// Removes what dead writers left. The caller holds the writer lock.
pub(crate) fn clean(layout: &Layout) -> Result<()> {
    for journal in files::entries(&layout.pending())? {
        let Some(text) = read_if_dead(&journal)? else { continue };
        let id = journal.file_name().unwrap_or_default().to_string_lossy();
        // A journal that is cut short was never followed by data.
        if let Ok(entry) = serde_json::from_str::<Journal>(&text) {
            let table_dir = layout.tables().join(&entry.table);
            if !is_committed(&table_dir, &id, entry.read_version)? {
                remove_data(&table_dir, &id)?;
            }
        }
        files::remove_file(&journal)?;
    }
    Ok(())
}

/// Is a live process writing to this table? The caller holds the writer lock.
pub(crate) fn is_written(layout: &Layout, table_dir: &Path) -> Result<bool> {
    for journal in files::entries(&layout.pending())? {
        if read_if_dead(&journal)?.is_some() {
            continue;
        }
        let text = fs::read_to_string(&journal).unwrap_or_default();
        if serde_json::from_str::<Journal>(&text).is_ok_and(|entry| layout.tables().join(entry.table) == table_dir) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The text of a journal whose writer is gone.
fn read_if_dead(journal: &Path) -> Result<Option<String>> {
    let Ok(mut file) = File::open(journal) else { return Ok(None) };
    if file.try_lock().is_err() {
        return Ok(None);
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|source| Error::io("read", journal, source))?;
    Ok(Some(text))
}

/// Does a commit after `read_version` mention the folder `id`? If the log has been shortened since, we cannot know,
/// and say yes: a folder too many is better than one too few.
fn is_committed(table_dir: &Path, id: &str, read_version: Option<u64>) -> Result<bool> {
    let first = read_version.map_or(0, |version| version + 1);
    let versions: Vec<u64> = log_versions(table_dir)?.into_iter().filter(|version| *version >= first).collect();
    if versions.first().is_some_and(|version| *version != first) {
        return Ok(true);
    }
    for version in versions {
        let path = commit_file(table_dir, version);
        let text = fs::read_to_string(&path).map_err(|source| Error::io("read", &path, source))?;
        if text.contains(id) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes the data files of a write, and the table's own folder if the write was to create it.
fn remove_data(table_dir: &Path, id: &str) -> Result<()> {
    files::remove_dir(&table_dir.join(id))?;
    // These succeed only when the folders are empty, so when the table was never committed.
    let _ = fs::remove_dir(log_dir(table_dir));
    let _ = fs::remove_dir(table_dir);
    Ok(())
}
