//! What the kernels do with the two types of numbers, by the instructions at hand.

use std::fmt::Debug;

#[cfg(target_arch = "x86_64")]
use super::codes;
use super::codes::Cuts;
use super::instructions::Instructions;
#[cfg(target_arch = "x86_64")]
use super::instructions::Set;
use super::lookup;

/// The loops over numbers that exist once per type and set of instructions.
pub trait Lanes: Copy + Sized {
    /// An integer of the same size.
    #[doc(hidden)]
    type Key: Copy + Debug + Default + Ord + Send + Sync;

    /// The greatest key, which no number has.
    #[doc(hidden)]
    const KEY_MAX: Self::Key;

    /// An integer for each number, in the same order. NaN is above all numbers or below.
    #[doc(hidden)]
    fn key(self, nan_is_above: bool) -> Self::Key;

    /// The nearest number of half the size, or the number itself.
    #[doc(hidden)]
    fn narrow(self) -> f32;

    /// Writes the code of each value, that of NaN being `nan`; codes are biased for the instructions. There is room for as
    /// many codes as values, rounded up to a multiple of 64.
    #[doc(hidden)]
    fn write_codes(instructions: Instructions, cuts: &Cuts<Self>, values: &[Self], nan: u8, codes: &mut [u8]);

    /// Lays the weights of a tree's exits, at most 256, out for [`Lanes::add_weights`].
    #[doc(hidden)]
    fn pack_weights(instructions: Instructions, weights: &[Self]) -> Vec<Self>;

    /// Adds the weight of each exit to the sum in its place. The number of sums is a multiple of 64.
    #[doc(hidden)]
    fn add_weights(instructions: Instructions, weights: &[Self], exits: &[u8], sums: &mut [Self]);
}

macro_rules! lanes {
    ($type:ident, $key:ident, $code:ident, $add:ident, $add_bytes:ident, $bytes:literal) => {
        impl Lanes for $type {
            type Key = $key;

            const KEY_MAX: $key = $key::MAX;

            #[inline(always)]
            fn key(self, nan_is_above: bool) -> $key {
                // Zero has one sign only then.
                let bits = (self + 0.0).to_bits().cast_signed();
                // The order of negative numbers is that of their bits turned round.
                let key = bits ^ ((bits >> ($key::BITS - 1)) & $key::MAX);
                match self.is_nan() {
                    true if nan_is_above => $key::MAX,
                    true => $key::MIN,
                    false => key,
                }
            }

            fn narrow(self) -> f32 {
                self as f32
            }

            fn write_codes(instructions: Instructions, cuts: &Cuts<Self>, values: &[Self], nan: u8, codes: &mut [u8]) {
                assert!(codes.len() >= values.len().next_multiple_of(64), "room for whole registers of codes");
                let bias = instructions.bias();
                match instructions.set() {
                    // SAFETY: the processor has the instructions, and there is room for the codes.
                    #[cfg(target_arch = "x86_64")]
                    Set::Avx2 => unsafe { codes::avx2::$code(cuts, values, nan, bias, codes.as_mut_ptr()) },
                    // SAFETY: the processor has the instructions, and there is room for the codes.
                    #[cfg(target_arch = "x86_64")]
                    Set::Avx512 | Set::Avx512Vbmi => unsafe {
                        codes::avx512::$code(cuts, values, nan, codes.as_mut_ptr());
                    },
                    _ => cuts.code_portable(values, nan, bias, codes),
                }
            }

            fn pack_weights(instructions: Instructions, weights: &[Self]) -> Vec<Self> {
                match instructions.set() {
                    #[cfg(target_arch = "x86_64")]
                    Set::Avx512 => lookup::padded(weights),
                    #[cfg(target_arch = "x86_64")]
                    Set::Avx512Vbmi => {
                        let weights: Vec<_> = lookup::padded(weights).into_iter().map($type::to_ne_bytes).collect();
                        let bytes = lookup::planes::<$bytes>(&weights);
                        bytes.chunks_exact($bytes).map(|bytes| $type::from_ne_bytes(lookup::array(bytes))).collect()
                    }
                    _ => weights.to_vec(),
                }
            }

            fn add_weights(instructions: Instructions, weights: &[Self], exits: &[u8], sums: &mut [Self]) {
                assert!(exits.len() == sums.len() && exits.len().is_multiple_of(64), "whole registers of exits");
                match instructions.set() {
                    // SAFETY: the processor has the instructions, and the lengths were compared.
                    #[cfg(target_arch = "x86_64")]
                    Set::Avx512 => unsafe { lookup::avx512::$add(weights, exits, sums) },
                    // SAFETY: the processor has the instructions, and the lengths were compared.
                    #[cfg(target_arch = "x86_64")]
                    Set::Avx512Vbmi => unsafe { lookup::avx512::$add_bytes(weights, exits, sums) },
                    _ => lookup::add_portable(weights, exits, sums),
                }
            }
        }
    };
}

lanes!(f32, i32, code_f32, add_f32, add_f32_by_bytes, 4);
lanes!(f64, i64, code_f64, add_f64, add_f64_by_bytes, 8);
