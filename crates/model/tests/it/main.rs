//! Models through `Model::run`, compared with ONNX Runtime.

mod border;
mod compare;
mod external;
mod fixtures;
mod hostile;
mod operators;
mod properties;
mod reference;
mod signatures;
mod types;

use foretell_testing::onnx as files;
