//! The backslash commands. Alone in `-c` they do what they do at the prompt.

use insta::assert_snapshot;

use crate::util::{Sandbox, repository};

fn run(commands: &[&str]) -> String {
    let arguments: Vec<&str> = commands.iter().flat_map(|command| ["-c", command]).collect();
    Sandbox::new().run(arguments).output()
}

#[test]
fn question_mark_lists_the_commands() {
    assert_snapshot!(run(&["\\?"]), @r"
    \?                 list the backslash commands
    \d [TABLE]         list the tables, or the columns of TABLE
    \m [MODEL]         list the models, or what MODEL takes and returns
    \h [FUNCTION]      list the functions, or explain FUNCTION
    \format [NAME]     print results as table, csv, tsv, json, ndjson or markdown
    \x [on|off]        expanded display: each value of a table on its own line
    \rows [N|all]      show at most N rows of a table at the prompt
    \timing [on|off]   tell how long each statement took
    \i FILE            run the SQL script FILE
    \o [FILE]          write results to FILE, or to the screen again
    \q                 leave (so does Ctrl-D)

    A statement may take several lines and ends with `;`. Tab completes, Ctrl-C cancels.
    ");
}

#[test]
fn d_lists_tables_and_columns() {
    let table = "CREATE TABLE t AS SELECT 1 AS n, 'x' AS text";
    assert_snapshot!(run(&[table, "\\d"]), @r"
    ┌──────────────┬────────────┬────────────┐
    │ table_schema │ table_name │ table_type │
    ├──────────────┼────────────┼────────────┤
    │ public       │ t          │ BASE TABLE │
    └──────────────┴────────────┴────────────┘
    ");
    assert_snapshot!(run(&[table, "\\d t;"]), @r"
    ┌─────────────┬───────────┬─────────────┐
    │ column_name │ data_type │ is_nullable │
    ├─────────────┼───────────┼─────────────┤
    │ n           │ Int64     │ NO          │
    │ text        │ Utf8      │ NO          │
    └─────────────┴───────────┴─────────────┘
    ");
}

#[test]
fn m_lists_and_describes_models() {
    let sandbox = Sandbox::new();
    std::fs::copy(repository().join("sql/models/late.onnx"), sandbox.path("late.onnx")).expect("the model is copied");
    let run = |command| sandbox.run(["-c", "CREATE MODEL late FROM 'late.onnx'", "-c", command]).output();
    assert!(run("\\m").contains("│ late │ binary classification │"));
    assert!(run("\\m late").contains("│ dep_delay "));
    assert!(run("\\h").starts_with("Models\n  late\n\nModel Functions\n  predict, "));
    assert!(run("\\h late").starts_with("late(dep_delay, "));
}

#[test]
fn h_explains_a_function_from_its_documentation() {
    assert_snapshot!(run(&["\\h sqrt"]), @r"
    sqrt(numeric_expression)

    Returns the square root of a number.

    Arguments
      numeric_expression: Numeric expression to operate on. Can be a constant, column, or function, and
      any combination of operators.
    ");
    assert!(run(&["\\h"]).contains("Math Functions\n  abs, "));
}

#[test]
fn h_offers_names_that_are_near() {
    assert_snapshot!(Sandbox::new().run(["-c", "\\h to_timestamp_m"]).error(1), @"error: -c: no function `to_timestamp_m`; there are to_timestamp_micros, to_timestamp_millis");
}

#[test]
fn x_puts_each_value_on_its_own_line() {
    let rows = "SELECT 1 AS n, 'one' || chr(10) || 'two' AS long_name UNION ALL SELECT 2, NULL ORDER BY n";
    assert_snapshot!(run(&["\\x", rows]), @r"
    expanded display is on
    ─ row 1 ──┬────────────────────
    n         │ 1
    long_name │ one
              │ two
    ─ row 2 ──┬────────────────────
    n         │ 2
    long_name │ NULL
    ");
    assert_eq!(run(&["\\x on", "\\x off", "SELECT 1"]).lines().count(), 7);
}

#[test]
fn format_changes_the_format() {
    assert_snapshot!(run(&["\\format", "\\format csv", "SELECT 1 AS a", "\\format ndjson", "SELECT 1 AS a"]), @r#"
    format is table; there are table, csv, tsv, json, ndjson, markdown
    a
    1
    {"a":1}
    "#);
}

#[test]
fn timing_is_told_beside_the_results() {
    let answer = Sandbox::new().run(["--format", "csv", "-c", "\\timing on", "-c", "SELECT 1 AS a"]);
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(0), "timing is on\na\n1\n"));
    assert!(answer.stderr.ends_with(" ms\n"), "{}", answer.stderr);
}

#[test]
fn i_runs_a_script_and_o_writes_a_file() {
    let sandbox = Sandbox::new();
    sandbox.write("a.sql", "SELECT 1 AS a;");
    let answer =
        sandbox.run(["--format", "csv", "-c", "\\o out.csv", "-c", "\\i a.sql", "-c", "\\o", "-c", "SELECT 2 AS b"]);
    assert_eq!(answer.output(), "b\n2\n");
    assert_eq!(sandbox.read("out.csv"), "a\n1\n");
}

#[test]
fn an_error_in_an_included_script_has_the_place_in_that_script() {
    let sandbox = Sandbox::new();
    sandbox.write("a.sql", "SELECT 1 AS a;\nSELECT missing;");
    assert_snapshot!(sandbox.run(["-c", "\\i a.sql"]).error(1), @"error: a.sql:2:1: No field named missing.");
}

#[test]
fn wrong_commands_are_told() {
    let error = |command| Sandbox::new().run(["-c", command]).error(1);
    assert_snapshot!(error("\\nope"), @r"error: -c: no command `\nope`; `\?` lists the commands");
    assert_snapshot!(error("\\q now"), @r"error: -c: `\q` takes no argument, got `now`");
    assert_snapshot!(error("\\i"), @r"error: -c: `\i` needs the name of a script: `\i FILE`");
    assert_snapshot!(error("\\i missing.sql"), @"error: -c: cannot read script `missing.sql`: No such file or directory (os error 2)");
    assert_snapshot!(error("\\x maybe"), @"error: -c: expected `on` or `off`, got `maybe`");
    assert_snapshot!(error("\\rows -1"), @r"error: -c: `\rows` takes a number above 0 or `all`, got `-1`");
    assert_snapshot!(error("\\format xml"), @"error: -c: no format `xml`; there are table, csv, tsv, json, ndjson, markdown");
    assert_snapshot!(error("\\o no/such/folder"), @"error: -c: cannot write `no/such/folder`: No such file or directory (os error 2)");
}
