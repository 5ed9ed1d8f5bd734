//! A file of any content is loaded, and a model that loads computes a few rows, in several ways that must agree. The fuzz
//! targets do the same.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, FixedSizeListArray, Float64Array, StringArray, UInt32Array, new_null_array};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Field};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use foretell_model::{Answer, Error, Feature, LoadOptions, Model, OnRefusedRow, PassOptions};

/// More elements than this in a row take long to make, and teach nothing.
const ELEMENTS_MAX: usize = 1 << 14;
/// Rows of the table: one for each value, and two in which the features have met.
const ROWS: u32 = 9;
/// Values in a batch that is larger than what a kernel takes at once.
const BATCH_MAX: usize = 1 << 12;

/// Loads the bytes as a model and runs it on no row and on a few, together and apart.
///
/// # Panics
/// When an answer has another type or length than was promised, or depends on more than its row.
pub fn load_and_run(bytes: &[u8]) -> Result<(), Error> {
    let model = Model::from_bytes(bytes, &LoadOptions::default())?;
    let width = width(&model);
    if width > ELEMENTS_MAX {
        return Ok(());
    }
    let table = Table::new(&model);
    table.answer(&[])?;
    let whole = table.answer(&Vec::from_iter(0..ROWS))?;
    if model.backend().contains("tract") {
        // Sums in there may run in another order.
        return Ok(());
    }
    let alone = |row| table.answer(&[row]).expect("a row that was answered among others");
    let alone: Vec<Vec<ArrayRef>> = (0..ROWS).map(alone).collect();
    for (at, whole) in whole.iter().enumerate() {
        let rows: Vec<&dyn Array> = alone.iter().map(|answers| answers[at].as_ref()).collect();
        assert_same(&concat(&rows).expect("answers of one type"), whole, "a row alone");
    }
    let slice = table.answer_slice(2, 5).expect("rows that were answered among others");
    for (slice, whole) in slice.iter().zip(&whole) {
        assert_same(slice, &whole.slice(2, 5), "a slice");
    }
    let many: Vec<u32> = (0..(BATCH_MAX / width.max(1)).min(150) as u32).map(|at| (at * 5 + 1) % ROWS).collect();
    let answers = table.answer(&many).expect("rows that were answered in another order");
    assert_repeated(&answers, &whole, &many, "a large batch");
    let Ok(plain) = Model::from_bytes(bytes, &LoadOptions { passes: PassOptions::NONE, ..LoadOptions::default() })
    else {
        // Without the passes it may be too large.
        return Ok(());
    };
    let plain = Table { model: &plain, ..table }.answer(&Vec::from_iter(0..ROWS));
    assert_repeated(&plain.expect("rows that were answered"), &whole, &Vec::from_iter(0..ROWS), "no passes");
    Ok(())
}

/// How long lists are along each dimension; any length will do where the model leaves it open.
fn lengths(feature: &Feature) -> impl DoubleEndedIterator<Item = usize> {
    feature.shape.iter().map(|extent| extent.fixed().unwrap_or(3))
}

/// Elements of a row.
fn width(model: &Model) -> usize {
    let features = model.signature().features.iter();
    features.map(|feature| lengths(feature).product()).fold(0, usize::saturating_add)
}

/// A model and rows for it.
struct Table<'m> {
    model: &'m Model,
    columns: Vec<ArrayRef>,
    asked: Vec<Answer>,
}

impl<'m> Table<'m> {
    fn new(model: &'m Model) -> Self {
        let features = model.signature().features.iter().enumerate();
        let columns = features.map(|(at, feature)| column(feature, at, ROWS as usize)).collect();
        let mut asked = vec![Answer::Prediction, Answer::Raw];
        if model.signature().has_probabilities {
            asked.push(Answer::Probabilities);
        }
        Self { model, columns, asked }
    }

    /// The answers for these rows, of which there may be more than the table has.
    fn answer(&self, rows: &[u32]) -> Result<Vec<ArrayRef>, Error> {
        let positions = UInt32Array::from(rows.to_vec());
        let pick = |column: &ArrayRef| take(column, &positions, None).expect("rows of the table");
        self.run(&self.columns.iter().map(pick).collect::<Vec<_>>(), rows.len())
    }

    fn answer_slice(&self, from: usize, rows: usize) -> Result<Vec<ArrayRef>, Error> {
        self.run(&self.columns.iter().map(|column| column.slice(from, rows)).collect::<Vec<_>>(), rows)
    }

    fn run(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>, Error> {
        let answers = self.model.run(columns, rows, &self.asked, OnRefusedRow::Null)?;
        for (answer, array) in self.asked.iter().zip(&answers) {
            assert_eq!(array.len(), rows, "{answer:?}");
            assert_eq!(array.data_type(), &self.model.answer_type(*answer).expect("it was asked for"));
        }
        Ok(answers)
    }
}

/// Fails unless the answers are those of `whole` at these rows.
fn assert_repeated(answers: &[ArrayRef], whole: &[ArrayRef], rows: &[u32], what: &str) {
    let positions = UInt32Array::from(rows.to_vec());
    for (answer, whole) in answers.iter().zip(whole) {
        assert_same(answer, &take(whole, &positions, None).expect("rows of the table"), what);
    }
}

/// Fails unless both are the same to the bit, but any NaN is as good as another.
fn assert_same(got: &ArrayRef, expected: &ArrayRef, what: &str) {
    if got == expected {
        return;
    }
    let options = FormatOptions::default().with_null("NULL");
    let shown = |array: &ArrayRef| -> Vec<String> {
        let formatter = ArrayFormatter::try_new(array, &options).expect("a type that can be shown");
        (0..array.len()).map(|row| formatter.value(row).to_string()).collect()
    };
    assert_eq!(shown(got), shown(expected), "{what}");
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
