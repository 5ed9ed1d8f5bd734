//! Models: stored by content, versions, tampering.

use std::collections::BTreeMap;
use std::fs;

use foretell_warehouse::{ModelParameter, NewModel, OnExisting};

use crate::helpers::{Database, tree};

fn late() -> NewModel<'static> {
    let parameter = |name: &str, data_type: Option<&str>| ModelParameter {
        name: name.to_string(),
        data_type: data_type.map(str::to_string),
    };
    NewModel {
        name: "late",
        source: "models/late.onnx",
        resolved: Some("models:/late/3"),
        parameters: vec![parameter("dep_delay", Some("DOUBLE")), parameter("carrier", None)],
        options: BTreeMap::from([("on_null".to_string(), "missing".to_string())]),
    }
}

#[test]
fn a_model_is_there_after_opening_again() {
    let db = Database::new();
    let stored = db.warehouse.put_model(&late(), b"bytes", OnExisting::Fail).expect("put");
    let warehouse = db.reopen();
    let record = warehouse.model("late").expect("read").expect("there");
    assert_eq!(record, stored);
    let found = warehouse.models().expect("models");
    assert_eq!(found.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["late"]);
    assert_eq!(found[0].record.as_ref().ok(), Some(&stored));
    let version = record.default_version().expect("a default");
    assert_eq!((version.version, version.source.as_str()), (1, "models/late.onnx"));
    assert_eq!(version.resolved.as_deref(), Some("models:/late/3"));
    assert_eq!((&version.parameters, &version.options), (&late().parameters, &late().options));
    assert_eq!(version.sha256, "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9");
    assert_eq!(warehouse.model_bytes("late", version).expect("bytes"), b"bytes");
}

#[test]
fn replacing_adds_a_version_and_equal_bytes_are_stored_once() {
    let db = Database::new();
    db.warehouse.put_model(&late(), b"one", OnExisting::Fail).expect("put");
    let error = db.warehouse.put_model(&late(), b"two", OnExisting::Fail).expect_err("exists");
    insta::assert_snapshot!(error, @"model `late` already exists; use CREATE OR REPLACE, IF NOT EXISTS or another name");
    let kept = db.warehouse.put_model(&late(), b"two", OnExisting::Keep).expect("keep");
    assert_eq!(kept.versions.len(), 1);
    let replaced = db.warehouse.put_model(&late(), b"two", OnExisting::Replace).expect("replace");
    assert_eq!((replaced.default_version, replaced.versions.len()), (2, 2));
    assert_eq!(db.warehouse.model_bytes("late", &replaced.versions[0]).expect("old bytes"), b"one");

    let copy = NewModel { name: "copy", ..late() };
    db.warehouse.put_model(&copy, b"two", OnExisting::Fail).expect("put");
    assert_eq!(tree(&db.warehouse.path().join("models/files")).len(), 2);
    assert!(db.warehouse.drop_model("late").expect("drop"));
    assert!(!db.warehouse.drop_model("late").expect("drop"));
    let copy = db.warehouse.model("copy").expect("read").expect("there");
    assert_eq!(db.warehouse.model_bytes("copy", &copy.versions[0]).expect("shared bytes"), b"two");
    assert_eq!(tree(&db.warehouse.path().join("models/files")).len(), 1);
}

#[test]
fn changed_bytes_are_noticed() {
    let db = Database::new();
    let record = db.warehouse.put_model(&late(), b"bytes", OnExisting::Fail).expect("put");
    let version = &record.versions[0];
    fs::write(db.warehouse.path().join("models/files").join(&version.file), "other").expect("tamper");
    let error = db.warehouse.model_bytes("late", version).expect_err("changed").to_string();
    let root = db.warehouse.path().display().to_string();
    insta::assert_snapshot!(error.replace(&root, "<db>"), @"model `late` version 1 was changed on disk: `<db>/models/files/277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9.onnx` should have sha256 277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9, got d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa; create the model again");
    db.warehouse.put_model(&late(), b"bytes", OnExisting::Replace).expect("create again");
    assert_eq!(db.warehouse.model_bytes("late", version).expect("healed"), b"bytes");
}

#[test]
fn a_damaged_record_is_an_error_that_names_the_file() {
    let db = Database::new();
    db.warehouse.put_model(&late(), b"bytes", OnExisting::Fail).expect("put");
    db.warehouse.put_model(&NewModel { name: "other", ..late() }, b"bytes", OnExisting::Fail).expect("put");
    fs::write(db.warehouse.path().join("models/late.json"), "{").expect("tamper");
    let warehouse = db.reopen();
    let sound: Vec<(String, bool)> =
        warehouse.models().expect("list").into_iter().map(|found| (found.name, found.record.is_ok())).collect();
    assert_eq!(sound, [("late".to_string(), false), ("other".to_string(), true)]);
    let error = warehouse.model("late").expect_err("damaged").to_string();
    let root = db.warehouse.path().display().to_string();
    insta::assert_snapshot!(error.replace(&root, "<db>"), @"`<db>/models/late.json` is damaged: it is not the JSON that foretell writes; restore it from a backup");
    assert_eq!(tree(&db.warehouse.path().join("models/files")).len(), 1);
    assert!(warehouse.drop_model("late").expect("drop"));
    assert_eq!(warehouse.models().expect("list").len(), 1);
}

#[test]
fn a_missing_file_names_the_model_and_the_cure() {
    let db = Database::new();
    let record = db.warehouse.put_model(&late(), b"bytes", OnExisting::Fail).expect("put");
    fs::remove_dir_all(db.warehouse.path().join("models/files")).expect("tamper");
    let error = db.warehouse.model_bytes("late", &record.versions[0]).expect_err("gone").to_string();
    let root = db.warehouse.path().display().to_string();
    insta::assert_snapshot!(error.replace(&root, "<db>"), @"the file of model `late` version 1, `<db>/models/files/277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9.onnx`, cannot be read; restore it from a backup, or create the model again: CREATE OR REPLACE MODEL late FROM 'models/late.onnx'");
}
