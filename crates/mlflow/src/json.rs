//! JSON of strangers: a text of some megabytes may become values of gigabytes, since an empty object is two bytes of one and
//! hundreds of the other. So the values are counted before they are made.

use serde::de::DeserializeOwned;

/// Most memory that the values of a text may take.
const BYTES_MAX: usize = 192 << 20;

/// Reads a text.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let bytes = cost(text);
    if bytes > BYTES_MAX {
        return Err(format!("its values would take {} MB, the most is {} MB", bytes >> 20, BYTES_MAX >> 20));
    }
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

/// The memory that the values of a text take at most, while their lists grow.
fn cost(text: &[u8]) -> usize {
    let (mut bytes, mut in_text, mut at) = (0, false, 0);
    while at < text.len() {
        match text[at] {
            b'\\' if in_text => at += 1,
            b'"' => {
                in_text = !in_text;
                bytes += 16;
            }
            _ if in_text => bytes += 1,
            b'{' => bytes += 640,
            b'[' => bytes += 128,
            b':' => bytes += 100,
            b',' => bytes += 64,
            _ => {}
        }
        at += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn small_texts_of_great_values_are_refused() {
        let list = |item: &str| format!("[{}0]", format!("{item},").repeat((16 << 20) / (item.len() + 1)));
        for item in ["{}", "{\"\":0}", "[]", "0", "[0]"] {
            let refusal = parse::<Value>(list(item).as_bytes()).expect_err(item);
            assert!(refusal.contains("the most is 192 MB"), "{item}: {refusal}");
        }
        assert!(parse::<Value>(list("5.123456789").as_bytes()).is_ok());
        assert_eq!(
            parse::<Vec<String>>(br#"["{,[\"", ":"]"#).as_deref(),
            Ok(&["{,[\"".to_owned(), ":".to_owned()][..])
        );
    }
}
