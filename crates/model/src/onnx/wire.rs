//! What a file holds, counted before any of it is read: an empty message takes two bytes in the file and hundreds in memory.
//!
//! The walk knows which fields of ONNX are messages and skips all others. It takes no memory but its own stack, and whatever
//! is broken ends it: the decoder behind it says what is wrong.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::error::Result;
use crate::limits::Limits;

/// As deep as the decoder goes.
pub(super) const DEPTH_MAX: usize = 100;
/// Bytes of a number at most.
const VARINT_BYTES_MAX: usize = 10;

/// Refuses bytes that hold more nodes or messages than the limits allow.
///
/// # Errors
/// When they do.
pub(super) fn check(bytes: &[u8], limits: &Limits) -> Result<()> {
    let mut counts = Counts { limits, nodes: 0, messages: 0 };
    counts.message(bytes, Kind::Model, 0)
}

/// The messages of ONNX, those without messages in them as `Plain`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Model,
    Training,
    Graph,
    Annotation,
    Function,
    Node,
    Attribute,
    Tensor,
    SparseTensor,
    Value,
    Type,
    TensorType,
    Shape,
    Plain,
}

impl Kind {
    /// The message in this field of a message of this kind, if it is one.
    pub(super) fn field(self, tag: u32) -> Option<Self> {
        Some(match (self, tag) {
            (Self::Model, 7) | (Self::Training, 1 | 2) | (Self::Attribute, 6 | 11) => Self::Graph,
            (Self::Model, 20) => Self::Training,
            (Self::Model, 25) => Self::Function,
            (Self::Graph, 1) | (Self::Function, 7) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::SparseTensor, 1 | 2) => Self::Tensor,
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Self::SparseTensor,
            (Self::Graph, 11..=13) => Self::Value,
            (Self::Graph, 14) => Self::Annotation,
            (Self::Node, 5) | (Self::Function, 11) => Self::Attribute,
            (Self::Attribute, 15) | (Self::Value, 2) => Self::Type,
            (Self::Type, 1) => Self::TensorType,
            (Self::TensorType, 2) => Self::Shape,
            (Self::Model, 8 | 14)
            | (Self::Training, 3 | 4)
            | (Self::Annotation, 2)
            | (Self::Function, 9)
            | (Self::Tensor, 3 | 13)
            | (Self::Shape, 1) => Self::Plain,
            _ => return None,
        })
    }
}

/// One field of a message.
pub(super) struct Field<'b> {
    pub(super) tag: u32,
    /// All its bytes, the key among them.
    pub(super) whole: &'b [u8],
    /// What it holds, if that may be a message.
    pub(super) content: Option<&'b [u8]>,
}

/// Takes the first field off `bytes`; `None` when they do not begin with one.
pub(super) fn take_field<'b>(bytes: &mut &'b [u8]) -> Option<Field<'b>> {
    let (start, mut rest) = (*bytes, *bytes);
    let (tag, wire_type) = decode_key(&mut rest).ok()?;
    let content = if wire_type == WireType::LengthDelimited {
        let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
        let (content, after) = rest.split_at_checked(length)?;
        rest = after;
        Some(content)
    } else {
        skip_field(wire_type, tag, &mut rest, DecodeContext::default()).ok()?;
        None
    };
    *bytes = rest;
    Some(Field { tag, whole: &start[..start.len() - rest.len()], content })
}

/// The bytes behind those first fields that are numbers. Trees are millions of them, and nothing in a number is a message.
pub(super) fn skip_numbers(bytes: &[u8]) -> &[u8] {
    let mut start = 0;
    // Keys of one byte are enough: lists of numbers have them.
    while let Some(key @ 8..0x80) = bytes.get(start) {
        let end = match WireType::try_from(u64::from(key & 7)) {
            Ok(WireType::Varint) => {
                let goes_on = |at: usize| bytes.get(at).is_some_and(|byte| *byte >= 0x80);
                let mut last = start + 1;
                while goes_on(last) && last < start + VARINT_BYTES_MAX {
                    last += 1;
                }
                last + 1
            }
            Ok(WireType::ThirtyTwoBit) => start + 1 + size_of::<u32>(),
            Ok(WireType::SixtyFourBit) => start + 1 + size_of::<u64>(),
            _ => break,
        };
        if end > bytes.len() {
            break;
        }
        start = end;
    }
    &bytes[start..]
}

struct Counts<'l> {
    limits: &'l Limits,
    nodes: u64,
    messages: u64,
}

impl Counts<'_> {
    fn message(&mut self, mut bytes: &[u8], kind: Kind, depth: usize) -> Result<()> {
        self.nodes += u64::from(kind == Kind::Node);
        self.messages += 1;
        Limits::check("nodes", "nodes", self.nodes, self.limits.nodes)?;
        Limits::check("messages", "messages", self.messages, self.limits.messages)?;
        if depth == DEPTH_MAX {
            return Ok(());
        }
        loop {
            bytes = skip_numbers(bytes);
            let Some(field) = take_field(&mut bytes) else { return Ok(()) };
            if let Some(content) = field.content
                && let Some(inner) = kind.field(field.tag)
            {
                self.message(content, inner, depth + 1)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_skipped_where_they_are_fields() {
        let rest = |bytes: &[u8]| skip_numbers(bytes).len();
        // A number of each kind, then a text.
        let fields = [
            &[0x40, 0x07][..],
            &[0x40, 0xff, 0x01],
            &[0x40, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[0x3d, 1, 2, 3, 4],
            &[0x39, 1, 2, 3, 4, 5, 6, 7, 8],
        ];
        let text = [0x4a, 1, b'x'];
        assert_eq!(rest(&[fields.concat(), text.to_vec()].concat()), text.len());
        // What ends early stays, and so does what is no field.
        for broken in fields.iter().map(|field| &field[..field.len() - 1]).chain([&[0x07, 0][..], &[0xc0, 0x3e, 7]]) {
            assert_eq!(rest(broken), broken.len(), "{broken:?}");
            assert_eq!(rest(&[fields[0], broken].concat()), broken.len(), "{broken:?}");
        }
        assert_eq!(rest(&[]), 0);
    }
}
