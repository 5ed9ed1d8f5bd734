//! CityHash64, version 1, by Geoff Pike and Jyrki Alakuijala: the hash by which CatBoost knows its categories.
//!
//! Later versions give other numbers for most lengths. All arithmetic wraps around, and bytes are read in little endian.

const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;
const K3: u64 = 0xc949_d7c7_509e_6557;

/// The hash of some bytes.
pub(super) fn city_hash(bytes: &[u8]) -> u64 {
    match bytes.len() {
        0..=16 => short(bytes),
        17..=32 => up_to_32(bytes),
        33..=64 => up_to_64(bytes),
        _ => long(bytes),
    }
}

/// Eight bytes from `at` on.
fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

/// Four bytes from `at` on.
fn half_word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u64::from(u32::from_le_bytes(word))
}

fn folded(x: u64) -> u64 {
    x ^ (x >> 47)
}

/// Two words as one.
fn joined(low: u64, high: u64) -> u64 {
    const FACTOR: u64 = 0x9ddf_ea08_eb38_2d69;
    let first = folded((low ^ high).wrapping_mul(FACTOR));
    folded((high ^ first).wrapping_mul(FACTOR)).wrapping_mul(FACTOR)
}

fn short(bytes: &[u8]) -> u64 {
    let count = bytes.len();
    let length = count as u64;
    match count {
        0 => K2,
        1..=3 => {
            let (first, middle, last) = (bytes[0], bytes[count / 2], bytes[count - 1]);
            let y = u64::from(first) + (u64::from(middle) << 8);
            let z = length + (u64::from(last) << 2);
            folded(y.wrapping_mul(K2) ^ z.wrapping_mul(K3)).wrapping_mul(K2)
        }
        4..=8 => joined(length + (half_word(bytes, 0) << 3), half_word(bytes, count - 4)),
        _ => {
            let (start, end) = (word(bytes, 0), word(bytes, count - 8));
            joined(start, end.wrapping_add(length).rotate_right(count as u32)) ^ end
        }
    }
}

fn up_to_32(bytes: &[u8]) -> u64 {
    let count = bytes.len();
    let a = word(bytes, 0).wrapping_mul(K1);
    let b = word(bytes, 8);
    let c = word(bytes, count - 8).wrapping_mul(K2);
    let d = word(bytes, count - 16).wrapping_mul(K0);
    let low = a.wrapping_sub(b).rotate_right(43).wrapping_add(c.rotate_right(30)).wrapping_add(d);
    let high = a.wrapping_add((b ^ K3).rotate_right(20)).wrapping_sub(c).wrapping_add(count as u64);
    joined(low, high)
}

fn up_to_64(bytes: &[u8]) -> u64 {
    let count = bytes.len();
    let seed = (count as u64).wrapping_add(word(bytes, count - 16)).wrapping_mul(K0);
    // The words of one half: start, second, third, fourth.
    let half = |a: u64, second: u64, third: u64, z: u64| {
        let low = a.wrapping_add(second).wrapping_add(third);
        let high = a
            .wrapping_add(z)
            .rotate_right(52)
            .wrapping_add(low.rotate_right(31))
            .wrapping_add(a.rotate_right(37).wrapping_add(a.wrapping_add(second).rotate_right(7)));
        (low.wrapping_add(z), high)
    };
    let (v_low, v_high) = half(word(bytes, 0).wrapping_add(seed), word(bytes, 8), word(bytes, 16), word(bytes, 24));
    let (w_low, w_high) = half(
        word(bytes, 16).wrapping_add(word(bytes, count - 32)),
        word(bytes, count - 24),
        word(bytes, count - 16),
        word(bytes, count - 8),
    );
    let mixed = v_low.wrapping_add(w_high).wrapping_mul(K2).wrapping_add(w_low.wrapping_add(v_high).wrapping_mul(K0));
    folded(folded(mixed).wrapping_mul(K0).wrapping_add(v_high)).wrapping_mul(K2)
}

/// Thirty-two bytes from `at` on, mixed into two words.
fn mixed(bytes: &[u8], at: usize, a: u64, b: u64) -> (u64, u64) {
    let last = word(bytes, at + 24);
    let start = a.wrapping_add(word(bytes, at));
    let turned = b.wrapping_add(start).wrapping_add(last).rotate_right(21);
    let sum = start.wrapping_add(word(bytes, at + 8)).wrapping_add(word(bytes, at + 16));
    (sum.wrapping_add(last), turned.wrapping_add(sum.rotate_right(44)).wrapping_add(start))
}

fn long(bytes: &[u8]) -> u64 {
    let count = bytes.len();
    let length = count as u64;
    let mut x = word(bytes, 0);
    let mut y = word(bytes, count - 16) ^ K1;
    let mut z = word(bytes, count - 56) ^ K0;
    let mut v = mixed(bytes, count - 64, length, y);
    let mut w = mixed(bytes, count - 32, length.wrapping_mul(K1), K0);
    z = z.wrapping_add(folded(v.1).wrapping_mul(K1));
    x = z.wrapping_add(x).rotate_right(39).wrapping_mul(K1);
    y = y.rotate_right(33).wrapping_mul(K1);
    // The last block was taken first, so that the whole blocks end before it or in it.
    for at in (0..(count - 1) & !63).step_by(64) {
        let sum = x.wrapping_add(y).wrapping_add(v.0).wrapping_add(word(bytes, at + 16));
        x = sum.rotate_right(37).wrapping_mul(K1) ^ w.1;
        y = y.wrapping_add(v.1).wrapping_add(word(bytes, at + 48)).rotate_right(42).wrapping_mul(K1) ^ v.0;
        z = (z ^ w.0).rotate_right(33);
        v = mixed(bytes, at, v.1.wrapping_mul(K1), x.wrapping_add(w.0));
        w = mixed(bytes, at + 32, z.wrapping_add(w.1), y);
        (x, z) = (z, x);
    }
    let low = joined(v.0, w.0).wrapping_add(folded(y).wrapping_mul(K1)).wrapping_add(z);
    joined(low, joined(v.1, w.1).wrapping_add(x))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lower halves that CatBoost 1.2.10 writes into its files.
    #[test]
    fn hashes_of_every_length() {
        let fox = "the quick brown fox jumps over the lazy dog";
        let cases = [
            (String::new(), 797_982_799),
            ("a".to_string(), 3_489_901_818),
            ("ab".to_string(), 4_090_249_022),
            ("abc".to_string(), 978_243_121),
            ("abcd".to_string(), 345_588_365),
            ("Zürich".to_string(), 3_409_199_112),
            ("12345678".to_string(), 1_054_993_967),
            ("123456789".to_string(), 1_389_760_245),
            ("0123456789abcdef".to_string(), 2_645_308_183),
            ("0123456789abcdefg".to_string(), 3_849_924_666),
            ("x".repeat(31), 3_641_768_619),
            ("y".repeat(32), 3_690_797_023),
            ("z".repeat(33), 2_675_455_389),
            (fox.to_string(), 3_952_554_508),
            ("q".repeat(63), 4_224_171_990),
            ("r".repeat(64), 619_224_845),
            ("s".repeat(65), 1_848_133_898),
            ("t".repeat(127), 585_438_835),
            ("u".repeat(128), 1_151_933_266),
            ("v".repeat(129), 2_496_708_607),
            (format!("{fox}; ").repeat(5), 472_626_163),
        ];
        for (text, expected) in cases {
            assert_eq!(city_hash(text.as_bytes()) as u32, expected, "{text}");
        }
    }
}
