//! Conversion between all pairs of element types: Cast, CastLike, BitCast.

use half::{bf16, f16};

use super::{Operator, exact, one, widened};
use crate::call::{Call, no_such_type};
use crate::element::ElementType;
use crate::error::{Fault, Outcome};
use crate::narrow::{Narrow, ScaleRounding, power_of_two};
use crate::number::Number;
use crate::number_text::{number_text, read_float, read_signed, read_unsigned};
use crate::tensor::{Data, Tensor};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "BitCast" => exact(bit_cast),
        "Cast" => exact(cast),
        "CastLike" => exact(cast_like),
        _ => return None,
    })
}

/// What becomes of a number beyond the largest of a format of 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Saturation {
    /// The largest.
    Cut,
    /// Infinity, or "not a number" where there is none.
    Overflow,
}

fn cast(call: &Call) -> Outcome<Vec<Value>> {
    let to = match call.maybe_text("to") {
        // The first version names the type.
        Ok(Some(name)) => named_type(name)?,
        _ => call.required("to", call.element_attribute("to")?)?,
    };
    let saturation = saturation(call)?;
    one(converted(call, call.tensor(0)?, to, saturation)?)
}

fn named_type(name: &str) -> Outcome<ElementType> {
    let found = (1..=26).filter_map(ElementType::from_onnx).find(|element| element.name().eq_ignore_ascii_case(name));
    found.ok_or_else(|| Fault::unsupported(format!("element type `{name}`")))
}

fn saturation(call: &Call) -> Outcome<Saturation> {
    Ok(if call.flag("saturate", true)? { Saturation::Cut } else { Saturation::Overflow })
}

fn cast_like(call: &Call) -> Outcome<Vec<Value>> {
    let to = call.tensor(1)?.element_type();
    let saturation = saturation(call)?;
    one(converted(call, call.tensor(0)?, to, saturation)?)
}

/// A tensor of another type.
pub(super) fn converted(call: &Call, tensor: &Tensor, to: ElementType, saturation: Saturation) -> Outcome<Tensor> {
    if tensor.element_type() == to {
        return Ok(tensor.clone());
    }
    call.room_for(tensor.shape(), to)?;
    if let ElementType::Narrow(Narrow::F8E8M0) = to {
        let rounding = match call.text("round_mode", "up")? {
            "up" => ScaleRounding::Up,
            "down" => ScaleRounding::Down,
            "nearest" => ScaleRounding::Nearest,
            other => return Err(Fault::unsupported(format!("rounding `{other}`"))),
        };
        let single = converted(call, tensor, ElementType::F32, saturation)?;
        let values = single.values::<f32>().unwrap_or_default();
        let cut = saturation == Saturation::Cut;
        let codes = values.iter().map(|&value| power_of_two(value, cut, rounding)).collect();
        return Ok(Tensor::of(tensor.shape().to_vec(), Data::Narrow(Narrow::F8E8M0, codes)));
    }
    let data = match tensor.data() {
        Data::Bool(values) => {
            from_numbers(&values.iter().map(|&value| u8::from(value)).collect::<Vec<_>>(), to, saturation)
        }
        Data::I8(values) => from_numbers(values, to, saturation),
        Data::I16(values) => from_numbers(values, to, saturation),
        Data::I32(values) => from_numbers(values, to, saturation),
        Data::I64(values) => from_numbers(values, to, saturation),
        Data::U8(values) => from_numbers(values, to, saturation),
        Data::U16(values) => from_numbers(values, to, saturation),
        Data::U32(values) => from_numbers(values, to, saturation),
        Data::U64(values) => from_numbers(values, to, saturation),
        Data::F32(values) => from_numbers(values, to, saturation),
        Data::F64(values) => from_numbers(values, to, saturation),
        Data::F16(_) | Data::Bf16(_) => {
            from_numbers(widened(tensor).values::<f32>().unwrap_or_default(), to, saturation)
        }
        Data::Narrow(kind, values) => {
            from_numbers(&values.iter().map(|&value| kind.to_f32(value)).collect::<Vec<_>>(), to, saturation)
        }
        Data::Text(texts) => from_texts(texts, to)?,
    };
    Ok(Tensor::of(tensor.shape().to_vec(), data))
}

fn from_numbers<T: Number>(values: &[T], to: ElementType, saturation: Saturation) -> Data {
    /// An integer: one of another type wraps around, a float is cut as the processor does it.
    fn integers<T: Number, I: Number>(values: &[T], cut: fn(f64) -> i64) -> Vec<I> {
        match T::IS_FLOAT {
            true => values.iter().map(|value| I::from_i64(cut(value.to_f64()))).collect(),
            false => values.iter().map(|value| I::from_i64(value.to_i64())).collect(),
        }
    }
    let floats = || values.iter().map(|value| value.to_f32());
    match to {
        ElementType::Bool => Data::Bool(values.iter().map(|value| *value != T::ZERO).collect()),
        ElementType::I8 => Data::I8(integers(values, cut_to_32)),
        ElementType::I16 => Data::I16(integers(values, cut_to_32)),
        ElementType::I32 => Data::I32(integers(values, cut_to_32)),
        ElementType::I64 => Data::I64(integers(values, cut_to_64)),
        ElementType::U8 => Data::U8(integers(values, cut_to_32)),
        ElementType::U16 => Data::U16(integers(values, cut_to_32)),
        ElementType::U32 => Data::U32(integers(values, cut_to_64)),
        ElementType::U64 => Data::U64(integers(values, cut_to_unsigned)),
        ElementType::F16 => Data::F16(floats().map(f16::from_f32).collect()),
        ElementType::Bf16 => Data::Bf16(floats().map(bf16::from_f32).collect()),
        ElementType::F32 => Data::F32(floats().collect()),
        ElementType::F64 => Data::F64(values.iter().map(|value| value.to_f64()).collect()),
        ElementType::Text => Data::Text(values.iter().map(|&value| text(value)).collect()),
        ElementType::Narrow(kind) => {
            let cut = saturation == Saturation::Cut;
            Data::Narrow(kind, floats().map(|value| kind.nearest(value, cut)).collect())
        }
    }
}

/// What has no integer of 32 bits becomes the smallest one, as on x86.
fn cut_to_32(value: f64) -> i64 {
    let cut = value.trunc();
    let fits = cut >= f64::from(i32::MIN) && cut <= f64::from(i32::MAX);
    if fits { cut as i64 } else { i64::from(i32::MIN) }
}

/// What has no integer of 64 bits becomes the smallest one, as on x86.
fn cut_to_64(value: f64) -> i64 {
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value);
    if fits { value as i64 } else { i64::MIN }
}

/// As [`cut_to_64`], but numbers from 2^63 on are kept.
fn cut_to_unsigned(value: f64) -> i64 {
    let large = (9_223_372_036_854_775_808.0..18_446_744_073_709_551_616.0).contains(&value);
    if large { value as u64 as i64 } else { cut_to_64(value) }
}

fn text<T: Number>(value: T) -> String {
    match (T::IS_FLOAT, value < T::ZERO) {
        (true, _) => number_text(value.to_f64()),
        (false, true) => value.to_i64().to_string(),
        (false, false) => (value.to_i64() as u64).to_string(),
    }
}

fn from_texts(texts: &[String], to: ElementType) -> Outcome<Data> {
    fn read<V>(texts: &[String], what: &str, read: impl Fn(&str) -> Option<V>) -> Outcome<Vec<V>> {
        let value =
            |text: &String| read(text).ok_or_else(|| Fault::invalid(format!("the text `{text}` is not {what}")));
        texts.iter().map(value).collect()
    }
    let signed = || read(texts, "an integer", read_signed);
    let unsigned = || read(texts, "a natural number", read_unsigned);
    let floats = || read(texts, "a number", read_float);
    let none = Saturation::Cut;
    Ok(match to {
        ElementType::I8 | ElementType::I16 | ElementType::I32 | ElementType::I64 => from_numbers(&signed()?, to, none),
        ElementType::Bool | ElementType::U8 | ElementType::U16 | ElementType::U32 | ElementType::U64 => {
            from_numbers(&unsigned()?, to, none)
        }
        ElementType::F16 | ElementType::Bf16 | ElementType::F32 | ElementType::F64 => {
            from_numbers(&floats()?, to, none)
        }
        ElementType::Text => Data::Text(texts.to_vec()),
        ElementType::Narrow(_) => return Err(no_such_type(to)),
    })
}

/// The same bits as elements of another type of the same width.
fn bit_cast(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let to = call.required("to", call.element_attribute("to")?)?;
    let refused = || {
        let (from, to) = (input.element_type().name(), to.name());
        Fault::invalid(format!("the bits of {from} as {to}"))
    };
    let bits: Vec<u64> = match input.data() {
        Data::Bool(values) => values.iter().map(|&value| u64::from(value)).collect(),
        Data::I8(values) => values.iter().map(|&value| u64::from(value as u8)).collect(),
        Data::I16(values) => values.iter().map(|&value| u64::from(value as u16)).collect(),
        Data::I32(values) => values.iter().map(|&value| u64::from(value as u32)).collect(),
        Data::I64(values) => values.iter().map(|&value| value as u64).collect(),
        Data::U8(values) | Data::Narrow(_, values) => values.iter().map(|&value| u64::from(value)).collect(),
        Data::U16(values) => values.iter().map(|&value| u64::from(value)).collect(),
        Data::U32(values) => values.iter().map(|&value| u64::from(value)).collect(),
        Data::U64(values) => values.clone(),
        Data::F16(values) => values.iter().map(|value| u64::from(value.to_bits())).collect(),
        Data::Bf16(values) => values.iter().map(|value| u64::from(value.to_bits())).collect(),
        Data::F32(values) => values.iter().map(|value| u64::from(value.to_bits())).collect(),
        Data::F64(values) => values.iter().map(|value| value.to_bits()).collect(),
        Data::Text(_) => return Err(refused()),
    };
    let width = |element: ElementType| match element {
        ElementType::Narrow(kind) => kind.bits(),
        other => other.width() * 8,
    };
    if width(input.element_type()) != width(to) {
        return Err(refused());
    }
    let bits = bits.into_iter();
    let data = match to {
        ElementType::Bool => Data::Bool(bits.map(|bits| bits != 0).collect()),
        ElementType::I8 => Data::I8(bits.map(|bits| bits as i8).collect()),
        ElementType::I16 => Data::I16(bits.map(|bits| bits as i16).collect()),
        ElementType::I32 => Data::I32(bits.map(|bits| bits as i32).collect()),
        ElementType::I64 => Data::I64(bits.map(|bits| bits as i64).collect()),
        ElementType::U8 => Data::U8(bits.map(|bits| bits as u8).collect()),
        ElementType::U16 => Data::U16(bits.map(|bits| bits as u16).collect()),
        ElementType::U32 => Data::U32(bits.map(|bits| bits as u32).collect()),
        ElementType::U64 => Data::U64(bits.collect()),
        ElementType::F16 => Data::F16(bits.map(|bits| f16::from_bits(bits as u16)).collect()),
        ElementType::Bf16 => Data::Bf16(bits.map(|bits| bf16::from_bits(bits as u16)).collect()),
        ElementType::F32 => Data::F32(bits.map(|bits| f32::from_bits(bits as u32)).collect()),
        ElementType::F64 => Data::F64(bits.map(f64::from_bits).collect()),
        ElementType::Narrow(kind) => Data::Narrow(kind, bits.map(|bits| kind.wrap(bits as i64)).collect()),
        ElementType::Text => return Err(refused()),
    };
    one(Tensor::of(input.shape().to_vec(), data))
}
