//! Where things lie in a database directory. Knows paths, touches no file.

use std::path::{Path, PathBuf};

use crate::{Result, files, names};

/// The paths of one database directory.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The directory itself, absolute.
    pub(crate) root: PathBuf,
}

impl Layout {
    /// Says that this is a database, and of which format.
    pub(crate) fn format_file(&self) -> PathBuf {
        self.root.join("foretell.json")
    }

    /// The writer lock.
    pub(crate) fn lock_file(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Records of models.
    pub(crate) fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// Bytes of models, named by their content.
    pub(crate) fn model_files(&self) -> PathBuf {
        self.models().join("files")
    }

    /// The record of one model.
    pub(crate) fn model(&self, name: &str) -> Result<PathBuf> {
        Ok(self.models().join(format!("{}.json", names::encode("model", name)?)))
    }

    /// Stored definitions.
    pub(crate) fn views(&self) -> PathBuf {
        self.root.join("views")
    }

    /// One stored definition.
    pub(crate) fn view(&self, name: &str) -> Result<PathBuf> {
        Ok(self.views().join(format!("{}.json", names::encode("view", name)?)))
    }

    /// Delta Lake tables.
    pub(crate) fn tables(&self) -> PathBuf {
        self.root.join("tables")
    }

    /// One Delta Lake table.
    pub(crate) fn table(&self, name: &str) -> Result<PathBuf> {
        Ok(self.tables().join(names::encode("table", name)?))
    }

    /// One file per write that has not been committed.
    pub(crate) fn pending(&self) -> PathBuf {
        self.root.join("pending")
    }

    /// Dropped tables on their way out.
    pub(crate) fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }
}

/// The log of a Delta Lake table.
pub(crate) fn log_dir(table: &Path) -> PathBuf {
    table.join("_delta_log")
}

/// The versions of a Delta Lake table whose commit files are still there, ascending.
pub(crate) fn log_versions(table: &Path) -> Result<Vec<u64>> {
    let mut versions: Vec<u64> = files::entries(&log_dir(table))?
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter_map(|path| path.file_stem()?.to_str().filter(|stem| stem.len() == 20)?.parse().ok())
        .collect();
    versions.sort_unstable();
    Ok(versions)
}

/// The commit file of one version.
pub(crate) fn commit_file(table: &Path, version: u64) -> PathBuf {
    log_dir(table).join(format!("{version:020}.json"))
}
