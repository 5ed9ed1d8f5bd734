//! Files of CatBoost.

use serde_json::{Value, json};

use super::{FEATURES_MAX, TREES_MAX, Tree, list};
use crate::dice::Dice;

const LOSSES: [&str; 8] =
    ["RMSE", "Logloss", "MultiClass", "MultiClassOneVsAll", "Poisson", "RMSEWithUncertainty", "MultiLogloss", "?"];
const KINDS: [&str; 5] = ["Borders", "Buckets", "Counter", "BinarizedTargetMeanValue", "?"];
const TREATMENTS: [&str; 4] = ["AsIs", "AsTrue", "AsFalse", "?"];
const LABELS: [&str; 5] = ["Integer", "String", "Float", "Bool", "?"];

/// A file.
pub fn file(dice: &mut Dice) -> Value {
    let (numbers, categories) = (1 + dice.below(FEATURES_MAX), dice.below(2));
    let loss = *dice.pick(&LOSSES);
    let outputs = if loss.starts_with("Multi") { 1 + dice.below(3) } else { 1 + usize::from(loss.contains("With")) };
    let borders: Vec<Vec<f32>> = (0..numbers).map(|_| list(dice, 2, |dice, _| dice.float())).collect();
    let values: Vec<Vec<i64>> = (0..categories).map(|_| list(dice, 1, |dice, _| dice.integer())).collect();
    let ctrs: Vec<Value> = (0..dice.below(2) * categories).map(|_| ctr(dice)).collect();
    let questions = borders.iter().map(Vec::len).chain(values.iter().map(Vec::len)).sum::<usize>() + 2 * ctrs.len();
    let float_features = list(dice, numbers, |dice, at| {
        let treatments = if dice.is_rare() { &TREATMENTS[..] } else { &TREATMENTS[..3] };
        json!({
            "borders": borders.get(at), "feature_id": "a", "feature_index": dice.nearly(at as i64),
            "flat_feature_index": dice.nearly(at as i64), "has_nans": dice.is_head(),
            "nan_value_treatment": *dice.pick(treatments),
        })
    });
    let categorical_features = list(dice, categories, |dice, at| {
        json!({
            "values": values.get(at), "feature_id": "c", "feature_index": dice.nearly(at as i64),
            "flat_feature_index": dice.nearly((numbers + at) as i64),
        })
    });
    let mut file = json!({
        "features_info": {
            "float_features": float_features, "categorical_features": categorical_features, "ctrs": ctrs,
        },
        "model_info": { "params": { "loss_function": { "type": loss } } },
        "scale_and_bias": [dice.float(), list(dice, outputs, |dice, _| dice.float())],
    });
    if !ctrs.is_empty() {
        file["ctr_data"] = json!({ "k": table(dice) });
    }
    if loss.starts_with("MultiClass") || loss == "Logloss" || dice.is_rare() {
        file["model_info"]["class_params"] = labels(dice, outputs.max(2));
    }
    let trees = dice.below(TREES_MAX + 1);
    match dice.is_head() {
        true => file["oblivious_trees"] = (0..trees).map(|_| oblivious(dice, questions, outputs)).collect(),
        false => {
            let forest: Vec<Tree> = (0..trees).map(|_| Tree::random(dice)).collect();
            file["trees"] = forest.iter().map(|tree| node(dice, tree, 0, questions, outputs)).collect();
        }
    }
    file
}

fn labels(dice: &mut Dice, count: usize) -> Value {
    json!({
        "class_label_type": *dice.pick(&LABELS),
        "class_names": list(dice, count, |dice, at| if dice.is_rare() { json!("x") } else { json!(at) }),
        "class_to_label": list(dice, count, |dice, at| dice.nearly(at as i64)),
        "classes_count": dice.nearly(count as i64),
    })
}

fn ctr(dice: &mut Dice) -> Value {
    json!({
        "identifier": if dice.is_rare() { "?" } else { "k" },
        "elements": [{ "combination_element": "cat_feature_value", "cat_feature_index": dice.nearly(0) }],
        "ctr_type": *dice.pick(&KINDS),
        "borders": list(dice, 2, |dice, _| dice.float()),
        "prior_numerator": dice.float(), "prior_denomerator": dice.float(),
        "shift": dice.float(), "scale": dice.float(), "target_border_idx": dice.nearly(0),
    })
}

/// The numbers of two keys, at least.
fn table(dice: &mut Dice) -> Value {
    let stride = 2 + dice.below(2);
    const KEYS: [&str; 4] = ["1", "18446744073709551615", "2", "x"];
    let keys = if dice.is_rare() { &KEYS[..] } else { &KEYS[..3] };
    let cells = list(dice, 2 * stride, |dice, at| match at % stride {
        0 => json!(*dice.pick(keys)),
        _ => json!(dice.integer()),
    });
    json!({ "hash_map": cells, "hash_stride": dice.nearly(stride as i64), "counter_denominator": dice.integer() })
}

fn oblivious(dice: &mut Dice, questions: usize, outputs: usize) -> Value {
    let splits = list(dice, 2, |dice, _| question(dice, questions));
    json!({ "leaf_values": list(dice, outputs << splits.len(), |dice, _| dice.float()), "splits": splits })
}

fn question(dice: &mut Dice, questions: usize) -> Value {
    let index = dice.below(questions) as i64;
    json!({ "split_index": dice.nearly(index) })
}

fn node(dice: &mut Dice, tree: &Tree, at: usize, questions: usize, outputs: usize) -> Value {
    match tree.children[at] {
        Some([left, right]) => json!({
            "split": question(dice, questions),
            "left": node(dice, tree, left, questions, outputs),
            "right": node(dice, tree, right, questions, outputs),
        }),
        None if outputs == 1 => json!({ "value": dice.float() }),
        None => json!({ "value": list(dice, outputs, |dice, _| dice.float()) }),
    }
}
