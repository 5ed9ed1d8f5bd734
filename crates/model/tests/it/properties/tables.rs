//! Random tables for a model, and the types that hold the same values.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use foretell_testing::columns::number_types;
use foretell_testing::referee::{Category, Keys, Pipeline, Precision, Row};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::models::{INTEGERS, TEXTS, single};

/// A column of a table.
#[derive(Debug, Clone)]
pub enum Column {
    /// Numbers of a kind.
    Numbers(Kind, Vec<Option<f64>>),
    /// Texts.
    Texts(Vec<Option<String>>),
    /// Integers that are categories.
    Integers(Vec<Option<i64>>),
}

/// What numbers there are in a column, and so which types can hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 0 and 1.
    Flags,
    /// Small integers.
    Counts,
    /// Two digits behind the point.
    Hundredths,
    /// Floats.
    Floats,
}

/// The columns of a table for the model, in the order of its features.
pub fn table(pipeline: &Pipeline) -> impl Strategy<Value = Vec<Column>> + use<> {
    let categories: Vec<bool> =
        pipeline.categories.iter().map(|column| matches!(column.keys, Keys::Texts(_))).collect();
    let numbers = pipeline.numbers;
    (1..=24_usize).prop_flat_map(move |rows| {
        let categories: Vec<_> = categories.iter().map(|&is_text| category_column(is_text, rows)).collect();
        (vec(number_column(rows), numbers), categories)
            .prop_map(|(numbers, categories)| numbers.into_iter().chain(categories).collect())
    })
}

fn number_column(rows: usize) -> impl Strategy<Value = Column> {
    select(vec![Kind::Flags, Kind::Counts, Kind::Hundredths, Kind::Floats]).prop_flat_map(move |kind| {
        let value = match kind {
            Kind::Flags => (0..=1_i32).prop_map(f64::from).boxed(),
            Kind::Counts => (-100..=100_i32).prop_map(f64::from).boxed(),
            Kind::Hundredths => (-9_999..=9_999_i32).prop_map(|hundredths| f64::from(hundredths) / 100.0).boxed(),
            Kind::Floats => {
                let odd = select(vec![f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::from(f32::MAX)]);
                prop_oneof![20 => single(), 1 => odd].boxed()
            }
        };
        vec(option::weighted(0.9, value), rows).prop_map(move |values| Column::Numbers(kind, values))
    })
}

fn category_column(is_text: bool, rows: usize) -> BoxedStrategy<Column> {
    match is_text {
        true => {
            let text = select(TEXTS.to_vec()).prop_map(str::to_string);
            vec(option::weighted(0.9, text), rows).prop_map(Column::Texts).boxed()
        }
        false => vec(option::weighted(0.9, select(INTEGERS.to_vec())), rows).prop_map(Column::Integers).boxed(),
    }
}

/// The row of a table as the referee reads it.
pub fn row(pipeline: &Pipeline, table: &[Column], at: usize) -> Row {
    let mut row = Row { numbers: Vec::new(), categories: Vec::new() };
    for column in table {
        match column {
            Column::Numbers(_, values) => row.numbers.push(pipeline.precision.round(values[at].unwrap_or(f64::NAN))),
            Column::Texts(texts) => row.categories.push(texts[at].clone().map(Category::Text)),
            Column::Integers(integers) => row.categories.push(integers[at].map(Category::Integer)),
        }
    }
    row
}

impl Column {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(_, values) => values.len(),
            Self::Texts(texts) => texts.len(),
            Self::Integers(integers) => integers.len(),
        }
    }

    /// The column in the type that the model declares.
    pub fn plain(&self, precision: Precision) -> ArrayRef {
        match self {
            Self::Numbers(_, values) => {
                let doubles: ArrayRef = Arc::new(Float64Array::from(values.clone()));
                let to = if precision == Precision::Single { DataType::Float32 } else { DataType::Float64 };
                cast(&doubles, &to).expect("floats")
            }
            Self::Texts(texts) => Arc::new(StringArray::from(texts.clone())),
            Self::Integers(integers) => Arc::new(Int64Array::from(integers.clone())),
        }
    }

    /// The column in every type that holds its values, of which each rounds to the model's number.
    pub fn typed(&self, precision: Precision) -> Vec<ArrayRef> {
        match self {
            Self::Texts(_) => casts(&self.plain(precision), &[DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View]),
            Self::Integers(_) => casts(&self.plain(precision), &integer_types()),
            Self::Numbers(kind, values) => {
                let doubles: ArrayRef = Arc::new(Float64Array::from(values.clone()));
                let mut all = casts(&doubles, &kind.types(precision));
                let with_nan = values.iter().map(|value| Some(value.unwrap_or(f64::NAN)));
                all.push(Arc::new(with_nan.collect::<Float64Array>()));
                all
            }
        }
    }
}

fn casts(plain: &ArrayRef, types: &[DataType]) -> Vec<ArrayRef> {
    types.iter().map(|to| cast(plain, to).expect("values that the type holds")).collect()
}

fn is_decimal(data_type: &DataType) -> bool {
    data_type.is_numeric() && !data_type.is_integer() && !data_type.is_floating()
}

/// Types that hold small integers of either sign, and nothing else.
fn integer_types() -> Vec<DataType> {
    let whole = |data_type: &DataType| data_type.is_signed_integer() || data_type.to_string().ends_with(", 0)");
    number_types().into_iter().filter(whole).collect()
}

impl Kind {
    fn types(self, precision: Precision) -> Vec<DataType> {
        let all = number_types();
        match self {
            Self::Flags => all.into_iter().chain([DataType::Boolean]).collect(),
            Self::Counts => all.into_iter().filter(|data_type| !data_type.is_unsigned_integer()).collect(),
            Self::Hundredths => {
                let fractions = all
                    .into_iter()
                    .filter(|data_type| is_decimal(data_type) && data_type.to_string().ends_with(", 3)"));
                fractions.chain(Self::Floats.types(precision)).collect()
            }
            Self::Floats if precision == Precision::Single => vec![DataType::Float32, DataType::Float64],
            Self::Floats => vec![DataType::Float64],
        }
    }
}
