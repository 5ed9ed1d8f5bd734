//! How long a user waits for the program to start.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lexopt::{Arg, Parser, ValueExt};

use crate::Result;

/// `start [--program PATH] [--runs N]`
pub fn run(mut parser: Parser) -> Result<()> {
    let (mut program, mut runs) = (beside_this_one()?, 20);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("program") => program = parser.value()?.into(),
            Arg::Long("runs") => runs = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    // The first run finds the program on disk, the others in memory. People start it more than once.
    time(&program)?;
    let mut times = (0..runs).map(|_| time(&program)).collect::<Result<Vec<Duration>>>()?;
    times.sort();
    let (Some(fastest), Some(median), Some(slowest)) = (times.first(), times.get(times.len() / 2), times.last()) else {
        return Err("--runs takes a number above 0".into());
    };
    println!("{} -c 'SELECT 1': {median:.1?} (of {runs} runs; {fastest:.1?} to {slowest:.1?})", program.display());
    Ok(())
}

fn time(program: &PathBuf) -> Result<Duration> {
    let start = Instant::now();
    let status = Command::new(program).args(["-c", "SELECT 1"]).stdin(Stdio::null()).stdout(Stdio::null()).status();
    let elapsed = start.elapsed();
    match status {
        Ok(status) if status.success() => Ok(elapsed),
        Ok(status) => Err(format!("{} failed: {status}", program.display()).into()),
        Err(error) => Err(format!(
            "cannot start {}: {error}; build it with `cargo build --release`, or name another with --program",
            program.display()
        )
        .into()),
    }
}

/// The program is built into the folder of this one.
fn beside_this_one() -> Result<PathBuf> {
    let name = format!("foretell{}", std::env::consts::EXE_SUFFIX);
    Ok(std::env::current_exe()?.with_file_name(name))
}
