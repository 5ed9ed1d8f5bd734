//! Models: their bytes, stored once by content, and a record of each. Does not look into the bytes.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::{fs, io};

use chrono::{SecondsFormat, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::layout::Layout;
use crate::warehouse::OnExisting;
use crate::{Error, Result, Warehouse, files, names};

/// A parameter of a model as the user declared it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelParameter {
    /// The feature's name.
    pub name: String,
    /// Its SQL type, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_type: Option<String>,
}

/// One stored version of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelVersion {
    /// Counts from 1.
    pub version: u32,
    /// SHA-256 of the bytes, in hexadecimal.
    pub sha256: String,
    /// File in `models/files/`.
    pub file: String,
    /// Where the model came from, as the user wrote it.
    pub source: String,
    /// What that meant when the model was stored, if it was an address that can come to mean something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<String>,
    /// The declared parameters; empty if none were.
    #[serde(default)]
    pub parameters: Vec<ModelParameter>,
    /// The options of `WITH (...)`.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// When this version was stored, RFC 3339, UTC.
    pub created: String,
}

/// A stored model: all its versions and the one that is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// The model's name.
    pub name: String,
    /// The version a plain call uses.
    pub default_version: u32,
    /// Ascending, never empty.
    pub versions: Vec<ModelVersion>,
}

impl ModelRecord {
    /// The version a plain call uses.
    pub fn default_version(&self) -> Option<&ModelVersion> {
        self.versions.iter().find(|version| version.version == self.default_version)
    }
}

/// A model as it is found in the directory.
#[derive(Debug)]
pub struct FoundModel {
    /// Its name.
    pub name: String,
    /// Its record, or why that cannot be read.
    pub record: Result<ModelRecord>,
}

/// A model to be stored.
#[derive(Debug, Clone, Default)]
pub struct NewModel<'a> {
    /// The model's name.
    pub name: &'a str,
    /// Where it came from, as the user wrote it. The ending of its path becomes the ending of the stored file.
    pub source: &'a str,
    /// What that meant, if it was an address that can come to mean something else.
    pub resolved: Option<&'a str>,
    /// The declared parameters.
    pub parameters: Vec<ModelParameter>,
    /// The options of `WITH (...)`.
    pub options: BTreeMap<String, String>,
}

impl Warehouse {
    /// All models, by name, each with its record or what is wrong with it.
    ///
    /// # Errors
    ///
    /// The directory cannot be read.
    pub fn models(&self) -> Result<Vec<FoundModel>> {
        let found = read_each(&self.layout.models())?;
        Ok(found.into_iter().map(|(name, record)| FoundModel { name, record }).collect())
    }

    /// One model, `None` if there is none of that name.
    ///
    /// # Errors
    ///
    /// Its record cannot be read.
    pub fn model(&self, name: &str) -> Result<Option<ModelRecord>> {
        files::read_json(&self.layout.model(name)?)
    }

    /// The bytes of `version` of the model `name`.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or does not hold what was stored.
    pub fn model_bytes(&self, name: &str, version: &ModelVersion) -> Result<Vec<u8>> {
        let path = self.layout.model_files().join(&version.file);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) => {
                let (name, version, from) = (name.to_string(), version.version, version.source.clone());
                return Err(Error::ModelFile { name, version, path, from, source });
            }
        };
        let got = sha256(&bytes);
        if got == version.sha256 {
            return Ok(bytes);
        }
        let (name, version, expected) = (name.to_string(), version.version, version.sha256.clone());
        Err(Error::ModelChanged { name, version, path, expected, got })
    }

    /// Stores `bytes` as a model. [`OnExisting::Replace`] adds a version and makes it the default;
    /// [`OnExisting::Keep`] returns the record that is there.
    ///
    /// # Errors
    ///
    /// The model exists and is to be neither kept nor replaced, or a file cannot be written.
    pub fn put_model(&self, new: &NewModel<'_>, bytes: &[u8], on_existing: OnExisting) -> Result<ModelRecord> {
        let path = self.layout.model(new.name)?;
        let _lock = self.lock()?;
        let existing = self.model(new.name)?;
        let versions = match (existing, on_existing) {
            (Some(_), OnExisting::Fail) => return Err(Error::Exists { kind: "model", name: new.name.to_string() }),
            (Some(record), OnExisting::Keep) => return Ok(record),
            (Some(record), OnExisting::Replace) => record.versions,
            (None, _) => vec![],
        };
        let sha256 = sha256(bytes);
        let file = format!("{sha256}.{}", extension(new.source));
        self.put_bytes(&file, bytes, &sha256)?;
        let record = add_version(new, versions, sha256, file);
        files::write_json(&path, &record)?;
        Ok(record)
    }

    /// Removes a model with all its versions. `false` if there was none.
    ///
    /// # Errors
    ///
    /// A file cannot be removed.
    pub fn drop_model(&self, name: &str) -> Result<bool> {
        let path = self.layout.model(name)?;
        let _lock = self.lock()?;
        if !path.exists() {
            return Ok(false);
        }
        files::remove_file(&path)?;
        files::sync_parent(&path)?;
        clean(&self.layout)?;
        Ok(true)
    }

    /// Content that is there already is not written again, unless it is not what its name says.
    fn put_bytes(&self, file: &str, bytes: &[u8], digest: &str) -> Result<()> {
        let path = self.layout.model_files().join(file);
        match fs::read(&path) {
            Ok(stored) if sha256(&stored) == digest => Ok(()),
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::io("read", &path, source)),
            _ => files::write_atomic(&path, bytes),
        }
    }
}

/// Removes model files that no record mentions. The caller holds the writer lock. If a record cannot be read, its
/// files are unknown and all are left.
pub(crate) fn clean(layout: &Layout) -> Result<()> {
    let Ok(records) = read_all::<ModelRecord>(&layout.models()) else { return Ok(()) };
    let used: HashSet<_> = records.iter().flat_map(|record| &record.versions).map(|version| &version.file).collect();
    for path in files::entries(&layout.model_files())? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !used.contains(&name) {
            files::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Every `<name>.json` in `dir`.
pub(crate) fn read_all<T: DeserializeOwned>(dir: &Path) -> Result<Vec<T>> {
    read_each(dir)?.into_iter().map(|(_, record)| record).collect()
}

/// Every `<name>.json` in `dir` with its name, in the order of the names.
fn read_each<T: DeserializeOwned>(dir: &Path) -> Result<Vec<(String, Result<T>)>> {
    let named = |path: &Path| path.file_name()?.to_str()?.strip_suffix(".json").and_then(names::decode);
    let mut records: Vec<(String, Result<T>)> = files::entries(dir)?
        .iter()
        .filter_map(|path| Some((named(path)?, path)))
        // A record that was dropped after the listing is not there any more.
        .filter_map(|(name, path)| files::read_json(path).transpose().map(|record| (name, record)))
        .collect();
    records.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(records)
}

fn add_version(new: &NewModel<'_>, mut versions: Vec<ModelVersion>, sha256: String, file: String) -> ModelRecord {
    let version = versions.last().map_or(1, |last| last.version + 1);
    versions.push(ModelVersion {
        version,
        sha256,
        file,
        source: new.source.to_string(),
        resolved: new.resolved.map(str::to_string),
        parameters: new.parameters.clone(),
        options: new.options.clone(),
        created: now(),
    });
    ModelRecord { name: new.name.to_string(), default_version: version, versions }
}

/// The present time as records hold it.
pub(crate) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The ending of the stored file: that of the source if it is a plain one, so that people can see what a file is.
fn extension(source: &str) -> String {
    let path = source.split(['?', '#']).next().unwrap_or_default();
    let ending = Path::new(path).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if (1..=16).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        ending.to_ascii_lowercase()
    } else {
        "model".to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_the_source_is_kept_if_it_is_plain() {
        for (source, expected) in [
            ("models/late.onnx", "onnx"),
            ("https://x.org/m/Late.ONNX?version=3", "onnx"),
            ("models:/late/3", "model"),
            ("s3://bucket/dir.d/model", "model"),
            ("x.../../etc", "model"),
        ] {
            assert_eq!(extension(source), expected, "{source}");
        }
    }
}
