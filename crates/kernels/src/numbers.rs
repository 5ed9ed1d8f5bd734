//! Memory for numbers that vectors are read from.

/// Numbers in a line of the cache. Vectors that cross lines take twice as long to read.
const LINE: usize = 16;

/// Numbers that begin with a line of the cache.
pub(crate) struct Numbers {
    memory: Vec<f32>,
    skipped: usize,
}

impl Numbers {
    /// At least so many zeros.
    pub(crate) fn new(count: usize) -> Self {
        let memory = vec![0.0; count + LINE];
        let skipped = memory.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        Self { memory, skipped }
    }

    pub(crate) fn read(&self) -> &[f32] {
        &self.memory[self.skipped..]
    }

    pub(crate) fn all(&mut self) -> &mut [f32] {
        &mut self.memory[self.skipped..]
    }
}

/// Numbers that are copied at once.
const PART: usize = 8;

/// Copies as many numbers as `to` has. For a few of them this is faster than what the system has for any number.
#[inline(always)]
pub(crate) fn copy_few(from: &[f32], to: &mut [f32]) {
    let from = &from[..to.len()];
    let (Some(last_from), Some(last_to)) = (from.last_chunk::<PART>(), to.len().checked_sub(PART)) else {
        return from.iter().zip(to).for_each(|(from, to)| *to = *from);
    };
    let last = *last_from;
    for (from, to) in from.as_chunks::<PART>().0.iter().zip(to.as_chunks_mut::<PART>().0) {
        *to = *from;
    }
    to[last_to..].copy_from_slice(&last);
}
