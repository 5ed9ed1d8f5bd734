//! Hostile files of XGBoost, LightGBM and CatBoost: small ones that claim much, and some that are large.

use std::fmt::Write;

use foretell_testing::ubjson;
use foretell_testing::watch::File;
use serde_json::{Value, json};

/// Every file that is hostile in a way of its own. Those called `odd_...` are models all the same.
pub fn hostile_files() -> Vec<File> {
    let files = [xgboost(), xgboost_bytes(), lightgbm(), catboost()].concat();
    files.into_iter().map(|(name, bytes)| (name.to_string(), bytes)).collect()
}

/// A model of each format, ended at every tenth byte.
pub fn truncated_files() -> Vec<File> {
    let whole = [
        ("xgboost", stump().to_string().into_bytes()),
        ("xgboost_ubj", ubjson::encode(&stump())),
        // An end of a line is no part of it.
        ("lightgbm", of_lines(&[]).trim_end().as_bytes().to_vec()),
        ("catboost", oblivious().to_string().into_bytes()),
    ];
    let cut = |(name, bytes): (&str, Vec<u8>)| -> Vec<File> {
        (0..bytes.len()).step_by(10).map(|end| (format!("{name}_{end:05}"), bytes[..end].to_vec())).collect()
    };
    whole.into_iter().flat_map(cut).collect()
}

/// A tree of XGBoost that asks one question.
fn stump() -> Value {
    json!({
        "learner": {
            "feature_names": ["a", "b"],
            "feature_types": [],
            "gradient_booster": {
                "name": "gbtree",
                "model": {
                    "gbtree_model_param": { "num_trees": "1" },
                    "tree_info": [0],
                    "trees": [{
                        "id": 0,
                        "left_children": [1, -1, -1],
                        "right_children": [2, -1, -1],
                        "split_indices": [0, 0, 0],
                        "split_conditions": [0.5, 1.0, 2.0],
                        "default_left": [0, 0, 0],
                        "split_type": [0, 0, 0],
                        "categories": [],
                        "categories_nodes": [],
                        "categories_segments": [],
                        "categories_sizes": [],
                        "tree_param": { "size_leaf_vector": "1" },
                        "base_weights": [0.0, 0.0, 0.0],
                    }],
                },
            },
            "learner_model_param": { "base_score": "5E-1", "num_class": "0", "num_feature": "2", "num_target": "1" },
            "objective": { "name": "reg:squarederror" },
        },
        "version": [3, 0, 5],
    })
}

const PARAM: &str = "/learner/learner_model_param";
const MODEL: &str = "/learner/gradient_booster/model";
const TREE: &str = "/learner/gradient_booster/model/trees/0";

/// The file with other values at some places.
fn with(mut file: Value, changes: &[(&str, &str, Value)]) -> Vec<u8> {
    for (place, key, value) in changes {
        file.pointer_mut(place).expect("a place in the file")[key] = value.clone();
    }
    file.to_string().into_bytes()
}

/// Branches one below the other, as children on the left and on the right.
fn chain(length: i64) -> (Vec<i64>, Vec<i64>) {
    let (left, right) = ((0..length).flat_map(|at| [2 * at + 1, -1]), (0..length).flat_map(|at| [2 * at + 2, -1]));
    (left.chain([-1]).collect(), right.chain([-1]).collect())
}

/// A tree of XGBoost with these children.
fn xgboost_tree(left: &[i64], right: &[i64]) -> Vec<u8> {
    let zeros = vec![0; left.len()];
    let lists = ["split_indices", "split_conditions", "default_left", "split_type", "base_weights"];
    let mut changes = vec![(TREE, "left_children", json!(left)), (TREE, "right_children", json!(right))];
    changes.extend(lists.map(|list| (TREE, list, json!(zeros))));
    with(stump(), &changes)
}

fn xgboost() -> Vec<(&'static str, Vec<u8>)> {
    let changed = |place, key, value| with(stump(), &[(place, key, value)]);
    let (left, right) = chain(5_000);
    let sets = |count: usize, category: u32| {
        // Every branch asks for the largest category there can be, and for the smallest.
        let (mut left, mut right) = chain(count as i64);
        left.truncate(2 * count + 1);
        right.truncate(2 * count + 1);
        let kinds: Vec<u8> = left.iter().map(|&child| u8::from(child >= 0)).collect();
        let zeros = vec![0; left.len()];
        let nodes: Vec<usize> = (0..count).map(|at| 2 * at).collect();
        with(
            stump(),
            &[
                (TREE, "left_children", json!(left)),
                (TREE, "right_children", json!(right)),
                (TREE, "split_indices", json!(zeros)),
                (TREE, "split_conditions", json!(zeros)),
                (TREE, "default_left", json!(zeros)),
                (TREE, "split_type", json!(kinds)),
                (TREE, "categories", json!([0, category])),
                (TREE, "categories_nodes", json!(nodes)),
                (TREE, "categories_segments", json!(vec![0; count])),
                (TREE, "categories_sizes", json!(vec![2; count])),
            ],
        )
    };
    let names: Vec<String> = (0..65_537).map(|at| at.to_string()).collect();
    let trees = |count: usize| {
        let tree = stump().pointer(TREE).expect("a tree").clone();
        let trees: Vec<Value> = (0..count)
            .map(|at| {
                let mut tree = tree.clone();
                tree["id"] = json!(at);
                tree
            })
            .collect();
        with(stump(), &[(MODEL, "trees", json!(trees)), (MODEL, "tree_info", json!(vec![0; count]))])
    };
    let giant = [
        (PARAM, "num_target", json!("65536")),
        (PARAM, "num_feature", json!("65536")),
        ("/learner", "feature_names", json!([])),
    ];
    let linear = json!({ "name": "gblinear", "model": { "weights": [1.0] } });
    vec![
        ("xgboost_tree_depth", xgboost_tree(&left, &right)),
        ("xgboost_tree_with_a_loop", xgboost_tree(&[1, -1, 0], &[2, -1, 1])),
        ("xgboost_tree_that_is_a_loop", xgboost_tree(&[0], &[0])),
        ("xgboost_tree_child_outside", changed(TREE, "left_children", json!([i32::MAX, -1, -1]))),
        ("xgboost_tree_child_negative", changed(TREE, "right_children", json!([i32::MIN, -1, -1]))),
        ("xgboost_tree_feature_outside", changed(TREE, "split_indices", json!([u32::MAX, 0, 0]))),
        ("xgboost_tree_threshold_nan", {
            let text = stump().to_string();
            text.replace("[0.5,1.0,2.0]", "[NaN,1.0,2.0]").into_bytes()
        }),
        ("odd_xgboost_tree_infinite", {
            let text = stump().to_string();
            text.replace("[0.5,1.0,2.0]", "[-Infinity,Infinity,1e400]").into_bytes()
        }),
        ("xgboost_file_twice", trees(20_000).repeat(2)),
        ("odd_xgboost_trees_some", trees(2_000)),
        ("xgboost_features_many", changed(PARAM, "num_feature", json!("4294967295"))),
        ("xgboost_features_negative", changed(PARAM, "num_feature", json!("-1"))),
        ("xgboost_features_names", changed("/learner", "feature_names", json!(names))),
        ("odd_xgboost_features_of_one_name", changed("/learner", "feature_names", json!(["a", "a"]))),
        ("xgboost_classes_many", changed(PARAM, "num_class", json!("4294967295"))),
        ("odd_xgboost_targets_at_the_limit", with(stump(), &giant)),
        ("xgboost_linear_giant", with(stump(), &[&giant[..], &[("/learner", "gradient_booster", linear)]].concat())),
        ("xgboost_leaf_of_a_giant", changed(TREE_PARAM, "size_leaf_vector", json!("18446744073709551615"))),
        ("xgboost_output_outside", changed(MODEL, "tree_info", json!([u32::MAX]))),
        ("odd_xgboost_categories_wide", sets(300, (1 << 24) - 1)),
        ("xgboost_category_too_large", sets(3, 1 << 24)),
        ("xgboost_categories_outside", {
            with(
                stump(),
                &[
                    (TREE, "split_type", json!([1, 0, 0])),
                    (TREE, "categories_nodes", json!([0])),
                    (TREE, "categories_segments", json!([u64::MAX])),
                    (TREE, "categories_sizes", json!([u64::MAX])),
                ],
            )
        }),
        ("xgboost_nested", nested(b"{\"learner\":", b"[", 1 << 20)),
        ("xgboost_nested_where_nobody_looks", nested(b"{\"x\":", b"{\"x\":", 1 << 18)),
        ("xgboost_number_of_a_megabyte", nested(b"{\"learner\":{\"objective\":", b"1", 1 << 20)),
        ("xgboost_wrapper_nested", changed("/learner", "attributes", json!({ "scikit_learn": "[".repeat(1 << 20) }))),
        ("xgboost_scores_many", changed(PARAM, "base_score", json!(format!("[{}0]", "0,".repeat(1 << 20))))),
        ("xgboost_key_twice", stump().to_string().replace("\"id\":0", "\"id\":0,\"id\":0").into_bytes()),
    ]
}

const TREE_PARAM: &str = "/learner/gradient_booster/model/trees/0/tree_param";

/// A beginning, and something over and over.
fn nested(start: &[u8], again: &[u8], times: usize) -> Vec<u8> {
    [start, &again.repeat(times)].concat()
}

fn xgboost_bytes() -> Vec<(&'static str, Vec<u8>)> {
    let start = b"{L\0\0\0\0\0\0\0\x07learner";
    let then = |rest: &[u8]| [start, rest].concat();
    vec![
        ("odd_ubjson", ubjson::encode(&stump())),
        ("ubjson_nested", nested(start, b"[", 1 << 20)),
        ("ubjson_nested_with_lengths", nested(start, b"[#U\x01", 1 << 20)),
        ("ubjson_nested_where_nobody_looks", nested(b"{L\0\0\0\0\0\0\0\x07learner{i\x01x", b"{i\x01x", 1 << 20)),
        ("ubjson_array_of_a_giant", then(b"[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff")),
        ("ubjson_array_negative", then(b"[$d#L\xff\xff\xff\xff\xff\xff\xff\xff")),
        ("ubjson_array_of_nothing", then(b"[$Z#L\x7f\xff\xff\xff\xff\xff\xff\xff")),
        ("ubjson_array_of_arrays", then(b"[$[#l\x7f\xff\xff\xff")),
        ("ubjson_text_of_a_giant", then(b"SL\x7f\xff\xff\xff\xff\xff\xff\xff")),
        ("ubjson_text_negative", then(b"Si\xff")),
        ("ubjson_object_with_a_length", then(b"{#L\x7f\xff\xff\xff\xff\xff\xff\xff")),
        ("ubjson_no_operations", nested(start, b"N", 1 << 20)),
    ]
}

const STUMP: [(&str, &str); 24] = [
    ("", "tree"),
    ("version", "v4"),
    ("num_class", "1"),
    ("num_tree_per_iteration", "1"),
    ("label_index", "0"),
    ("max_feature_idx", "1"),
    ("objective", "regression"),
    ("feature_names", "a b"),
    ("feature_infos", "[0:1] [0:1]"),
    ("tree_sizes", "200"),
    ("", ""),
    ("Tree", "0"),
    ("num_leaves", "2"),
    ("num_cat", "0"),
    ("split_feature", "0"),
    ("threshold", "0.5"),
    ("decision_type", "2"),
    ("left_child", "-1"),
    ("right_child", "-2"),
    ("leaf_value", "1 2"),
    ("is_linear", "0"),
    ("shrinkage", "1"),
    ("", "\n"),
    ("", "end of trees"),
];

/// A file of LightGBM with other values for some keys; for keys that it does not have, lines in its tree.
fn of_lines(changes: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (key, value) in STUMP {
        let changed = changes.iter().find(|(other, _)| *other == key && !key.is_empty());
        let value = changed.map_or(value, |(_, value)| *value);
        let equals = if key.is_empty() { "" } else { "=" };
        writeln!(text, "{key}{equals}{value}").expect("writing to a text");
        if key == "is_linear" {
            let is_new = |(other, _): &&(&str, &str)| STUMP.iter().all(|(key, _)| key != other);
            changes.iter().filter(is_new).for_each(|(key, value)| writeln!(text, "{key}={value}").expect("a text"));
        }
    }
    text
}

fn lightgbm() -> Vec<(&'static str, Vec<u8>)> {
    let changed = |changes: &[(&str, &str)]| of_lines(changes).into_bytes();
    let words = |word: &str, count: usize| vec![word; count].join(" ");
    let tree = |left: &[i64], right: &[i64]| {
        let count = left.len();
        let list = |children: &[i64]| children.iter().map(i64::to_string).collect::<Vec<_>>().join(" ");
        changed(&[
            ("num_leaves", &(count + 1).to_string()),
            ("split_feature", &words("0", count)),
            ("threshold", &words("0.5", count)),
            ("decision_type", &words("2", count)),
            ("left_child", &list(left)),
            ("right_child", &list(right)),
            ("leaf_value", &words("1", count + 1)),
        ])
    };
    let deep: Vec<i64> = (1..5_000).chain([-5_001]).collect();
    let leaves: Vec<i64> = (1..=5_000).map(|leaf| -leaf).collect();
    let names = words("a", 65_537);
    vec![
        ("odd_lightgbm", changed(&[])),
        ("lightgbm_tree_depth", tree(&deep, &leaves)),
        ("lightgbm_tree_with_a_loop", tree(&[1, -1], &[-2, 0])),
        ("lightgbm_tree_that_is_a_loop", tree(&[0], &[0])),
        ("lightgbm_child_outside", changed(&[("left_child", "2147483647")])),
        ("lightgbm_child_negative", changed(&[("right_child", "-2147483648")])),
        ("lightgbm_feature_outside", changed(&[("split_feature", "4294967295")])),
        ("lightgbm_threshold_nan", changed(&[("threshold", "nan")])),
        ("odd_lightgbm_threshold_infinite", changed(&[("threshold", "1e400")])),
        ("lightgbm_leaves_many", changed(&[("num_leaves", "2147483647")])),
        ("lightgbm_leaves_negative", changed(&[("num_leaves", "-1")])),
        ("lightgbm_features_many", changed(&[("max_feature_idx", "2147483647")])),
        ("lightgbm_features_names", changed(&[("max_feature_idx", "65536"), ("feature_names", &names)])),
        ("odd_lightgbm_features_of_one_name", changed(&[("feature_names", "a a")])),
        ("lightgbm_classes_many", changed(&[("num_class", "2147483647"), ("num_tree_per_iteration", "2147483647")])),
        (
            "lightgbm_sets_many",
            changed(&[("num_cat", "2147483647"), ("cat_boundaries", "0 1"), ("cat_threshold", "1")]),
        ),
        ("lightgbm_set_of_a_giant", {
            changed(&[
                ("num_cat", "1"),
                ("cat_boundaries", "0 2147483647"),
                ("cat_threshold", "1"),
                ("decision_type", "1"),
                ("threshold", "0"),
            ])
        }),
        ("lightgbm_set_backwards", changed(&[("num_cat", "1"), ("cat_boundaries", "1 0"), ("cat_threshold", "1")])),
        ("lightgbm_lines_many", {
            let lines = [
                ("leaf_const", "1 2"),
                ("num_features", "4294967295 4294967295"),
                ("leaf_features", ""),
                ("leaf_coeff", ""),
            ];
            changed(&[&[("is_linear", "1")], &lines[..]].concat())
        }),
        ("lightgbm_line_feature_outside", {
            let lines = [("leaf_const", "1 2"), ("num_features", "1 0"), ("leaf_features", "9"), ("leaf_coeff", "1")];
            changed(&[&[("is_linear", "1")], &lines[..]].concat())
        }),
        ("lightgbm_trees_many", {
            let text = of_lines(&[("tree_sizes", &words("1", 100_001))]);
            let (header, tree) = text.split_once("Tree=0").expect("a tree");
            let tree = tree.strip_suffix("end of trees\n").expect("an end");
            let trees = (0..100_001).fold(header.to_string(), |mut text, at| {
                write!(text, "Tree={at}{tree}").expect("writing to a text");
                text
            });
            format!("{trees}end of trees\n").into_bytes()
        }),
        ("lightgbm_key_twice", changed(&[("num_leaves", "2\nnum_leaves=2")])),
        ("lightgbm_lines_of_nothing", nested(b"tree\n", b"\n", 1 << 22)),
        ("lightgbm_keys_many", nested(b"tree\n", b"x=1\n", 1 << 18)),
        ("lightgbm_line_of_megabytes", nested(b"tree\n", b"x", 1 << 22)),
        (
            "lightgbm_categories_nested",
            [of_lines(&[]).as_bytes(), b"pandas_categorical:", &b"[".repeat(1 << 20)].concat(),
        ),
        ("lightgbm_categories_of_nobody", {
            let lists = format!("[{}[]]", "[],".repeat(100_000));
            [of_lines(&[]).as_bytes(), b"pandas_categorical:", lists.as_bytes()].concat()
        }),
    ]
}

/// A file of CatBoost with two numbers and a tree that asks one question.
fn oblivious() -> Value {
    let feature = |at: usize| {
        json!({
            "borders": [0.5], "feature_id": "a", "feature_index": at, "flat_feature_index": at,
            "has_nans": false, "nan_value_treatment": "AsIs",
        })
    };
    json!({
        "features_info": { "float_features": [feature(0), feature(1)] },
        "model_info": { "params": { "loss_function": { "type": "RMSE" } } },
        "oblivious_trees": [{ "leaf_values": [1.0, 2.0], "splits": [{ "split_index": 0 }] }],
        "scale_and_bias": [1, [0.5]],
    })
}

const FEATURE: &str = "/features_info/float_features/0";
const INFO: &str = "/features_info";
const OBLIVIOUS: &str = "/oblivious_trees/0";

/// A statistic of a category, beside the numbers.
fn statistic(hash_map: &Value, stride: i64) -> Vec<u8> {
    let category = json!([{ "values": [], "feature_id": "c", "feature_index": 0, "flat_feature_index": 2 }]);
    let ctr = json!([{
        "identifier": "k", "elements": [{ "combination_element": "cat_feature_value", "cat_feature_index": 0 }],
        "ctr_type": "Counter", "borders": [0.5], "prior_numerator": 0.5, "prior_denomerator": 1, "shift": 0, "scale": 1,
    }]);
    let table = json!({ "hash_map": hash_map, "hash_stride": stride, "counter_denominator": 3 });
    with(
        oblivious(),
        &[(INFO, "categorical_features", category), (INFO, "ctrs", ctr), ("", "ctr_data", json!({ "k": table }))],
    )
}

fn catboost() -> Vec<(&'static str, Vec<u8>)> {
    let changed = |place, key, value| with(oblivious(), &[(place, key, value)]);
    let nested_trees = |depth: usize| {
        let leaf = json!({ "value": 1.0 });
        (0..depth).fold(leaf.clone(), |below, _| json!({ "split": { "split_index": 0 }, "left": below, "right": leaf }))
    };
    let splits = |count: usize| json!(vec![json!({ "split_index": 0 }); count]);
    let borders: Vec<i64> = (0..1 << 18).collect();
    vec![
        ("odd_catboost", oblivious().to_string().into_bytes()),
        ("catboost_questions_many", changed(OBLIVIOUS, "splits", splits(64))),
        ("catboost_questions_more_than_leaves", changed(OBLIVIOUS, "splits", splits(24))),
        ("catboost_question_outside", changed(OBLIVIOUS, "splits", json!([{ "split_index": u32::MAX }]))),
        ("catboost_question_negative", changed(OBLIVIOUS, "splits", json!([{ "split_index": -1 }]))),
        ("catboost_border_nan", oblivious().to_string().replace("\"borders\":[0.5]", "\"borders\":[NaN]").into_bytes()),
        ("odd_catboost_borders_many", changed(FEATURE, "borders", json!(borders))),
        ("catboost_feature_outside", changed(FEATURE, "flat_feature_index", json!(u32::MAX))),
        ("catboost_feature_negative", changed(FEATURE, "feature_index", json!(-1))),
        ("catboost_feature_twice", changed(FEATURE, "feature_index", json!(1))),
        ("catboost_tree_depth", {
            with(oblivious(), &[("", "oblivious_trees", Value::Null), ("", "trees", json!([nested_trees(100)]))])
        }),
        ("catboost_tree_of_one_child", {
            let half = json!({ "split": { "split_index": 0 }, "left": { "value": 1.0 } });
            with(oblivious(), &[("", "oblivious_trees", Value::Null), ("", "trees", json!([half]))])
        }),
        ("catboost_biases_many", changed("", "scale_and_bias", json!([1, vec![0.5; 70_000]]))),
        ("catboost_statistic_of_no_stride", statistic(&json!(["1", 2]), 0)),
        ("catboost_statistic_of_a_giant", statistic(&json!(["1", 2]), i64::from(u32::MAX))),
        ("catboost_statistic_negative", statistic(&json!(["1", 2]), -2)),
        ("catboost_statistic_key_twice", statistic(&json!(["1", 2, "1", 2]), 2)),
        ("catboost_statistic_key_outside", statistic(&json!(["18446744073709551616", 2]), 2)),
        ("catboost_nested", nested(b"{\"oblivious_trees\":", b"[", 1 << 20)),
        ("catboost_nested_trees", nested(b"{\"features_info\":{},\"trees\":[", b"{\"left\":", 1 << 20)),
        ("catboost_classes_many", {
            let classes = json!({ "class_label_type": "Integer", "class_names": (0..70_000).collect::<Vec<_>>(), "classes_count": 70_000 });
            changed("/model_info", "class_params", classes)
        }),
    ]
}
