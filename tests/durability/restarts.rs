//! What a new process finds: all that was made, nothing that was dropped, and files that are what was stored.

use std::fs;

use insta::assert_snapshot;

use super::disk::{assert_explained, entries};
use super::{DATABASE, ask, create_model, run, told};
use crate::util::Sandbox;

const PREDICTION: &str = "SELECT late(90, 500, 18, 'EV', 'LGA', 'ATL') AS late";
const PREDICTED: &str = "late\nlate\n";

/// A table, a view and an external table of each of the names, and two models.
fn filled() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("files.csv", "n,word\n1,one\n2,two\n");
    let mut statements = vec![create_model("late", "late.onnx"), create_model("gone_model", "delay.onnx")];
    let csv = sandbox.path("files.csv");
    for prefix in ["", "gone_"] {
        statements.extend([
            format!("CREATE TABLE {prefix}t AS SELECT 1 AS n, 'one' AS word"),
            format!("INSERT INTO {prefix}t VALUES (2, 'two')"),
            format!("CREATE VIEW {prefix}v AS SELECT sum(n) AS total, late(90, 500, 18, 'EV', 'LGA', 'ATL') AS late FROM {prefix}t"),
            format!("CREATE EXTERNAL TABLE {prefix}x STORED AS CSV LOCATION '{}' OPTIONS ('format.has_header' 'true')", csv.display()),
        ]);
    }
    statements
        .extend(["TABLE gone_t", "VIEW gone_v", "TABLE gone_x", "MODEL gone_model"].map(|gone| format!("DROP {gone}")));
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    let answer = run(&sandbox, &statements);
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
    sandbox
}

#[test]
fn what_was_made_is_there_and_what_was_dropped_is_not() {
    let sandbox = filled();
    let _names = told(&sandbox);
    assert_snapshot!(ask(&sandbox, &["SHOW MODELS"]), @r"
    name,task,prediction,features,backend,format,source,temporary,status
    late,binary classification,Utf8,6,native,ONNX,sql/models/late.onnx,false,ready
    ");
    assert_snapshot!(ask(&sandbox, &["SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"]), @r"
    table_name,table_type
    t,BASE TABLE
    v,VIEW
    x,BASE TABLE
    ");
    assert_snapshot!(ask(&sandbox, &["SELECT * FROM t ORDER BY n", "SELECT * FROM v", "SELECT * FROM x ORDER BY n", PREDICTION]), @r"
    n,word
    1,one
    2,two
    total,late
    3,late
    n,word
    1,one
    2,two
    late
    late
    ");
    assert_explained(&sandbox.path(DATABASE));
}

#[test]
fn a_model_that_was_changed_on_disk_is_not_used() {
    let sandbox = filled();
    let _names = told(&sandbox);
    let file = &entries(&sandbox.path("db/models/files"))[0];
    let mut bytes = fs::read(file).expect("the model can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).expect("the model can be written");
    assert_snapshot!(run(&sandbox, &[PREDICTION]).error(1), @"error: -c:1:1: model `late` version 1 was changed on disk: `[sandbox]/db/models/files/[sha256].onnx` should have sha256 [sha256], got [sha256]; create the model again");
    assert_snapshot!(ask(&sandbox, &["SHOW MODELS", "SELECT count(*) AS n FROM t"]), @r#"
    name,task,prediction,features,backend,format,source,temporary,status
    late,,,6,,,sql/models/late.onnx,false,"model `late` version 1 was changed on disk: `[sandbox]/db/models/files/[sha256].onnx` should have sha256 [sha256], got [sha256]; create the model again"
    n
    2
    "#);
    assert_eq!(ask(&sandbox, &[&create_model("late", "late.onnx"), PREDICTION]), PREDICTED);
}

#[test]
fn a_model_whose_file_is_gone_is_not_used() {
    let sandbox = filled();
    let _names = told(&sandbox);
    fs::remove_file(&entries(&sandbox.path("db/models/files"))[0]).expect("the model can be removed");
    assert_snapshot!(run(&sandbox, &[PREDICTION]).error(1), @r"
    error: -c:1:1: the file of model `late` version 1, `[sandbox]/db/models/files/[sha256].onnx`, cannot be read; restore it from a backup, or create the model again: CREATE OR REPLACE MODEL late FROM 'sql/models/late.onnx'
      caused by: No such file or directory (os error 2)
    ");
    assert_snapshot!(ask(&sandbox, &["SHOW MODELS", "SELECT count(*) AS n FROM t"]), @r#"
    name,task,prediction,features,backend,format,source,temporary,status
    late,,,6,,,sql/models/late.onnx,false,"the file of model `late` version 1, `[sandbox]/db/models/files/[sha256].onnx`, cannot be read; restore it from a backup, or create the model again: CREATE OR REPLACE MODEL late FROM 'sql/models/late.onnx' (No such file or directory (os error 2))"
    n
    2
    "#);
    assert_eq!(ask(&sandbox, &[&create_model("late", "late.onnx"), PREDICTION]), PREDICTED);
}

#[test]
fn a_damaged_record_stops_no_other_model() {
    let sandbox = filled();
    let _names = told(&sandbox);
    run(&sandbox, &[&create_model("broken", "delay.onnx")]).output();
    sandbox.write("db/models/broken.json", "{\"name\": \"bro");
    assert_snapshot!(ask(&sandbox, &["SHOW MODELS"]), @r#"
    name,task,prediction,features,backend,format,source,temporary,status
    broken,,,0,,,"",false,"model `broken` cannot be used until its record is restored, or removed by DROP MODEL broken: `[sandbox]/db/models/broken.json` is damaged: it is not the JSON that foretell writes; restore it from a backup (EOF while parsing a string at line 1 column 13)"
    late,binary classification,Utf8,6,native,ONNX,sql/models/late.onnx,false,ready
    "#);
    assert_snapshot!(run(&sandbox, &["SELECT predict('broken', 1)"]).error(1), @r"
    error: -c:1:1: model `broken` cannot be used until its record is restored, or removed by DROP MODEL broken: `[sandbox]/db/models/broken.json` is damaged: it is not the JSON that foretell writes; restore it from a backup
      caused by: EOF while parsing a string at line 1 column 13
    ");
    assert_eq!(ask(&sandbox, &[PREDICTION, "SELECT count(*) AS n FROM t"]), format!("{PREDICTED}n\n2\n"));
    run(&sandbox, &["DROP MODEL broken"]).output();
    assert_eq!(ask(&sandbox, &["SELECT count(*) AS n FROM t"]), "n\n2\n");
    assert!(!ask(&sandbox, &["SHOW MODELS"]).contains("broken"));
}

#[test]
fn a_view_on_what_was_dropped_says_so() {
    let sandbox = filled();
    run(&sandbox, &["DROP TABLE t"]).output();
    assert_snapshot!(run(&sandbox, &["SELECT * FROM v"]).error(1), @"error: -c:1:1: the view `v` reads `t`, and no table is called so any more; create `t` again, or drop the view with DROP VIEW v");
}
