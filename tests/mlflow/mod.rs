//! Models that MLflow keeps: directories, and what a tracking server tells about them. The directories and the server's
//! answers are those of real servers; `tests/fixtures/mlflow` has them with the program that got them.

mod directories;
mod external;
mod flavors;
mod registry;
mod servers;
mod stores;

use std::path::PathBuf;

use crate::util::{Answer, Sandbox, repository};

/// A file or folder among the fixtures of one version of MLflow.
fn fixture(version: u32, path: &str) -> PathBuf {
    repository().join(format!("tests/fixtures/mlflow/mlflow{version}")).join(path)
}

/// Copies the directory of a model into the sandbox.
fn copy_model(sandbox: &Sandbox, name: &str) {
    let to = sandbox.path(name);
    std::fs::create_dir(&to).expect("a folder");
    for file in std::fs::read_dir(fixture(3, &format!("models/{name}"))).expect("the model is there").flatten() {
        std::fs::copy(file.path(), to.join(file.file_name())).expect("the file is copied");
    }
}

/// Runs these statements, with these variables instead of those of MLflow in our own environment.
fn run(sandbox: &Sandbox, statements: &[String], variables: &[(&str, &str)]) -> Answer {
    let arguments = ["--format", "csv"].map(str::to_owned).into_iter();
    let statements = statements.iter().flat_map(|statement| ["-c".to_owned(), statement.clone()]);
    sandbox.run_with_variables(arguments.chain(statements), variables)
}

/// How many rows the fixture `name` has, and for how many of them `predict` answers what is expected.
fn agreement(version: u32, name: &str) -> String {
    let table = fixture(version, &format!("tables/{name}.parquet"));
    format!(
        "SELECT count(*) AS rows, sum(CASE WHEN answer = expected THEN 1 ELSE 0 END) AS agreeing \
         FROM (SELECT predict('m', *) AS answer, expected FROM '{}')",
        table.display()
    )
}
