//! Opening a database directory, and the handle that everything else hangs on.

use std::path::{self, Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::layout::{Layout, log_dir};
use crate::lock::WriterLock;
use crate::store::DurableStore;
use crate::{Error, Result, files, models, pending};

/// The format this crate writes, and the highest one it reads.
const FORMAT: u64 = 1;

/// `foretell.json`
#[derive(Debug, Serialize, Deserialize)]
struct Format {
    format: u64,
}

/// What to do when the thing to be created exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExisting {
    /// Plain `CREATE`: an error.
    Fail,
    /// `CREATE OR REPLACE`.
    Replace,
    /// `IF NOT EXISTS`: leave it as it is.
    Keep,
}

/// An open database directory. Cheap to clone; all clones and all processes may work on it at the same time.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let parent = tempfile::tempdir()?;
/// use foretell_warehouse::Warehouse;
///
/// let warehouse = Warehouse::open(&parent.path().join("mydb"))?;
/// assert!(warehouse.table_names()?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Warehouse {
    pub(crate) layout: Arc<Layout>,
    pub(crate) store: Arc<DurableStore>,
}

impl Warehouse {
    /// Opens the database in `dir`, or makes one if `dir` is empty or does not exist.
    ///
    /// What killed processes left is removed: files of writes that were never committed, temporary files, dropped
    /// tables. A live writer holds a lock on its part, so nothing that is being written goes. A directory that may
    /// not be written is opened for reading.
    ///
    /// # Errors
    ///
    /// `dir` is a file, holds something else, has a newer format, or cannot be read or made.
    pub fn open(dir: &Path) -> Result<Self> {
        let root = path::absolute(dir).map_err(|source| Error::io("read", dir, source))?;
        let new = !is_database(dir)?;
        if has_escape(&root) {
            return Err(Error::BadPath { path: root });
        }
        if new {
            files::create_dir(dir)?;
        }
        let warehouse = Self { layout: Arc::new(Layout { root }), store: Arc::new(DurableStore::new()) };
        if new {
            warehouse.create()?;
        }
        match warehouse.clean() {
            Err(Error::ReadOnly { .. }) if !new => {}
            result => result?,
        }
        Ok(warehouse)
    }

    /// The database directory, absolute.
    pub fn path(&self) -> &Path {
        &self.layout.root
    }

    /// Waits for the writer lock.
    pub(crate) fn lock(&self) -> Result<WriterLock> {
        WriterLock::acquire(&self.layout.lock_file())
    }

    /// Waits for the writer lock without blocking the runtime.
    pub(crate) async fn lock_async(&self) -> Result<WriterLock> {
        let path = self.layout.lock_file();
        let waited = path.clone();
        tokio::task::spawn_blocking(move || WriterLock::acquire(&path))
            .await
            .map_err(|error| Error::io("lock", &waited, io::Error::other(error)))?
    }

    /// Writes the format file first, so that a half-made database is one that can be opened again.
    ///
    /// Two processes may create the same directory at the same time; whoever is first, both have a database.
    fn create(&self) -> Result<()> {
        match files::write_json(&self.layout.format_file(), &Format { format: FORMAT }) {
            Err(_) if is_database(&self.layout.root)? => {}
            result => result?,
        }
        files::sync_parent(&self.layout.root)
    }

    fn clean(&self) -> Result<()> {
        let layout = &self.layout;
        let _lock = self.lock()?;
        for dir in [layout.model_files(), layout.views(), layout.tables(), layout.pending(), layout.trash()] {
            files::create_dir(&dir)?;
        }
        // Before the pending writes: the folder of a table that was never committed goes only when its log is empty.
        for table in files::entries(&layout.tables())? {
            remove_temporary(&log_dir(&table))?;
        }
        pending::clean(layout)?;
        models::clean(layout)?;
        for path in files::entries(&layout.root)?.iter().filter(|path| is_unfinished_format_file(path)) {
            files::remove_file(path)?;
        }
        remove_temporary(&layout.models())?;
        remove_temporary(&layout.views())?;
        for dropped in files::entries(&layout.trash())? {
            files::remove_dir(&dropped)?;
        }
        Ok(())
    }
}

/// Is `dir` a database that this crate reads? `false` if one can be made there.
fn is_database(dir: &Path) -> Result<bool> {
    match fs::metadata(dir) {
        Ok(metadata) if !metadata.is_dir() => return Err(Error::NotADirectory { path: dir.to_path_buf() }),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(Error::io("read", dir, source)),
    }
    let format_file = dir.join("foretell.json");
    let unfinished = |path: &PathBuf| is_unfinished_format_file(path);
    let found: Option<Format> = match files::read_json(&format_file)? {
        Some(found) => Some(found),
        // A creation that was killed before its first rename leaves such files only.
        None if files::entries(dir)?.iter().all(unfinished) => return Ok(false),
        // Another process may have made it meanwhile.
        None => files::read_json(&format_file)?,
    };
    match found {
        Some(Format { format }) if format > FORMAT => {
            Err(Error::NewerFormat { path: dir.to_path_buf(), found: format, supported: FORMAT })
        }
        Some(_) => Ok(true),
        None => Err(Error::NotADatabase { path: dir.to_path_buf() }),
    }
}

/// What a creation that was killed before its first rename leaves; anything else at the top is somebody's own.
fn is_unfinished_format_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("foretell.json.") && name.ends_with(files::TEMPORARY)
}

/// Delta Lake's log reader decodes a path once more than it was encoded.
fn has_escape(path: &Path) -> bool {
    let path = path.to_string_lossy();
    path.as_bytes().windows(3).any(|part| part[0] == b'%' && part[1..].iter().all(u8::is_ascii_hexdigit))
}

/// Removes what was being written in `dir` when its writer died. The caller holds the writer lock, under which all
/// such files are written.
fn remove_temporary(dir: &Path) -> Result<()> {
    let temporary = |path: &PathBuf| path.extension().is_some_and(|extension| extension == files::TEMPORARY);
    files::entries(dir)?.iter().filter(|path| temporary(path)).try_for_each(|path| files::remove_file(path))
}
