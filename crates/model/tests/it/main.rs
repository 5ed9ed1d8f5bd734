//! Models through `Model::run`, compared with ONNX Runtime, or with the library whose file it is.

mod backend_columns;
mod backend_suite;
mod border;
mod catboost;
mod compare;
mod corpus;
mod deep;
mod exercise;
mod external;
mod fixtures;
mod folder;
mod hostile;
mod islands;
mod lightgbm;
mod operators;
mod properties;
mod reference;
mod signatures;
mod suite;
mod types;
mod xgboost;

use foretell_testing::onnx as files;
