//! Two handles on one directory, as two processes have them.

use foretell_warehouse::{CommitInfo, Error, OnExisting, Warehouse};
use futures::future::join_all;

use crate::helpers::{Database, query, session, tree};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_of_two_handles_all_land() {
    let db = Database::new();
    db.create("t", "SELECT 0::BIGINT AS id", OnExisting::Fail).await.expect("create");
    let other = db.reopen();
    let append = async |warehouse: &Warehouse, id: usize| {
        let ctx = session(warehouse, CommitInfo::default());
        let (schema, streams) = query(&ctx, &format!("SELECT {id}::BIGINT AS id")).await;
        warehouse.append("t", &schema, streams, &CommitInfo::default()).await
    };
    let results = join_all((1..=10).map(|id| append(if id % 2 == 0 { &other } else { &db.warehouse }, id))).await;
    assert!(results.iter().all(|result| matches!(result, Ok(1))), "{results:?}");
    insta::assert_snapshot!(db.show("SELECT count(*), sum(id) FROM t").await, @r"
    +----------+-----------+
    | count(*) | sum(t.id) |
    +----------+-----------+
    | 11       | 55        |
    +----------+-----------+
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_creations_one_wins() {
    let db = Database::new();
    let other = db.reopen();
    let create = async |warehouse: &Warehouse, id: usize| {
        let ctx = session(warehouse, CommitInfo::default());
        let (schema, streams) = query(&ctx, &format!("SELECT {id}::BIGINT AS id FROM generate_series(1, 1000)")).await;
        warehouse.create_table("t", &schema, streams, OnExisting::Fail, &CommitInfo::default()).await
    };
    let results = join_all([create(&db.warehouse, 1), create(&other, 2)]).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    assert!(results.iter().any(|result| matches!(result, Err(Error::Exists { .. }))), "{results:?}");
    insta::assert_snapshot!(db.show("SELECT count(*), count(DISTINCT id) FROM t").await, @r"
    +----------+----------------------+
    | count(*) | count(DISTINCT t.id) |
    +----------+----------------------+
    | 1000     | 1                    |
    +----------+----------------------+
    ");
}

#[tokio::test]
async fn overwriting_what_has_changed_since_is_a_conflict() {
    let db = Database::new();
    db.create("t", "SELECT 1::BIGINT AS id", OnExisting::Fail).await.expect("create");
    // Planned now, run after somebody else has appended.
    let plan = db.ctx.sql("INSERT OVERWRITE t SELECT id + 1 FROM t").await.expect("plan");
    let plan = plan.create_physical_plan().await.expect("plan");
    db.append("t", "SELECT 5::BIGINT AS id").await.expect("append");
    let error = datafusion::physical_plan::collect(plan, db.ctx.task_ctx()).await.expect_err("conflict");
    insta::assert_snapshot!(Error::from(error), @"table `t` was changed by another statement while this one was running; nothing was written, run it again");
    insta::assert_snapshot!(db.show("SELECT * FROM t ORDER BY id").await, @r"
    +----+
    | id |
    +----+
    | 1  |
    | 5  |
    +----+
    ");
}

#[tokio::test]
async fn appending_to_a_table_that_was_replaced_is_a_conflict() {
    let db = Database::new();
    db.create("t", "SELECT 1::BIGINT AS id", OnExisting::Fail).await.expect("create");
    let plan = db.ctx.sql("INSERT INTO t VALUES (7)").await.expect("plan").create_physical_plan().await.expect("plan");
    db.warehouse.drop_table("t").await.expect("drop");
    db.create("t", "SELECT 'x' AS id", OnExisting::Fail).await.expect("another t");
    let error = datafusion::physical_plan::collect(plan, db.ctx.task_ctx()).await.expect_err("conflict");
    assert!(matches!(Error::from(error), Error::Conflict { .. }));
    insta::assert_snapshot!(db.show("SELECT * FROM t").await, @r"
    +----+
    | id |
    +----+
    | x  |
    +----+
    ");
}

#[tokio::test]
async fn a_cancelled_statement_leaves_nothing() {
    let db = Database::new();
    let endless = db.create("t", "SELECT value FROM generate_series(1, 1000000000000)", OnExisting::Fail);
    let timeout = tokio::time::timeout(std::time::Duration::from_millis(300), endless);
    assert!(timeout.await.is_err());
    // The tasks of the statement end when they next let go of their thread.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    db.reopen();
    assert_eq!(tree(db.warehouse.path()), ["foretell.json", "lock"]);
}
