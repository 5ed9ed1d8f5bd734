//! The weights of exits, looked up and added to the sums of rows.

use std::ops::AddAssign;

#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;

/// Adds the weight of each exit to the sum in its place.
pub(super) fn add_portable<T: AddAssign + Copy>(weights: &[T], exits: &[u8], sums: &mut [T]) {
    for (sum, &exit) in sums.iter_mut().zip(exits) {
        *sum += weights[usize::from(exit)];
    }
}

/// The weights of a tree's exits and copies of the last one up to 64, 128 or 256.
#[cfg(target_arch = "x86_64")]
pub(super) fn padded<T: Copy>(weights: &[T]) -> Vec<T> {
    let mut padded = weights.to_vec();
    if let Some(&last) = weights.last() {
        padded.resize(weights.len().next_power_of_two().max(64), last);
    }
    padded
}

/// All first bytes, then all second bytes, and so on.
#[cfg(target_arch = "x86_64")]
pub(super) fn planes<const BYTES: usize>(weights: &[[u8; BYTES]]) -> Vec<u8> {
    (0..BYTES).flat_map(|plane| weights.iter().map(move |weight| weight[plane])).collect()
}

/// The first bytes.
#[cfg(target_arch = "x86_64")]
pub(super) fn array<const BYTES: usize>(bytes: &[u8]) -> [u8; BYTES] {
    let mut array = [0; BYTES];
    array.copy_from_slice(&bytes[..BYTES]);
    array
}
