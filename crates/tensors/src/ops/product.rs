//! Products of matrices: the loops, and the operators that are little else.

use foretell_kernels::matrix::{self, Order, Product};

use super::movement::transposed;
use super::{Operator, exact, one, single};
use crate::call::{Call, wrong_type};
use crate::element::Element;
use crate::error::{Fault, Outcome};
pub(super) use crate::multiply::Extents;
use crate::number::{Number, by_number, by_real};
use crate::shape::{self, Spread};
use crate::tensor::{Data, Tensor};
use crate::value::Value;

pub(super) fn find(op_type: &str) -> Option<Operator> {
    Some(match op_type {
        "Det" => single(det),
        "Gemm" => single(gemm),
        "MatMul" => single(mat_mul),
        "MatMulInteger" => exact(mat_mul_integer),
        _ => return None,
    })
}

/// Adds the product of two matrices to `result`.
pub(super) fn add_product<T: Number>(left: &[T], right: &[T], extents: Extents, result: &mut [T]) {
    if extents.depth > 0 && extents.columns > 0 {
        T::add_product(left, right, extents, result);
    }
}

/// The shapes of a product with batches around its matrices.
struct Batches {
    extents: Extents,
    shape: Vec<usize>,
    count: usize,
    left: Spread,
    right: Spread,
}

impl Batches {
    fn new(left: &[usize], right: &[usize]) -> Outcome<Self> {
        let misfit = || Fault::invalid(format!("the product of {left:?} and {right:?}"));
        // A vector is a row on the left and a column on the right; its axis is not in the result.
        let row = [&[1], left].concat();
        let column = [right, &[1]].concat();
        let wide_left = if left.len() == 1 { &row[..] } else { left };
        let wide_right = if right.len() == 1 { &column[..] } else { right };
        let ([outer_left @ .., rows, depth], [outer_right @ .., other, columns]) = (wide_left, wide_right) else {
            return Err(misfit());
        };
        if depth != other {
            return Err(misfit());
        }
        let outer = shape::broadcast(outer_left, outer_right)?;
        let mut shape = outer.clone();
        if left.len() > 1 {
            shape.push(*rows);
        }
        if right.len() > 1 {
            shape.push(*columns);
        }
        let extents = Extents { rows: *rows, depth: *depth, columns: *columns };
        let count = shape::volume(&outer)?;
        let (left, right) = (Spread::new(outer_left, &outer), Spread::new(outer_right, &outer));
        Ok(Self { extents, shape, count, left, right })
    }
}

/// The product of two values as NumPy's `matmul` has it.
pub(super) fn product<T: Number>(
    call: &Call,
    (left, left_shape): (&[T], &[usize]),
    (right, right_shape): (&[T], &[usize]),
) -> Outcome<Tensor> {
    let Batches { extents, shape, count, left: of_left, right: of_right } = Batches::new(left_shape, right_shape)?;
    let Extents { rows, depth, columns } = extents;
    let mut result = call.filled(shape::volume(&shape)?, T::ZERO)?;
    call.meter.work(extents.work().saturating_mul(count as u64))?;
    if let (Spread::Repeat(times), Spread::Repeat(1)) = (&of_left, &of_right)
        && *times == count
    {
        // One right matrix: all batches of the left are rows of one matrix.
        let extents = Extents { rows: rows * count, ..extents };
        add_product(left, right, extents, &mut result);
        return Ok(Tensor::new(shape, result));
    }
    if rows * columns > 0 {
        for (batch, result) in result.chunks_mut(rows * columns).enumerate() {
            let left = &left[of_left.at(batch) * rows * depth..][..rows * depth];
            let right = &right[of_right.at(batch) * depth * columns..][..depth * columns];
            add_product(left, right, extents, result);
        }
    }
    Ok(Tensor::new(shape, result))
}

/// The product of two tensors of one type.
pub(super) fn matrix_product(call: &Call, left: &Tensor, right: &Tensor) -> Outcome<Tensor> {
    fn typed<T: Number>(call: &Call, values: &[T], left: &Tensor, right: &Tensor) -> Outcome<Tensor> {
        let other = right.values::<T>().ok_or_else(|| wrong_type(1, T::TYPE, right.element_type()))?;
        product(call, (values, left.shape()), (other, right.shape()))
    }
    by_number!(left.data(), values => typed(call, values, left, right))
}

fn mat_mul(call: &Call) -> Outcome<Vec<Value>> {
    one(matrix_product(call, call.tensor(0)?, call.tensor(1)?)?)
}

fn gemm(call: &Call) -> Outcome<Vec<Value>> {
    for index in 0..2 {
        let matrix = call.tensor(index)?;
        if matrix.rank() != 2 {
            return Err(Fault::invalid(format!("input {index} of shape {:?} is no matrix", matrix.shape())));
        }
    }
    let oriented = |index: usize, is_turned: bool| -> Outcome<Tensor> {
        let matrix = call.tensor(index)?;
        if is_turned { transposed(call, matrix, &[1, 0]) } else { Ok(matrix.clone()) }
    };
    let left = oriented(0, call.flag("transA", false)?)?;
    let is_turned = call.flag("transB", false)?;
    let result = match (left.values::<f32>(), call.tensor(1)?.values::<f32>()) {
        (Some(values), Some(right)) if is_turned => turned_product(call, values, left.shape(), right)?,
        _ => matrix_product(call, &left, &oriented(1, is_turned)?)?,
    };
    let scales = (f64::from(call.float("alpha", 1.0)?), f64::from(call.float("beta", 1.0)?));
    by_number!(result.data(), values => one(scaled(call, values, result.shape(), scales)?))
}

/// The product with the second input, which is given transposed.
fn turned_product(call: &Call, left: &[f32], left_shape: &[usize], right: &[f32]) -> Outcome<Tensor> {
    let (&[rows, depth], &[columns, other]) = (left_shape, call.tensor(1)?.shape()) else {
        return Err(Fault::invalid("an input is no matrix"));
    };
    if depth != other {
        return Err(Fault::invalid(format!("the product of {left_shape:?} and {:?}", [other, columns])));
    }
    let mut result = call.filled(shape::volume(&[rows, columns])?, 0.0_f32)?;
    call.meter.work(Extents { rows, depth, columns }.work())?;
    let extents = matrix::Extents { rows, depth, columns };
    Product::new(extents).with_order(Order::Columns).add(left, right, &mut result);
    Ok(Tensor::new(vec![rows, columns], result))
}

/// `alpha` times a product plus `beta` times the third input.
fn scaled<T: Number>(call: &Call, product: &[T], shape: &[usize], (alpha, beta): (f64, f64)) -> Outcome<Tensor> {
    let scale = |value: T, by: f64| if by == 1.0 { value } else { value.times(T::from_f64(by)) };
    let mut values: Vec<T> = product.iter().map(|&value| scale(value, alpha)).collect();
    if let Some(addend) = call.maybe_tensor(2)?
        && beta != 0.0
    {
        let addends = addend.values::<T>().ok_or_else(|| wrong_type(2, T::TYPE, addend.element_type()))?;
        if shape::broadcast(shape, addend.shape())? != shape {
            return Err(Fault::invalid(format!("adding {:?} to {shape:?}", addend.shape())));
        }
        let add = |value: &mut T, addend: T| *value = value.plus(scale(addend, beta));
        match Spread::new(addend.shape(), shape) {
            Spread::Repeat(length) => values.chunks_mut(length.max(1)).for_each(|values| {
                values.iter_mut().zip(addends).for_each(|(value, &addend)| add(value, addend));
            }),
            Spread::At(positions) => {
                values.iter_mut().zip(positions).for_each(|(value, at)| add(value, addends[at]));
            }
        }
    }
    Ok(Tensor::new(shape.to_vec(), values))
}

fn det(call: &Call) -> Outcome<Vec<Value>> {
    fn determinants<T: Number>(values: &[T], size: usize, count: usize) -> Vec<T> {
        (0..count)
            .map(|at| {
                let matrix = &values[at * size * size..][..size * size];
                T::from_f64(determinant(matrix.iter().map(|value| value.to_f64()).collect(), size))
            })
            .collect()
    }
    let input = call.tensor(0)?;
    let [outer @ .., rows, columns] = input.shape() else {
        return Err(Fault::invalid(format!("a value of shape {:?} is no matrix", input.shape())));
    };
    if rows != columns {
        return Err(Fault::invalid(format!("the determinant of {:?}", input.shape())));
    }
    call.meter.work((input.len() as u64).saturating_mul(*rows as u64))?;
    let count = shape::volume(outer)?;
    one(by_real!(input.data(), values => Ok(Tensor::new(outer.to_vec(), determinants(values, *rows, count))))?)
}

/// By elimination, with the largest number of a column as its pivot.
fn determinant(mut matrix: Vec<f64>, size: usize) -> f64 {
    let mut result = 1.0;
    for step in 0..size {
        let larger = |&a: &usize, &b: &usize| matrix[a * size + step].abs().total_cmp(&matrix[b * size + step].abs());
        let Some(pivot) = (step..size).max_by(larger) else { continue };
        if matrix[pivot * size + step] == 0.0 {
            return 0.0;
        }
        if pivot != step {
            (0..size).for_each(|column| matrix.swap(pivot * size + column, step * size + column));
            result = -result;
        }
        let diagonal = matrix[step * size + step];
        result *= diagonal;
        for row in step + 1..size {
            let factor = matrix[row * size + step] / diagonal;
            for column in step..size {
                matrix[row * size + column] -= factor * matrix[step * size + column];
            }
        }
    }
    result
}

/// The integers of a quantised matrix less its zero point, which may differ by row or by column.
pub(super) fn centred(matrix: &Tensor, zero: Option<&Tensor>, by_row: bool) -> Outcome<Vec<i32>> {
    let values = small_integers(matrix)?;
    let Some(zero) = zero else { return Ok(values) };
    let zeros = small_integers(zero)?;
    if let [zero] = zeros[..] {
        return Ok(values.iter().map(|value| value - zero).collect());
    }
    let misfit = || Fault::invalid(format!("zero points {:?} for {:?}", zero.shape(), matrix.shape()));
    let (&columns, outer) = matrix.shape().split_last().ok_or_else(misfit)?;
    let rows = outer.last().copied().unwrap_or(1);
    let wanted = if by_row { rows } else { columns };
    // One zero point per row or column, perhaps for each matrix of a batch.
    if zeros.len() != wanted && zeros.len() != values.len() / (rows * columns / wanted).max(1) {
        return Err(misfit());
    }
    let zero_of = |at: usize| {
        let line = if by_row { at / columns } else { at / (rows * columns) * columns + at % columns };
        zeros[line % zeros.len()]
    };
    Ok(values.iter().enumerate().map(|(at, value)| value - zero_of(at)).collect())
}

/// The numbers of a tensor of 8 bit integers.
pub(super) fn small_integers(tensor: &Tensor) -> Outcome<Vec<i32>> {
    match tensor.data() {
        Data::U8(values) => Ok(values.iter().map(|&value| i32::from(value)).collect()),
        Data::I8(values) => Ok(values.iter().map(|&value| i32::from(value)).collect()),
        other => Err(crate::call::no_such_type(other.element_type())),
    }
}

fn mat_mul_integer(call: &Call) -> Outcome<Vec<Value>> {
    one(integer_product(call, (call.tensor(0)?, call.maybe_tensor(2)?), (call.tensor(1)?, call.maybe_tensor(3)?))?)
}

/// The product of two quantised matrices, each with its zero point.
pub(super) fn integer_product(
    call: &Call,
    (left, left_zero): (&Tensor, Option<&Tensor>),
    (right, right_zero): (&Tensor, Option<&Tensor>),
) -> Outcome<Tensor> {
    call.meter.room(left.len().saturating_add(right.len()), <i32 as Element>::TYPE.width())?;
    let left_values = centred(left, left_zero, true)?;
    let right_values = centred(right, right_zero, false)?;
    product(call, (&left_values, left.shape()), (&right_values, right.shape()))
}
