//! MurmurHash3, with which scikit-learn and ONNX Runtime hash features.

use super::super::{Operator, exact, one};
use crate::call::{Call, no_such_type};
use crate::error::Outcome;
use crate::tensor::{Data, Tensor};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    match op_type {
        "MurmurHash3" => Some(exact(murmur_hash)),
        _ => None,
    }
}

fn murmur_hash(call: &Call) -> Outcome<Vec<Value>> {
    let input = call.tensor(0)?;
    let seed = call.int("seed", 0)? as u32;
    call.room_for(input.shape(), input.element_type())?;
    call.meter.work(input.bytes())?;
    macro_rules! hashes {
        ($values:ident) => {
            $values.iter().map(|value| hash(&value.to_le_bytes(), seed)).collect()
        };
    }
    let hashes: Vec<u32> = match input.data() {
        Data::Text(texts) => texts.iter().map(|text| hash(text.as_bytes(), seed)).collect(),
        Data::I32(values) => hashes!(values),
        Data::U32(values) => hashes!(values),
        Data::I64(values) => hashes!(values),
        Data::U64(values) => hashes!(values),
        Data::F32(values) => hashes!(values),
        Data::F64(values) => hashes!(values),
        other => return Err(no_such_type(other.element_type())),
    };
    let shape = input.shape().to_vec();
    one(match call.flag("positive", true)? {
        true => Tensor::new(shape, hashes),
        false => Tensor::new(shape, hashes.into_iter().map(|hash| hash as i32).collect()),
    })
}

/// MurmurHash3 of 32 bits.
fn hash(bytes: &[u8], seed: u32) -> u32 {
    let mixed = |block: u32| block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (blocks, rest) = bytes.as_chunks::<4>();
    let mut hash = seed;
    for block in blocks {
        hash ^= mixed(u32::from_le_bytes(*block));
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    hash ^= mixed(rest.iter().rev().fold(0, |block, &byte| block << 8 | u32::from(byte)));
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}
