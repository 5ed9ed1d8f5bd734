//! What tests and benchmarks compute with. Benchmarks take the files in by their paths.

pub(crate) mod sequence;
pub(crate) mod views;
pub(crate) mod windows;
