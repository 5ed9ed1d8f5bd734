//! The statistics of a data file, as far as they are exact.
//!
//! Delta Lake keeps minima and maxima as JSON numbers, and the writer makes a double of every decimal. A double that
//! is rounded the wrong way hides rows from a filter, so decimals that a double cannot hold go without.

use arrow::datatypes::{DataType, Fields, Schema};
use serde_json::{Map, Value};

/// Digits that a double always holds.
const EXACT_DIGITS: u8 = 15;

/// `statistics` without the bounds that may be rounded.
pub(crate) fn exact_statistics(statistics: &str, schema: &Schema) -> String {
    let Ok(Value::Object(mut parts)) = serde_json::from_str(statistics) else { return statistics.to_string() };
    for part in ["minValues", "maxValues"] {
        if let Some(Value::Object(bounds)) = parts.get_mut(part) {
            remove_rounded(bounds, schema.fields());
        }
    }
    Value::Object(parts).to_string()
}

fn remove_rounded(bounds: &mut Map<String, Value>, fields: &Fields) {
    for field in fields {
        match field.data_type() {
            DataType::Decimal128(digits, _) if *digits > EXACT_DIGITS => {
                bounds.remove(field.name());
            }
            DataType::Struct(fields) => {
                if let Some(Value::Object(inner)) = bounds.get_mut(field.name()) {
                    remove_rounded(inner, fields);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;

    #[test]
    fn wide_decimals_have_no_bounds() {
        let inner = Fields::from(vec![Field::new("wide", DataType::Decimal128(20, 0), true)]);
        let schema = Schema::new(vec![
            Field::new("wide", DataType::Decimal128(16, 2), true),
            Field::new("narrow", DataType::Decimal128(15, 2), true),
            Field::new("s", DataType::Struct(inner), true),
        ]);
        let statistics = r#"{"maxValues":{"narrow":1.5,"s":{"wide":2},"wide":3.5},"numRecords":7}"#;
        assert_eq!(exact_statistics(statistics, &schema), r#"{"maxValues":{"narrow":1.5,"s":{}},"numRecords":7}"#);
    }
}
