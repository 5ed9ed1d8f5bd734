//! Values as Universal Binary JSON, as XGBoost writes it: numbers of one kind in arrays of their type.

use serde_json::Value;

/// The bytes of a value.
pub fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(value, &mut bytes);
    bytes
}

fn write(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Null => bytes.push(b'Z'),
        Value::Bool(flag) => bytes.push(if *flag { b'T' } else { b'F' }),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => {
                bytes.push(b'L');
                bytes.extend(integer.to_be_bytes());
            }
            None => {
                bytes.push(b'D');
                bytes.extend(number.as_f64().unwrap_or(f64::NAN).to_be_bytes());
            }
        },
        Value::String(text) => {
            bytes.push(b'S');
            write_text(text, bytes);
        }
        Value::Array(items) => {
            bytes.push(b'[');
            let integers: Option<Vec<i64>> = items.iter().map(Value::as_i64).collect();
            match integers {
                Some(integers) if !integers.is_empty() => {
                    bytes.extend(b"$L#");
                    write(&Value::from(integers.len()), bytes);
                    integers.iter().for_each(|integer| bytes.extend(integer.to_be_bytes()));
                }
                _ => {
                    items.iter().for_each(|item| write(item, bytes));
                    bytes.push(b']');
                }
            }
        }
        Value::Object(members) => {
            bytes.push(b'{');
            for (key, value) in members {
                write_text(key, bytes);
                write(value, bytes);
            }
            bytes.push(b'}');
        }
    }
}

fn write_text(text: &str, bytes: &mut Vec<u8>) {
    write(&Value::from(text.len()), bytes);
    bytes.extend(text.as_bytes());
}
