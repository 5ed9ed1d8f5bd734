//! Failed statements: the message, the place and the exit code.

use insta::assert_snapshot;

use crate::util::Sandbox;

#[test]
fn a_script_stops_at_the_first_failure() {
    let sandbox = Sandbox::new();
    sandbox.write("a.sql", "SELECT 1 AS a;\n\n  SELECT missing\n  FROM range(0, 1);\nSELECT 3 AS c;\n");
    let answer = sandbox.run(["--format", "csv", "-f", "a.sql", "-c", "SELECT 4 AS d"]);
    assert_eq!(answer.stdout, "a\n1\n");
    assert_snapshot!(answer.error(1), @r#"
    error: a.sql:3:3: No field named missing.
    Valid fields are "range()".value.
    "#);
}

#[test]
fn a_syntax_error_is_placed_at_the_word_that_is_wrong() {
    let sandbox = Sandbox::new();
    sandbox.write("a.sql", "SELECT 1;\n\nSELECT (1\n  FROM t;\n");
    assert_snapshot!(sandbox.run(["-f", "a.sql"]).error(1), @"error: a.sql:4:3: syntax error: Expected: ), found: FROM");
}

#[test]
fn the_place_names_the_source() {
    let sandbox = Sandbox::new();
    assert_snapshot!(sandbox.run(["-c", "SELECT 1; SELECT missing"]).error(1), @"error: -c:1:11: No field named missing.");
    assert_snapshot!(sandbox.run(["-c", "SELECT 1", "-c", "SELECT missing"]).error(1), @"error: -c#2:1:1: No field named missing.");
    assert_snapshot!(sandbox.run_with_input::<&str>([], "\n SELECT missing").error(1), @"error: <stdin>:2:2: No field named missing.");
}

#[test]
fn a_quote_that_is_never_closed() {
    assert_snapshot!(Sandbox::new().run_with_input::<&str>([], "SELECT 1 AS a;\nSELECT 'open;\n").error(1), @"error: <stdin>:2:8: syntax error: Unterminated string literal");
}

#[test]
fn a_statement_that_fails_while_it_runs() {
    let answer = Sandbox::new().run(["--format", "json", "-c", "SELECT 1 / (value - value) FROM range(1, 3)"]);
    assert_eq!(answer.stdout, "");
    assert_snapshot!(answer.error(1), @"error: -c:1:1: Divide by zero error");
}

#[test]
fn a_script_that_cannot_be_read_stops_everything() {
    let answer = Sandbox::new().run(["-c", "SELECT 1", "-f", "missing.sql"]);
    assert_eq!(answer.stdout, "");
    assert_snapshot!(answer.error(2), @"error: cannot read script `missing.sql`: No such file or directory (os error 2)");
}

#[test]
fn backslash_commands_do_not_work_in_scripts() {
    assert_snapshot!(Sandbox::new().run_with_input::<&str>([], "SELECT 1;\n\\d\n").error(1), @"error: <stdin>:2:1: backslash commands work at the prompt and alone in -c, not in a script");
}
