//! Maps to columns: one for each key that a model asks for.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, StringArray, UInt32Array};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Float32Type, Int64Type};

use super::columns::{column, values};
use super::keys::KeyIndex;
use super::{cast, wrong_type};
use crate::error::Result;
use crate::program::RowFailures;

/// One column per key.
#[derive(Debug, Clone)]
pub(crate) struct MapColumns {
    index: KeyIndex,
    count: usize,
    form: MapForm,
    /// The value of a row without the key: an array of length one of the type of the columns.
    pad: ArrayRef,
}

/// What becomes of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MapForm {
    /// They stay what they are (ai.onnx.ml DictVectorizer).
    Same,
    /// They become numbers or texts as functions of C++ do it, and negative keys refuse their row (ai.onnx.ml CastMap).
    Cast,
}

impl MapColumns {
    /// The keys have the type of the map's, and none is there twice.
    pub(crate) fn try_new(keys: &ArrayRef, form: MapForm, pad: ArrayRef) -> Result<Self> {
        Ok(Self { index: KeyIndex::first_of(keys)?, count: keys.len(), form, pad })
    }

    pub(super) fn run(&self, input: &ArrayRef, failures: &mut RowFailures) -> Result<Vec<ArrayRef>> {
        let map = input.as_map_opt().ok_or_else(|| wrong_type("the entries", input.data_type()))?;
        let (first, last) = (map.value_offsets()[0] as usize, map.value_offsets()[map.len()] as usize);
        let positions = self.index.positions(&map.keys().slice(first, last - first))?;
        if self.form == MapForm::Cast {
            refuse_negative(map, failures)?;
        }
        // Each column takes from the values behind each other, and from the pad behind them.
        let pad = (last - first) as u32;
        let mut places = vec![vec![pad; map.len()]; self.count];
        for row in 0..map.len() {
            for entry in entries(map, row) {
                if let Some(places) = places.get_mut(positions[entry - first] as usize) {
                    places[row] = (entry - first) as u32;
                }
            }
        }
        let entries = map.values().slice(first, last - first);
        let (converted, misfits) = self.converted(&entries)?;
        if misfits.iter().any(|misfit| *misfit) {
            let is_misfit = |place: &u32| misfits.get(*place as usize) == Some(&true);
            for places in &places {
                for (row, _) in places.iter().enumerate().filter(|(_, place)| is_misfit(place)) {
                    failures.refuse(row, || format!("a value of the map is not {}", self.pad.data_type()));
                }
            }
        }
        let all = concat(&[converted.as_ref(), self.pad.as_ref()])?;
        places.into_iter().map(|places| Ok(take(&all, &UInt32Array::from(places), None)?)).collect()
    }

    /// The values in the type of the columns, and which of them do not fit it.
    fn converted(&self, entries: &ArrayRef) -> Result<(ArrayRef, Vec<bool>)> {
        let to = self.pad.data_type();
        match (entries.data_type(), to) {
            (from, to) if from == to => Ok((Arc::clone(entries), Vec::new())),
            (DataType::Utf8, DataType::Float32) => Ok(parsed::<Float32Type>(entries, float_of)),
            (DataType::Utf8, DataType::Int64) => Ok(parsed::<Int64Type>(entries, integer_of)),
            (DataType::Float32, DataType::Utf8) => {
                let texts = values::<Float32Type>(entries)?.iter().map(|&x| text_of(x));
                Ok((Arc::new(StringArray::from_iter_values(texts)), Vec::new()))
            }
            _ => Ok((cast::run(entries, to, &mut RowFailures::default())?, Vec::new())),
        }
    }
}

/// The entries of a row.
fn entries(map: &MapArray, row: usize) -> std::ops::Range<usize> {
    map.value_offsets()[row] as usize..map.value_offsets()[row + 1] as usize
}

fn refuse_negative(map: &MapArray, failures: &mut RowFailures) -> Result<()> {
    let keys = values::<Int64Type>(map.keys())?;
    for row in 0..map.len() {
        if let Some(key) = keys[entries(map, row)].iter().find(|key| **key < 0) {
            failures.refuse(row, || format!("the map has the negative key {key}"));
        }
    }
    Ok(())
}

fn parsed<T>(entries: &ArrayRef, parse: impl Fn(&str) -> Option<T::Native>) -> (ArrayRef, Vec<bool>)
where
    T: arrow::array::ArrowPrimitiveType,
{
    let parsed: Vec<Option<T::Native>> =
        entries.as_string::<i32>().iter().map(|text| parse(text.unwrap_or_default())).collect();
    let misfits = parsed.iter().map(Option::is_none).collect();
    (column::<T>(parsed.into_iter().map(Option::unwrap_or_default).collect()), misfits)
}

/// As `std::to_string`: six decimals.
fn text_of(x: f32) -> String {
    match x {
        _ if x.is_nan() => String::from(if x.is_sign_negative() { "-nan" } else { "nan" }),
        _ if x.is_infinite() => String::from(if x > 0.0 { "inf" } else { "-inf" }),
        _ => format!("{:.6}", f64::from(x)),
    }
}

/// As `std::stoll`: an integer at the beginning, whatever follows.
fn integer_of(text: &str) -> Option<i64> {
    let text = text.trim_start_matches(C_SPACES);
    let signs = usize::from(text.starts_with(['+', '-']));
    let digits = text[signs..].bytes().take_while(u8::is_ascii_digit).count();
    text[..signs + digits].parse().ok()
}

/// As `std::stof`: a number at the beginning, whatever follows; one too large or too small for a float is none.
fn float_of(text: &str) -> Option<f32> {
    let text = text.trim_start_matches(C_SPACES);
    let number = float_prefix(text)?;
    let x: f32 = number.parse().ok()?;
    let is_zero =
        !number.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')).any(|byte| (b'1'..=b'9').contains(&byte));
    let names_no_number = number.bytes().any(|byte| byte.is_ascii_alphabetic() && !matches!(byte, b'e' | b'E'));
    (names_no_number || x.is_normal() || (x == 0.0 && is_zero)).then_some(x)
}

const C_SPACES: [char; 6] = [' ', '\t', '\n', '\u{b}', '\u{c}', '\r'];

/// The longest beginning that is a decimal number, an infinity or NaN.
fn float_prefix(text: &str) -> Option<Cow<'_, str>> {
    let signs = usize::from(text.starts_with(['+', '-']));
    let (sign, rest) = text.split_at(signs);
    for name in ["infinity", "inf", "nan"] {
        if rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            return Some(Cow::Owned(format!("{sign}{name}")));
        }
    }
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    if rest.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("0x")) {
        // A hexadecimal number for C; nobody means that.
        return None;
    }
    let whole = digits(rest);
    let fraction = rest[whole..].strip_prefix('.').map_or(0, |rest| 1 + digits(rest));
    if whole + fraction.saturating_sub(1) == 0 {
        return None;
    }
    let mut end = whole + fraction;
    if let Some(exponent) = rest[end..].strip_prefix(['e', 'E']) {
        let signs = usize::from(exponent.starts_with(['+', '-']));
        let digits = digits(&exponent[signs..]);
        end += if digits > 0 { 1 + signs + digits } else { 0 };
    }
    Some(Cow::Borrowed(&text[..signs + end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_in_cpp() {
        let floats = [("1.5", 1.5), (" -2e3x", -2000.0), ("3.", 3.0), (".5", 0.5), ("0e99", 0.0), ("7e", 7.0)];
        floats.iter().for_each(|&(text, x)| assert_eq!(float_of(text), Some(x), "{text}"));
        assert_eq!(float_of("-Infinity"), Some(f32::NEG_INFINITY));
        assert!(float_of("nanny").is_some_and(f32::is_nan));
        assert!(["", ".", "e5", "x", "0x10", "1e50", "1e-50", "1e-40"].iter().all(|text| float_of(text).is_none()));
        assert_eq!([integer_of("\t12.9"), integer_of("+3"), integer_of("-7x")], [Some(12), Some(3), Some(-7)]);
        assert!(["", "-", "x1", "9223372036854775808"].iter().all(|text| integer_of(text).is_none()));
    }

    #[test]
    fn floats_print_as_in_cpp() {
        let texts = [1.5, -0.0, 1e-7, f32::INFINITY].map(text_of);
        assert_eq!(texts, ["1.500000", "-0.000000", "0.000000", "inf"]);
    }
}
