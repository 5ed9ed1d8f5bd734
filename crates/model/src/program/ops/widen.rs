//! Arithmetic on small integers: done on `Int64` and brought back, so that it need not be compiled for every type.
//!
//! All small types fit `Int64`, and what wraps around in it wraps around to the same small number.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;

use super::{Op, Operands, cast};
use crate::error::Result;
use crate::program::RowFailures;

/// Whether arithmetic on this type is done in `Int64`.
pub(super) fn is_narrow(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32)
}

/// The outputs of an operation that does arithmetic on small integers; `None` for any other.
pub(super) fn run(
    op: &Op,
    inputs: &[ArrayRef],
    rows: usize,
    failures: &mut RowFailures,
) -> Result<Option<Vec<ArrayRef>>> {
    let Some(narrow) = inputs.first().map(|input| input.data_type()).filter(|data_type| is_narrow(data_type)) else {
        return Ok(None);
    };
    let mut widened = |array: &ArrayRef| match array.data_type() == narrow {
        true => cast::run(array, &DataType::Int64, failures),
        false => Ok(Arc::clone(array)),
    };
    let op = match op {
        Op::Binary(op, Operands::ConstantLeft(value)) => Op::Binary(*op, Operands::ConstantLeft(widened(value)?)),
        Op::Binary(op, Operands::ConstantRight(value)) => Op::Binary(*op, Operands::ConstantRight(widened(value)?)),
        Op::Binary(..) | Op::Unary(_) | Op::Reduce(_) | Op::Across(_) | Op::ArgExtreme { .. } | Op::TopK { .. } => {
            op.clone()
        }
        _ => return Ok(None),
    };
    let inputs = inputs.iter().map(widened).collect::<Result<Vec<_>>>()?;
    let mut outputs = op.run(&inputs, rows, failures)?;
    // Positions stay what they are, and so do bits and floats.
    let computed = match op {
        Op::ArgExtreme { .. } => 0,
        Op::TopK { take, .. } => take,
        _ => outputs.len(),
    };
    for output in outputs.iter_mut().take(computed).filter(|output| output.data_type() == &DataType::Int64) {
        *output = cast::run(output, narrow, failures)?;
    }
    Ok(Some(outputs))
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int8Array, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::program::BinaryOp;

    fn bytes(values: &[i8]) -> ArrayRef {
        Arc::new(Int8Array::from(values.to_vec()))
    }

    fn outputs(op: &Op, inputs: &[ArrayRef]) -> Vec<ArrayRef> {
        op.run(inputs, inputs[0].len(), &mut RowFailures::default()).expect("an operation on bytes")
    }

    #[test]
    fn small_integers_wrap_around() {
        let sum = Op::Binary(BinaryOp::Add, Operands::ConstantRight(bytes(&[100])));
        assert_eq!(outputs(&sum, &[bytes(&[100, -3])]), [bytes(&[-56, 97])]);
        let less = Op::Binary(BinaryOp::Less, Operands::Columns);
        let answer = &outputs(&less, &[bytes(&[1, 2]), bytes(&[2, 1])])[0];
        assert_eq!(answer.as_boolean().iter().flatten().collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn positions_stay_positions() {
        let inputs = [bytes(&[1]), bytes(&[5])];
        let position = outputs(&Op::ArgExtreme { largest: true, last: false }, &inputs);
        assert_eq!(position[0].as_primitive::<Int64Type>().values(), &[1]);
        let top = outputs(&Op::TopK { take: 1, largest: true }, &inputs);
        let expected: [ArrayRef; 2] = [bytes(&[5]), Arc::new(Int64Array::from(vec![1]))];
        assert_eq!(top, expected);
    }
}
