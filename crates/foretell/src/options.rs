//! `SET foretell.<name> = ...`.

use datafusion::common::extensions_options;
use datafusion::config::ConfigExtension;
use datafusion::prelude::SessionConfig;
use foretell_model::Limits;

extensions_options! {
    /// Settings of foretell.
    pub struct ForetellOptions {
        /// Largest model file in bytes.
        pub limit_file_bytes: u64, default = Limits::default().file_bytes
        /// Most nodes of a model's graph.
        pub limit_nodes: u64, default = Limits::default().nodes
        /// Most messages in a model file: nodes, their attributes, constants, declared values.
        pub limit_messages: u64, default = Limits::default().messages
        /// Deepest nesting of subgraphs.
        pub limit_graph_depth: u64, default = Limits::default().graph_depth
        /// Most elements of one constant tensor.
        pub limit_tensor_elements: u64, default = Limits::default().tensor_elements
        /// Most trees of one ensemble.
        pub limit_trees: u64, default = Limits::default().trees
        /// Most nodes of one tree ensemble.
        pub limit_tree_nodes: u64, default = Limits::default().tree_nodes
        /// Deepest tree.
        pub limit_tree_depth: u64, default = Limits::default().tree_depth
        /// Most features of a model.
        pub limit_features: u64, default = Limits::default().features
        /// Most classes of a classifier.
        pub limit_classes: u64, default = Limits::default().classes
        /// Most columns alive at once while a batch is computed.
        pub limit_columns: u64, default = Limits::default().columns
        /// Most elements of all constants that a model's operators ConstantOfShape make.
        pub limit_constant_elements: u64, default = Limits::default().constant_elements
        /// Most steps of a compiled model.
        pub limit_steps: u64, default = Limits::default().steps
        /// Most bytes of text in a model file.
        pub limit_string_bytes: u64, default = Limits::default().string_bytes
        /// Most bytes one batch may take while it is computed.
        pub limit_run_bytes: u64, default = Limits::default().run_bytes
        /// Most elementary operations that the tensor operators of one batch may take.
        pub limit_run_work: u64, default = Limits::default().run_work
    }
}

impl ConfigExtension for ForetellOptions {
    const PREFIX: &'static str = "foretell";
}

/// The limits in force in a session.
pub(crate) fn limits(config: &SessionConfig) -> Limits {
    let mut limits = Limits::default();
    let Some(options) = config.options().extensions.get::<ForetellOptions>() else { return limits };
    limits.file_bytes = options.limit_file_bytes;
    limits.nodes = options.limit_nodes;
    limits.messages = options.limit_messages;
    limits.graph_depth = options.limit_graph_depth;
    limits.tensor_elements = options.limit_tensor_elements;
    limits.trees = options.limit_trees;
    limits.tree_nodes = options.limit_tree_nodes;
    limits.tree_depth = options.limit_tree_depth;
    limits.features = options.limit_features;
    limits.classes = options.limit_classes;
    limits.columns = options.limit_columns;
    limits.constant_elements = options.limit_constant_elements;
    limits.steps = options.limit_steps;
    limits.string_bytes = options.limit_string_bytes;
    limits.run_bytes = options.limit_run_bytes;
    limits.run_work = options.limit_run_work;
    limits
}
