//! The local file system as an object store whose finished files survive a power cut: the store of the
//! `object_store` crate, with a flush to disk of every file before it gets its name and of its directory after.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::files;

/// See the module's page.
#[derive(Debug)]
pub(crate) struct DurableStore {
    local: Arc<LocalFileSystem>,
}

impl DurableStore {
    /// The whole file system; locations are absolute paths.
    pub(crate) fn new() -> Self {
        Self { local: Arc::new(LocalFileSystem::new()) }
    }
}

impl fmt::Display for DurableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableStore({})", self.local)
    }
}

#[async_trait]
impl ObjectStore for DurableStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let path = self.local.path_to_filesystem(location)?;
        let create = match opts.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => return self.local.put_opts(location, payload, opts).await,
        };
        spawn_blocking(move || put(&path, &payload, create)).await??;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let path = self.local.path_to_filesystem(location)?;
        let upload = self.local.put_multipart_opts(location, opts).await?;
        Ok(Box::new(DurableUpload { upload, path }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.local.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<bytes::Bytes>> {
        self.local.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.local.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.local.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.local.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.local.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.local.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.local.rename_opts(from, to, options).await
    }
}

/// An upload in parts that flushes the file when it is complete.
#[derive(Debug)]
struct DurableUpload {
    upload: Box<dyn MultipartUpload>,
    path: PathBuf,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.upload.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.upload.complete().await?;
        let path = self.path.clone();
        spawn_blocking(move || File::open(&path).and_then(|file| file.sync_all()).and_then(|()| sync_parents(&path)))
            .await?
            .map_err(generic)?;
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.upload.abort().await
    }
}

/// Writes one object; with `create` an object that is there already is an error.
fn put(path: &FilePath, payload: &PutPayload, create: bool) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(generic)?;
    }
    let temporary = files::with_suffix(path, &format!("{}.{}", Uuid::new_v4().simple(), files::TEMPORARY));
    let written = write_synced(&temporary, payload)
        .and_then(|()| if create { fs::hard_link(&temporary, path) } else { fs::rename(&temporary, path) });
    if create || written.is_err() {
        // Best effort: the object itself is what counts, and the name is unique.
        let _ = fs::remove_file(&temporary);
    }
    match written {
        Err(source) if create && source.kind() == io::ErrorKind::AlreadyExists => {
            Err(Error::AlreadyExists { path: path.display().to_string(), source: Box::new(source) })
        }
        Err(source) => Err(generic(source)),
        Ok(()) => sync_parents(path).map_err(generic),
    }
}

fn write_synced(path: &FilePath, payload: &PutPayload) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    for bytes in payload {
        file.write_all(bytes)?;
    }
    file.sync_all()
}

/// A new file may lie in new folders (the log's, a write's, the table's), so their entries are flushed too.
fn sync_parents(path: &FilePath) -> io::Result<()> {
    path.ancestors().skip(1).take(3).try_for_each(files::sync_dir)
}

fn generic(source: io::Error) -> Error {
    Error::Generic { store: "foretell", source: Box::new(source) }
}
