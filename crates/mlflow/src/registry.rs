//! The model registry of a tracking server: which version an address means, and where its files are.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use url::Url;

use crate::artifacts::Location;
use crate::client::{Access, Client};
use crate::error::{Error, Result};
use crate::uri::ModelUri;

/// Seconds to wait for a server, as MLflow's own clients do.
const PATIENCE_SECONDS: f32 = 120.0;
/// How often one address may lead to another.
const HOPS_MAX: usize = 4;

/// The tracking server and the model registry, which are one server unless the environment says otherwise.
#[derive(Debug, Clone)]
pub struct Registry {
    tracking: Client,
    registry: Client,
}

/// What an address means at this moment.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The address that will mean the same tomorrow, with the server's: `models:/churn/3 at http://127.0.0.1:5000`.
    pub shown: String,
    /// The directory with the model.
    pub location: Location,
}

#[derive(Deserialize)]
struct AliasAnswer {
    model_version: VersionAnswer,
}

#[derive(Deserialize)]
struct LatestAnswer {
    #[serde(default)]
    model_versions: Vec<VersionAnswer>,
}

#[derive(Deserialize)]
struct VersionAnswer {
    version: String,
}

#[derive(Deserialize)]
struct DownloadAnswer {
    artifact_uri: String,
}

#[derive(Deserialize)]
struct LoggedAnswer {
    model: LoggedModel,
}

#[derive(Deserialize)]
struct SearchAnswer {
    #[serde(default)]
    models: Vec<LoggedModel>,
}

#[derive(Deserialize)]
struct LoggedModel {
    info: LoggedInfo,
}

#[derive(Deserialize)]
struct LoggedInfo {
    model_id: String,
    artifact_uri: String,
    #[serde(default)]
    source_run_id: String,
}

#[derive(Deserialize)]
struct RunAnswer {
    run: Run,
}

#[derive(Deserialize)]
struct Run {
    info: RunInfo,
}

#[derive(Deserialize)]
struct RunInfo {
    artifact_uri: String,
    experiment_id: String,
}

impl Registry {
    /// The servers that the environment names: `MLFLOW_TRACKING_URI`, and `MLFLOW_REGISTRY_URI` if the registry is elsewhere,
    /// with `MLFLOW_TRACKING_USERNAME` and `_PASSWORD`, or `MLFLOW_TRACKING_TOKEN`, and `MLFLOW_HTTP_REQUEST_TIMEOUT`.
    ///
    /// # Errors
    /// [`Error::Setting`] when a variable is missing or cannot be used.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let Some(tracking) = set("MLFLOW_TRACKING_URI") else {
            return Err(Error::Setting(
                "MLFLOW_TRACKING_URI is not set; set it to the address of the MLflow server, such as http://127.0.0.1:5000"
                    .to_owned(),
            ));
        };
        let patience = match set("MLFLOW_HTTP_REQUEST_TIMEOUT") {
            None => Duration::from_secs_f32(PATIENCE_SECONDS),
            Some(text) => seconds(&text)?,
        };
        let authorization = authorization(&set);
        let client = |name, uri: &str| {
            let mut base = server(name, uri)?;
            let own = user_of(&base);
            // An address with a host can be without a user.
            let _ = (base.set_username(""), base.set_password(None));
            Client::new(base, Access { authorization: authorization.clone().or(own), patience })
        };
        let registry = set("MLFLOW_REGISTRY_URI").unwrap_or_else(|| tracking.clone());
        Ok(Self {
            tracking: client("MLFLOW_TRACKING_URI", &tracking)?,
            registry: client("MLFLOW_REGISTRY_URI", &registry)?,
        })
    }

    /// Finds the directory of a model.
    ///
    /// # Errors
    /// When the server cannot be asked, has no such model, or keeps it where foretell cannot read.
    pub async fn resolve(&self, uri: &ModelUri) -> Result<Resolved> {
        let (mut uri, mut shown) = (uri.clone(), None);
        let mut inner = String::new();
        for _ in 0..HOPS_MAX {
            let found = self.find(&uri).await?;
            shown = shown.or_else(|| Some(format!("{} at {}", found.means, found.server)));
            inner = if found.inner.is_empty() { inner } else { found.inner };
            match ModelUri::parse(&found.artifacts) {
                Some(next) => uri = next?,
                None => {
                    let location = Location::parse(&found.artifacts, &inner, &self.tracking)?;
                    return Ok(Resolved { shown: shown.unwrap_or_default(), location });
                }
            }
        }
        Err(Error::Uri {
            uri: uri.to_string(),
            why: "it leads from one address to the next and to no files".to_owned(),
        })
    }

    async fn find(&self, uri: &ModelUri) -> Result<Found> {
        match uri {
            ModelUri::Version { name, version } => self.version(name, &version.to_string()).await,
            ModelUri::Alias { name, alias } => {
                let query = [("name", name.as_str()), ("alias", alias.as_str())];
                let answer: AliasAnswer = self.registry.get("registered-models/alias", &query).await?;
                self.version(name, &answer.model_version.version).await
            }
            ModelUri::Latest { name } => self.latest(name, None).await,
            ModelUri::Stage { name, stage } => self.latest(name, Some(stage)).await,
            ModelUri::Logged { id } => self.logged_model(id).await,
            ModelUri::Run { run, path } => self.run(run, path).await,
        }
    }

    async fn version(&self, name: &str, version: &str) -> Result<Found> {
        let query = [("name", name), ("version", version)];
        let answer: DownloadAnswer = self.registry.get("model-versions/get-download-uri", &query).await?;
        Ok(Found {
            means: format!("models:/{name}/{version}"),
            server: self.registry.shown().to_owned(),
            artifacts: answer.artifact_uri,
            inner: String::new(),
        })
    }

    /// The highest version, of those in `stage` if one is given.
    async fn latest(&self, name: &str, stage: Option<&str>) -> Result<Found> {
        let query: Vec<(&str, &str)> =
            [("name", name)].into_iter().chain(stage.map(|stage| ("stages", stage))).collect();
        let answer: LatestAnswer = self.registry.get("registered-models/get-latest-versions", &query).await?;
        let numbers = answer.model_versions.iter().filter_map(|version| version.version.parse::<u64>().ok());
        match numbers.max() {
            Some(version) => self.version(name, &version.to_string()).await,
            None => {
                let where_ = stage.map_or_else(String::new, |stage| format!(" in the stage `{stage}`"));
                let message = format!("the registered model `{name}` has no version{where_}");
                Err(Error::NotThere { server: self.registry.shown().to_owned(), message })
            }
        }
    }

    async fn logged_model(&self, id: &str) -> Result<Found> {
        match self.tracking.get::<LoggedAnswer>(&format!("logged-models/{id}"), &[]).await {
            Ok(answer) => Ok(self.logged(answer.model.info, "")),
            Err(absent @ Error::NoPage { .. }) => Err(self.without_logged_models(absent).await),
            Err(error) => Err(error),
        }
    }

    /// Why there is no page for logged models: the server is of an MLflow without them, or of none.
    async fn without_logged_models(&self, absent: Error) -> Error {
        // Every MLflow has this page; one without this experiment says so.
        match self.tracking.get::<IgnoredAny>("experiments/get", &[("experiment_id", "0")]).await {
            Err(Error::NoPage { .. }) => absent,
            _ => Error::NotThere {
                server: self.tracking.shown().to_owned(),
                message: "it has no page for logged models, which came with MLflow 3".to_owned(),
            },
        }
    }

    fn logged(&self, model: LoggedInfo, inner: &str) -> Found {
        Found {
            means: format!("models:/{}", model.model_id),
            server: self.tracking.shown().to_owned(),
            artifacts: model.artifact_uri,
            inner: inner.to_owned(),
        }
    }

    /// A model that the run logged under the first part of `path`, as MLflow 3 keeps them; else files of the run itself.
    async fn run(&self, run: &str, path: &str) -> Result<Found> {
        let answer: RunAnswer = self.tracking.get("runs/get", &[("run_id", run)]).await?;
        let info = answer.run.info;
        let (name, below) = path.split_once('/').unwrap_or((path, ""));
        if !name.is_empty() && !name.contains(['\'', '\\']) {
            let question = json!({
                "experiment_ids": [info.experiment_id],
                "filter": format!("name = '{name}' AND source_run_id = '{run}'"),
            });
            let found: Result<SearchAnswer> = self.tracking.post("logged-models/search", &question).await;
            let models = match found {
                Ok(answer) => answer.models,
                // MLflow 2 has no logged models, and no such page.
                Err(Error::NoPage { .. }) => Vec::new(),
                Err(error) => return Err(error),
            };
            if let Some(model) = models.into_iter().map(|model| model.info).find(|model| model.source_run_id == run) {
                return Ok(self.logged(model, below));
            }
        }
        Ok(Found {
            means: format!("runs:/{run}/{path}"),
            server: self.tracking.shown().to_owned(),
            artifacts: info.artifact_uri,
            inner: path.to_owned(),
        })
    }
}

/// What one question to the server gave.
struct Found {
    /// The address that says the same for good.
    means: String,
    server: String,
    /// Where the files are; it may be another address to resolve.
    artifacts: String,
    /// Path below that.
    inner: String,
}

/// The server at `uri`, the value of the variable `name`.
fn server(name: &str, uri: &str) -> Result<Url> {
    let cure = "start a server, `mlflow server --backend-store-uri <what it is now>`, and set the variable to its address, \
                such as http://127.0.0.1:5000; a model's directory can be given by its path";
    match Url::parse(uri.trim()) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        Ok(url) => Err(Error::Setting(format!(
            "{name} names a store of the kind `{}`, and foretell asks a server over http or https; {cure}",
            url.scheme()
        ))),
        Err(_) => Err(Error::Setting(format!(
            "{name} is no address of a server; foretell asks a server over http or https; {cure}"
        ))),
    }
}

/// What goes into the header `Authorization`, of what the environment has.
fn authorization(set: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let user = set("MLFLOW_TRACKING_USERNAME").zip(set("MLFLOW_TRACKING_PASSWORD"));
    let basic = user.map(|(user, password)| basic(&user, &password));
    basic.or_else(|| set("MLFLOW_TRACKING_TOKEN").map(|token| format!("Bearer {token}")))
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// The user in `http://user:password@host`.
fn user_of(url: &Url) -> Option<String> {
    let password = url.password()?;
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some(basic(&plain(url.username()), &plain(password)))
}

fn seconds(text: &str) -> Result<Duration> {
    let wrong = || Error::Setting(format!("MLFLOW_HTTP_REQUEST_TIMEOUT is `{text}`, expected a number of seconds"));
    let seconds: f32 = text.trim().parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f32(seconds).ok().filter(|patience| !patience.is_zero()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Result<Registry> {
        Registry::from_environment(|name| {
            variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_must_name_a_server() {
        let refusal = |uri: &str| environment(&[("MLFLOW_TRACKING_URI", uri)]).expect_err("refused").to_string();
        insta::assert_snapshot!(environment(&[]).expect_err("nothing is set"), @"MLFLOW_TRACKING_URI is not set; set it to the address of the MLflow server, such as http://127.0.0.1:5000");
        insta::assert_snapshot!(refusal("sqlite:///secret.db"), @"MLFLOW_TRACKING_URI names a store of the kind `sqlite`, and foretell asks a server over http or https; start a server, `mlflow server --backend-store-uri <what it is now>`, and set the variable to its address, such as http://127.0.0.1:5000; a model's directory can be given by its path");
        insta::assert_snapshot!(refusal("./mlruns"), @"MLFLOW_TRACKING_URI is no address of a server; foretell asks a server over http or https; start a server, `mlflow server --backend-store-uri <what it is now>`, and set the variable to its address, such as http://127.0.0.1:5000; a model's directory can be given by its path");
        insta::assert_snapshot!(refusal("databricks"), @"MLFLOW_TRACKING_URI is no address of a server; foretell asks a server over http or https; start a server, `mlflow server --backend-store-uri <what it is now>`, and set the variable to its address, such as http://127.0.0.1:5000; a model's directory can be given by its path");
        let timeout = |seconds| {
            let server = ("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000");
            environment(&[server, ("MLFLOW_HTTP_REQUEST_TIMEOUT", seconds)])
                .map(drop)
                .map_err(|error| error.to_string())
        };
        assert_eq!(timeout("0.5"), Ok(()));
        for wrong in ["soon", "-1", "0", "NaN", "1e99"] {
            assert!(timeout(wrong).expect_err(wrong).contains("expected a number of seconds"));
        }
    }

    #[test]
    fn credentials_stay_out_of_what_is_shown() {
        let registry =
            environment(&[("MLFLOW_TRACKING_URI", "https://me:p%40ss@mlflow.example/base/")]).expect("sound");
        assert_eq!(registry.tracking.shown(), "https://mlflow.example/base");
        let shown = format!("{registry:?}");
        assert!(!shown.contains("ss@") && !shown.contains("bWU6"), "{shown}");
        let url = Url::parse("https://me:p%40ss@mlflow.example").expect("an address");
        assert_eq!(user_of(&url).as_deref(), Some("Basic bWU6cEBzcw=="));
    }
}
