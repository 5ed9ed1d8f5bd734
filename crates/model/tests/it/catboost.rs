//! Files of CatBoost: what CatBoost itself answers, on every row of every file; and files that no CatBoost wrote.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float32Array, Float64Array, StringArray};
use arrow::datatypes::Float64Type;
use foretell_model::{Answer, DeclaredFeature, Error, Limits, LoadOptions, Model, OnRefusedRow};
use foretell_testing::counts::report;
use foretell_testing::pack::version;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::compare::{ONNX, Tolerance};
use crate::fixtures::{Fixture, load, text_of};
use crate::reference::Checked;

/// Sums of double precision agree to the bit; CatBoost has an exponential function of its own, and `1 - p` of a probability
/// next to 1 is its rounding.
const TOLERANCE: Tolerance = Tolerance { relative: 1e-13, floor: 1e-15 };

#[test]
fn catboost_files_answer_as_catboost_does() {
    let (fixtures, mut checked) = (load("catboost"), Checked::default());
    for fixture in &fixtures {
        // What CatBoost exports computes in single precision, with ONNX Runtime.
        let tolerance = if fixture.name.starts_with("onnx_") { ONNX } else { TOLERANCE };
        checked.check(fixture, &options(fixture), tolerance);
    }
    let kind = |fixture: &Fixture| match fixture.name.starts_with("onnx_") {
        true => "ONNX exports of CatBoost".to_string(),
        false => format!("CatBoost {}", version("catboost", &fixture.name)),
    };
    report("Files of CatBoost", "files", &checked.counts(kind));
    checked.assert_good();
}

/// Categories that are integers: the caller says so.
fn options(fixture: &Fixture) -> LoadOptions {
    let declared = fixture
        .names
        .iter()
        .zip(&fixture.features)
        .map(|(name, column)| DeclaredFeature { name: name.clone(), data_type: Some(column.data_type().clone()) });
    let features = fixture.name.ends_with("_integers").then(|| declared.collect());
    LoadOptions { features, ..LoadOptions::default() }
}

/// A number and a category; a question about each, and one about a statistic of the category.
const SMALL: &str = r#"{
    "ctr_data": {"c": {"counter_denominator": 4, "hash_map": ["7", 1, 3, "9", 4, 0], "hash_stride": 3}},
    "features_info": {
        "categorical_features": [
            {"feature_id": "color", "feature_index": 0, "flat_feature_index": 1, "values": [12]}
        ],
        "ctrs": [{
            "borders": [0.5], "ctr_type": "Borders", "identifier": "c", "target_border_idx": 0,
            "elements": [{"cat_feature_index": 0, "combination_element": "cat_feature_value"}],
            "prior_denomerator": 1, "prior_numerator": 0.5, "scale": 1, "shift": 0
        }],
        "float_features": [
            {"borders": [1.5], "feature_index": 0, "flat_feature_index": 0, "has_nans": false, "nan_value_treatment": "AsIs"}
        ]
    },
    "model_info": {"params": {"loss_function": {"type": "RMSE"}}},
    "oblivious_trees": [{
        "leaf_values": [1, 2, 3, 4, 5, 6, 7, 8],
        "splits": [
            {"border": 1.5, "float_feature_index": 0, "split_index": 0, "split_type": "FloatFeature"},
            {"cat_feature_index": 0, "split_index": 1, "split_type": "OneHotFeature", "value": 12},
            {"border": 0.5, "ctr_target_border_idx": 0, "split_index": 2, "split_type": "OnlineCtr"}
        ]
    }],
    "scale_and_bias": [1, [0]]
}"#;

fn refusal_with(text: &str, options: &LoadOptions) -> String {
    let error = Model::from_bytes(text.as_bytes(), options).expect_err("the file is refused");
    assert!(!matches!(error, Error::Internal(_)), "a broken file is no bug of ours: {error}");
    error.to_string()
}

fn small() -> Value {
    serde_json::from_str(SMALL).expect("valid JSON")
}

/// What is said of the small file with another value at a place.
fn changed(pointer: &str, value: Value) -> String {
    let mut file = small();
    *file.pointer_mut(pointer).unwrap_or_else(|| panic!("`{pointer}` is there")) = value;
    refusal_with(&file.to_string(), &LoadOptions::default())
}

#[test]
fn a_sound_file_loads() {
    let model = Model::from_bytes(SMALL.as_bytes(), &LoadOptions::default()).expect("nothing is wrong with it");
    let numbers: ArrayRef = Arc::new(Float32Array::from(vec![1.5, 2.0]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("red"), None]));
    let answers = model.run(&[numbers, texts], 2, &[Answer::Prediction], OnRefusedRow::Fail).expect("rows");
    assert_eq!(answers[0].as_primitive::<Float64Type>(), &Float64Array::from(vec![Some(1.0), None]));
}

#[test]
fn features_that_do_not_fit() {
    let float = "/features_info/float_features/0";
    let category = "/features_info/categorical_features/0";
    assert_snapshot!(changed(&format!("{float}/flat_feature_index"), json!(1)), @"the CatBoost JSON model has a feature 0 that is neither a number nor a category");
    assert_snapshot!(changed(&format!("{category}/flat_feature_index"), json!(2)), @"the CatBoost JSON model has a feature 1 that is neither a number nor a category");
    assert_snapshot!(changed(&format!("{category}/flat_feature_index"), json!(-1)), @"not a valid CatBoost JSON model: `features_info.categorical_features[0].flat_feature_index`: invalid value: integer `-1`, expected u32");
    assert_snapshot!(changed(&format!("{category}/values"), json!([3_000_000_000_u32])), @"not a valid CatBoost JSON model: `features_info.categorical_features[0].values[0]`: invalid value: integer `3000000000`, expected i32");
    assert_snapshot!(changed(&format!("{float}/nan_value_treatment"), json!("AsMaybe")), @"not a valid CatBoost JSON model: `nan_value_treatment` of feature 0 is `AsMaybe`");
    assert_snapshot!(changed(&format!("{float}/borders"), json!("1.5")), @r#"not a valid CatBoost JSON model: `features_info.float_features[0].borders`: invalid type: string "1.5", expected a sequence"#);
    assert_snapshot!(changed("/features_info", json!({})), @"not a valid CatBoost JSON model: tree 0: there is no question 0");
    assert_snapshot!(changed("/features_info", json!(null)), @"not a valid CatBoost JSON model: `features_info`: invalid type: unit value, expected struct FeaturesInfo");
    assert_snapshot!(refusal_with(&SMALL.replace("[1.5]", "[NaN]"), &LoadOptions::default()), @"not a valid CatBoost JSON model: a border is NaN");
}

#[test]
fn statistics_that_do_not_fit() {
    let (ctr, data) = ("/features_info/ctrs/0", "/ctr_data/c");
    assert_snapshot!(changed("/ctr_data", json!(null)), @"not a valid CatBoost JSON model: the statistic `c` has no numbers in `ctr_data`; train with `final_ctr_computation_mode` at its default");
    assert_snapshot!(changed(&format!("{ctr}/identifier"), json!("d")), @"not a valid CatBoost JSON model: the statistic `d` has no numbers in `ctr_data`; train with `final_ctr_computation_mode` at its default");
    assert_snapshot!(changed(&format!("{ctr}/ctr_type"), json!("Sums")), @"not a valid CatBoost JSON model: the statistic `c` is of kind `Sums`, with 2 numbers for each key, for class 0");
    assert_snapshot!(changed(&format!("{ctr}/target_border_idx"), json!(1)), @"not a valid CatBoost JSON model: the statistic `c` is of kind `Borders`, with 2 numbers for each key, for class 1");
    assert_snapshot!(changed(&format!("{ctr}/elements/0/cat_feature_index"), json!(3)), @"not a valid CatBoost JSON model: the statistic `c` is about a category 3 that is not there");
    assert_snapshot!(changed(&format!("{ctr}/elements/0/combination_element"), json!("text")), @"not a valid CatBoost JSON model: the statistic `c` has an element of the unknown kind `text`");
    assert_snapshot!(changed(&format!("{ctr}/elements/0/combination_element"), json!("float_feature")), @"not a valid CatBoost JSON model: the statistic `c` has an element without `float_feature_index`");
    assert_snapshot!(changed(&format!("{data}/hash_stride"), json!(0)), @"not a valid CatBoost JSON model: the statistic `c` has 6 numbers and keys in rows of 0");
    assert_snapshot!(changed(&format!("{data}/hash_stride"), json!(4_294_967_295_u32)), @"not a valid CatBoost JSON model: the statistic `c` has 6 numbers and keys in rows of 4294967295");
    assert_snapshot!(changed(&format!("{data}/hash_map"), json!(["7", 1])), @"not a valid CatBoost JSON model: the statistic `c` has 2 numbers and keys in rows of 3");
    assert_snapshot!(changed(&format!("{data}/hash_map"), json!([7, 1, 3])), @"not a valid CatBoost JSON model: the statistic `c` has a number in the place of a key");
    assert_snapshot!(changed(&format!("{data}/hash_map"), json!(["7", "1", 3])), @"not a valid CatBoost JSON model: the statistic `c` has a key in the place of a number");
    assert_snapshot!(changed(&format!("{data}/hash_map"), json!(["red", 1, 3])), @"not a valid CatBoost JSON model: `ctr_data.c.hash_map[0]`: `red` is no key");
}

#[test]
fn trees_that_do_not_fit() {
    let tree = "/oblivious_trees/0";
    assert_snapshot!(changed(&format!("{tree}/leaf_values"), json!([1, 2, 3])), @"not a valid CatBoost JSON model: tree 0: 3 leaf values for 3 questions and 1 outputs");
    assert_snapshot!(changed(&format!("{tree}/leaf_values"), json!([])), @"not a valid CatBoost JSON model: tree 0: 0 leaf values for 3 questions and 1 outputs");
    assert_snapshot!(changed(&format!("{tree}/leaf_values/2"), json!("three")), @r#"not a valid CatBoost JSON model: `oblivious_trees[0].leaf_values[2]`: invalid type: string "three", expected f64"#);
    let split = json!({"split_index": 0});
    assert_snapshot!(changed(&format!("{tree}/splits"), Value::Array(vec![split; 70])), @"not a valid CatBoost JSON model: tree 0: 8 leaf values for 70 questions and 1 outputs");
    assert_snapshot!(changed(&format!("{tree}/splits/0/split_index"), json!(3)), @"not a valid CatBoost JSON model: tree 0: there is no question 3");
    assert_snapshot!(changed(&format!("{tree}/splits/0/split_index"), json!(1)), @"not a valid CatBoost JSON model: tree 0: question 1 is another one among the features");
    assert_snapshot!(changed(&format!("{tree}/splits/0/border"), json!(1.25)), @"not a valid CatBoost JSON model: tree 0: question 0 is another one among the features");
    assert_snapshot!(changed(&format!("{tree}/splits/0"), json!({"border": 1.5})), @"not a valid CatBoost JSON model: `oblivious_trees[0].splits[0]`: missing field `split_index`");
    assert_snapshot!(changed("/scale_and_bias", json!([1, [0, 0, 0]])), @"not a valid CatBoost JSON model: `scale_and_bias` has 3 biases for 1 outputs");
    assert_snapshot!(changed("/scale_and_bias", json!([1])), @"not a valid CatBoost JSON model: `scale_and_bias` is not a number and a list");
    let other = |tree: Value| {
        let mut file = small();
        file["oblivious_trees"] = Value::Null;
        file["trees"] = json!([tree]);
        refusal_with(&file.to_string(), &LoadOptions::default())
    };
    let (leaf, split) = (json!({"value": 1}), json!({"split_index": 0}));
    assert_snapshot!(other(json!({"split": split, "left": leaf})), @"not a valid CatBoost JSON model: tree 0: a node that is neither a leaf nor a branch");
    assert_snapshot!(other(json!({"split": split, "left": leaf, "right": {"value": [1, 2]}})), @"not a valid CatBoost JSON model: tree 0: 2 values in a leaf for 1 outputs");
    assert_snapshot!(other(json!({"split": {"split_index": 9}, "left": leaf, "right": leaf})), @"not a valid CatBoost JSON model: tree 0: there is no question 9");
    let deep = (0..100).fold(leaf.clone(), |below, _| json!({"split": split, "left": below, "right": leaf}));
    assert_snapshot!(other(deep), @"not a valid CatBoost JSON model: `trees[0].left.left.left.left.left.left.left.left.left.left...`: values are nested more than 64 deep");
}

#[test]
fn classes_that_do_not_fit() {
    let with = |info: Value| changed("/model_info", info);
    let classes = |params: Value| with(json!({"class_params": params}));
    assert_snapshot!(classes(json!({"class_label_type": "Integer", "class_names": [0, "b"], "class_to_label": [0, 1]})), @"not a valid CatBoost JSON model: `model_info.class_params` has `class_names` of another type than it says");
    assert_snapshot!(classes(json!({"class_label_type": "String", "class_names": ["a", "b", "c"], "class_to_label": [0, 1]})), @"not a valid CatBoost JSON model: `model_info.class_params` puts 2 classes into 3 labels, the trees have 1 outputs");
    assert_snapshot!(classes(json!({"class_label_type": "String", "class_names": ["a", "b"], "class_to_label": [0, 2]})), @"not a valid CatBoost JSON model: `model_info.class_params` puts 2 classes into 2 labels, the trees have 1 outputs");
    assert_snapshot!(classes(json!({"class_label_type": "String", "class_names": ["a", "b"], "class_to_label": [1, 1]})), @"not a valid CatBoost JSON model: `model_info.class_params` puts 2 classes into 2 labels, the trees have 1 outputs");
    assert_snapshot!(classes(json!({"class_names": [], "class_to_label": [0, 0.5]})), @"not a valid CatBoost JSON model: `model_info.class_params` has a `class_to_label` that is no position");
    assert_snapshot!(classes(json!({"class_names": [], "classes_count": 4_000_000_000_u32})), @"the model has 4000000000 classes, the limit is 65536; raise it with `SET foretell.limit_classes = ...` if you trust the file");
    assert_snapshot!(with(json!({"class_params": {}, "binclass_probability_threshold": "1.0"})), @"not a valid CatBoost JSON model: `binclass_probability_threshold` is `1.0` instead of a probability");
    assert_snapshot!(with(json!({"loss_function": "{"})), @"not a valid CatBoost JSON model: the file ends early, after 1 bytes; copy it again");
}

#[test]
fn more_than_the_limits_allow() {
    let within = |limit: fn(&mut Limits)| {
        let mut limits = Limits::default();
        limit(&mut limits);
        refusal_with(SMALL, &LoadOptions { limits, ..LoadOptions::default() })
    };
    assert_snapshot!(within(|limits| limits.trees = 0), @"the model has 1 trees, the limit is 0; raise it with `SET foretell.limit_trees = ...` if you trust the file");
    assert_snapshot!(within(|limits| limits.tree_nodes = 10), @"the model has 16 tree nodes, the limit is 10; raise it with `SET foretell.limit_tree_nodes = ...` if you trust the file");
    assert_snapshot!(within(|limits| limits.tree_depth = 2), @"the model has 3 levels of one tree, the limit is 2; raise it with `SET foretell.limit_tree_depth = ...` if you trust the file");
    assert_snapshot!(within(|limits| limits.features = 1), @"the model has 2 features, the limit is 1; raise it with `SET foretell.limit_features = ...` if you trust the file");
    assert_snapshot!(within(|limits| limits.tensor_elements = 5), @"the model has 6 elements in one array, the limit is 5; raise it with `SET foretell.limit_tensor_elements = ...` if you trust the file");
    assert_snapshot!(within(|limits| limits.string_bytes = 100), @"the model has 110 bytes of strings, the limit is 100; raise it with `SET foretell.limit_string_bytes = ...` if you trust the file");
    assert_snapshot!(within(|limits| limits.columns = 4), @"the model has 5 columns, the limit is 4; raise it with `SET foretell.limit_columns = ...` if you trust the file");
}

#[test]
fn any_damage_is_an_error_and_no_panic() {
    let small = small().to_string();
    for (name, whole) in [("small", small.clone()), ("lossguide", text("lossguide"))] {
        for end in (0..whole.len()).step_by(10).filter(|&end| whole.is_char_boundary(end)) {
            refusal_with(&whole[..end], &LoadOptions::default());
        }
        for position in (0..whole.len()).step_by(if name == "small" { 1 } else { 17 }) {
            for byte in *b"0-\"}],:9" {
                let mut damaged = whole.clone().into_bytes();
                damaged[position] = byte;
                if let Err(error) = Model::from_bytes(&damaged, &LoadOptions::default()) {
                    assert!(!matches!(error, Error::Internal(_)), "{name}, byte {position}: {error}");
                }
            }
        }
    }
}

fn text(name: &str) -> String {
    text_of("catboost", &format!("{name}.json"))
}
