//! Files of LightGBM: what LightGBM itself answers, on every row of every file; and files that no LightGBM wrote.

use arrow::array::{AsArray, Float64Array, StringArray};
use arrow::datatypes::{DataType, Float64Type};
use foretell_model::{Answer, DeclaredFeature, Error, Limits, LoadOptions, Model, OnRefusedRow};
use foretell_testing::counts::report;
use foretell_testing::pack::version;
use insta::assert_snapshot;

use crate::compare::Tolerance;
use crate::fixtures::{load, text_of};
use crate::reference::Checked;

/// Sums of double precision agree to the bit, and so do the functions of the C library that both call.
const TOLERANCE: Tolerance = Tolerance { relative: 0.0, floor: 0.0 };

#[test]
fn lightgbm_files_answer_as_lightgbm_does() {
    let (fixtures, mut checked) = (load("lightgbm"), Checked::default());
    for fixture in &fixtures {
        checked.check(fixture, &LoadOptions::default(), TOLERANCE);
    }
    report(
        "Files of LightGBM",
        "files",
        &checked.counts(|fixture| format!("LightGBM {}", version("lightgbm", &fixture.name))),
    );
    checked.assert_good();
}

fn text(name: &str) -> String {
    text_of("lightgbm", &format!("{name}.txt"))
}

fn refusal_with(text: &str, options: &LoadOptions) -> String {
    let error = Model::from_bytes(text.as_bytes(), options).expect_err("the file is refused");
    assert!(!matches!(error, Error::Internal(_)), "a broken file is no bug of ours: {error}");
    error.to_string()
}

fn refusal(text: &str) -> String {
    refusal_with(text, &LoadOptions::default())
}

/// What is said of a file of one tree in which the line of a key was changed; `None` takes the line out.
fn changed(key: &str, value: Option<&str>) -> String {
    refusal(&with_line(STUMP, key, value))
}

fn with_line(text: &str, key: &str, value: Option<&str>) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        match (line.split_once('='), value) {
            (Some((found, _)), Some(value)) if found == key => lines.push(format!("{key}={value}")),
            (Some((found, _)), None) if found == key => {}
            _ => lines.push(line.to_string()),
        }
    }
    let changed = lines.join("\n");
    assert_ne!(changed.trim(), text.trim(), "`{key}` is there");
    changed
}

/// Two features, of which the second is categorical; two branches, three leaves.
const STUMP: &str = "\
tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=regression
feature_names=a b
feature_infos=[0:1] 0:1:2
tree_sizes=200

Tree=0
num_leaves=3
num_cat=1
split_feature=0 1
threshold=0.5 0
decision_type=2 1
left_child=-1 -2
right_child=1 -3
leaf_value=1 2 3
cat_boundaries=0 1
cat_threshold=5
is_linear=0
shrinkage=1


end of trees

parameters:
[categorical_feature: 1]
end of parameters
";

#[test]
fn a_sound_file_loads_with_the_line_ends_of_any_system() {
    for text in [STUMP.to_string(), STUMP.replace('\n', "\r\n")] {
        let model = Model::from_bytes(text.as_bytes(), &LoadOptions::default()).expect("nothing is wrong with it");
        let column = |values: Vec<f64>| -> arrow::array::ArrayRef { std::sync::Arc::new(Float64Array::from(values)) };
        let features = [column(vec![0.5, 0.6, 0.6, 0.6]), column(vec![9.0, 2.7, 1.0, f64::NAN])];
        let answers = model.run(&features, 4, &[Answer::Prediction], OnRefusedRow::Fail).expect("rows");
        assert_eq!(answers[0].as_primitive::<Float64Type>().values(), &[1.0, 2.0, 3.0, 3.0]);
    }
}

#[test]
fn headers_that_do_not_fit() {
    assert_snapshot!(changed("version", Some("v5")), @"not a valid LightGBM text model: the header: version `v5` of the format is not known; save the model with LightGBM 2.1 to 4.7");
    assert_snapshot!(changed("version", None), @"not a valid LightGBM text model: the header: `version` is missing");
    assert_snapshot!(changed("num_class", None), @"not a valid LightGBM text model: the header: `num_class` is missing");
    assert_snapshot!(changed("num_class", Some("-1")), @"not a valid LightGBM text model: the header: `num_class` is `-1` instead of a count");
    assert_snapshot!(changed("num_tree_per_iteration", Some("0")), @"not a valid LightGBM text model: 1 trees for 0 trees per iteration");
    assert_snapshot!(changed("num_tree_per_iteration", Some("3")), @"not a valid LightGBM text model: 1 trees for 3 trees per iteration");
    assert_snapshot!(changed("max_feature_idx", Some("7")), @"not a valid LightGBM text model: the header: `feature_names` has 2 names for 8 features");
    assert_snapshot!(changed("max_feature_idx", Some("2147483647")), @"the model has 2147483648 features, the limit is 65536; raise it with `SET foretell.limit_features = ...` if you trust the file");
    assert_snapshot!(changed("max_feature_idx", Some("1e3")), @"not a valid LightGBM text model: the header: `max_feature_idx` is `1e3` instead of a count");
    assert_snapshot!(changed("feature_names", Some("a")), @"not a valid LightGBM text model: the header: `feature_names` has 1 names for 2 features");
    assert_snapshot!(changed("objective", Some("survival:cox")), @"the LightGBM text model has the objective `survival:cox`, which is not supported");
    assert_snapshot!(changed("objective", Some("binary sigmoid:x")), @"not a valid LightGBM text model: the header: the objective's `sigmoid` is `x`");
    assert_snapshot!(changed("objective", Some("binary")), @"not a valid LightGBM text model: the header: the objective has no `sigmoid`");
    assert_snapshot!(changed("objective", Some("multiclass num_class:1")), @"not a valid LightGBM text model: 1 trees per iteration under the objective `multiclass num_class:1`");
    assert_snapshot!(changed("tree_sizes", Some("200 200")), @"not a valid LightGBM text model: 1 trees instead of 2; the file ends early, copy it again");
    assert_snapshot!(refusal(&STUMP.replace("label_index=0", "num_class=2")), @"not a valid LightGBM text model: the header: `num_class` is there twice");
    assert_snapshot!(refusal(&STUMP.replace("Tree=0", "Tree=1")), @"not a valid LightGBM text model: tree 0 calls itself 1");
    assert_snapshot!(refusal("tree\n"), @"not a valid LightGBM text model: the file ends early, before the end of the trees; copy it again");
    assert_snapshot!(refusal(&format!("{}\u{0}{}", &STUMP[..200], &STUMP[200..])), @"not a valid LightGBM text model: tree 0: `split_feature` is missing");
    let broken = [STUMP.as_bytes(), b"\xff"].concat();
    assert_snapshot!(Model::from_bytes(&broken, &LoadOptions::default()).expect_err("no text"), @"not a valid LightGBM text model: the file is not UTF-8 at byte 429");
}

#[test]
fn trees_that_do_not_fit() {
    assert_snapshot!(changed("num_leaves", Some("2147483648")), @"not a valid LightGBM text model: tree 0: `num_leaves` is `2147483648` instead of a count");
    assert_snapshot!(changed("num_leaves", Some("2147483647")), @"not a valid LightGBM text model: tree 0: `leaf_value` has 3 numbers instead of 2147483647");
    assert_snapshot!(changed("num_leaves", Some("0")), @"not a valid LightGBM text model: tree 0: `leaf_value` has 3 numbers instead of 0");
    assert_snapshot!(changed("num_leaves", Some("2")), @"not a valid LightGBM text model: tree 0: `leaf_value` has 3 numbers instead of 2");
    assert_snapshot!(changed("leaf_value", Some("")), @"not a valid LightGBM text model: tree 0: `leaf_value` has 0 numbers instead of 3");
    assert_snapshot!(changed("leaf_value", Some("1 two 3")), @"not a valid LightGBM text model: tree 0: `leaf_value` has `two` at position 1, which is no number that fits");
    assert_snapshot!(changed("leaf_value", None), @"not a valid LightGBM text model: tree 0: `leaf_value` is missing");
    assert_snapshot!(changed("split_feature", Some("0 2")), @"not a valid LightGBM text model: tree 0: node 1: there is no feature 2");
    assert_snapshot!(changed("split_feature", Some("0 99999999999999999999")), @"not a valid LightGBM text model: tree 0: `split_feature` has `99999999999999999999` at position 1, which is no number that fits");
    assert_snapshot!(changed("threshold", Some("nan 0")), @"not a valid LightGBM text model: tree 0: node 0: its threshold is NaN");
    assert_snapshot!(changed("threshold", Some("0.5 1")), @"not a valid LightGBM text model: tree 0: node 1: there is no set of categories 1");
    assert_snapshot!(changed("threshold", Some("0.5 -1")), @"not a valid LightGBM text model: tree 0: node 1: there is no set of categories -1");
    assert_snapshot!(changed("decision_type", Some("14 1")), @"not a valid LightGBM text model: tree 0: node 0: there is no decision type 14");
    assert_snapshot!(changed("decision_type", Some("2 -1")), @"not a valid LightGBM text model: tree 0: `decision_type` has `-1` at position 1, which is no number that fits");
    assert_snapshot!(changed("left_child", Some("-1 5")), @"not a valid LightGBM text model: tree 0: node 1: there is no child 5");
    assert_snapshot!(changed("left_child", Some("-9 -2")), @"not a valid LightGBM text model: tree 0: node 0: there is no child -9");
    assert_snapshot!(changed("left_child", Some("-2147483648 -2")), @"not a valid LightGBM text model: tree 0: node 0: there is no child -2147483648");
    assert_snapshot!(changed("right_child", Some("1 0")), @"not a valid LightGBM text model: node 3 is its own descendant");
    assert_snapshot!(changed("num_cat", Some("2147483647")), @"not a valid LightGBM text model: tree 0: `cat_boundaries` has 2 numbers instead of 2147483648");
    assert_snapshot!(changed("cat_boundaries", Some("0 4294967295")), @"not a valid LightGBM text model: tree 0: `cat_threshold` has 1 numbers instead of 4294967295");
    assert_snapshot!(changed("cat_boundaries", Some("1 0")), @"not a valid LightGBM text model: tree 0: `cat_boundaries` does not rise from 0");
    assert_snapshot!(changed("cat_threshold", Some("4294967296")), @"not a valid LightGBM text model: tree 0: `cat_threshold` has `4294967296` at position 0, which is no number that fits");
    assert_snapshot!(changed("is_linear", Some("1")), @"not a valid LightGBM text model: tree 0: `leaf_const` is missing");
    let linear = |lines: &str| refusal(&STUMP.replace("is_linear=0", &format!("is_linear=1\n{lines}")));
    assert_snapshot!(linear("leaf_const=1 2 3\nnum_features=0 0 4294967295\nleaf_features=\nleaf_coeff="), @"not a valid LightGBM text model: tree 0: `leaf_features` has 0 numbers instead of 4294967295");
    assert_snapshot!(linear("leaf_const=1 2 3\nnum_features=1 0 0\nleaf_features=2\nleaf_coeff=1"), @"not a valid LightGBM text model: feature 2 at position 0: there are only 2");
}

#[test]
fn files_that_end_early() {
    let whole = text("frame");
    assert_snapshot!(refusal(&whole[..whole.find("Tree=3").expect("a tree")]), @"not a valid LightGBM text model: 3 trees instead of 6; the file ends early, copy it again");
    assert_snapshot!(refusal(&whole[..whole.find("end of trees").expect("an end")]), @"not a valid LightGBM text model: the file ends early, before the end of the trees; copy it again");
    assert_snapshot!(refusal(&whole[..whole.find("[num_threads").expect("a parameter")]), @"not a valid LightGBM text model: the file ends early, among the parameters; copy it again");
    assert_snapshot!(refusal(whole.trim_end().strip_suffix("]]").expect("lists")), @"not a valid LightGBM text model: `pandas_categorical` is no list of lists (EOF while parsing a list at line 1 column 132); copy the file again");
}

#[test]
fn more_than_the_limits_allow() {
    let within = |limit: fn(&mut Limits)| {
        let mut limits = Limits::default();
        limit(&mut limits);
        refusal_with(&text("frame_multiclass"), &LoadOptions { limits, ..LoadOptions::default() })
    };
    assert_snapshot!(within(|limits| limits.trees = 2), @"the model has 3 trees, the limit is 2; raise it with `SET foretell.limit_trees = ...` if you trust the file");
    assert_snapshot!(within(|limits| limits.tree_nodes = 20), @"the model has 22 tree nodes, the limit is 20; raise it with `SET foretell.limit_tree_nodes = ...` if you trust the file");
    assert_snapshot!(within(|limits| limits.tree_depth = 1), @"the model has 5 levels of one tree, the limit is 1; raise it with `SET foretell.limit_tree_depth = ...` if you trust the file");
    assert_snapshot!(within(|limits| limits.features = 2), @"the model has 7 features, the limit is 2; raise it with `SET foretell.limit_features = ...` if you trust the file");
    assert_snapshot!(within(|limits| limits.classes = 2), @"the model has 3 classes, the limit is 2; raise it with `SET foretell.limit_classes = ...` if you trust the file");
    assert_snapshot!(within(|limits| limits.string_bytes = 20), @"the model has 134 bytes of strings, the limit is 20; raise it with `SET foretell.limit_string_bytes = ...` if you trust the file");
    assert_snapshot!(within(|limits| limits.file_bytes = 2000), @"the model has 7428 bytes, the limit is 2000; raise it with `SET foretell.limit_file_bytes = ...` if you trust the file");
}

#[test]
fn categories_of_which_nobody_knows_the_feature() {
    let frame = |json: &str| format!("{STUMP}\npandas_categorical:{json}\n");
    assert_snapshot!(refusal(&frame("[[\"x\"]]")), @"the LightGBM text model has the categories of 1 columns of a data frame, and it is not clear which of its 2 features these are; declare the features with their types in CREATE MODEL, or train with columns that are not ordered categories");
    assert_snapshot!(refusal(&frame("[[\"x\", 1, \"z\"]]")), @"the LightGBM text model has categories in list 0 of `pandas_categorical` that are neither all texts nor all numbers");
    assert_snapshot!(refusal(&frame("[[1, 2, 9007199254740993]]")), @"the LightGBM text model has categories in list 0 of `pandas_categorical` that are neither all texts nor all numbers");
    assert_snapshot!(refusal(&frame("{}")), @"not a valid LightGBM text model: `pandas_categorical` is no list of lists (invalid type: map, expected a sequence at line 1 column 0); copy the file again");
    assert_snapshot!(refusal(&with_line(&frame("[[\"x\", \"y\", \"z\"]]"), "feature_infos", Some("[0:1] 0:x"))), @"not a valid LightGBM text model: the header: `feature_infos` is wrong for feature 1");
    // Two columns of ordered categories look alike, until the caller says which one is text.
    let ordered = with_line(&frame("[[\"x\", \"y\"]]"), "feature_infos", Some("[0:1] [0:1]"));
    let ordered = ordered.replace("[categorical_feature: 1]", "[categorical_feature: ]");
    assert_snapshot!(refusal(&ordered), @"the LightGBM text model has the categories of 1 columns of a data frame, and it is not clear which of its 2 features these are; declare the features with their types in CREATE MODEL, or train with columns that are not ordered categories");
    let declared = |name: &str, data_type| DeclaredFeature { name: name.to_string(), data_type: Some(data_type) };
    let features = vec![declared("a", DataType::Float64), declared("b", DataType::Utf8)];
    let options = LoadOptions { features: Some(features), ..LoadOptions::default() };
    let model = Model::from_bytes(ordered.as_bytes(), &options).expect("now it is clear");
    let types: Vec<_> = model.signature().features.iter().map(|feature| feature.data_type.clone()).collect();
    assert_eq!(types, [DataType::Float64, DataType::Utf8]);
}

#[test]
fn a_null_text_is_missing_and_no_category() {
    let text = format!("{STUMP}\npandas_categorical:[[\"\", \"y\", \"z\"]]\n");
    let model = Model::from_bytes(text.as_bytes(), &LoadOptions::default()).expect("a sound file");
    let numbers = std::sync::Arc::new(Float64Array::from(vec![1.0; 4])) as arrow::array::ArrayRef;
    let texts = std::sync::Arc::new(StringArray::from(vec![Some(""), Some("y"), None, Some("unknown")]));
    let answers = model.run(&[numbers, texts], 4, &[Answer::Prediction], OnRefusedRow::Fail).expect("rows");
    assert_eq!(answers[0].as_primitive::<Float64Type>().values(), &[2.0, 3.0, 3.0, 3.0]);
}

#[test]
fn any_damage_is_an_error_and_no_panic() {
    for name in ["frame_text", "linear_stump", "missing_zero_number"] {
        let whole = text(name);
        let sound = Model::from_bytes(whole.as_bytes(), &LoadOptions::default()).expect("a sound file");
        for end in (0..whole.len()).step_by(10).filter(|&end| whole.is_char_boundary(end)) {
            // What stands behind the trees may be missing, as in files of other programs, but nothing of a tree.
            if let Ok(model) = Model::from_bytes(&whole.as_bytes()[..end], &LoadOptions::default()) {
                assert!(end > whole.find("end of trees").expect("an end"), "{name} cut at byte {end}");
                assert_eq!(model.signature().prediction, sound.signature().prediction);
            }
        }
        let trees = whole.find("Tree=0").expect("a tree")..whole.find("end of trees").expect("an end");
        for position in trees.step_by(11) {
            for byte in *b"0-= \n9" {
                let mut damaged = whole.clone().into_bytes();
                damaged[position] = byte;
                if let Err(error) = Model::from_bytes(&damaged, &LoadOptions::default()) {
                    assert!(!matches!(error, Error::Internal(_)), "{name}, byte {position}: {error}");
                }
            }
        }
    }
}
