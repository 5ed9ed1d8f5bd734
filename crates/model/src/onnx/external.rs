//! Tensors whose data is in files beside the model: which files those are, and how the model becomes one file.
//!
//! The model is changed as bytes. What a tensor says about the place of its data gives way to the data; every other byte stays
//! as it was, whether or not anybody here knows its meaning. No file is read here, and no path is judged: that is for whoever
//! knows where the model came from.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};
use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::DataLocation;

use super::decode::{check_volume, malformed};
use super::fact::volume;
use super::wire::{self, DEPTH_MAX, Kind, skip_numbers, take_field};
use crate::error::{Error, Result};
use crate::limits::Limits;

/// Fields of a tensor.
const RAW_DATA: u32 = 9;
const EXTERNAL_DATA: u32 = 13;
const DATA_LOCATION: u32 = 14;

/// Places of the files in which an ONNX model keeps tensors, as the model has them, each once. None for a model that is one
/// file, and for bytes that are no ONNX model.
pub fn external_files(bytes: &[u8]) -> Vec<String> {
    let (mut files, mut seen) = (Vec::new(), HashSet::new());
    let walk = rewrite(bytes, Kind::Model, 0, &mut |tensor| {
        let tensor = Placed::decode(tensor).map_err(|error| broken(&error))?;
        if let Some(location) = tensor.value("location").filter(|_| tensor.is_external())
            && seen.insert(location.to_owned())
        {
            files.push(location.to_owned());
        }
        Ok(None)
    });
    // Whoever reads the model says what is wrong with it.
    if walk.is_err() { Vec::new() } else { files }
}

/// The model as one file, with the data of `files` in it. The same model and files give the same bytes.
///
/// # Errors
/// When the bytes are no ONNX model, a file is missing or too short, or all together exceed the limits.
pub fn with_external_data(bytes: &[u8], files: &HashMap<String, Vec<u8>>, limits: &Limits) -> Result<Vec<u8>> {
    wire::check(bytes, limits)?;
    let mut inliner = Inliner { files, limits, bytes: bytes.len() as u64 };
    let whole = rewrite(bytes, Kind::Model, 0, &mut |tensor| inliner.tensor(tensor))?;
    Ok(whole.map_or_else(|| bytes.to_vec(), Rope::into_bytes))
}

/// True for a tensor whose data is elsewhere.
pub(super) fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location == Some(DataLocation::External as i32)
}

/// The error about data that nobody brought.
pub(super) fn not_here(tensor: &TensorProto) -> Error {
    let location = tensor.external_data.iter().find(|entry| entry.key == "location").map(|entry| entry.value.as_str());
    missing(&tensor.name, location)
}

fn missing(name: &str, location: Option<&str>) -> Error {
    let file = location.map_or_else(String::new, |location| format!(", `{location}`"));
    malformed(format!(
        "tensor `{name}` keeps its data in another file{file}, which did not come with the model; \
         give the model by its path, with that file beside it, or save it as one file (`onnx.save(model, path)`)",
    ))
}

fn broken(error: &prost::DecodeError) -> Error {
    malformed(format!("a tensor in it cannot be read ({error}); copy the file again"))
}

/// What a tensor says about the place of its data.
#[derive(Message)]
struct Placed {
    #[prost(string, tag = "8")]
    name: String,
    #[prost(message, repeated, tag = "13")]
    external_data: Vec<Entry>,
    #[prost(int32, tag = "14")]
    data_location: i32,
}

#[derive(Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// How large a tensor is.
#[derive(Message)]
struct Sized {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
}

impl Placed {
    /// As ONNX Runtime has it: without the location, the places of the data mean nothing.
    fn is_external(&self) -> bool {
        self.data_location == DataLocation::External as i32
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    }

    fn number(&self, key: &str) -> Result<Option<u64>> {
        self.value(key)
            .map(|text| {
                let wrong = |_| malformed(format!("tensor `{}` has the {key} `{text}`, expected a number", self.name));
                text.parse().map_err(wrong)
            })
            .transpose()
    }
}

/// Puts data where tensors say that it is elsewhere, and counts what that takes.
struct Inliner<'a> {
    files: &'a HashMap<String, Vec<u8>>,
    limits: &'a Limits,
    bytes: u64,
}

impl<'a> Inliner<'a> {
    /// The tensor with its data; `None` for one that has it.
    fn tensor(&mut self, mut bytes: &'a [u8]) -> Result<Option<Rope<'a>>> {
        let placed = Placed::decode(bytes).map_err(|error| broken(&error))?;
        if !placed.is_external() {
            return Ok(None);
        }
        let data = self.data(&placed, bytes)?;
        let mut rope = Rope::default();
        while let Some(field) = take_field(&mut bytes) {
            if ![RAW_DATA, EXTERNAL_DATA, DATA_LOCATION].contains(&field.tag) {
                rope.keep(field.whole);
            }
        }
        rope.begin(RAW_DATA, data.len());
        rope.keep(data);
        Ok(Some(rope))
    }

    fn data(&mut self, tensor: &Placed, bytes: &[u8]) -> Result<&'a [u8]> {
        let name = &tensor.name;
        let location = tensor
            .value("location")
            .ok_or_else(|| malformed(format!("tensor `{name}` is elsewhere, but it does not say where")))?;
        let file = self.files.get(location).ok_or_else(|| missing(name, Some(location)))?;
        let offset = tensor.number("offset")?.unwrap_or(0);
        let length = tensor.number("length")?.map_or_else(|| byte_count(name, bytes, self.limits), Ok)?;
        self.bytes = self.bytes.saturating_add(length);
        Limits::check("bytes with its external data", "file_bytes", self.bytes, self.limits.file_bytes)?;
        let range = usize::try_from(offset).ok().zip(usize::try_from(offset.saturating_add(length)).ok());
        range.and_then(|(start, end)| file.get(start..end)).ok_or_else(|| {
            malformed(format!(
                "tensor `{name}` needs {length} bytes at {offset} of `{location}`, which has {} bytes; copy the file again",
                file.len()
            ))
        })
    }
}

/// How many bytes a tensor of this shape has, for a file that does not say it.
fn byte_count(name: &str, bytes: &[u8], limits: &Limits) -> Result<u64> {
    let Sized { dims, data_type } = Sized::decode(bytes).map_err(|error| broken(&error))?;
    let Some(bits) = element_bits(data_type) else {
        return Err(malformed(format!(
            "tensor `{name}` is elsewhere without its length, which its type ({data_type}) does not tell; \
             save the model as one file (`onnx.save(model, path)`)"
        )));
    };
    let elements = volume(&check_volume(name, &dims, limits)?) as u64;
    Ok(elements.saturating_mul(bits).div_ceil(8))
}

/// The bits of an element by its number in ONNX; `None` for text and for what ONNX did not have yet.
fn element_bits(data_type: i32) -> Option<u64> {
    Some(match data_type {
        25 | 26 => 2,
        21..=23 => 4,
        2 | 3 | 9 | 17..=20 | 24 => 8,
        4 | 5 | 10 | 16 => 16,
        1 | 6 | 12 => 32,
        7 | 11 | 13 | 14 => 64,
        15 => 128,
        _ => return None,
    })
}

/// Puts `replace` in place of each tensor that inference reads, in a message of this kind; `None` when all stay.
fn rewrite<'a>(
    message: &'a [u8],
    kind: Kind,
    depth: usize,
    replace: &mut impl FnMut(&'a [u8]) -> Result<Option<Rope<'a>>>,
) -> Result<Option<Rope<'a>>> {
    if depth > DEPTH_MAX {
        return Err(malformed("messages are nested too deeply"));
    }
    let (mut rest, mut kept, mut rope) = (message, 0, None);
    loop {
        rest = skip_numbers(rest);
        if rest.is_empty() {
            break;
        }
        let at = message.len() - rest.len();
        let Some(field) = take_field(&mut rest) else {
            return Err(malformed("its fields do not end where they should; copy the file again"));
        };
        let Some(content) = field.content else { continue };
        let Some(inner) = kind.field(field.tag) else { continue };
        let changed = match inner {
            Kind::Tensor => replace(content)?,
            Kind::Graph | Kind::Function | Kind::Node | Kind::Attribute | Kind::SparseTensor => {
                rewrite(content, inner, depth + 1, replace)?
            }
            _ => None,
        };
        if let Some(changed) = changed {
            let rope = rope.get_or_insert_with(Rope::default);
            rope.keep(&message[kept..at]);
            rope.begin(field.tag, changed.bytes);
            rope.append(changed);
            kept = message.len() - rest.len();
        }
    }
    if let Some(rope) = &mut rope {
        rope.keep(&message[kept..]);
    }
    Ok(rope)
}

/// A message as pieces, most of them of the file that it was: large data is copied once, when all is known.
#[derive(Default)]
struct Rope<'a> {
    pieces: Vec<Cow<'a, [u8]>>,
    bytes: usize,
}

impl<'a> Rope<'a> {
    fn keep(&mut self, piece: &'a [u8]) {
        self.bytes += piece.len();
        self.pieces.push(Cow::Borrowed(piece));
    }

    /// The key and the length of a field, whose content is to follow.
    fn begin(&mut self, tag: u32, length: usize) {
        let mut head = Vec::new();
        encode_key(tag, WireType::LengthDelimited, &mut head);
        encode_varint(length as u64, &mut head);
        self.bytes += head.len();
        self.pieces.push(Cow::Owned(head));
    }

    fn append(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.pieces.extend(other.pieces);
    }

    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes);
        self.pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
        bytes
    }
}
