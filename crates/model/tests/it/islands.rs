//! Islands: who computes them, what NULL and rows that cannot be computed give, and batches that a file fixes.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Int64Array, ListArray, StringArray};
use arrow::datatypes::{Float32Type, Int64Type};
use foretell_model::{Answer, Error, LoadOptions, Model, OnRefusedRow};
use tract_onnx::pb::tensor_proto::DataType as Element;
use tract_onnx::pb::{NodeProto, TensorProto};

use crate::compare::elements;
use crate::files::{encode, float, float_tensor, input, int, int_tensor, ints, model, node};

/// Text with a suffix, as a number.
fn suffixed_number() -> Model {
    let suffix = TensorProto {
        name: "suffix".to_string(),
        data_type: Element::String as i32,
        string_data: vec![b"5".to_vec()],
        ..TensorProto::default()
    };
    let nodes = vec![
        node("StringConcat", &["x", "suffix"], "t", vec![]),
        node("Cast", &["t"], "y", vec![int("to", Element::Float as i64)]),
    ];
    let mut file = model(1, nodes, vec![suffix]);
    file.graph.as_mut().expect("a graph").input = vec![input("x", Element::String, &[None, Some(1)])];
    load(&encode(&file))
}

fn load(bytes: &[u8]) -> Model {
    Model::from_bytes(bytes, &LoadOptions::default()).expect("a sound model")
}

fn predictions(model: &Model, features: &[ArrayRef], refused: OnRefusedRow) -> Result<Vec<Option<f32>>, Error> {
    let answers = model.run(features, features[0].len(), &[Answer::Prediction], refused)?;
    Ok(answers[0].as_primitive::<Float32Type>().iter().collect())
}

#[test]
fn a_row_that_an_island_cannot_compute_is_refused_alone() {
    let model = suffixed_number();
    assert_eq!(model.backend(), "tensors");
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("1."), Some("one"), None, Some("2"), Some("?")]));
    let answers = predictions(&model, &[Arc::clone(&texts)], OnRefusedRow::Null).expect("rows");
    assert_eq!(answers, [Some(1.5), None, None, Some(25.0), None]);
    let error = predictions(&model, &[texts], OnRefusedRow::Fail).expect_err("a text is no number");
    assert!(matches!(error, Error::Row { row: 1, .. }), "{error}");
}

#[test]
fn an_empty_batch_and_one_of_nulls_have_the_answers_type() {
    let model = suffixed_number();
    for texts in [vec![], vec![None::<&str>, None]] {
        let rows = texts.len();
        let texts: ArrayRef = Arc::new(StringArray::from(texts));
        assert_eq!(predictions(&model, &[texts], OnRefusedRow::Fail).expect("rows"), vec![None; rows]);
    }
}

#[test]
fn the_evaluator_computes_what_tract_mistreats() {
    let alpha = 0.5;
    let file = encode(&model(1, vec![node("Celu", &["x"], "y", vec![float("alpha", alpha)])], vec![]));
    let model = load(&file);
    assert_eq!(model.backend(), "tensors");
    let numbers: ArrayRef = Arc::new(Float32Array::from(vec![-1.0, 2.0]));
    let answers = predictions(&model, &[numbers], OnRefusedRow::Fail).expect("rows");
    // As the text of ONNX has it.
    let expected = alpha * ((-1.0_f32 / alpha).exp() - 1.0);
    assert!((answers[0].expect("a number") - expected).abs() < 1e-6, "{answers:?}");
    assert_eq!(answers[1], Some(2.0));
}

#[test]
fn a_batch_that_the_file_fixes_is_filled_up() {
    // The sum over a dimension that the file says is the first of a batch of one.
    let nodes = vec![
        node("Reshape", &["x", "flat"], "f", vec![]),
        node("CumSum", &["f", "axis"], "c", vec![]),
        node("Reshape", &["c", "back"], "d", vec![]),
        node("ReduceMax", &["d", "one"], "y", vec![int("keepdims", 0)]),
    ];
    let constants = vec![
        int_tensor("flat", &[1], &[3]),
        int_tensor("axis", &[], &[0]),
        int_tensor("back", &[2], &[1, 3]),
        int_tensor("one", &[1], &[1]),
    ];
    let mut file = model(3, nodes, constants);
    file.graph.as_mut().expect("a graph").input = vec![input("x", Element::Float, &[Some(1), Some(3)])];
    let model = load(&encode(&file));
    let column = |values: &[f32]| Arc::new(Float32Array::from(values.to_vec())) as ArrayRef;
    let features = [column(&[1.0, 4.0]), column(&[2.0, -1.0]), column(&[3.0, -1.0])];
    let answers = predictions(&model, &features, OnRefusedRow::Fail).expect("rows");
    assert_eq!(answers, [Some(6.0), Some(4.0)]);
}

#[test]
fn the_plan_tells_who_computes() {
    let weights = float_tensor("w", &[2], &[0.5, 2.0]);
    let nodes = vec![node("Mul", &["x", "w"], "m", vec![]), node("Celu", &["m"], "y", vec![float("alpha", 0.5)])];
    let model = load(&encode(&model(2, nodes, vec![weights])));
    let backends: Vec<&str> = model.describe().iter().map(|line| line.backend).collect();
    assert_eq!((model.backend(), backends), ("native + tensors", vec!["native", "tensors"]));
}

#[test]
fn rows_that_would_change_each_other_are_refused() {
    let ends = || {
        vec![int_tensor("start", &[1], &[0]), int_tensor("second", &[1], &[2]), int_tensor("end", &[1], &[i64::MAX])]
    };
    let turned = vec![
        node("Slice", &["x", "start", "second", "start"], "head", vec![]),
        node("Slice", &["x", "second", "end", "start"], "tail", vec![]),
        node("Concat", &["tail", "head"], "y", vec![int("axis", 0)]),
    ];
    let of_largest = vec![node("ReduceMax", &["x", "start"], "m", vec![]), node("Sub", &["x", "m"], "y", vec![])];
    let backwards = vec![node("Slice", &["x", "last", "before", "start", "back"], "y", vec![])];
    let last_two = vec![node("Slice", &["x", "fore", "end", "start"], "y", vec![])];
    let places = |more: &[(&str, i64)]| {
        let more = more.iter().map(|&(name, value)| int_tensor(name, &[1], &[value]));
        ends().into_iter().chain(more).collect::<Vec<_>>()
    };
    let graphs = [
        ("the largest", of_largest, ends()),
        ("another order", turned, ends()),
        ("backwards", backwards, places(&[("last", -1), ("before", i64::MIN + 1), ("back", -1)])),
        ("the last two", last_two, places(&[("fore", -2)])),
    ];
    for element in [Element::Float, Element::Int64] {
        for (name, nodes, constants) in &graphs {
            let mut file = model(1, nodes.clone(), constants.clone());
            file.graph.as_mut().expect("a graph").input = vec![input("x", element, &[None, Some(1)])];
            let loaded = Model::from_bytes(&encode(&file), &LoadOptions::default());
            let error = loaded.err().unwrap_or_else(|| panic!("{name} of {element:?} loads")).to_string();
            assert!(error.contains("mixes rows"), "{name} of {element:?}: {error}");
        }
    }
}

#[test]
fn a_row_that_becomes_several_answers_with_a_list_of_them() {
    let of_columns = || {
        let mut file =
            model(3, vec![node("Reshape", &["x", "one"], "y", vec![])], vec![int_tensor("one", &[2], &[-1, 1])]);
        let graph = file.graph.as_mut().expect("a graph");
        graph.input = vec![input("x", Element::Float, &[None, Some(3)])];
        file
    };
    let column = |values: [f32; 2]| Arc::new(Float32Array::from(values.to_vec())) as ArrayRef;
    let features = [column([1.0, 4.0]), column([2.0, 5.0]), column([3.0, 6.0])];
    let raw = |model: &Model| {
        let answers = model.run(&features, 2, &[Answer::Raw], OnRefusedRow::Fail).expect("rows");
        elements(answers[0].as_struct().column(0)).as_primitive::<Float32Type>().values().to_vec()
    };
    assert_eq!(raw(&load(&encode(&of_columns()))), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);

    // One after the other, the first elements of all rows come before their second ones.
    let mut turned = of_columns();
    let graph = turned.graph.as_mut().expect("a graph");
    graph.node[0].input[0] = "t".to_string();
    graph.node.insert(0, node("Transpose", &["x"], "t", vec![]));
    let error = Model::from_bytes(&encode(&turned), &LoadOptions::default()).expect_err("rows lie apart");
    assert!(error.to_string().contains("mixes rows"), "{error}");

    // What reads the rows that one became, takes them for rows of the table.
    let mut read = of_columns();
    let graph = read.graph.as_mut().expect("a graph");
    graph.node[0].output[0] = "r".to_string();
    graph.node.push(node("CumSum", &["r", "axis"], "y", vec![]));
    graph.initializer.push(int_tensor("axis", &[], &[0]));
    let error = Model::from_bytes(&encode(&read), &LoadOptions::default()).expect_err("a sum over rows");
    assert!(error.to_string().contains("mixes rows"), "{error}");
}

#[test]
fn elements_of_a_row_that_become_rows_are_its_own() {
    let nodes = vec![
        node("Expand", &["x", "two"], "e", vec![]),
        node("Softmax", &["e"], "s", vec![int("axis", 1)]),
        node("Flatten", &["s"], "y", vec![int("axis", 2)]),
    ];
    for batch in [None, Some(1)] {
        let mut file = model(1, nodes.clone(), vec![int_tensor("two", &[2], &[1, 2])]);
        file.graph.as_mut().expect("a graph").input = vec![input("x", Element::Float, &[batch, Some(1)])];
        let numbers: ArrayRef = Arc::new(Float32Array::from(vec![3.0, -1.0]));
        let answers = load(&encode(&file)).run(&[numbers], 2, &[Answer::Raw], OnRefusedRow::Fail).expect("rows");
        let shares = elements(answers[0].as_struct().column(0));
        assert_eq!(shares.as_primitive::<Float32Type>().values(), &[0.5; 4]);
    }
}

#[test]
fn the_evaluator_answers_rows_on_which_tract_fails() {
    // tract divides the smallest integer by -1, which has no result in 64 bits, and panics.
    let nodes = vec![node("Pad", &["x", "pads"], "wide", vec![]), node("Div", &["wide", "divisor"], "y", vec![])];
    let constants = vec![int_tensor("pads", &[4], &[0, 0, 0, 1]), int_tensor("divisor", &[1], &[-1])];
    let mut file = model(1, nodes, constants);
    file.graph.as_mut().expect("a graph").input = vec![input("x", Element::Int64, &[None, Some(1)])];
    let model = load(&encode(&file));
    assert_eq!(model.backend(), "tract");
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![20, i64::MIN, 0]));
    let answers = model.run(&[numbers], 3, &[Answer::Raw], OnRefusedRow::Fail).expect("rows");
    let answers = elements(answers[0].as_struct().column(0));
    assert_eq!(answers.as_primitive::<Int64Type>().values(), &[-20, 0, i64::MIN, 0, 0, 0]);
}

#[test]
fn a_row_has_the_answer_of_the_first_wherever_it_stands() {
    let of_places = |name: &str, nodes: Vec<NodeProto>| {
        let constants = vec![
            int_tensor("zero", &[], &[0]),
            int_tensor("one", &[], &[1]),
            int_tensor("seven", &[], &[7]),
            int_tensor("axis", &[1], &[1]),
        ];
        let file = encode(&model(1, nodes, constants));
        let numbers: ArrayRef = Arc::new(Float32Array::from(vec![2.0; 40]));
        let answers = predictions(&load(&file), &[numbers], OnRefusedRow::Fail).expect("rows");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{name}: {answers:?}");
    };
    of_places("a diagonal", vec![node("EyeLike", &["x"], "y", vec![int("k", -7)])]);
    of_places(
        "places that are counted",
        vec![
            node("Size", &["x"], "rows", vec![]),
            node("Range", &["zero", "rows", "one"], "places", vec![]),
            node("Greater", &["places", "seven"], "late", vec![]),
            node("Unsqueeze", &["late", "axis"], "late_ones", vec![]),
            node("Cast", &["late_ones"], "n", vec![int("to", Element::Float as i64)]),
            node("Add", &["x", "n"], "y", vec![]),
        ],
    );
    of_places(
        "many rows",
        vec![
            node("Size", &["x"], "rows", vec![]),
            node("Greater", &["rows", "seven"], "many", vec![]),
            node("Where", &["many", "x", "x"], "same", vec![]),
            node("Cast", &["many"], "n", vec![int("to", Element::Float as i64)]),
            node("Add", &["same", "n"], "y", vec![]),
        ],
    );
}

#[test]
fn rows_that_change_each_other_beyond_a_bound_are_refused() {
    let nodes = vec![
        node("Abs", &["x"], "sizes", vec![]),
        node("ReduceMax", &["sizes"], "largest", vec![]),
        node("Max", &["largest", "one"], "bounded", vec![]),
        node("Div", &["x", "bounded"], "y", vec![]),
    ];
    let mut file = model(1, nodes, vec![float_tensor("one", &[1, 1], &[1.0])]);
    // A list of any length, so that the graph is a network.
    file.graph.as_mut().expect("a graph").input = vec![input("x", Element::Float, &[None, None])];
    let error = Model::from_bytes(&encode(&file), &LoadOptions::default()).expect_err("the largest is of all rows");
    assert!(error.to_string().contains("mixes rows"), "{error}");
}

#[test]
fn lengths_that_strides_shorten_stay_open() {
    let every_other = |from: &str, to: &str| node("Conv", &[from, "one"], to, vec![ints("strides", &[2])]);
    let nodes = vec![every_other("x", "h"), every_other("h", "y")];
    let mut file = model(1, nodes, vec![float_tensor("one", &[1, 1, 1], &[1.0])]);
    file.graph.as_mut().expect("a graph").input = vec![input("x", Element::Float, &[None, Some(1), None])];
    // Every fourth number, of so few numbers that there are two, and of more.
    let series = ListArray::from_iter_primitive::<Float32Type, _, _>(
        [5, 8, 12].map(|length| Some((0..length).map(|at| Some(at as f32)))),
    );
    let answers = load(&encode(&file)).run(&[Arc::new(series)], 3, &[Answer::Prediction], OnRefusedRow::Fail);
    let answers = answers.expect("series of any length");
    let expected = ListArray::from_iter_primitive::<Float32Type, _, _>(
        [2, 2, 3].map(|length| Some((0..length).map(|at| Some(4.0 * at as f32)))),
    );
    assert_eq!(
        elements(&answers[0]).as_primitive::<Float32Type>(),
        elements(&(Arc::new(expected) as ArrayRef)).as_primitive::<Float32Type>()
    );
}

#[test]
fn a_window_of_a_picture_that_is_too_small_has_one_place_if_that_is_rounded_up() {
    let attributes =
        vec![ints("kernel_shape", &[3]), ints("strides", &[4]), int("ceil_mode", 1), ints("pads", &[0, 0])];
    let mut file = model(1, vec![node("MaxPool", &["x"], "y", attributes)], vec![]);
    file.graph.as_mut().expect("a graph").input = vec![input("x", Element::Float, &[None, Some(1), Some(1)])];
    let pictures = [2.0, f32::NAN, -1.0].map(|number| Some([Some(number)]));
    let pictures: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(pictures));
    let answers = load(&encode(&file)).run(&[pictures], 3, &[Answer::Prediction], OnRefusedRow::Fail);
    let answers = elements(&answers.expect("a place for each")[0]);
    let answers = answers.as_primitive::<Float32Type>();
    assert_eq!((answers.len(), answers.value(0), answers.value(2)), (3, 2.0, -1.0));
}

#[test]
fn lengths_that_only_long_series_have_stay_open() {
    const CHANNELS: usize = 16;
    // Filters that give what the first of three cells has, farther and farther apart: 510 places are lost.
    let mut weights = vec![0.0; CHANNELS * CHANNELS * 3];
    (0..CHANNELS).for_each(|channel| weights[(channel * CHANNELS + channel) * 3] = 1.0);
    let names: Vec<String> = (0..9).map(|at| if at == 0 { "x".to_string() } else { format!("h{at}") }).collect();
    let layer = |at: usize| node("Conv", &[&names[at], "w"], &names[at + 1], vec![ints("dilations", &[1 << at])]);
    let mut nodes: Vec<NodeProto> = (0..8).map(layer).collect();
    nodes.push(node("Identity", &["h8"], "y", vec![]));
    let mut file = model(1, nodes, vec![float_tensor("w", &[CHANNELS as i64, CHANNELS as i64, 3], &weights)]);
    file.graph.as_mut().expect("a graph").input =
        vec![input("x", Element::Float, &[None, Some(CHANNELS as i64), None])];
    let model = load(&encode(&file));
    for length in [511, 515, 700] {
        let number = |at: usize| (at % length) as f32;
        let series = (0..CHANNELS).map(|channel| Some((0..length).map(move |at| Some(number(channel * length + at)))));
        let rows: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(series));
        let rows = Arc::new(ListArray::new(
            Arc::new(arrow::datatypes::Field::new_list_field(rows.data_type().clone(), true)),
            arrow::buffer::OffsetBuffer::from_lengths([CHANNELS]),
            rows,
            None,
        ));
        let answers = model.run(&[rows], 1, &[Answer::Prediction], OnRefusedRow::Fail).expect("a long series");
        let lists = answers[0].as_list::<i32>().value(0);
        let first = elements(&lists.slice(0, 1));
        let expected: Vec<f32> = (0..length - 510).map(number).collect();
        assert_eq!(first.as_primitive::<Float32Type>().values(), &expected[..], "{length} places");
    }
}

#[test]
fn what_is_wrong_for_every_row_is_told_when_the_model_is_loaded() {
    let wrong = |node: NodeProto, constants: Vec<TensorProto>| {
        let mut file = model(1, vec![node], constants);
        file.graph.as_mut().expect("a graph").input = vec![input("x", Element::Float, &[None, Some(2), Some(6)])];
        let error =
            Model::from_bytes(&encode(&file), &LoadOptions::default()).expect_err("a node that breaks the rules");
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    };
    let window = |attribute| node("MaxPool", &["x"], "y", vec![ints("kernel_shape", &[2]), attribute]);
    for (attribute, why) in [
        (ints("pads", &[1]), "`pads` has 1 numbers"),
        (ints("dilations", &[1, 2]), "`dilations` is [1, 2]"),
        (crate::files::text("auto_pad", "FOO"), "`auto_pad` is `FOO`"),
    ] {
        let error = wrong(window(attribute), vec![]);
        assert!(error.contains(why), "{error}");
    }
    let weights = || vec![float_tensor("r", &[1, 3, 3], &[0.5; 9]), float_tensor("w", &[1, 3, 6], &[0.5; 18])];
    let clipped = |inputs: &[&str], hidden: i64| {
        let attributes = vec![int("hidden_size", hidden), float("clip", 1.0)];
        wrong(node("RNN", inputs, "y", attributes), weights())
    };
    let error = clipped(&["x", "", "r"], 3);
    assert!(error.contains("input 1 is missing"), "{error}");
    let error = clipped(&["x", "w", "r"], 7);
    assert!(error.contains("`hidden_size` is 7"), "{error}");
}
