//! Slices in, slices out: the loops that evaluate models.
//!
//! Nothing here knows Arrow, files or tensors. Every kernel takes feature columns as slices and writes output columns; the
//! same row gives the same bits whatever the number of rows in the call, since sums run in a fixed order per row.
//!
//! ```
//! use foretell_kernels::linear::LinearModel;
//!
//! let model = LinearModel::try_new(vec![2.0, -1.0], vec![0.5])?;
//! let mut scores = [0.0; 3];
//! model.evaluate(&[&[1.0, 2.0, 3.0], &[0.0, 1.0, 2.0]], &mut [&mut scores]);
//! assert_eq!(scores, [2.5, 3.5, 4.5]);
//! # Ok::<(), foretell_kernels::linear::LinearError>(())
//! ```

pub mod activation;
pub mod convolution;
pub mod dense;
pub mod forms;
pub mod functions;
pub mod fused;
pub mod instructions;
pub mod keys;
pub mod linear;
pub mod lines;
pub mod matrix;
pub mod neighbours;
mod numbers;
mod panels;
pub mod pictures;
pub mod points;
pub mod pooling;
pub mod real;
pub mod recurrent;
#[cfg(test)]
mod samples;
pub mod support;
pub mod trees;
mod vector;
