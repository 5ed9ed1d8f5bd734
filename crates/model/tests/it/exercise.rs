//! A file of any content is loaded, and a model that loads computes a few rows. The fuzz targets do the same.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, FixedSizeListArray, Float64Array, StringArray, UInt32Array, new_null_array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field};
use foretell_model::{Answer, Error, Feature, LoadOptions, Model, OnRefusedRow};

/// More elements than this in a row take long to make, and teach nothing.
const ELEMENTS_MAX: usize = 1 << 14;

/// Loads the bytes as a model and runs it on no row, one row and a few.
///
/// # Panics
/// When an answer has another type or length than was promised.
pub fn load_and_run(bytes: &[u8]) -> Result<(), Error> {
    let model = Model::from_bytes(bytes, &LoadOptions::default())?;
    let mut asked = vec![Answer::Prediction, Answer::Raw];
    if model.signature().has_probabilities {
        asked.push(Answer::Probabilities);
    }
    let features = &model.signature().features;
    if features.iter().map(|feature| lengths(feature).product::<usize>()).sum::<usize>() > ELEMENTS_MAX {
        return Ok(());
    }
    for rows in [0, 1, 3] {
        let columns: Vec<ArrayRef> =
            features.iter().enumerate().map(|(at, feature)| column(feature, at, rows)).collect();
        let answers = model.run(&columns, rows, &asked, OnRefusedRow::Null)?;
        for (answer, array) in asked.iter().zip(answers) {
            assert_eq!(array.len(), rows, "{answer:?}");
            assert_eq!(array.data_type(), &model.answer_type(*answer).expect("it was asked for"));
        }
    }
    Ok(())
}

/// How long lists are along each dimension; any length will do where the model leaves it open.
fn lengths(feature: &Feature) -> impl DoubleEndedIterator<Item = usize> {
    feature.shape.iter().map(|extent| extent.fixed().unwrap_or(3))
}

/// Values of every kind, beginning with another one for each feature.
fn column(feature: &Feature, at: usize, rows: usize) -> ArrayRef {
    let width: usize = lengths(feature).product();
    let positions = (0..rows * width).map(|position| ((position + at) % 7) as u32);
    let values: ArrayRef = if feature.data_type == DataType::Utf8 {
        let texts = [Some("a"), Some(""), None, Some("1.5"), Some("é b"), Some("b"), Some("-1")];
        Arc::new(StringArray::from(texts.to_vec()))
    } else {
        let numbers = [Some(0.0), Some(1.0), None, Some(-1.5), Some(f64::NAN), Some(1e300), Some(f64::INFINITY)];
        Arc::new(Float64Array::from(numbers.to_vec()))
    };
    let values = cast(&values, &feature.data_type).unwrap_or_else(|_| new_null_array(&feature.data_type, 7));
    let values = take(&values, &UInt32Array::from_iter_values(positions), None).expect("positions of values");
    // Flat where that is accepted, else nested.
    let lengths: Vec<usize> = match feature.shape.iter().filter(|extent| extent.fixed().is_none()).count() {
        _ if feature.shape.is_empty() => Vec::new(),
        0 | 1 => vec![width],
        _ => lengths(feature).collect(),
    };
    lengths.into_iter().rev().fold(values, |values, length| {
        let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        Arc::new(FixedSizeListArray::new(item, i32::try_from(length).expect("a short list"), values, None))
    })
}
