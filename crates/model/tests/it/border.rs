//! Lists, refused rows, and what NULL means.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, Float32Array, LargeListArray, ListArray, StringArray,
};
use arrow::datatypes::Float32Type;
use foretell_model::{Answer, LoadOptions, Model, NullPolicy, OnRefusedRow, expand_list};
use insta::assert_snapshot;
use tract_onnx::pb::tensor_proto::DataType as Element;
use tract_onnx::pb::{NodeProto, ValueInfoProto};

use crate::files::{encode, float, float_tensor, floats, input, int, int_tensor, ints, model, node, texts};

fn load_with(inputs: Vec<ValueInfoProto>, nodes: Vec<NodeProto>, options: &LoadOptions) -> Model {
    let axes = int_tensor("axes", &[2], &[1, 2]);
    let mut file = model(1, nodes, vec![axes, float_tensor("half", &[], &[0.5])]);
    file.graph.as_mut().expect("a graph").input = inputs;
    Model::from_bytes(&encode(&file), options).expect("a sound model")
}

fn load(inputs: Vec<ValueInfoProto>, nodes: Vec<NodeProto>) -> Model {
    load_with(inputs, nodes, &LoadOptions::default())
}

/// `y = a + 10 b` of floats `[N, 2]`.
fn linear() -> Model {
    load(vec![input("x", Element::Float, &[None, Some(2)])], vec![linear_node("x")])
}

fn linear_node(from: &str) -> NodeProto {
    node("ai.onnx.ml.LinearRegressor", &[from], "y", vec![floats("coefficients", &[1.0, 10.0])])
}

/// 1 where the text is `yes`, and 0 elsewhere; `no` is known, other texts are refused.
fn text(options: &LoadOptions) -> Model {
    let nodes = vec![
        node("ai.onnx.ml.OneHotEncoder", &["t"], "o", vec![texts("cats_strings", &["yes", "no"]), int("zeros", 0)]),
        node("Flatten", &["o"], "f", vec![]),
        node("ai.onnx.ml.LinearRegressor", &["f"], "y", vec![floats("coefficients", &[1.0, 0.0])]),
    ];
    load_with(vec![input("t", Element::String, &[None, Some(1)])], nodes, options)
}

fn predict(model: &Model, features: &[ArrayRef], rows: usize) -> Vec<Option<f32>> {
    let answers = model.run(features, rows, &[Answer::Prediction], OnRefusedRow::Fail).expect("features that fit");
    answers[0].as_primitive::<Float32Type>().iter().collect()
}

fn failure(model: &Model, features: &[ArrayRef]) -> String {
    let rows = features.first().map_or(0, |column| column.len());
    model.run(features, rows, &[Answer::Prediction], OnRefusedRow::Fail).expect_err("it does not fit").to_string()
}

fn column(array: impl Array + 'static) -> ArrayRef {
    Arc::new(array)
}

#[test]
fn a_list_is_all_features_or_one() {
    let model = linear();
    let rows = [Some(vec![Some(1.0), Some(2.0)]), None, Some(vec![Some(3.0), None])];
    let lists: Vec<ArrayRef> = vec![
        column(ListArray::from_iter_primitive::<Float32Type, _, _>(rows.clone())),
        column(LargeListArray::from_iter_primitive::<Float32Type, _, _>(rows.clone())),
        column(FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(rows.clone(), 2)),
    ];
    for list in lists {
        assert_eq!(predict(&model, &[Arc::clone(&list)], 3), [Some(21.0), None, None], "{}", list.data_type());
        assert_eq!(predict(&model, &[list.slice(1, 2)], 2), [None, None]);
        assert_eq!(expand_list(&list, 2).expect("a list")[1].len(), 3);
    }
    let sum = load(
        vec![input("x", Element::Float, &[None, Some(2), Some(1)])],
        vec![node("ReduceSum", &["x", "axes"], "y", vec![int("keepdims", 0)])],
    );
    assert_eq!(sum.signature().features[0].fixed_shape(), Some(vec![2, 1]));
    let list = column(ListArray::from_iter_primitive::<Float32Type, _, _>(rows));
    assert_eq!(predict(&sum, &[list], 3), [Some(3.0), None, None]);
    let short: ArrayRef = column(ListArray::from_iter_primitive::<Float32Type, _, _>([Some(vec![Some(1.0)])]));
    assert_snapshot!(failure(&sum, &[Arc::clone(&short)]), @"row 0: feature `x` is a list of 1 elements instead of 2");
    assert_snapshot!(failure(&model, &[Arc::clone(&short)]), @"row 0: the list has 1 elements, the model takes 2 features");
    let answers = model.run(&[short], 1, &[Answer::Prediction], OnRefusedRow::Null).expect("a refused row is NULL");
    assert_eq!(answers[0].null_count(), 1);
}

#[test]
fn an_open_width_is_found_at_the_reader() {
    let open = load(vec![input("x", Element::Float, &[None, None])], vec![linear_node("x")]);
    assert_eq!(open.signature().features.len(), 2);
    let tree = load(
        vec![input("x", Element::Float, &[Some(1), None])],
        vec![
            node("Identity", &["x"], "z", vec![]),
            NodeProto { input: vec!["z".to_string()], ..crate::files::tree(&[Some((1, 2)), None, None]) },
        ],
    );
    assert_eq!(tree.signature().features.len(), 1);
}

#[test]
fn the_fields_of_an_answer_without_a_value_are_null_too() {
    let nodes = vec![
        node(
            "ai.onnx.ml.LinearClassifier",
            &["x"],
            "l p",
            vec![
                floats("coefficients", &[1.0, 0.0, 0.0, 1.0]),
                floats("intercepts", &[0.0, 0.0]),
                texts("classlabels_strings", &["no", "yes"]),
            ],
        ),
        node("ai.onnx.ml.ZipMap", &["p"], "y", vec![texts("classlabels_strings", &["no", "yes"])]),
    ];
    let model = load(vec![input("x", Element::Float, &[None, Some(2)])], nodes);
    let gaps = column(Float32Array::from(vec![None, Some(1.0)]));
    let features = [Arc::clone(&gaps), gaps];
    let answers = model.run(&features, 2, &[Answer::Probabilities, Answer::Raw], OnRefusedRow::Fail).expect("rows");
    assert_eq!(answers[0].as_struct().column(1).null_count(), 1);
    let raw = answers[1].as_struct().column(0).as_struct();
    assert_eq!((raw.null_count(), raw.column(0).null_count()), (1, 1));
}

#[test]
fn refused_rows_fail_or_are_null() {
    let model = text(&LoadOptions::default());
    let words = column(StringArray::from(vec![Some("yes"), None, Some("perhaps"), Some("no")]));
    assert_snapshot!(failure(&model, &[Arc::clone(&words)]), @"row 2: unknown category `perhaps`");
    let answers = model.run(&[words], 4, &[Answer::Prediction, Answer::Raw], OnRefusedRow::Null).expect("no failure");
    assert_eq!(answers[0].as_primitive::<Float32Type>().iter().collect::<Vec<_>>(), [Some(1.0), None, None, Some(0.0)]);
    assert_eq!(answers[1].null_count(), 2);
}

#[test]
fn null_follows_the_policy() {
    let on_null = |policy| LoadOptions { on_null: Some(policy), ..LoadOptions::default() };
    let words = column(StringArray::from(vec![Some("yes"), None]));
    assert_snapshot!(failure(&text(&on_null(NullPolicy::Error)), &[Arc::clone(&words)]), @"row 1: feature `t` is NULL");
    // Text has no missing value, so that the policy found for the feature stays.
    assert_eq!(predict(&text(&on_null(NullPolicy::Missing)), &[words], 2), [Some(1.0), None]);
}

#[test]
fn a_feature_is_missing_where_every_way_understands_it() {
    let x = || vec![input("x", Element::Float, &[None, Some(2)])];
    let policies = |nodes| {
        let model = load(x(), nodes);
        model.signature().features.iter().map(|feature| feature.null_policy.as_str()).collect::<Vec<_>>().join(" ")
    };
    let imputer = |from, to| {
        let fill = vec![floats("imputed_value_floats", &[4.0]), float("replaced_value_float", f32::NAN)];
        node("ai.onnx.ml.Imputer", &[from], to, fill)
    };
    let scaler = |from, to| node("ai.onnx.ml.Scaler", &[from], to, vec![floats("offset", &[1.0])]);
    assert_eq!(policies(vec![linear_node("x")]), "null null");
    assert_eq!(policies(vec![imputer("x", "i"), linear_node("i")]), "missing missing");
    assert_eq!(policies(vec![scaler("x", "s"), imputer("s", "i"), linear_node("i")]), "missing missing");
    let beside = vec![
        imputer("x", "i"),
        linear_node_to("i", "a"),
        linear_node_to("x", "b"),
        node("Add", &["a", "b"], "y", vec![]),
    ];
    assert_eq!(policies(beside), "null null");
    let stump = |missing: i64| {
        let mut tree = crate::files::tree(&[Some((1, 2)), None, None]);
        tree.attribute.push(ints("nodes_missing_value_tracks_true", &[missing, 0, 0]));
        vec![tree]
    };
    assert_eq!(policies(stump(0)), "null missing");
    assert_eq!(policies(stump(1)), "missing missing");
    let model = load(x(), vec![imputer("x", "i"), linear_node("i")]);
    let gaps = column(Float32Array::from(vec![None, Some(1.0)]));
    assert_eq!(predict(&model, &[Arc::clone(&gaps), gaps], 2), [Some(44.0), Some(11.0)]);
}

fn linear_node_to(from: &str, to: &str) -> NodeProto {
    NodeProto { output: vec![to.to_string()], ..linear_node(from) }
}

/// Found by the properties: what stood for NULL was a category that the encoder refused.
#[test]
fn null_that_an_encoder_would_refuse_makes_the_answer_null() {
    let nodes = vec![
        node("ai.onnx.ml.OneHotEncoder", &["t"], "o", vec![texts("cats_strings", &["yes"]), int("zeros", 0)]),
        node("Flatten", &["o"], "f", vec![]),
        node("Concat", &["x", "f"], "c", vec![int("axis", 1)]),
        NodeProto { input: vec!["c".to_string()], ..crate::files::tree(&[Some((1, 2)), None, None]) },
    ];
    let inputs = vec![input("x", Element::Float, &[None, Some(1)]), input("t", Element::String, &[None, Some(1)])];
    let model = load(inputs, nodes);
    let features = [column(Float32Array::from(vec![1.0, 1.0])), column(StringArray::from(vec![Some("yes"), None]))];
    assert_eq!(predict(&model, &features, 2), [Some(1.0), None]);
}
