//! What is read of a file, in its own words. Everything else in it is passed over.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

#[derive(Debug, Deserialize)]
pub(super) struct File {
    pub(super) learner: Learner,
    pub(super) version: Vec<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Learner {
    #[serde(default)]
    pub(super) attributes: Attributes,
    #[serde(default)]
    pub(super) feature_names: Vec<String>,
    #[serde(default)]
    pub(super) feature_types: Vec<String>,
    pub(super) gradient_booster: Booster,
    pub(super) learner_model_param: ModelParam,
    pub(super) objective: Objective,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Attributes {
    pub(super) scikit_learn: Option<String>,
    pub(super) best_iteration: Option<String>,
}

/// Numbers are written as text here.
#[derive(Debug, Deserialize)]
pub(super) struct ModelParam {
    pub(super) base_score: String,
    pub(super) num_class: String,
    pub(super) num_feature: String,
    pub(super) num_target: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Objective {
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Booster {
    pub(super) name: String,
    /// Of `gbtree` and `gblinear`.
    pub(super) model: Option<Model>,
    /// Of `dart`.
    pub(super) gbtree: Option<Inner>,
    /// Of `dart`: a factor for each tree.
    pub(super) weight_drop: Option<Vec<f32>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Inner {
    pub(super) model: Model,
}

#[derive(Debug, Deserialize)]
pub(super) struct Model {
    pub(super) gbtree_model_param: Option<TreesParam>,
    #[serde(default)]
    pub(super) trees: Vec<Tree>,
    /// The output that each tree is for.
    #[serde(default)]
    pub(super) tree_info: Vec<u32>,
    /// Where the trees of each round begin, and the end; since version 2.0.
    pub(super) iteration_indptr: Option<Vec<u64>>,
    /// Since version 3.1.
    pub(super) cats: Option<Cats>,
    /// Of `gblinear`: by feature and output, the biases last.
    pub(super) weights: Option<Vec<f32>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TreesParam {
    pub(super) num_parallel_tree: Option<String>,
}

/// The categories of a data frame.
#[derive(Debug, Deserialize)]
pub(super) struct Cats {
    /// For each feature; empty for one that has none.
    pub(super) enc: Vec<Encoded>,
}

/// Texts one behind the other, or numbers.
#[derive(Debug, Deserialize)]
pub(super) struct Encoded {
    pub(super) offsets: Option<Vec<u32>>,
    /// Bytes of the texts as signed integers, or the numbers.
    pub(super) values: Vec<i64>,
}

/// A tree as lists over its nodes.
#[derive(Debug, Deserialize)]
pub(super) struct Tree {
    #[serde(default)]
    pub(super) id: u64,
    /// The number of a node, or -1 for a leaf.
    pub(super) left_children: Vec<i32>,
    pub(super) right_children: Vec<i32>,
    pub(super) split_indices: Vec<u32>,
    /// The threshold of a branch, the value of a leaf.
    pub(super) split_conditions: Vec<f32>,
    pub(super) default_left: Vec<Flag>,
    /// 1 where a node asks for a category.
    #[serde(default)]
    pub(super) split_type: Vec<u8>,
    #[serde(default)]
    pub(super) categories: Vec<u32>,
    #[serde(default)]
    pub(super) categories_nodes: Vec<u32>,
    #[serde(default)]
    pub(super) categories_segments: Vec<u64>,
    #[serde(default)]
    pub(super) categories_sizes: Vec<u64>,
    pub(super) tree_param: TreeParam,
    /// Of all nodes; the values of leaves with several outputs before version 3.2.
    #[serde(default)]
    pub(super) base_weights: Vec<f32>,
    /// The values of leaves with several outputs since version 3.2; a leaf's right child says which are its own.
    pub(super) leaf_weights: Option<Vec<f32>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TreeParam {
    pub(super) size_leaf_vector: Option<String>,
}

/// True or false; a number in the files of later versions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag(pub(super) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagVisitor;

        impl Visitor<'_> for FlagVisitor {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("true, false, 1 or 0")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Flag, E> {
                Ok(Flag(flag))
            }

            fn visit_i64<E: Error>(self, flag: i64) -> Result<Flag, E> {
                Ok(Flag(flag != 0))
            }
        }

        deserializer.deserialize_any(FlagVisitor)
    }
}
