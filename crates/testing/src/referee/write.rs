//! The pipeline as an ONNX file.

use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};

use super::{Aggregate, Classes, Encoder, End, Forest, Keys, Linear, Pipeline, Precision, Step, Test, Transform, Tree};
use crate::onnx::{double_tensor, float, floats, input, int, int_tensor, ints, model, node, tensor, text, texts};

impl Pipeline {
    /// The bytes of the file. Its outputs are `scores` and, for a classifier, `label`.
    pub fn to_onnx(&self) -> Vec<u8> {
        let mut graph = GraphProto { name: "pipeline".to_string(), ..GraphProto::default() };
        let (features, precision) = self.write_features(&mut graph);
        let from: [&str; 1] = [&features];
        match &self.end {
            End::Features => graph.node.push(node("Identity", &from, "scores", vec![])),
            End::TreeRegressor(forest, transform) => {
                let mut attributes =
                    forest.lists(precision, &["target_treeids", "target_nodeids", "target_ids", "target_weights"]);
                attributes.push(int("n_targets", forest.outputs as i64));
                attributes.push(text("aggregate_function", forest.aggregate.name()));
                attributes.push(text("post_transform", transform.name()));
                graph.node.push(node("ai.onnx.ml.TreeEnsembleRegressor", &from, "scores", attributes));
            }
            End::TreeEnsemble(forest, transform) => {
                graph.node.push(node(
                    "ai.onnx.ml.TreeEnsemble",
                    &from,
                    "scores",
                    forest.lists_v5(precision, *transform),
                ));
            }
            End::TreeClassifier(forest, classes) => {
                let attributes =
                    forest.lists(precision, &["class_treeids", "class_nodeids", "class_ids", "class_weights"]);
                classes.write(
                    &mut graph,
                    "ai.onnx.ml.TreeEnsembleClassifier",
                    &features,
                    "classlabels_int64s",
                    attributes,
                );
            }
            End::LinearRegressor(linear, transform) => {
                let mut attributes = linear.lists();
                attributes.push(int("targets", linear.intercepts.len() as i64));
                attributes.push(text("post_transform", transform.name()));
                graph.node.push(node("ai.onnx.ml.LinearRegressor", &from, "scores", attributes));
            }
            End::LinearClassifier(linear, classes) => {
                classes.write(&mut graph, "ai.onnx.ml.LinearClassifier", &features, "classlabels_ints", linear.lists());
            }
        }
        graph.node.iter_mut().for_each(|node| node.name = node.output.join("_"));
        graph.output.push(ValueInfoProto { name: "scores".to_string(), ..ValueInfoProto::default() });
        let mut file = model(1, vec![], vec![]);
        let is_v5 = matches!(self.end, End::TreeEnsemble(..));
        file.opset_import
            .iter_mut()
            .filter(|set| set.domain == "ai.onnx.ml")
            .for_each(|set| set.version = if is_v5 { 5 } else { 3 });
        ModelProto { graph: Some(graph), ..file }.encode_to_vec()
    }

    /// Everything before the end: the name of the value with all features, and its precision.
    fn write_features(&self, graph: &mut GraphProto) -> (String, Precision) {
        let mut parts: Vec<String> = Vec::new();
        let mut precision = self.precision;
        if self.numbers > 0 {
            let mut name = "x".to_string();
            let element = if precision == Precision::Single { DataType::Float } else { DataType::Double };
            graph.input.push(input(&name, element, &[None, Some(self.numbers as i64)]));
            for (at, step) in self.steps.iter().enumerate() {
                let to = format!("x{}", at + 1);
                graph.node.push(step.node(&name, &to));
                precision = step.precision_after(precision);
                name = to;
            }
            if precision == Precision::Double && !self.categories.is_empty() {
                graph.node.push(node("Cast", &[&name], "singles", vec![int("to", DataType::Float as i64)]));
                name = "singles".to_string();
            }
            parts.push(name);
        }
        for (at, column) in self.categories.iter().enumerate() {
            let (from, to) = (format!("c{at}"), format!("e{at}"));
            let element = if matches!(column.keys, Keys::Texts(_)) { DataType::String } else { DataType::Int64 };
            graph.input.push(input(&from, element, &[None, Some(1)]));
            match &column.encoder {
                Encoder::OneHot { unknown_is_zeros } => {
                    let attributes = vec![
                        column.keys.list("cats_strings", "cats_int64s"),
                        int("zeros", i64::from(*unknown_is_zeros)),
                    ];
                    graph.node.push(node("ai.onnx.ml.OneHotEncoder", &[&from], &format!("h{at}"), attributes));
                    graph.node.push(node("Flatten", &[&format!("h{at}")], &to, vec![]));
                }
                Encoder::Numbers { values, default } => {
                    let values = floats("values_floats", &singles(values));
                    let attributes = vec![
                        column.keys.list("keys_strings", "keys_int64s"),
                        values,
                        float("default_float", *default as f32),
                    ];
                    graph.node.push(node("ai.onnx.ml.LabelEncoder", &[&from], &to, attributes));
                }
            }
            parts.push(to);
            precision = Precision::Single;
        }
        if let [only] = &parts[..] {
            return (only.clone(), precision);
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        graph.node.push(node("Concat", &parts, "features", vec![int("axis", 1)]));
        ("features".to_string(), precision)
    }
}

fn singles(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// Numbers as a list of floats, or as a tensor of doubles.
fn numbers(name: &str, values: &[f64], precision: Precision) -> AttributeProto {
    match precision {
        Precision::Single => floats(name, &singles(values)),
        Precision::Double => tensor(&format!("{name}_as_tensor"), doubles(values)),
    }
}

fn doubles(values: &[f64]) -> TensorProto {
    double_tensor("", &[values.len() as i64], values)
}

impl Step {
    fn node(&self, from: &str, to: &str) -> NodeProto {
        let (operator, attributes) = match self {
            Self::Impute { replaced, fills } => {
                let fills = floats("imputed_value_floats", &singles(fills));
                ("Imputer", vec![fills, float("replaced_value_float", *replaced as f32)])
            }
            Self::Scale { offsets, scales } => {
                ("Scaler", vec![floats("offset", &singles(offsets)), floats("scale", &singles(scales))])
            }
            Self::Normalize(norm) => ("Normalizer", vec![text("norm", norm.name())]),
            Self::Binarize(threshold) => ("Binarizer", vec![float("threshold", *threshold as f32)]),
        };
        node(&format!("ai.onnx.ml.{operator}"), &[from], to, attributes)
    }
}

impl Keys {
    fn list(&self, of_texts: &str, of_integers: &str) -> AttributeProto {
        match self {
            Self::Texts(keys) => texts(of_texts, &keys.iter().map(String::as_str).collect::<Vec<_>>()),
            Self::Integers(keys) => ints(of_integers, keys),
        }
    }
}

impl Classes {
    fn write(
        &self,
        graph: &mut GraphProto,
        operator: &str,
        from: &str,
        integers: &str,
        mut attributes: Vec<AttributeProto>,
    ) {
        attributes.push(self.labels.list("classlabels_strings", integers));
        attributes.push(text("post_transform", self.transform.name()));
        let scores = if self.zip_map { "plain_scores" } else { "scores" };
        graph.node.push(node(operator, &[from], &format!("label {scores}"), attributes));
        if self.zip_map {
            let labels = self.labels.list("classlabels_strings", "classlabels_int64s");
            graph.node.push(node("ai.onnx.ml.ZipMap", &[scores], "scores", vec![labels]));
        }
        graph.output.push(ValueInfoProto { name: "label".to_string(), ..ValueInfoProto::default() });
    }
}

impl Linear {
    fn lists(&self) -> Vec<AttributeProto> {
        vec![
            floats("coefficients", &singles(&self.coefficients.concat())),
            floats("intercepts", &singles(&self.intercepts)),
        ]
    }
}

impl Aggregate {
    fn name(self) -> &'static str {
        match self {
            Self::Sum => "SUM",
            Self::Average => "AVERAGE",
            Self::Min => "MIN",
            Self::Max => "MAX",
        }
    }

    fn number(self) -> i64 {
        match self {
            Self::Average => 0,
            Self::Sum => 1,
            Self::Min => 2,
            Self::Max => 3,
        }
    }
}

impl Test {
    /// The mode's name and number, and the threshold.
    fn mode(&self) -> (&'static str, i32, f64) {
        match self {
            Self::Leq(threshold) => ("BRANCH_LEQ", 0, *threshold),
            Self::Lt(threshold) => ("BRANCH_LT", 1, *threshold),
            Self::Gte(threshold) => ("BRANCH_GTE", 2, *threshold),
            Self::Gt(threshold) => ("BRANCH_GT", 3, *threshold),
            Self::Eq(threshold) => ("BRANCH_EQ", 4, *threshold),
            Self::Neq(threshold) => ("BRANCH_NEQ", 5, *threshold),
            Self::In(_) => ("BRANCH_MEMBER", 6, 0.0),
        }
    }
}

/// The nodes of operator sets 1 to 4, as lists.
#[derive(Default)]
struct Lists<'t> {
    tree: i64,
    trees: Vec<i64>,
    nodes: Vec<i64>,
    features: Vec<i64>,
    thresholds: Vec<f64>,
    modes: Vec<&'t str>,
    yes: Vec<i64>,
    no: Vec<i64>,
    missing: Vec<i64>,
    /// Tree, node, output and weight.
    weights: Vec<(i64, i64, i64, f64)>,
}

impl<'t> Lists<'t> {
    /// Adds a tree from its root on, and returns the number of that node.
    fn add(&mut self, tree: &'t Tree, id: i64) -> i64 {
        let at = self.nodes.len();
        self.trees.push(self.tree);
        self.nodes.push(id);
        [&mut self.features, &mut self.yes, &mut self.no, &mut self.missing].into_iter().for_each(|list| list.push(0));
        self.thresholds.push(0.0);
        self.modes.push("LEAF");
        match tree {
            Tree::Leaf(weights) => {
                let weights = weights.iter().map(|(output, weight)| (self.tree, id, *output as i64, *weight));
                self.weights.extend(weights);
                id + 1
            }
            Tree::Branch(branch) => {
                (self.modes[at], _, self.thresholds[at]) = branch.test.mode();
                self.features[at] = branch.feature as i64;
                self.missing[at] = i64::from(branch.missing_is_yes);
                self.yes[at] = id + 1;
                self.no[at] = self.add(&branch.yes, id + 1);
                self.add(&branch.no, self.no[at])
            }
        }
    }
}

impl Forest {
    /// The attributes of operator sets 1 to 4; `of_leaves` are the names for trees, nodes, outputs and weights of leaves.
    fn lists(&self, precision: Precision, of_leaves: &[&str; 4]) -> Vec<AttributeProto> {
        let mut lists = Lists::default();
        for (at, tree) in self.trees.iter().enumerate() {
            lists.tree = at as i64;
            lists.add(tree, 0);
        }
        let of_weights = |pick: fn(&(i64, i64, i64, f64)) -> i64| lists.weights.iter().map(pick).collect::<Vec<_>>();
        let weights: Vec<f64> = lists.weights.iter().map(|weight| weight.3).collect();
        let mut attributes = vec![
            ints("nodes_treeids", &lists.trees),
            ints("nodes_nodeids", &lists.nodes),
            ints("nodes_featureids", &lists.features),
            numbers("nodes_values", &lists.thresholds, precision),
            texts("nodes_modes", &lists.modes),
            ints("nodes_truenodeids", &lists.yes),
            ints("nodes_falsenodeids", &lists.no),
            ints("nodes_missing_value_tracks_true", &lists.missing),
            ints(of_leaves[0], &of_weights(|weight| weight.0)),
            ints(of_leaves[1], &of_weights(|weight| weight.1)),
            ints(of_leaves[2], &of_weights(|weight| weight.2)),
            numbers(of_leaves[3], &weights, precision),
        ];
        if !self.base_values.is_empty() {
            attributes.push(numbers("base_values", &self.base_values, precision));
        }
        attributes
    }
}

/// The nodes of operator set 5, as lists.
#[derive(Default)]
struct ListsV5 {
    features: Vec<i64>,
    splits: Vec<f64>,
    modes: Vec<i32>,
    yes: Vec<i64>,
    no: Vec<i64>,
    yes_leaf: Vec<i64>,
    no_leaf: Vec<i64>,
    missing: Vec<i64>,
    members: Vec<f64>,
    outputs: Vec<i64>,
    weights: Vec<f64>,
}

impl ListsV5 {
    /// Adds a tree, and returns the number of its root and whether that is a leaf.
    fn add(&mut self, tree: &Tree) -> (i64, bool) {
        match tree {
            Tree::Leaf(weights) => {
                let [(output, weight)] = weights[..] else { panic!("each leaf of TreeEnsemble has one weight") };
                self.outputs.push(output as i64);
                self.weights.push(weight);
                (self.weights.len() as i64 - 1, true)
            }
            Tree::Branch(branch) => {
                let (_, mode, split) = branch.test.mode();
                let at = self.branch(mode, split, branch.feature, branch.missing_is_yes);
                if let Test::In(members) = &branch.test {
                    self.members.extend(members.iter().copied().chain([f64::NAN]));
                }
                let ((yes, yes_is_leaf), (no, no_is_leaf)) = (self.add(&branch.yes), self.add(&branch.no));
                (self.yes[at], self.yes_leaf[at]) = (yes, i64::from(yes_is_leaf));
                (self.no[at], self.no_leaf[at]) = (no, i64::from(no_is_leaf));
                (at as i64, false)
            }
        }
    }

    fn branch(&mut self, mode: i32, split: f64, feature: usize, missing_is_yes: bool) -> usize {
        self.modes.push(mode);
        self.splits.push(split);
        self.features.push(feature as i64);
        self.missing.push(i64::from(missing_is_yes));
        let lists = [&mut self.yes, &mut self.no, &mut self.yes_leaf, &mut self.no_leaf];
        lists.into_iter().for_each(|list| list.push(0));
        self.modes.len() - 1
    }

    /// Adds a tree whose root is no leaf, as the operator wants it.
    fn add_root(&mut self, tree: &Tree) -> i64 {
        let leaf = match self.add(tree) {
            (root, false) => return root,
            (leaf, true) => leaf,
        };
        let at = self.branch(0, 0.0, 0, false);
        (self.yes[at], self.no[at], self.yes_leaf[at], self.no_leaf[at]) = (leaf, leaf, 1, 1);
        at as i64
    }
}

impl Forest {
    /// The attributes of operator set 5.
    fn lists_v5(&self, precision: Precision, transform: Transform) -> Vec<AttributeProto> {
        let mut lists = ListsV5::default();
        let roots: Vec<i64> = self.trees.iter().map(|tree| lists.add_root(tree)).collect();
        let numbers = |name: &str, values: &[f64]| {
            let values = match precision {
                Precision::Single => crate::onnx::float_tensor("", &[values.len() as i64], &singles(values)),
                Precision::Double => doubles(values),
            };
            tensor(name, values)
        };
        let modes = int_tensor("", &[lists.modes.len() as i64], &[]);
        let modes = TensorProto { data_type: DataType::Uint8 as i32, int32_data: lists.modes, ..modes };
        let mut attributes = vec![
            ints("nodes_featureids", &lists.features),
            numbers("nodes_splits", &lists.splits),
            tensor("nodes_modes", modes),
            ints("nodes_truenodeids", &lists.yes),
            ints("nodes_falsenodeids", &lists.no),
            ints("nodes_trueleafs", &lists.yes_leaf),
            ints("nodes_falseleafs", &lists.no_leaf),
            ints("nodes_missing_value_tracks_true", &lists.missing),
            ints("tree_roots", &roots),
            ints("leaf_targetids", &lists.outputs),
            numbers("leaf_weights", &lists.weights),
            int("n_targets", self.outputs as i64),
            int("aggregate_function", self.aggregate.number()),
            int("post_transform", transform.number()),
        ];
        if !lists.members.is_empty() {
            attributes.push(numbers("membership_values", &lists.members));
        }
        attributes
    }
}
