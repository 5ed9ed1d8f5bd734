//! Conversion between element types, by the rules of ONNX `Cast` as ONNX Runtime carries them out.

use std::fmt::Display;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType;
use foretell_tensors::number_text;

use super::columns::{Number, column, for_float, for_number, for_wide, values};
use super::widen::is_narrow;
use super::wrong_type;
use crate::error::Result;
use crate::program::RowFailures;

pub(super) fn run(input: &ArrayRef, to: &DataType, failures: &mut RowFailures) -> Result<ArrayRef> {
    let from = input.data_type();
    let refused = || Err(wrong_type(&format!("a conversion to {to}"), from));
    if from == to {
        return Ok(Arc::clone(input));
    }
    match (from, to) {
        (DataType::Utf8, DataType::Boolean) => {
            let bits = parse(input, failures, |text| text.parse::<u64>().ok().map(|number| number != 0), "an integer");
            Ok(Arc::new(BooleanArray::from(bits)))
        }
        (DataType::Utf8, _) => for_number!(to, T => Ok(column::<T>(read::<T>(input, failures))), _ => refused()),
        (DataType::Boolean, DataType::Utf8) => Ok(print(input.as_boolean().values().iter().map(u8::from))),
        (DataType::Boolean, _) => for_number!(to, T => Ok(column::<T>(bits_to_numbers(input))), _ => refused()),
        (_, DataType::Utf8) => numbers_to_text(input),
        (_, DataType::Boolean) => for_number!(
            from,
            T => {
                Ok(numbers_to_bits(values::<T>(input)?))
            },
            _ => refused()
        ),
        (_, DataType::Int64) => for_number!(from, S => convert::<S, Int64Type>(input), _ => refused()),
        (from, _) if is_narrow(from) => run(&run(input, &DataType::Int64, failures)?, to, failures),
        _ => for_wide!(from, S => for_number!(to, T => convert::<S, T>(input), _ => refused()), _ => refused()),
    }
}

fn convert<S, T>(input: &ArrayRef) -> Result<ArrayRef>
where
    S: ArrowPrimitiveType<Native: Number>,
    T: ArrowPrimitiveType<Native: Number>,
{
    Ok(column::<T>(values::<S>(input)?.iter().map(|x| x.convert()).collect()))
}

fn numbers_to_bits<N: Number>(numbers: &[N]) -> ArrayRef {
    Arc::new(BooleanArray::from(BooleanBuffer::collect_bool(numbers.len(), |row| numbers[row] != N::ZERO)))
}

fn bits_to_numbers<N: Number>(input: &ArrayRef) -> Vec<N> {
    input.as_boolean().values().iter().map(|bit| if bit { N::ONE } else { N::ZERO }).collect()
}

fn numbers_to_text(input: &ArrayRef) -> Result<ArrayRef> {
    for_float!(
        input.data_type(),
        T => Ok(print(values::<T>(input)?.iter().map(|&x| number_text(x.convert())))),
        _ => for_number!(
            input.data_type(),
            T => Ok(print(values::<T>(input)?)),
            _ => Err(wrong_type("a conversion to text", input.data_type()))
        )
    )
}

fn print(values: impl IntoIterator<Item = impl Display>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values.into_iter().map(|value| value.to_string())))
}

/// Numbers from texts: floats in any usual notation, integers in decimal digits.
fn read<T: ArrowPrimitiveType<Native: Number>>(input: &ArrayRef, failures: &mut RowFailures) -> Vec<T::Native> {
    if T::DATA_TYPE.is_floating() {
        // As ONNX Runtime does, a single is read as a double and rounded again.
        parse(input, failures, |text| text.parse::<f64>().ok().map(Number::from_double), "a number")
    } else if T::DATA_TYPE.is_unsigned_integer() {
        parse(input, failures, |text| text.parse::<u64>().ok().map(Number::from_unsigned), "a natural number")
    } else {
        parse(input, failures, |text| text.parse::<i64>().ok().map(Number::from_signed), "an integer")
    }
}

fn parse<V: Default>(
    input: &ArrayRef,
    failures: &mut RowFailures,
    parse: impl Fn(&str) -> Option<V>,
    what: &str,
) -> Vec<V> {
    let parse = |(row, text): (usize, &str)| {
        parse(text.trim()).unwrap_or_else(|| {
            failures.refuse(row, || format!("the text `{text}` is not {what}"));
            V::default()
        })
    };
    input.as_string::<i32>().iter().map(Option::unwrap_or_default).enumerate().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float32Array, Float64Array, Int64Array};
    use arrow::datatypes::{Float32Type, Int64Type};

    use super::*;

    fn cast(input: &ArrayRef, to: &DataType) -> ArrayRef {
        let mut failures = RowFailures::default();
        let output = run(input, to, &mut failures).expect("types that convert");
        assert!(failures.is_empty());
        output
    }

    #[test]
    fn floats_print_as_in_onnx_runtime() {
        let single: ArrayRef = Arc::new(Float32Array::from(vec![0.1]));
        assert_eq!(cast(&single, &DataType::Utf8).as_string::<i32>().value(0), "0.1");
    }

    #[test]
    fn numbers_convert() {
        let doubles: ArrayRef = Arc::new(Float64Array::from(vec![1.9, -1.9, 0.0]));
        let integers = cast(&doubles, &DataType::Int64);
        assert_eq!(integers.as_primitive::<Int64Type>().values(), &[1, -1, 0]);
        let bits = cast(&doubles, &DataType::Boolean);
        assert_eq!(bits.as_boolean(), &BooleanArray::from(vec![true, true, false]));
        let floats = cast(&bits, &DataType::Float32);
        assert_eq!(floats.as_primitive::<Float32Type>().values(), &[1.0, 1.0, 0.0]);
        let integer: ArrayRef = Arc::new(Int64Array::from(vec![-7]));
        let text = cast(&integer, &DataType::Utf8);
        assert_eq!(text.as_string::<i32>().value(0), "-7");
    }

    #[test]
    fn texts_that_are_no_numbers_refuse_the_row() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![" 1e3", "nan", "seven"]));
        let mut failures = RowFailures::default();
        let floats = run(&texts, &DataType::Float32, &mut failures).expect("types that convert");
        let floats = floats.as_primitive::<Float32Type>();
        assert!(floats.value(0) == 1000.0 && floats.value(1).is_nan());
        assert_eq!(failures.first(), Some((2, "the text `seven` is not a number")));
    }
}
