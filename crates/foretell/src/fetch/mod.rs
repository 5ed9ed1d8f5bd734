//! Reading a model from a path, an address or a registry: its file with the data beside it, and what MLflow says about it.

mod directory;

use std::collections::HashMap;
use std::path::Path;

use datafusion::common::{DataFusionError, plan_err};
use datafusion::error::Result;
use datafusion::execution::runtime_env::RuntimeEnv;
use directory::{Directory, check_size, is_not_found, read_local, read_object, unread, unreadable};
use foretell_mlflow::{Allowance, InnerPath, MLMODEL, MlModel, ModelUri, Registry};
use foretell_model::{Limits, external_files, with_external_data};
use object_store::path::Path as StorePath;
use url::Url;

/// Most files beside a model that its tensors are in: each is asked for by itself.
const EXTERNAL_FILES_MAX: usize = 4096;

/// A model, read.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The model as one file, whatever it was made of.
    pub(crate) bytes: Vec<u8>,
    /// Set for a model directory of MLflow.
    pub(crate) mlmodel: Option<MlModel>,
    /// The input example that is kept with the model.
    pub(crate) example: Option<Vec<u8>>,
    /// What the address meant when it was read, if it can mean something else tomorrow.
    pub(crate) resolved: Option<String>,
}

/// Reads the model behind `uri`: a local path, an address of an object store, or one that a tracking server resolves. A
/// directory is a model if it has an `MLmodel` file.
///
/// # Errors
/// When it cannot be read, is a directory of another kind, or is larger than the limits; nothing is read beyond them.
pub(crate) async fn fetch(uri: &str, runtime: &RuntimeEnv, limits: &Limits, example: Example) -> Result<Fetched> {
    let fetched = match ModelUri::parse(uri) {
        Some(parsed) => read_from_server(&parsed.map_err(external)?, runtime, limits, example).await,
        None => match find(uri, runtime, limits).await? {
            Found::Directory(directory) => read_mlflow(&directory, limits, example).await,
            Found::File(bytes, directory) => whole(bytes, &directory, None, limits).await.map(Fetched::file),
        },
    };
    fetched.map_err(|error| error.context(format!("cannot use `{uri}`")))
}

impl Fetched {
    /// A model that is a file, and of which no more is known.
    fn file(bytes: Vec<u8>) -> Self {
        Self { bytes, mlmodel: None, example: None, resolved: None }
    }
}

/// What is done with the input example of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Example {
    /// The model must answer it.
    Check,
    /// Nothing.
    Skip,
}

/// The model behind an address that the tracking server named by the environment resolves.
async fn read_from_server(uri: &ModelUri, runtime: &RuntimeEnv, limits: &Limits, example: Example) -> Result<Fetched> {
    let registry = Registry::from_environment(|name| std::env::var(name).ok()).map_err(external)?;
    let resolved = registry.resolve(uri).await.map_err(external)?;
    let directory = Directory::of(resolved.location, runtime)?;
    let fetched = read_mlflow(&directory, limits, example).await?;
    Ok(Fetched { resolved: Some(resolved.shown), ..fetched })
}

/// What a path or an address is.
enum Found {
    /// A file, with the directory it is in.
    File(Vec<u8>, Directory),
    Directory(Directory),
}

async fn find(uri: &str, runtime: &RuntimeEnv, limits: &Limits) -> Result<Found> {
    match Url::parse(uri) {
        Ok(url) if url.scheme() == "file" => match url.to_file_path() {
            Ok(path) => find_local(&path, limits).await,
            Err(()) => plan_err!("`{uri}` is no local path"),
        },
        Ok(url) if uri.contains("://") => find_remote(&url, runtime, limits).await,
        _ => find_local(Path::new(uri), limits).await,
    }
}

async fn find_local(path: &Path, limits: &Limits) -> Result<Found> {
    let metadata = tokio::fs::metadata(path).await.map_err(|error| unreadable(path, error))?;
    if metadata.is_dir() {
        if !path.join(MLMODEL).exists() {
            return plan_err!(
                "`{}` is a directory without an `{MLMODEL}` file; give the path of the model file in it",
                path.display()
            );
        }
        return Ok(Found::Directory(Directory::Local(path.to_path_buf())));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let directory = Directory::Local(parent.to_path_buf());
    if path.file_name().is_some_and(|name| name == MLMODEL) {
        return Ok(Found::Directory(directory));
    }
    Ok(Found::File(read_local(path, Allowance::Model(limits.file_bytes)).await?, directory))
}

/// An address that ends with `/` is a directory; another one is tried as a file first.
async fn find_remote(url: &Url, runtime: &RuntimeEnv, limits: &Limits) -> Result<Found> {
    if url.path().ends_with('/') {
        return Directory::store(url.clone(), runtime).map(Found::Directory);
    }
    let parent = Directory::store(url.join(".").map_err(external)?, runtime)?;
    if url.path().rsplit('/').next() == Some(MLMODEL) {
        return Ok(Found::Directory(parent));
    }
    let Directory::Store { store, .. } = &parent else { return plan_err!("`{url}` is no object store") };
    let place = StorePath::from_url_path(url.path()).map_err(external)?;
    let missing = match read_object(store, &place, Allowance::Model(limits.file_bytes)).await {
        Ok(bytes) => return Ok(Found::File(bytes, parent)),
        Err(DataFusionError::ObjectStore(error)) if is_not_found(&error) => DataFusionError::ObjectStore(error),
        Err(error) => return Err(unread(error, url.as_str())),
    };
    match read_object(store, &place.join(MLMODEL), Allowance::MlModel).await {
        Ok(_) => Directory::store(url.clone(), runtime).map(Found::Directory),
        // It is the address as it was given that is not there.
        Err(_) => Err(unread(missing, url.as_str())),
    }
}

/// The model in a directory with an `MLmodel` file.
async fn read_mlflow(directory: &Directory, limits: &Limits, example: Example) -> Result<Fetched> {
    let path = InnerPath::parse(MLMODEL).map_err(external)?;
    let mlmodel = MlModel::parse(&directory.read(&path, Allowance::MlModel).await?).map_err(external)?;
    let bytes = directory.read(mlmodel.data(), Allowance::Model(limits.file_bytes)).await?;
    let bytes = whole(bytes, directory, Some(mlmodel.data()), limits).await?;
    let example = match mlmodel.example().filter(|_| example == Example::Check) {
        Some(path) => Some(directory.read(path, Allowance::Example).await?),
        None => None,
    };
    Ok(Fetched { bytes, mlmodel: Some(mlmodel), example, resolved: None })
}

/// The model as one file: with the data of tensors that are in other files beside it. `file` is its own path, if it is not
/// at the top of the directory.
async fn whole(bytes: Vec<u8>, directory: &Directory, file: Option<&InnerPath>, limits: &Limits) -> Result<Vec<u8>> {
    let names = external_files(&bytes);
    if names.is_empty() {
        return Ok(bytes);
    }
    if names.len() > EXTERNAL_FILES_MAX {
        return plan_err!(
            "the model keeps its tensors in {} files, and at most {EXTERNAL_FILES_MAX} are read; \
             save it with all of them in one file (`onnx.save(..., save_as_external_data=True)`)",
            names.len()
        );
    }
    let mut size = bytes.len() as u64;
    let mut files = HashMap::with_capacity(names.len());
    for name in names {
        let path = file.map_or_else(|| InnerPath::parse(&name), |file| file.beside(&name)).map_err(external)?;
        let data = directory.read(&path, Allowance::Model(limits.file_bytes)).await?;
        size = size.saturating_add(data.len() as u64);
        check_size(&name, size, Allowance::Model(limits.file_bytes))?;
        files.insert(name, data);
    }
    with_external_data(&bytes, &files, limits).map_err(external)
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
