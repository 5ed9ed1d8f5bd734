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

    pub(crate) fn all(&mut self) -> &mut [f32] {
        &mut self.memory[self.skipped..]
    }
}
