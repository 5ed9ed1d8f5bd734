//! Servers that are not there, do not let us in, or do not answer as MLflow does.

use insta::assert_snapshot;

use super::run;
use crate::server::{Question, Reply, serve};
use crate::util::Sandbox;

/// The error of a `CREATE MODEL` with these variables; `server` in it is written as `<server>`.
fn refused(server: &str, variables: &[(&str, &str)]) -> String {
    let statements = ["CREATE MODEL m FROM 'models:/churn/1'".to_owned()];
    let variables: Vec<(&str, &str)> =
        variables.iter().copied().chain([("MLFLOW_HTTP_REQUEST_TIMEOUT", "0.5")]).collect();
    run(&Sandbox::new(), &statements, &variables).error(1).replace(server, "<server>")
}

/// The error when the server replies so.
fn replied(reply: impl Fn(&Question) -> Reply + Send + Sync + 'static) -> String {
    let server = serve(reply);
    refused(&server, &[("MLFLOW_TRACKING_URI", &server)])
}

fn json(status: &'static str, text: &str) -> Reply {
    Reply::Answer(status, "application/json", text.as_bytes().to_vec())
}

#[test]
fn a_server_must_be_named() {
    assert_snapshot!(refused("nowhere", &[]), @"error: -c:1:1: cannot use `models:/churn/1`: MLFLOW_TRACKING_URI is not set; set it to the address of the MLflow server, such as http://127.0.0.1:5000");
    assert_snapshot!(refused("sqlite:///mlflow.db", &[("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")]), @"error: -c:1:1: cannot use `models:/churn/1`: MLFLOW_TRACKING_URI names a store of the kind `sqlite`, and foretell asks a server over http or https; start a server, `mlflow server --backend-store-uri <what it is now>`, and set the variable to its address, such as http://127.0.0.1:5000; a model's directory can be given by its path");
}

#[test]
fn a_server_that_is_not_there_is_an_error_with_a_cure() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let server = format!("http://{}", listener.local_addr().expect("the port is known"));
    drop(listener);
    let error = refused(&server, &[("MLFLOW_TRACKING_URI", &server)]);
    // The rest is what the system says.
    assert_snapshot!(error.lines().next().unwrap_or_default(), @"error: -c:1:1: cannot use `models:/churn/1`: the MLflow server `<server>` cannot be reached; check that it runs and that MLFLOW_TRACKING_URI is its address");
}

#[test]
fn a_server_that_does_not_answer_as_mlflow_does_is_an_error() {
    assert_snapshot!(replied(|_| Reply::Silence), @"error: -c:1:1: cannot use `models:/churn/1`: the MLflow server `<server>` did not answer in 0.5 seconds; MLFLOW_HTTP_REQUEST_TIMEOUT sets how long to wait");
    assert_snapshot!(replied(|_| Reply::Endless), @"error: -c:1:1: cannot use `models:/churn/1`: `/api/2.0/mlflow/model-versions/get-download-uri` has more than 4194304 bytes");
    assert_snapshot!(replied(|_| Reply::not_found()), @"error: -c:1:1: cannot use `models:/churn/1`: `<server>` did not answer as an MLflow server does: it knows no such page; check that MLFLOW_TRACKING_URI is the address of one");
    assert_snapshot!(replied(|_| json("200 OK", "<html>Hello</html>")), @"error: -c:1:1: cannot use `models:/churn/1`: `<server>` did not answer as an MLflow server does: the answer to /api/2.0/mlflow/model-versions/get-download-uri is wrong: expected value at line 1 column 1; check that MLFLOW_TRACKING_URI is the address of one");
    assert_snapshot!(replied(|_| json("200 OK", r#"{"artifact_uri": 5}"#)), @"error: -c:1:1: cannot use `models:/churn/1`: `<server>` did not answer as an MLflow server does: the answer to /api/2.0/mlflow/model-versions/get-download-uri is wrong: invalid type: integer `5`, expected a string at line 1 column 18; check that MLFLOW_TRACKING_URI is the address of one");
    assert_snapshot!(replied(|_| json("500 Internal Server Error", "oops")), @"error: -c:1:1: cannot use `models:/churn/1`: the MLflow server `<server>` answered with status 500");
    let rude = r#"{"error_code": "INTERNAL_ERROR", "message": "\u001b[31mred\u0000\nand more"}"#;
    assert_snapshot!(replied(move |_| json("500 Internal Server Error", rude)), @"error: -c:1:1: cannot use `models:/churn/1`: the MLflow server `<server>` answered with status 500: [31mred  and more");
    let garbage = replied(|_| Reply::Raw(b"\x00\x01\x02 nonsense\r\n\r\n"));
    assert_snapshot!(garbage.lines().next().unwrap_or_default(), @"error: -c:1:1: cannot use `models:/churn/1`: the MLflow server `<server>` cannot be reached; check that it runs and that MLFLOW_TRACKING_URI is its address");
}

#[test]
fn who_asks_is_told_to_the_server_and_to_no_other() {
    let login = r#"{"error_code": "UNAUTHENTICATED", "message": "You are not authenticated."}"#;
    let server = serve(move |question| match question.authorization.as_str() {
        "Basic bWU6c2VjcmV0" => {
            json("403 Forbidden", r#"{"error_code": "PERMISSION_DENIED", "message": "Not yours."}"#)
        }
        "Bearer t0ken" => json("200 OK", r#"{"artifact_uri": "mlflow-artifacts:/1/m"}"#),
        _ => json("401 Unauthorized", login),
    });
    let at_server = ("MLFLOW_TRACKING_URI", server.as_str());
    assert_snapshot!(refused(&server, &[at_server]), @"error: -c:1:1: cannot use `models:/churn/1`: the MLflow server `<server>` refuses access (401): You are not authenticated; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN");
    let user = [("MLFLOW_TRACKING_USERNAME", "me"), ("MLFLOW_TRACKING_PASSWORD", "secret")];
    assert_snapshot!(refused(&server, &[at_server, user[0], user[1]]), @"error: -c:1:1: cannot use `models:/churn/1`: the MLflow server `<server>` refuses access (403): Not yours; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN");
    let in_address = server.replace("http://", "http://me:secret@");
    assert!(refused(&server, &[("MLFLOW_TRACKING_URI", &in_address)]).contains("Not yours"));

    let elsewhere = serve(|question| {
        let text = format!(r#"{{"error_code": "NOT_FOUND", "message": "asked by [{}]"}}"#, question.authorization);
        json("404 Not Found", &text)
    });
    let artifacts = elsewhere.replace("http://", "mlflow-artifacts://");
    let server = serve(move |_| json("200 OK", &format!(r#"{{"artifact_uri": "{artifacts}/1/m"}}"#)));
    let error = refused(&server, &[("MLFLOW_TRACKING_URI", &server), ("MLFLOW_TRACKING_TOKEN", "t0ken")]);
    assert_snapshot!(error.replace(&elsewhere, "<elsewhere>"), @"error: -c:1:1: cannot use `models:/churn/1`: there is no `MLmodel` in `<elsewhere>/api/2.0/mlflow-artifacts/artifacts/1/m`: asked by []");
}

#[test]
fn artifacts_that_cannot_be_read_are_an_error() {
    let at = |uri: &'static str| replied(move |_| json("200 OK", &format!(r#"{{"artifact_uri": "{uri}"}}"#)));
    assert_snapshot!(at("dbfs:/models/churn"), @"error: -c:1:1: cannot use `models:/churn/1`: `dbfs:/models/churn` is no address of a model: the server keeps the model in a store of the kind `dbfs`, which foretell does not read; start the server with `--serve-artifacts`, or copy the model's directory and give its path");
    assert_snapshot!(at("file:///no/such/place"), @"error: -c:1:1: cannot use `models:/churn/1`: there is no `MLmodel` in `/no/such/place`");
    assert_snapshot!(at("models:/churn/1"), @"error: -c:1:1: cannot use `models:/churn/1`: `models:/churn/1` is no address of a model: it leads from one address to the next and to no files");
    assert_snapshot!(at("nonsense"), @"error: -c:1:1: cannot use `models:/churn/1`: `nonsense` is no address of a model: relative URL without a base; it is where the server keeps the model");
    let files = |reply: fn() -> Reply| {
        replied(move |question| match question.page.contains("mlflow-artifacts") {
            true => reply(),
            false => json("200 OK", r#"{"artifact_uri": "mlflow-artifacts:/1/m"}"#),
        })
    };
    assert_snapshot!(files(|| Reply::Silence), @"error: -c:1:1: cannot use `models:/churn/1`: the MLflow server `<server>/api/2.0/mlflow-artifacts/artifacts/1/m` did not answer in 0.5 seconds; MLFLOW_HTTP_REQUEST_TIMEOUT sets how long to wait");
    assert_snapshot!(files(|| Reply::Endless), @"error: -c:1:1: cannot use `models:/churn/1`: `MLmodel` has more than 16777216 bytes");
    assert_snapshot!(files(|| json("404 Not Found", r#"{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No such artifact"}"#)), @"error: -c:1:1: cannot use `models:/churn/1`: there is no `MLmodel` in `<server>/api/2.0/mlflow-artifacts/artifacts/1/m`: No such artifact");
    assert_snapshot!(files(|| json("200 OK", "{}")), @"error: -c:1:1: cannot use `models:/churn/1`: `MLmodel` cannot be read: it has no `flavors`, so it does not say what the model is");
}
