//! Every model directory among the fixtures: those with a table of answers answer so, the others are refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use foretell_testing::counts;

use super::{fixture, run};
use crate::util::Sandbox;

/// The flavors that are read, as `MLmodel` files name them.
const FLAVORS: [&str; 4] = ["onnx", "xgboost", "lightgbm", "catboost"];

#[test]
fn every_directory_answers_as_its_library_does_or_is_refused() {
    let mut good: BTreeMap<String, usize> = BTreeMap::new();
    let (mut refused, mut failures) = (0, Vec::new());
    for version in [2, 3] {
        for name in models(version) {
            match (ask(version, &name), has_answers(version, &name)) {
                (Ok(rows), true) if rows == "rows,agreeing\n24,24\n" => {
                    *good.entry(kind(version, &name)).or_default() += 1;
                }
                (Err(_), false) => refused += 1,
                (Ok(said) | Err(said), _) => failures.push(format!("{name} of MLflow {version}: {said}")),
            }
        }
    }
    let mut lines: Vec<(String, String)> = good.into_iter().map(|(kind, count)| (kind, count.to_string())).collect();
    lines.push(("refused, with what to do instead".to_string(), refused.to_string()));
    lines.push(("wrong".to_string(), failures.len().to_string()));
    counts::report("MLflow directories", "directories", &lines);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The names of all model directories.
fn models(version: u32) -> Vec<String> {
    let entries = fs::read_dir(fixture(version, "models")).expect("the models are there");
    let names = entries.map(|entry| entry.expect("a readable folder").file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().expect("a name in UTF-8")).collect();
    names.sort();
    names
}

fn has_answers(version: u32, name: &str) -> bool {
    fixture(version, &format!("tables/{name}.parquet")).exists()
}

/// How many rows there are and how many are answered as expected, as CSV, or why the model is refused.
fn ask(version: u32, name: &str) -> Result<String, String> {
    let model = fixture(version, &format!("models/{name}"));
    let table = fixture(version, &format!("tables/{name}.parquet"));
    let create = format!("CREATE MODEL m FROM '{}'", model.display());
    let compare = format!(
        "SELECT count(*) AS rows, sum(CASE WHEN answer = expected OR abs(try_cast(answer AS DOUBLE) - number) <= 1e-5 * abs(number) \
         THEN 1 ELSE 0 END) AS agreeing \
         FROM (SELECT predict('m', *) AS answer, expected, try_cast(expected AS DOUBLE) AS number FROM '{}')",
        table.display()
    );
    let answer = run(&Sandbox::new(), &[create, compare], &[]);
    match answer.code {
        Some(0) => Ok(answer.stdout),
        _ => Err(answer.error(1)),
    }
}

/// What a directory keeps, in words.
fn kind(version: u32, name: &str) -> String {
    let mlmodel = fixture(version, &format!("models/{name}/MLmodel"));
    format!("MLflow {version}, {}, answered as the library does", flavor(&mlmodel))
}

fn flavor(mlmodel: &Path) -> &'static str {
    let text = fs::read_to_string(mlmodel).expect("the file is there");
    let named = |flavor: &str| text.lines().any(|line| line.trim() == format!("{flavor}:"));
    FLAVORS.into_iter().find(|flavor| named(flavor)).expect("a flavor that is read")
}
