//! Between Arrow tables and programs.
//!
//! Inwards ([`accept`], [`import`]) every Arrow spelling of a value becomes the type the model computes with, and SQL NULL
//! becomes what the feature's policy says; nothing behind the border knows NULL. A text that is only looked up is left as it
//! is held, and a NULL in it too if its row has no answer: whatever is found for it, nobody sees. Outwards ([`export`]) columns become
//! answers, NULL where a row has none.

mod accept;
mod export;
mod import;
mod list;
mod map;
mod ragged;

pub(crate) use export::{
    answer_array, probabilities_array, probabilities_type, raw_array, struct_array, struct_of_classes,
};
pub(crate) use import::{MISSING_TEXT, Spelling, import, takes_as_given};
pub(crate) use list::expand;
pub use list::expand_list;
pub(crate) use ragged::ragged_type;
