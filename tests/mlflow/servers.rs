//! Servers that are not there, do not let us in, or do not answer as MLflow does.

use std::sync::{Arc, Mutex};

use insta::assert_snapshot;

use super::run;
use crate::server::{Question, Reply, serve};
use crate::util::Sandbox;

/// The error of a `CREATE MODEL` with these variables; `server` in it is written as `<server>`.
fn refused(server: &str, variables: &[(&str, &str)]) -> String {
    let statements = ["CREATE MODEL m FROM 'models:/churn/1'".to_owned()];
    run(&Sandbox::new(), &statements, variables).error(1).replace(server, "<server>")
}

/// The error when the server replies so, and nobody waits long for it.
fn replied_late(reply: impl Fn(&Question) -> Reply + Send + Sync + 'static) -> String {
    let server = serve(reply);
    refused(&server, &[("MLFLOW_TRACKING_URI", &server), ("MLFLOW_HTTP_REQUEST_TIMEOUT", "0.5")])
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
    assert_snapshot!(replied_late(|_| Reply::Silence), @"error: -c:1:1: cannot use `models:/churn/1`: the MLflow server `<server>` did not answer in 0.5 seconds; MLFLOW_HTTP_REQUEST_TIMEOUT sets how long to wait");
    assert_snapshot!(replied(|_| Reply::Endless), @"error: -c:1:1: cannot use `models:/churn/1`: `<server>/api/2.0/mlflow/model-versions/get-download-uri` has more than 4194304 bytes; that is more than an MLflow server says; check that MLFLOW_TRACKING_URI is the address of one");
    assert_snapshot!(without_count(&replied_late(|_| Reply::Trickle)), @"error: -c:1:1: cannot use `models:/churn/1`: the MLflow server sends `<server>/api/2.0/mlflow/model-versions/get-download-uri` at less than 8192 bytes a second, <some> bytes so far; try again later, or copy the model's directory and give its path; MLFLOW_HTTP_REQUEST_TIMEOUT sets how long to wait in any case");
    assert_snapshot!(replied(|_| Reply::not_found()), @"error: -c:1:1: cannot use `models:/churn/1`: `<server>` did not answer as an MLflow server does: it knows no such page; check that MLFLOW_TRACKING_URI is the address of one");
    assert_snapshot!(replied(|_| json("200 OK", "<html>Hello</html>")), @"error: -c:1:1: cannot use `models:/churn/1`: `<server>` did not answer as an MLflow server does: the answer to /api/2.0/mlflow/model-versions/get-download-uri is wrong: expected value at line 1 column 1; check that MLFLOW_TRACKING_URI is the address of one");
    assert_snapshot!(replied(|_| json("200 OK", r#"{"artifact_uri": 5}"#)), @"error: -c:1:1: cannot use `models:/churn/1`: `<server>` did not answer as an MLflow server does: the answer to /api/2.0/mlflow/model-versions/get-download-uri is wrong: invalid type: integer `5`, expected a string at line 1 column 18; check that MLFLOW_TRACKING_URI is the address of one");
    assert_snapshot!(replied(|_| json("500 Internal Server Error", "oops")), @"error: -c:1:1: cannot use `models:/churn/1`: the MLflow server `<server>` answered with status 500; try again later, or see the server's log");
    let rude = r#"{"error_code": "INTERNAL_ERROR", "message": "\u001b[31mred\u0000\nand more"}"#;
    assert_snapshot!(replied(move |_| json("500 Internal Server Error", rude)), @"error: -c:1:1: cannot use `models:/churn/1`: the MLflow server `<server>` answered with status 500: [31mred  and more; try again later, or see the server's log");
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
    assert_snapshot!(refused(&server, &[at_server, user[0], user[1]]), @"error: -c:1:1: cannot use `models:/churn/1`: the MLflow server `<server>` refuses access (403): Not yours; ask for the permission to read it, or set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN");
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

/// How many bytes came by then is a matter of time.
fn without_count(error: &str) -> String {
    let words = error
        .split(' ')
        .map(|word| if word.parse::<usize>().is_ok_and(|count| count < 1000) { "<some>" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// A server that remembers what it is asked, as page and who asks, and says that there is nothing.
fn elsewhere() -> (String, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let memory = Arc::clone(&asked);
    let server = serve(move |question| {
        memory.lock().expect("no test panics here").push(format!("{} [{}]", question.page, question.authorization));
        json("404 Not Found", r#"{"error_code": "NOT_FOUND", "message": "Not here either."}"#)
    });
    (server, asked)
}

#[test]
fn a_question_goes_to_no_other_server() {
    let (other, asked) = elsewhere();
    let place = format!("{other}/login?ticket=secret");
    let statuses =
        ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"];
    let errors = statuses.map(|status| {
        let place = place.clone();
        let server = serve(move |_| Reply::Redirect(status, place.clone()));
        let error = refused(&server, &[("MLFLOW_TRACKING_URI", &server), ("MLFLOW_TRACKING_TOKEN", "t0ken")]);
        error.replace(&other, "<other>")
    });
    assert!(errors.iter().all(|error| *error == errors[0]), "{errors:?}");
    assert_snapshot!(errors[0], @"error: -c:1:1: cannot use `models:/churn/1`: the MLflow server `<server>` sends us on to another server, `<other>/login`, which is not told who asks; if that is where MLflow is, set MLFLOW_TRACKING_URI to its address; if it is where people log in, set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN");
    assert_eq!(*asked.lock().expect("no test panics here"), [""; 0]);
}

#[test]
fn files_may_be_on_another_server_which_is_not_told_who_asks() {
    let (other, asked) = elsewhere();
    let place = format!("{}/store/MLmodel?ticket=1", other.replace("http://", "http://me:secret@"));
    let server = serve(move |question| match question.page.contains("mlflow-artifacts") {
        true => Reply::Redirect("307 Temporary Redirect", place.clone()),
        false => json("200 OK", r#"{"artifact_uri": "mlflow-artifacts:/1/m"}"#),
    });
    let error = refused(&server, &[("MLFLOW_TRACKING_URI", &server), ("MLFLOW_TRACKING_TOKEN", "t0ken")]);
    assert_snapshot!(error.replace(&other, "<other>"), @"error: -c:1:1: cannot use `models:/churn/1`: there is no `MLmodel` in `<server>/api/2.0/mlflow-artifacts/artifacts/1/m`: Not here either");
    assert_eq!(*asked.lock().expect("no test panics here"), ["/store/MLmodel?ticket=1 []"]);
}

#[test]
fn a_server_may_send_us_on_to_itself_but_not_for_ever() {
    let server = serve(|question| match question.page.starts_with("/api/") {
        true => Reply::Redirect("308 Permanent Redirect", format!("/new{}", question.page)),
        false => {
            let who = question.authorization == "Bearer t0ken";
            json("404 Not Found", &format!(r#"{{"error_code": "NOT_FOUND", "message": "told who asks: {who}"}}"#))
        }
    });
    let error = refused(&server, &[("MLFLOW_TRACKING_URI", &server), ("MLFLOW_TRACKING_TOKEN", "t0ken")]);
    assert_snapshot!(error, @"error: -c:1:1: cannot use `models:/churn/1`: the MLflow server `<server>` does not have it: told who asks: true; check the address, and that MLFLOW_TRACKING_URI is the right server");
    assert_snapshot!(replied(|question| Reply::Redirect("302 Found", format!("/again{}", question.page))), @"error: -c:1:1: cannot use `models:/churn/1`: `<server>` did not answer as an MLflow server does: it sends us on more than 5 times, at last to <server>/again/again/again/again/again/again/api/2.0/mlflow/model-versions/get-download-uri; check that MLFLOW_TRACKING_URI is the address of one");
    assert_snapshot!(replied(|_| Reply::Redirect("302 Found", "javascript:alert(1)".to_owned())), @"error: -c:1:1: cannot use `models:/churn/1`: `<server>` did not answer as an MLflow server does: it sends us on (302) to `javascript:alert(1)`, which is no address of a server; check that MLFLOW_TRACKING_URI is the address of one");
    assert_snapshot!(replied(|_| Reply::Redirect("302 Found", String::new())), @"error: -c:1:1: cannot use `models:/churn/1`: `<server>` did not answer as an MLflow server does: it sends us on (302) to ``, which is no address of a server; check that MLFLOW_TRACKING_URI is the address of one");
}

#[test]
fn paths_of_a_server_do_not_leave_its_artifacts() {
    let pages = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&pages);
    replied(move |question| {
        asked.lock().expect("no test panics here").push(question.page.clone());
        json("200 OK", r#"{"artifact_uri": "mlflow-artifacts:/1/../../%2e%2e/..\\secret"}"#)
    });
    let pages = pages.lock().expect("no test panics here");
    assert_snapshot!(pages.join("\n"), @"/api/2.0/mlflow/model-versions/get-download-uri?name=churn&version=1
/api/2.0/mlflow-artifacts/artifacts/1/%252e%252e/..%5Csecret/MLmodel");
}

#[test]
fn a_search_with_more_and_more_pages_is_asked_once() {
    let pages = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&pages);
    let server = serve(move |question| {
        asked.lock().expect("no test panics here").push(question.page.clone());
        match question.method.as_str() {
            "POST" => json("200 OK", r#"{"models": [], "next_page_token": "more"}"#),
            _ if question.page.contains("mlflow-artifacts") => Reply::not_found(),
            _ => {
                json("200 OK", r#"{"run": {"info": {"artifact_uri": "mlflow-artifacts:/1/r", "experiment_id": "1"}}}"#)
            }
        }
    });
    let statements = ["CREATE MODEL m FROM 'runs:/abc/model'".to_owned()];
    let error = run(&Sandbox::new(), &statements, &[("MLFLOW_TRACKING_URI", &server)]).error(1);
    assert_snapshot!(error.replace(&server, "<server>"), @"error: -c:1:1: cannot use `runs:/abc/model`: there is no `MLmodel` in `<server>/api/2.0/mlflow-artifacts/artifacts/1/r/model`");
    assert_snapshot!(pages.lock().expect("no test panics here").join("\n"), @"/api/2.0/mlflow/runs/get?run_id=abc
/api/2.0/mlflow/logged-models/search
/api/2.0/mlflow-artifacts/artifacts/1/r/model/MLmodel");
}

#[test]
fn a_server_without_logged_models_is_an_old_one_or_none() {
    let logged = |reply: fn(&Question) -> Reply| {
        let server = serve(reply);
        let statements = ["CREATE MODEL m FROM 'models:/m-0123456789abcdef0123456789abcdef'".to_owned()];
        run(&Sandbox::new(), &statements, &[("MLFLOW_TRACKING_URI", &server)]).error(1).replace(&server, "<server>")
    };
    let old = logged(|question| match question.page.starts_with("/api/2.0/mlflow/experiments/get?") {
        true => json("200 OK", r#"{"experiment": {"experiment_id": "0", "name": "Default"}}"#),
        false => Reply::not_found(),
    });
    assert_snapshot!(old, @"error: -c:1:1: cannot use `models:/m-0123456789abcdef0123456789abcdef`: the MLflow server `<server>` does not have it: it has no page for logged models, which came with MLflow 3; check the address, and that MLFLOW_TRACKING_URI is the right server");
    assert_snapshot!(logged(|_| Reply::not_found()), @"error: -c:1:1: cannot use `models:/m-0123456789abcdef0123456789abcdef`: `<server>` did not answer as an MLflow server does: it knows no such page; check that MLFLOW_TRACKING_URI is the address of one");
    assert_snapshot!(logged(|_| json("200 OK", "{}")), @"error: -c:1:1: cannot use `models:/m-0123456789abcdef0123456789abcdef`: `<server>` did not answer as an MLflow server does: the answer to /api/2.0/mlflow/logged-models/m-0123456789abcdef0123456789abcdef is wrong: missing field `model` at line 1 column 2; check that MLFLOW_TRACKING_URI is the address of one");
}

#[test]
fn artifacts_that_cannot_be_read_are_an_error() {
    let at = |uri: &'static str| replied(move |_| json("200 OK", &format!(r#"{{"artifact_uri": "{uri}"}}"#)));
    assert_snapshot!(at("dbfs:/models/churn"), @"error: -c:1:1: cannot use `models:/churn/1`: `dbfs:/models/churn` is no address of a model: the server keeps the model in a store of the kind `dbfs`, which foretell does not read; start the server with `--serve-artifacts`, or copy the model's directory and give its path");
    assert_snapshot!(at("file:///no/such/place"), @"error: -c:1:1: cannot use `models:/churn/1`: the server keeps the model in the folder `/no/such/place`, which is not on this machine; start the server with `--artifacts-destination` instead of `--no-serve-artifacts`, or mount the folder here");
    assert_snapshot!(at("models:/churn/1"), @"error: -c:1:1: cannot use `models:/churn/1`: `models:/churn/1` is no address of a model: it leads from one address to the next and to no files");
    assert_snapshot!(at("nonsense"), @"error: -c:1:1: cannot use `models:/churn/1`: `nonsense` is no address of a model: relative URL without a base; it is where the server keeps the model");
    let with_files = |reply: fn() -> Reply| {
        move |question: &Question| match question.page.contains("mlflow-artifacts") {
            true => reply(),
            false => json("200 OK", r#"{"artifact_uri": "mlflow-artifacts:/1/m"}"#),
        }
    };
    let files = |reply: fn() -> Reply| replied(with_files(reply));
    assert_snapshot!(replied_late(with_files(|| Reply::Silence)), @"error: -c:1:1: cannot use `models:/churn/1`: the MLflow server `<server>/api/2.0/mlflow-artifacts/artifacts/1/m` did not answer in 0.5 seconds; MLFLOW_HTTP_REQUEST_TIMEOUT sets how long to wait");
    assert_snapshot!(without_count(&replied_late(with_files(|| Reply::Trickle))), @"error: -c:1:1: cannot use `models:/churn/1`: the MLflow server sends `<server>/api/2.0/mlflow-artifacts/artifacts/1/m/MLmodel` at less than 8192 bytes a second, <some> bytes so far; try again later, or copy the model's directory and give its path; MLFLOW_HTTP_REQUEST_TIMEOUT sets how long to wait in any case");
    assert_snapshot!(files(|| Reply::Endless), @"error: -c:1:1: cannot use `models:/churn/1`: `<server>/api/2.0/mlflow-artifacts/artifacts/1/m/MLmodel` has more than 16777216 bytes; that is more than MLflow writes there; check that the address is that of a model");
    assert_snapshot!(files(|| json("404 Not Found", r#"{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No such artifact"}"#)), @"error: -c:1:1: cannot use `models:/churn/1`: there is no `MLmodel` in `<server>/api/2.0/mlflow-artifacts/artifacts/1/m`: No such artifact");
    assert_snapshot!(files(Reply::not_found), @"error: -c:1:1: cannot use `models:/churn/1`: there is no `MLmodel` in `<server>/api/2.0/mlflow-artifacts/artifacts/1/m`");
    assert_snapshot!(files(|| json("200 OK", "{}")), @"error: -c:1:1: cannot use `models:/churn/1`: `MLmodel` cannot be read: it has no `flavors`, so it does not say what the model is");
}
