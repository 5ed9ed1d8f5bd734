//! JSON as libraries of machine learning write it: `NaN`, `Infinity` and `-Infinity` are numbers.
//!
//! A number is read in the type that the reader asks for, so that a float of single precision is rounded once.

use std::borrow::Cow;

use serde::de::value::CowStrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::{Budget, Failure, shortened};
use crate::limits::Limits;

/// Reads the one value of a file.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8], limits: &Limits) -> Result<T, Failure> {
    let mut parser = Parser::new(bytes, limits);
    let value = T::deserialize(&mut parser)?;
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.unexpected("the end of the file")),
    }
}

/// The first of these keys that the file's object has, as far as the file can be read.
pub(crate) fn find_key(bytes: &[u8], keys: &[&'static str], limits: &Limits) -> Option<&'static str> {
    let mut parser = Parser::new(bytes, limits);
    let mut separator = b'{';
    while parser.take(separator).is_ok() {
        let key = parser.string().ok()?;
        if let Some(found) = keys.iter().find(|known| **known == key) {
            return Some(found);
        }
        parser.take(b':').ok()?;
        parser.skip().ok()?;
        separator = b',';
    }
    None
}

struct Parser<'de, 'l> {
    bytes: &'de [u8],
    at: usize,
    budget: Budget<'l>,
}

impl<'de, 'l> Parser<'de, 'l> {
    fn new(bytes: &'de [u8], limits: &'l Limits) -> Self {
        Self { bytes, at: 0, budget: Budget::new(limits) }
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    fn take(&mut self, expected: u8) -> Result<(), Failure> {
        match self.peek() {
            Some(byte) if byte == expected => {
                self.at += 1;
                Ok(())
            }
            _ => Err(self.unexpected(&format!("`{}`", char::from(expected)))),
        }
    }

    fn unexpected(&mut self, expected: &str) -> Failure {
        match self.peek() {
            None => Failure::early_end(self.bytes.len()),
            Some(byte) => {
                let (at, byte) = (self.at, byte.escape_ascii());
                Failure::new(format!("expected {expected}, got `{byte}` at byte {at}"))
            }
        }
    }

    /// The bytes from here on that a number or a word is made of.
    fn word(&mut self) -> &'de str {
        let rest = &self.bytes[self.at..];
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        self.at += length;
        std::str::from_utf8(&rest[..length]).unwrap_or_default()
    }

    /// A word that must be a number; `Infinity` and `NaN` are names of Rust, too.
    fn number<T: std::str::FromStr>(&mut self) -> Result<T, Failure> {
        let start = self.at;
        let word = self.word();
        let is_number = word.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | 'N' | 'I'));
        let parsed = if is_number { word.parse().ok() } else { None };
        parsed.ok_or_else(|| match self.at == self.bytes.len() {
            true => Failure::early_end(self.at),
            false => Failure::new(format!("expected a number, got `{}` at byte {start}", shortened(word))),
        })
    }

    fn is_integer(&self) -> bool {
        let rest = &self.bytes[self.at..];
        let digits = rest.strip_prefix(b"-").unwrap_or(rest);
        let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        // More digits than an i64 may have are a float.
        (1..=18).contains(&end) && !matches!(digits.get(end), Some(b'.' | b'e' | b'E'))
    }

    fn string(&mut self) -> Result<Cow<'de, str>, Failure> {
        self.take(b'"')?;
        let start = self.at;
        let rest = &self.bytes[start..];
        let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'));
        let plain = plain.ok_or_else(|| Failure::early_end(self.bytes.len()))?;
        let text = match rest[plain] {
            b'"' => {
                self.at += plain + 1;
                Cow::Borrowed(&rest[..plain])
            }
            _ => Cow::Owned(self.escaped()?),
        };
        self.budget.string(text.len())?;
        let refused = || Failure::new(format!("the text at byte {start} is not UTF-8"));
        match text {
            Cow::Borrowed(text) => std::str::from_utf8(text).map(Cow::Borrowed).map_err(|_| refused()),
            Cow::Owned(text) => String::from_utf8(text).map(Cow::Owned).map_err(|_| refused()),
        }
    }

    /// The rest of a string in which something is escaped.
    fn escaped(&mut self) -> Result<Vec<u8>, Failure> {
        let mut text = Vec::new();
        loop {
            let byte = self.next()?;
            match byte {
                b'"' => return Ok(text),
                b'\\' => match self.next()? {
                    b'b' => text.push(8),
                    b'f' => text.push(12),
                    b'n' => text.push(b'\n'),
                    b'r' => text.push(b'\r'),
                    b't' => text.push(b'\t'),
                    b'u' => {
                        let mut encoded = [0; 4];
                        text.extend_from_slice(self.unicode()?.encode_utf8(&mut encoded).as_bytes());
                    }
                    other @ (b'"' | b'\\' | b'/') => text.push(other),
                    _ => return Err(Failure::new(format!("an unknown escape in the text at byte {}", self.at))),
                },
                other => text.push(other),
            }
        }
    }

    fn next(&mut self) -> Result<u8, Failure> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte.ok_or_else(|| Failure::early_end(self.bytes.len()))
    }

    /// The character of a `\u` escape, or of two that are a pair of surrogates.
    fn unicode(&mut self) -> Result<char, Failure> {
        let first = self.hex()?;
        let code = match first {
            0xd800..0xdc00 if self.bytes[self.at..].starts_with(b"\\u") => {
                self.at += 2;
                match self.hex()? {
                    second @ 0xdc00..0xe000 => 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                    _ => first,
                }
            }
            _ => first,
        };
        char::from_u32(code)
            .ok_or_else(|| Failure::new(format!("an escape of no character in the text at byte {}", self.at)))
    }

    fn hex(&mut self) -> Result<u32, Failure> {
        let digits = self.bytes.get(self.at..self.at + 4).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        code.ok_or_else(|| Failure::new(format!("an escape without four digits in the text before byte {}", self.at)))
    }

    fn literal(&mut self, expected: &str) -> Result<(), Failure> {
        let start = self.at;
        match self.word() {
            word if word == expected => Ok(()),
            _ if self.at == self.bytes.len() => Err(Failure::early_end(self.at)),
            word => Err(Failure::new(format!("expected a value, got `{word}` at byte {start}"))),
        }
    }

    /// Passes over a value without keeping anything.
    fn skip(&mut self) -> Result<(), Failure> {
        match self.peek() {
            Some(b'{' | b'[') => {
                let is_object = self.bytes[self.at] == b'{';
                let close = if is_object { b'}' } else { b']' };
                self.at += 1;
                self.budget.enter()?;
                let mut is_first = true;
                while self.has_more(&mut is_first, close)? {
                    if is_object {
                        self.string()?;
                        self.take(b':')?;
                    }
                    self.skip()?;
                }
                Ok(())
            }
            Some(b'"') => self.string().map(drop),
            Some(byte) if byte.is_ascii_alphanumeric() || byte == b'-' => {
                self.word();
                Ok(())
            }
            _ => Err(self.unexpected("a value")),
        }
    }

    /// Whether another element follows in an array or object, behind the comma; leaves it otherwise.
    fn has_more(&mut self, is_first: &mut bool, close: u8) -> Result<bool, Failure> {
        if self.peek() == Some(close) {
            self.at += 1;
            self.budget.leave();
            return Ok(false);
        }
        if !std::mem::replace(is_first, false) {
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => return Err(self.unexpected(&format!("`,` or `{}`", char::from(close)))),
            }
        }
        Ok(true)
    }
}

impl<'de> Deserializer<'de> for &mut Parser<'de, '_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                self.budget.enter()?;
                visitor.visit_map(Members { parser: self, is_first: true, key: Cow::Borrowed("") })
            }
            Some(b'[') => {
                self.at += 1;
                self.budget.enter()?;
                visitor.visit_seq(Elements { parser: self, is_first: true, index: 0 })
            }
            Some(b'"') => match self.string()? {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            Some(b't') => self.literal("true").and_then(|()| visitor.visit_bool(true)),
            Some(b'f') => self.literal("false").and_then(|()| visitor.visit_bool(false)),
            Some(b'n') => self.literal("null").and_then(|()| visitor.visit_unit()),
            Some(_) if self.is_integer() => visitor.visit_i64(self.number()?),
            Some(b'-' | b'0'..=b'9' | b'N' | b'I') => visitor.visit_f64(self.number()?),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9' | b'N' | b'I') => visitor.visit_f32(self.number()?),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9' | b'N' | b'I') => visitor.visit_f64(self.number()?),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.peek() {
            Some(b'n') => self.literal("null").and_then(|()| visitor.visit_none()),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier
    }
}

/// The elements of an array.
struct Elements<'p, 'de, 'l> {
    parser: &'p mut Parser<'de, 'l>,
    is_first: bool,
    index: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de, '_> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        if !self.parser.has_more(&mut self.is_first, b']')? {
            return Ok(None);
        }
        let index = self.index;
        self.index += 1;
        self.parser.budget.elements(self.index as u64)?;
        seed.deserialize(&mut *self.parser).map(Some).map_err(|failure| failure.at_index(index))
    }
}

/// The members of an object.
struct Members<'p, 'de, 'l> {
    parser: &'p mut Parser<'de, 'l>,
    is_first: bool,
    key: Cow<'de, str>,
}

impl<'de> MapAccess<'de> for Members<'_, 'de, '_> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Failure> {
        if !self.parser.has_more(&mut self.is_first, b'}')? {
            return Ok(None);
        }
        self.key = self.parser.string()?;
        seed.deserialize(CowStrDeserializer::new(self.key.clone())).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Failure> {
        self.parser.take(b':')?;
        seed.deserialize(&mut *self.parser).map_err(|failure| failure.in_key(&self.key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::encoding::from_json;
    use crate::error::Error;

    fn read<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
        from_json(text.as_bytes(), "test", &Limits::default())
    }

    fn refusal<T: DeserializeOwned>(text: &str) -> String {
        read::<T>(text).err().map_or_else(|| "no error".to_string(), |error| error.to_string())
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Model {
        name: String,
        weights: Vec<f32>,
        #[serde(default)]
        depth: Option<u32>,
    }

    #[test]
    fn structs_with_more_than_they_ask_for() {
        let text =
            r#" {"extra": {"a": [1, {"b": "]}"}], "n": null}, "weights":[1, -2.5E-1,3e2], "name" : "x", "depth": 4} "#;
        let model: Model = read(text).expect("sound JSON");
        assert_eq!(model, Model { name: "x".to_string(), weights: vec![1.0, -0.25, 300.0], depth: Some(4) });
    }

    #[test]
    fn numbers_are_rounded_once_and_may_be_infinite() {
        let floats: Vec<f32> = read("[NaN, Infinity, -Infinity, 0.50000002980232238770]").expect("numbers");
        assert!(floats[0].is_nan());
        assert_eq!(floats[1..], [f32::INFINITY, f32::NEG_INFINITY, 0.500_000_06]);
        assert_eq!(read::<Vec<i64>>("[-7,0,123456789012345678]").expect("integers"), [-7, 0, 123_456_789_012_345_678]);
        assert_eq!(read::<f64>("12345678901234567890").expect("a number"), 12_345_678_901_234_567_890.0);
    }

    #[test]
    fn texts_are_unescaped() {
        let text: Vec<String> =
            read(r#"["plain", "a\"b\\\n\tc", "\u00e9\u20ac", "\ud83d\ude00", "é"]"#).expect("texts");
        assert_eq!(text, ["plain", "a\"b\\\n\tc", "é€", "😀", "é"]);
    }

    #[test]
    fn errors_say_where() {
        let cases = [
            (r#"{"name":"x"}"#, "not a valid test model: missing field `weights`"),
            (
                r#"{"name":3,"weights":[]}"#,
                "not a valid test model: `name`: invalid type: integer `3`, expected a string",
            ),
            (
                r#"{"weights":[1,"2"],"name":"x"}"#,
                "not a valid test model: `weights[1]`: invalid type: string \"2\", expected f32",
            ),
            (r#"{"weights":[1 2]}"#, "not a valid test model: `weights`: expected `,` or `]`, got `2` at byte 14"),
            (
                r#"{"weights":[1,2"#,
                "not a valid test model: `weights`: the file ends early, after 15 bytes; copy it again",
            ),
            (
                r#"{"name":"x","depth":-1}"#,
                "not a valid test model: `depth`: invalid value: integer `-1`, expected u32",
            ),
            (r#"{"name":"x","name":"y"}"#, "not a valid test model: duplicate field `name`"),
            (r#"{"name":"\q"}"#, "not a valid test model: `name`: an unknown escape in the text at byte 11"),
            (
                r#"{"name":"\ud83d\u0041"}"#,
                "not a valid test model: `name`: an escape of no character in the text at byte 21",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(refusal::<Model>(text), expected, "{text}");
        }
        assert_eq!(refusal::<f32>("1 2"), "not a valid test model: expected the end of the file, got `2` at byte 2");
        assert_eq!(refusal::<f32>("--1,"), "not a valid test model: expected a number, got `--1` at byte 0");
        assert_eq!(refusal::<f32>("nul,"), "not a valid test model: expected a value, got `nul` at byte 0");
        let deep = "[".repeat(10_000);
        assert_eq!(
            refusal::<BTreeMap<String, serde::de::IgnoredAny>>(&format!("{{\"a\":{deep}")),
            "not a valid test model: `a`: values are nested more than 64 deep"
        );
    }

    #[test]
    fn any_damage_is_an_error_and_no_panic() {
        let text = br#"{"name":"a\u00e9\ud83d\ude00b","weights":[1,-2.5E-1,NaN,Infinity],"depth":null,"x":[true,{"y":false}]}"#;
        for end in 0..text.len() {
            assert!(from_json::<Model>(&text[..end], "test", &Limits::default()).is_err());
        }
        for position in 0..text.len() {
            for bit in [1_u8, 0x20, 0x80, 0xff] {
                let mut damaged = text.to_vec();
                damaged[position] ^= bit;
                drop(from_json::<Model>(&damaged, "test", &Limits::default()));
            }
        }
    }

    #[test]
    fn keys_are_found_before_the_file_ends() {
        let limits = Limits::default();
        let find = |text: &str| find_key(text.as_bytes(), &["learner", "trees"], &limits);
        assert_eq!(find(r#"{"version":[1,2],"learner":{"x"#), Some("learner"));
        assert_eq!(find(r#"{"a":{"learner":1},"trees":0}"#), Some("trees"));
        assert_eq!(find(r#"{"a":1}"#), None);
        assert_eq!(find("[1]"), None);
    }
}
