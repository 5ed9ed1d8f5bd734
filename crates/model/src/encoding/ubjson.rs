//! Universal Binary JSON: a marker before each value, numbers with the highest byte first.
//!
//! Arrays may announce their length, and a type of number for all elements. Arrays of a type whose values take no bytes,
//! objects with an announced length and numbers written as text do not occur in models and are refused.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::{Budget, Failure};
use crate::limits::Limits;

/// Reads the one value of a file.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8], limits: &Limits) -> Result<T, Failure> {
    let mut parser = Parser { bytes, at: 0, budget: Budget::new(limits) };
    let value = T::deserialize(Value { parser: &mut parser, marker: None })?;
    match parser.bytes.len() - parser.at {
        0 => Ok(value),
        rest => Err(Failure::new(format!("{rest} bytes follow the end of the value at byte {}", parser.at))),
    }
}

struct Parser<'de, 'l> {
    bytes: &'de [u8],
    at: usize,
    budget: Budget<'l>,
}

impl<'de> Parser<'de, '_> {
    fn peek(&self) -> Result<u8, Failure> {
        self.bytes.get(self.at).copied().ok_or_else(|| Failure::early_end(self.bytes.len()))
    }

    fn marker(&mut self) -> Result<u8, Failure> {
        let marker = self.peek()?;
        self.at += 1;
        Ok(marker)
    }

    fn take(&mut self, length: usize) -> Result<&'de [u8], Failure> {
        let taken = self.at.checked_add(length).and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| Failure::early_end(self.bytes.len()))?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn refuse(&self, what: &str, marker: u8) -> Failure {
        let (at, marker) = (self.at.saturating_sub(1), marker.escape_ascii());
        Failure::new(format!("{what} `{marker}` at byte {at}"))
    }

    /// The integer behind its marker.
    fn integer(&mut self, marker: u8) -> Result<i64, Failure> {
        Ok(match marker {
            b'i' => i8::from_be_bytes(self.array()?).into(),
            b'U' => u8::from_be_bytes(self.array()?).into(),
            b'I' => i16::from_be_bytes(self.array()?).into(),
            b'l' => i32::from_be_bytes(self.array()?).into(),
            b'L' => i64::from_be_bytes(self.array()?),
            _ => return Err(self.refuse("expected the marker of an integer, got", marker)),
        })
    }

    /// A marker and a count of things that take at least `size` bytes each.
    fn length(&mut self, size: usize) -> Result<usize, Failure> {
        let marker = self.marker()?;
        let at = self.at;
        let length = self.integer(marker)?;
        let negative = || Failure::new(format!("a length of {length} at byte {at}"));
        let length = usize::try_from(length).map_err(|_| negative())?;
        match length.checked_mul(size) {
            Some(bytes) if bytes <= self.bytes.len() - self.at => Ok(length),
            _ => Err(Failure::new(format!(
                "a length of {length} at byte {at}, of which the file has not enough bytes; copy it again"
            ))),
        }
    }

    fn text(&mut self) -> Result<&'de str, Failure> {
        let length = self.length(1)?;
        self.budget.string(length)?;
        let at = self.at;
        std::str::from_utf8(self.take(length)?).map_err(|_| Failure::new(format!("the text at byte {at} is not UTF-8")))
    }

    /// How an array goes on behind its `[`.
    fn array_header(&mut self) -> Result<(Option<u8>, Option<usize>), Failure> {
        self.budget.enter()?;
        let item = match self.peek()? {
            b'$' => {
                self.at += 1;
                Some(self.marker()?)
            }
            _ => None,
        };
        if self.peek()? != b'#' {
            return match item {
                Some(item) => Err(self.refuse("an array without a length, of type", item)),
                None => Ok((None, None)),
            };
        }
        self.at += 1;
        let size = match item {
            Some(item) => width(item).ok_or_else(|| self.refuse("an array of the type", item))?,
            None => 1,
        };
        let length = self.length(size)?;
        self.budget.elements(length as u64)?;
        Ok((item, Some(length)))
    }

    /// Passes over a value without keeping anything.
    fn skip(&mut self, marker: u8) -> Result<(), Failure> {
        match marker {
            b'Z' | b'T' | b'F' => Ok(()),
            b'S' => self.text().map(drop),
            b'[' => match self.array_header()? {
                (Some(item), Some(length)) => {
                    self.budget.leave();
                    self.take(length * width(item).unwrap_or(0)).map(drop)
                }
                (_, length) => {
                    let mut rest = length;
                    while self.has_more(&mut rest, b']')? {
                        let marker = self.marker()?;
                        self.skip(marker)?;
                    }
                    Ok(())
                }
            },
            b'{' => {
                self.budget.enter()?;
                while self.has_more(&mut None, b'}')? {
                    self.text()?;
                    let marker = self.marker()?;
                    self.skip(marker)?;
                }
                Ok(())
            }
            _ => match width(marker) {
                Some(width) => self.take(width).map(drop),
                None => Err(self.refuse("an unknown marker", marker)),
            },
        }
    }

    /// Whether another element follows in an array or object; leaves it otherwise.
    fn has_more(&mut self, rest: &mut Option<usize>, close: u8) -> Result<bool, Failure> {
        let has_more = match rest {
            Some(rest) => {
                let has_more = *rest > 0;
                *rest = rest.saturating_sub(1);
                has_more
            }
            None => {
                let has_more = self.peek()? != close;
                self.at += usize::from(!has_more);
                has_more
            }
        };
        if !has_more {
            self.budget.leave();
        }
        Ok(has_more)
    }
}

/// Bytes of a number.
fn width(marker: u8) -> Option<usize> {
    match marker {
        b'i' | b'U' => Some(1),
        b'I' => Some(2),
        b'l' | b'd' => Some(4),
        b'L' | b'D' => Some(8),
        _ => None,
    }
}

/// The value that comes next; its marker, if an array has announced it.
struct Value<'p, 'de, 'l> {
    parser: &'p mut Parser<'de, 'l>,
    marker: Option<u8>,
}

impl Value<'_, '_, '_> {
    fn marker(&mut self) -> Result<u8, Failure> {
        match self.marker.take() {
            Some(marker) => Ok(marker),
            None => self.parser.marker(),
        }
    }
}

impl<'de> Deserializer<'de> for Value<'_, 'de, '_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Failure> {
        let marker = self.marker()?;
        let parser = self.parser;
        match marker {
            b'Z' => visitor.visit_unit(),
            b'T' => visitor.visit_bool(true),
            b'F' => visitor.visit_bool(false),
            b'd' => visitor.visit_f32(f32::from_be_bytes(parser.array()?)),
            b'D' => visitor.visit_f64(f64::from_be_bytes(parser.array()?)),
            b'S' => visitor.visit_borrowed_str(parser.text()?),
            b'[' => {
                let (item, rest) = parser.array_header()?;
                visitor.visit_seq(Elements { parser, item, rest, index: 0, is_over: false })
            }
            b'{' => {
                parser.budget.enter()?;
                visitor.visit_map(Members { parser, key: "" })
            }
            marker if width(marker).is_some() => visitor.visit_i64(parser.integer(marker)?),
            marker => Err(parser.refuse("an unknown marker", marker)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.marker {
            None if self.parser.peek()? == b'Z' => {
                self.parser.at += 1;
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Failure> {
        let marker = self.marker()?;
        self.parser.skip(marker)?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier
    }
}

/// The elements of an array.
struct Elements<'p, 'de, 'l> {
    parser: &'p mut Parser<'de, 'l>,
    item: Option<u8>,
    /// How many follow, if the array says so.
    rest: Option<usize>,
    index: usize,
    /// The end was seen. A visitor that has defaults for what is missing asks on.
    is_over: bool,
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de, '_> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        self.is_over = self.is_over || !self.parser.has_more(&mut self.rest, b']')?;
        if self.is_over {
            return Ok(None);
        }
        let index = self.index;
        self.index += 1;
        self.parser.budget.elements(self.index as u64)?;
        let value = Value { parser: self.parser, marker: self.item };
        seed.deserialize(value).map(Some).map_err(|failure| failure.at_index(index))
    }

    fn size_hint(&self) -> Option<usize> {
        self.rest
    }
}

/// The members of an object.
struct Members<'p, 'de, 'l> {
    parser: &'p mut Parser<'de, 'l>,
    key: &'de str,
}

impl<'de> MapAccess<'de> for Members<'_, 'de, '_> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Failure> {
        if !self.parser.has_more(&mut None, b'}')? {
            return Ok(None);
        }
        self.key = self.parser.text()?;
        seed.deserialize(BorrowedStrDeserializer::new(self.key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Failure> {
        let value = Value { parser: self.parser, marker: None };
        seed.deserialize(value).map_err(|failure| failure.in_key(self.key))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::encoding::from_ubjson;
    use crate::error::Error;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Model {
        name: String,
        weights: Vec<f32>,
        #[serde(default)]
        depth: Option<i32>,
    }

    fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
        from_ubjson(bytes, "test", &Limits::default())
    }

    fn refusal<T: DeserializeOwned>(bytes: &[u8]) -> String {
        read::<T>(bytes).err().map_or_else(|| "no error".to_string(), |error| error.to_string())
    }

    /// `{"x": [1, [[T]], {}], "name": "ab", "weights": [1.5, -2], "depth": 300}`.
    fn sound() -> Vec<u8> {
        let mut bytes = b"{U\x01x[i\x01[#U\x01[T]{}]L\0\0\0\0\0\0\0\x04nameSU\x02ab".to_vec();
        bytes.extend(b"U\x07weights[$d#L\0\0\0\0\0\0\0\x02");
        bytes.extend([1.5_f32.to_be_bytes(), (-2.0_f32).to_be_bytes()].concat());
        bytes.extend(b"U\x05depthI\x01\x2c}");
        bytes
    }

    #[test]
    fn structs_with_more_than_they_ask_for() {
        let model: Model = read(&sound()).expect("sound bytes");
        assert_eq!(model, Model { name: "ab".to_string(), weights: vec![1.5, -2.0], depth: Some(300) });
    }

    #[test]
    fn every_kind_of_number() {
        assert_eq!(
            read::<Vec<i64>>(b"[i\xffU\xffI\xff\xfel\0\0\x01\0L\0\0\0\0\0\0\x01\0]").expect("numbers"),
            [-1, 255, -2, 256, 256]
        );
        assert_eq!(read::<Vec<i64>>(b"[$I#U\x02\0\x01\xff\xff").expect("numbers"), [1, -1]);
        assert_eq!(read::<f64>(b"D\x3f\xf8\0\0\0\0\0\0").expect("a number"), 1.5);
        assert_eq!(read::<Vec<Option<bool>>>(b"[#U\x03TFZ").expect("flags"), [Some(true), Some(false), None]);
    }

    #[test]
    fn an_array_ends_once_however_often_it_is_asked() {
        #[derive(Debug, Default, Deserialize, PartialEq)]
        #[serde(default)]
        struct Pair {
            first: u8,
            second: u8,
        }
        let pair = |first, second| Pair { first, second };
        assert_eq!(read::<Vec<Pair>>(b"[[][#U\0[U\x07]]").expect("pairs"), [pair(0, 0), pair(0, 0), pair(7, 0)]);
        assert_eq!(read::<Pair>(b"[$i#U\x01\x05").expect("a pair"), pair(5, 0));
    }

    #[test]
    fn errors_say_where() {
        let cases: [(&[u8], &str); 9] = [
            (b"", "not a valid test model: the file ends early, after 0 bytes; copy it again"),
            (b"{}", "not a valid test model: missing field `name`"),
            (b"{}}", "not a valid test model: missing field `name`"),
            (b"{U\x04nameU\x07}", "not a valid test model: `name`: invalid type: integer `7`, expected a string"),
            (b"{U\x04nameSi\xff}", "not a valid test model: `name`: a length of -1 at byte 9"),
            (
                b"{U\x07weights[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff",
                "not a valid test model: `weights`: a length of 9223372036854775807 at byte 15, of which the file has not enough bytes; copy it again",
            ),
            (b"{U\x07weights[$Z#U\x07", "not a valid test model: `weights`: an array of the type `Z` at byte 13"),
            (
                b"{U\x07weights[$d\0",
                "not a valid test model: `weights`: an array without a length, of type `d` at byte 12",
            ),
            (b"{U\x01xH", "not a valid test model: `x`: an unknown marker `H` at byte 4"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(refusal::<Model>(bytes), expected, "{}", bytes.escape_ascii());
        }
        assert_eq!(refusal::<i64>(b"i\x01i"), "not a valid test model: 1 bytes follow the end of the value at byte 2");
        let deep = [b"{U\x01x".as_slice(), &b"[".repeat(10_000)].concat();
        assert_eq!(refusal::<Model>(&deep), "not a valid test model: `x`: values are nested more than 64 deep");
    }

    #[test]
    fn any_damage_is_an_error_and_no_panic() {
        let whole = sound();
        for end in 0..whole.len() {
            assert!(read::<Model>(&whole[..end]).is_err());
        }
        for position in 0..whole.len() {
            for bit in [1_u8, 0x20, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[position] ^= bit;
                drop(read::<Model>(&damaged));
            }
        }
    }
}
