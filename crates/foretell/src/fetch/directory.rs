//! The directory of a model, on this machine, in an object store or on a server: files read by their path in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::common::{DataFusionError, plan_err};
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use foretell_mlflow::{Allowance, Error as MlflowError, HttpDirectory, InnerPath, Location};
use foretell_model::Error as ModelError;
use futures::StreamExt;
use object_store::path::Path as StorePath;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::io::AsyncReadExt;
use url::Url;

use super::external;
use crate::stores::{open_mlflow_store, open_store};

/// A directory of files that belong together.
#[derive(Debug)]
pub(super) enum Directory {
    Local(PathBuf),
    Store { store: Arc<dyn ObjectStore>, prefix: StorePath, url: Url },
    Http(HttpDirectory),
}

impl Directory {
    /// The directory that MLflow keeps a model in.
    pub(super) fn of(location: Location, runtime: &RuntimeEnv) -> Result<Self> {
        match location {
            Location::Local(path) if path.exists() => Ok(Self::Local(path)),
            Location::Local(path) => plan_err!(
                "the server keeps the model in the folder `{}`, which is not on this machine; start the server with \
                 `--artifacts-destination` instead of `--no-serve-artifacts`, or mount the folder here",
                path.display()
            ),
            Location::Http(directory) => Ok(Self::Http(directory)),
            Location::Store(url) => match open_mlflow_store(&url) {
                Some(store) => Self::in_store(store?, url),
                None => Self::store(url, runtime),
            },
        }
    }

    /// The directory of an object store at `url`.
    pub(super) fn store(url: Url, runtime: &RuntimeEnv) -> Result<Self> {
        let root = ObjectStoreUrl::parse(&url[..url::Position::BeforePath])?;
        let store = match runtime.object_store(&root) {
            Ok(store) => store,
            Err(_) => open_store(&url)?,
        };
        Self::in_store(store, url)
    }

    fn in_store(store: Arc<dyn ObjectStore>, url: Url) -> Result<Self> {
        let prefix = StorePath::from_url_path(url.path()).map_err(external)?;
        Ok(Self::Store { store, prefix, url })
    }

    /// The bytes of a file in it, which must lie in it however it is reached.
    ///
    /// # Errors
    /// When there is no such file, it cannot be read, or it is larger than allowed; nothing is read beyond that size.
    pub(super) async fn read(&self, path: &InnerPath, allowance: Allowance) -> Result<Vec<u8>> {
        match self {
            Self::Local(root) => {
                let file = inside(root, path).await?;
                read_local(&file, allowance).await
            }
            Self::Store { store, prefix, url } => {
                let place = path.parts().iter().fold(prefix.clone(), |place, part| place.join(part.as_str()));
                match read_object(store, &place, allowance).await {
                    Err(DataFusionError::ObjectStore(error)) if is_not_found(&error) => {
                        Err(external(no_file(path, url.as_str())))
                    }
                    Err(error) => Err(unread(error, &format!("{path}` in `{url}"))),
                    read => read,
                }
            }
            Self::Http(directory) => directory.read(path, allowance).await.map_err(external),
        }
    }
}

/// The place of a file, which no symbolic link may move out of the directory.
async fn inside(root: &Path, path: &InnerPath) -> Result<PathBuf> {
    let file = path.parts().iter().fold(root.to_path_buf(), |file, part| file.join(part));
    let missing = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => external(no_file(path, &root.display().to_string())),
        _ => unreadable(&file, error),
    };
    let real_root = tokio::fs::canonicalize(root).await.map_err(missing)?;
    let real = tokio::fs::canonicalize(&file).await.map_err(missing)?;
    if !real.starts_with(&real_root) {
        return plan_err!(
            "`{path}` in `{}` is a link to a file outside of it; put the file itself there",
            root.display()
        );
    }
    if !tokio::fs::metadata(&real).await.map_err(missing)?.is_file() {
        return plan_err!("`{path}` in `{}` is no file", root.display());
    }
    Ok(real)
}

fn no_file(path: &InnerPath, directory: &str) -> MlflowError {
    MlflowError::NoFile { file: path.to_string(), directory: directory.to_owned(), message: String::new() }
}

/// The bytes of a file of this machine.
pub(super) async fn read_local(path: &Path, allowance: Allowance) -> Result<Vec<u8>> {
    let unreadable = |error| unreadable(path, error);
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let size = file.metadata().await.map_err(unreadable)?.len();
    check_size(&path.display().to_string(), size, allowance)?;
    // What has no size, such as a pipe, may go on for ever.
    let mut bytes = Vec::with_capacity(size as usize);
    file.take(allowance.bytes().saturating_add(1)).read_to_end(&mut bytes).await.map_err(unreadable)?;
    check_size(&path.display().to_string(), bytes.len() as u64, allowance)?;
    Ok(bytes)
}

/// The error about a file of this machine.
pub(super) fn unreadable(path: &Path, source: std::io::Error) -> DataFusionError {
    external(ModelError::Io { path: path.to_path_buf(), source })
}

/// The bytes of an object.
pub(super) async fn read_object(
    store: &Arc<dyn ObjectStore>,
    place: &StorePath,
    allowance: Allowance,
) -> Result<Vec<u8>> {
    let unreadable = |error| DataFusionError::ObjectStore(Box::new(error));
    let answer = store.get(place).await.map_err(unreadable)?;
    check_size(place.as_ref(), answer.meta.size, allowance)?;
    let mut bytes = Vec::new();
    let mut parts = answer.into_stream();
    while let Some(part) = parts.next().await {
        bytes.extend_from_slice(&part.map_err(unreadable)?);
        check_size(place.as_ref(), bytes.len() as u64, allowance)?;
    }
    Ok(bytes)
}

/// The error of [`read_object`], with the object's address if it is the store's.
pub(super) fn unread(error: DataFusionError, address: &str) -> DataFusionError {
    match error {
        DataFusionError::ObjectStore(_) => error.context(format!("cannot read `{address}`")),
        other => other,
    }
}

pub(super) fn is_not_found(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. })
}

/// Checks the size of a file as far as it is known.
pub(super) fn check_size(file: &str, got: u64, allowance: Allowance) -> Result<()> {
    allowance.check(file, got).map_err(|error| match allowance {
        Allowance::Model(limit) => {
            let error = ModelError::Limit { what: "bytes", name: "file_bytes", got, limit };
            DataFusionError::ResourcesExhausted(error.to_string())
        }
        _ => external(error),
    })
}
