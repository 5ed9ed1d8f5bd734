//! The database directory from the outside: what is there after opening it again, after a kill, after tampering.

mod concurrency;
mod directory;
mod foreign;
mod helpers;
mod leftovers;
mod models;
mod tables;
mod types;
