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
    let allow_http = (String::from("allow_http"), String::from("true"));
    let options = std::env::vars()
        .filter(|(name, _)| ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|prefix| name.starts_with(prefix)))
        .map(|(name, value)| (name.to_lowercase(), value))
        .chain((url.scheme() == "http").then_some(allow_http));
    let (store, _) = object_store::parse_url_opts(url, options).map_err(|error| {
        DataFusionError::ObjectStore(Box::new(error)).context(format!("cannot open the store of `{url}`"))
    })?;
    Ok(Arc::from(store))
}
