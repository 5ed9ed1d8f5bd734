//! Tables that another program made and somebody put into the directory.

use std::fs;

use deltalake::DeltaTable;
use deltalake::kernel::{DataType, PrimitiveType};
use url::Url;

use crate::helpers::{Database, tree};

/// An empty table of another program with the columns `id` and `day`.
async fn copied(db: &Database, partition_columns: Vec<&str>) -> DeltaTable {
    let dir = db.warehouse.path().join("tables/copied");
    fs::create_dir_all(&dir).expect("folder");
    let url = Url::from_directory_path(&dir).expect("absolute path");
    let table = DeltaTable::try_from_url(url).await.expect("table");
    let create = table
        .create()
        .with_column("id", DataType::Primitive(PrimitiveType::Long), true, None)
        .with_column("day", DataType::Primitive(PrimitiveType::String), true, None)
        .with_partition_columns(partition_columns);
    create.await.expect("create")
}

#[tokio::test]
async fn partitions_are_kept() {
    let db = Database::new();
    copied(&db, vec!["day"]).await;
    db.sql("INSERT INTO copied VALUES (1, 'mon'), (2, 'tue'), (3, 'a/b ć')").await.expect("insert");
    db.append("copied", "SELECT 4::BIGINT AS id, NULL::TEXT AS day").await.expect("append");
    insta::assert_snapshot!(db.show("SELECT * FROM copied ORDER BY id").await, @r"
    +----+-------+
    | id | day   |
    +----+-------+
    | 1  | mon   |
    | 2  | tue   |
    | 3  | a/b ć |
    | 4  |       |
    +----+-------+
    ");
    insta::assert_snapshot!(db.show("SELECT id FROM copied WHERE day = 'a/b ć'").await, @r"
    +----+
    | id |
    +----+
    | 3  |
    +----+
    ");
    db.sql("INSERT OVERWRITE copied SELECT id + 1, day FROM copied WHERE day = 'tue'").await.expect("overwrite");
    insta::assert_snapshot!(db.show("SELECT * FROM copied ORDER BY id").await, @r"
    +----+-----+
    | id | day |
    +----+-----+
    | 3  | tue |
    +----+-----+
    ");
    assert!(tree(db.warehouse.path()).iter().any(|file| file == "tables/copied/<id>/day=mon/<part>.parquet"));
}

#[tokio::test]
async fn rules_that_we_do_not_enforce_are_respected() {
    let db = Database::new();
    let table = copied(&db, vec![]).await;
    db.sql("INSERT INTO copied VALUES (1, 'mon')").await.expect("insert");
    let mut table = table;
    table.update_state().await.expect("newest version");
    table.add_constraint().with_constraint("positive", "id > 0").await.expect("constraint");
    insta::assert_snapshot!(db.fails("INSERT INTO copied VALUES (-1, 'mon')").await, @"table `copied` cannot be written by foretell: it uses CHECK constraints; write it with the program that made it");
    insta::assert_snapshot!(db.show("SELECT * FROM copied").await, @r"
    +----+-----+
    | id | day |
    +----+-----+
    | 1  | mon |
    +----+-----+
    ");
}
