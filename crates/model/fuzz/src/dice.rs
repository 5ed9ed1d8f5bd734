//! Bytes as decisions, so that any input of a fuzzer means something.

const ODD_INTEGERS: [i64; 10] =
    [i64::MIN, i64::MAX, -1, 1 << 20, 1 << 31, 1 << 32, 1 << 40, -(1 << 40), i32::MAX as i64, u32::MAX as i64];
const ODD_FLOATS: [f32; 8] =
    [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE, 1e-40, -0.0, 0.5];

/// The bytes, one decision after the other; zero when they end.
pub struct Dice<'b> {
    bytes: &'b [u8],
}

impl<'b> Dice<'b> {
    /// The decisions that these bytes stand for.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes }
    }

    fn next(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((&first, rest)) => {
                self.bytes = rest;
                first
            }
            None => 0,
        }
    }

    /// A number below `bound`, or 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { self.next() as usize % bound }
    }

    /// True once in a while, never when the bytes have ended.
    pub fn is_rare(&mut self) -> bool {
        self.next() > 240
    }

    /// True as often as not.
    pub fn is_head(&mut self) -> bool {
        self.next() % 2 == 1
    }

    /// One of these.
    pub fn pick<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.below(choices.len())]
    }

    /// A small number, rarely one at the edge of a type.
    pub fn integer(&mut self) -> i64 {
        if self.is_rare() { *self.pick(&ODD_INTEGERS) } else { self.below(12) as i64 - 3 }
    }

    /// A small number, rarely one that is none.
    pub fn float(&mut self) -> f32 {
        if self.is_rare() { *self.pick(&ODD_FLOATS) } else { f32::from(self.next() as i8) / 4.0 }
    }

    /// The number itself, rarely another one.
    pub fn nearly(&mut self, number: i64) -> i64 {
        if self.is_rare() { self.integer() } else { number }
    }
}
