//! Matrices with their rows as columns.

use crate::forms::Form;
use crate::vector::{EIGHT, Loops, Vector};

/// Writes a matrix with so many numbers in a row column by column.
pub(super) fn turn(form: Form, matrix: &[f32], width: usize, turned: &mut [f32]) {
    let height = matrix.len() / width.max(1);
    assert_eq!(turned.len(), matrix.len(), "as many numbers");
    assert_eq!(height * width, matrix.len(), "whole rows");
    match width == 1 || height == 1 {
        true => turned.copy_from_slice(matrix),
        false => form.run(Turn { matrix, height, width, turned }),
    }
}

struct Turn<'a> {
    matrix: &'a [f32],
    height: usize,
    width: usize,
    turned: &'a mut [f32],
}

impl Loops for Turn<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { matrix, height, width, turned } = self;
        let (rows, columns) = (height / EIGHT * EIGHT, width / EIGHT * EIGHT);
        for row in (0..rows).step_by(EIGHT) {
            for column in (0..columns).step_by(EIGHT) {
                // SAFETY: the caller has the instructions; both matrices have eight more rows and columns.
                unsafe {
                    let source = matrix.as_ptr().add(row * width + column);
                    V::turn_eight(source, width, turned.as_mut_ptr().add(column * height + row), height);
                }
            }
        }
        for row in 0..height {
            let from = if row < rows { columns } else { 0 };
            for column in from..width {
                turned[column * height + row] = matrix[row * width + column];
            }
        }
    }
}
