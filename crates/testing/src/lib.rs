//! What tests share; never published.
//!
//! [`referee`] says what a model means, row by row in the plainest form, and writes the same model as a file. [`onnx`] has
//! the pieces of such files, [`ubjson`] another form of JSON, [`columns`] every way in which Arrow holds the same values, and
//! [`pack`] reads what other programs made and answered. [`watch`] has a process for what may end one, [`counts`] tells
//! `cargo xtask coverage` what a test counted, and [`page`] keeps tables in pages fresh. Nothing here knows the engine, so
//! that it can be the engine's judge.

pub mod columns;
pub mod counts;
pub mod onnx;
pub mod pack;
pub mod page;
pub mod referee;
pub mod ubjson;
pub mod watch;
