//! Products, inverses and distances of matrices.

use super::super::movement::transposed;
use super::super::product::{Extents, add_product, matrix_product};
use super::super::quant::singles;
use super::super::{Operator, one, single};
use super::{Standard, given, passed};
use crate::call::{Call, wrong_type};
use crate::error::{Fault, Outcome};
use crate::number::{Number, by_real};
use crate::shape;
use crate::tensor::{Data, Tensor};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "CDist" => single(cdist),
        "FusedMatMul" | "TransposeMatMul" => single(fused_mat_mul),
        "Inverse" => single(inverse),
        "MatMulNBits" => single(mat_mul_n_bits),
        _ => return None,
    })
}

/// A product whose matrices, or the batches before them, are turned first.
fn fused_mat_mul(call: &Call) -> Outcome<Vec<Value>> {
    let turned = |index: usize, rows: &str, batch: &str| -> Outcome<Tensor> {
        let tensor = call.tensor(index)?;
        let rank = tensor.rank();
        let mut order: Vec<usize> = (0..rank).collect();
        // The batch's first axis goes before the columns.
        if call.flag(batch, false)? && rank > 2 {
            order[..rank - 1].rotate_left(1);
        }
        if call.flag(rows, false)? && rank > 1 {
            order.swap(rank - 2, rank - 1);
        }
        transposed(call, tensor, &order)
    };
    let (left, right) = (turned(0, "transA", "transBatchA")?, turned(1, "transB", "transBatchB")?);
    let product = matrix_product(call, &left, &right)?;
    let alpha = f64::from(call.float("alpha", 1.0)?);
    one(by_real!(product.data(), values => Ok(scaled(values, product.shape(), alpha)))?)
}

fn scaled<T: Number>(values: &[T], shape: &[usize], factor: f64) -> Tensor {
    Tensor::new(shape.to_vec(), values.iter().map(|value| value.times(T::from_f64(factor))).collect())
}

/// Distances between all rows of two matrices.
fn cdist(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(call: &Call, left: &[T], root: bool) -> Outcome<Tensor> {
        let (left_shape, right) = (call.tensor(0)?.shape(), call.tensor(1)?);
        let (&[rows, width], &[columns, other]) = (left_shape, right.shape()) else {
            return Err(Fault::invalid(format!("distances of {left_shape:?} and {:?}", right.shape())));
        };
        if width != other {
            return Err(Fault::invalid(format!("distances of {left_shape:?} and {:?}", right.shape())));
        }
        let values = right.values::<T>().ok_or_else(|| wrong_type(1, T::TYPE, right.element_type()))?;
        let count = call.room_for(&[rows, columns], T::TYPE)?;
        call.meter.work((count as u64).saturating_mul(width as u64))?;
        let distance = |row: usize, column: usize| {
            let pairs = left[row * width..][..width].iter().zip(&values[column * width..][..width]);
            let sum: f64 = pairs.map(|(a, b)| (a.to_f64() - b.to_f64()).powi(2)).sum();
            T::from_f64(if root { sum.sqrt() } else { sum })
        };
        let all = (0..count).map(|at| distance(at / columns.max(1), at % columns.max(1)));
        Ok(Tensor::new(vec![rows, columns], all.collect()))
    }
    let root = match call.text("metric", "sqeuclidean")? {
        "sqeuclidean" => false,
        "euclidean" => true,
        other => return Err(Fault::unsupported(format!("metric `{other}`"))),
    };
    one(by_real!(call.tensor(0)?.data(), values => typed(call, values, root))?)
}

fn inverse(call: &Call) -> Outcome<Vec<Value>> {
    fn typed<T: Number>(values: &[T], shape: &[usize], size: usize) -> Outcome<Tensor> {
        let mut results = Vec::with_capacity(values.len());
        let length = if values.is_empty() { 1 } else { size * size };
        for matrix in values.chunks(length) {
            let inverse = inverted(matrix.iter().map(|value| value.to_f64()).collect(), size);
            let inverse = inverse.ok_or_else(|| Fault::invalid("a matrix without an inverse"))?;
            results.extend(inverse.into_iter().map(T::from_f64));
        }
        Ok(Tensor::new(shape.to_vec(), results))
    }
    let input = call.tensor(0)?;
    let &[.., rows, columns] = input.shape() else {
        return Err(Fault::invalid(format!("a value of shape {:?} is no matrix", input.shape())));
    };
    if rows != columns {
        return Err(Fault::invalid(format!("the inverse of {:?}", input.shape())));
    }
    call.room_for(input.shape(), input.element_type())?;
    call.meter.work((input.len() as u64).saturating_mul(rows as u64))?;
    one(by_real!(input.data(), values => typed(values, input.shape(), rows))?)
}

/// By elimination, with the largest number of a column as its pivot; none if there is no inverse.
fn inverted(mut matrix: Vec<f64>, size: usize) -> Option<Vec<f64>> {
    let mut inverse: Vec<f64> = (0..size * size).map(|at| f64::from(u8::from(at / size == at % size))).collect();
    for step in 0..size {
        let larger = |&a: &usize, &b: &usize| matrix[a * size + step].abs().total_cmp(&matrix[b * size + step].abs());
        let pivot = (step..size).max_by(larger)?;
        let diagonal = matrix[pivot * size + step];
        if diagonal == 0.0 {
            return None;
        }
        for values in [&mut matrix, &mut inverse] {
            for column in 0..size {
                values.swap(pivot * size + column, step * size + column);
                values[step * size + column] /= diagonal;
            }
        }
        for row in (0..size).filter(|&row| row != step) {
            let factor = matrix[row * size + step];
            for values in [&mut matrix, &mut inverse] {
                for column in 0..size {
                    values[row * size + column] -= factor * values[step * size + column];
                }
            }
        }
    }
    Some(inverse)
}

/// The product with weights of few bits, quantised in blocks along their depth.
fn mat_mul_n_bits(call: &Call) -> Outcome<Vec<Value>> {
    let number = |name: &str| -> Outcome<usize> { shape::extent(call.required(name, call.maybe_int(name)?)?) };
    let (columns, depth, block) = (number("N")?, number("K")?, number("block_size")?);
    let bits = shape::extent(call.int("bits", 4)?)?;
    if ![2, 4, 8].contains(&bits) || block == 0 {
        return Err(Fault::unsupported(format!("weights of {bits} bits in blocks of {block}")));
    }
    if call.value(4).is_some() {
        return Err(Fault::unsupported("its input `g_idx` is given"));
    }
    let (input, codes, scales) = (call.tensor(0)?, call.elements::<u8>(1)?, singles(call.tensor(2)?)?);
    let misfit = || Fault::invalid(format!("{} weights of {bits} bits for {depth} × {columns}", codes.len()));
    let blocks = depth.div_ceil(block);
    let block_bytes = block.checked_mul(bits).ok_or_else(misfit)?.div_ceil(8);
    let fits = columns
        .checked_mul(blocks)
        .is_some_and(|count| scales.len() == count && count.checked_mul(block_bytes) == Some(codes.len()));
    if !fits || input.shape().last() != Some(&depth) {
        return Err(misfit());
    }
    let zeros = zero_points(call, columns, blocks, bits)?;
    let count = shape::volume(&[depth, columns])?;
    call.meter.room(count, size_of::<f32>())?;
    call.meter.work(count as u64)?;
    let mut weights = Vec::with_capacity(count);
    for at in 0..depth {
        for column in 0..columns {
            let part = column * blocks + at / block;
            let code = code(&codes[part * block_bytes..][..block_bytes], at % block, bits);
            weights.push((f32::from(code) - zeros[part]) * scales[part]);
        }
    }
    let rows = input.len().checked_div(depth).unwrap_or(0);
    let extents = Extents { rows, depth, columns };
    call.meter.work(extents.work())?;
    let mut result = call.filled(shape::volume(&[rows, columns])?, 0.0_f32)?;
    add_product(call.elements::<f32>(0)?, &weights, extents, &mut result);
    let mut shape = input.shape().to_vec();
    shape[input.rank() - 1] = columns;
    let result = Tensor::new(shape, result);
    match call.value(5) {
        Some(_) => Standard::new("Add").run(call, &[given(&result), passed(call, 5)]),
        None => one(result),
    }
}

/// An element of packed codes, the first in the lowest bits.
fn code(bytes: &[u8], at: usize, bits: usize) -> u8 {
    let mask = (u16::MAX >> (16 - bits)) as u8;
    bytes[at * bits / 8] >> (at * bits % 8) & mask
}

/// The zero point of each block: packed codes, or numbers; the middle if there are none.
fn zero_points(call: &Call, columns: usize, blocks: usize, bits: usize) -> Outcome<Vec<f32>> {
    let Some(zeros) = call.maybe_tensor(3)? else {
        let middle = f32::from(1_u8 << (bits - 1));
        return call.filled(shape::volume(&[columns, blocks])?, middle);
    };
    let misfit = || Fault::invalid(format!("zero points of shape {:?} for {columns} × {blocks} blocks", zeros.shape()));
    match zeros.data() {
        Data::U8(codes) => {
            let row = (blocks * bits).div_ceil(8);
            if row.checked_mul(columns) != Some(codes.len()) {
                return Err(misfit());
            }
            let zero = |at: usize| f32::from(code(&codes[at / blocks * row..][..row], at % blocks, bits));
            Ok((0..columns * blocks).map(zero).collect())
        }
        _ if zeros.len() == columns * blocks => singles(zeros),
        _ => Err(misfit()),
    }
}
