//! Every Arrow type that a feature can have: what holds the same values gives the same bits.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Date64Array, Decimal128Array, FixedSizeListArray, Float16Array,
    Float32Array, Float64Array, Int32Array, Int64Array, ListArray, NullArray, StringArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Field, TimeUnit};
use foretell_model::{Answer, Extent, Feature, LoadOptions, Model, NullPolicy, OnRefusedRow};
use foretell_testing::columns::{encoded, encodings, item, list_kinds, number_types};
use half::f16;
use insta::assert_snapshot;
use tract_onnx::pb::tensor_proto::DataType as Element;

use crate::files::{encode, input, model, node};

/// `y = x` for one feature of this type and shape.
fn identity(element: Element, shape: &[i64], on_null: Option<NullPolicy>) -> Model {
    let mut file = model(1, vec![node("Identity", &["x"], "y", vec![])], vec![]);
    let extents: Vec<Option<i64>> = [None].into_iter().chain(shape.iter().copied().map(Some)).collect();
    file.graph.as_mut().expect("a graph").input = vec![input("x", element, &extents)];
    Model::from_bytes(&encode(&file), &LoadOptions { on_null, ..LoadOptions::default() }).expect("a sound model")
}

fn column(array: impl Array + 'static) -> ArrayRef {
    Arc::new(array)
}

fn predict(model: &Model, feature: &ArrayRef) -> Result<ArrayRef, foretell_model::Error> {
    model.signature().accepts(&[feature.data_type().clone()])?;
    let features = [Arc::clone(feature)];
    Ok(model.run(&features, feature.len(), &[Answer::Prediction], OnRefusedRow::Fail)?.remove(0))
}

fn refusal(model: &Model, feature: &ArrayRef) -> String {
    predict(model, feature).expect_err("it does not fit").to_string()
}

/// Every way to hold `plain` answers as `expected`, and so do its rows one by one and no rows at all.
fn assert_answers(model: &Model, plain: &ArrayRef, expected: &ArrayRef) {
    for feature in encodings(plain) {
        let data_type = feature.data_type();
        assert_eq!(&predict(model, &feature).expect("a type that fits"), expected, "{data_type}");
        for row in 0..feature.len() {
            assert_eq!(&predict(model, &feature.slice(row, 1)).expect("a row"), &expected.slice(row, 1), "{data_type}");
        }
        assert_eq!(&predict(model, &feature.slice(0, 0)).expect("no rows"), &expected.slice(0, 0), "{data_type}");
    }
}

const FLOATS: [Element; 2] = [Element::Float, Element::Double];
const INTEGERS: [Element; 8] = [
    Element::Int8,
    Element::Int16,
    Element::Int32,
    Element::Int64,
    Element::Uint8,
    Element::Uint16,
    Element::Uint32,
    Element::Uint64,
];

fn feature_type(model: &Model) -> DataType {
    model.signature().features[0].data_type.clone()
}

#[test]
fn whole_numbers_are_floats_and_integers() {
    let values: ArrayRef = column(Int64Array::from(vec![Some(1), None, Some(0), Some(1), Some(100)]));
    for element in FLOATS.into_iter().chain(INTEGERS) {
        let model = identity(element, &[1], None);
        let takes = feature_type(&model);
        let expected = cast(&values, &takes).expect("small numbers");
        for data_type in number_types() {
            let fits = takes.is_floating() || data_type.is_integer() || data_type.to_string().ends_with(", 0)");
            let given = cast(&values, &data_type).expect("small numbers");
            match fits {
                true => assert_answers(&model, &given, &expected),
                false => assert!(refusal(&model, &given).contains("; write CAST(... AS BIGINT)"), "{data_type}"),
            }
        }
        let flags = column(BooleanArray::from(vec![Some(true), None, Some(false), Some(true)]));
        assert_answers(&model, &flags, &expected.slice(0, 4));
    }
}

#[test]
fn fractions_are_rounded_once() {
    let values = [Some(1.5), None, Some(-0.25), Some(0.1), Some(1e-3), Some(654_321.125)];
    let doubles: ArrayRef = column(Float64Array::from(values.to_vec()));
    for element in FLOATS {
        let model = identity(element, &[1], None);
        let expected = cast(&doubles, &feature_type(&model)).expect("floats");
        use DataType::{Decimal32, Decimal64, Decimal128, Decimal256, Float64};
        for data_type in [Float64, Decimal32(9, 3), Decimal64(18, 3), Decimal128(38, 9), Decimal256(76, 3)] {
            let given = cast(&doubles, &data_type).expect("short fractions");
            assert_answers(&model, &given, &expected);
        }
        let short = [Some(1.5_f32), None, Some(-0.25), Some(f32::NAN), Some(f32::INFINITY), Some(-0.0)];
        let expected = cast(&Float32Array::from(short.to_vec()), &feature_type(&model)).expect("floats");
        let halves: Float16Array = short.iter().map(|value| value.map(f16::from_f32)).collect();
        assert_answers(&model, &column(halves), &expected);
        assert_answers(&model, &column(Float32Array::from(short.to_vec())), &expected);
    }
}

#[test]
fn what_a_float_cannot_hold_is_rounded_as_a_cast_does() {
    let model = identity(Element::Float, &[1], None);
    let largest = column(UInt64Array::from(vec![u64::MAX, 16_777_217, 16_777_219]));
    assert_answers(
        &model,
        &largest,
        &column(Float32Array::from(vec![18_446_744_073_709_551_616.0, 16_777_216.0, 16_777_220.0])),
    );
    let least = column(Int64Array::from(vec![i64::MIN, -16_777_217]));
    assert_answers(&model, &least, &column(Float32Array::from(vec![-9_223_372_036_854_775_808.0, -16_777_216.0])));
    let huge = column(Float64Array::from(vec![1e300, 1e-300, 0.1, f64::NAN]));
    assert_answers(&model, &huge, &column(Float32Array::from(vec![f32::INFINITY, 0.0, 0.1, f32::NAN])));
    let long = Decimal128Array::from(vec![12_345_678_901_234_567_890_123_456_789_012_345_678]);
    let long = column(long.with_precision_and_scale(38, 18).expect("it fits"));
    assert_answers(
        &model,
        &long,
        &column(Float32Array::from(vec![12_345_678_901_234_567_890.123_456_789_012_345_678])),
    );
}

#[test]
fn integers_that_do_not_fit_are_refused() {
    for element in INTEGERS {
        let model = identity(element, &[1], None);
        let takes = feature_type(&model);
        let bounds: Vec<i128> = match takes {
            DataType::Int8 => vec![i8::MIN.into(), i8::MAX.into()],
            DataType::Int16 => vec![i16::MIN.into(), i16::MAX.into()],
            DataType::Int32 => vec![i32::MIN.into(), i32::MAX.into()],
            DataType::Int64 => vec![i64::MIN.into(), i64::MAX.into()],
            DataType::UInt8 => vec![0, u8::MAX.into()],
            DataType::UInt16 => vec![0, u16::MAX.into()],
            DataType::UInt32 => vec![0, u32::MAX.into()],
            _ => vec![0, u64::MAX.into()],
        };
        let wide = |values: Vec<i128>| {
            column(Decimal128Array::from(values).with_precision_and_scale(38, 0).expect("they fit")) as ArrayRef
        };
        let inside = wide(bounds.clone());
        assert_answers(&model, &inside, &cast(&inside, &takes).expect("they fit"));
        for outside in [bounds[0] - 1, bounds[1] + 1] {
            for given in encodings(&wide(vec![1, outside])) {
                let expected = format!("row 1: feature `x` is {outside}, which does not fit {takes}");
                assert_eq!(refusal(&model, &given), expected, "{}", given.data_type());
                let answers = model.run(&[given], 2, &[Answer::Prediction], OnRefusedRow::Null).expect("NULL there");
                assert_eq!((answers[0].is_valid(0), answers[0].is_valid(1)), (true, false));
            }
        }
    }
}

#[test]
fn booleans_are_booleans_alone() {
    let model = identity(Element::Bool, &[1], None);
    let flags = column(BooleanArray::from(vec![Some(true), None, Some(false)]));
    assert_answers(&model, &flags, &flags);
    assert_snapshot!(refusal(&model, &column(Int64Array::from(vec![1]))), @"feature `x` takes a boolean, got Int64; write CAST(... AS BOOLEAN) if that is meant");
    assert_snapshot!(refusal(&model, &column(StringArray::from(vec!["true"]))), @"feature `x` takes a boolean, got Utf8; write CAST(... AS BOOLEAN) if that is meant");
    assert_snapshot!(refusal(&model, &column(Date32Array::from(vec![1]))), @"feature `x` takes a boolean, got Date32");
}

#[test]
fn text_of_every_type_is_text() {
    let model = identity(Element::String, &[1], None);
    let words =
        column(StringArray::from(vec![Some("yes"), None, Some(""), Some("a longer text than a view keeps in line")]));
    for data_type in [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View] {
        assert_answers(&model, &cast(&words, &data_type).expect("text"), &words);
    }
}

/// Dates and timestamps of 1969-12-31 and 2013-07-04, most with a time of day.
fn moments() -> Vec<(ArrayRef, [i64; 2], [&'static str; 2])> {
    let seconds = [-1, 1_372_942_799];
    let times = |factor: i64| seconds.map(|second| second * factor);
    let values = |factor: i64| times(factor).into_iter().map(Some).chain([None]);
    let date_time = ["1969-12-31T23:59:59", "2013-07-04T12:59:59"];
    let micros = TimestampMicrosecondArray::from_iter(values(1_000_000));
    vec![
        (column(Date32Array::from(vec![Some(-1), Some(15_890), None])), [-1, 15_890], ["1969-12-31", "2013-07-04"]),
        (
            column(Date64Array::from(vec![Some(-86_400_000), Some(1_372_896_000_000), None])),
            [-86_400_000, 1_372_896_000_000],
            ["1969-12-31T00:00:00", "2013-07-04T00:00:00"],
        ),
        (column(TimestampSecondArray::from_iter(values(1))), times(1), date_time),
        (column(TimestampMillisecondArray::from_iter(values(1_000))), times(1_000), date_time),
        (column(micros.clone()), times(1_000_000), date_time),
        (column(TimestampNanosecondArray::from_iter(values(1_000_000_000))), times(1_000_000_000), date_time),
        (
            column(micros.clone().with_timezone("America/New_York")),
            times(1_000_000),
            ["1969-12-31T18:59:59-05:00", "2013-07-04T08:59:59-04:00"],
        ),
        (column(micros.with_timezone("UTC")), times(1_000_000), ["1969-12-31T23:59:59Z", "2013-07-04T12:59:59Z"]),
    ]
}

#[test]
fn dates_and_timestamps_are_counts_or_iso_texts() {
    let (integer, text) = (identity(Element::Int64, &[1], None), identity(Element::String, &[1], None));
    for (given, [first, second], [first_text, second_text]) in moments() {
        assert_answers(&integer, &given, &column(Int64Array::from(vec![Some(first), Some(second), None])));
        assert_answers(&text, &given, &column(StringArray::from(vec![Some(first_text), Some(second_text), None])));
    }
    let small = identity(Element::Int32, &[1], None);
    let dates = column(Date32Array::from(vec![Some(i32::MIN), Some(i32::MAX), None]));
    assert_answers(&small, &dates, &column(Int32Array::from(vec![Some(i32::MIN), Some(i32::MAX), None])));
    assert_snapshot!(refusal(&small, &column(TimestampSecondArray::from(vec![1 << 40]))), @"row 0: feature `x` is 1099511627776, which does not fit Int32");
    assert_snapshot!(refusal(&text, &column(TimestampSecondArray::from(vec![i64::MAX]))), @"row 0: feature `x` is 9223372036854775807, which does not fit Utf8");
}

#[test]
fn columns_without_a_value_are_null_or_missing() {
    let (plain, missing) =
        (identity(Element::Float, &[1], None), identity(Element::Float, &[1], Some(NullPolicy::Missing)));
    let mut types = number_types();
    types.extend([DataType::Null, DataType::Boolean]);
    for data_type in types {
        let nulls = new_null_array(&data_type, 3);
        assert_answers(&plain, &nulls, &new_null_array(&DataType::Float32, 3));
        assert_answers(&missing, &nulls, &column(Float32Array::from(vec![f32::NAN; 3])));
    }
    for element in [Element::Int64, Element::Bool, Element::String] {
        let model = identity(element, &[1], None);
        assert_answers(&model, &column(NullArray::new(3)), &new_null_array(&feature_type(&model), 3));
    }
}

/// Lists of these lengths over the values, NULL where there is no length.
fn lists(values: &ArrayRef, lengths: &[Option<usize>]) -> ArrayRef {
    let nulls = NullBuffer::from_iter(lengths.iter().map(Option::is_some));
    let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or(0)));
    column(ListArray::new(item(values.data_type()), offsets, Arc::clone(values), Some(nulls)))
}

#[test]
fn lists_of_any_kind_of_any_values_are_one_feature() {
    let model = identity(Element::Float, &[3, 1], None);
    let values: ArrayRef =
        column(Int64Array::from(vec![Some(1), Some(0), Some(1), Some(1), None, Some(0), Some(0), Some(1), Some(1)]));
    let lengths = [Some(3), Some(3), None, Some(3)];
    let floats = cast(&values, &DataType::Float32).expect("small numbers");
    let answered = [Some(3), None, None, Some(3)];
    let kept = concat(&[&floats.slice(0, 3), &floats.slice(6, 3)]).expect("floats");
    let expected = lists(&kept, &answered);
    let mut types = number_types();
    types.push(DataType::Boolean);
    for data_type in types {
        for values in encoded(&cast(&values, &data_type).expect("small numbers")) {
            for feature in list_kinds(&lists(&values, &lengths), 3) {
                let got = predict(&model, &feature).expect("lists that fit");
                assert_eq!(&got, &expected, "{}", feature.data_type());
                let got = predict(&model, &feature.slice(1, 3)).expect("lists that fit");
                assert_eq!(&got, &expected.slice(1, 3), "{}", feature.data_type());
            }
        }
    }
    let nulls = new_null_array(&DataType::Null, 9);
    let unknown = predict(&model, &lists(&nulls, &[Some(3), None])).expect("lists of NULL");
    assert_eq!(unknown.null_count(), 2);
}

#[test]
fn nested_lists_have_the_bits_of_flat_ones() {
    let model = identity(Element::Float, &[2, 3, 2], None);
    let values: ArrayRef = column(Float32Array::from_iter_values((0..36).map(|value| value as f32 / 7.0)));
    let flat = lists(&values, &[Some(12); 3]);
    let expected = predict(&model, &flat).expect("flat lists");
    let pairs = lists(&values, &[Some(2); 18]);
    let sixes = lists(&values, &[Some(6); 6]);
    let nested = lists(&lists(&pairs, &[Some(3); 6]), &[Some(2); 3]);
    for feature in [lists(&sixes, &[Some(2); 3]), nested].iter().flat_map(|list| list_kinds(list, 2)) {
        assert_eq!(&predict(&model, &feature).expect("nested lists"), &expected, "{}", feature.data_type());
        assert_eq!(&predict(&model, &feature.slice(1, 2)).expect("nested lists"), &expected.slice(1, 2));
        assert_eq!(predict(&model, &feature.slice(3, 0)).expect("no rows").len(), 0);
    }
    let fixed = |values: &ArrayRef, size: i32| {
        column(FixedSizeListArray::new(item(values.data_type()), size, Arc::clone(values), None)) as ArrayRef
    };
    let tensor = fixed(&fixed(&fixed(&values, 2), 3), 2);
    assert_eq!(&predict(&model, &tensor).expect("fixed sizes"), &expected);
    assert_eq!(&predict(&model, &tensor.slice(1, 1)).expect("fixed sizes"), &expected.slice(1, 1));
    // The second row lacks an inner list, the third is NULL.
    let gap = [Some(6), Some(6), Some(6), None, Some(6), Some(6)];
    let gaps = lists(&lists(&values, &gap), &[Some(2), Some(2), None]);
    let got = predict(&model, &gaps).expect("NULL rows");
    assert_eq!((got.null_count(), &got.slice(0, 1)), (2, &expected.slice(0, 1)));
}

#[test]
fn lists_that_do_not_fit_are_refused() {
    let model = identity(Element::Uint8, &[2, 2], None);
    let values: ArrayRef = column(Int64Array::from(vec![1, 2, 3, 4, 5, 6, 7, 256, 9, 10, 11, 12]));
    let null_there = |feature: &ArrayRef| {
        let features = [Arc::clone(feature)];
        let answers = model.run(&features, feature.len(), &[Answer::Prediction], OnRefusedRow::Null).expect("NULL");
        (0..feature.len()).map(|row| if answers[0].is_valid(row) { '+' } else { '-' }).collect::<String>()
    };
    let flat = lists(&values, &[Some(4); 3]);
    assert_snapshot!(refusal(&model, &flat), @"row 1: feature `x` is 256, which does not fit UInt8");
    assert_eq!(null_there(&flat), "+-+");
    // What is outside of a slice refuses nothing.
    assert_eq!(null_there(&flat.slice(2, 1)), "+");
    predict(&model, &flat.slice(2, 1)).expect("a row that fits");
    let short = lists(&values, &[Some(4), Some(3), Some(4)]);
    assert_snapshot!(refusal(&model, &short), @"row 1: feature `x` is a list of 3 elements instead of 4");
    let pairs = lists(&values, &[Some(2), Some(2), Some(2), Some(1), Some(2), Some(2)]);
    let nested = lists(&pairs, &[Some(2), Some(2), Some(2)]);
    assert_snapshot!(refusal(&model, &nested), @"row 1: feature `x` is a list of 1 elements instead of 2");
    // The last row holds the 256.
    assert_eq!(null_there(&nested), "+--");
}

#[test]
fn a_list_of_any_kind_feeds_all_features() {
    let model = identity(Element::Double, &[2], None);
    let values: ArrayRef = column(Int64Array::from(vec![Some(1), Some(0), Some(1), None]));
    let expected = lists(&cast(&values.slice(0, 2), &DataType::Float64).expect("floats"), &[Some(2), None, None]);
    for data_type in number_types() {
        for values in encoded(&cast(&values, &data_type).expect("small numbers")) {
            for list in list_kinds(&lists(&values, &[Some(2), None, Some(2)]), 2) {
                assert_eq!(&predict(&model, &list).expect("lists that fit"), &expected, "{}", list.data_type());
                let got = predict(&model, &list.slice(1, 1)).expect("lists that fit");
                assert_eq!(&got, &expected.slice(1, 1), "{}", list.data_type());
            }
        }
    }
    let words = lists(&(column(StringArray::from(vec!["a", "b"])) as ArrayRef), &[Some(2)]);
    assert_snapshot!(refusal(&model, &words), @"feature `f0` takes a number, got Utf8; write CAST(... AS DOUBLE) if it holds numbers");
    let three = FixedSizeListArray::new(item(&DataType::Float32), 3, column(Float32Array::from(vec![1.0; 3])), None);
    assert_snapshot!(refusal(&model, &column(three)), @"the list has 3 elements, the model takes 2 features");
}

#[test]
fn what_does_not_fit_is_said() {
    let feature = |data_type, lengths: &[usize]| {
        let shape = lengths.iter().copied().map(Extent::Fixed).collect();
        Feature { name: "f".to_string(), data_type, shape, null_policy: NullPolicy::Null }
    };
    let refusal = |feature: &Feature, data_type: DataType| feature.accepts(&data_type).expect_err("no").to_string();
    let (number, integer) = (feature(DataType::Float32, &[]), feature(DataType::Int64, &[]));
    let (word, list) = (feature(DataType::Utf8, &[]), feature(DataType::Float32, &[3]));
    let timestamp = DataType::Timestamp(TimeUnit::Second, None);
    let category = |values| DataType::Dictionary(Box::new(DataType::Int8), Box::new(values));
    assert_snapshot!(refusal(&number, DataType::Utf8), @"feature `f` takes a number, got Utf8; write CAST(... AS DOUBLE) if it holds numbers");
    assert_snapshot!(refusal(&number, category(DataType::Utf8View)), @"feature `f` takes a number, got Dictionary(Int8, Utf8View); write CAST(... AS DOUBLE) if it holds numbers");
    assert_snapshot!(refusal(&number, DataType::Date32), @"feature `f` takes a number, got Date32; write CAST(... AS BIGINT) for its count of units, or date_part(...) for a part of it");
    assert_snapshot!(refusal(&number, timestamp), @"feature `f` takes a number, got Timestamp(s); write CAST(... AS BIGINT) for its count of units, or date_part(...) for a part of it");
    assert_snapshot!(refusal(&number, DataType::Binary), @"feature `f` takes a number, got Binary");
    assert_snapshot!(refusal(&integer, DataType::Float64), @"feature `f` takes an integer, got Float64; write CAST(... AS BIGINT), which cuts the fraction off");
    assert_snapshot!(refusal(&integer, DataType::Decimal128(10, 2)), @"feature `f` takes an integer, got Decimal128(10, 2); write CAST(... AS BIGINT), which cuts the fraction off");
    assert_snapshot!(refusal(&integer, DataType::Utf8), @"feature `f` takes an integer, got Utf8; write CAST(... AS BIGINT) if it holds numbers");
    assert_snapshot!(refusal(&integer, DataType::Time64(TimeUnit::Microsecond)), @"feature `f` takes an integer, got Time64(µs); write CAST(... AS BIGINT) if its count of units is meant");
    assert_snapshot!(refusal(&word, DataType::Int64), @"feature `f` takes text, got Int64; write CAST(... AS VARCHAR) if that is meant");
    assert_snapshot!(refusal(&word, DataType::Binary), @"feature `f` takes text, got Binary");
    assert_snapshot!(refusal(&list, DataType::Float32), @"feature `f` takes a list of 3 Float32 values, got Float32");
    let of = |item: DataType, size| DataType::FixedSizeList(Arc::new(Field::new_list_field(item, true)), size);
    assert_snapshot!(refusal(&list, of(DataType::Float32, 2)), @"feature `f` takes a list of 3 Float32 values, got FixedSizeList(2 x Float32)");
    let image = feature(DataType::Float32, &[3, 4, 5]);
    assert_snapshot!(refusal(&image, of(of(DataType::Float32, 5), 4)), @"feature `f` takes a list of 60 Float32 values, flat or nested as [3, 4, 5], got FixedSizeList(4 x FixedSizeList(5 x Float32))");
    assert_snapshot!(refusal(&image, of(DataType::Utf8, 60)), @"feature `f` takes a list of 60 Float32 values, flat or nested as [3, 4, 5], got FixedSizeList(60 x Utf8)");
    for fits in [of(DataType::UInt8, 60), of(of(DataType::Float64, 20), 3), of(of(of(DataType::Boolean, 5), 4), 3)] {
        image.accepts(&fits).expect("nested or flat");
    }
}
