//! What a killed process leaves, and what opening the database makes of it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use foretell_warehouse::OnExisting;

use crate::helpers::{Database, tree};

const ID: &str = "0123456789abcdef0123456789abcdef";

/// The state of a write that was killed: its announcement and a data file, no commit.
fn killed_write(db: &Database, table: &str, read_version: &str) -> PathBuf {
    let root = db.warehouse.path();
    let journal = root.join("pending").join(ID);
    fs::write(&journal, format!(r#"{{"table":"{table}","read_version":{read_version}}}"#)).expect("journal");
    let dir = root.join("tables").join(table).join(ID);
    fs::create_dir_all(&dir).expect("folder");
    fs::write(dir.join("part-00000.parquet"), "half a file").expect("data");
    journal
}

fn files(path: &Path) -> Vec<String> {
    tree(path)
}

#[tokio::test]
async fn a_table_that_was_never_committed_goes() {
    let db = Database::new();
    killed_write(&db, "half", "null");
    fs::create_dir(db.warehouse.path().join("tables/half/_delta_log")).expect("log");
    assert!(db.warehouse.table_names().expect("names").is_empty());
    db.reopen();
    assert_eq!(files(db.warehouse.path()), ["foretell.json", "lock"]);
    assert!(!db.warehouse.path().join("tables/half").exists());
}

#[tokio::test]
async fn rows_that_were_never_committed_go_and_committed_ones_stay() {
    let db = Database::new();
    db.create("t", "SELECT 1 AS id", OnExisting::Fail).await.expect("create");
    let before = files(db.warehouse.path());
    killed_write(&db, "t", "0");
    db.reopen();
    assert_eq!(files(db.warehouse.path()), before);
    assert_eq!(db.sql("SELECT * FROM t").await.expect("rows")[0].num_rows(), 1);
}

#[tokio::test]
async fn a_kill_between_commit_and_cleaning_keeps_the_rows() {
    let db = Database::new();
    db.create("t", "SELECT 1 AS id", OnExisting::Fail).await.expect("create");
    let table = db.warehouse.path().join("tables/t");
    let folder = fs::read_dir(&table).expect("table").map(|entry| entry.expect("entry").file_name());
    let folder = folder.into_iter().find(|name| name != "_delta_log").expect("data folder");
    let journal = db.warehouse.path().join("pending").join(&folder);
    fs::write(&journal, r#"{"table":"t","read_version":null}"#).expect("journal");
    let warehouse = db.reopen();
    assert!(table.join(&folder).exists() && !journal.exists());
    assert_eq!(warehouse.table_names().expect("names"), ["t"]);
    assert_eq!(db.sql("SELECT * FROM t").await.expect("rows")[0].num_rows(), 1);
}

#[tokio::test]
async fn what_a_live_process_is_writing_stays() {
    let db = Database::new();
    db.create("t", "SELECT 1 AS id", OnExisting::Fail).await.expect("create");
    let journal = killed_write(&db, "t", "0");
    let lock = File::open(&journal).expect("journal");
    lock.try_lock().expect("lock");
    let before = files(db.warehouse.path());
    db.reopen();
    assert_eq!(files(db.warehouse.path()), before);
    insta::assert_snapshot!(db.warehouse.drop_table("t").await.expect_err("in use"), @"table `t` is being written by another statement; try again when it has finished");
    drop(lock);
    db.reopen();
    assert!(!journal.exists());
    assert!(db.warehouse.drop_table("t").await.expect("drop"));
}

#[tokio::test]
async fn temporary_files_and_trash_go_and_foreign_folders_stay() {
    let db = Database::new();
    db.create("t", "SELECT 1 AS id", OnExisting::Fail).await.expect("create");
    let root = db.warehouse.path();
    let before = files(root);
    fs::create_dir_all(root.join("trash").join(ID).join("_delta_log")).expect("trash");
    fs::write(root.join("trash").join(ID).join("part.parquet"), "x").expect("trash");
    for file in ["models/files/aa.onnx", "models/files/bb.onnx.tmp", "models/late.json.tmp", "views/v.json.tmp"] {
        fs::write(root.join(file), "x").expect("left over");
    }
    fs::write(root.join("tables/t/_delta_log/00000000000000000001.json.abc.tmp"), "x").expect("left over");
    fs::write(root.join("pending").join(ID), "").expect("cut short");
    db.reopen();
    assert_eq!(files(root), before);

    fs::create_dir_all(root.join("tables/copied")).expect("folder");
    fs::write(root.join("tables/copied/part.parquet"), "somebody copies a table in").expect("foreign");
    assert_eq!(db.reopen().table_names().expect("names"), ["t"]);
    assert!(root.join("tables/copied/part.parquet").exists());
}
