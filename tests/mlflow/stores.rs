//! Models that a tracking server keeps in an object store: S3, Google's and Azure's, each as a small server in this process.

use super::{agreement, fixture, run};
use crate::server::{Question, Reply, serve};
use crate::util::Sandbox;

/// A store with the model `iris_onnx` in the folder `some/folder` of the bucket `models`.
fn store() -> String {
    serve(|question| {
        // Google's clients encode whatever is no letter or digit.
        let page = question.page.replace("%2F", "/").replace("%2E", ".").replace("%5F", "_");
        let file = page.split_once("/models/some/folder/").map(|(_, file)| file.to_owned());
        match file.and_then(|file| std::fs::read(fixture(3, &format!("models/iris_onnx/{file}"))).ok()) {
            Some(bytes) => Reply::Answer("200 OK", "application/octet-stream", bytes),
            None => Reply::not_found(),
        }
    })
}

/// A tracking server that says that the model is there.
fn tracking(place: &'static str) -> String {
    serve(move |_: &Question| {
        let text = format!(r#"{{"artifact_uri": "{place}"}}"#);
        Reply::Answer("200 OK", "application/json", text.into_bytes())
    })
}

/// Creates the model from the tracking server and from the address in the store, and lets it answer.
fn check(place: &'static str, plain: &str, sandbox: &Sandbox, variables: &[(&str, &str)]) {
    let server = tracking(place);
    for uri in ["models:/iris/1", plain] {
        let statements = [format!("CREATE MODEL m FROM '{uri}'"), agreement(3, "iris_onnx")];
        let variables = [variables, &[("MLFLOW_TRACKING_URI", server.as_str())]].concat();
        assert_eq!(run(sandbox, &statements, &variables).output(), "rows,agreeing\n24,24\n", "{uri}");
    }
}

const USER: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")];

#[test]
fn s3() {
    let store = store();
    let variables = [USER[0], USER[1], ("AWS_ENDPOINT", &store), ("AWS_ALLOW_HTTP", "true")];
    check("s3://models/some/folder", "s3://models/some/folder/", &Sandbox::new(), &variables);
}

#[test]
fn s3_where_mlflows_clients_look() {
    let (store, server) = (store(), tracking("s3://models/some/folder"));
    let statements = ["CREATE MODEL m FROM 'models:/iris/1'".to_owned(), agreement(3, "iris_onnx")];
    let variables = [USER[0], USER[1], ("MLFLOW_S3_ENDPOINT_URL", &store), ("MLFLOW_TRACKING_URI", &server)];
    assert_eq!(run(&Sandbox::new(), &statements, &variables).output(), "rows,agreeing\n24,24\n");
}

#[test]
fn google() {
    let sandbox = Sandbox::new();
    let account = format!(
        r#"{{"gcs_base_url": "{}", "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}}"#,
        store()
    );
    sandbox.write("account.json", &account);
    let path = sandbox.path("account.json").display().to_string();
    check("gs://models/some/folder", "gs://models/some/folder/", &sandbox, &[("GOOGLE_SERVICE_ACCOUNT", &path)]);
}

#[test]
fn azure() {
    let store = store();
    let variables = [("AZURE_STORAGE_USE_EMULATOR", "true"), ("AZURITE_BLOB_STORAGE_URL", &store)];
    let place = "wasbs://models@devstoreaccount1.blob.core.windows.net/some/folder";
    check(place, "az://models/some/folder/", &Sandbox::new(), &variables);
}
