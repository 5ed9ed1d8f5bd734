//! SQL names as file names: letters, digits and `_` stay, every other byte becomes `~XX`. Case is kept.
//!
//! Not `%XX`: paths of tables are also written as URLs, and not every reader of Delta Lake decodes those only once.

use crate::{Error, Result};

/// The most bytes an encoded name may have; file systems allow 255, and extensions and suffixes come on top.
pub(crate) const NAME_BYTES_MAX: usize = 200;

/// The file name of `name`, which names a `kind` of thing.
pub(crate) fn encode(kind: &'static str, name: &str) -> Result<String> {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("~{byte:02X}"));
        }
    }
    if encoded.is_empty() || encoded.len() > NAME_BYTES_MAX {
        return Err(Error::BadName { kind, name: name.to_string(), max: NAME_BYTES_MAX });
    }
    Ok(encoded)
}

/// The name behind a file name; `None` for a file that [`encode`] cannot have named.
pub(crate) fn decode(file_name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(file_name.len());
    let mut rest = file_name.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'~' => hex_digit(rest.next()?)? * 16 + hex_digit(rest.next()?)?,
            b'_' => byte,
            _ if byte.is_ascii_alphanumeric() => byte,
            _ => return None,
        });
    }
    String::from_utf8(bytes).ok().filter(|name| !name.is_empty())
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_stay_inside_their_folder() {
        for name in
            ["flights", "Flights", "my table", "../../etc/passwd", "a.b", "100%", "zażółć", "_", "~", ".", "a/b\\c:d"]
        {
            let encoded = encode("table", name).expect("valid name");
            assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'~'), "{encoded}");
            assert_eq!(decode(&encoded).as_deref(), Some(name));
        }
        assert_eq!(encode("table", "a b").expect("valid name"), "a~20b");
    }

    #[test]
    fn empty_and_long_names_are_refused() {
        assert!(encode("model", "").is_err());
        assert!(encode("model", &"x".repeat(NAME_BYTES_MAX)).is_ok());
        assert!(encode("model", &"x".repeat(NAME_BYTES_MAX + 1)).is_err());
        assert!(encode("model", &"ł".repeat(NAME_BYTES_MAX / 6 + 1)).is_err());
    }

    #[test]
    fn foreign_files_have_no_name() {
        for file in ["", "a b", "x.tmp", "~", "~4", "~zz", "~FF", "a%20b"] {
            assert_eq!(decode(file), None, "{file}");
        }
    }
}
