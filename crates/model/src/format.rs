//! Which format a file has, told from its bytes and never from its name, and the reader for it.
//!
//! What is no model is called by its name, with what to do instead: people give the wrong file more often than a broken one.

use crate::boosters::{catboost, lightgbm, xgboost};
use crate::encoding::find_key;
use crate::error::{Error, Result};
use crate::interface::Reading;
use crate::limits::Limits;
use crate::model::LoadOptions;
use crate::onnx;

/// A format that is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A protocol buffer; whatever is nothing else.
    Onnx,
    /// `Booster.save_model("x.json")`.
    XgboostJson,
    /// `Booster.save_model("x.ubj")`.
    XgboostUbjson,
    /// `Booster.save_model("x.txt")`.
    LightgbmText,
    /// `CatBoost.save_model("x.json", format="json")`.
    CatboostJson,
}

/// Refuses a file that is too large.
pub(crate) fn check_size(bytes: &[u8], limits: &Limits) -> Result<()> {
    Limits::check("bytes", "file_bytes", bytes.len() as u64, limits.file_bytes)
}

/// Reads a file of a size that is allowed with the reader of its format.
pub(crate) fn read(bytes: &[u8], options: &LoadOptions) -> Result<Reading> {
    match recognise(bytes, &options.limits)? {
        Format::Onnx => onnx::read(bytes, options),
        Format::XgboostJson => xgboost::read_json(bytes, options),
        Format::XgboostUbjson => xgboost::read_ubjson(bytes, options),
        Format::LightgbmText => lightgbm::read(bytes, options),
        Format::CatboostJson => catboost::read(bytes, options),
    }
}

fn recognise(bytes: &[u8], limits: &Limits) -> Result<Format> {
    if let Some((_, what, cure)) = STRANGERS.iter().find(|(is_it, _, _)| is_it(bytes)) {
        return Err(Error::NotAModel { what, cure });
    }
    let text = bytes.trim_ascii_start();
    match (bytes, text) {
        ([b'{', b'U' | b'i' | b'I' | b'l' | b'L', ..], _) => Ok(Format::XgboostUbjson),
        (_, [b'{', ..]) => recognise_json(text, limits),
        _ if starts_with_line(text, "tree") => Ok(Format::LightgbmText),
        _ => Ok(Format::Onnx),
    }
}

/// The libraries write the keys in alphabetical order, but the file may have been through other hands.
fn recognise_json(bytes: &[u8], limits: &Limits) -> Result<Format> {
    const SAVE: &str = "save the model itself, with the library's `save_model`";
    let keys = ["learner", "oblivious_trees", "trees", "features_info", "tree_info", "layers", "keras_version"];
    match find_key(bytes, &keys, limits) {
        Some("learner") => Ok(Format::XgboostJson),
        Some("oblivious_trees" | "trees" | "features_info") => Ok(Format::CatboostJson),
        Some("tree_info") => Err(Error::NotAModel { what: "a dump of a LightGBM model", cure: SAVE }),
        Some(_) => Err(Error::NotAModel { what: "a description of a Keras model", cure: EXPORT }),
        None => Err(Error::NotAModel { what: "JSON of another kind", cure: READS }),
    }
}

const EXPORT: &str = "export the model to ONNX";
const READS: &str = "it reads ONNX, XGBoost JSON and UBJSON, LightGBM text and CatBoost JSON";
const UNPACK: &str = "unpack it and give the model inside";
const PICKLE_CURE: &str =
    "export the model to ONNX (skl2onnx for scikit-learn), or save it in its library's own format";

/// How to tell something that is no model, what it is called, and what to do instead. The first that fits counts.
type Stranger = (fn(&[u8]) -> bool, &'static str, &'static str);

const STRANGERS: &[Stranger] = &[
    (|bytes| bytes.trim_ascii().is_empty(), "empty", "copy it again"),
    (
        |bytes| bytes.starts_with(b"version https://git-lfs"),
        "a pointer of Git LFS",
        "fetch the file it stands for with `git lfs pull`",
    ),
    (
        |bytes| has_word(bytes, b"<!doctype") || has_word(bytes, b"<html"),
        "a web page",
        "give the address of the file itself",
    ),
    (
        |bytes| starts_with_any(bytes, &[b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"]),
        "a Python pickle, which may run code when it is read",
        PICKLE_CURE,
    ),
    (is_zlib, "a compressed Python pickle of joblib, which may run code when it is read", PICKLE_CURE),
    (is_torch, "a PyTorch file", "export the model with `torch.onnx.export`"),
    (
        |bytes| is_zip(bytes) && contains(bytes, b"keras"),
        "a Keras file",
        "export the model with `model.export(format=\"onnx\")`",
    ),
    (is_zip, "a ZIP archive", UNPACK),
    (|bytes| bytes.starts_with(b"\x1f\x8b"), "compressed with gzip", UNPACK),
    (|bytes| bytes.starts_with(b"\x28\xb5\x2f\xfd"), "compressed with zstd", UNPACK),
    (|bytes| starts_with_any(bytes, &[b"BZh", b"\xfd7zXZ\0", b"7z\xbc\xaf"]), "compressed", UNPACK),
    (|bytes| bytes.get(257..262).is_some_and(|mark| mark == b"ustar"), "a tar archive", UNPACK),
    (
        |bytes| bytes.starts_with(b"\x89HDF\r\n\x1a\n"),
        "HDF5, as Keras saves models",
        "export the model with `model.export(format=\"onnx\")` or tf2onnx",
    ),
    (
        |bytes| bytes.starts_with(b"CBM1"),
        "a CatBoost model in CatBoost's binary form",
        "save it with `model.save_model(path, format=\"json\")` or `format=\"onnx\"`",
    ),
    (
        |bytes| bytes.get(4..8).is_some_and(|mark| mark == b"TFL3"),
        "a TensorFlow Lite model",
        "export the model to ONNX with tf2onnx",
    ),
    (
        |bytes| bytes.get(4..8).is_some_and(|mark| mark == b"ORTM"),
        "an ORT model of ONNX Runtime",
        "give the ONNX file it was made from",
    ),
    (is_safetensors, "a file of weights (safetensors) without a model", EXPORT),
    (is_xgboost_binary, "an XGBoost model in its old binary form", XGBOOST_SAVE),
    (is_xgboost_dump, "a dump of an XGBoost model, which lacks what a prediction needs", XGBOOST_SAVE),
    (|bytes| has_word(bytes, b"<?xml") || has_word(bytes, b"<pmml"), "XML, as PMML is", EXPORT),
    (|bytes| starts_with_any(bytes, &[b"PAR1", b"ARROW1"]), "a table", READS),
];

const XGBOOST_SAVE: &str = "save it with `model.save_model(\"model.ubj\")`";

fn starts_with_any(bytes: &[u8], starts: &[&[u8]]) -> bool {
    starts.iter().any(|start| bytes.starts_with(start))
}

fn starts_with_line(bytes: &[u8], line: &str) -> bool {
    bytes.strip_prefix(line.as_bytes()).is_some_and(|rest| matches!(rest, [b'\n' | b'\r', ..]))
}

/// Whether a file of text begins with a tag, whatever the case of its letters.
fn has_word(bytes: &[u8], tag: &[u8]) -> bool {
    bytes.trim_ascii_start().get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag))
}

/// Whether the beginning of a file holds some bytes.
fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    const HEAD_BYTES: usize = 4096;
    bytes[..bytes.len().min(HEAD_BYTES)].windows(needle.len()).any(|window| window == needle)
}

fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

fn is_torch(bytes: &[u8]) -> bool {
    is_zip(bytes) && (contains(bytes, b"data.pkl") || contains(bytes, b"constants.pkl"))
}

/// The header of zlib with any level. An ONNX file begins with another field.
fn is_zlib(bytes: &[u8]) -> bool {
    starts_with_any(bytes, &[b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"])
}

/// The length of a header in JSON, and the header.
fn is_safetensors(bytes: &[u8]) -> bool {
    match bytes.split_first_chunk() {
        Some((length, header)) => u64::from_le_bytes(*length) <= header.len() as u64 && header.starts_with(b"{\""),
        None => false,
    }
}

/// The binary form has no mark of its own; the booster's name stands behind its length near the beginning.
fn is_xgboost_binary(bytes: &[u8]) -> bool {
    let named = |name: &[u8]| contains(bytes, &[&(name.len() as u64).to_le_bytes(), name].concat());
    bytes.starts_with(b"binf") || named(b"gbtree") || named(b"gblinear") || named(b"dart")
}

fn is_xgboost_dump(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    text.starts_with(b"booster[") || (text.starts_with(b"[") && contains(text, b"\"nodeid\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognised(bytes: &[u8]) -> Result<Format> {
        recognise(bytes, &Limits::default())
    }

    #[test]
    fn models_are_told_by_their_bytes() {
        let cases: [(&[u8], Format); 8] = [
            (b"{\"learner\":{\"attributes\":", Format::XgboostJson),
            (b" {\n \"version\": [3, 2, 0], \"learner\": {}}", Format::XgboostJson),
            (b"{L\0\0\0\0\0\0\0\x07learner{", Format::XgboostUbjson),
            (b"tree\nversion=v4\nnum_class=1\n", Format::LightgbmText),
            (b"tree\r\nversion=v4\r\n", Format::LightgbmText),
            (b"{\"features_info\":{},\"model_info\":{}", Format::CatboostJson),
            (b"{\"model_info\":{},\"oblivious_trees\":[]}", Format::CatboostJson),
            (b"\x08\x08\x12\x08skl2onnx", Format::Onnx),
        ];
        for (bytes, format) in cases {
            assert_eq!(recognised(bytes).ok(), Some(format), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn strangers_are_called_by_their_names() {
        let cases: [(&[u8], &str); 14] = [
            (b" \n", "the file is empty, "),
            (b"version https://git-lfs.github.com/spec/v1\noid", "the file is a pointer of Git LFS, "),
            (b"\n<!DOCTYPE html><html>", "the file is a web page, "),
            (b"\x80\x04\x95\x1c\x00\x00", "the file is a Python pickle, "),
            (b"\x78\x9c\xed\xbd", "the file is a compressed Python pickle of joblib, "),
            (b"PK\x03\x04\x00\x00archive/data.pkl", "the file is a PyTorch file, "),
            (b"PK\x03\x04\x14\x00", "the file is a ZIP archive, "),
            (b"\x1f\x8b\x08\x00", "the file is compressed with gzip, "),
            (b"CBM1\x10\x00", "the file is a CatBoost model in CatBoost's binary form, "),
            (
                b"\0\0\0\x3f\x04\0\0\0\x0f\0\0\0\0\0\0\0binary:logistic\x06\0\0\0\0\0\0\0gbtree",
                "the file is an XGBoost model in its old binary form, ",
            ),
            (b"booster[0]:\n0:[f0<1]", "the file is a dump of an XGBoost model, "),
            (b"[{\"nodeid\": 0", "the file is a dump of an XGBoost model, "),
            (b"{\"name\":\"tree\",\"tree_info\":[]}", "the file is a dump of a LightGBM model, "),
            (b"{\"a\":1}", "the file is JSON of another kind, "),
        ];
        for (bytes, start) in cases {
            let message = recognised(bytes).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(message.starts_with(start), "{}: {message}", bytes.escape_ascii());
        }
    }
}
