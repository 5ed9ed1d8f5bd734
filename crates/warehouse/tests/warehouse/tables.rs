//! Tables through their whole life, with plain sessions of DataFusion on top.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema};
use foretell_warehouse::{CommitInfo, OnExisting};
use serde_json::{Value, json};

use crate::helpers::{Database, chain, query, session, tree};

const THREE: &str = "SELECT * FROM (VALUES (1, 'a', 1.5), (2, 'b', NULL), (3, NULL, 2.5)) AS t(id, label, p)";

#[tokio::test]
async fn a_table_is_there_after_opening_again() {
    let db = Database::new();
    assert_eq!(db.create("scored", THREE, OnExisting::Fail).await.expect("create"), Some(3));
    assert_eq!(db.append("scored", "SELECT 4 AS id, 'd' AS label").await.expect("append"), 1);
    let ctx = session(&db.reopen(), CommitInfo::default());
    let rows = ctx.sql("SELECT * FROM scored ORDER BY id").await.expect("plan").collect().await.expect("rows");
    insta::assert_snapshot!(arrow::util::pretty::pretty_format_batches(&rows).expect("table"), @r"
    +----+-------+-----+
    | id | label | p   |
    +----+-------+-----+
    | 1  | a     | 1.5 |
    | 2  | b     |     |
    | 3  |       | 2.5 |
    | 4  | d     |     |
    +----+-------+-----+
    ");
    insta::assert_debug_snapshot!(tree(db.warehouse.path()), @r#"
    [
        "foretell.json",
        "lock",
        "tables/scored/<id>/<part>.parquet",
        "tables/scored/<id>/<part>.parquet",
        "tables/scored/_delta_log/00000000000000000000.json",
        "tables/scored/_delta_log/00000000000000000001.json",
    ]
    "#);
}

#[tokio::test]
async fn creating_again_fails_keeps_or_replaces() {
    let db = Database::new();
    db.create("t", THREE, OnExisting::Fail).await.expect("create");
    insta::assert_snapshot!(db.create("t", THREE, OnExisting::Fail).await.expect_err("exists"), @"table `t` already exists; use CREATE OR REPLACE, IF NOT EXISTS or another name");
    assert_eq!(db.create("t", "SELECT 1 AS other", OnExisting::Keep).await.expect("keep"), None);
    assert_eq!(db.create("t", "SELECT id + 10 AS big FROM t", OnExisting::Replace).await.expect("replace"), Some(3));
    insta::assert_snapshot!(db.show("SELECT * FROM t ORDER BY big").await, @r"
    +-----+
    | big |
    +-----+
    | 11  |
    | 12  |
    | 13  |
    +-----+
    ");
}

#[tokio::test]
async fn dropped_tables_leave_nothing() {
    let db = Database::new();
    db.create("t", THREE, OnExisting::Fail).await.expect("create");
    assert!(db.warehouse.drop_table("t").await.expect("drop"));
    assert!(!db.warehouse.drop_table("t").await.expect("drop"));
    assert_eq!(tree(db.warehouse.path()), ["foretell.json", "lock"]);
    assert!(db.fails("SELECT * FROM t").await.contains("table 'db.main.t' not found"));
    db.create("t", "SELECT 7 AS id", OnExisting::Fail).await.expect("create again");
    insta::assert_snapshot!(db.show("SELECT * FROM t").await, @r"
    +----+
    | id |
    +----+
    | 7  |
    +----+
    ");
}

#[tokio::test]
async fn insert_statements_append_and_overwrite() {
    let db = Database::new();
    let columns = Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("name", DataType::Utf8View, true),
        Field::new("p", DataType::Float64, true),
    ]);
    db.declare("t", &columns).await;
    insta::assert_snapshot!(db.show("INSERT INTO t VALUES (1, 'a', 0.5), (2, 'b', 0.25)").await, @r"
    +-------+
    | count |
    +-------+
    | 2     |
    +-------+
    ");
    db.sql("INSERT INTO t (name, id) SELECT 'c', 3").await.expect("insert");
    insta::assert_snapshot!(db.show("SELECT * FROM t ORDER BY id").await, @r"
    +----+------+------+
    | id | name | p    |
    +----+------+------+
    | 1  | a    | 0.5  |
    | 2  | b    | 0.25 |
    | 3  | c    |      |
    +----+------+------+
    ");
    db.sql("INSERT OVERWRITE t SELECT id + 1, name, p FROM t WHERE id > 1").await.expect("overwrite");
    insta::assert_snapshot!(db.show("SELECT * FROM t ORDER BY id").await, @r"
    +----+------+------+
    | id | name | p    |
    +----+------+------+
    | 3  | b    | 0.25 |
    | 4  | c    |      |
    +----+------+------+
    ");
    insta::assert_snapshot!(db.fails("INSERT INTO t VALUES (NULL, 'x', 1.0)").await, @"Arrow error: Invalid argument error: Column 'column1' is declared as non-nullable but contains null values: Invalid argument error: Column 'column1' is declared as non-nullable but contains null values");
    insta::assert_snapshot!(db.fails("INSERT INTO t SELECT NULL, 'x', 1.0").await, @"column `id` of table `t` is NOT NULL, but 1 of the new rows are NULL");
    insta::assert_snapshot!(db.fails("INSERT INTO t (name) VALUES ('x')").await, @"column `id` of table `t` is NOT NULL, but 1 of the new rows are NULL");
    insta::assert_snapshot!(db.show("SELECT count(*) FROM t").await, @r"
    +----------+
    | count(*) |
    +----------+
    | 2        |
    +----------+
    ");
}

#[tokio::test]
async fn rows_that_do_not_fit_are_refused() {
    let db = Database::new();
    let columns =
        Schema::new(vec![Field::new("id", DataType::Int32, false), Field::new("label", DataType::Utf8, true)]);
    db.declare("t", &columns).await;
    let fails = async |sql| chain(&db.append("t", sql).await.expect_err("does not fit"));
    insta::assert_snapshot!(fails("SELECT 1::INT AS id, 2 AS extra").await, @"table `t` has no column `extra`; it has `id`, `label`");
    insta::assert_snapshot!(fails("SELECT 'x' AS label").await, @"column `id` of table `t` is NOT NULL, but the new rows have no such column");
    insta::assert_snapshot!(fails("SELECT 1.5 AS id").await, @"column `id` of table `t` has type Int32, the new rows have Float64; CAST them");
    insta::assert_snapshot!(fails("SELECT NULL::INT AS id").await, @"column `id` of table `t` is NOT NULL, but 1 of the new rows are NULL");
    let error = db.create("u", "SELECT NULL AS nothing", OnExisting::Fail).await.expect_err("no type");
    insta::assert_snapshot!(chain(&error), @"column `nothing` of table `u` has type Null, which a stored table cannot hold; give it a type, for example CAST(NULL AS DOUBLE)");
    let error = db.create("u", "SELECT 1 AS \"Id\", 2 AS id", OnExisting::Fail).await.expect_err("same name");
    insta::assert_snapshot!(chain(&error), @"table `u` would have two columns named `id` (names that differ only in case count as the same); rename one with AS");
    let (schema, streams) = query(&db.ctx, "SELECT 1 AS id").await;
    let error = db.warehouse.append("none", &schema, streams, &CommitInfo::default()).await.expect_err("no table");
    insta::assert_snapshot!(error, @"table `none` does not exist");
    assert_eq!(db.warehouse.table_names().expect("names"), ["t"]);
    assert_eq!(tree(&db.warehouse.path().join("tables")), ["t/_delta_log/00000000000000000000.json"]);
}

#[tokio::test]
async fn a_query_that_fails_leaves_the_table_as_it_was() {
    let db = Database::new();
    let failing = "SELECT 10 / (value - 50000) AS x FROM generate_series(1, 100000)";
    let error = db.create("t", failing, OnExisting::Fail).await.expect_err("division by zero");
    insta::assert_snapshot!(chain(&error), @"Arrow error: Divide by zero error: Divide by zero error");
    assert_eq!(tree(db.warehouse.path()), ["foretell.json", "lock"]);
    db.create("t", "SELECT 1::BIGINT AS x", OnExisting::Fail).await.expect("create");
    db.append("t", failing).await.expect_err("division by zero");
    db.create("t", failing, OnExisting::Replace).await.expect_err("division by zero");
    assert_eq!(tree(&db.warehouse.path().join("tables")).len(), 2);
    insta::assert_snapshot!(db.show("SELECT * FROM t").await, @r"
    +---+
    | x |
    +---+
    | 1 |
    +---+
    ");
}

#[tokio::test]
async fn odd_names_work() {
    let db = Database::new();
    for name in ["my table", "Zażółć", "a.b/c", "100%", "SELECT"] {
        let sql = r#"SELECT 1 AS "a b", 2 AS "late(x, y)", 3 AS "p['yes']", 4 AS "ż.ó", 5 AS "Case" "#;
        db.create(name, sql, OnExisting::Fail).await.expect(name);
        let quoted = format!("\"{name}\"");
        db.sql(&format!("INSERT INTO {quoted} VALUES (1, 2, 3, 4, 5)")).await.expect(name);
        let sql = format!(r#"SELECT sum("late(x, y)" + "Case") AS s FROM {quoted} WHERE "a b" = 1 AND "ż.ó" > 3"#);
        let rows = db.sql(&sql).await.expect(name);
        assert_eq!(rows[0].column(0).as_primitive::<Int64Type>().value(0), 14, "{name}");
    }
    assert_eq!(db.warehouse.table_names().expect("names"), ["100%", "SELECT", "Zażółć", "a.b/c", "my table"]);
}

#[tokio::test]
async fn odd_directories_work() {
    let dir = tempfile::tempdir().expect("temporary directory");
    for part in ["my data", "zażółć", "a#b?c=d", "100%"] {
        let path = dir.path().join(part).join("db");
        let warehouse = foretell_warehouse::Warehouse::open(&path).expect(part);
        let ctx = session(&warehouse, CommitInfo::default());
        let (schema, streams) = query(&ctx, "SELECT 1::BIGINT AS id").await;
        warehouse.create_table("t", &schema, streams, OnExisting::Fail, &CommitInfo::default()).await.expect(part);
        ctx.sql("INSERT INTO t SELECT id FROM t").await.expect(part).collect().await.expect(part);
        let rows = ctx.sql("SELECT count(*) FROM t").await.expect(part).collect().await.expect(part);
        assert_eq!(rows[0].column(0).as_primitive::<Int64Type>().value(0), 2, "{part}");
    }
}

#[tokio::test]
async fn the_log_remembers_who_wrote() {
    let db = Database::new();
    let Value::Object(info) = json!({"foretell": {"models": [{"model": "late", "version": 1}]}}) else { panic!() };
    let ctx = session(&db.warehouse, CommitInfo(info.clone()));
    let (schema, streams) = query(&ctx, "SELECT 1::BIGINT AS id").await;
    let info = CommitInfo(info);
    db.warehouse.create_table("t", &schema, streams, OnExisting::Fail, &info).await.expect("create");
    ctx.sql("INSERT INTO t VALUES (2), (3)").await.expect("plan").collect().await.expect("insert");
    for (version, operation, rows) in [(0, "CREATE TABLE", "1"), (1, "WRITE", "2")] {
        let commit = commit(&db, "t", version);
        assert_eq!(commit["foretell"], info.0["foretell"]);
        assert_eq!(
            (&commit["operation"], &commit["operationMetrics"]["numOutputRows"]),
            (&json!(operation), &json!(rows))
        );
    }
}

#[tokio::test]
async fn two_million_rows_stream_into_several_row_groups() {
    let db = Database::new();
    let sql = "SELECT value AS id, value % 7 AS k FROM generate_series(1, 2000000)";
    assert_eq!(db.create("big", sql, OnExisting::Fail).await.expect("create"), Some(2_000_000));
    insta::assert_snapshot!(db.show("SELECT count(*), sum(id), count(DISTINCT k) FROM big").await, @r"
    +----------+---------------+-----------------------+
    | count(*) | sum(big.id)   | count(DISTINCT big.k) |
    +----------+---------------+-----------------------+
    | 2000000  | 2000001000000 | 7                     |
    +----------+---------------+-----------------------+
    ");
}

#[tokio::test]
async fn files_are_skipped_by_their_statistics() {
    let db = Database::new();
    db.create("t", "SELECT value AS id FROM generate_series(1, 1000)", OnExisting::Fail).await.expect("create");
    db.append("t", "SELECT value AS id FROM generate_series(1001, 2000)").await.expect("append");
    let plan = db.show("EXPLAIN ANALYZE SELECT * FROM t WHERE id = 1500").await;
    assert!(plan.contains("count_files_scanned=1"), "{plan}");
}

/// The `commitInfo` of one version.
fn commit(db: &Database, table: &str, version: u64) -> Value {
    let path = db.warehouse.path().join(format!("tables/{table}/_delta_log/{version:020}.json"));
    let text = std::fs::read_to_string(path).expect("commit file");
    let first = text.lines().next().expect("a line");
    serde_json::from_str::<Value>(first).expect("JSON")["commitInfo"].clone()
}
