//! Opening, and what is refused.

use std::fs;

use foretell_warehouse::{OnExisting, ViewKind, Warehouse};

use crate::helpers::{Database, chain, tree};

#[test]
fn a_new_database_is_empty_and_opens_again() {
    let db = Database::new();
    assert!(db.warehouse.models().expect("models").is_empty());
    assert!(db.reopen().table_names().expect("tables").is_empty());
    assert_eq!(tree(db.warehouse.path()), ["foretell.json", "lock"]);
    assert_eq!(
        fs::read_to_string(db.warehouse.path().join("foretell.json")).expect("format"),
        "{\n  \"format\": 1\n}\n"
    );
}

#[test]
fn an_empty_directory_becomes_a_database() {
    let dir = tempfile::tempdir().expect("temporary directory");
    Warehouse::open(dir.path()).expect("new database");
}

#[test]
fn a_creation_that_was_killed_can_be_repeated() {
    let dir = tempfile::tempdir().expect("temporary directory");
    fs::write(dir.path().join("foretell.json.tmp"), "{").expect("write");
    Warehouse::open(dir.path()).expect("new database");
}

#[test]
fn what_is_no_database_is_refused() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("data.csv");
    fs::write(&file, "a,b\n").expect("write");
    let clean = |error: foretell_warehouse::Error| chain(&error).replace(&dir.path().display().to_string(), "<dir>");
    insta::assert_snapshot!(clean(Warehouse::open(dir.path()).expect_err("not empty")), @"`<dir>` is not a foretell database: it is not empty and has no `foretell.json`; give an empty or a new directory");
    insta::assert_snapshot!(clean(Warehouse::open(&file).expect_err("a file")), @"`<dir>/data.csv` is a file, expected a database directory");
    insta::assert_snapshot!(clean(Warehouse::open(&dir.path().join("50%25/db")).expect_err("escape")), @"`<dir>/50%25/db` cannot hold a database: `%` before two hexadecimal digits in a path is misread as an escape; rename the directory");
    fs::write(dir.path().join("foretell.json"), r#"{"format": 2, "later": true}"#).expect("write");
    insta::assert_snapshot!(clean(Warehouse::open(dir.path()).expect_err("newer")), @"`<dir>` is a database of a newer foretell: its format is 2, this foretell reads up to 1; upgrade foretell");
    fs::write(dir.path().join("foretell.json"), r#"{"format": "#).expect("write");
    insta::assert_snapshot!(clean(Warehouse::open(dir.path()).expect_err("damaged")), @"`<dir>/foretell.json` is damaged: it is not the JSON that foretell writes; restore it from a backup: EOF while parsing a value at line 1 column 11");
}

#[tokio::test]
async fn views_are_kept_as_they_were_written() {
    let db = Database::new();
    let sql = "CREATE VIEW late AS\n  SELECT *  FROM flights -- all";
    assert!(db.warehouse.put_view("late", ViewKind::View, sql, OnExisting::Fail).expect("put"));
    assert!(!db.warehouse.put_view("late", ViewKind::View, "other", OnExisting::Keep).expect("keep"));
    let error = db.warehouse.put_view("late", ViewKind::View, "other", OnExisting::Fail).expect_err("exists");
    insta::assert_snapshot!(error, @"view `late` already exists; use CREATE OR REPLACE, IF NOT EXISTS or another name");
    let views = db.reopen().views().expect("views");
    assert_eq!((views.len(), views[0].sql.as_str(), views[0].kind), (1, sql, ViewKind::View));

    let error = db.create("late", "SELECT 1 AS a", OnExisting::Fail).await.expect_err("a view has the name");
    insta::assert_snapshot!(error, @"view `late` already exists; use CREATE OR REPLACE, IF NOT EXISTS or another name");
    assert!(db.warehouse.drop_view("late").expect("drop"));
    assert!(!db.warehouse.drop_view("late").expect("drop"));
    db.create("late", "SELECT 1 AS a", OnExisting::Fail).await.expect("create");
    let error = db.warehouse.put_view("late", ViewKind::View, sql, OnExisting::Replace).expect_err("a table has it");
    insta::assert_snapshot!(error, @"table `late` already exists; use CREATE OR REPLACE, IF NOT EXISTS or another name");
}

#[tokio::test]
async fn bad_names_are_refused() {
    let db = Database::new();
    insta::assert_snapshot!(db.create("", "SELECT 1 AS a", OnExisting::Fail).await.expect_err("empty"), @"`` cannot be the name of a table: expected 1 to 200 bytes, got 0");
    let long = "x".repeat(201);
    let error = db.warehouse.put_view(&long, ViewKind::View, "", OnExisting::Fail).expect_err("long");
    insta::assert_snapshot!(error.to_string().replace(&long, "x..."), @"`x...` cannot be the name of a view: expected 1 to 200 bytes, got 201");
}
