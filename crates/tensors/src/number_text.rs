//! Numbers as text and back, as ONNX Runtime writes and reads them.

/// Significant digits of a number printed as text.
const PRINTED_DIGITS: usize = 8;

/// A number as C prints it with `%.8g`; NaN, INF and -INF by name.
pub fn number_text(number: f64) -> String {
    if number.is_nan() {
        return String::from("NaN");
    }
    if number.is_infinite() {
        return String::from(if number > 0.0 { "INF" } else { "-INF" });
    }
    let scientific = format!("{:.*e}", PRINTED_DIGITS - 1, number);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= PRINTED_DIGITS as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", without_trailing_zeros(mantissa), exponent.abs());
    }
    let decimals = (PRINTED_DIGITS as i32 - 1 - exponent) as usize;
    without_trailing_zeros(&format!("{number:.decimals$}")).to_owned()
}

fn without_trailing_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// The number a text begins with, as C's `strtod` reads it; `None` if there is none or it has no finite double.
pub fn read_float(text: &str) -> Option<f64> {
    let text = text.trim_start();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let begins = |word: &str| unsigned.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if begins("nan") {
        return Some(f64::NAN);
    }
    if begins("inf") {
        return Some(sign * f64::INFINITY);
    }
    if begins("0x") {
        let digits: String = unsigned[2..].chars().take_while(char::is_ascii_hexdigit).collect();
        return u64::from_str_radix(&digits, 16).ok().map(|number| sign * number as f64);
    }
    let decimal = &unsigned[..decimal_length(unsigned.as_bytes())];
    let number: f64 = decimal.parse().ok()?;
    let lost = number.is_infinite() || (number == 0.0 && names_more_than_zero(decimal));
    (!lost).then_some(sign * number)
}

fn names_more_than_zero(decimal: &str) -> bool {
    decimal.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')).any(|byte| (b'1'..=b'9').contains(&byte))
}

/// Bytes of the decimal number at the start.
fn decimal_length(text: &[u8]) -> usize {
    let digits = |from: usize| from + text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = digits(0);
    if text.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent = (end + 1 + sign).min(text.len());
        if digits(exponent) > exponent {
            end = digits(exponent);
        }
    }
    end
}

/// The integer a text begins with, as C's `strtoll` reads it.
pub fn read_signed(text: &str) -> Option<i64> {
    let (negative, digits) = integer_prefix(text);
    let number: i128 = digits.parse().ok()?;
    i64::try_from(if negative { -number } else { number }).ok()
}

/// The integer a text begins with, as C's `strtoull` reads it: a negative one wraps around.
pub fn read_unsigned(text: &str) -> Option<u64> {
    let (negative, digits) = integer_prefix(text);
    let number: u64 = digits.parse().ok()?;
    Some(if negative { number.wrapping_neg() } else { number })
}

fn integer_prefix(text: &str) -> (bool, &str) {
    let text = text.trim_start();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    (text.starts_with('-'), &unsigned[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    // The answers are those of onnxruntime 1.32.
    #[test]
    fn numbers_print_as_in_onnx_runtime() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (std::f64::consts::PI, "3.1415927"),
            (12_345_678.0, "12345678"),
            (123_456_789.0, "1.2345679e+08"),
            (99_999_999.9, "1e+08"),
            (0.000_123, "0.000123"),
            (0.000_012_3, "1.23e-05"),
            (1e100, "1e+100"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "INF"),
            (f64::NEG_INFINITY, "-INF"),
        ];
        for (number, text) in cases {
            assert_eq!(number_text(number), text);
        }
    }

    #[test]
    fn numbers_are_read_as_in_onnx_runtime() {
        let floats = ["2.7", "1e3", "+5", " 7", "8 ", "0x10", "-inf", "12abc", "1e", ".5"];
        let expected = [2.7, 1000.0, 5.0, 7.0, 8.0, 16.0, f64::NEG_INFINITY, 12.0, 1.0, 0.5];
        assert_eq!(floats.map(read_float), expected.map(Some));
        assert!(read_float("NaN").is_some_and(f64::is_nan));
        assert_eq!(["true", "", ".", "3.9e-400", "1e400"].map(read_float), [None; 5]);
        assert_eq!(["2.7", "1e3", "-3", "0x10", "nan"].map(read_signed), [Some(2), Some(1), Some(-3), Some(0), None]);
        assert_eq!(["-3", "99999999999"].map(read_unsigned), [Some(u64::MAX - 2), Some(99_999_999_999)]);
    }
}
