//! Where the files of a model are, by the address that a tracking server gives for them.

use std::path::PathBuf;

use url::Url;

use crate::allowance::Allowance;
use crate::client::{Client, below};
use crate::error::{Error, Result};
use crate::path::InnerPath;

/// A directory of a model.
#[derive(Debug, Clone)]
pub enum Location {
    /// On a server that hands out files.
    Http(HttpDirectory),
    /// In an object store: `s3`, `gs`, `az` and its other names.
    Store(Url),
    /// On this machine, or mounted on it.
    Local(PathBuf),
}

/// A directory on a server that hands out files: MLflow's own artifact server, or another one.
#[derive(Debug, Clone)]
pub struct HttpDirectory {
    client: Client,
}

impl HttpDirectory {
    /// The bytes of a file in it.
    ///
    /// # Errors
    /// When it is not there, cannot be read, or is larger than allowed.
    pub async fn read(&self, path: &InnerPath, allowance: Allowance) -> Result<Vec<u8>> {
        self.client.file(path.parts(), allowance).await
    }

    /// The directory's address.
    pub fn shown(&self) -> &str {
        self.client.shown()
    }
}

impl Location {
    /// The directory that `uri` means to the server `tracking`; `inner` is a path below it.
    pub(crate) fn parse(uri: &str, inner: &str, tracking: &Client) -> Result<Self> {
        let unknown = |why: String| Error::Uri { uri: uri.to_owned(), why };
        let inner = if inner.is_empty() { None } else { Some(InnerPath::parse(inner)?) };
        let parts = || inner.iter().flat_map(InnerPath::parts).map(String::as_str);
        if uri.starts_with('/') {
            return Ok(Self::Local(parts().fold(PathBuf::from(uri), |path, part| path.join(part))));
        }
        if let Some(place) = uri.strip_prefix("mlflow-artifacts:") {
            let client = artifact_server(place, tracking).map_err(|error| unknown(error.to_string()))?;
            return Ok(Self::Http(HttpDirectory { client: client.below(parts()) }));
        }
        let url =
            Url::parse(uri).map_err(|error| unknown(format!("{error}; it is where the server keeps the model")))?;
        match url.scheme() {
            "http" | "https" => Ok(Self::Http(HttpDirectory { client: tracking.at(below(url, parts())) })),
            "file" => {
                let path = url.to_file_path().map_err(|()| unknown("it is no path of this machine".to_owned()))?;
                Ok(Self::Local(parts().fold(path, |path, part| path.join(part))))
            }
            "s3" | "s3a" | "gs" | "az" | "adl" | "azure" | "abfs" | "abfss" => Ok(Self::Store(below(url, parts()))),
            "wasb" | "wasbs" => {
                let blob = uri.replacen(url.scheme(), "abfss", 1).replacen(".blob.", ".dfs.", 1);
                let url = Url::parse(&blob).map_err(|error| unknown(error.to_string()))?;
                Ok(Self::Store(below(url, parts())))
            }
            other => Err(unknown(format!(
                "the server keeps the model in a store of the kind `{other}`, which foretell does not read; start the \
                 server with `--serve-artifacts`, or copy the model's directory and give its path"
            ))),
        }
    }
}

/// The place on a server behind `mlflow-artifacts:`, which is `/path` or `//host/path`. No part of it is encoded.
fn artifact_server(place: &str, tracking: &Client) -> Result<Client, url::ParseError> {
    let (host, path) = match place.strip_prefix("//") {
        Some(place) => place.split_once('/').unwrap_or((place, "")),
        None => ("", place),
    };
    let base = tracking.base();
    let server = match host {
        "" => base.clone(),
        host => Url::parse(&format!("{}://{host}{}", base.scheme(), base.path()))?,
    };
    let parts = ["api", "2.0", "mlflow-artifacts", "artifacts"].into_iter().chain(path.split('/'));
    Ok(tracking.at(server).below(parts.filter(|part| !part.is_empty())))
}
