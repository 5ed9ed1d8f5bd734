//! Models from addresses: `http` and `s3`, served by a small server in this process.

use crate::server::{self, Reply};
use crate::util::{foretell, repository};

/// Serves `sql/models/late.onnx` at any path that ends with its name, and nothing else; returns its address.
fn serve() -> String {
    let model = std::fs::read(repository().join("sql/models/late.onnx")).expect("the model is there");
    server::serve(move |question| match question.page.ends_with("/late.onnx") {
        true => Reply::Answer("200 OK", "application/octet-stream", model.clone()),
        false => Reply::not_found(),
    })
}

fn run(statements: &[&str], environment: &[(&str, &str)]) -> (String, String) {
    let mut command = foretell();
    command.current_dir(repository()).args(["--format", "csv"]).envs(environment.iter().copied());
    for statement in statements {
        command.args(["-c", statement]);
    }
    let output = command.output().expect("foretell starts");
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

const PREDICT: &str = "SELECT late(120, 719, 17, 'UA', 'EWR', 'ORD') AS late";

#[test]
fn a_model_comes_over_http() {
    let server = serve();
    let create = format!("CREATE MODEL late FROM '{server}/some%20models/late.onnx'");
    assert_eq!(run(&[&create, PREDICT], &[]), ("late\nlate\n".to_owned(), String::new()));
}

#[test]
fn a_model_comes_from_s3() {
    let server = serve();
    let environment = [
        ("AWS_ENDPOINT", server.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let create = "CREATE MODEL late FROM 's3://bucket/models/late.onnx'";
    assert_eq!(run(&[create, PREDICT], &environment), ("late\nlate\n".to_owned(), String::new()));
}

#[test]
fn a_missing_address_and_a_large_file_are_errors() {
    let server = serve();
    let missing = format!("CREATE MODEL late FROM '{server}/none.onnx'");
    let (_, error) = run(&[&missing], &[]);
    assert!(error.starts_with(&format!("error: -c:1:1: cannot read `{server}/none.onnx`")), "{error}");

    let large = format!("CREATE MODEL late FROM '{server}/late.onnx'");
    let (_, error) = run(&["SET foretell.limit_file_bytes = 1000", &large], &[]);
    let expected = "error: -c#2:1:1: the model has 3383 bytes, the limit is 1000; \
                    raise it with `SET foretell.limit_file_bytes = ...` if you trust the file\n";
    assert_eq!(error, expected);
}
