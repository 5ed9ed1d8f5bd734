//! Where statements come from, and in which order they run.

use insta::assert_snapshot;

use crate::util::Sandbox;

#[test]
fn commands_and_files_run_in_the_order_given() {
    let sandbox = Sandbox::new();
    sandbox.write("a.sql", "INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)");
    let answer = sandbox.run([
        "-c",
        "CREATE TABLE t (n BIGINT)",
        "-f",
        "a.sql",
        "--command=SELECT sum(n) AS n FROM t; SELECT count(*) AS c FROM t",
        "--format=csv",
    ]);
    assert_snapshot!(answer.output(), @r"
    count
    1
    count
    1
    n
    5
    c
    2
    ");
}

#[test]
fn statements_come_from_standard_input() {
    let sandbox = Sandbox::new();
    let input = "SELECT 'a;b' AS a; -- one; two\n\nSELECT\n  2 AS b\n";
    assert_snapshot!(sandbox.run_with_input(["--format", "csv"], input).output(), @r"
    a
    a;b
    b
    2
    ");
    let answer = sandbox.run_with_input(["--format", "csv", "-c", "SELECT 1 AS a", "-f", "-"], input);
    assert_snapshot!(answer.output(), @r"
    a
    1
    a
    a;b
    b
    2
    ");
}

#[test]
fn nothing_to_do_is_no_error() {
    assert_eq!(Sandbox::new().run::<&str>([]).output(), "");
    assert_eq!(Sandbox::new().run_with_input::<&str>([], " ; -- nothing\n;").output(), "");
}

#[test]
fn a_byte_order_mark_is_not_sql() {
    let sandbox = Sandbox::new();
    sandbox.write("a.sql", "\u{feff}SELECT 1 AS a");
    assert_eq!(sandbox.run(["-f", "a.sql", "--format", "csv"]).output(), "a\n1\n");
}

#[cfg(unix)]
#[test]
fn ctrl_c_cancels_and_leaves() {
    use std::io::{BufRead, BufReader};
    use std::process::Command;

    use crate::util::Answer;

    let sandbox = Sandbox::new();
    let query = "SELECT 'started' AS s; SELECT count(*) FROM range(0, 100000000000)";
    let mut child = sandbox.start(["--format", "csv", "-c", query]);
    let mut lines = BufReader::new(child.stdout.take().expect("standard output is a pipe")).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line == "started")));
    let kill = Command::new("sh").arg("-c").arg(format!("kill -INT {}", child.id())).status().expect("sh runs");
    assert!(kill.success());
    assert_eq!(Answer::of(child).error(130), "cancelled\n");
    assert!(lines.next().is_none());
}
