//! Files of XGBoost.

use serde_json::{Value, json};

use super::{FEATURES_MAX, TREES_MAX, Tree, list};
use crate::dice::Dice;
use crate::operators::TEXTS;

const OBJECTIVES: [&str; 9] = [
    "reg:squarederror",
    "binary:logistic",
    "multi:softprob",
    "multi:softmax",
    "binary:hinge",
    "count:poisson",
    "rank:ndcg",
    "reg:logistic",
    "?",
];
const ODD_TEXTS: [&str; 8] = ["", "-1", "nan", "1e400", "4294967295", "4294967296", "[5E-1,1E0]", "0.5"];

/// A file.
pub fn file(dice: &mut Dice) -> Value {
    let features = 1 + dice.below(FEATURES_MAX);
    let outputs = if dice.is_head() { 1 } else { 1 + dice.below(3) };
    let objective = *dice.pick(&OBJECTIVES);
    let (classes, targets) = if objective.starts_with("multi") { (outputs, 1) } else { (0, outputs) };
    let is_vector = outputs > 1 && dice.is_head();
    let mut attributes = json!({});
    if dice.is_rare() {
        attributes["best_iteration"] = number(dice, 0);
        attributes["scikit_learn"] = json!(*dice.pick(&["{\"_estimator_type\": \"classifier\"}", "{}", "[", ""]));
    }
    json!({
        "learner": {
            "attributes": attributes,
            "feature_names": list(dice, if features % 2 == 0 { features } else { 0 }, |_, at| format!("n{at}")),
            "feature_types": [],
            "gradient_booster": booster(dice, features, outputs, is_vector),
            "learner_model_param": {
                "base_score": if dice.is_rare() { json!(*dice.pick(&ODD_TEXTS)) } else { json!("5E-1") },
                "num_class": number(dice, classes),
                "num_feature": number(dice, features),
                "num_target": number(dice, targets),
            },
            "objective": { "name": objective },
        },
        "version": list(dice, 3, |dice, at| dice.nearly([3, 0, 5][at % 3])),
    })
}

/// A number as text.
fn number(dice: &mut Dice, number: usize) -> Value {
    if dice.is_rare() { json!(*dice.pick(&ODD_TEXTS)) } else { json!(number.to_string()) }
}

fn booster(dice: &mut Dice, features: usize, outputs: usize, is_vector: bool) -> Value {
    if dice.is_rare() {
        let weights = list(dice, (features + 1) * outputs, |dice, _| dice.float());
        return json!({ "name": "gblinear", "model": { "weights": weights } });
    }
    let count = dice.below(TREES_MAX + 1);
    let trees: Vec<Value> =
        (0..count).map(|at| tree(dice, at, features, if is_vector { outputs } else { 1 })).collect();
    let mut model = json!({
        "gbtree_model_param": { "num_parallel_tree": number(dice, 1), "num_trees": number(dice, count) },
        "tree_info": list(dice, count, |dice, at| dice.nearly(if is_vector { 0 } else { (at % outputs) as i64 })),
        "trees": trees,
    });
    if dice.is_head() {
        model["iteration_indptr"] = json!(list(dice, count + 1, |dice, at| dice.nearly(at as i64)));
    }
    if dice.is_rare() {
        model["cats"] = json!({ "enc": list(dice, features, |dice, _| categories(dice)) });
    }
    if dice.is_rare() {
        let factors = list(dice, count, |dice, _| dice.float());
        return json!({ "name": "dart", "gbtree": { "model": model }, "weight_drop": factors });
    }
    json!({ "name": "gbtree", "model": model })
}

/// The categories of a feature: texts end to end, or numbers.
fn categories(dice: &mut Dice) -> Value {
    if dice.is_head() {
        return json!({ "values": list(dice, 3, |dice, _| dice.integer()) });
    }
    let texts: Vec<&str> = (0..dice.below(4)).map(|_| *dice.pick(&TEXTS)).collect();
    let ends = texts.iter().scan(0, |end, text| {
        *end += text.len() as i64;
        Some(*end)
    });
    let ends: Vec<i64> = std::iter::once(0).chain(ends).map(|end| dice.nearly(end)).collect();
    let bytes: Vec<i8> = texts.concat().bytes().map(|byte| byte as i8).collect();
    json!({ "offsets": ends, "values": bytes })
}

fn tree(dice: &mut Dice, at: usize, features: usize, size: usize) -> Value {
    let tree = Tree::random(dice);
    let nodes = tree.len();
    let left = list(dice, nodes, |dice, node| child(dice, &tree, 0, node));
    let right = list(dice, nodes, |dice, node| child(dice, &tree, 1, node));
    let is_categorical = dice.is_rare();
    let branches: Vec<usize> = (0..nodes).filter(|&node| tree.children[node].is_some()).collect();
    let asked = if is_categorical { branches.len() } else { 0 };
    json!({
        "id": dice.nearly(at as i64),
        "left_children": left,
        "right_children": right,
        "split_indices": list(dice, nodes, |dice, _| {
            let feature = dice.below(features) as i64;
            dice.nearly(feature)
        }),
        "split_conditions": list(dice, nodes, |dice, _| dice.float()),
        "default_left": list(dice, nodes, |dice, _| dice.below(2)),
        "split_type": list(dice, nodes, |_, node| i32::from(is_categorical && tree.children[node % nodes].is_some())),
        "categories": list(dice, 2 * asked, |dice, at| dice.nearly(at as i64)),
        "categories_nodes": list(dice, asked, |dice, at| dice.nearly(branches.get(at).map_or(0, |&node| node as i64))),
        "categories_segments": list(dice, asked, |dice, at| dice.nearly(2 * at as i64)),
        "categories_sizes": list(dice, asked, |dice, _| dice.nearly(2)),
        "tree_param": { "num_nodes": number(dice, nodes), "size_leaf_vector": number(dice, size) },
        "base_weights": list(dice, nodes * size, |dice, _| dice.float()),
    })
}

fn child(dice: &mut Dice, tree: &Tree, side: usize, node: usize) -> i64 {
    match &tree.children[node % tree.len()] {
        Some(children) => dice.nearly(children[side] as i64),
        None => dice.nearly(-1),
    }
}
