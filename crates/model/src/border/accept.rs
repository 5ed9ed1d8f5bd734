//! Which Arrow types a feature takes; asked when a query is planned.
//!
//! Numbers convert where no more than the rounding of a float is lost. Text never becomes a number, and a number never
//! becomes text: both would hide a mistake.

use arrow::datatypes::DataType;

use crate::error::{Error, Result};
use crate::signature::Feature;

impl Feature {
    /// Checks that a column of this type can be the feature.
    ///
    /// # Errors
    /// [`Error::Arguments`] with what is expected, what is given and the cure.
    pub fn accepts(&self, data_type: &DataType) -> Result<()> {
        if *data_type == DataType::Null {
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
            integer if integer.is_integer() => "an integer",
            _ => "a number",
        };
        Err(Error::Arguments(format!(
            "feature `{}` takes {expected}, got {data_type}{}",
            self.name,
            self.cure(data_type)
        )))
    }

    fn accepts_list(&self, data_type: &DataType) -> Result<()> {
        let elements: usize = self.shape.iter().product();
        let fits = match data_type {
            DataType::List(item) | DataType::LargeList(item) => accepts_value(&self.data_type, item.data_type()),
            DataType::FixedSizeList(item, size) => {
                accepts_value(&self.data_type, item.data_type()) && usize::try_from(*size) == Ok(elements)
            }
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let kind = &self.data_type;
        Err(Error::Arguments(format!(
            "feature `{}` takes a list of {elements} {kind} values, got {data_type}",
            self.name
        )))
    }

    fn cure(&self, data_type: &DataType) -> &'static str {
        match (&self.data_type, value_type(data_type)) {
            (DataType::Utf8, _) => "; write CAST(... AS VARCHAR) if that is meant",
            (DataType::Boolean, _) => "; write CAST(... AS BOOLEAN) if that is meant",
            (integer, given) if integer.is_integer() && (given.is_floating() || is_decimal(given)) => {
                "; write CAST(... AS BIGINT), which cuts the fraction off"
            }
            (integer, given) if integer.is_integer() && is_text(given) => {
                "; write CAST(... AS BIGINT) if it holds numbers"
            }
            (_, given) if is_text(given) => "; write CAST(... AS DOUBLE) if it holds numbers",
            _ => "",
        }
    }
}

fn accepts_value(takes: &DataType, given: &DataType) -> bool {
    let given = value_type(given);
    match takes {
        DataType::Utf8 => is_text(given),
        DataType::Boolean => *given == DataType::Boolean,
        integer if integer.is_integer() => given.is_integer() || *given == DataType::Boolean || whole_decimal(given),
        _ => given.is_integer() || given.is_floating() || *given == DataType::Boolean || is_decimal(given),
    }
}

/// The type of a dictionary's values; any other type as it is.
pub(super) fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_decimal(data_type: &DataType) -> bool {
    use DataType::{Decimal32, Decimal64, Decimal128, Decimal256};
    matches!(data_type, Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..))
}

fn whole_decimal(data_type: &DataType) -> bool {
    use DataType::{Decimal32, Decimal64, Decimal128, Decimal256};
    matches!(data_type, Decimal32(_, 0) | Decimal64(_, 0) | Decimal128(_, 0) | Decimal256(_, 0))
}
