//! Object stores by URL, made when they are first needed: `s3`, `gs`, `az`, `http(s)` with credentials from the environment.

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::error::Result;
use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry};
use object_store::ObjectStore;
use url::Url;

/// The host's registry, which also makes the store of an address that nobody registered.
#[derive(Debug, Default)]
pub(crate) struct LazyStores {
    known: DefaultObjectStoreRegistry,
}

impl ObjectStoreRegistry for LazyStores {
    fn register_store(&self, url: &Url, store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        self.known.register_store(url, store)
    }

    fn deregister_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        self.known.deregister_store(url)
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        match self.known.get_store(url) {
            Ok(store) => Ok(store),
            Err(_) => {
                let store = open_store(url)?;
                self.known.register_store(url, Arc::clone(&store));
                Ok(store)
            }
        }
    }
}

/// The store behind `url`, configured by the usual environment variables (`AWS_*`, `GOOGLE_*`, `AZURE_*`).
pub(crate) fn open_store(url: &Url) -> Result<Arc<dyn ObjectStore>> {
    open_with(url, (url.scheme() == "http").then_some(("allow_http", "true")))
}

/// The store on the server that MLflow's own clients ask for what is in S3, if `MLFLOW_S3_ENDPOINT_URL` names one.
pub(crate) fn open_mlflow_store(url: &Url) -> Option<Result<Arc<dyn ObjectStore>>> {
    let endpoint = std::env::var("MLFLOW_S3_ENDPOINT_URL").ok().filter(|endpoint| !endpoint.trim().is_empty())?;
    let allow_http = endpoint.starts_with("http:").then_some(("aws_allow_http", "true"));
    let options = [("aws_endpoint", endpoint.trim_end_matches('/'))].into_iter().chain(allow_http);
    matches!(url.scheme(), "s3" | "s3a").then(|| open_with(url, options))
}

/// The store behind `url`, with the options of the environment and then these.
fn open_with<'o>(url: &Url, more: impl IntoIterator<Item = (&'o str, &'o str)>) -> Result<Arc<dyn ObjectStore>> {
    let options = std::env::vars()
        .filter(|(name, _)| ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|prefix| name.starts_with(prefix)))
        .map(|(name, value)| (name.to_lowercase(), value))
        .chain(more.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
    let (store, _) = object_store::parse_url_opts(url, options).map_err(|error| {
        DataFusionError::ObjectStore(Box::new(error)).context(format!("cannot open the store of `{url}`"))
    })?;
    Ok(Arc::from(store))
}
