//! Models through `Model::run`, compared with ONNX Runtime.

mod compare;
mod files;
mod fixtures;
mod hostile;
mod operators;
mod reference;
