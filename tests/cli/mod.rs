//! The program from outside: arguments in, text and exit code out.

mod commands;
mod errors;
mod flags;
mod formats;
mod scripts;
