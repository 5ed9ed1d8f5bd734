//! Which Arrow types a feature takes; asked when a query is planned.
//!
//! | the model reads | a column may hold |
//! |---|---|
//! | floats | integers, floats, decimals and booleans, each rounded to the nearest float |
//! | integers | integers, booleans, decimals without a fraction; dates and timestamps as the count that they are: days or milliseconds since 1970 for a date, units of the type since 1970 in UTC for a timestamp |
//! | booleans | booleans |
//! | text | text; dates and timestamps in the ISO form of `CAST(... AS VARCHAR)` |
//! | maps | maps of those; structs, whose fields are the keys |
//! | lists | lists of those, flat or nested as deep as the model's own shape; flat only if one length follows from the others |
//!
//! A dictionary and a run-end encoded column are what their values are, and a column of type NULL is NULL in every row. Text
//! never becomes a number, and a number never becomes text: both would hide a mistake.

use arrow::datatypes::DataType;

use super::map::map_types;
use crate::error::{Error, Result};
use crate::signature::{Extent, Feature, ShapeText, Signature};

impl Signature {
    /// Checks that columns of these types can be the model's features: one for each, or one list for all.
    ///
    /// # Errors
    /// [`Error::Arguments`] with what is expected, what is given and the cure.
    pub fn accepts(&self, data_types: &[DataType]) -> Result<()> {
        let expected = self.features.len();
        if let [list] = data_types
            && self.takes_as_list(list)
        {
            return self.accepts_list(list);
        }
        if data_types.len() != expected {
            let got = data_types.len();
            return Err(Error::Arguments(format!("the model takes {expected} features, got {got}")));
        }
        self.features.iter().zip(data_types).try_for_each(|(feature, data_type)| feature.accepts(data_type))
    }

    /// Whether a single column of this type stands for all features: a list where every feature is a plain value.
    pub fn takes_as_list(&self, data_type: &DataType) -> bool {
        list_item(value_type(data_type)).is_some() && self.features.iter().all(|feature| feature.shape.is_empty())
    }

    fn accepts_list(&self, data_type: &DataType) -> Result<()> {
        let Some((item, size)) = list_item(value_type(data_type)) else {
            return Err(Error::Internal(format!("{data_type} for a list")));
        };
        let expected = self.features.len();
        if let Some(size) = size.filter(|&size| size != expected) {
            let what = format!("the list has {size} elements, the model takes {expected} features");
            return Err(Error::Arguments(what));
        }
        self.features.iter().try_for_each(|feature| feature.accepts(item))
    }
}

impl Feature {
    /// Checks that a column of this type can be the feature.
    ///
    /// Floats take integers, decimals and booleans as well, rounded to the nearest float. Integers take booleans, decimals
    /// without a fraction, and dates and timestamps as the count they are stored as; a value that does not fit the model's
    /// integer type makes its row a refused one. Text takes dates and timestamps in ISO form. Lists take lists of those,
    /// flat or nested. Dictionaries and run-end encoded columns count as their values.
    ///
    /// # Errors
    /// [`Error::Arguments`] with what is expected, what is given and the cure.
    pub fn accepts(&self, data_type: &DataType) -> Result<()> {
        if *value_type(data_type) == DataType::Null {
            return Ok(());
        }
        if !self.shape.is_empty() {
            return self.accepts_list(data_type);
        }
        if accepts_value(&self.data_type, data_type) {
            return Ok(());
        }
        let expected = match &self.data_type {
            DataType::Utf8 => "text",
            DataType::Boolean => "a boolean",
            DataType::Map(..) => "a map, or a struct with a field for each key,",
            integer if integer.is_integer() => "an integer",
            _ => "a number",
        };
        Err(Error::Arguments(format!(
            "feature `{}` takes {expected}, got {data_type}{}",
            self.name,
            self.cure(value_type(data_type))
        )))
    }

    fn accepts_list(&self, data_type: &DataType) -> Result<()> {
        if fits_shape(&self.data_type, &self.shape, data_type) {
            return Ok(());
        }
        let elements = match self.fixed_shape() {
            Some(shape) => format!("{} {} values", shape.iter().product::<usize>(), self.data_type),
            None => format!("{} values", self.data_type),
        };
        let shape = ShapeText(&self.shape);
        let nested = match &self.shape[..] {
            [_] => String::new(),
            extents if can_be_flat(extents) => format!(", flat or nested as {shape}"),
            _ => format!(", nested as {shape}"),
        };
        Err(Error::Arguments(format!("feature `{}` takes a list of {elements}{nested}, got {data_type}", self.name)))
    }

    fn cure(&self, given: &DataType) -> &'static str {
        let is_count = given.is_temporal() && !matches!(given, DataType::Interval(_));
        match &self.data_type {
            DataType::Utf8 if given.is_primitive() || *given == DataType::Boolean => {
                "; write CAST(... AS VARCHAR) if that is meant"
            }
            DataType::Boolean if given.is_numeric() || given.is_string() => {
                "; write CAST(... AS BOOLEAN) if that is meant"
            }
            integer if integer.is_integer() && given.is_string() => "; write CAST(... AS BIGINT) if it holds numbers",
            integer if integer.is_integer() && given.is_numeric() => {
                "; write CAST(... AS BIGINT), which cuts the fraction off"
            }
            integer if integer.is_integer() && is_count => "; write CAST(... AS BIGINT) if its count of units is meant",
            float if float.is_floating() && given.is_string() => "; write CAST(... AS DOUBLE) if it holds numbers",
            float if float.is_floating() && is_count => {
                "; write CAST(... AS BIGINT) for its count of units, or date_part(...) for a part of it"
            }
            _ => "",
        }
    }
}

fn accepts_value(takes: &DataType, given: &DataType) -> bool {
    let given = value_type(given);
    match takes {
        _ if *given == DataType::Null => true,
        DataType::Utf8 => given.is_string() || is_moment(given),
        DataType::Boolean => *given == DataType::Boolean,
        DataType::Map(..) => accepts_entries(takes, given),
        integer if integer.is_integer() => {
            given.is_integer() || *given == DataType::Boolean || is_whole_decimal(given) || is_moment(given)
        }
        _ => given.is_numeric() || *given == DataType::Boolean,
    }
}

/// Whether the keys and values of a map are those that the model takes; the fields of a struct are values with text keys.
fn accepts_entries(takes: &DataType, given: &DataType) -> bool {
    let Some((key, value)) = map_types(takes) else { return false };
    match given {
        DataType::Struct(fields) => {
            *key == DataType::Utf8 && fields.iter().all(|field| accepts_value(value, field.data_type()))
        }
        map => map_types(map).is_some_and(|types| accepts_value(key, types.0) && accepts_value(value, types.1)),
    }
}

/// Whether lists of this type can hold elements of this shape: nested as deep as it is, or flat from some level on.
fn fits_shape(takes: &DataType, shape: &[Extent], given: &DataType) -> bool {
    let Some((item, size)) = list_item(value_type(given)) else { return false };
    let has = |length: Option<usize>| size.is_none() || length.is_none() || size == length;
    match shape {
        [] => false,
        _ if accepts_value(takes, item) => can_be_flat(shape) && size.is_none_or(|size| holds(shape, size)),
        [outer, inner @ ..] => has(outer.fixed()) && fits_shape(takes, inner, item),
    }
}

/// Whether the shape of a row follows from the number of its elements.
pub(super) fn can_be_flat(shape: &[Extent]) -> bool {
    shape.iter().filter(|extent| extent.fixed().is_none()).count() <= 1
}

/// Whether a flat list of so many elements can have this shape.
pub(super) fn holds(shape: &[Extent], elements: usize) -> bool {
    let known: usize = shape.iter().filter_map(Extent::fixed).product();
    match shape.iter().all(|extent| extent.fixed().is_some()) {
        true => elements == known,
        false => known > 0 && elements.is_multiple_of(known),
    }
}

/// The type of a list's elements, and how many there are if the type says so.
fn list_item(data_type: &DataType) -> Option<(&DataType, Option<usize>)> {
    use DataType::{FixedSizeList, LargeList, LargeListView, List, ListView};
    match data_type {
        List(item) | LargeList(item) | ListView(item) | LargeListView(item) => Some((item.data_type(), None)),
        FixedSizeList(item, size) => Some((item.data_type(), usize::try_from(*size).ok())),
        _ => None,
    }
}

/// The type of the values of a dictionary or of runs; any other type as it is.
pub(super) fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => value_type(values),
        DataType::RunEndEncoded(_, values) => value_type(values.data_type()),
        other => other,
    }
}

/// A date or a timestamp.
pub(super) fn is_moment(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..))
}

fn is_whole_decimal(data_type: &DataType) -> bool {
    use DataType::{Decimal32, Decimal64, Decimal128, Decimal256};
    match data_type {
        Decimal32(_, scale) | Decimal64(_, scale) | Decimal128(_, scale) | Decimal256(_, scale) => *scale <= 0,
        _ => false,
    }
}
