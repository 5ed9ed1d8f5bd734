//! Every format on the same rows: NULL, text that needs care, numbers with all digits, a list and a struct.

use std::io::{BufRead, BufReader};

use insta::assert_snapshot;

use crate::util::{Answer, Sandbox};

const ROWS: &str = "SELECT * FROM (VALUES
    (1, 0.1, 'plain', [1, 2], named_struct('a', 1, 'b', 'x')),
    (NULL, NULL, NULL, NULL, NULL),
    (-30, 1e300, '', [], named_struct('a', NULL, 'b', '')),
    (4, 2.0, 'say \"hi\", a|b\\c' || chr(10) || 'line' || chr(9) || 'tab' || chr(27), [3, NULL], named_struct('a', 2, 'b', 'y,z'))
) AS t (i, f, text, list, struct)";

fn print(format: &str) -> String {
    Sandbox::new().run(["--format", format, "-c", ROWS]).output()
}

#[test]
fn table() {
    assert_snapshot!(print("table"), @r#"
    ┌──────┬───────┬─────────────────┬───────────┬──────────────────┐
    │    i │     f │ text            │ list      │ struct           │
    ├──────┼───────┼─────────────────┼───────────┼──────────────────┤
    │    1 │   0.1 │ plain           │ [1, 2]    │ {a: 1, b: "x"}   │
    │ NULL │  NULL │ NULL            │ NULL      │ NULL             │
    │  -30 │ 1e300 │                 │ []        │ {a: NULL, b: ""} │
    │    4 │   2.0 │ say "hi", a|b\c │ [3, NULL] │ {a: 2, b: "y,z"} │
    │      │       │ line\ttab\u{1b} │           │                  │
    └──────┴───────┴─────────────────┴───────────┴──────────────────┘
    "#);
}

#[test]
fn csv() {
    assert_snapshot!(print("csv").replace('\u{1b}', "<ESC>"), @r#"
    i,f,text,list,struct
    1,0.1,plain,"[1,2]","{""a"":1,""b"":""x""}"
    ,,,,
    -30,1e300,"",[],"{""a"":null,""b"":""""}"
    4,2.0,"say ""hi"", a|b\c
    line	tab<ESC>","[3,null]","{""a"":2,""b"":""y,z""}"
    "#);
}

#[test]
fn tsv() {
    assert_snapshot!(print("tsv").replace('\t', "<TAB>").replace('\u{1b}', "<ESC>"), @r#"
    i<TAB>f<TAB>text<TAB>list<TAB>struct
    1<TAB>0.1<TAB>plain<TAB>[1,2]<TAB>"{""a"":1,""b"":""x""}"
    <TAB><TAB><TAB><TAB>
    -30<TAB>1e300<TAB>""<TAB>[]<TAB>"{""a"":null,""b"":""""}"
    4<TAB>2.0<TAB>"say ""hi"", a|b\c
    line<TAB>tab<ESC>"<TAB>[3,null]<TAB>"{""a"":2,""b"":""y,z""}"
    "#);
}

#[test]
fn json() {
    let text = print("json");
    assert_snapshot!(text, @r#"
    [
    {"i":1,"f":0.1,"text":"plain","list":[1,2],"struct":{"a":1,"b":"x"}},
    {"i":null,"f":null,"text":null,"list":null,"struct":null},
    {"i":-30,"f":1.0e300,"text":"","list":[],"struct":{"a":null,"b":""}},
    {"i":4,"f":2.0,"text":"say \"hi\", a|b\\c\nline\ttab\u001b","list":[3,null],"struct":{"a":2,"b":"y,z"}}
    ]
    "#);
    let rows: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(rows[3]["text"], "say \"hi\", a|b\\c\nline\ttab\u{1b}");
    assert_eq!(rows[1]["list"], serde_json::Value::Null);
}

#[test]
fn ndjson() {
    let text = print("ndjson");
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let array: serde_json::Value = serde_json::from_str(&print("json")).expect("JSON");
    assert_eq!(serde_json::Value::from(rows), array);
}

#[test]
fn json_null_in_a_dictionary() {
    let sql = "SELECT d, [d] AS l FROM (SELECT arrow_cast(NULL, 'Dictionary(Int32, Utf8)') AS d) AS t";
    for format in ["json", "ndjson"] {
        let text = Sandbox::new().run(["--format", format, "-c", sql]).output();
        assert!(text.contains(r#"{"d":null,"l":[null]}"#), "{text}");
    }
}

#[test]
fn markdown() {
    assert_snapshot!(print("markdown"), @r#"
    | i | f | text | list | struct |
    |---:|---:|---|---|---|
    | 1 | 0.1 | plain | [1, 2] | {a: 1, b: "x"} |
    | NULL | NULL | NULL | NULL | NULL |
    | -30 | 1e300 |  | [] | {a: NULL, b: ""} |
    | 4 | 2.0 | say "hi", a\|b\\c<br>line\\ttab\\u{1b} | [3, NULL] | {a: 2, b: "y,z"} |
    "#);
}

#[test]
fn no_rows() {
    let print = |format| Sandbox::new().run(["--format", format, "-c", "SELECT 1 AS a, 'x' AS b WHERE false"]).output();
    assert_snapshot!(print("table"), @r"
    ┌───┬───┐
    │ a │ b │
    ├───┼───┤
    └───┴───┘
    ");
    assert_snapshot!(print("csv"), @"a,b");
    assert_snapshot!(print("json"), @r"
    [
    ]
    ");
    assert_snapshot!(print("markdown"), @r"
    | a | b |
    |---:|---|
    ");
    assert_eq!(print("ndjson"), "");
}

#[test]
fn a_plan_is_readable() {
    assert_snapshot!(Sandbox::new().run(["-c", "EXPLAIN FORMAT INDENT SELECT 1 AS a"]).output(), @r"
    ┌───────────────┬───────────────────────────────┐
    │ plan_type     │ plan                          │
    ├───────────────┼───────────────────────────────┤
    │ logical_plan  │ Projection: Int64(1) AS a     │
    │               │   EmptyRelation: rows=1       │
    │ physical_plan │ ProjectionExec: expr=[1 as a] │
    │               │   PlaceholderRowExec          │
    └───────────────┴───────────────────────────────┘
    ");
}

#[test]
fn a_row_of_one_null_is_no_empty_line() {
    let sql = "SELECT * FROM (VALUES ('a'), (NULL), ('b')) AS t (s)";
    assert_snapshot!(Sandbox::new().run(["--format", "csv", "-c", sql]).output(), @r#"
    s
    a
    ""
    b
    "#);
}

#[test]
fn numbers_are_read_back_as_they_were() {
    let sql = "SELECT CAST(0.1 AS REAL) AS r, 1.0 / 3 AS d, CAST('NaN' AS DOUBLE) AS n, 9223372036854775807 AS i, \
        CAST(12.50 AS DECIMAL(6, 2)) AS m";
    assert_snapshot!(Sandbox::new().run(["--format", "csv", "-c", sql]).output(), @r"
    r,d,n,i,m
    0.1,0.3333333333333333,NaN,9223372036854775807,12.50
    ");
    assert_snapshot!(Sandbox::new().run(["--format", "ndjson", "-c", sql]).output(), @r#"{"r":0.1,"d":0.3333333333333333,"n":null,"i":9223372036854775807,"m":12.50}"#);
}

#[test]
fn a_long_result_is_whole() {
    let sandbox = Sandbox::new();
    for format in ["table", "csv", "tsv", "json", "ndjson", "markdown"] {
        let text = sandbox.run(["--format", format, "-c", "SELECT value AS v FROM range(0, 25000)"]).output();
        let rows = text.lines().filter(|line| line.contains(|c: char| c.is_ascii_digit())).count();
        assert_eq!(rows, 25_000, "{format}");
    }
}

#[test]
fn a_reader_that_stops_reading_is_no_error() {
    for format in ["table", "csv", "json", "markdown"] {
        let sandbox = Sandbox::new();
        let mut child = sandbox.start(["--format", format, "-c", "SELECT * FROM range(0, 100000000000)"]);
        let mut line = String::new();
        let stdout = child.stdout.take().expect("standard output is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert!(!line.is_empty(), "{format}");
        assert_eq!(Answer::of(child).output(), "", "{format}");
    }
}
