//! End to end, through the doors only: the program, its scripts, the README, and what is left after a kill.

mod cli;
mod durability;
mod mlflow;
mod remote;
mod scripts;
mod server;
mod util;
