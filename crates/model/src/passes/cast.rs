//! Casts that do nothing: to the type the column has, or first of two in a row without loss.

use std::collections::HashMap;

use arrow::datatypes::DataType;

use crate::program::{ColumnId, Op, Program};

pub(super) fn run(program: &mut Program, _wanted: &[ColumnId]) {
    // Columns that are copies of another, and casts without loss: the column written, the column read.
    let mut copies: HashMap<ColumnId, ColumnId> = HashMap::new();
    let mut lossless: HashMap<ColumnId, ColumnId> = HashMap::new();
    let columns = &program.columns;
    for step in &mut program.steps {
        for input in &mut step.inputs {
            *input = copies.get(input).copied().unwrap_or(*input);
        }
        let (Op::Cast(to), [input], [output]) = (&step.op, &mut step.inputs[..], &step.outputs[..]) else { continue };
        if let Some(&source) = lossless.get(input)
            && leaves_out(&columns[source.index()], &columns[input.index()], to)
        {
            *input = source;
        }
        let from = &columns[input.index()];
        if from == to {
            copies.insert(*output, *input);
        } else if is_lossless(from, to) {
            lossless.insert(*output, *input);
        }
    }
}

/// Whether a cast from `from` to `to` gives what a lossless one by way of `middle` gives.
fn leaves_out(from: &DataType, middle: &DataType, to: &DataType) -> bool {
    // Text shows which type it was printed from. What a float that is out of range becomes is not what an integer wraps to.
    *to != DataType::Utf8 && (!middle.is_floating() || !to.is_integer() || from == to || is_lossless(from, to))
}

/// Whether every value of `from` is the same number in `to`.
fn is_lossless(from: &DataType, to: &DataType) -> bool {
    match (bits(from), bits(to)) {
        (Some(from_bits), Some(to_bits)) => {
            let keeps_sign = from.is_unsigned_integer() || !to.is_unsigned_integer();
            let keeps_fraction = !from.is_floating() || to.is_floating();
            keeps_sign && keeps_fraction && from_bits <= to_bits
        }
        _ => false,
    }
}

/// Binary digits of the integers that a type holds exactly, the sign apart.
fn bits(data_type: &DataType) -> Option<u32> {
    Some(match data_type {
        DataType::Boolean => 1,
        DataType::Int8 => 7,
        DataType::UInt8 => 8,
        DataType::Int16 => 15,
        DataType::UInt16 => 16,
        DataType::Float32 => 24,
        DataType::Int32 => 31,
        DataType::UInt32 => 32,
        DataType::Float64 => 53,
        DataType::Int64 => 63,
        DataType::UInt64 => 64,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::program::UnaryOp;

    /// The columns that the last of these casts and a step behind it read, where 0 is the program's input.
    fn chain(from: DataType, casts: &[DataType]) -> (u32, u32) {
        let mut program = Program::default();
        let mut column = program.add_column(from);
        program.inputs = vec![column];
        let node = Arc::from("node");
        for to in casts {
            column = program.push(&node, Op::Cast(to.clone()), vec![column], [to.clone()])[0];
        }
        program.push(&node, Op::Unary(UnaryOp::Abs), vec![column], [DataType::Float32]);
        run(&mut program, &[]);
        (program.steps[casts.len() - 1].inputs[0].0, program.steps[casts.len()].inputs[0].0)
    }

    #[test]
    fn casts_that_change_nothing() {
        use DataType::{Boolean, Float32, Float64, Int8, Int32, Int64, UInt32, Utf8};
        assert_eq!(chain(Float32, &[Float32]), (0, 0));
        assert_eq!(chain(Float32, &[Float64, Float32]), (0, 0));
        assert_eq!(chain(Float32, &[Float64, Float32, Float32]), (0, 0));
        assert_eq!(chain(Int32, &[Float64, Float32]), (0, 2));
        assert_eq!(chain(Boolean, &[Int64, Float32]), (0, 2));
        assert_eq!(chain(Int8, &[Float32, Int32]), (0, 2));
        assert_eq!(chain(Float64, &[Float32, Float64]), (1, 2), "digits are lost");
        assert_eq!(chain(Int64, &[Float64, Int64]), (1, 2), "digits are lost");
        assert_eq!(chain(UInt32, &[Float64, Int32]), (1, 2), "out of range is not wrapped around");
        assert_eq!(chain(Int32, &[Float64, Utf8]), (1, 2), "1e+08 is not 100000000");
    }
}
