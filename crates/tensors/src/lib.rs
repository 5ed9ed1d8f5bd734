//! A complete evaluator of ONNX tensor operators, in the simple way, but for what networks spend their time with.
//!
//! A [`Graph`] of [`Node`]s over named [`Value`]s is compiled to a [`Program`], which any number of threads run. Every
//! operator of ai.onnx is there, in each of its versions, but for those that draw random numbers, train or decode pictures,
//! and the operators of com.microsoft that ONNX Runtime's optimiser and quantiser and the exporters write. Numbers are those
//! of ONNX Runtime where the text of ONNX leaves room. Sums run in a fixed order, so that what is computed for one row does
//! not depend on the rows beside it, unless the operator means it: `DynamicQuantizeLinear`, `DynamicQuantizeMatMul` and
//! `DynamicQuantizeLSTM` choose one scale for all rows they are given, `BatchNormalization` with `training_mode` one mean.
//!
//! In single precision, products of matrices, convolutions, recurrent layers as exporters write them, and what is done along the
//! last axis of a tensor run in the kernels of `foretell-kernels`; [`Program::is_fast`] tells of a graph whether what takes
//! long in it does. Everything else is loops over elements.
//!
//! Nothing here knows files, Arrow or SQL; a graph may come from a stranger, so that shapes are checked before memory is
//! taken, and bytes and work are counted while it runs.
//!
//! ```
//! use foretell_tensors::{Budget, Graph, Node, Program, Tensor};
//!
//! let double = Node {
//!     op_type: "Add".to_string(),
//!     opset: 14,
//!     inputs: vec!["x".to_string(), "x".to_string()],
//!     outputs: vec!["y".to_string()],
//!     ..Node::default()
//! };
//! let graph = Graph {
//!     inputs: vec!["x".to_string()],
//!     nodes: vec![double],
//!     outputs: vec!["y".to_string()],
//!     ..Graph::default()
//! };
//! let program = Program::new(graph)?;
//! let answers = program.run(vec![Tensor::vector(vec![1.5_f32, 2.0]).into()], Budget { bytes: 1 << 20, work: 1 << 20 })?;
//! assert_eq!(answers[0].tensor().and_then(Tensor::values::<f32>), Some(&[3.0, 4.0][..]));
//! # Ok::<(), foretell_tensors::Error>(())
//! ```

mod budget;
mod call;
mod control;
mod element;
mod error;
mod fast;
mod graph;
mod kept;
mod lines;
mod multiply;
mod narrow;
mod number;
mod number_text;
mod ops;
mod pictures;
mod plan;
mod run;
mod shape;
mod tensor;
mod turn;
mod value;

pub use budget::{Budget, Usage};
pub use element::{Element, ElementType};
pub use error::{Error, Fault, Outcome, Result};
pub use graph::{Attribute, Graph, Node, TensorType, ValueType};
pub use narrow::Narrow;
pub use number_text::{number_text, read_float, read_signed, read_unsigned};
pub use ops::{is_known, refusal};
pub use plan::Program;
pub use tensor::{Data, Tensor, dense};
pub use value::{Map, Value};
