//! Matrices for each head of each part of a batch: what every form of attention computes with.

use super::product::{Extents, add_product};
use crate::call::Call;
use crate::error::{Fault, Outcome};
use crate::number::Number;
use crate::shape;
use crate::tensor::Tensor;

/// Matrices [batch, heads, rows, columns].
#[derive(Debug, Clone)]
pub(super) struct Heads<T> {
    pub(super) batch: usize,
    pub(super) heads: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: Vec<T>,
}

impl<T: Number> Heads<T> {
    /// The matrices of a tensor of four dimensions, or of three, [batch, rows, heads × columns], of which `heads` says how
    /// many lie side by side.
    pub(super) fn new(call: &Call, values: &[T], shape: &[usize], heads: Option<usize>) -> Outcome<Self> {
        match (shape, heads) {
            (&[batch, heads, rows, columns], _) => {
                call.meter.room(values.len(), T::TYPE.width())?;
                Ok(Self { batch, heads, rows, columns, values: values.to_vec() })
            }
            (&[batch, rows, width], Some(heads)) if heads > 0 && width % heads == 0 => {
                let columns = width / heads;
                Self::side_by_side(call, values, &[batch, rows, heads, columns])
            }
            _ => Err(Fault::invalid(format!("a value of shape {shape:?} for {} heads", heads.unwrap_or(0)))),
        }
    }

    /// The matrices of elements [batch, rows, heads, columns].
    pub(super) fn side_by_side(call: &Call, values: &[T], shape: &[usize; 4]) -> Outcome<Self> {
        let &[batch, rows, heads, columns] = shape;
        call.meter.room(values.len(), T::TYPE.width())?;
        call.meter.work(values.len() as u64)?;
        let mut sorted = Vec::with_capacity(values.len());
        let parts = if values.is_empty() { 0 } else { batch };
        for part in 0..parts {
            for head in 0..heads {
                for row in 0..rows {
                    sorted.extend_from_slice(&values[((part * rows + row) * heads + head) * columns..][..columns]);
                }
            }
        }
        Ok(Self { batch, heads, rows, columns, values: sorted })
    }

    pub(super) fn shape(&self) -> [usize; 4] {
        [self.batch, self.heads, self.rows, self.columns]
    }

    /// As a tensor of four dimensions.
    pub(super) fn tensor(&self) -> Tensor {
        Tensor::new(self.shape().to_vec(), self.values.clone())
    }

    /// As a tensor of three dimensions, the heads side by side.
    pub(super) fn merged(&self, call: &Call) -> Outcome<Tensor> {
        let turned = Self::side_by_side(call, &self.values, &[self.batch, self.heads, self.rows, self.columns])?;
        Ok(Tensor::new(vec![self.batch, self.rows, self.heads * self.columns], turned.values))
    }

    /// The rows of `self`, then those of `more`.
    pub(super) fn followed_by(&self, call: &Call, more: &Self) -> Outcome<Self> {
        if (self.batch, self.heads, self.columns) != (more.batch, more.heads, more.columns) {
            let message = format!("{:?} cannot follow {:?} along axis 2", more.shape(), self.shape());
            return Err(Fault::invalid(message));
        }
        let rows = self.rows.saturating_add(more.rows);
        let count = shape::volume(&[self.batch, self.heads, rows, self.columns])?;
        call.meter.room(count, T::TYPE.width())?;
        let (first, second) = (self.rows * self.columns, more.rows * more.columns);
        let mut values = Vec::with_capacity(count);
        let matrices = if count == 0 { 0 } else { self.batch * self.heads };
        for matrix in 0..matrices {
            values.extend_from_slice(&self.values[matrix * first..][..first]);
            values.extend_from_slice(&more.values[matrix * second..][..second]);
        }
        Ok(Self { rows, values, ..*self })
    }

    /// Rows for columns.
    pub(super) fn transposed(&self, call: &Call) -> Outcome<Self> {
        call.meter.room(self.values.len(), T::TYPE.width())?;
        call.meter.work(self.values.len() as u64)?;
        let mut values = Vec::with_capacity(self.values.len());
        for matrix in self.values.chunks((self.rows * self.columns).max(1)) {
            for column in 0..self.columns {
                values.extend((0..self.rows).map(|row| matrix[row * self.columns + column]));
            }
        }
        Ok(Self { rows: self.columns, columns: self.rows, values, ..*self })
    }

    /// The products with matrices of as many heads, or of fewer, of which each serves its neighbours.
    pub(super) fn product(&self, call: &Call, right: &Self) -> Outcome<Self> {
        let groups = self.heads.checked_div(right.heads).filter(|groups| groups * right.heads == self.heads);
        let (Some(group), true) = (groups, self.batch == right.batch && self.columns == right.rows) else {
            return Err(Fault::invalid(format!("the product of {:?} and {:?}", self.shape(), right.shape())));
        };
        let extents = Extents { rows: self.rows, depth: self.columns, columns: right.columns };
        let count = shape::volume(&[self.batch, self.heads, self.rows, right.columns])?;
        call.meter.work(extents.work().saturating_mul((self.batch * self.heads) as u64))?;
        let mut values = call.filled(count, T::ZERO)?;
        let (left_size, right_size) = (self.rows * self.columns, right.rows * right.columns);
        for (matrix, result) in values.chunks_mut((self.rows * right.columns).max(1)).enumerate() {
            let (part, head) = (matrix / self.heads, matrix % self.heads);
            let other = part * right.heads + head / group;
            let left = &self.values[matrix * left_size..][..left_size];
            add_product(left, &right.values[other * right_size..][..right_size], extents, result);
        }
        Ok(Self { columns: right.columns, values, ..*self })
    }

    /// Each row with its numbers replaced by their share of the whole; a row of minus infinities becomes zeros. `round` is
    /// what the precision makes of the result of a step.
    pub(super) fn softmax(&mut self, round: fn(f64) -> f64) {
        for line in self.values.chunks_mut(self.columns.max(1)) {
            let greatest = line.iter().copied().fold(T::LOWEST, T::greater).to_f64();
            if greatest == f64::NEG_INFINITY {
                line.fill(T::ZERO);
                continue;
            }
            let powers = |value: &T| round(round(value.to_f64() - greatest).exp());
            let sum = round(line.iter().map(powers).sum());
            line.iter_mut().for_each(|value| *value = T::from_f64(round(powers(value) / sum)));
        }
    }
}
