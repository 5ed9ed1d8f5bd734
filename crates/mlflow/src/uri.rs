//! `models:/churn@champion`, `runs:/<run>/model`: addresses that a tracking server resolves.

use std::fmt::{self, Display, Formatter};

use crate::error::{Error, Result};

/// The address of a model on a tracking server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelUri {
    /// `models:/<name>/<number>`
    Version {
        /// The registered model.
        name: String,
        /// Its version.
        version: u64,
    },
    /// `models:/<name>@<alias>`
    Alias {
        /// The registered model.
        name: String,
        /// The alias of one of its versions.
        alias: String,
    },
    /// `models:/<name>/latest`
    Latest {
        /// The registered model.
        name: String,
    },
    /// `models:/<name>/<stage>`: the latest version in a stage.
    Stage {
        /// The registered model.
        name: String,
        /// The stage, such as `Production`.
        stage: String,
    },
    /// `models:/m-<id>`: a logged model of MLflow 3.
    Logged {
        /// Its id.
        id: String,
    },
    /// `runs:/<run>/<path>`
    Run {
        /// The run's id.
        run: String,
        /// Path among the run's artifacts, or the name of a model that the run logged; may be empty.
        path: String,
    },
}

impl ModelUri {
    /// The address that `uri` is; `None` when it is not for a tracking server.
    ///
    /// # Errors
    /// [`Error::Uri`] with what to write.
    pub fn parse(uri: &str) -> Option<Result<Self>> {
        let (scheme, path) = uri.split_once(':')?;
        let parse = match scheme {
            "models" => parse_model,
            "runs" => parse_run,
            _ => return None,
        };
        Some(parse(path).map_err(|why| Error::Uri { uri: uri.to_owned(), why }))
    }
}

impl Display for ModelUri {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { name, version } => write!(f, "models:/{name}/{version}"),
            Self::Alias { name, alias } => write!(f, "models:/{name}@{alias}"),
            Self::Latest { name } => write!(f, "models:/{name}/latest"),
            Self::Stage { name, stage } => write!(f, "models:/{name}/{stage}"),
            Self::Logged { id } => write!(f, "models:/{id}"),
            Self::Run { run, path } => write!(f, "runs:/{run}/{path}"),
        }
    }
}

fn parse_model(path: &str) -> Result<ModelUri, String> {
    const FORMS: &str =
        "write models:/<name>/<version>, models:/<name>@<alias>, models:/<name>/latest or models:/m-<id>";
    let Some(path) = path.strip_prefix('/') else { return Err(FORMS.to_owned()) };
    if path.starts_with('/') {
        return Err(format!("a server in the address is not supported, MLFLOW_TRACKING_URI names it; {FORMS}"));
    }
    let parts: Vec<&str> = path.split('/').collect();
    if parts.iter().any(|part| part.trim().is_empty()) {
        return Err(FORMS.to_owned());
    }
    match parts[..] {
        [name, version] if version.bytes().all(|byte| byte.is_ascii_digit()) => {
            let version = version.parse().map_err(|_| format!("there is no version {version}"))?;
            Ok(ModelUri::Version { name: name.to_owned(), version })
        }
        [name, latest] if latest.eq_ignore_ascii_case("latest") => Ok(ModelUri::Latest { name: name.to_owned() }),
        [name, stage] => Ok(ModelUri::Stage { name: name.to_owned(), stage: stage.to_owned() }),
        [one] => match one.rsplit_once('@') {
            Some((name, alias)) if !name.is_empty() && !alias.trim().is_empty() => {
                Ok(ModelUri::Alias { name: name.to_owned(), alias: alias.to_owned() })
            }
            None if one.starts_with("m-") => Ok(ModelUri::Logged { id: one.to_owned() }),
            None => Err(format!(
                "it says no version; write models:/{one}/latest, models:/{one}/<version> or models:/{one}@<alias>"
            )),
            Some(_) => Err(FORMS.to_owned()),
        },
        _ => Err(FORMS.to_owned()),
    }
}

fn parse_run(path: &str) -> Result<ModelUri, String> {
    let path = path.strip_prefix('/').unwrap_or_default();
    let (run, path) = path.split_once('/').unwrap_or((path, ""));
    if run.is_empty() {
        return Err("write runs:/<run id>/<name or path of the model>".to_owned());
    }
    Ok(ModelUri::Run { run: run.to_owned(), path: path.trim_end_matches('/').to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_mlflow_reads_them() {
        let shown = |uri: &str| ModelUri::parse(uri).expect("for a server").map(|parsed| format!("{parsed:?}"));
        let read = |uri: &str| shown(uri).expect(uri);
        insta::assert_snapshot!(read("models:/churn/12"), @r#"Version { name: "churn", version: 12 }"#);
        insta::assert_snapshot!(read("models:/cat.sch.a b@c@champion"), @r#"Alias { name: "cat.sch.a b@c", alias: "champion" }"#);
        insta::assert_snapshot!(read("models:/churn@2/1"), @r#"Version { name: "churn@2", version: 1 }"#);
        insta::assert_snapshot!(read("models:/churn/Latest"), @r#"Latest { name: "churn" }"#);
        insta::assert_snapshot!(read("models:/churn/Production"), @r#"Stage { name: "churn", stage: "Production" }"#);
        insta::assert_snapshot!(read("models:/m-0af2"), @r#"Logged { id: "m-0af2" }"#);
        insta::assert_snapshot!(read("runs:/90f/model/"), @r#"Run { run: "90f", path: "model" }"#);
        insta::assert_snapshot!(read("runs:/90f"), @r#"Run { run: "90f", path: "" }"#);
        let refused = |uri: &str| shown(uri).expect_err(uri).to_string();
        insta::assert_snapshot!(refused("models:/churn"), @"`models:/churn` is no address of a model: it says no version; write models:/churn/latest, models:/churn/<version> or models:/churn@<alias>");
        insta::assert_snapshot!(refused("models:/churn/1/sub"), @"`models:/churn/1/sub` is no address of a model: write models:/<name>/<version>, models:/<name>@<alias>, models:/<name>/latest or models:/m-<id>");
        insta::assert_snapshot!(refused("models:/churn/"), @"`models:/churn/` is no address of a model: write models:/<name>/<version>, models:/<name>@<alias>, models:/<name>/latest or models:/m-<id>");
        insta::assert_snapshot!(refused("models:/churn@"), @"`models:/churn@` is no address of a model: write models:/<name>/<version>, models:/<name>@<alias>, models:/<name>/latest or models:/m-<id>");
        insta::assert_snapshot!(refused("models:churn"), @"`models:churn` is no address of a model: write models:/<name>/<version>, models:/<name>@<alias>, models:/<name>/latest or models:/m-<id>");
        insta::assert_snapshot!(refused("models://server/churn/1"), @"`models://server/churn/1` is no address of a model: a server in the address is not supported, MLFLOW_TRACKING_URI names it; write models:/<name>/<version>, models:/<name>@<alias>, models:/<name>/latest or models:/m-<id>");
        insta::assert_snapshot!(refused("models:/churn/99999999999999999999"), @"`models:/churn/99999999999999999999` is no address of a model: there is no version 99999999999999999999");
        insta::assert_snapshot!(refused("runs:/"), @"`runs:/` is no address of a model: write runs:/<run id>/<name or path of the model>");
        for other in ["models/churn.onnx", "s3://b/models:/x", "model.onnx", "C:/models/x"] {
            assert!(ModelUri::parse(other).is_none(), "{other}");
        }
    }
}
