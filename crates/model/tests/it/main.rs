//! Models through `Model::run`, compared with ONNX Runtime.

mod compare;
mod fixtures;
mod reference;
