//! Numbers that look random and are always the same.

/// Numbers of a fixed sequence between -1 and 1.
pub(crate) struct Sequence(pub(crate) u64);

impl Sequence {
    pub(crate) fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f32 / (1_u64 << 30) as f32 - 1.0
    }

    pub(crate) fn some(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// So many numbers of one of many sequences.
pub(crate) fn numbers(seed: u64, count: usize) -> Vec<f32> {
    Sequence(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1)).some(count)
}
