//! Reading a model's bytes from a path or an address.

use std::path::{Path, PathBuf};

use datafusion::common::{DataFusionError, plan_err};
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use foretell_model::Error as ModelError;
use futures::StreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path as StorePath;
use url::Url;

use crate::stores::open_store;

/// The bytes behind `uri`, a local path or an address of an object store.
///
/// # Errors
/// When it cannot be read, is a directory, or is larger than `bytes_max`; nothing is read beyond that size.
pub(crate) async fn fetch(uri: &str, runtime: &RuntimeEnv, bytes_max: u64) -> Result<Vec<u8>> {
    match Url::parse(uri) {
        Ok(url) if url.scheme() == "file" => match url.to_file_path() {
            Ok(path) => read_local(&path, bytes_max).await,
            Err(()) => plan_err!("`{uri}` is no local path"),
        },
        Ok(url) if uri.contains("://") => read_remote(&url, runtime, bytes_max).await,
        _ => read_local(Path::new(uri), bytes_max).await,
    }
}

async fn read_local(path: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    let metadata = tokio::fs::metadata(path).await.map_err(|error| unreadable(path, error))?;
    if metadata.is_dir() {
        return plan_err!("`{}` is a directory, not a model file", path.display());
    }
    check_size(metadata.len(), bytes_max)?;
    tokio::fs::read(path).await.map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, source: std::io::Error) -> DataFusionError {
    DataFusionError::External(Box::new(ModelError::Io { path: PathBuf::from(path), source }))
}

async fn read_remote(url: &Url, runtime: &RuntimeEnv, bytes_max: u64) -> Result<Vec<u8>> {
    let root = ObjectStoreUrl::parse(&url[..url::Position::BeforePath])?;
    let store = match runtime.object_store(&root) {
        Ok(store) => store,
        Err(_) => open_store(url)?,
    };
    let path = StorePath::from_url_path(url.path()).map_err(|error| DataFusionError::External(Box::new(error)))?;
    let unreadable = |error: object_store::Error| {
        DataFusionError::ObjectStore(Box::new(error)).context(format!("cannot read `{url}`"))
    };
    let answer = store.get(&path).await.map_err(unreadable)?;
    check_size(answer.meta.size, bytes_max)?;
    let mut bytes = Vec::new();
    let mut parts = answer.into_stream();
    while let Some(part) = parts.next().await {
        bytes.extend_from_slice(&part.map_err(unreadable)?);
        check_size(bytes.len() as u64, bytes_max)?;
    }
    Ok(bytes)
}

fn check_size(got: u64, limit: u64) -> Result<()> {
    if got <= limit {
        return Ok(());
    }
    let error = ModelError::Limit { what: "bytes", name: "file_bytes", got, limit };
    Err(DataFusionError::ResourcesExhausted(error.to_string()))
}
