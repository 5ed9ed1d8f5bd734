//! Files of LightGBM.

use std::fmt::{Display, Write};

use super::{FEATURES_MAX, TREES_MAX, Tree, list};
use crate::dice::Dice;

const OBJECTIVES: [&str; 10] = [
    "regression",
    "binary sigmoid:1",
    "multiclass num_class:2",
    "multiclassova num_class:2 sigmoid:1",
    "regression sqrt",
    "poisson",
    "cross_entropy_lambda",
    "custom",
    "binary sigmoid:nan",
    "?",
];
const INFOS: [&str; 5] = ["[0:2]", "none", "0:1:2", "[-1:1.5]", "[nan:inf]"];
const LISTS: [&str; 5] = ["null", "[[\"a\", \"b\", \"c\"]]", "[[0, 1, 2]]", "[[], [true]]", "[["];
const ODD: [&str; 8] = ["nan", "-inf", "1e400", "", "2147483648", "-2147483648", "x", "1_0"];

/// A file.
pub fn file(dice: &mut Dice) -> String {
    let features = 1 + dice.below(FEATURES_MAX);
    let objective = *dice.pick(&OBJECTIVES);
    let outputs = if objective.contains("num_class") { 2 } else { 1 };
    let trees = dice.below(TREES_MAX + 1) * outputs;
    let mut text = String::from("tree\nversion=v4\n");
    line(&mut text, "num_class", &[one(dice, outputs)]);
    line(&mut text, "num_tree_per_iteration", &[one(dice, outputs)]);
    line(&mut text, "max_feature_idx", &[one(dice, features - 1)]);
    line(&mut text, "objective", &[objective]);
    if dice.is_rare() {
        text.push_str("average_output\n");
    }
    line(&mut text, "feature_names", &list(dice, features, |_, at| format!("Column_{at}")));
    line(&mut text, "feature_infos", &list(dice, features, |dice, _| *dice.pick(&INFOS)));
    line(&mut text, "tree_sizes", &list(dice, trees, |_, _| 1));
    for at in 0..trees {
        tree(dice, &mut text, at, features);
    }
    text.push_str("\nend of trees\n\nparameters:\n[categorical_feature: 0]\nend of parameters\n\n");
    if dice.is_head() {
        line(&mut text, "pandas_categorical:", &[*dice.pick(&LISTS)]);
        text = text.replace("categorical:=", "categorical:");
    }
    text
}

fn line(text: &mut String, key: &str, values: &[impl Display]) {
    text.push_str(key);
    for (at, value) in values.iter().enumerate() {
        let separator = if at == 0 { '=' } else { ' ' };
        write!(text, "{separator}{value}").expect("memory");
    }
    if values.is_empty() {
        text.push('=');
    }
    text.push('\n');
}

/// A number, rarely something else.
fn one(dice: &mut Dice, number: impl Display) -> String {
    if dice.is_rare() { dice.pick(&ODD).to_string() } else { number.to_string() }
}

fn tree(dice: &mut Dice, text: &mut String, at: usize, features: usize) {
    let tree = Tree::random(dice);
    // Branches and leaves are numbered apart; a leaf is a negative number.
    let (mut branches, mut leaves) = (0_i64, 0_i64);
    let numbers: Vec<i64> = tree
        .children
        .iter()
        .map(|children| {
            let counter = if children.is_some() { &mut branches } else { &mut leaves };
            *counter += 1;
            if children.is_some() { *counter - 1 } else { -*counter }
        })
        .collect();
    let inner: Vec<[usize; 2]> = tree.children.iter().flatten().copied().collect();
    let count = inner.len();
    let child = |dice: &mut Dice, side: usize, at: usize| {
        let number = inner.get(at).map_or(0, |children| numbers[children[side]]);
        let number = dice.nearly(number);
        one(dice, number)
    };
    let sets = if dice.is_rare() { 1 + dice.below(2) } else { 0 };
    writeln!(text, "\nTree={at}").expect("memory");
    line(text, "num_leaves", &[one(dice, leaves)]);
    line(text, "num_cat", &[one(dice, sets)]);
    line(
        text,
        "split_feature",
        &list(dice, count, |dice, _| {
            let feature = dice.below(features);
            one(dice, feature)
        }),
    );
    line(
        text,
        "threshold",
        &list(dice, count, |dice, _| {
            let threshold = dice.float();
            if sets > 0 { dice.nearly(0).to_string() } else { one(dice, threshold) }
        }),
    );
    line(
        text,
        "decision_type",
        &list(dice, count, |dice, _| {
            let kind = if sets > 0 { 1 } else { 2 * dice.below(8) };
            one(dice, kind)
        }),
    );
    line(text, "left_child", &list(dice, count, |dice, at| child(dice, 0, at)));
    line(text, "right_child", &list(dice, count, |dice, at| child(dice, 1, at)));
    line(
        text,
        "leaf_value",
        &list(dice, leaves as usize, |dice, _| {
            let value = dice.float();
            one(dice, value)
        }),
    );
    if sets > 0 {
        line(text, "cat_boundaries", &list(dice, sets + 1, |dice, at| dice.nearly(at as i64)));
        line(text, "cat_threshold", &list(dice, sets, |dice, _| dice.nearly(5)));
    }
    linear_leaves(dice, text, leaves as usize);
    text.push_str("shrinkage=1\n\n");
}

/// Leaves with a model each, rarely.
fn linear_leaves(dice: &mut Dice, text: &mut String, leaves: usize) {
    let is_linear = dice.is_rare();
    line(text, "is_linear", &[i32::from(is_linear)]);
    if is_linear {
        line(text, "leaf_const", &list(dice, leaves, |dice, _| dice.float()));
        line(text, "num_features", &list(dice, leaves, |dice, _| dice.nearly(1)));
        line(text, "leaf_features", &list(dice, leaves, |dice, _| dice.nearly(0)));
        line(text, "leaf_coeff", &list(dice, leaves, |dice, _| dice.float()));
    }
}
