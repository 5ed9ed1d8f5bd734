//! The command line.

use insta::assert_snapshot;

use crate::util::Sandbox;

#[test]
fn help_lists_every_flag() {
    assert_snapshot!(Sandbox::new().run(["--help"]).output(), @r"
    foretell: machine-learning models as SQL functions

    Usage: foretell [FLAGS] [DIR]

    DIR is the database directory that keeps tables and models; it is created if it does not exist.
    Without DIR they are in memory and gone at the end. Statements come from -c and -f, else from
    standard input; at a terminal a prompt opens, where \? lists the commands.

    Flags:
      -c, --command SQL     Run SQL, then leave. May be repeated; -c and -f run in the order given.
                            A backslash command of the prompt works too: -c '\d'
      -f, --file FILE       Run the SQL script FILE, then leave; - is standard input. May be repeated
          --format NAME     Print results as table (default), csv, tsv, json, ndjson or markdown
      -h, --help            Print this text
      -V, --version         Print the version

    Exit code: 0 success, 1 a statement failed, 2 wrong usage (nothing was run), 130 cancelled by Ctrl-C.
    ");
}

#[test]
fn version_names_the_program() {
    let version = format!("foretell {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(Sandbox::new().run(["--version"]).output(), version);
    assert_eq!(Sandbox::new().run(["-V"]).output(), version);
}

#[test]
fn an_unknown_flag_is_wrong_usage() {
    assert_snapshot!(Sandbox::new().run(["--nope"]).error(2), @r"
    error: invalid option '--nope'
    `foretell --help` lists the flags
    ");
}

#[test]
fn a_flag_without_its_value_is_wrong_usage() {
    assert_snapshot!(Sandbox::new().run(["-c"]).error(2), @r"
    error: missing argument for option '-c'
    `foretell --help` lists the flags
    ");
}

#[test]
fn an_unknown_format_is_wrong_usage() {
    assert_snapshot!(Sandbox::new().run(["--format", "xml"]).error(2), @r"
    error: no format `xml`; there are table, csv, tsv, json, ndjson, markdown
    `foretell --help` lists the flags
    ");
}

#[test]
fn a_second_directory_is_wrong_usage() {
    assert_snapshot!(Sandbox::new().run(["db", "SELECT 1"]).error(2), @r"
    error: 'SELECT 1': one database directory at most; a script needs -f, SQL needs -c
    `foretell --help` lists the flags
    ");
}

#[test]
fn a_directory_keeps_tables() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(["db", "-c", "CREATE TABLE t AS SELECT 1 AS a"]).output(), "");
    assert_snapshot!(sandbox.run(["db", "-c", "SELECT a FROM t", "--format", "csv"]).output(), @r"
    a
    1
    ");
    assert!(sandbox.path("db").is_dir());
}

#[test]
fn without_a_directory_nothing_is_kept() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(["-c", "CREATE TABLE t AS SELECT 1 AS a"]).output(), "");
    assert_eq!(sandbox.run(["-c", "SELECT a FROM t"]).code, Some(1));
}
