//! Which file of a model's directory is the model, and which kinds of model need Python.

use crate::error::{Error, Result};
use crate::path::InnerPath;
use crate::yaml::Node;

/// A way of keeping a model that foretell reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    Onnx,
    Xgboost,
    Lightgbm,
    Catboost,
}

/// Their names, in the order in which they are looked for.
const READ: [(&str, Flavor); 4] = [
    ("onnx", Flavor::Onnx),
    ("xgboost", Flavor::Xgboost),
    ("lightgbm", Flavor::Lightgbm),
    ("catboost", Flavor::Catboost),
];

/// What to do about the others.
const CURES: [(&str, &str); 6] = [
    ("sklearn", "convert the model with skl2onnx.to_onnx and log it with mlflow.onnx.log_model"),
    ("pytorch", "export the model with torch.onnx.export and log it with mlflow.onnx.log_model"),
    ("keras", "convert the model with tf2onnx and log it with mlflow.onnx.log_model"),
    ("tensorflow", "convert the model with tf2onnx and log it with mlflow.onnx.log_model"),
    ("spark", "convert the model with onnxmltools and log it with mlflow.onnx.log_model"),
    ("python_function", OTHER_CURE),
];
const OTHER_CURE: &str = "log the model itself with mlflow.onnx, mlflow.xgboost, mlflow.lightgbm or mlflow.catboost";

/// The first flavor that can be read, and the file that holds the model.
pub(crate) fn choose(mlmodel: &Node) -> Result<(Flavor, InnerPath)> {
    let Some(Node::Map(flavors)) = mlmodel.get("flavors") else {
        return Err(Error::MlModel("it has no `flavors`, so it does not say what the model is".to_owned()));
    };
    let Some((name, flavor)) = READ.into_iter().find(|(name, _)| flavors.contains_key(*name)) else {
        let names: Vec<&str> = flavors.keys().map(String::as_str).collect();
        return Err(only_python(&names));
    };
    let entry = &flavors[name];
    let Some(data) = entry.get("data").and_then(Node::text) else {
        return Err(Error::MlModel(format!(
            "the flavor `{name}` has no `data`, so it does not say which file the model is"
        )));
    };
    match flavor {
        Flavor::Lightgbm => check_lightgbm(entry, data)?,
        Flavor::Catboost => check_catboost(entry)?,
        Flavor::Onnx | Flavor::Xgboost => {}
    }
    Ok((flavor, InnerPath::parse(data)?))
}

fn only_python(flavors: &[&str]) -> Error {
    let native = flavors.iter().find(|name| **name != "python_function").or_else(|| flavors.first());
    let Some(flavor) = native else {
        return Error::MlModel("its list of `flavors` is empty, so it does not say what the model is".to_owned());
    };
    let cure = CURES.iter().find(|(name, _)| name == flavor).map_or(OTHER_CURE, |(_, cure)| cure);
    Error::Flavor(format!("a model of the flavor `{flavor}` runs in Python only; {cure}"))
}

/// MLflow keeps a booster as text, and the scikit-learn wrapper as Python objects.
fn check_lightgbm(entry: &Node, data: &str) -> Result<()> {
    let class = entry.get("model_class").and_then(Node::text).unwrap_or_default();
    if class.starts_with("lightgbm.sklearn") || [".pkl", ".skops"].iter().any(|ending| data.ends_with(ending)) {
        let class = if class.is_empty() { "a scikit-learn wrapper" } else { class };
        return Err(Error::Flavor(format!(
            "the flavor `lightgbm` keeps {class} as Python objects (`{data}`); \
             log its booster: mlflow.lightgbm.log_model(model.booster_, ...)"
        )));
    }
    Ok(())
}

fn check_catboost(entry: &Node) -> Result<()> {
    match entry.get("save_format").and_then(Node::text).unwrap_or("cbm") {
        "json" | "onnx" => Ok(()),
        other => Err(Error::Flavor(format!(
            "the flavor `catboost` keeps this model in the format `{other}`, which only CatBoost reads; \
             log it with mlflow.catboost.log_model(..., format=\"onnx\"), or \"json\" if it has text features"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(text: &str) -> Result<(Flavor, InnerPath)> {
        choose(&Node::parse(&format!("flavors:\n{text}"))?)
    }

    #[test]
    fn the_file_of_the_model_is_found() {
        let text = "  python_function:\n    data: x\n  xgboost:\n    data: sub/model.ubj\n";
        let (flavor, data) = chosen(text).expect("sound");
        assert_eq!((flavor, data.to_string().as_str()), (Flavor::Xgboost, "sub/model.ubj"));
        let text = "  catboost:\n    data: model.cb\n    save_format: onnx\n";
        assert_eq!(chosen(text).expect("sound").0, Flavor::Catboost);
        let text = "  lightgbm:\n    data: model.lgb\n    model_class: lightgbm.basic.Booster\n";
        assert_eq!(chosen(text).expect("sound").0, Flavor::Lightgbm);
    }

    #[test]
    fn the_readme_has_every_flavor() {
        let read = READ.map(|(name, _)| format!("| `{name}` | yes |\n")).concat();
        let others = CURES.map(|(name, cure)| format!("| `{name}` | {cure} |\n")).concat();
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/README.md");
        let table =
            format!("| flavor | read, or what to do instead |\n|---|---|\n{read}{others}| any other | {OTHER_CURE} |");
        foretell_testing::page::check_section(&page, "flavors", &table);
    }

    #[test]
    fn other_flavors_are_named_with_a_cure() {
        let refusal = |text: &str| chosen(text).expect_err("refused").to_string();
        insta::assert_snapshot!(refusal("  python_function:\n    data: x\n  sklearn:\n    pickled_model: model.pkl\n"), @"a model of the flavor `sklearn` runs in Python only; convert the model with skl2onnx.to_onnx and log it with mlflow.onnx.log_model");
        insta::assert_snapshot!(refusal("  python_function:\n    loader_module: mlflow.pyfunc.model\n"), @"a model of the flavor `python_function` runs in Python only; log the model itself with mlflow.onnx, mlflow.xgboost, mlflow.lightgbm or mlflow.catboost");
        insta::assert_snapshot!(refusal("  prophet:\n    data: x\n"), @"a model of the flavor `prophet` runs in Python only; log the model itself with mlflow.onnx, mlflow.xgboost, mlflow.lightgbm or mlflow.catboost");
        insta::assert_snapshot!(refusal("  lightgbm:\n    data: model.pkl\n    model_class: lightgbm.sklearn.LGBMClassifier\n"), @"the flavor `lightgbm` keeps lightgbm.sklearn.LGBMClassifier as Python objects (`model.pkl`); log its booster: mlflow.lightgbm.log_model(model.booster_, ...)");
        insta::assert_snapshot!(refusal("  lightgbm:\n    data: model.skops\n"), @"the flavor `lightgbm` keeps a scikit-learn wrapper as Python objects (`model.skops`); log its booster: mlflow.lightgbm.log_model(model.booster_, ...)");
        insta::assert_snapshot!(refusal("  catboost:\n    data: model.cb\n"), @r#"the flavor `catboost` keeps this model in the format `cbm`, which only CatBoost reads; log it with mlflow.catboost.log_model(..., format="onnx"), or "json" if it has text features"#);
        insta::assert_snapshot!(refusal("  onnx:\n    code: null\n"), @"`MLmodel` cannot be read: the flavor `onnx` has no `data`, so it does not say which file the model is");
        insta::assert_snapshot!(refusal("  onnx:\n    data: ../../secrets.onnx\n"), @"`../../secrets.onnx` is no path inside the model's directory: it goes up");
        insta::assert_snapshot!(refusal("  onnx: model.onnx\n"), @"`MLmodel` cannot be read: the flavor `onnx` has no `data`, so it does not say which file the model is");
        insta::assert_snapshot!(refusal("  {}\n"), @"`MLmodel` cannot be read: its list of `flavors` is empty, so it does not say what the model is");
        insta::assert_snapshot!(refusal("  - onnx\n"), @"`MLmodel` cannot be read: it has no `flavors`, so it does not say what the model is");
    }
}
