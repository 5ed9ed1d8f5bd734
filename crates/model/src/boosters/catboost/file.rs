//! What a file holds, as far as a prediction needs it.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::encoding::shortened;

/// A file.
#[derive(Debug, Deserialize)]
pub(super) struct File {
    pub(super) features_info: FeaturesInfo,
    #[serde(default)]
    pub(super) model_info: ModelInfo,
    /// Trees that ask the same on every branch of a level.
    pub(super) oblivious_trees: Option<Vec<ObliviousTree>>,
    /// Any other trees.
    pub(super) trees: Option<Vec<TreeNode>>,
    /// A factor, and what is added for each output.
    pub(super) scale_and_bias: Option<Vec<Numbers>>,
    /// Statistics of categories, by their identifier.
    pub(super) ctr_data: Option<BTreeMap<String, CtrData>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FeaturesInfo {
    #[serde(default)]
    pub(super) float_features: Vec<FloatFeature>,
    #[serde(default)]
    pub(super) categorical_features: Vec<CategoricalFeature>,
    #[serde(default)]
    pub(super) ctrs: Vec<Ctr>,
}

/// What a feature is called: by the pool that the file was saved with, else by the training.
#[derive(Debug, Deserialize)]
pub(super) struct FloatFeature {
    /// Position among the features of its kind.
    pub(super) feature_index: u32,
    /// Position among all features.
    pub(super) flat_feature_index: u32,
    #[serde(default)]
    pub(super) feature_id: String,
    pub(super) feature_name: Option<String>,
    #[serde(default)]
    pub(super) borders: Vec<f32>,
    #[serde(default)]
    pub(super) has_nans: bool,
    pub(super) nan_value_treatment: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CategoricalFeature {
    pub(super) feature_index: u32,
    pub(super) flat_feature_index: u32,
    #[serde(default)]
    pub(super) feature_id: String,
    pub(super) feature_name: Option<String>,
    /// Hashes of the categories that trees ask for directly.
    #[serde(default)]
    pub(super) values: Vec<i32>,
}

/// A statistic of categories, as a feature of the trees.
#[derive(Debug, Deserialize)]
pub(super) struct Ctr {
    /// Key of the numbers in `ctr_data`.
    pub(super) identifier: String,
    pub(super) elements: Vec<Element>,
    pub(super) ctr_type: String,
    pub(super) borders: Vec<f32>,
    pub(super) prior_numerator: f32,
    /// So the file spells it.
    #[serde(rename = "prior_denomerator")]
    pub(super) prior_denominator: f32,
    pub(super) shift: f32,
    pub(super) scale: f32,
    #[serde(default)]
    pub(super) target_border_idx: u32,
}

/// A part of what a statistic is about.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Element {
    pub(super) combination_element: String,
    pub(super) cat_feature_index: Option<u32>,
    pub(super) float_feature_index: Option<u32>,
    pub(super) border: Option<f32>,
    pub(super) value: Option<i32>,
}

/// The numbers of a statistic: a key, and behind it `hash_stride - 1` numbers, again and again.
#[derive(Debug, Deserialize)]
pub(super) struct CtrData {
    pub(super) hash_map: Vec<Cell>,
    pub(super) hash_stride: u32,
    #[serde(default)]
    pub(super) counter_denominator: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct ObliviousTree {
    pub(super) leaf_values: Vec<f64>,
    /// `null` for a tree of one leaf.
    pub(super) splits: Option<Vec<Split>>,
}

/// A leaf with a value, or a branch.
#[derive(Debug, Deserialize)]
pub(super) struct TreeNode {
    pub(super) value: Option<Numbers>,
    pub(super) split: Option<Split>,
    pub(super) left: Option<Box<TreeNode>>,
    pub(super) right: Option<Box<TreeNode>>,
}

/// A question of a tree. Its index tells which one; the rest says the same once more, where it does.
#[derive(Debug, Deserialize)]
pub(super) struct Split {
    pub(super) split_index: u32,
    pub(super) border: Option<f32>,
    pub(super) value: Option<i32>,
}

/// One number, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Numbers {
    One(f64),
    Many(Vec<f64>),
}

impl Numbers {
    pub(super) fn as_slice(&self) -> &[f64] {
        match self {
            Self::One(number) => std::slice::from_ref(number),
            Self::Many(numbers) => numbers,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ModelInfo {
    #[serde(default)]
    pub(super) catboost_version_info: String,
    /// The probability above which the second of two classes is predicted.
    pub(super) binclass_probability_threshold: Option<String>,
    pub(super) class_params: Option<ClassParams>,
    /// The loss in JSON, when there is no training with parameters, as for a sum of models.
    pub(super) loss_function: Option<String>,
    pub(super) params: Option<Params>,
}

/// The labels of a classifier.
#[derive(Debug, Deserialize)]
pub(super) struct ClassParams {
    #[serde(default)]
    pub(super) class_label_type: String,
    #[serde(default)]
    pub(super) class_names: Vec<Value>,
    /// Position of each output among the labels.
    #[serde(default)]
    pub(super) class_to_label: Vec<f64>,
    #[serde(default)]
    pub(super) classes_count: u32,
}

/// The parameters of the training.
#[derive(Debug, Deserialize)]
pub(super) struct Params {
    pub(super) loss_function: Option<LossFunction>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LossFunction {
    #[serde(rename = "type")]
    pub(super) name: String,
}

/// A cell of the flat list behind a statistic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell {
    /// A key, which the file has as text.
    Key(u64),
    Number(f64),
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CellVisitor;

        impl Visitor<'_> for CellVisitor {
            type Value = Cell;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a key as text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Cell, E> {
                text.parse().map(Cell::Key).map_err(|_| E::custom(format!("`{}` is no key", shortened(text))))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Cell, E> {
                Ok(Cell::Number(number as f64))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Cell, E> {
                Ok(Cell::Number(number))
            }
        }

        deserializer.deserialize_any(CellVisitor)
    }
}
