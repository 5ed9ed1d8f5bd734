//! Deep models: convolutions, transformers, recurrent layers, quantised ones; features and answers that are lists.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, Float32Array, Int64Array, LargeListArray, ListArray, UInt32Array,
    new_null_array,
};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Field, Float32Type, Int64Type};
use foretell_model::{Answer, LoadOptions, Model, OnRefusedRow};
use foretell_testing::counts::{of, report};
use insta::assert_snapshot;

use crate::compare::{ONNX, difference};
use crate::fixtures::{Fixture, load};
use crate::reference::{Checked, answers_agree};

#[test]
fn deep_models_answer_as_onnxruntime_does() {
    let fixtures = load("deep");
    let mut checked = Checked::default();
    fixtures.iter().for_each(|fixture| checked.check(fixture, &LoadOptions::default(), ONNX));
    report("Deep models", "deep", &checked.counts(|_| "models equal to onnxruntime".to_string()));
    checked.assert_good();
}

/// Nodes of these files fill in the weights, up to 144 million of them, which a user has to allow.
#[test]
fn light_models_answer_as_onnxruntime_does() {
    let mut options = LoadOptions::default();
    options.limits.constant_elements = 1 << 28;
    let fixtures = load("light");
    let failures: Vec<String> = fixtures
        .iter()
        .filter_map(|fixture| {
            let why = answers_agree(fixture, &options, ONNX).err()?;
            Some(format!("{}: {why}", fixture.name))
        })
        .collect();
    let what = "light models of the onnx package equal to onnxruntime".to_string();
    report("Deep models", "light", &[(what, of(fixtures.len() - failures.len(), fixtures.len()))]);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn fixture(name: &str) -> (Fixture, Model) {
    let fixture = load("deep").into_iter().find(|fixture| fixture.name == name);
    let fixture = fixture.expect("a fixture of this name");
    let model = Model::from_bytes(&fixture.model, &LoadOptions::default()).expect("a sound model");
    (fixture, model)
}

fn raw(model: &Model, features: &[ArrayRef]) -> ArrayRef {
    answer(model, features, Answer::Raw)
}

fn answer(model: &Model, features: &[ArrayRef], answer: Answer) -> ArrayRef {
    let rows = features[0].len();
    let mut answers = model.run(features, rows, &[answer], OnRefusedRow::Fail).expect("features that fit");
    answers.pop().expect("an answer")
}

fn failure(model: &Model, features: &[ArrayRef]) -> String {
    let rows = features.first().map_or(0, |column| column.len());
    model.run(features, rows, &[Answer::Prediction], OnRefusedRow::Fail).expect_err("it does not fit").to_string()
}

fn ids(rows: &[Option<&[i64]>]) -> ArrayRef {
    let rows = rows.iter().map(|row| row.map(|row| row.iter().copied().map(Some).collect::<Vec<_>>()));
    Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(rows))
}

#[test]
fn signatures_name_the_lengths_that_are_open() {
    let mut text = String::new();
    for name in ["cnn", "cnn_any_size", "lookup_bag", "lstm_states", "mixed_listing", "transformer"] {
        let (_, model) = fixture(name);
        let signature = model.signature();
        let features: Vec<String> =
            signature.features.iter().map(|feature| format!("{} {}", feature.name, feature.type_text())).collect();
        let outputs: Vec<String> =
            signature.outputs.iter().map(|output| format!("{} {}", output.name, output.data_type)).collect();
        let (task, prediction) = (signature.task.as_str(), &signature.prediction);
        text += &format!("{name}: {task} {prediction}\n  {}\n  {}\n", features.join(", "), outputs.join(", "));
    }
    assert_snapshot!(text);
}

#[test]
fn every_spelling_of_a_list_is_the_same_list() {
    let (fixture, model) = fixture("cnn");
    let expected = raw(&model, &fixture.features);
    let flat = fixture.features[0].as_list::<i32>();
    let image = |values: &ArrayRef| -> ArrayRef {
        [8, 8, 1].into_iter().fold(Arc::clone(values), |values, length| {
            let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
            Arc::new(FixedSizeListArray::new(item, length, values, None))
        })
    };
    let nested = image(flat.values());
    let list_of = |item: DataType| DataType::List(Arc::new(Field::new_list_field(item, true)));
    let view_of = |item: DataType| DataType::ListView(Arc::new(Field::new_list_field(item, true)));
    let spellings = [
        cast(&fixture.features[0], &DataType::LargeList(Arc::new(Field::new_list_field(DataType::Float64, true)))),
        cast(&fixture.features[0], &DataType::new_fixed_size_list(DataType::Float32, 64, true)),
        cast(&nested, &list_of(list_of(list_of(DataType::Float32)))),
        cast(&fixture.features[0], &view_of(DataType::Float32)),
        Ok(nested),
    ];
    for spelling in spellings {
        let spelling = spelling.expect("lists of other types");
        assert_eq!(&raw(&model, &[Arc::clone(&spelling)]), &expected, "{}", spelling.data_type());
        // A row of tract's matrix products is rounded by its place.
        let slice = raw(&model, &[spelling.slice(3, 4)]);
        assert_eq!(difference(slice.as_struct().column(0), expected.slice(3, 4).as_struct().column(0)), None);
    }
}

#[test]
fn a_row_has_the_same_bits_whatever_is_beside_it() {
    for name in ["transformer", "lookup_bag", "mlp_dynamic", "transformer_dynamic", "batch_of_4", "lstm_two_open"] {
        let (fixture, model) = fixture(name);
        let whole = raw(&model, &fixture.features);
        let order: UInt32Array = (0..fixture.rows as u32).rev().chain([0, 0, 1]).collect();
        let moved: Vec<ArrayRef> =
            fixture.features.iter().map(|column| take(column, &order, None).expect("rows")).collect();
        assert_eq!(&raw(&model, &moved), &take(&whole, &order, None).expect("rows"), "{name}");
        for row in 0..fixture.rows {
            let alone: Vec<ArrayRef> = fixture.features.iter().map(|column| column.slice(row, 1)).collect();
            assert_eq!(&raw(&model, &alone), &whole.slice(row, 1), "{name}, row {row}");
        }
    }
}

#[test]
fn threads_share_a_model() {
    let (fixture, model) = fixture("transformer");
    let expected = raw(&model, &fixture.features);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(&raw(&model, &fixture.features), &expected));
        }
    });
}

#[test]
fn lists_without_values_have_no_answer() {
    let (_, model) = fixture("lookup_bag");
    let rows = ids(&[Some(&[1, 2]), None, Some(&[3])]);
    let answers = answer(&model, &[Arc::clone(&rows)], Answer::Prediction);
    assert_eq!((0..3).map(|row| answers.is_null(row)).collect::<Vec<_>>(), [false, true, false]);
    let gaps = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), Some(vec![Some(1)])]);
    let answers = answer(&model, &[Arc::new(gaps)], Answer::Prediction);
    assert_eq!((answers.is_null(0), answers.is_null(1)), (true, false));
    let nothing = new_null_array(&DataType::Null, 2);
    assert_eq!(answer(&model, &[nothing], Answer::Raw).null_count(), 2);
    let (_, image) = fixture("cnn_any_size");
    let lists = new_null_array(&DataType::Null, 1);
    assert_eq!(answer(&image, &[lists], Answer::Prediction).null_count(), 1);
}

#[test]
fn an_empty_batch_has_typed_answers() {
    for name in ["cnn", "cnn_any_size", "transformer", "batch_of_4", "mixed_listing"] {
        let (fixture, model) = fixture(name);
        let none: Vec<ArrayRef> = fixture.features.iter().map(|column| column.slice(0, 0)).collect();
        for asked in [Answer::Prediction, Answer::Raw] {
            let answers = answer(&model, &none, asked);
            assert_eq!(
                (answers.len(), answers.data_type()),
                (0, &model.answer_type(asked).expect("an answer")),
                "{name}"
            );
        }
    }
}

#[test]
fn an_empty_list_is_a_list() {
    let (_, model) = fixture("lookup_bag");
    let answers = raw(&model, &[ids(&[Some(&[]), Some(&[4])])]);
    let vectors = answers.as_struct().column_by_name("vectors").expect("an output").as_list::<i32>().clone();
    assert_eq!((vectors.value_length(0), vectors.value_length(1)), (0, 1));
}

#[test]
fn lists_that_do_not_fit_are_refused_by_row() {
    let (_, transformer) = fixture("transformer");
    let (two, three) = (ids(&[Some(&[1, 1]), Some(&[1, 1])]), ids(&[Some(&[1, 1]), Some(&[1, 1, 1])]));
    assert_snapshot!(failure(&transformer, &[Arc::clone(&three), Arc::clone(&two), Arc::clone(&three)]), @"row 1: features `input_ids` and `attention_mask` must have as many elements as each other, got 3 and 2");
    let far = ids(&[Some(&[7]), Some(&[5000])]);
    let one = ids(&[Some(&[1]), Some(&[1])]);
    assert_snapshot!(failure(&transformer, &[far, Arc::clone(&one), one]), @"row 1: operator `ai.onnx.Gather` (node `gather_2`, opset 17): index 5000 of an axis with 50 places");
    let long: Vec<i64> = vec![1; 17];
    let long = ids(&[Some(&long)]);
    assert_snapshot!(failure(&transformer, &[Arc::clone(&long), Arc::clone(&long), long]), @"row 0: operator `ai.onnx.Add` (node `add_2`, opset 17): shapes [1, 17, 32] and [1, 16, 32] do not go together");
    let words: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    assert_snapshot!(failure(&transformer, &[Arc::clone(&words), Arc::clone(&words), words]), @"feature `input_ids` takes a list of Int64 values, got Int64");

    let (_, sizes) = fixture("cnn_any_size");
    let lists = |lengths: &[usize]| -> ArrayRef {
        let rows = lengths.iter().map(|&length| Some(vec![Some(0.5); length]));
        Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(rows))
    };
    let nest = |values: ArrayRef, lengths: &[usize]| -> ArrayRef {
        let offsets = arrow::buffer::OffsetBuffer::from_lengths(lengths.iter().copied());
        let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        Arc::new(ListArray::new(item, offsets, values, None))
    };
    assert_snapshot!(failure(&sizes, &[nest(nest(lists(&[3, 3, 3]), &[1, 2]), &[2])]), @"row 0: feature `image` has lists of 1 and of 2 elements in [height], side by side");
    assert_snapshot!(failure(&sizes, &[nest(nest(lists(&[3, 3, 3]), &[1, 1, 1]), &[3])]), @"row 0: feature `image` is a list of 3 elements instead of 2");
    assert_snapshot!(failure(&sizes, &[lists(&[12])]), @"feature `image` takes a list of Float32 values, nested as [2, height, width], got List(Float32)");

    let (_, channels) = fixture("lookup_channels");
    let samples = |length: usize| lists(&[length]);
    assert_snapshot!(failure(&channels, &[samples(8), ids(&[Some(&[4])])]), @"row 0: operator `ai.onnx.Gather` (node `gather_1`, opset 17): index 4 of an axis with 4 places");

    let (_, image) = fixture("cnn");
    assert_snapshot!(failure(&image, &[lists(&[64, 63])]), @"row 1: feature `image` is a list of 63 elements instead of 64");
    let (_, states) = fixture("lstm_states");
    assert_snapshot!(failure(&states, &[lists(&[7]), lists(&[5]), lists(&[5])]), @"row 0: feature `x` is a list of 7 elements, which is no multiple of the 3 that [sequence, 3] asks for");
    let answers = image.run(&[lists(&[64, 63])], 2, &[Answer::Prediction], OnRefusedRow::Null).expect("a NULL");
    assert_eq!((answers[0].is_null(0), answers[0].is_null(1)), (false, true));
}

#[test]
fn one_bad_row_refuses_no_other() {
    let (_, model) = fixture("lookup_bag");
    let rows = ids(&[Some(&[1, 2]), Some(&[3, 99]), Some(&[4, 5])]);
    let answers = model.run(&[rows], 3, &[Answer::Prediction], OnRefusedRow::Null).expect("a NULL");
    let expected = answer(&model, &[ids(&[Some(&[1, 2]), Some(&[4, 5])])], Answer::Prediction);
    assert_eq!((answers[0].is_null(0), answers[0].is_null(1), answers[0].is_null(2)), (false, true, false));
    let kept = concat(&[answers[0].slice(0, 1).as_ref(), answers[0].slice(2, 1).as_ref()]).expect("lists");
    assert_eq!(&kept, &expected);
}

#[test]
fn large_lists_and_other_numbers_are_tokens_too() {
    let (fixture, model) = fixture("lookup_bag");
    let expected = raw(&model, &fixture.features);
    for item in [DataType::Int32, DataType::UInt8] {
        let tokens = cast(&fixture.features[0], &DataType::LargeList(Arc::new(Field::new_list_field(item, true))));
        assert_eq!(&raw(&model, &[tokens.expect("small numbers")]), &expected);
    }
    let large: ArrayRef =
        Arc::new(LargeListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), Some(2), Some(3)])]));
    let floats: ArrayRef = Arc::new(Float32Array::from(vec![1.0]));
    assert_eq!(answer(&model, &[large], Answer::Prediction).len(), 1);
    assert_snapshot!(failure(&model, &[floats]), @"feature `ids` takes a list of Int64 values, got Float32");
}
