//! More rows than fit into memory, scored and saved: the peak must not grow with them.

use std::thread::available_parallelism;

use lexopt::{Arg, Parser, ValueExt};

use crate::{Result, flights, job};

/// With this the 336,776 flights are 50 million rows.
const REPEAT: usize = 149;

/// `big [--repeat N] [--threads N]`
pub fn run(mut parser: Parser) -> Result<()> {
    let (mut repeat, mut threads) = (REPEAT, available_parallelism()?.get());
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("repeat") => repeat = parser.value()?.parse()?,
            Arg::Long("threads") => threads = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    println!("{}", job::start(&flights::statements("late", "late(*) AS prediction", repeat)?, threads)?);
    Ok(())
}
