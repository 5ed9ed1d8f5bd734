//! What the fuzzers found, as they found it or made smaller by hand, each called by what was wrong.

use foretell_testing::watch::File;
use tract_onnx::pb::tensor_proto::DataType as Element;

use crate::files::{encode, float_tensor, floats, input, ints, model, node, texts};

/// The files.
pub fn files() -> Vec<File> {
    let of_type = |operator: &str, element| {
        let mut file = model(2, vec![node(operator, &["x", "x"], "y", vec![])], vec![]);
        file.graph.as_mut().expect("a graph").input = vec![input("x", element, &[None, Some(2)])];
        encode(&file)
    };
    let scalar_without_outputs = || {
        let mut file = model(1, vec![node("Softplus", &["x"], "y", vec![])], vec![]);
        let graph = file.graph.as_mut().expect("a graph");
        graph.input = vec![input("x", Element::Float, &[])];
        graph.output.clear();
        encode(&file)
    };
    let classifier = vec![
        ints("class_ids", &[0]),
        ints("class_nodeids", &[0]),
        ints("class_treeids", &[0]),
        floats("class_weights", &[0.5]),
        ints("classlabels_int64s", &[0]),
        ints("nodes_falsenodeids", &[0]),
        ints("nodes_featureids", &[0]),
        texts("nodes_modes", &["LEAF"]),
        ints("nodes_nodeids", &[0]),
        ints("nodes_treeids", &[0]),
        ints("nodes_truenodeids", &[0]),
        floats("nodes_values", &[0.0]),
    ];
    let classes_of_a_constant = || {
        let classifier = node("ai.onnx.ml.TreeEnsembleClassifier", &["c"], "y", classifier);
        encode(&model(2, vec![classifier], vec![float_tensor("c", &[3, 3], &[0.0; 9])]))
    };
    let power_of_nothing = || {
        let nodes = vec![node("Sinh", &["x"], "s", vec![]), node("Pow", &["s", "c"], "y", vec![])];
        encode(&model(1, nodes, vec![float_tensor("c", &[1, 0], &[])]))
    };
    let window = |kernel: i64, pads: [i64; 2]| {
        let attributes = vec![ints("kernel_shape", &[kernel]), ints("pads", &pads)];
        let mut file = model(2, vec![node("MaxPool", &["x"], "y", attributes)], vec![]);
        file.graph.as_mut().expect("a graph").input = vec![input("x", Element::Float, &[None, Some(4), Some(4)])];
        encode(&file)
    };
    let files = [
        // tract followed the loop for ever: it has an operator of this name, whatever its domain.
        (
            "found_tree_with_a_loop_of_another_domain",
            include_bytes!("found/tree_with_a_loop_of_another_domain.onnx").to_vec(),
        ),
        // Rows were made up to try it, whatever they took.
        ("found_texts_of_four_open_lengths", include_bytes!("found/texts_of_four_open_lengths.onnx").to_vec()),
        // The expression was compiled until it took 16 MB, for each trial again.
        ("found_expression_of_a_million", include_bytes!("found/expression_of_a_million.onnx").to_vec()),
        // These were refused as a bug of ours.
        ("found_exponential_of_a_text", include_bytes!("found/exponential_of_a_text.onnx").to_vec()),
        ("found_default_of_many_values", include_bytes!("found/default_of_many_values.onnx").to_vec()),
        // An array in the place of an object was left as often as it was asked for a member, and so were those around it.
        ("found_learner_that_is_an_array", b"{L\0\0\0\0\0\0\0\x07learner[$l#L\0\0\0\0\0\0\0\0}".to_vec()),
        // A network asked for the first of no outputs.
        ("found_scalar_without_outputs", scalar_without_outputs()),
        // tract looked at the first of no exponents.
        ("found_power_of_nothing", power_of_nothing()),
        // tract listed all cells of the window, and all places that see something beside the value.
        ("found_window_of_two_billion", window(1 << 31, [1, 1])),
        ("found_pads_of_two_billion", window(3, [1 << 31, 1])),
        // The columns of a program that computes constants were taken for those of the model.
        ("found_classes_of_a_constant", classes_of_a_constant()),
        // These loaded, and failed for each batch as a bug of ours.
        ("found_sum_of_texts", of_type("Add", Element::String)),
        ("found_choice_of_numbers", of_type("And", Element::Double)),
        ("found_extreme_of_texts", of_type("Max", Element::String)),
    ];
    files.into_iter().map(|(name, bytes)| (name.to_string(), bytes)).collect()
}
