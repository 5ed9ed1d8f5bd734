//! Addresses that a tracking server resolves. It answers what a real one answered to the same questions, and nothing else.

use std::sync::Arc;

use insta::assert_snapshot;
use serde_json::Value;

use super::{agreement, fixture, run};
use crate::server::{Question, Reply, serve};
use crate::util::Sandbox;

/// What a real server was asked, and what it answered.
struct Recording {
    version: u32,
    facts: Value,
}

impl Recording {
    fn of(version: u32) -> Arc<Self> {
        let text = std::fs::read_to_string(fixture(version, "exchanges.json")).expect("the recording is there");
        Arc::new(Self { version, facts: serde_json::from_str(&text).expect("JSON") })
    }

    fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().expect("a fact")
    }

    /// The recorded answer to a question; one that was never asked is a fault of this test's subject.
    fn reply(&self, question: &Question) -> Reply {
        let asked: Option<Value> = serde_json::from_slice(&question.body).ok();
        let exchanges = self.facts["exchanges"].as_array().expect("a list");
        let known = exchanges.iter().find(|exchange| {
            exchange["method"] == *question.method
                && exchange["page"] == *question.page
                && exchange["question"] == asked.clone().unwrap_or(Value::Null)
        });
        let Some(known) = known else {
            return Reply::Answer("418 Never recorded", "text/plain", format!("{question:?}").into_bytes());
        };
        let status = match known["status"].as_u64() {
            Some(200) => "200 OK",
            Some(400) => "400 Bad Request",
            Some(404) => "404 Not Found",
            Some(405) => "405 Method Not Allowed",
            other => panic!("a status that no test needs: {other:?}"),
        };
        let body = match (&known["file"], &known["text"]) {
            (Value::String(file), _) => std::fs::read(fixture(self.version, file)).expect("the file is there"),
            (_, Value::String(text)) => text.clone().into_bytes(),
            _ => known["answer"].to_string().into_bytes(),
        };
        let content_type = if known["type"] == "application/json" { "application/json" } else { "text/plain" };
        Reply::Answer(status, content_type, body)
    }
}

/// Serves the recording of one version; gives the address, too.
fn recorded(version: u32) -> (Arc<Recording>, String) {
    let recording = Recording::of(version);
    let served = Arc::clone(&recording);
    (recording, serve(move |question| served.reply(question)))
}

/// What is printed when `m` is created from `uri` and answers the rows of the fixture `name`.
fn created(version: u32, server: &str, uri: &str, name: &str) -> String {
    let statements = [format!("CREATE MODEL m FROM '{uri}'"), agreement(version, name)];
    run(&Sandbox::new(), &statements, &[("MLFLOW_TRACKING_URI", server)]).output()
}

#[test]
fn versions_aliases_and_stages_are_found() {
    for version in [2, 3] {
        let (_, server) = recorded(version);
        for (uri, name) in [
            ("models:/iris flowers/1", "iris_onnx"),
            ("models:/iris flowers/2", "mixed_onnx"),
            ("models:/iris flowers@champion", "iris_onnx"),
            ("models:/iris flowers/latest", "mixed_onnx"),
            ("models:/iris flowers/Production", "mixed_onnx"),
        ] {
            assert_eq!(created(version, &server, uri, name), "rows,agreeing\n24,24\n", "{uri} of MLflow {version}");
        }
    }
}

#[test]
fn logged_models_and_models_of_runs_are_found() {
    for version in [2, 3] {
        let (recording, server) = recorded(version);
        let run = format!("runs:/{}/iris_onnx", recording.fact("run_id"));
        assert_eq!(created(version, &server, &run, "iris_onnx"), "rows,agreeing\n24,24\n");
    }
    let (recording, server) = recorded(3);
    let logged = format!("models:/{}", recording.fact("model_id"));
    assert_eq!(created(3, &server, &logged, "iris_onnx"), "rows,agreeing\n24,24\n");
}

#[test]
fn an_alias_is_shown_with_the_version_it_meant_and_the_model_stays() {
    let (_, server) = recorded(3);
    let sandbox = Sandbox::new();
    let create = ["CREATE MODEL iris FROM 'models:/iris flowers@champion'".to_owned()];
    let database = ["db", "--format", "csv", "-c"].map(str::to_owned);
    let arguments = database.iter().chain(&create);
    sandbox.run_with_variables(arguments, &[("MLFLOW_TRACKING_URI", server.as_str())]).output();
    // The server is not asked again.
    let shown = sandbox.run_with_variables(["db", "--format", "csv", "-c", "SHOW MODELS"], &[]).output();
    assert_snapshot!(shown.replace(&server, "<server>"), @"name,task,prediction,features,backend,format,source,temporary,status
iris,multiclass classification,Utf8,4,native,ONNX,models:/iris flowers@champion (models:/iris flowers/1 at <server>),false,ready");
    let described = sandbox.run_with_variables(["db", "--format", "csv", "-c", "DESCRIBE MODEL iris"], &[]).output();
    let resolved: Vec<&str> =
        described.lines().filter(|line| line.contains(":/") || line.contains("sepal l")).collect();
    assert_snapshot!(resolved.join("\n").replace(&server, "<server>"), @"feature,sepal length (cm),Float32,null
fact,source,models:/iris flowers@champion,
fact,resolved,models:/iris flowers/1 at <server>,");
}

#[test]
fn what_the_server_does_not_have_is_named() {
    let (recording, server) = recorded(3);
    let refused = |uri: &str| {
        let statements = [format!("CREATE MODEL m FROM '{uri}'")];
        let error = run(&Sandbox::new(), &statements, &[("MLFLOW_TRACKING_URI", server.as_str())]).error(1);
        error.replace(&server, "<server>").replace(recording.fact("run_id"), "<run>")
    };
    assert_snapshot!(refused("models:/iris flowers/9"), @"error: -c:1:1: cannot use `models:/iris flowers/9`: the MLflow server `<server>` does not have it: Model Version (name=iris flowers, version=9) not found; check the address, and that MLFLOW_TRACKING_URI is the right server");
    assert_snapshot!(refused("models:/iris flowers@nobody"), @"error: -c:1:1: cannot use `models:/iris flowers@nobody`: the MLflow server `<server>` does not have it: Registered model alias nobody not found; check the address, and that MLFLOW_TRACKING_URI is the right server");
    assert_snapshot!(refused("models:/iris flowers/Staging"), @"error: -c:1:1: cannot use `models:/iris flowers/Staging`: the MLflow server `<server>` does not have it: the registered model `iris flowers` has no version in the stage `Staging`; check the address, and that MLFLOW_TRACKING_URI is the right server");
    assert_snapshot!(refused("models:/iris flowers/Nowhere"), @"error: -c:1:1: cannot use `models:/iris flowers/Nowhere`: the MLflow server `<server>` does not have it: Invalid Model Version stage: Nowhere. Value must be one of None, Staging, Production, Archived; check the address, and that MLFLOW_TRACKING_URI is the right server");
    assert_snapshot!(refused("models:/nothing/1"), @"error: -c:1:1: cannot use `models:/nothing/1`: the MLflow server `<server>` does not have it: Model Version (name=nothing, version=1) not found; check the address, and that MLFLOW_TRACKING_URI is the right server");
    assert_snapshot!(refused("models:/nothing@champion"), @"error: -c:1:1: cannot use `models:/nothing@champion`: the MLflow server `<server>` does not have it: Registered Model with name=nothing not found; check the address, and that MLFLOW_TRACKING_URI is the right server");
    assert_snapshot!(refused("models:/nothing/latest"), @"error: -c:1:1: cannot use `models:/nothing/latest`: the MLflow server `<server>` does not have it: Registered Model with name=nothing not found; check the address, and that MLFLOW_TRACKING_URI is the right server");
    assert_snapshot!(refused("models:/m-00000000000000000000000000000000"), @"error: -c:1:1: cannot use `models:/m-00000000000000000000000000000000`: the MLflow server `<server>` does not have it: Logged model with ID 'm-00000000000000000000000000000000' not found; check the address, and that MLFLOW_TRACKING_URI is the right server");
    assert_snapshot!(refused("models:/iris flowers"), @"error: -c:1:1: `models:/iris flowers` is no address of a model: it says no version; write models:/iris flowers/latest, models:/iris flowers/<version> or models:/iris flowers@<alias>");
    assert_snapshot!(refused("runs:/00000000000000000000000000000000/model"), @"error: -c:1:1: cannot use `runs:/00000000000000000000000000000000/model`: the MLflow server `<server>` does not have it: Run with id=00000000000000000000000000000000 not found; check the address, and that MLFLOW_TRACKING_URI is the right server");
    assert_snapshot!(refused(&format!("runs:/{}/something_else", recording.fact("run_id"))), @"error: -c:1:1: cannot use `runs:/<run>/something_else`: there is no `MLmodel` in `<server>/api/2.0/mlflow-artifacts/artifacts/0/<run>/artifacts/something_else`: No such artifact: '0/<run>/artifacts/something_else/MLmodel'");
}
