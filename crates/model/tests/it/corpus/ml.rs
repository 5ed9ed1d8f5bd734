//! Hostile files of ai.onnx.ml: trees, tables and expressions.

use tract_onnx::pb::AttributeProto;
use tract_onnx::pb::tensor_proto::DataType as Element;

use super::files::{of, one};
use crate::files::{encode, float, floats, input, int, ints, model, node, text, texts, tree};

/// A regressor with a list of its nodes or leaves replaced.
fn changed_tree(name: &str, values: &[i64]) -> Vec<u8> {
    let mut changed = tree(&[Some((1, 2)), None, None]);
    let attribute = changed.attribute.iter_mut().find(|attribute| attribute.name == name).expect("a list");
    if attribute.ints.is_empty() {
        attribute.i = values[0]
    } else {
        attribute.ints = values.to_vec()
    }
    of(vec![changed], vec![])
}

fn tree_of(children: &[Option<(i64, i64)>]) -> Vec<u8> {
    of(vec![tree(children)], vec![])
}

/// The attributes with some of them replaced.
fn replaced(sound: Vec<AttributeProto>, others: &[AttributeProto]) -> Vec<AttributeProto> {
    let stays = |attribute: &AttributeProto| others.iter().all(|other| other.name != attribute.name);
    sound.into_iter().filter(stays).chain(others.iter().cloned()).collect()
}

/// Ensembles that are none.
pub fn trees() -> Vec<(&'static str, Vec<u8>)> {
    let chain = |length: i64| -> Vec<Option<(i64, i64)>> {
        let branches = (0..length).flat_map(|at| [Some((2 * at + 1, 2 * at + 2)), None]);
        branches.chain([None]).collect()
    };
    // Both children of each node are the next one: few nodes, and more ways than can be counted.
    let braid: Vec<Option<(i64, i64)>> = (0..1_000).map(|at| Some((at + 1, at + 1))).chain([None]).collect();
    let mut forest = tree(&vec![None; 100_001]);
    let ids: Vec<i64> = (0..100_001).collect();
    for attribute in &mut forest.attribute {
        match attribute.name.as_str() {
            "nodes_treeids" | "target_treeids" => attribute.ints.clone_from(&ids),
            "nodes_nodeids" | "target_nodeids" => attribute.ints.fill(0),
            _ => {}
        }
    }
    let mut not_a_number = tree(&[Some((1, 2)), None, None]);
    not_a_number
        .attribute
        .iter_mut()
        .filter(|attribute| attribute.name == "nodes_values")
        .for_each(|attribute| attribute.floats.fill(f32::NAN));
    vec![
        ("trees", of(vec![forest], vec![])),
        ("tree_depth", tree_of(&chain(5_000))),
        ("tree_with_a_loop", tree_of(&[Some((1, 2)), Some((0, 2)), None])),
        ("tree_that_is_a_loop", tree_of(&[Some((0, 0))])),
        ("odd_tree_braided", tree_of(&braid)),
        ("tree_without_leaves", tree_of(&[Some((1, 1)), Some((0, 0))])),
        ("tree_child_outside", tree_of(&[Some((1, i64::MAX)), None])),
        ("tree_child_negative", tree_of(&[Some((1, -1)), None])),
        ("odd_tree_thresholds_are_nan", of(vec![not_a_number], vec![])),
        ("tree_node_twice", changed_tree("nodes_nodeids", &[0, 1, 1])),
        ("tree_feature_outside", changed_tree("nodes_featureids", &[i64::MAX, 0, 0])),
        ("tree_feature_negative", changed_tree("nodes_featureids", &[-1, 0, 0])),
        ("tree_feature_of_a_giant", changed_tree("nodes_featureids", &[1 << 31, 0, 0])),
        ("tree_targets_many", changed_tree("n_targets", &[i64::MAX])),
        ("tree_targets_negative", changed_tree("n_targets", &[-1])),
        ("tree_targets_below_the_limit", changed_tree("n_targets", &[1 << 20])),
        ("tree_target_outside", changed_tree("target_ids", &[0, i64::MAX])),
        ("tree_leaf_outside", changed_tree("target_nodeids", &[1, 1 << 40])),
    ]
}

/// Tables, machines and texts that do not fit together.
pub fn tables() -> Vec<(&'static str, Vec<u8>)> {
    let classes: Vec<String> = (0..65_537).map(|at| at.to_string()).collect();
    let classes = texts("classlabels_strings", &classes.iter().map(String::as_str).collect::<Vec<_>>());
    let machine = |supports: &[i64], attributes: Vec<AttributeProto>| {
        let sound = vec![
            floats("coefficients", &[1.0, -1.0]),
            floats("support_vectors", &[0.0, 1.0, 2.0, 3.0]),
            ints("vectors_per_class", supports),
            ints("classlabels_ints", &[0, 1]),
            floats("rho", &[0.5]),
            floats("kernel_params", &[1.0, 0.0, 3.0]),
            text("kernel_type", "RBF"),
        ];
        one("ai.onnx.ml.SVMClassifier", replaced(sound, &attributes))
    };
    let words = |attributes: Vec<AttributeProto>| {
        let sound = vec![
            ints("ngram_counts", &[0]),
            ints("ngram_indexes", &[0, 1]),
            ints("pool_int64s", &[1, 2]),
            int("max_gram_length", 1),
            int("min_gram_length", 1),
            int("max_skip_count", 0),
            text("mode", "TF"),
        ];
        let index = node("Cast", &["x"], "i", vec![int("to", Element::Int64 as i64)]);
        of(vec![index, node("TfIdfVectorizer", &["i"], "y", replaced(sound, &attributes))], vec![])
    };
    let of_text = |operator: &str, attributes| {
        let mut file = model(1, vec![node(operator, &["x"], "y", attributes)], vec![]);
        file.graph.as_mut().expect("a graph").input = vec![input("x", Element::String, &[None, Some(1)])];
        encode(&file)
    };
    vec![
        ("classes", one("ai.onnx.ml.LinearClassifier", vec![classes, floats("coefficients", &[1.0, 2.0])])),
        ("classes_none", one("ai.onnx.ml.LinearClassifier", vec![floats("coefficients", &[1.0, 2.0])])),
        (
            "linear_targets_many",
            one("ai.onnx.ml.LinearRegressor", vec![floats("coefficients", &[1.0, 2.0]), int("targets", i64::MAX)]),
        ),
        (
            "linear_targets_negative",
            one("ai.onnx.ml.LinearRegressor", vec![floats("coefficients", &[1.0, 2.0]), int("targets", i64::MIN)]),
        ),
        ("svm_vectors_many", machine(&[i64::MAX, 1], vec![])),
        ("svm_vectors_negative", machine(&[-1, 3], vec![])),
        ("svm_vectors_that_add_over", machine(&[i64::MAX, i64::MAX], vec![])),
        (
            "svm_supports_many",
            one(
                "ai.onnx.ml.SVMRegressor",
                vec![
                    int("n_supports", i64::MAX),
                    floats("coefficients", &[1.0]),
                    floats("support_vectors", &[1.0, 2.0]),
                    floats("rho", &[0.0]),
                ],
            ),
        ),
        (
            "svm_supports_none",
            one(
                "ai.onnx.ml.SVMRegressor",
                vec![
                    int("n_supports", 0),
                    floats("coefficients", &[]),
                    floats("support_vectors", &[]),
                    floats("rho", &[0.0]),
                ],
            ),
        ),
        ("scaler_of_another_width", one("ai.onnx.ml.Scaler", vec![floats("offset", &[0.0; 3])])),
        ("imputer_of_nothing", one("ai.onnx.ml.Imputer", vec![float("replaced_value_float", f32::NAN)])),
        (
            "label_encoder_of_two_lengths",
            one("ai.onnx.ml.LabelEncoder", vec![floats("keys_floats", &[1.0]), floats("values_floats", &[])]),
        ),
        ("zip_map_of_other_classes", one("ai.onnx.ml.ZipMap", vec![ints("classlabels_int64s", &[1, 2, 3])])),
        ("words_index_outside", words(vec![ints("ngram_indexes", &[i64::MAX, 0])])),
        ("words_index_of_a_giant", words(vec![ints("ngram_indexes", &[1 << 30, 0])])),
        ("words_count_outside", words(vec![ints("ngram_counts", &[i64::MIN, i64::MAX])])),
        ("words_long", words(vec![int("max_gram_length", i64::MAX)])),
        ("words_skip", words(vec![int("max_skip_count", i64::MAX)])),
        ("expression_that_explodes", of_text("RegexFullMatch", vec![text("pattern", "((a{100}){100}){100}")])),
        ("expression_broken", of_text("RegexFullMatch", vec![text("pattern", "(")])),
        ("expression_deep", of_text("RegexFullMatch", vec![text("pattern", &"(".repeat(100_000))])),
        (
            "tokens_that_explode",
            of_text(
                "com.microsoft.Tokenizer",
                vec![
                    text("tokenexp", "((a{100}){100}){100}"),
                    text("pad_value", "#"),
                    int("mark", 0),
                    int("mincharnum", 1),
                ],
            ),
        ),
    ]
}
