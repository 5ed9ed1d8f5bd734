//! Formats of 8 bits and fewer: floats for storage, and integers of 4 and 2 bits.
//!
//! They are converted and quantised, never computed with. In memory an element is one byte: the bits of a float, and an
//! integer's value in two's complement.

/// A format of 8 bits or fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Narrow {
    /// 4 bits of exponent, 3 of mantissa, no infinity.
    F8E4M3Fn,
    /// As `F8E4M3Fn` with another bias, and no negative zero.
    F8E4M3Fnuz,
    /// 5 bits of exponent, 2 of mantissa, as IEEE 754 would have it.
    F8E5M2,
    /// As `F8E5M2` with another bias, no infinity and no negative zero.
    F8E5M2Fnuz,
    /// A power of two.
    F8E8M0,
    /// 2 bits of exponent, 1 of mantissa, finite numbers only.
    F4E2M1,
    /// Signed, 4 bits.
    I4,
    /// Unsigned, 4 bits.
    U4,
    /// Signed, 2 bits.
    I2,
    /// Unsigned, 2 bits.
    U2,
}

/// How numbers are rounded to powers of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScaleRounding {
    Up,
    Down,
    Nearest,
}

/// Layout of a float with a sign.
struct Layout {
    mantissa_bits: u32,
    bias: i32,
    /// Bits of the largest finite number.
    greatest: u8,
    /// Bits of what is larger, where it is not cut to the largest; the sign is added for infinity.
    overflow: u8,
    /// Bits of the sign.
    sign: u8,
    /// Bits of "not a number".
    nan: u8,
    signed_zero: bool,
}

impl Narrow {
    /// Bits that a file uses for one element.
    pub fn bits(self) -> usize {
        match self {
            Self::F4E2M1 | Self::I4 | Self::U4 => 4,
            Self::I2 | Self::U2 => 2,
            _ => 8,
        }
    }

    /// Elements from the bytes of a file, in which several share a byte, the first in its lowest bits.
    pub fn unpack(self, bytes: &[u8], count: usize) -> Vec<u8> {
        let bits = self.bits();
        let per_byte = 8 / bits;
        let mask = (u16::MAX >> (16 - bits)) as u8;
        let code = |at: usize| bytes.get(at / per_byte).map_or(0, |byte| byte >> (at % per_byte * bits) & mask);
        (0..count).map(|at| self.with_sign(code(at))).collect()
    }

    /// An element from its bits, signed integers with their sign extended.
    fn with_sign(self, code: u8) -> u8 {
        match self {
            Self::I4 => ((code << 4) as i8 >> 4) as u8,
            Self::I2 => ((code << 6) as i8 >> 6) as u8,
            _ => code,
        }
    }

    pub(crate) fn is_integer(self) -> bool {
        matches!(self, Self::I4 | Self::U4 | Self::I2 | Self::U2)
    }

    /// The smallest and the largest integer.
    pub(crate) fn integer_range(self) -> (i32, i32) {
        match self {
            Self::I4 => (-8, 7),
            Self::U4 => (0, 15),
            Self::I2 => (-2, 1),
            Self::U2 => (0, 3),
            _ => (0, 255),
        }
    }

    /// An integer cut to the bits there are.
    pub(crate) fn wrap(self, value: i64) -> u8 {
        let mask = (u16::MAX >> (16 - self.bits())) as u8;
        self.with_sign(value as u8 & mask)
    }

    fn layout(self) -> Layout {
        let layout = |mantissa_bits, bias, greatest, overflow, nan| Layout {
            mantissa_bits,
            bias,
            greatest,
            overflow,
            nan,
            sign: 0x80,
            signed_zero: nan != 0x80,
        };
        match self {
            Self::F8E4M3Fn => layout(3, 7, 0x7e, 0x7f, 0x7f),
            Self::F8E4M3Fnuz => layout(3, 8, 0x7f, 0x80, 0x80),
            Self::F8E5M2 => layout(2, 15, 0x7b, 0x7c, 0x7e),
            Self::F8E5M2Fnuz => layout(2, 16, 0x7f, 0x80, 0x80),
            // The sign of "not a number" is kept as it is, so that 0x8 makes a zero of it.
            _ => Layout { sign: 8, ..layout(1, 1, 7, 7, 8) },
        }
    }

    /// The number an element stands for.
    pub(crate) fn to_f32(self, element: u8) -> f32 {
        match self {
            Self::I4 | Self::I2 => f32::from(element as i8),
            Self::U4 | Self::U2 => f32::from(element),
            Self::F8E8M0 if element == 0xff => f32::NAN,
            Self::F8E8M0 => (f64::from(element) - 127.0).exp2() as f32,
            _ => self.layout().decode(element, self == Self::F8E5M2, self != Self::F4E2M1),
        }
    }

    /// The nearest element; a number beyond the largest is cut to it if `saturate` says so.
    pub(crate) fn nearest(self, value: f32, saturate: bool) -> u8 {
        match self {
            Self::I4 | Self::U4 | Self::I2 | Self::U2 => self.wrap(value as i64),
            Self::F8E8M0 => power_of_two(value, saturate, ScaleRounding::Up),
            _ => self.layout().encode(value, saturate || self == Self::F4E2M1),
        }
    }
}

impl Layout {
    fn decode(&self, element: u8, has_infinity: bool, has_nan: bool) -> f32 {
        let sign = if element & self.sign == 0 { 1.0 } else { -1.0 };
        let code = element & (self.sign - 1);
        if has_nan && (element == self.nan || (self.signed_zero && code > self.greatest)) {
            return if has_infinity && code == self.overflow { sign * f32::INFINITY } else { f32::NAN };
        }
        let mantissa = f64::from(code & ((1 << self.mantissa_bits) - 1));
        let exponent = i32::from(code >> self.mantissa_bits);
        let steps = f64::from(1_u32 << self.mantissa_bits);
        let size = match exponent {
            0 => mantissa / steps * f64::from(1 - self.bias).exp2(),
            _ => (1.0 + mantissa / steps) * f64::from(exponent - self.bias).exp2(),
        };
        sign * size as f32
    }

    fn encode(&self, value: f32, saturate: bool) -> u8 {
        if value.is_nan() {
            return self.nan;
        }
        let sign = if value.is_sign_negative() { self.sign } else { 0 };
        let code = self.magnitude(f64::from(value.abs()));
        let code = match code {
            Some(code) => code,
            None if saturate => self.greatest,
            // Formats without an infinity have one "not a number" for both signs.
            None if self.overflow == 0x80 => return 0x80,
            None => self.overflow,
        };
        if code == 0 && !self.signed_zero && self.sign == 0x80 { 0 } else { sign | code }
    }

    /// The nearest code, ties to even; `None` beyond the largest.
    fn magnitude(&self, size: f64) -> Option<u8> {
        if size == 0.0 {
            return Some(0);
        }
        if size.is_infinite() {
            return None;
        }
        let exponent = (((size.to_bits() >> 52) as i32 & 0x7ff) - 1023).max(1 - self.bias);
        let steps = (size / f64::from(exponent - self.mantissa_bits as i32).exp2()).round_ties_even() as i64;
        let one = 1_i64 << self.mantissa_bits;
        let code =
            if steps < one { steps } else { (i64::from(exponent + self.bias) << self.mantissa_bits) + steps - one };
        u8::try_from(code).ok().filter(|&code| code <= self.greatest)
    }
}

/// The power of two for a number, as bits of `F8E8M0`.
pub(crate) fn power_of_two(value: f32, saturate: bool, rounding: ScaleRounding) -> u8 {
    let bits = value.to_bits();
    let exponent = (bits >> 23) as u8;
    if exponent == 0xff {
        return 0xff;
    }
    let fraction = bits & 0x007f_ffff;
    let half = 0x0040_0000;
    let up = match rounding {
        ScaleRounding::Up => fraction > 0,
        ScaleRounding::Down => false,
        ScaleRounding::Nearest => fraction > half || (fraction == half && exponent > 0),
    };
    if up && !(saturate && exponent == 0xfe) { exponent + 1 } else { exponent }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOATS: [Narrow; 5] =
        [Narrow::F8E4M3Fn, Narrow::F8E4M3Fnuz, Narrow::F8E5M2, Narrow::F8E5M2Fnuz, Narrow::F4E2M1];

    #[test]
    fn every_float_survives_the_way_there_and_back() {
        for format in FLOATS {
            for code in 0..(1_u16 << format.bits()) {
                let code = code as u8;
                let number = format.to_f32(code);
                if number.is_nan() {
                    assert!(format.to_f32(format.nearest(number, true)).is_nan(), "{format:?} {code}");
                } else {
                    assert_eq!(format.nearest(number, false), code, "{format:?} {number}");
                }
            }
        }
    }

    #[test]
    fn the_largest_numbers_are_those_of_the_standard() {
        let largest = |format: Narrow| format.to_f32(format.nearest(f32::MAX, true));
        assert_eq!(FLOATS.map(largest), [448.0, 240.0, 57344.0, 57344.0, 6.0]);
        assert!(Narrow::F8E5M2.to_f32(Narrow::F8E5M2.nearest(f32::MAX, false)).is_infinite());
        assert!(Narrow::F8E4M3Fn.to_f32(Narrow::F8E4M3Fn.nearest(f32::MAX, false)).is_nan());
    }

    #[test]
    fn several_elements_share_a_byte() {
        assert_eq!(Narrow::I4.unpack(&[0x8f, 0x01], 3), [0xff, 0xf8, 1]);
        assert_eq!(Narrow::U2.unpack(&[0b11_10_01_00], 4), [0, 1, 2, 3]);
        assert_eq!(Narrow::I4.wrap(-9), 7);
    }
}
