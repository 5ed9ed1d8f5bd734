//! Several processes on one database at the same time.

use insta::assert_snapshot;

use super::disk::{assert_explained, entries};
use super::killer::{kill, wait_until};
use super::{Batch, CONTENT, DATABASE, ask, content, run, told};
use crate::util::{Answer, Sandbox};

const ROWS: u64 = 50_000;

#[test]
fn two_that_insert_into_one_table_lose_nothing() {
    let sandbox = Sandbox::new();
    let batches: Vec<Batch> = (0..9).map(|number| Batch { number, rows: ROWS }).collect();
    run(&sandbox, &[&format!("CREATE TABLE t AS {}", batches[0].query())]).output();
    let inserts = batches[1..].chunks(4).map(|mine| {
        let inserts = mine.iter().map(|batch| format!("INSERT INTO t {};", batch.query()));
        sandbox.start([DATABASE, "--format", "csv", "-c", &inserts.collect::<String>()])
    });
    let both: Vec<_> = inserts.collect();
    for child in both {
        assert_eq!(Answer::of(child).output(), format!("count\n{ROWS}\n").repeat(4));
    }
    assert_eq!(ask(&sandbox, &[CONTENT]), content(&batches));
    assert_explained(&sandbox.path(DATABASE));
}

#[test]
fn two_open_a_new_directory() {
    for _ in 0..4 {
        let sandbox = Sandbox::new();
        let both = [1, 2].map(|_| sandbox.start([DATABASE, "--format", "csv", "-c", "SELECT 1 AS one"]));
        assert_eq!(both.map(|child| Answer::of(child).output()), ["one\n1\n"; 2]);
        assert_explained(&sandbox.path(DATABASE));
    }
}

#[test]
fn of_two_that_create_one_table_one_is_told() {
    let sandbox = Sandbox::new();
    run(&sandbox, &["SELECT 1"]).output();
    let batches = [1, 2].map(|number| Batch { number, rows: ROWS });
    let both = batches.map(|batch| {
        let child = sandbox.start([DATABASE, "-c", &format!("CREATE TABLE t AS {}", batch.query())]);
        (batch, child)
    });
    let answers = both.map(|(batch, child)| (batch, Answer::of(child)));
    let winners: Vec<Batch> =
        answers.iter().filter(|(_, answer)| answer.code == Some(0)).map(|(batch, _)| *batch).collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    let loser = answers.iter().find(|(_, answer)| answer.code != Some(0)).map(|(_, answer)| answer.stderr.as_str());
    assert!(loser.is_some_and(|message| message.contains("table `t` ") && message.contains("exists")), "{loser:?}");
    assert_eq!(ask(&sandbox, &[CONTENT]), content(&winners));
    assert_explained(&sandbox.path(DATABASE));
}

#[test]
fn who_opens_and_writes_does_not_disturb_who_is_writing() {
    let sandbox = Sandbox::new();
    let mut batches = vec![Batch { number: 1, rows: ROWS }];
    run(&sandbox, &[&format!("CREATE TABLE t AS {}", batches[0].query())]).output();
    let (table, before) = (sandbox.path("db/tables/t"), entries(&sandbox.path("db/tables/t")));
    let endless = Batch { number: 2, rows: 1 << 60 };
    let writer = sandbox.start([DATABASE, "-c", &format!("INSERT INTO t {}", endless.query())]);
    let started = || entries(&table).into_iter().find(|folder| !before.contains(folder));
    wait_until(|| started().is_some_and(|folder| !entries(&folder).is_empty()));
    let folder = started().expect("the writer has a folder");

    let more = Batch { number: 3, rows: ROWS };
    run(&sandbox, &[&format!("INSERT INTO t {}", more.query())]).output();
    batches.push(more);
    assert_eq!(ask(&sandbox, &[CONTENT]), content(&batches));
    {
        let _names = told(&sandbox);
        assert_snapshot!(run(&sandbox, &["DROP TABLE t"]).error(1), @"error: -c:1:1: table `t` is being written by another statement; try again when it has finished");
    }
    assert!(!entries(&folder).is_empty(), "the files of the writer are there");
    assert_eq!(entries(&sandbox.path("db/pending")).len(), 1);

    assert!(!kill(writer), "endless rows came to an end");
    assert_eq!(ask(&sandbox, &[CONTENT]), content(&batches));
    assert_explained(&sandbox.path(DATABASE));
}
