//! Directories that cannot be used, and what the user is told.

use std::fs;

use insta::assert_snapshot;

use super::{DATABASE, run, told};
use crate::util::Sandbox;

#[test]
fn a_directory_that_is_no_database() {
    let sandbox = Sandbox::new();
    let _names = told(&sandbox);
    fs::create_dir(sandbox.path(DATABASE)).expect("a directory");
    sandbox.write("db/notes.txt", "mine");
    assert_snapshot!(run(&sandbox, &["SELECT 1"]).error(1), @"error: `db` is not a foretell database: it is not empty and has no `foretell.json`; give an empty or a new directory");
    assert_eq!(fs::read_dir(sandbox.path(DATABASE)).expect("the directory").count(), 1, "nothing was added");
}

#[test]
fn a_file_is_no_directory() {
    let sandbox = Sandbox::new();
    let _names = told(&sandbox);
    sandbox.write(DATABASE, "mine");
    assert_snapshot!(run(&sandbox, &["SELECT 1"]).error(1), @"error: `db` is a file, expected a database directory");
    assert_snapshot!(sandbox.run(["db/below", "-c", "SELECT 1"]).error(1), @r"
    error: cannot read `db/below`
      caused by: Not a directory (os error 20)
    ");
}

#[test]
fn a_database_of_a_newer_foretell() {
    let sandbox = Sandbox::new();
    let _names = told(&sandbox);
    run(&sandbox, &["CREATE TABLE t AS SELECT 1 AS n"]).output();
    assert_snapshot!(sandbox.read("db/foretell.json"), @r#"
    {
      "format": 1
    }
    "#);
    sandbox.write("db/foretell.json", r#"{"format": 2, "of": "tomorrow"}"#);
    assert_snapshot!(run(&sandbox, &["SELECT 1"]).error(1), @"error: `db` is a database of a newer foretell: its format is 2, this foretell reads up to 1; upgrade foretell");
}

#[test]
fn a_database_whose_format_cannot_be_read() {
    let sandbox = Sandbox::new();
    let _names = told(&sandbox);
    run(&sandbox, &["SELECT 1"]).output();
    sandbox.write("db/foretell.json", "");
    assert_snapshot!(run(&sandbox, &["SELECT 1"]).error(1), @r"
    error: `db/foretell.json` is damaged: it is not the JSON that foretell writes; restore it from a backup
      caused by: EOF while parsing a value at line 1 column 0
    ");
}

#[test]
fn names_that_are_taken() {
    let sandbox = Sandbox::new();
    run(&sandbox, &["CREATE TABLE t AS SELECT 1 AS n", "CREATE VIEW v AS SELECT 1 AS n"]).output();
    let error = |statement| run(&sandbox, &[statement]).error(1);
    assert_snapshot!(error("CREATE TABLE t AS SELECT 2 AS n"), @"error: -c:1:1: table `t` exists; CREATE OR REPLACE TABLE replaces it");
    assert_snapshot!(error("CREATE VIEW v AS SELECT 2 AS n"), @"error: -c:1:1: `v` exists; OR REPLACE replaces it");
    assert_snapshot!(error("CREATE VIEW t AS SELECT 2 AS n"), @"error: -c:1:1: `t` exists and is something else; drop it first");
    assert_snapshot!(error("CREATE TABLE v AS SELECT 2 AS n"), @"error: -c:1:1: `v` exists and is a view; drop it first");
    assert_eq!(run(&sandbox, &["SELECT * FROM t", "SELECT * FROM v"]).output(), "n\n1\nn\n1\n");
}

/// Linux: nobody, root included, can make a directory in `/proc`.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_cannot_be_made() {
    assert_snapshot!(Sandbox::new().run(["/proc/foretell", "-c", "SELECT 1"]).error(1), @r"
    error: cannot create `/proc/foretell`
      caused by: No such file or directory (os error 2)
    ");
}

/// Permissions do not hold for root, who can then write to the database as ever.
#[cfg(unix)]
#[test]
fn a_directory_that_may_only_be_read() {
    use std::os::unix::fs::PermissionsExt;

    let sandbox = Sandbox::new();
    let _names = told(&sandbox);
    run(&sandbox, &["CREATE TABLE t AS SELECT 1 AS n"]).output();
    let set = |mode| {
        for folder in ["db/lock", "db/pending", "db/tables/t", "db/tables", "db"] {
            fs::set_permissions(sandbox.path(folder), fs::Permissions::from_mode(mode)).expect("permissions");
        }
    };
    set(0o555);
    let is_root = fs::write(sandbox.path("db/probe"), "").is_ok();
    let answer = run(&sandbox, &["SELECT * FROM t", "INSERT INTO t VALUES (2)"]);
    set(0o755);
    if is_root {
        assert_eq!(answer.output(), "n\n1\ncount\n1\n");
    } else {
        assert_eq!(answer.stdout, "n\n1\n");
        assert_snapshot!(answer.error(1), @"error: -c#2:1:1: cannot write `[sandbox]/db/lock`: permission denied; check who owns the database directory or open a copy of it");
    }
}
