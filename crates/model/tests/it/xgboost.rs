//! Files of XGBoost: what XGBoost itself answers, on every row of every file; and broken ones.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Int64Array, StringArray, new_null_array};
use arrow::datatypes::{DataType, Float32Type};
use foretell_model::{Answer, Error, Limits, LoadOptions, Model, OnRefusedRow};
use foretell_testing::counts::report;
use foretell_testing::pack::version;

use crate::compare::Tolerance;
use crate::fixtures::{Fixture, load};
use crate::reference::Checked;
use crate::signatures::describe;

/// Sums of single precision agree to the bit; the C library's exponential function may differ in the last one.
const TOLERANCE: Tolerance = Tolerance { relative: 1e-6, floor: 0.0 };

fn fixtures() -> Vec<Fixture> {
    load("xgboost")
}

fn fixture(name: &str) -> Fixture {
    fixtures().into_iter().find(|fixture| fixture.name == name).expect("a fixture")
}

fn model(fixture: &Fixture) -> Model {
    Model::from_bytes(&fixture.model, &LoadOptions::default()).expect("a sound file")
}

#[test]
fn files_answer_as_xgboost_does() {
    let (fixtures, mut checked) = (fixtures(), Checked::default());
    for fixture in &fixtures {
        checked.check(fixture, &LoadOptions::default(), TOLERANCE);
    }
    let kind = |fixture: &Fixture| format!("XGBoost {}", version("xgboost", &fixture.name));
    report("Files of XGBoost", "files", &checked.counts(kind));
    checked.assert_good();
}

#[test]
fn signatures_of_the_newest_files() {
    let mut text = String::new();
    for fixture in fixtures().iter().filter(|fixture| !fixture.name.starts_with('v')) {
        describe(&mut text, fixture, &model(fixture));
    }
    insta::assert_snapshot!("xgboost_signatures", text);
}

#[test]
fn the_file_says_what_its_features_are() {
    let named = model(&fixture("named_features"));
    let names: Vec<&str> = named.signature().features.iter().map(|feature| feature.name.as_str()).collect();
    assert_eq!(names, ["age of patient", "Sex", "größe", "quoted \"name\"", "back\\slash", "f9"]);
    assert!(named.signature().features_are_named);
    assert_eq!((named.signature().format, named.signature().producer.as_str()), ("XGBoost JSON", "XGBoost 3.2.0"));
    let unnamed = model(&fixture("reg_gamma_ubj"));
    assert_eq!(unnamed.signature().features[5].name, "f5");
    assert!(!unnamed.signature().features_are_named);
    assert_eq!(unnamed.signature().format, "XGBoost UBJSON");
    let types = |name: &str| -> Vec<DataType> {
        model(&fixture(name)).signature().features.iter().map(|feature| feature.data_type.clone()).collect()
    };
    assert_eq!(types("categories_text_partition"), [DataType::Utf8, DataType::Float32, DataType::Utf8]);
    assert_eq!(types("categories_numbers_partition"), [DataType::Float64, DataType::Float32, DataType::Float64]);
    assert_eq!(types("codes_partition"), [DataType::Float32, DataType::Float32, DataType::Float32]);
}

/// The predictions for towns, with a number and a colour that are the same for all.
fn towns(model: &Model, towns: ArrayRef, refused: OnRefusedRow) -> Result<ArrayRef, Error> {
    let rows = towns.len();
    let number: ArrayRef = Arc::new(Float32Array::from(vec![0.5; rows]));
    let few: ArrayRef = Arc::new(StringArray::from(vec!["red"; rows]));
    let mut answers = model.run(&[towns, number, few], rows, &[Answer::Prediction], refused)?;
    Ok(answers.pop().expect("an answer"))
}

#[test]
fn a_category_never_seen_refuses_its_row_and_a_missing_one_does_not() {
    let model = model(&fixture("categories_text_partition"));
    let seen: ArrayRef = Arc::new(StringArray::from(vec![Some("town 3"), None, Some("")]));
    let answers = towns(&model, Arc::clone(&seen), OnRefusedRow::Fail).expect("categories of the file");
    let answers = answers.as_primitive::<Float32Type>();
    assert_eq!(answers.null_count(), 0);
    assert_ne!(answers.value(1), answers.value(2), "an empty text is a category, NULL is missing");
    let all_null = towns(&model, new_null_array(&DataType::Null, 1), OnRefusedRow::Fail).expect("missing values");
    assert_eq!(all_null.as_primitive::<Float32Type>().value(0), answers.value(1));
    let unseen: ArrayRef = Arc::new(StringArray::from(vec!["town 3", "Atlantis"]));
    let error = towns(&model, Arc::clone(&unseen), OnRefusedRow::Fail).expect_err("a row is refused");
    assert_eq!(error.to_string(), "row 1: unknown category `Atlantis`");
    let answers = towns(&model, unseen, OnRefusedRow::Null).expect("the other rows have answers");
    assert!(answers.is_valid(0) && answers.is_null(1));
}

#[test]
fn numbers_that_are_categories_are_found_in_any_type() {
    let model = model(&fixture("categories_numbers_partition"));
    let run = |column: ArrayRef| {
        let rows = column.len();
        let number: ArrayRef = Arc::new(Float32Array::from(vec![0.5; rows]));
        let few: ArrayRef = Arc::new(Int64Array::from(vec![3; rows]));
        model
            .run(&[column, number, few], rows, &[Answer::Prediction], OnRefusedRow::Fail)
            .map(|mut answers| answers.pop())
    };
    let integers: ArrayRef = Arc::new(Int64Array::from(vec![Some(-5000), Some(64000), None]));
    let floats: ArrayRef = Arc::new(Float32Array::from(vec![Some(-5000.0), Some(64000.0), None]));
    assert_eq!(run(integers).expect("categories"), run(floats).expect("categories"));
    let between: ArrayRef = Arc::new(Float32Array::from(vec![-5000.0, 0.5]));
    assert_eq!(run(between).expect_err("no category").to_string(), "row 1: unknown category `0.5`");
}

/// A sound file: a tree over two features, of which the second is categorical.
const SOUND: &str = r#"{
    "learner": {
        "attributes": {"scikit_learn": "{\"_estimator_type\": \"regressor\"}", "best_iteration": "0"},
        "feature_names": ["size", "kind"], "feature_types": ["float", "c"],
        "gradient_booster": {
            "model": {
                "cats": {"enc": [{"offsets": [], "values": []}, {"offsets": [0, 1, 2], "values": [97, 98]}]},
                "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": "1"},
                "iteration_indptr": [0, 1], "tree_info": [0],
                "trees": [{
                    "id": 0, "left_children": [1, 3, -1, -1, -1], "right_children": [2, 4, -1, -1, -1],
                    "split_indices": [0, 1, 0, 0, 0], "split_conditions": [0.5, NaN, 1, 2, 3],
                    "default_left": [1, 0, 0, 0, 0], "split_type": [0, 1, 0, 0, 0],
                    "categories": [1], "categories_nodes": [1], "categories_segments": [0], "categories_sizes": [1],
                    "tree_param": {"size_leaf_vector": "1"}
                }]
            },
            "name": "gbtree"
        },
        "learner_model_param": {"base_score": "[5E-1]", "num_class": "0", "num_feature": "2", "num_target": "1"},
        "objective": {"name": "reg:squarederror"}
    },
    "version": [3, 2, 0]
}"#;

fn refusal(bytes: &[u8], options: &LoadOptions) -> String {
    let error = Model::from_bytes(bytes, options).expect_err("the file is refused");
    assert!(!matches!(error, Error::Internal(_)), "a broken file is no bug of ours: {error}");
    error.to_string()
}

/// Something that is wrong with a file: a part of [`SOUND`], and what stands there instead.
const DAMAGES: &[(&str, &str)] = &[
    ("\"learner\": {", "\"learner\": [{}], \"l\": {"),
    ("\"learner_model_param\"", "\"param\""),
    ("\"num_feature\": \"2\"", "\"num_feature\": \"0\""),
    ("\"num_feature\": \"2\"", "\"num_feature\": \"-2\""),
    ("\"num_feature\": \"2\"", "\"num_feature\": 2"),
    ("\"num_feature\": \"2\"", "\"num_feature\": \"3\""),
    ("\"num_feature\": \"2\"", "\"num_feature\": \"4000000000\""),
    ("\"num_class\": \"0\"", "\"num_class\": \"many\""),
    ("\"num_class\": \"0\"", "\"num_class\": \"4000000000\""),
    (
        "\"num_class\": \"0\", \"num_feature\": \"2\", \"num_target\": \"1\"",
        "\"num_class\": \"3\", \"num_feature\": \"2\", \"num_target\": \"2\"",
    ),
    ("[5E-1]", "half"),
    ("[5E-1]", "[1, 2]"),
    ("[5E-1]", "[NaN]"),
    ("reg:squarederror", "reg:foo"),
    ("\"name\": \"gbtree\"", "\"name\": \"gbforest\""),
    ("\"name\": \"gbtree\"", "\"name\": \"dart\""),
    ("\"name\": \"gbtree\"", "\"name\": \"gblinear\""),
    ("\"best_iteration\": \"0\"", "\"best_iteration\": \"7\""),
    ("\"best_iteration\": \"0\"", "\"best_iteration\": \"none\""),
    ("\"iteration_indptr\": [0, 1]", "\"iteration_indptr\": [0, 9]"),
    ("{\\\"_estimator_type\\\"", "{{"),
    ("\"tree_info\": [0]", "\"tree_info\": [0, 0]"),
    ("\"tree_info\": [0]", "\"tree_info\": [5]"),
    ("\"id\": 0", "\"id\": 3"),
    ("\"left_children\": [1, 3, -1, -1, -1]", "\"left_children\": []"),
    ("\"left_children\": [1, 3, -1, -1, -1]", "\"left_children\": [1, 3, -1, -1]"),
    ("\"left_children\": [1, 3, -1, -1, -1]", "\"left_children\": [1, 5, -1, -1, -1]"),
    ("\"left_children\": [1, 3, -1, -1, -1]", "\"left_children\": [1, -2, -1, -1, -1]"),
    ("\"left_children\": [1, 3, -1, -1, -1]", "\"left_children\": [1, 0, -1, -1, -1]"),
    ("\"left_children\": [1, 3, -1, -1, -1]", "\"left_children\": [1, 3.5, -1, -1, -1]"),
    ("\"left_children\": [1, 3, -1, -1, -1]", "\"left_children\": [1, 99999999999, -1, -1, -1]"),
    ("\"left_children\": [1, 3, -1, -1, -1]", "\"left_children\": 7"),
    ("\"split_indices\": [0, 1, 0, 0, 0]", "\"split_indices\": [2, 1, 0, 0, 0]"),
    ("\"split_conditions\": [0.5, NaN, 1, 2, 3]", "\"split_conditions\": [NaN, NaN, 1, 2, 3]"),
    ("\"split_conditions\": [0.5, NaN, 1, 2, 3]", "\"split_conditions\": [\"0.5\", NaN, 1, 2, 3]"),
    ("\"default_left\": [1, 0, 0, 0, 0]", "\"default_left\": [1, \"no\", 0, 0, 0]"),
    ("\"split_type\": [0, 1, 0, 0, 0]", "\"split_type\": [0, 0, 0, 0, 0]"),
    ("\"split_type\": [0, 1, 0, 0, 0]", "\"split_type\": [1, 1, 0, 0, 0]"),
    ("\"categories\": [1]", "\"categories\": []"),
    ("\"categories\": [1]", "\"categories\": [16777216]"),
    ("\"categories_nodes\": [1]", "\"categories_nodes\": [1, 1]"),
    ("\"categories_nodes\": [1]", "\"categories_nodes\": [9]"),
    ("\"categories_segments\": [0]", "\"categories_segments\": [18446744073709551615]"),
    ("\"categories_sizes\": [1]", "\"categories_sizes\": [-1]"),
    ("\"size_leaf_vector\": \"1\"", "\"size_leaf_vector\": \"3\""),
    ("\"offsets\": [0, 1, 2]", "\"offsets\": [0, 1, 9]"),
    ("\"offsets\": [0, 1, 2]", "\"offsets\": [2, 1, 0]"),
    ("\"values\": [97, 98]", "\"values\": [97, 980]"),
    ("\"values\": [97, 98]", "\"values\": [97, -30]"),
    ("{\"offsets\": [0, 1, 2], \"values\": [97, 98]}", "{\"type\": 15, \"values\": [97, 9007199254740993]}"),
    ("{\"offsets\": [0, 1, 2], \"values\": [97, 98]}", ""),
    ("\"feature_names\": [\"size\", \"kind\"]", "\"feature_names\": [\"size\"]"),
    ("\"feature_names\": [\"size\", \"kind\"]", "\"feature_names\": [\"size\", \"ki\\x\"]"),
    ("\"id\": 0", "\"id\": 0, \"id\": 0"),
];

#[test]
fn broken_files_are_refused_with_what_is_wrong_and_where() {
    Model::from_bytes(SOUND.as_bytes(), &LoadOptions::default()).expect("nothing is wrong with it");
    let mut text = String::new();
    for (part, instead) in DAMAGES {
        assert!(SOUND.contains(part), "{part} is in the sound file");
        let damaged = SOUND.replacen(part, instead, 1);
        let message = refusal(damaged.as_bytes(), &LoadOptions::default());
        writeln!(text, "{instead}\n    {message}").expect("writing to a text");
    }
    let of_objective = |name: &str| SOUND.replacen("reg:squarederror", name, 1);
    let files = [
        of_objective("count:poisson").replacen("[5E-1]", "[-1E0]", 1),
        of_objective("binary:logistic").replacen("[5E-1]", "[2E0]", 1),
        SOUND.replacen("[3, 2, 0]", "[3, 4, 1]", 1),
        SOUND.replacen("regressor", "classifier", 1).replacen("\"num_class\": \"0\"", "\"num_class\": \"3\"", 1),
    ];
    for damaged in files {
        writeln!(text, "{}", refusal(damaged.as_bytes(), &LoadOptions::default())).expect("writing to a text");
    }
    insta::assert_snapshot!("xgboost_refusals", text);
}

#[test]
fn files_above_a_limit() {
    let mut text = String::new();
    let limits: [fn(&mut Limits); 9] = [
        |limits| limits.file_bytes = 100,
        |limits| limits.features = 1,
        |limits| limits.trees = 0,
        |limits| limits.tree_nodes = 4,
        |limits| limits.tree_depth = 1,
        |limits| limits.tensor_elements = 4,
        |limits| limits.string_bytes = 50,
        |limits| limits.steps = 2,
        |limits| limits.columns = 3,
    ];
    for lower in limits {
        let mut limits = Limits::default();
        lower(&mut limits);
        let message = refusal(SOUND.as_bytes(), &LoadOptions { limits, ..LoadOptions::default() });
        writeln!(text, "{message}").expect("writing to a text");
    }
    insta::assert_snapshot!("xgboost_limits", text);
}

#[test]
fn files_that_end_early() {
    for name in ["categories_text_partition", "categories_text_partition_ubj", "dart_logistic_ubj", "linear_poisson"] {
        let whole = fixture(name).model;
        for end in (0..whole.len()).step_by(10) {
            let message = refusal(&whole[..end], &LoadOptions::default());
            let is_clear = message.contains("the file ends early") || message.contains("not enough bytes");
            assert!(is_clear || end < 20, "{name}, {end} bytes: {message}");
        }
    }
}

#[test]
fn any_damage_is_an_error_or_another_model_and_no_panic() {
    for name in ["categories_text_partition", "targets_vector_ubj", "dart_logistic_ubj", "linear_poisson"] {
        let whole = fixture(name).model;
        for position in (0..whole.len()).step_by(7) {
            let mut damaged = whole.clone();
            damaged[position] ^= [1, 2, 0x10, 0x80, 0xff][position / 7 % 5];
            match Model::from_bytes(&damaged, &LoadOptions::default()) {
                Err(Error::Internal(what)) => panic!("{name}, byte {position}: {what}"),
                Err(_) => {}
                Ok(model) => {
                    let features = model.signature().features.iter();
                    let nulls: Vec<ArrayRef> = features.map(|_| new_null_array(&DataType::Null, 3)).collect();
                    let answers = model.run(&nulls, 3, &[Answer::Raw], OnRefusedRow::Null);
                    answers.expect("a model that loads answers");
                }
            }
        }
    }
}

#[test]
fn nesting_is_bounded() {
    let deep = |open: &str| format!("{{\"learner\":{}", open.repeat(10_000));
    let message = "not a valid XGBoost JSON model: ";
    for open in ["[", "{\"a\":"] {
        assert!(refusal(deep(open).as_bytes(), &LoadOptions::default()).starts_with(message));
    }
    let ignored = SOUND.replacen("\"id\": 0", &format!("\"id\": 0, \"x\": {}", "[".repeat(10_000)), 1);
    let message = refusal(ignored.as_bytes(), &LoadOptions::default());
    assert!(message.ends_with("values are nested more than 64 deep"), "{message}");
}
