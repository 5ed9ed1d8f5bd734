//! How fast memory can be read: the roof above every model that only adds its columns.

use std::hint::black_box;
use std::thread;
use std::time::Instant;

/// Eight times what any cache holds.
const BYTES: usize = 1 << 28;
const ATTEMPTS: usize = 10;
/// Sums that are kept at once, so that adding does not wait for adding.
const LANES: usize = 64;

/// Bytes per second that so many threads read from memory together; the best of several attempts.
pub fn bandwidth(threads: usize) -> f64 {
    let buffer = vec![1_u32; BYTES / size_of::<u32>()];
    let part = buffer.len() / threads;
    let seconds = (0..ATTEMPTS).map(|_| {
        let start = Instant::now();
        thread::scope(|scope| {
            for part in buffer.chunks_exact(part) {
                scope.spawn(move || black_box(total(part)));
            }
        });
        start.elapsed().as_secs_f64()
    });
    BYTES as f64 / seconds.fold(f64::INFINITY, f64::min)
}

fn total(values: &[u32]) -> [u32; LANES] {
    let (rows, _) = values.as_chunks::<LANES>();
    rows.iter().fold([0; LANES], |sums, row| std::array::from_fn(|at| sums[at].wrapping_add(row[at])))
}
