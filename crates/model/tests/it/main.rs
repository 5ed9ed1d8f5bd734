//! Models through `Model::run`, compared with ONNX Runtime.

mod border;
mod compare;
mod external;
mod files;
mod fixtures;
mod hostile;
mod operators;
mod reference;
mod signatures;
mod types;
